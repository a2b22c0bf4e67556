//! Answers that were made are kept: the same question about the same shelf is the same answer.
//!
//! At most [`KEPT_BYTES_MAX`] of them, those that are asked for most; what many ask for at once is made once. A
//! shelf that shows something else is another shelf: what was kept of the one before is asked for no more, and
//! makes room. Of a question only what was asked is held, not who asked.

use super::asked::Asked;
use super::made::Made;
use super::{Problem, Shelf};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Bytes of answers, all together.
const KEPT_BYTES_MAX: u64 = 64 << 20;
/// Answers that so many bytes are expected to be.
const KEPT_ABOUT: usize = 2_048;
/// What an answer takes beside its bytes and its question, about.
const BESIDE_BYTES: usize = 2_048;

/// The answers of one API. Its clones keep the same ones.
#[derive(Clone, Debug)]
pub(super) struct Kept(Arc<Cache<Question, Arc<Made>, Bytes>>);

/// What was asked, of which edition of the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    edition: u64,
    asked: Arc<Asked>,
}

/// An answer weighs as many bytes as it takes.
#[derive(Clone, Debug)]
struct Bytes;

impl Kept {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::with_weighter(
            KEPT_ABOUT,
            KEPT_BYTES_MAX,
            Bytes,
        )))
    }

    /// The answer to what was asked of a shelf: the one that is kept, or what `make` makes. A refusal
    /// is not kept.
    pub(super) async fn answer(
        &self,
        shelf: &Shelf,
        asked: &Arc<Asked>,
        make: impl Future<Output = Result<Made, Problem>>,
    ) -> Result<Arc<Made>, Problem> {
        let question = Question {
            // Read before `make` looks at the shelf: an answer is never from an earlier one than this.
            edition: shelf.edition(),
            asked: Arc::clone(asked),
        };
        let make = async { make.await.map(Arc::new) };
        self.0.get_or_insert_async(&question, make).await
    }
}

impl Weighter<Question, Arc<Made>> for Bytes {
    fn weight(&self, question: &Question, made: &Arc<Made>) -> u64 {
        let bytes = question.asked.size_bytes() + made.size_bytes() + BESIDE_BYTES;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kind::Kind;
    use crate::api::reply::{Keep, Reply};
    use crate::format::fixture;
    use crate::identity::Identity;
    use phonehome_proto::manifest::Purpose;
    use phonehome_proto::seal::SigningKey;
    use std::cell::Cell;

    fn shelf() -> Shelf {
        let key = SigningKey::from_seed(&[7; 32]);
        Shelf::new(Arc::new(Identity::new(key, Purpose::Exercise)))
    }

    fn asked(query: &str) -> Arc<Asked> {
        Arc::new(Asked {
            query: query.to_owned(),
            ..Asked::default()
        })
    }

    #[tokio::test]
    async fn an_answer_is_made_once_for_a_shelf() {
        let (shelf, kept, made) = (shelf(), Kept::new(), Cell::new(0));
        let make = async || {
            made.set(made.get() + 1);
            Ok(Made::of(Reply::new(Kind::Text, Keep::AWhile, "answer")))
        };
        for (query, expected) in [("a", 1), ("a", 1), ("b", 2), ("a", 2)] {
            let answer = kept.answer(&shelf, &asked(query), make()).await;
            assert!(answer.is_ok());
            assert_eq!(made.get(), expected);
        }
        shelf.replace(vec![fixture::release()]);
        assert!(kept.answer(&shelf, &asked("a"), make()).await.is_ok());
        assert_eq!(made.get(), 3, "another shelf");
        shelf.replace(vec![fixture::release()]);
        assert!(kept.answer(&shelf, &asked("a"), make()).await.is_ok());
        assert_eq!(made.get(), 3, "it shows the same");
    }

    #[tokio::test]
    async fn a_refusal_is_not_kept_and_bytes_are_bounded() {
        let (shelf, kept) = (shelf(), Kept::new());
        let refused = async { Err(Problem::NothingReleased) };
        assert!(kept.answer(&shelf, &asked("a"), refused).await.is_err());
        let body = vec![b'x'; 1 << 20];
        for query in 0..(2 * KEPT_BYTES_MAX) >> 20 {
            let make = async { Ok(Made::of(Reply::new(Kind::Png, Keep::AWhile, body.clone()))) };
            let answer = kept.answer(&shelf, &asked(&query.to_string()), make).await;
            assert!(answer.is_ok());
            assert!(kept.0.weight() <= KEPT_BYTES_MAX);
        }
        assert!(kept.0.weight() > KEPT_BYTES_MAX / 2);
    }
}
