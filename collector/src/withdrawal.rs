//! Withdrawal: a home is forgotten, and is told so, signed.
//!
//! Takes sealed withdrawals, gives sealed erasures. What holds here:
//! - **At once and whole.** In one transaction go the home's batches of every week that is not final,
//!   with what told their repetitions, its keys and its entry. A batch that was under way finds its
//!   key gone, in the transaction that would have appended it.
//! - **Past a backup.** That it happened stands in the ledger and in its copy outside of the database
//!   before the home is told, so that no older database is served.
//! - **The receipt is true.** It says how many batches were erased; were there others by the time of
//!   the transaction, nothing is erased and it is signed anew.
//! - **What stays says nothing.** So that a repetition gets the same bytes, the erasure is kept for
//!   [`limits::ERASURE_KEPT_SECONDS`], encrypted under a key that only the withdrawal's payload
//!   yields (`tombstone`). The payload is not kept.
//!
//! A week that was released before is not revised; one that was not is folded without the home.

mod tombstone;

use crate::identity::Identity;
use crate::journal::JournalError;
use crate::journal::keys::{WeekKeyError, WeekKeys};
use crate::ledger::{LedgerCopy, LedgerError};
use crate::registry::{Answer, self_signed};
use crate::store::{EraseAttempt, Erased, Store, StoreError, WeekState};
use phonehome_proto::decode;
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::time::{Day, Timestamp, Week};
use phonehome_proto::withdrawal::Erasure;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Forgets homes. Clones act on the same ones.
#[derive(Clone)]
pub struct Withdrawals {
    /// Holds what is to be forgotten.
    pub store: Store,
    /// Know under which tokens.
    pub keys: WeekKeys,
    /// Signs erasures.
    pub identity: Arc<Identity>,
    /// Remembers that they happened when the store is put back from a backup.
    pub ledger: LedgerCopy,
}

/// What became of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// What the home is told.
    pub answer: Answer,
    /// Batches erased by it, now.
    pub batches: usize,
}

/// A home that goes on reporting while it withdraws is asked to come back after so many rounds.
const ROUNDS_MAX: u32 = 16;

impl Withdrawals {
    /// Forgets a home, if its key says so.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing is forgotten, and the home may ask again.
    pub async fn withdraw(
        &self,
        sealed: &SealedBatch,
        now: Timestamp,
    ) -> Result<Withdrawn, JournalError> {
        let (key, home) = match check(sealed, self.identity.audience()) {
            Ok(checked) => checked,
            Err(reject) => return Ok(Withdrawn::of(Answer::Refused(reject), 0)),
        };
        let mut known = BTreeMap::new();
        for _ in 0..ROUNDS_MAX {
            let (erasure, attempt) = self.prepare(sealed, (&key, home), &known, now).await?;
            let batches = attempt.held.iter().map(|(.., count)| count).sum::<u32>();
            let batches = usize::try_from(batches).unwrap_or(usize::MAX);
            let erased = self.store.erase(attempt).await.map_err(store_failed)?;
            if matches!(erased, Erased::Done | Erased::Repeated(_)) {
                // Before anybody is told; also if the process ended in between the last time.
                let followed = self.ledger.follow(&self.store).await;
                followed.map_err(ledger_failed)?;
            }
            match erased {
                Erased::Done => return Ok(Withdrawn::of(Answer::Fresh(erasure), batches)),
                Erased::Repeated(kept) => {
                    // What does not open was altered in the file: what was said cannot be repeated.
                    let answer = tombstone::open(&sealed.payload, &kept)
                        .map_or(Answer::Refused(Reject::UnknownKey), Answer::Repeated);
                    return Ok(Withdrawn::of(answer, 0));
                }
                Erased::Refused(why) => {
                    return Ok(Withdrawn::of(Answer::Refused(why.into()), 0));
                }
                Erased::Otherwise(held) => known = held.into_iter().collect(),
            }
        }
        Err(JournalError::Busy)
    }

    /// What to ask of the store if the home holds as many batches as is known, and the erasure that
    /// says so.
    async fn prepare(
        &self,
        sealed: &SealedBatch,
        (key, home): (&VerifyingKey, HomeId),
        known: &BTreeMap<Week, u32>,
        now: Timestamp,
    ) -> Result<(SealedBatch, EraseAttempt), JournalError> {
        let mut held = Vec::new();
        for row in self.store.weeks().await.map_err(store_failed)? {
            if row.state != WeekState::Final {
                let key = self.keys.existing(row.week)?;
                let key = key.filter(|key| key.check() == row.key_check);
                // Without its key nobody can say which rows of a week are the home's.
                let key = key.ok_or(WeekKeyError::Exchanged(row.week))?;
                let count = known.get(&row.week).copied().unwrap_or(0);
                held.push((row.week, key.home_token(home), count));
            }
        }
        let withdrawal_hash = Hash::of(&sealed.payload);
        let touched = held.iter().filter(|(.., count)| *count > 0);
        let erasure = self.identity.erasure(&Erasure {
            audience: self.identity.audience(),
            home,
            withdrawal_hash,
            erased_at: Timestamp::from_seconds(now.seconds()),
            batches: held.iter().map(|(.., count)| count).sum(),
            weeks: touched.map(|(week, ..)| *week).collect(),
            purpose: self.identity.purpose(),
        });
        let attempt = EraseAttempt {
            home,
            key: *key.as_bytes(),
            withdrawal_hash,
            held,
            receipt: tombstone::seal(&sealed.payload, &erasure),
            forget_at: now.plus_seconds(limits::ERASURE_KEPT_SECONDS),
            listed: (now.day().unwrap_or(Day::LAST), self.identity.listed(home)),
        };
        Ok((erasure, attempt))
    }
}

impl Withdrawn {
    const fn of(answer: Answer, batches: usize) -> Self {
        Self { answer, batches }
    }
}

/// The key that signed the withdrawal, and the home it names, if all of it fits together.
fn check(sealed: &SealedBatch, audience: Audience) -> Result<(VerifyingKey, HomeId), Reject> {
    let (key, payload) = self_signed(sealed, PayloadType::Withdraw)?;
    let withdrawal = decode::withdrawal(payload)?;
    if withdrawal.audience == audience {
        Ok((key, withdrawal.home))
    } else {
        Err(Reject::WrongAudience)
    }
}

fn store_failed(error: StoreError) -> JournalError {
    JournalError::Store(Arc::new(error))
}

fn ledger_failed(error: LedgerError) -> JournalError {
    store_failed(match error {
        LedgerError::Store(error) => error,
        error => StoreError::Engine {
            transaction: "ledger",
            source: error.into(),
        },
    })
}

#[cfg(test)]
mod tests;
