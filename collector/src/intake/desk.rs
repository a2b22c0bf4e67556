//! The desk: what homes report is verified and written, many requests at a time.
//!
//! Takes sealed batches, gives one answer for each request, or says why it should be sent again.
//! - Requests wait in one [`Line`], [`WAITING_BYTES_MAX`] at most and nobody longer than [`PATIENCE`].
//! - Clerks take from it: one look into the registry for many requests, then arithmetic on threads
//!   that answer nobody. A clerk whose work finds no room in the journal waits, and so the line grows
//!   where it is bounded, before anything was spent on what will not be served.
//! - A request that is given up, by its home or by the desk, is not worked at any more. What was
//!   already on its way to the disk is written; sent again, it gets its receipt.

use super::deferral::{Deferral, Waits};
use crate::geo::network::Origin;
use crate::journal::{Accepted, Journal, JournalError};
use crate::line::{Line, Place, Whom};
use crate::registry::window::Spent;
use crate::registry::{HomeKey, Registry};
use crate::verify::{self, Rules, VerifiedBatch};
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// A handle to the desk; it closes with the last one.
#[derive(Clone)]
pub struct Desk(Arc<Open>);

/// Closes the desk when dropped.
struct Open(Arc<Shared>);

struct Shared {
    waits: Waits,
    line: Mutex<Line<Job>>,
    /// One permit for each request that came, so that a clerk looks up; none ever again once closed.
    arrivals: Semaphore,
}

/// A request.
struct Job {
    sealed: Vec<SealedBatch>,
    origin: Option<Origin>,
    now: Timestamp,
    reply: oneshot::Sender<Result<Decided, Deferral>>,
}

/// What became of each batch of a request, in order.
pub(super) type Decided = Vec<Result<Accepted, Reject>>;

/// What the clerks work with.
struct Clerk {
    shared: Arc<Shared>,
    registry: Registry,
    journal: Journal,
    rules: Arc<Rules>,
}

/// Bytes of envelopes that may wait.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of envelopes a clerk takes at once: some ten milliseconds of arithmetic.
const TAKEN_BYTES_MAX: usize = 512 * 1024;

/// Who waited so long is told to come back.
const PATIENCE: Duration = Duration::from_secs(20);

// One request always fits an empty line.
const _: () = assert!(limits::REQUEST_BYTES_MAX <= WAITING_BYTES_MAX);

impl Desk {
    /// Opens the desk on the current runtime. Its clerks end when it is closed.
    #[must_use]
    pub fn open(registry: &Registry, journal: &Journal, rules: Rules, waits: Waits) -> Self {
        let shared = Arc::new(Shared {
            waits,
            line: Mutex::new(Line::new(WAITING_BYTES_MAX)),
            arrivals: Semaphore::new(0),
        });
        let rules = Arc::new(rules);
        // One more than processors: while one looks into the registry the others calculate.
        let clerks = std::thread::available_parallelism().map_or(1, usize::from) + 1;
        for _ in 0..clerks {
            let clerk = Clerk {
                shared: Arc::clone(&shared),
                registry: registry.clone(),
                journal: journal.clone(),
                rules: Arc::clone(&rules),
            };
            tokio::spawn(clerk.work());
        }
        Self(Arc::new(Open(shared)))
    }

    /// Has a request decided.
    ///
    /// # Errors
    /// [`Deferral`]; then it may be sent again.
    pub(super) async fn submit(
        &self,
        whom: Whom,
        sealed: Vec<SealedBatch>,
        origin: Option<Origin>,
        now: Timestamp,
    ) -> Result<Decided, Deferral> {
        let shared = &self.0.0;
        let bytes = sealed.iter().map(bytes_of).sum();
        let (reply, answer) = oneshot::channel();
        let job = Job {
            sealed,
            origin,
            now,
            reply,
        };
        let (place, gone) = shared.line().enter(whom, bytes, job);
        let _leaves = Leaves { shared, place };
        for job in gone {
            // Who has hung up needs no word.
            let _ = job.reply.send(Err(Deferral::Line));
        }
        shared.arrivals.add_permits(1);
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.unwrap_or(Err(Deferral::Stopped)),
            Err(_) => Err(Deferral::Patience),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.arrivals.close();
    }
}

/// Takes a request out of the line when nobody waits for it any more.
struct Leaves<'a> {
    shared: &'a Shared,
    place: Place,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let job = self.shared.line().leave(self.place);
        drop(job);
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line<Job>> {
        // The line is whole between any two of its methods, whoever panicked.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next few requests; none if nobody waits.
    fn take(&self) -> Vec<Job> {
        let (mut line, mut jobs, mut taken) = (self.line(), Vec::new(), 0);
        while taken < TAKEN_BYTES_MAX
            && let Some((bytes, job)) = line.next()
        {
            taken += bytes;
            jobs.push(job);
        }
        if line.is_empty() {
            self.waits.calm();
        }
        jobs
    }
}

impl Clerk {
    async fn work(self) {
        while let Ok(arrival) = self.shared.arrivals.acquire().await {
            arrival.forget();
            loop {
                let jobs = self.shared.take();
                if jobs.is_empty() {
                    break;
                }
                self.decide(jobs).await;
            }
        }
    }

    /// Verifies and seals some requests; writing and answering go on while the clerk takes the next.
    async fn decide(&self, jobs: Vec<Job>) {
        let mut sealed = Vec::new();
        let mut requests = Vec::with_capacity(jobs.len());
        for job in jobs {
            requests.push((job.sealed.len(), job.origin, job.now, job.reply));
            sealed.extend(job.sealed);
        }
        let keys = match self.registry.keys(&sealed).await {
            Ok(keys) => keys,
            Err(error) => {
                let error = Deferral::of(&JournalError::Store(Arc::new(error)));
                for (.., reply) in requests {
                    let _ = reply.send(Err(error.clone()));
                }
                return;
            }
        };
        let (rules, times) = (
            Arc::clone(&self.rules),
            requests
                .iter()
                .map(|(count, _, now, _)| (*count, *now))
                .collect::<Vec<_>>(),
        );
        let registry = self.registry.clone();
        let verified = tokio::task::spawn_blocking(move || {
            let mut batches = sealed.into_iter().zip(keys);
            let verify = |(count, now)| {
                let batches = batches.by_ref().take(count);
                batches
                    .map(|(sealed, key)| judge(sealed, key.as_ref(), (&rules, &registry), now))
                    .collect::<Vec<_>>()
            };
            times.into_iter().map(verify).collect::<Vec<_>>()
        });
        let verified: Vec<Vec<Result<VerifiedBatch, Reject>>> = verified
            .await
            .expect("verification does not panic, whatever the bytes");

        let (mut lists, mut replies) = (Vec::new(), Vec::new());
        for (results, (_, origin, now, reply)) in verified.into_iter().zip(requests) {
            let mut good = Vec::with_capacity(results.len());
            let refused: Vec<Option<Reject>> = results
                .into_iter()
                .map(|result| result.map(|batch| good.push(batch)).err())
                .collect();
            lists.push((good, origin, now));
            replies.push((refused, reply));
        }
        let prepared = self.journal.prepare(lists).await;
        let journal = self.journal.clone();
        tokio::spawn(async move {
            let written = journal.write(prepared).await;
            for (written, (refused, reply)) in written.into_iter().zip(replies) {
                let answer = written.map_err(|error| Deferral::of(&error));
                // Who has gone will ask again, and get the same receipts.
                let _ = reply.send(answer.map(|accepted| together(refused, accepted)));
            }
        });
    }
}

/// Verifies one batch, if its home may send one more. What a home has signed is put down to it, good or
/// not; what it has not signed never is, so that nobody can use up another's day.
fn judge(
    sealed: SealedBatch,
    key: Option<&HomeKey>,
    (rules, registry): (&Rules, &Registry),
    now: Timestamp,
) -> Result<VerifiedBatch, Reject> {
    if key.is_some_and(|key| registry.has_spent(key.home, now)) {
        return Err(Reject::TooMany);
    }
    let bytes = sealed.payload.len();
    let verified = verify::verify(sealed, key, rules, now);
    let is_signed = !matches!(
        verified,
        Err(Reject::UnknownType | Reject::TooLarge | Reject::UnknownKey | Reject::BadSignature)
    );
    match key {
        Some(key) if is_signed && registry.spend(key.home, bytes, now) == Spent::Over => {
            Err(Reject::TooMany)
        }
        _ => verified,
    }
}

/// The refusals of `verify` and the outcomes of the journal, in the order of the request.
fn together(refused: Vec<Option<Reject>>, accepted: Decided) -> Decided {
    let mut accepted = accepted.into_iter();
    let decide = |refused: Option<Reject>| match refused {
        Some(reject) => Err(reject),
        None => accepted.next().expect("one outcome for each good batch"),
    };
    refused.into_iter().map(decide).collect()
}

fn bytes_of(sealed: &SealedBatch) -> usize {
    sealed.payload.len() + limits::ENVELOPE_BYTES_MAX
}
