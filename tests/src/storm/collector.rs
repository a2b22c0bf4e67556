//! The collector of a storm: the product's own, without sockets, and what can be seen of it.
//!
//! Wired as `run::serve` wires it, on a folder of its own; its doors are left out, and its timer, since
//! time is asked for by hand. It ends in two ways: stopped, or left where it stands.

use super::disk::Places;
use super::line::NETWORKS;
use super::oracle::Seen;
use crate::database::{self, Layout};
use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::geo::country::CountrySource;
use phonehome_collector::intake::{Desk, Intake, Waits};
use phonehome_collector::journal::Journal;
use phonehome_collector::readiness::Readiness;
use phonehome_collector::release::ReleaseId;
use phonehome_collector::run::ground::Ground;
use phonehome_collector::store::{Slice, StoreError};
use phonehome_collector::verify::Rules;
use phonehome_collector::weeks::Weeks;
use phonehome_proto::chance::SharedChance;
use phonehome_proto::net::Country;
use phonehome_proto::time::{ManualClock, Timestamp, Week};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A collector at work.
pub struct Collector {
    /// What it stands on.
    pub ground: Ground,
    /// Its weeks.
    pub weeks: Weeks,
    /// What homes speak to.
    pub intake: Arc<Intake>,
    failed: watch::Receiver<Option<Arc<StoreError>>>,
    writer: JoinHandle<()>,
}

/// Which atlas is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// The one that is compiled in.
    First,
    /// With one more database, which says the same of the only place there is.
    Second,
}

/// The name of that database.
pub const SECOND_NAME: &str = "storm";

/// A second of 2026-11-01, later than whatever is compiled in.
const SECOND_BUILT_SECONDS: u64 = 1_793_500_000;

/// Sealed bytes that are looked at in one piece.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Collector {
    /// Starts on a disk, which may be empty; does what is overdue.
    ///
    /// # Errors
    /// As the product's own start.
    pub async fn start(
        places: &Places,
        (clock, now): (&ManualClock, Timestamp),
        chance: SharedChance,
        edition: Edition,
    ) -> Result<Self> {
        let config = Config::load(&write_config(places)?)?;
        ensure!(config.database() == places.database(), "a known database");
        let ground = Ground::make(config, chance).await?;
        let (failure, failed) = watch::channel(None);
        let keys = ground.keys();
        let weeks = ground.weeks(keys.clone());
        let (journal, writer) = Journal::start(
            ground.store.clone(),
            Arc::clone(&ground.identity),
            keys.clone(),
            ground.chance.clone(),
        );
        let (registry, waits) = (ground.registry(), Waits::new(ground.chance.clone()));
        let rules = Rules::of(&ground.identity.rules());
        let intake = Intake {
            identity: Arc::clone(&ground.identity),
            serial: ground.serial,
            desk: Desk::open(&registry, &journal, rules, waits.clone()),
            registry,
            waits,
            withdrawals: ground.withdrawals(keys),
            forwarders: None,
            atlas: ground.atlas.clone(),
            clock: Arc::new(clock.clone()),
            metrics: ground.metrics.clone(),
            readiness: Readiness::new(),
            failure,
        };
        let collector = Self {
            ground,
            weeks,
            intake: Arc::new(intake),
            failed,
            writer,
        };
        collector.use_edition(edition)?;
        if let Err(error) = collector.tick(now).await {
            collector.leave().await;
            return Err(error).context("what is overdue");
        }
        Ok(collector)
    }

    /// Asks the week's clock; gives the releases it made.
    ///
    /// # Errors
    /// As the product's own.
    pub async fn tick(&self, now: Timestamp) -> Result<Vec<ReleaseId>> {
        let made = self.weeks.tick(now).await;
        let forgotten = self.intake.registry.forget(now).await;
        if made.as_ref().is_ok_and(|made| !made.is_empty()) {
            // Every release reads, and is signed.
            self.weeks.releases().await?;
        }
        forgotten?;
        Ok(made?)
    }

    /// Whether it would have ended by itself, because it can no longer write.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// Ends it where it stands. What is on its disk by then should have been copied before: as its
    /// last breath it tidies up.
    pub async fn leave(self) {
        let Self {
            ground,
            weeks,
            intake,
            failed,
            writer,
        } = self;
        drop((ground, weeks, intake, failed));
        // Ends when nobody is left who could give it work.
        let _ = writer.await;
    }

    /// Puts an atlas into use.
    ///
    /// # Errors
    /// If the database of the storm is refused.
    pub fn use_edition(&self, edition: Edition) -> Result<()> {
        let exercise = self.ground.config.exercise.clone();
        let first = Atlas::embedded().with_exercise(exercise);
        self.ground.atlas.swap(match edition {
            Edition::First => first,
            Edition::Second => first.replace(second_source()?)?,
        });
        Ok(())
    }

    /// All that stands in the store, and the keys beside it.
    ///
    /// # Errors
    /// When it cannot be read, or the same batch stands in it twice.
    pub async fn see(&self) -> Result<Seen> {
        let mut seen = self.glance().await?;
        let mut releases = BTreeMap::new();
        for release in self.ground.store.releases().await? {
            let id = ReleaseId {
                week: release.week,
                revision: release.revision,
            };
            releases.insert(id, release.text);
        }
        seen.releases = Some(releases);
        Ok(seen)
    }

    /// The same without the releases, which are long and seldom change.
    ///
    /// # Errors
    /// As [`Collector::see`].
    pub async fn glance(&self) -> Result<Seen> {
        let store = &self.ground.store;
        let mut seen = Seen::default();
        for row in store.weeks().await? {
            seen.weeks.insert(row.week, row.state);
            let (mut rows, mut after) = (BTreeSet::new(), None);
            loop {
                let page = store
                    .journal_page(row.week, Slice::WHOLE, after, PAGE_BYTES_MAX)
                    .await?;
                let Some(last) = page.last() else { break };
                after = Some((last.home, last.batch));
                for row in page {
                    ensure!(rows.insert(row.payload_hash), "a batch is held twice");
                }
            }
            seen.rows.insert(row.week, rows);
        }
        // Fewer homes than a page holds.
        for home in store.homes(None).await? {
            seen.homes.insert(home.home, (home.keys, home.standing));
        }
        for entry in fs::read_dir(&self.ground.config.keys_dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let week: Option<Week> = name.strip_suffix(".key").and_then(|week| week.parse().ok());
            seen.keys.extend(week);
        }
        Ok(seen)
    }

    /// The receipts that the journal keeps beside a week's batches, by the batch's payload.
    ///
    /// # Errors
    /// When a row cannot be read or does not open.
    pub async fn receipts(&self, week: Week) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let key = self.weeks.keys.existing(week)?.context("its key")?;
        let rows = self
            .ground
            .store
            .journal_page(week, Slice::WHOLE, None, PAGE_BYTES_MAX)
            .await?;
        rows.iter()
            .map(|row| {
                let (sealed, receipt) = key.open(row).context("a row that does not open")?;
                Ok((sealed.payload, receipt.payload))
            })
            .collect()
    }
}

/// Writes what the collector is told, and gives the path.
fn write_config(places: &Places) -> Result<PathBuf> {
    let folder = places.folder();
    let mut networks = String::new();
    for network in 0..NETWORKS {
        let (prefix, asn) = (network << 12, 64_496 + network);
        let country = ["DE", "FR", "PL", "IN", "BR"][usize::from(network)];
        writeln!(
            networks,
            "[[network]]\nprefix = \"2001:db8:{prefix:x}::/36\"\ncountry = \"{country}\"\nasn = {asn}"
        )?;
    }
    fs::write(folder.join("networks.toml"), networks)?;
    let config = folder.join("collector.toml");
    let text = r#"
purpose = "exercise"
data_dir = "data"
keys_dir = "keys"
identity = "identity.key"
[intake]
listen = "127.0.0.1:0"
public_address = "127.0.0.1:4317"
proxies = ["127.0.0.1"]
[http]
listen = ""
[exercise]
networks = "networks.toml"
"#;
    fs::write(&config, text)?;
    Ok(config)
}

fn second_source() -> Result<CountrySource> {
    let singapore = Country::parse("SG").context("a country")?;
    let network = (Ipv4Addr::new(161, 117, 70, 0).into(), 24);
    let rows = [(network, singapore.as_str())];
    let bytes = database::write("Storm-Country", SECOND_BUILT_SECONDS, Layout::Flat, rows);
    Ok(CountrySource::read(SECOND_NAME, bytes)?)
}
