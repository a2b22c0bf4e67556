//! The intake end to end, beside what bounds it: gRPC on loopback to a durable receipt.
//!
//! Every batch is made before anything is timed. The collector is a process of its own; homes and
//! collector share the machine, and every limit is measured alone on the same cores in the same run.
//! What others do on the machine meanwhile disturbs all of it, and not alike: so the processor time of
//! each is told too, and what it would come to if nobody else were there.

pub(crate) mod bare;
pub(crate) mod collector;
pub(crate) mod fleet;
pub(crate) mod load;
mod readers;

use anyhow::{Context, Result};
use bare::Bare;
use collector::{Collector, Premises, folder_bytes};
use fleet::Fleet;
use load::{Answered, Homes, Wire};
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::time::{Clock, Day, SystemClock};
use std::time::Duration;

/// Observations of one batch.
const OBSERVATIONS: usize = 256;

/// Observations of a common home's day, as the week of a million homes has them.
const COMMON_OBSERVATIONS: usize = 100;

/// Homes that report.
const HOMES: u32 = 5_000;

/// Batches that every bare limit is measured with.
const BARE_BATCHES: usize = 16_000;

/// Batches sent as fast as they are answered.
const FLOOD_BATCHES: usize = 16_000;

/// Seconds at half load.
const TRICKLE_SECONDS: usize = 10;

/// Connections of homes.
const CONNECTIONS: usize = 64;

/// Requests under way in the flood: as many as a connection takes, on each.
const AT_ONCE: usize = 1_024;

/// Batches of one home that are in the journal at its fullest: two weeks, one a day.
const HELD_BATCHES: u64 = 14;

/// Measures and prints.
pub(crate) fn run() -> Result<()> {
    // One thread is enough for all homes, and the collector has the rest.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure())?;
    runtime.block_on(disk())
}

async fn measure() -> Result<()> {
    let mut peak_bytes = 0;
    let slowest = bare_limits().await?;
    // Each way has a collector of its own, and so a journal as empty as the bare one was.
    for wire in [Wire::Plain, Wire::Tls] {
        peak_bytes = peak_bytes.max(end_to_end(wire, slowest).await?);
    }
    println!(
        "  peak memory of the collector: {} MiB (at most 512)",
        peak_bytes >> 20
    );
    Ok(())
}

/// Measures and prints each limit alone; gives the slowest, by the clock and undisturbed.
async fn bare_limits() -> Result<[f64; 2]> {
    let folder = tempfile::tempdir()?;
    let yesterday = yesterday()?;
    let audience = Premises::make(folder.path()).await?.audience();
    let mut fleet = Fleet::new(audience, yesterday, HOMES, OBSERVATIONS);
    let batches = fleet.batches(BARE_BATCHES)?;
    let bytes = batches
        .iter()
        .map(|batch| batch.payload.len())
        .sum::<usize>()
        / batches.len();
    println!("intake, batches of {OBSERVATIONS} observations and {bytes} bytes:");
    let signatures = bare::signatures(&batches)?;
    let protobuf = bare::protobuf(&batches)?;
    let decoding = bare::decoding(&batches)?;
    let appends = bare::appends(folder.path(), &batches, &fleet, yesterday.week()).await?;
    println!(
        "  alone, batches a second (processor each): {signatures} strict signature checks, {protobuf} \
         protobuf decodings, {appends} durable appends; {decoding} decodings with every rule"
    );
    let limits = [&signatures, &protobuf, &appends];
    let least = |of: fn(&Bare) -> f64| limits.into_iter().map(of).fold(f64::INFINITY, f64::min);
    Ok([least(|bare| bare.a_second), least(Bare::undisturbed)])
}

/// Measures and prints one way to a collector: everything at once, and as agents speak also half as much
/// beside readers. Gives the most memory that the collector took.
async fn end_to_end(wire: Wire, slowest: [f64; 2]) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let premises = Premises::make(folder.path()).await?;
    let yesterday = yesterday()?;
    let mut fleet = Fleet::new(premises.audience(), yesterday, HOMES, OBSERVATIONS);
    premises.enrol(&fleet, SystemClock.now()).await?;
    if wire == Wire::Tls {
        readers::release(&premises.ground, yesterday.week()).await?;
    }
    let key = premises.key();
    let collector = premises.serve()?;
    let homes = Homes::connect(collector.intake, CONNECTIONS, wire).await?;
    let flood = fleet.batches(FLOOD_BATCHES)?;
    let (answered, used) = send_all(&collector, &homes, flood).await?;
    answered.verify(&key)?;
    print_flood(wire, &answered, used, slowest)?;
    if wire == Wire::Tls {
        let half = answered.rate() / 2.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some thousands"
        )]
        let batches = fleet.batches(half as usize * TRICKLE_SECONDS)?;
        let (answered, read) = tokio::join!(
            homes.trickle(batches, half),
            readers::read(collector.http, yesterday.week())
        );
        let answered = answered?;
        answered.verify(&key)?;
        print_waits(half, &answered);
        read?.print();
    }
    let peak_bytes = collector.peak_bytes()?;
    drop(homes);
    // Elsewhere, so that the connections can end meanwhile.
    tokio::task::spawn_blocking(move || collector.stop()).await??;
    Ok(peak_bytes)
}

/// The day that homes report.
fn yesterday() -> Result<Day> {
    Ok(SystemClock.now().day().context("a day")?.previous())
}

/// Sends everything as fast as it is answered; gives what came of it, and the processor time that the
/// collector and the homes took.
async fn send_all(
    collector: &Collector,
    homes: &Homes,
    batches: Vec<SealedBatch>,
) -> Result<(Answered, [Duration; 2])> {
    let before = (collector.processor()?, bare::processor());
    let answered = homes.flood(batches, AT_ONCE).await?;
    let after = (collector.processor()?, bare::processor());
    Ok((answered, [after.0 - before.0, after.1 - before.1]))
}

/// Prints what came of a flood beside the slowest limit, by the clock and undisturbed.
fn print_flood(
    wire: Wire,
    answered: &Answered,
    used: [Duration; 2],
    slowest: [f64; 2],
) -> Result<()> {
    let count = f64::from(u32::try_from(answered.waits.len())?);
    let [theirs, homes] = used.map(|used| used.as_secs_f64() / count);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let undisturbed = f64::from(u32::try_from(cores)?) / (theirs + homes);
    println!(
        "  {wire:?}: {:.0} batches a second to a durable receipt, {:.2} of the slowest limit ({:.0}; at \
         least 0.50); {} told to come back",
        answered.rate(),
        answered.rate() / slowest[0],
        slowest[0],
        answered.deferred
    );
    println!(
        "    processor each: {:.0} us the collector, {:.0} us the homes; undisturbed that is {undisturbed:.0} \
         a second, {:.2} of the slowest limit ({:.0})",
        theirs * 1e6,
        homes * 1e6,
        undisturbed / slowest[1],
        slowest[1]
    );
    Ok(())
}

/// Bytes a batch takes on the disk, of full days and of common ones.
async fn disk() -> Result<()> {
    for observations in [OBSERVATIONS, COMMON_OBSERVATIONS] {
        let folder = tempfile::tempdir()?;
        let premises = Premises::make(folder.path()).await?;
        let yesterday = yesterday()?;
        let mut fleet = Fleet::new(premises.audience(), yesterday, 100, observations);
        drop(premises);
        let batches = fleet.batches(FLOOD_BATCHES)?;
        let bytes = batches
            .iter()
            .map(|batch| batch.payload.len())
            .sum::<usize>()
            / batches.len();
        let alone = folder.path().join("alone");
        std::fs::create_dir(&alone)?;
        let _ = bare::appends(&alone, &batches, &fleet, yesterday.week()).await?;
        let each = folder_bytes(&alone)? / u64::try_from(FLOOD_BATCHES)?;
        println!(
            "  on disk, {observations} observations, {bytes} bytes: {each} bytes a batch; a million homes, a \
             batch a day, two weeks: {} GB (at most 90)",
            each * HELD_BATCHES / 1_000
        );
    }
    Ok(())
}

fn print_waits(a_second: f64, answered: &Answered) {
    println!(
        "  at {a_second:.0} a second: acknowledged after {:.1} ms (middle), {:.1} ms (99 of 100; at \
         most 250); {} told to come back",
        answered.percentile(50).as_secs_f64() * 1e3,
        answered.percentile(99).as_secs_f64() * 1e3,
        answered.deferred
    );
}
