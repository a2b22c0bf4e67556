//! A week that is closed: how long folding and releasing it takes, and how much memory.
//!
//! Weeks of more and more homes are written straight into a store, sealed as the journal seals, and
//! each is folded by a process of its own, so that its memory is its own.

use crate::child;
use crate::intake::fleet::{self, Fleet};
use anyhow::{Context, Result, ensure};
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::geo::network::{Asn, Origin};
use phonehome_collector::journal::week_key::WeekKey;
use phonehome_collector::metrics::Metrics;
use phonehome_collector::release::ReleaseId;
use phonehome_collector::release::gate::{About, GateRules, release};
use phonehome_collector::store::{Appended, Attempt, Store};
use phonehome_collector::weeks::closing::Closing;
use phonehome_proto::id::{Audience, BatchId, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::time::Week;
use std::path::Path;

/// Homes of the weeks that are folded.
const HOMES: [u64; 3] = [25_000, 50_000, 100_000];

/// Observations of a home's day.
const OBSERVATIONS: usize = 100;

/// Batches a transaction writes.
const GROUP: usize = 1_024;

/// Where homes stand, and in how many networks of each country.
const COUNTRIES: [&str; 8] = ["DE", "FR", "PL", "IT", "ES", "US", "BR", "IN"];
const NETWORKS: u64 = 12;

/// Measures and prints.
pub(crate) fn run() -> Result<()> {
    println!("fold, a batch of {OBSERVATIONS} observations a home and day:");
    let mut before = None;
    for homes in HOMES {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(write(folder.path(), homes))?;
        drop(runtime);
        let used = child::measure(child::own(child::AS_FOLDER)?.arg(folder.path()))?;
        let seconds = used.processor.as_secs_f64();
        let growth = before.map_or(String::new(), |before: f64| {
            format!(
                ", {:.2} times the week before with half the homes",
                seconds / before
            )
        });
        before = Some(seconds);
        #[expect(clippy::cast_precision_loss, reason = "thousands are exact")]
        let million = |seconds: f64| seconds / homes as f64 * 1e6 / 60.0;
        println!(
            "  {homes} homes: {:.1} s, {seconds:.1} s of processor{growth}; {} MiB (at most 512)",
            used.wall.as_secs_f64(),
            used.peak_bytes >> 20
        );
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        println!(
            "    a million in that way: {:.0} minutes by this clock, {:.0} if nobody else used the {cores} \
             processors (at most 30)",
            million(used.wall.as_secs_f64()),
            million(seconds) / f64::from(u32::try_from(cores)?)
        );
    }
    Ok(())
}

/// Folds and releases the week in a folder: the part that is measured.
pub(crate) fn fold(folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let store = runtime.block_on(Store::open(&folder.join("week.db"), false))?;
    let (key, atlas, metrics) = (key()?, Atlas::embedded(), Metrics::new());
    let closing = Closing {
        store: &store,
        key: &key,
        atlas: &atlas,
        quorum: GateRules::default().quorum(),
        metrics: &metrics,
        runtime: runtime.handle(),
    };
    let slices = std::thread::available_parallelism().map_or(2, usize::from);
    let counters = closing.counters(u16::try_from(slices)?)?;
    let about = About {
        id: ReleaseId {
            week: key.week(),
            revision: 0,
        },
        purpose: Purpose::Exercise,
        atlas: atlas.sources(),
    };
    let release = release(about, &counters, &GateRules::default());
    ensure!(!release.server.is_empty(), "something is released");
    Ok(())
}

fn key() -> Result<WeekKey> {
    Ok(WeekKey::new("2026-W40".parse::<Week>()?, [7; 32].into()))
}

/// Writes a week of so many homes.
async fn write(folder: &Path, homes: u64) -> Result<()> {
    let key = key()?;
    let store = Store::open(&folder.join("week.db"), true).await?;
    store.open_week(key.week(), key.check()).await?;
    let key_hash = fleet::first_key(&store, key.week().start()).await?;
    let fleet = Fleet::new(Audience::new([1; 32]), key.week().monday(), 1, OBSERVATIONS);
    let days: Vec<_> = key.week().days().collect();
    let batches = homes * u64::try_from(days.len())?;
    let mut group = Vec::with_capacity(GROUP);
    for number in 0..batches {
        let home = number % homes;
        let day = days[usize::try_from(number / homes)?];
        let id = HomeId::new(*Hash::of(&home.to_be_bytes()).as_bytes());
        let fresh = *Hash::of(&number.to_le_bytes()).as_bytes();
        let batch_id = fresh[..16].try_into().context("16 of 32")?;
        let nonce = fresh[16..28].try_into().context("12 of 32")?;
        let sealed = SealedBatch {
            payload_type: PayloadType::Batch.as_str().to_owned(),
            payload: fleet.payload(number, id, day),
            public_key: fresh.to_vec(),
            signature: [fresh, fresh].concat(),
        };
        let mut receipt = sealed.clone();
        receipt.payload.truncate(150);
        let row = key.seal(
            (id, BatchId::new(batch_id)),
            (origin(home), false),
            (&sealed, Hash::of(&sealed.payload)),
            &receipt,
            nonce,
        );
        group.push(Attempt::Append { row, key_hash });
        if group.len() == GROUP || number + 1 == batches {
            let appended = store.append(std::mem::take(&mut group)).await?;
            ensure!(
                appended.iter().all(|row| *row == Appended::Fresh),
                "all are new"
            );
        }
    }
    store
        .close_week(
            key.week(),
            phonehome_collector::weeks::closes_at(key.week()),
        )
        .await?;
    Ok(())
}

/// Where a home stands.
fn origin(home: u64) -> Option<Origin> {
    let country = usize::try_from(home).unwrap_or_default() % COUNTRIES.len();
    let network = u32::try_from(home / 8 % NETWORKS).unwrap_or_default();
    Some(Origin {
        country: Country::parse(COUNTRIES[country])?,
        network: Asn(3_200 + network),
    })
}
