//! What a collector left in its folders, held against what its clients were told.

use crate::load::Told;
use crate::process::Site;
use anyhow::{Context, Result, anyhow, ensure};
use phonehome_collector::journal::keys::WeekKeys;
use phonehome_collector::store::{LedgerRow, Slice, Store, WeekState};
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::decode;
use phonehome_proto::id::{BatchId, HomeId};
use phonehome_proto::seal::SealedBatch;
use std::collections::{BTreeMap, BTreeSet};

/// What the folders hold.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By home and batch: every receipt in a row of its own.
    pub(crate) batches: BTreeMap<(HomeId, BatchId), Vec<SealedBatch>>,
    /// Homes that may report.
    pub(crate) homes: BTreeSet<HomeId>,
    /// What was done to weeks and homes.
    pub(crate) ledger: Vec<LedgerRow>,
}

/// Bytes read at a time.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Opens the folders of a collector that is not running, and reads every batch of every week that is
/// not final.
pub(crate) async fn open(site: &Site) -> Result<Held> {
    let config = site.settings()?;
    let store = Store::open(&config.database(), false).await?;
    let chance = SharedChance::new(SystemChance);
    let keys = WeekKeys::new(config.keys_dir.clone(), store.clone(), chance);
    let mut held = Held {
        ledger: store.ledger().await?,
        ..Held::default()
    };
    for row in store.weeks().await? {
        let key = keys.existing(row.week)?;
        if row.state == WeekState::Final {
            ensure!(key.is_none(), "the key of {} is gone", row.week);
        }
        let mut after = None;
        loop {
            let page = store.journal_page(row.week, Slice::WHOLE, after, PAGE_BYTES_MAX);
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = Some((last.home, last.batch));
            let key = key.as_ref().context("rows have their week's key")?;
            ensure!(
                key.check() == row.key_check,
                "it is the key they began with"
            );
            for row in &page {
                let (batch, receipt) = key.open(row).context("every row opens")?;
                let batch = decode::batch(&batch.payload)
                    .map_err(|reject| anyhow!("a batch was held that is {reject:?}"))?;
                let header = batch.header();
                let receipts = held.batches.entry((header.home, header.batch_id));
                receipts.or_default().push(receipt);
            }
        }
    }
    let mut after = None;
    loop {
        let page = store.homes(after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.home);
        held.homes.extend(page.iter().map(|row| row.home));
    }
    Ok(held)
}

impl Held {
    /// Says what does not agree with what the clients were told: nothing, if the collector keeps its
    /// word.
    pub(crate) fn against(&self, told: &Told) -> Vec<String> {
        let mut wrong = told.broken.clone();
        let mut say = |what: &str, (home, batch): &(HomeId, BatchId)| {
            wrong.push(format!("{what}: {} of {}", batch.to_hex(), home.to_hex()));
        };
        for (which, receipt) in &told.batches {
            match (receipt, self.batches.get(which).map(Vec::as_slice)) {
                (Some(_), None) => say("acknowledged and not held", which),
                (Some(receipt), Some([held])) if held != receipt => {
                    say("held with another receipt", which);
                }
                _ => {}
            }
        }
        for (which, receipts) in &self.batches {
            if receipts.len() > 1 {
                say("held more than once", which);
            }
            let is_known = told.homes.contains(&which.0);
            if is_known && !told.batches.contains_key(which) {
                say("held and never sent", which);
            }
            if told.gone.contains(&which.0) {
                say("held of a home that was told it is forgotten", which);
            }
        }
        for home in &told.homes {
            if !self.homes.contains(home) {
                wrong.push(format!("let in and not known: {}", home.to_hex()));
            }
        }
        for home in &told.gone {
            if self.homes.contains(home) {
                wrong.push(format!("told it is forgotten and known: {}", home.to_hex()));
            }
        }
        if let Err(error) = self.ledger_is_whole() {
            wrong.push(error.to_string());
        }
        wrong
    }

    /// Every link of the ledger follows the one before.
    pub(crate) fn ledger_is_whole(&self) -> Result<()> {
        let mut previous = None;
        for link in &self.ledger {
            let follows = LedgerRow::follow(previous, link.at, link.event.clone());
            ensure!(
                *link == follows,
                "link {} of the ledger is torn",
                link.number
            );
            previous = Some(link);
        }
        Ok(())
    }
}
