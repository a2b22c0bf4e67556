//! What bounds the intake, each measured alone: signatures, decoding, the disk.
//!
//! Beside how many a second there are stands the processor time of each: where others use the machine
//! too, that is what is left to compare.

use super::fleet::Fleet;
use super::load::now;
use anyhow::{Context, Result};
use phonehome_collector::journal::week_key::WeekKey;
use phonehome_collector::store::{Appended, Attempt, Store};
use phonehome_proto::decode;
use phonehome_proto::id::{BatchId, Hash, HomeId};
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::time::{Clock, SystemClock, Week};
use phonehome_proto::v1;
use prost::Message;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What was measured.
pub(crate) struct Bare {
    /// Batches a second, by the clock on the wall.
    pub(crate) a_second: f64,
    /// Seconds of processor each.
    processor: f64,
    threads: f64,
}

/// Batches a transaction of the bare journal holds.
const GROUP: usize = 256;

/// Signature checks a second, on every core.
pub(crate) fn signatures(batches: &[SealedBatch]) -> Result<Bare> {
    on_every_core(batches, |batch| {
        let key = VerifyingKey::from_bytes(&batch.public_key).ok()?;
        batch.open(PayloadType::Batch, &key).ok().map(drop)
    })
}

/// Batches decoded a second by the protobuf library, on every core.
pub(crate) fn protobuf(batches: &[SealedBatch]) -> Result<Bare> {
    on_every_core(batches, |batch| {
        let message = v1::Batch::decode(batch.payload.as_slice()).ok()?;
        (!message.observations.is_empty()).then_some(())
    })
}

/// Batches decoded a second with every rule checked, on every core.
pub(crate) fn decoding(batches: &[SealedBatch]) -> Result<Bare> {
    on_every_core(batches, |batch| {
        decode::batch(&batch.payload).ok().map(drop)
    })
}

/// Sealed rows appended a second, durably, by one writer: what the journal's own writer does with the
/// same batches of the same homes, and nothing else.
pub(crate) async fn appends(
    folder: &Path,
    batches: &[SealedBatch],
    fleet: &Fleet,
    week: Week,
) -> Result<Bare> {
    let store = Store::open(&folder.join("bare.db"), true).await?;
    let key = WeekKey::new(week, [7; 32].into());
    store.open_week(week, key.check()).await?;
    fleet.enrol(&store, SystemClock.now()).await?;
    let attempts: Vec<Attempt> = batches
        .iter()
        .zip(0_u64..)
        .map(|(batch, number)| {
            let (mut id, mut nonce) = ([0; 16], [0; 12]);
            for bytes in [&mut id[..8], &mut nonce[..8]] {
                bytes.copy_from_slice(&number.to_be_bytes());
            }
            // The fleet's homes have their first key.
            let key_hash = Hash::of(&batch.public_key);
            let ids = (HomeId::new(*key_hash.as_bytes()), BatchId::new(id));
            // A receipt is as long as a signed hash; what it says is ciphertext in the row.
            let mut receipt = batch.clone();
            receipt.payload.truncate(150);
            let hashed = (batch, Hash::of(&batch.payload));
            let row = key.seal(ids, (None, false), hashed, &receipt, nonce);
            Attempt::Append { row, key_hash }
        })
        .collect();
    let count = attempts.len();
    let mut groups: Vec<Vec<Attempt>> = Vec::new();
    let mut rest = attempts.into_iter().peekable();
    while rest.peek().is_some() {
        groups.push(rest.by_ref().take(GROUP).collect());
    }
    let start = (now(), processor());
    for group in groups {
        let appended = store.append(group).await?;
        anyhow::ensure!(
            appended.iter().all(|row| *row == Appended::Fresh),
            "all are new"
        );
    }
    Ok(Bare::of(count, start, 1))
}

fn on_every_core(
    batches: &[SealedBatch],
    work: impl Fn(&SealedBatch) -> Option<()> + Sync,
) -> Result<Bare> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let share = batches.len().div_ceil(threads).max(1);
    let work = &work;
    let start = (now(), processor());
    let done: Option<Vec<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = batches
            .chunks(share)
            .map(|batches| scope.spawn(move || batches.iter().map(work).collect::<Option<()>>()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().flatten())
            .collect()
    });
    done.context("every batch is good")?;
    Ok(Bare::of(batches.len(), start, threads))
}

impl Bare {
    #[expect(clippy::cast_precision_loss, reason = "thousands are exact")]
    fn of(count: usize, (start, used): (Instant, Duration), threads: usize) -> Self {
        let each = |time: Duration| time.as_secs_f64() / count as f64;
        Self {
            a_second: 1.0 / each(now() - start),
            processor: each(processor() - used),
            threads: threads as f64,
        }
    }

    /// How many a second there would be if nobody else used the machine, and no disk made it wait.
    pub(crate) fn undisturbed(&self) -> f64 {
        self.threads / self.processor
    }
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} ({:.0} us)", self.a_second, self.processor * 1e6)
    }
}

/// Processor time of this process so far, of all its threads.
pub(crate) fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}
