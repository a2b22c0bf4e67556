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
//! - **Bounded.** At most [`QUEUE_BYTES_MAX`] are on their way to the disk. Who comes then waits before
//!   anything of it is sealed, and `intake` decides how many may.
//! - **Arithmetic has threads of its own.** Sealing and signing happen neither on the runtime's threads
//!   nor on the one that writes.

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
use phonehome_proto::time::{Timestamp, Week};
use std::collections::BTreeMap;
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
    /// Too much waits already, or what it waits for does not come to rest.
    #[error("the collector is busy")]
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

/// The batches of some requests, about to be written: sealed, and with what to say of each afterwards.
#[derive(Debug)]
pub struct Prepared {
    /// Of each request, how to read the store's answers; or why it is not asked.
    lists: Vec<Result<Vec<Step>, JournalError>>,
    attempts: Vec<Attempt>,
    room: OwnedSemaphorePermit,
}

/// The good batches of one request, where they come from, and when they came.
pub type Request = (Vec<VerifiedBatch>, Option<Origin>, Timestamp);

/// A list that waits for its transaction. What it holds of `room` bounds the queue.
struct Waiting {
    attempts: Vec<Attempt>,
    reply: oneshot::Sender<Result<Vec<Appended>, Arc<StoreError>>>,
    _room: OwnedSemaphorePermit,
}

/// Keys of the weeks that some batches belong to, or why there are none.
type Keys = BTreeMap<Week, Result<Option<Arc<WeekKey>>, JournalError>>;

/// Bytes of envelopes that may be on their way to the disk: two groups of full homes' days.
pub const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

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
        let prepared = self.prepare(vec![(batches, origin, now)]).await;
        let mut outcomes = self.write(prepared).await;
        outcomes.pop().expect("one answer for each request")
    }

    /// Waits for room on the way to the disk and seals the batches of some requests.
    ///
    /// # Panics
    /// Never: sealing does not panic.
    pub async fn prepare(&self, requests: Vec<Request>) -> Prepared {
        let bytes: usize = batches(&requests)
            .map(|batch| batch.sealed().payload.len() + limits::ENVELOPE_BYTES_MAX)
            .sum();
        let bytes = u32::try_from(bytes.min(QUEUE_BYTES_MAX)).expect("far below 4 GiB");
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        let room = room.expect("the semaphore is never closed");
        let keys = self.keys(batches(&requests)).await;
        let journal = self.clone();
        let sealed = tokio::task::spawn_blocking(move || {
            let (mut lists, mut attempts) = (Vec::with_capacity(requests.len()), Vec::new());
            for (batches, origin, now) in requests {
                lists.push(journal.seal(&batches, origin, now, &keys, &mut attempts));
            }
            (lists, attempts)
        });
        let (lists, attempts) = sealed.await.expect("sealing does not panic");
        Prepared {
            lists,
            attempts,
            room,
        }
    }

    /// Writes what is prepared, and shares the transaction with whatever waits meanwhile. One answer
    /// for each request, in order: an outcome for each of its batches, or why none of them is
    /// acknowledged. A request whose week has no key leaves the others alone; if the store fails, all
    /// of them do.
    pub async fn write(
        &self,
        prepared: Prepared,
    ) -> Vec<Result<Vec<Result<Accepted, Reject>>, JournalError>> {
        let lists = prepared.lists.into_iter();
        match self.append(prepared.attempts, prepared.room).await {
            Ok(appended) => {
                let mut appended = appended.into_iter();
                lists
                    .map(|steps| {
                        let steps = steps?.into_iter();
                        Ok(steps.map(|step| step.finish(&mut appended)).collect())
                    })
                    .collect()
            }
            Err(error) => lists
                .map(|steps| Err(steps.err().unwrap_or_else(|| error.clone())))
                .collect(),
        }
    }

    async fn append(
        &self,
        attempts: Vec<Attempt>,
        room: OwnedSemaphorePermit,
    ) -> Result<Vec<Appended>, JournalError> {
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let stopped = || JournalError::Store(Arc::new(StoreError::Stopped));
        let waiting = Waiting {
            attempts,
            reply,
            _room: room,
        };
        self.writer.send(waiting).map_err(|_| stopped())?;
        answer
            .await
            .map_err(|_| stopped())?
            .map_err(JournalError::Store)
    }

    /// The keys that these batches need: a new one where a week begins with them, only what there is
    /// where their week takes none of them.
    async fn keys<'a>(&self, batches: impl Iterator<Item = &'a VerifiedBatch>) -> Keys {
        let mut weeks: BTreeMap<Week, bool> = BTreeMap::new();
        for batch in batches {
            *weeks.entry(batch.week()).or_default() |= batch.timeliness() == Timeliness::InTime;
        }
        let mut keys = Keys::new();
        for (week, seals) in weeks {
            let key = if seals {
                self.keys.for_sealing(week).await
            } else {
                self.keys.existing(week)
            };
            keys.insert(week, key.map_err(JournalError::from));
        }
        keys
    }

    /// Seals the batches of one request, and gives how to read the answers about them. Arithmetic only.
    fn seal(
        &self,
        batches: &[VerifiedBatch],
        origin: Option<Origin>,
        now: Timestamp,
        keys: &Keys,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Vec<Step>, JournalError> {
        let (mut steps, mut asked) = (Vec::with_capacity(batches.len()), Vec::new());
        for batch in batches {
            let key = keys.get(&batch.week()).cloned().unwrap_or(Ok(None))?;
            let (step, attempt) = self.seal_one(batch, origin, now, key);
            steps.push(step);
            asked.extend(attempt);
        }
        attempts.append(&mut asked);
        Ok(steps)
    }

    /// What to ask of the store for one batch, and how to read the answer.
    fn seal_one(
        &self,
        batch: &VerifiedBatch,
        origin: Option<Origin>,
        now: Timestamp,
        key: Option<Arc<WeekKey>>,
    ) -> (Step, Option<Attempt>) {
        let (week, home, sealed) = (batch.week(), batch.home(), batch.sealed());
        let batch_id = batch.batch().header().batch_id;
        let late = match batch.timeliness() {
            Timeliness::InTime => None,
            Timeliness::TooEarly => Some(Reject::TooEarly),
            Timeliness::TooLate => Some(Reject::TooLate),
        };
        let Some(key) = key else {
            // Nothing of that week was ever held, or nothing is any more.
            return (Step::Refuse(late.unwrap_or(Reject::TooLate)), None);
        };
        let payload_hash = Hash::of(&sealed.payload);
        if let Some(late) = late {
            let look = Attempt::Look {
                week,
                home: key.home_token(home),
                batch: key.batch_token(home, batch_id),
                payload_hash,
            };
            return (Step::Look { key, late }, Some(look));
        }
        let receipt = self
            .identity
            .receipt(home, PayloadType::Batch, payload_hash, now);
        let nonce = self.chance.clone().bytes();
        let key_hash = Hash::of(&sealed.public_key);
        let whence = (origin, batch.is_on_probation());
        let row = key.seal(
            (home, batch_id),
            whence,
            (sealed, payload_hash),
            &receipt,
            nonce,
        );
        let append = Attempt::Append { row, key_hash };
        (Step::Append { key, receipt }, Some(append))
    }
}

fn batches(requests: &[Request]) -> impl Iterator<Item = &VerifiedBatch> {
    requests.iter().flat_map(|(batches, ..)| batches)
}

/// How to read the store's answer about one batch.
#[derive(Debug)]
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
