//! The collector of a storm: the product's own, without its doors, and what can be seen of it.
//!
//! [`Works`] on a folder of its own, whose doors are left out, and whose timer, since time is asked for by
//! hand. It ends in two ways: stopped, or left where it stands.

use super::disk::Places;
use super::line::NETWORKS;
use super::oracle::Seen;
use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::intake::Intake;
use phonehome_collector::release::ReleaseId;
use phonehome_collector::run::ground::Ground;
use phonehome_collector::run::works::{Service, Works};
use phonehome_collector::store::{Slice, StoreError};
use phonehome_proto::chance::SharedChance;
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::time::{ManualClock, Week};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A collector at work.
pub struct Collector {
    /// Everything but its doors.
    pub works: Works,
    /// What homes speak to.
    pub intake: Arc<Intake>,
    failed: watch::Receiver<Option<Arc<StoreError>>>,
    writer: JoinHandle<()>,
}

/// What a collector is told before it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What becomes of homes that bring no invite.
    pub mode: EnrolmentMode,
    /// Whether releases are published to a folder. No collector of a storm does: pictures take longer than all
    /// the rest of it; a database is restored with what one would have published.
    pub publishes: bool,
}

/// Sealed bytes that are looked at in one piece.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Collector {
    /// Starts on a disk, which may be empty, or have so many pages left; does what is overdue.
    ///
    /// # Errors
    /// As the product's own start.
    pub async fn start(
        (places, pages_left): (&Places, Option<u32>),
        settings: Settings,
        clock: &ManualClock,
        chance: SharedChance,
    ) -> Result<Self> {
        let ground = Ground::make(config(places, settings)?, chance).await?;
        ground.store.limit_growth(pages_left).await?;
        let (works, service) = Works::begin(ground, Arc::new(clock.clone()));
        let Service {
            intake,
            failed,
            writer,
        } = service;
        let collector = Self {
            works,
            intake: Arc::new(intake),
            failed,
            writer,
        };
        if let Err(error) = collector.tick().await {
            collector.leave().await;
            return Err(error).context("what is overdue");
        }
        Ok(collector)
    }

    /// Asks the week's clock; gives the releases it made.
    ///
    /// # Errors
    /// As the product's own.
    pub async fn tick(&self) -> Result<Vec<ReleaseId>> {
        Ok(self.works.tick().await?)
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
            works,
            intake,
            failed,
            writer,
        } = self;
        drop((works, intake, failed));
        // Ends when nobody is left who could give it work.
        let _ = writer.await;
    }

    /// All that stands in the store, and the keys beside it.
    ///
    /// # Errors
    /// When it cannot be read, or the same batch stands in it twice.
    pub async fn see(&self) -> Result<Seen> {
        let mut seen = self.glance().await?;
        let mut releases = BTreeMap::new();
        for release in self.works.ground.store.releases().await? {
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
        let store = &self.works.ground.store;
        let mut seen = Seen::default();
        for row in store.weeks().await? {
            seen.weeks.insert(row.week, row.state);
            let mut rows = BTreeSet::new();
            // Fewer batches than a page holds, too.
            let page = store.journal_page(row.week, Slice::WHOLE, None, PAGE_BYTES_MAX);
            for row in page.await? {
                ensure!(rows.insert(row.payload_hash), "a batch is held twice");
            }
            seen.rows.insert(row.week, rows);
        }
        // Fewer homes than a page holds.
        for home in store.homes(None).await? {
            seen.homes.insert(home.home, (home.keys, home.standing));
        }
        for entry in fs::read_dir(&self.works.ground.config.keys_dir)? {
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
        let key = self.works.keys.existing(week)?.context("its key")?;
        let rows = self
            .works
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

/// Writes what the collector is told, and reads it.
///
/// # Errors
/// Never: it is right.
pub fn config(places: &Places, settings: Settings) -> Result<Config> {
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
    let out = if settings.publishes {
        "[publish]\nout = \"published\"\n"
    } else {
        ""
    };
    let mode = settings.mode.as_str();
    let text = format!(
        r#"
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
[enrolment]
mode = "{mode}"
{out}"#
    );
    let path = folder.join("collector.toml");
    fs::write(&path, text)?;
    let config = Config::load(&path)?;
    ensure!(
        config.database() == places.database() && config.ledger() == places.ledger(),
        "known places"
    );
    Ok(config)
}
