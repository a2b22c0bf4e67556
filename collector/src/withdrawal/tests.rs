use super::*;
use crate::journal::Journal;
use crate::store::Slice;
use crate::verify::fixture::{
    enrolled, header, identity, key, rules, sealed, tuesday_noon, verified, week,
};
use crate::verify::verify;
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::encode;
use phonehome_proto::withdrawal::Withdrawal;

struct Bench {
    folder: tempfile::TempDir,
    withdrawals: Withdrawals,
    journal: Journal,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("collector.db"), true).await;
        let store = store.expect("opens");
        for home in 1..=2 {
            let key = key(home).public();
            store.take_in(key.as_bytes(), tuesday_noon()).await;
        }
        let chance = SharedChance::new(SeededChance::new(5));
        let keys = WeekKeys::new(folder.path().to_owned(), store.clone(), chance.clone());
        let identity = Arc::new(identity());
        let (journal, _) =
            Journal::start(store.clone(), Arc::clone(&identity), keys.clone(), chance);
        let ledger = folder.path().join("identity.ledger");
        let ledger = LedgerCopy::new(ledger, folder.path(), Arc::clone(&identity));
        let withdrawals = Withdrawals {
            store,
            keys,
            identity,
            ledger,
        };
        Self {
            folder,
            withdrawals,
            journal,
        }
    }

    /// Holds one batch of the home in the week that is `later` weeks after the first.
    async fn holds(&self, home: u8, batch: u8, later: u32) {
        let mut header = header(home, batch);
        header.day = header.day.plus(7 * later);
        let now = header.day.end();
        let sealed = sealed(home, header);
        let verified = verify(sealed, Some(&enrolled(home)), &rules(), now).expect("verifies");
        let accepted = self.journal.accept(vec![verified], None, now).await;
        assert!(accepted.expect("written")[0].is_ok());
    }

    async fn leaves(&self, home: u8) -> Result<Withdrawn, JournalError> {
        let sealed = withdrawal(home);
        self.withdrawals.withdraw(&sealed, tuesday_noon()).await
    }

    async fn rows(&self) -> usize {
        let store = &self.withdrawals.store;
        let page = store.journal_page(week(), Slice::WHOLE, None, usize::MAX);
        page.await.expect("reads").len()
    }
}

fn withdrawal(home: u8) -> SealedBatch {
    let withdrawal = Withdrawal {
        audience: identity().audience(),
        home: key(home).public().home(),
        nonce: [home; 16],
    };
    let payload = encode::withdrawal(&withdrawal);
    SealedBatch::seal(PayloadType::Withdraw, payload, &key(home))
}

fn said(answer: &Answer) -> Erasure {
    let (Answer::Fresh(sealed) | Answer::Repeated(sealed)) = answer else {
        panic!("an erasure")
    };
    let payload = sealed.open(PayloadType::Erasure, &identity().public());
    decode::erasure(payload.expect("signed")).expect("reads")
}

#[tokio::test]
async fn the_receipt_says_what_was_erased() {
    let bench = Bench::new().await;
    for (batch, later) in [(1, 0), (2, 0), (3, 1)] {
        bench.holds(1, batch, later).await;
    }
    bench.holds(2, 1, 0).await;
    let first = bench.leaves(1).await.expect("erased");
    assert_eq!(first.batches, 3);
    let erasure = said(&first.answer);
    assert_eq!(
        (erasure.batches, erasure.weeks),
        (3, vec![week(), week().next()])
    );
    assert_eq!(bench.rows().await, 1);
    // Again: the first receipt's bytes, and nothing more is counted.
    let again = bench.leaves(1).await.expect("repeated");
    let Answer::Fresh(sealed) = first.answer else {
        panic!("it was the first")
    };
    assert_eq!(again, Withdrawn::of(Answer::Repeated(sealed), 0));
}

#[tokio::test]
async fn without_a_weeks_key_nothing_is_erased() {
    let bench = Bench::new().await;
    bench.holds(1, 1, 0).await;
    bench.holds(1, 2, 1).await;
    let path = bench.folder.path().join(format!("{}.key", week()));
    let secret = std::fs::read(&path).expect("reads");
    // Another process, that has not read the key, finds another file, or none.
    let fresh = |bench: &Bench| Withdrawals {
        keys: WeekKeys::new(
            bench.folder.path().to_owned(),
            bench.withdrawals.store.clone(),
            SharedChance::new(SeededChance::new(6)),
        ),
        ..bench.withdrawals.clone()
    };
    std::fs::remove_file(&path).expect("removes");
    let refused = fresh(&bench).withdraw(&withdrawal(1), tuesday_noon()).await;
    assert!(matches!(refused, Err(JournalError::Key(_))), "{refused:?}");
    assert_eq!(bench.rows().await, 1);
    std::fs::write(&path, &secret).expect("writes");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).expect("restricts");
    let erased = fresh(&bench).withdraw(&withdrawal(1), tuesday_noon()).await;
    assert_eq!(erased.expect("erased").batches, 2);
}

#[tokio::test]
async fn a_batch_verified_before_is_not_appended_after() {
    let bench = Bench::new().await;
    bench.holds(1, 1, 0).await;
    let under_way = verified(1, 2, tuesday_noon());
    bench.leaves(1).await.expect("erased");
    let late = bench
        .journal
        .accept(vec![under_way], None, tuesday_noon())
        .await;
    assert_eq!(late.expect("asked"), [Err(Reject::UnknownKey)]);
    assert_eq!(bench.rows().await, 0);
}
