//! VerifiedBatch -> Accepted: sealed, deduplicated, durable; then the acknowledgement.
//!
//! What holds here:
//! - **An acknowledgement means durable.** [`Accepted`] is made after the store's commit, nowhere
//!   else, and only it holds a receipt to hand out.
//! - **Counted once.** A batch is (home, batch id) within its week. The same bytes again get the
//!   first receipt's bytes again; other bytes are a conflict. Repetitions are looked up before the
//!   week's clock is asked.
//! - **Verify, dedupe and append are one step.** Only a [`VerifiedBatch`] comes in; looking and
//!   appending are one transaction, and whatever waits meanwhile shares the next one.
//! - **Sealed.** A row says nothing but its week, two tokens, a hash and the home's country and
//!   network; the rest is ciphertext under the week's key, which is not in the database.
//! - **Bounded.** At most [`QUEUE_BYTES_MAX`] wait; who finds no room is told to come back.

pub mod keys;
pub mod week_key;

use crate::geo::network::Origin;
use crate::identity::Identity;
use crate::store::{Appended, Attempt, Store, StoreError};
use crate::verify::{Timeliness, VerifiedBatch};
use keys::{WeekKeyError, WeekKeys};
use phonehome_proto::chance::{Chance, SharedChance};
use phonehome_proto::id::Hash;
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::time::Timestamp;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use week_key::WeekKey;

/// A batch that is held, durably. Only the journal makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    receipt: SealedBatch,
    is_fresh: bool,
}

/// Why the journal took nothing of a list. All of it may be sent again.
#[derive(Clone, Debug, Error)]
pub enum JournalError {
    /// Too much waits already.
    #[error("too many batches wait to be written")]
    Busy,
    /// A week's key cannot be used.
    #[error("{0}")]
    Key(Arc<WeekKeyError>),
    /// The store failed.
    #[error("{0}")]
    Store(Arc<StoreError>),
}

/// The journal. Clones share one writer, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Journal {
    identity: Arc<Identity>,
    keys: WeekKeys,
    chance: SharedChance,
    room: Arc<Semaphore>,
    writer: mpsc::UnboundedSender<Waiting>,
}

/// A list that waits for its transaction. What it holds of `room` bounds the queue.
struct Waiting {
    attempts: Vec<Attempt>,
    reply: oneshot::Sender<Result<Vec<Appended>, Arc<StoreError>>>,
    _room: OwnedSemaphorePermit,
}

/// Bytes of envelopes that may wait to be written.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Batches that share a transaction. The next ones share the next.
pub const GROUP_BATCHES_MAX: usize = 1_024;

// One request always fits an empty queue.
const _: () = assert!(limits::REQUEST_BYTES_MAX <= QUEUE_BYTES_MAX);
const _: () = assert!(limits::REQUEST_BATCHES_MAX <= GROUP_BATCHES_MAX);

impl Journal {
    /// The journal in `store`, and its writer on the current runtime, which ends with the last
    /// clone of the journal, when all that was given to it is written.
    #[must_use]
    pub fn start(
        store: Store,
        identity: Arc<Identity>,
        keys: WeekKeys,
        chance: SharedChance,
    ) -> (Self, JoinHandle<()>) {
        // Bounded by `room`, in bytes, before anything is sent.
        let (writer, waiting) = mpsc::unbounded_channel();
        let ended = tokio::spawn(write_groups(store, waiting));
        let room = Arc::new(Semaphore::new(QUEUE_BYTES_MAX));
        (
            Self {
                identity,
                keys,
                chance,
                room,
                writer,
            },
            ended,
        )
    }

    /// Takes batches from one home's address, one outcome each, in order. What is accepted is
    /// durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`]; then none of them is acknowledged.
    pub async fn accept(
        &self,
        batches: Vec<VerifiedBatch>,
        origin: Option<Origin>,
        now: Timestamp,
    ) -> Result<Vec<Result<Accepted, Reject>>, JournalError> {
        let bytes: usize = batches
            .iter()
            .map(|b| b.sealed().payload.len() + limits::ENVELOPE_BYTES_MAX)
            .sum();
        let bytes = u32::try_from(bytes.max(1)).map_err(|_| JournalError::Busy)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        let room = room.map_err(|_| JournalError::Busy)?;

        let mut steps = Vec::with_capacity(batches.len());
        let mut attempts = Vec::with_capacity(batches.len());
        for batch in batches {
            let prepared = self.prepare(&batch, origin, now).await;
            let (step, attempt) = prepared?;
            steps.push(step);
            attempts.extend(attempt);
        }
        let (reply, answer) = oneshot::channel();
        let stopped = || JournalError::Store(Arc::new(StoreError::Stopped));
        self.writer
            .send(Waiting {
                attempts,
                reply,
                _room: room,
            })
            .map_err(|_| stopped())?;
        let appended = answer
            .await
            .map_err(|_| stopped())?
            .map_err(JournalError::Store)?;
        let mut appended = appended.into_iter();
        Ok(steps
            .into_iter()
            .map(|step| step.finish(&mut appended))
            .collect())
    }

    /// What to ask of the store for one batch, and how to read the answer.
    async fn prepare(
        &self,
        batch: &VerifiedBatch,
        origin: Option<Origin>,
        now: Timestamp,
    ) -> Result<(Step, Option<Attempt>), JournalError> {
        let (week, home, sealed) = (batch.week(), batch.home(), batch.sealed());
        let batch_id = batch.batch().header().batch_id;
        let payload_hash = Hash::of(&sealed.payload);
        let late = match batch.timeliness() {
            Timeliness::InTime => {
                let key = self.keys.for_sealing(week).await?;
                let receipt = self
                    .identity
                    .receipt(home, PayloadType::Batch, payload_hash, now);
                let nonce = self.chance.clone().bytes();
                let key_hash = Hash::of(&sealed.public_key);
                let row = key.seal((home, batch_id), origin, sealed, &receipt, nonce);
                return Ok((
                    Step::Append { key, receipt },
                    Some(Attempt::Append { row, key_hash }),
                ));
            }
            Timeliness::TooEarly => Reject::TooEarly,
            Timeliness::TooLate => Reject::TooLate,
        };
        let Some(key) = self.keys.existing(week)? else {
            // No key: nothing of this week is held, so nothing can be a repetition.
            return Ok((Step::Refuse(late), None));
        };
        let (home, batch) = (key.home_token(home), key.batch_token(home, batch_id));
        let attempt = Attempt::Look {
            week,
            home,
            batch,
            payload_hash,
        };
        Ok((Step::Look { key, late }, Some(attempt)))
    }
}

/// How to read the store's answer about one batch.
enum Step {
    /// It was asked to append; this is the receipt if it did.
    Append {
        key: Arc<WeekKey>,
        receipt: SealedBatch,
    },
    /// It was asked to look; this is the refusal if it found nothing.
    Look { key: Arc<WeekKey>, late: Reject },
    /// It was not asked.
    Refuse(Reject),
}

impl Step {
    /// The outcome; takes the store's answer if there was a question.
    fn finish(self, appended: &mut impl Iterator<Item = Appended>) -> Result<Accepted, Reject> {
        let (key, late, receipt) = match self {
            Self::Refuse(reject) => return Err(reject),
            Self::Append { key, receipt } => (key, Reject::TooLate, Some(receipt)),
            Self::Look { key, late } => (key, late, None),
        };
        match (
            appended.next().expect("one answer for each attempt"),
            receipt,
        ) {
            (Appended::Fresh, Some(receipt)) => Ok(Accepted {
                receipt,
                is_fresh: true,
            }),
            (Appended::Repeated(row), _) => match key.open(&row) {
                Some((_, receipt)) => Ok(Accepted {
                    receipt,
                    is_fresh: false,
                }),
                // The row was damaged: what it was first told can no longer be repeated.
                None => Err(Reject::Conflict),
            },
            (Appended::Conflict, _) => Err(Reject::Conflict),
            (Appended::Full, _) => Err(Reject::TooMany),
            // It withdrew while its batch was under way.
            (Appended::Stranger, _) => Err(Reject::UnknownKey),
            (Appended::Fresh | Appended::Closed, _) => Err(late),
        }
    }
}

impl From<WeekKeyError> for JournalError {
    fn from(error: WeekKeyError) -> Self {
        match error {
            WeekKeyError::Store(error) => Self::Store(Arc::new(error)),
            error => Self::Key(Arc::new(error)),
        }
    }
}

impl Accepted {
    /// The receipt to hand out.
    #[must_use]
    pub fn into_receipt(self) -> SealedBatch {
        self.receipt
    }

    /// Whether it was new; a repetition is not counted again.
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.is_fresh
    }
}

/// The writer: one transaction at a time, with everything that gathered during the one before.
async fn write_groups(store: Store, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    while let Some(first) = waiting.recv().await {
        let mut batches = first.attempts.len();
        let mut group = vec![first];
        while batches < GROUP_BATCHES_MAX
            && let Ok(next) = waiting.try_recv()
        {
            batches += next.attempts.len();
            group.push(next);
        }
        let mut attempts = Vec::with_capacity(batches);
        let mut replies = Vec::with_capacity(group.len());
        for Waiting {
            attempts: list,
            reply,
            _room,
        } in group
        {
            replies.push((list.len(), reply, _room));
            attempts.extend(list);
        }
        match store.append(attempts).await.map_err(Arc::new) {
            Ok(appended) => {
                let mut appended = appended.into_iter();
                for (length, reply, _) in replies {
                    // Who has gone will ask again, and get the same receipt.
                    let _ = reply.send(Ok(appended.by_ref().take(length).collect()));
                }
            }
            Err(error) => {
                for (_, reply, _) in replies {
                    let _ = reply.send(Err(Arc::clone(&error)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
