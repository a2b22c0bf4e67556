//! How a collector ends and begins.

use super::super::collector::Collector;
use super::super::disk::{Places, Snapshot};
use super::super::operation::Operation;
use super::World;
use crate::simulation::dice::Dice;
use anyhow::{Context, Result, anyhow, ensure};

impl World {
    /// It ends as it should, and starts again.
    pub(super) async fn restart(&mut self) -> Result<()> {
        self.stop().await;
        self.start().await
    }

    /// It is killed, and starts again: what it gave to the system is there.
    pub(super) async fn crash(&mut self) -> Result<()> {
        if self.collector.is_none() {
            return self.start().await;
        }
        let left = Snapshot::take(&self.places)?;
        self.begin_anew_with(&left).await
    }

    /// The power fails while the log is moved into the database's file.
    pub(super) async fn cut_in_checkpoint(&mut self, dice: u32) -> Result<bool> {
        if self.collector.is_none() {
            return Ok(false);
        }
        let snapshot = Snapshot::take(&self.places)?;
        let scratch = Places::make(self.folder.path().join("scratch"))?;
        let left = snapshot.torn_in_checkpoint(&scratch, &mut Dice::new(dice.into()))?;
        self.happened
            .note_if(left != snapshot, "disk", "torn in a checkpoint");
        self.begin_anew_with(&left).await?;
        Ok(true)
    }

    /// The power fails during an operation: of what it wrote, any part may be there, and nobody hears an
    /// answer. What was there before is there still.
    pub(super) async fn cut(&mut self, dice: u32, during: &Operation) -> Result<bool> {
        // With a full disk this would ask what is left of nothing.
        if self.collector.is_none() || self.pages_left.is_some() {
            return self.happen(during).await;
        }
        if let Operation::Join(home, _) = during {
            // An invite was handed out before anybody could bring it.
            self.invite(*home).await?;
        }
        let (before, known) = (Snapshot::take(&self.places)?, self.oracle.state.clone());
        let due = known.due(self.theirs());
        self.network.cut_after_one();
        let happened = self.happen(during).await;
        self.network.mend();
        if happened? {
            self.happened.note("operation", during.word());
        }
        self.hear(false)?;
        let after = Snapshot::take(&self.places)?;
        // Destroying a key comes first where nothing had to be closed before.
        let is_first = due.released.is_empty();
        let mut dice = Dice::new(dice.into());
        let left = before.torn(&after, is_first, &mut dice, &mut self.happened);
        // A tick that was broken off goes on from where it stands when the collector starts.
        let done = self.oracle.state.clone();
        self.begin_without_looking(&left).await?;
        let collector = self.collector.as_ref().context("a collector")?;
        let seen = collector.see().await?;
        // Either all of it or nothing, or of several batches some.
        let (now, edition) = (self.theirs(), self.in_use);
        let mut wrong = Vec::new();
        let between = known.between(&done, &seen);
        for (candidate, word) in [
            (done, "after it"),
            (known, "before it"),
            (between, "in the midst of it"),
        ] {
            self.oracle.state = candidate;
            self.oracle.state.take_up_perhaps(&seen);
            let ticked = self.oracle.ticked(now, &seen, edition, false);
            match ticked.and_then(|_| self.oracle.compare(&seen)) {
                Ok(()) => {
                    self.happened.note("power cut", word);
                    self.oracle.started();
                    self.fresh = Some(seen);
                    return Ok(true);
                }
                Err(difference) => wrong.push(difference),
            }
        }
        Err(anyhow!(
            "after a power cut neither before nor after: {}",
            wrong.join("; or ")
        ))
    }

    /// Lets the disk fill up, or empties it.
    pub(super) async fn limit_pages(&self) -> Result<()> {
        if let Some(collector) = &self.collector {
            collector
                .works
                .ground
                .store
                .limit_growth(self.pages_left)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn stop(&mut self) {
        self.network.lead_to(None);
        if let Some(collector) = self.collector.take() {
            collector.leave().await;
        }
    }

    /// Starts on the disk as it is, and sees whether all is there. With a full disk it may not start.
    async fn start(&mut self) -> Result<()> {
        let collector = match self.started().await {
            Ok(collector) => collector,
            Err(_) if self.pages_left.is_some() => {
                self.happened.note("disk", "full: no start");
                self.has_tick_failed = true;
                return Ok(());
            }
            Err(error) => return Err(error.context("the collector does not start")),
        };
        self.network.lead_to(Some(collector.intake.clone()));
        self.collector = Some(collector);
        self.oracle.started();
        self.ticked().await
    }

    /// Starts with what is left of the disk, on another one; the old one is thrown away.
    async fn begin_anew_with(&mut self, left: &Snapshot) -> Result<()> {
        self.move_to(left).await?;
        self.start().await
    }

    /// The same, and tells the oracle nothing yet.
    async fn begin_without_looking(&mut self, left: &Snapshot) -> Result<()> {
        self.move_to(left).await?;
        let collector = self.started().await;
        let collector = collector.context("the collector does not start after a power cut")?;
        self.network.lead_to(Some(collector.intake.clone()));
        self.collector = Some(collector);
        Ok(())
    }

    /// Starts a collector where the last one stood, with all that is installed there.
    async fn started(&mut self) -> Result<Collector> {
        self.starts += 1;
        self.takes_up();
        let disk = (&self.places, self.pages_left);
        Collector::start(disk, self.settings, &self.clock, self.chance()).await
    }

    async fn move_to(&mut self, left: &Snapshot) -> Result<()> {
        let places = Places::make(
            self.folder
                .path()
                .join(format!("collector-{}", self.starts + 1)),
        )?;
        ensure!(!places.database().exists(), "another disk");
        self.stop().await;
        places.inherit(&self.places)?;
        left.restore(&places)?;
        std::mem::replace(&mut self.places, places).remove()?;
        Ok(())
    }
}
