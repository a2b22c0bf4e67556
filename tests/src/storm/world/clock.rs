//! What time does: days pass, clocks are wrong, and the week's clock is asked.

use super::super::disk::Snapshot;
use super::World;
use anyhow::{Context, Result, anyhow, ensure};
use phonehome_collector::store::WeekState;

impl World {
    pub(super) fn live(&mut self, seconds: i64) -> Result<bool> {
        self.now = self.now.plus_seconds(seconds);
        self.clock.set(self.theirs());
        for home in &mut self.homes {
            for fact in home.live(self.now)? {
                self.oracle.learn(fact.clone());
                self.facts.push(fact);
            }
        }
        Ok(true)
    }

    /// Sets the collector's clock.
    pub(super) fn jump(&mut self, seconds: i64) -> bool {
        // A clock that goes back while a tick was broken off would hide how far it came.
        let may = seconds > 0 || (self.collector.is_some() && self.pages_left.is_none());
        if may {
            self.ahead_seconds += seconds;
            self.clock.set(self.theirs());
        }
        may
    }

    pub(super) async fn tick(&mut self) -> Result<()> {
        self.takes_up();
        let Some(collector) = &self.collector else {
            return self.restart().await;
        };
        let due = self.oracle.state.due(self.theirs());
        match collector.tick().await {
            Ok(made) => {
                let made: Vec<_> = made.into_iter().map(|id| id.week).collect();
                ensure!(
                    made == due.released,
                    "{:?} were due, {made:?} made",
                    due.released
                );
            }
            Err(_) if self.pages_left.is_some() => {
                self.happened.note("disk", "full: no tick");
                self.has_tick_failed = true;
                return self.restart().await;
            }
            Err(error) => return Err(error),
        }
        self.ticked().await
    }

    /// What is installed is about to be in use.
    pub(super) fn takes_up(&mut self) {
        if self.in_use != self.installed {
            let is_open = |(_, state): &(_, WeekState)| *state == WeekState::Open;
            let in_its_midst = self.oracle.weeks_at_hand().iter().any(is_open);
            self.happened
                .note_if(in_its_midst, "week", "another atlas in its midst");
            self.in_use = self.installed;
        }
    }

    /// Tells the oracle that what was due is done, and looks at what came of it.
    pub(super) async fn ticked(&mut self) -> Result<()> {
        let now = self.theirs();
        let collector = self.collector.as_ref().context("a collector")?;
        let due = self.oracle.state.due(now);
        let gone = due.finished.iter();
        let gone: Vec<_> = gone
            .filter_map(|week| self.oracle.a_payload(*week))
            .collect();
        if !gone.is_empty() {
            let disk = Snapshot::take(&self.places)?;
            let is_left = gone.iter().any(|payload| disk.holds(payload.as_bytes()));
            ensure!(
                !is_left,
                "a row of a week that is final is on the disk still"
            );
        }
        let seen = collector.see().await?;
        let released = self
            .oracle
            .ticked(now, &seen, self.in_use, self.has_tick_failed)
            .map_err(|wrong| anyhow!(wrong))?;
        self.has_tick_failed = false;
        self.fresh = Some(seen);
        for week in released {
            let at_hand = self.oracle.weeks_at_hand();
            let Some(text) = self.oracle.release(week).map(str::to_owned) else {
                continue;
            };
            if at_hand.contains(&(week, WeekState::Released)) {
                // Folded again it says the same, to the byte.
                ensure!(
                    self.fold(week).await? == text,
                    "{week} folds to another release"
                );
                self.open_rows(week).await?;
            }
        }
        Ok(())
    }
}
