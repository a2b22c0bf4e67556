//! What the collector's operator does.

use super::super::collector::{Settings, config};
use super::super::operation::Operation;
use super::{Backup, World};
use anyhow::{Context, Result, anyhow, ensure};
use phonehome_collector::run::RunError;
use phonehome_collector::run::commands::{self, Restore};
use phonehome_collector::store::Approved;
use phonehome_collector::weeks::revision::Revised;
use phonehome_proto::id::HomeId;
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::time::Week;
use std::collections::BTreeSet;
use std::fs;

impl World {
    /// Does what an operation says, where there is a collector with room; gives whether it did anything.
    pub(super) async fn operate(&mut self, operation: &Operation) -> Result<bool> {
        if self.collector.is_none() || self.pages_left.is_some() {
            return Ok(false);
        }
        match operation {
            Operation::Revoke(home) => self.revoke(*home).await,
            Operation::Approve(home) => self.approve(*home).await,
            Operation::Mode(mode) => self.change_mode(*mode).await,
            Operation::Atlas => self.install(),
            Operation::Revise => self.revise_all().await,
            Operation::Backup => self.back_up().await,
            Operation::Restore => self.restore().await,
            _ => Ok(false),
        }
    }

    fn id_of(&self, number: u8) -> Option<HomeId> {
        let home = self.homes.get(usize::from(number))?;
        home.identity.as_ref().map(|identity| identity.id)
    }

    async fn revoke(&mut self, number: u8) -> Result<bool> {
        let (Some(id), Some(collector)) = (self.id_of(number), &self.collector) else {
            return Ok(false);
        };
        let revocations = collector
            .works
            .ground
            .revocations(collector.works.keys.clone());
        revocations.revoke(&[id], self.theirs()).await?;
        self.oracle.revoked(id);
        Ok(true)
    }

    async fn approve(&mut self, number: u8) -> Result<bool> {
        let (Some(id), Some(collector)) = (self.id_of(number), &self.collector) else {
            return Ok(false);
        };
        let said = collector.works.ground.store.approve(vec![id]).await?;
        let foretold = self.oracle.approved(id);
        ensure!(
            said == [foretold],
            "{foretold:?} was foretold, {said:?} was said"
        );
        let word = match foretold {
            Approved::Now => "approved",
            Approved::Before => "was in before",
            Approved::Revoked => "revoked before it was approved",
            Approved::Unknown => "nobody to approve",
        };
        self.happened.note("membership", word);
        Ok(true)
    }

    async fn change_mode(&mut self, mode: EnrolmentMode) -> Result<bool> {
        let is_other = self.settings.mode != mode;
        self.settings.mode = mode;
        if is_other {
            self.restart().await?;
        }
        Ok(is_other)
    }

    fn install(&mut self) -> Result<bool> {
        let collector = self.collector.as_ref().context("a collector")?;
        if !self.installed.has_next() {
            return Ok(false);
        }
        let next = self.installed.next();
        next.install(&collector.works.ground.config, &self.places)?;
        self.installed = next;
        Ok(true)
    }

    /// Wants every week that homes told of counted again, and one that nobody told of.
    async fn revise_all(&mut self) -> Result<bool> {
        let now = self.theirs();
        let told = self.facts.iter().map(|fact| fact.day.week());
        let mut weeks: BTreeSet<Week> = told.collect();
        weeks.extend(weeks.first().map(|week| week.monday()).and_then(|monday| {
            let before = phonehome_proto::time::Day::new(monday.number() - 1)?;
            Some(before.week())
        }));
        for week in &weeks {
            let collector = self.collector.as_ref().context("a collector")?;
            let said = commands::revised(&collector.works.ground, *week, now).await?;
            let about = (*week, self.in_use);
            let word = self.oracle.revised(about, &said, now);
            let word = word.map_err(|wrong| anyhow!(wrong))?;
            self.happened.note("revision", word);
            if matches!(said, Revised::Now(_)) {
                let seen = collector.see().await?;
                let taken = self.oracle.take_up_revision(about, &seen);
                taken.map_err(|wrong| anyhow!(wrong))?;
            }
        }
        Ok(!weeks.is_empty())
    }

    async fn back_up(&mut self) -> Result<bool> {
        let collector = self.collector.as_ref().context("a collector")?;
        self.backups += 1;
        let file = self.folder.path().join(format!("backup-{}", self.backups));
        commands::backup(&collector.works.ground, &file, self.theirs()).await?;
        self.backup = Some(Backup {
            file,
            state: self.oracle.state.clone(),
            ledger: fs::read(self.places.ledger())?,
        });
        Ok(true)
    }

    /// The database is lost. What is kept beside it is not: identity, keys, ledger, what was published.
    async fn restore(&mut self) -> Result<bool> {
        let Some(Backup {
            file,
            state,
            ledger,
        }) = &self.backup
        else {
            return Ok(false);
        };
        let request = Restore {
            file: file.clone(),
            links: None,
        };
        let (kept, old) = (state.clone(), ledger.clone());
        let now = self.theirs();
        // What was put off is settled first: whether it happened is seen in the database only.
        self.look().await?;
        self.stop().await;
        self.places.lose_database()?;
        for (id, text) in self.oracle.releases() {
            let folder = self.places.published().join(id.to_string());
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("release.json"), text)?;
        }
        let settings = Settings {
            publishes: true,
            ..self.settings
        };
        let config = config(&self.places, settings)?;
        let current = fs::read(self.places.ledger())?;
        if current != old {
            fs::write(self.places.ledger(), &old)?;
            let refused = commands::restore(&config, &request, now).await;
            ensure!(
                matches!(refused, Err(RunError::NotCurrent(_))) && !self.places.database().exists(),
                "it was restored with an old ledger: {refused:?}"
            );
            fs::write(self.places.ledger(), current)?;
            self.happened.note("restore", "an old ledger is refused");
        }
        commands::restore(&config, &request, now).await?;
        let restored = self.oracle.state.restored(&kept, &mut self.happened);
        for home in &mut self.homes {
            home.doubt(|id| restored.knows(id));
        }
        self.oracle.state = restored;
        self.restart().await?;
        Ok(true)
    }
}
