//! What each operation does.

use super::super::collector::Edition;
use super::super::disk::Snapshot;
use super::super::home::{Fact, IDENTITIES_MAX};
use super::super::line::{self, Content, Letter};
use super::super::operation::{Operation, Weather};
use super::World;
use anyhow::{Context, Result, anyhow, ensure};
use phonehome_collector::registry::InviteOrder;
use phonehome_collector::revocation::Revocations;
use phonehome_collector::store::WeekState;
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::status;
use phonehome_proto::v1::SubmitRequest;

/// Days until an invite of a storm opens nothing any more.
const INVITE_DAYS: u32 = 30;

impl World {
    pub(super) async fn happen(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Live(hours) => self.live(i64::from(*hours) * 3_600),
            Operation::Jump(seconds) => {
                // A clock that goes back while a tick was broken off would hide how far it came.
                if *seconds > 0 || (self.collector.is_some() && self.pages_left.is_none()) {
                    self.ahead_seconds += seconds;
                    self.clock.set(self.theirs());
                }
                Ok(())
            }
            Operation::Skew(home, seconds) => {
                if let Some(home) = self.homes.get_mut(usize::from(*home)) {
                    home.ahead_seconds = *seconds;
                }
                Ok(())
            }
            Operation::Join(home, weather) => self.join(*home, weather).await,
            Operation::Send(home, weather) => self.send(*home, weather).await,
            Operation::Together(homes) => self.together(homes).await,
            Operation::Deliver(which) => {
                let delayed = self.network.delayed();
                if let Some(letter) = self.network.late(nth(*which, delayed)) {
                    let _ = self.network.deliver(letter).await;
                }
                Ok(())
            }
            Operation::Replay(which) => {
                if let Some(fact) = self.facts.get(nth(*which, self.facts.len())).cloned() {
                    self.post(&fact).await;
                }
                Ok(())
            }
            Operation::Conflict(which) => self.conflict(*which).await,
            Operation::Forge(which) => {
                if let Some(fact) = self.facts.get(nth(*which, self.facts.len())) {
                    let forged = fact.forged()?;
                    self.oracle.learn(forged.clone());
                    self.post(&forged).await;
                }
                Ok(())
            }
            Operation::Rotate(home, weather) => {
                self.network.set_weather(*home, weather);
                if let Some(home) = self.homes.get_mut(usize::from(*home)) {
                    // Without an answer it is under way.
                    let _ = home.rotate().await;
                }
                Ok(())
            }
            Operation::Withdraw(home, weather) => {
                self.network.set_weather(*home, weather);
                if let Some(home) = self.homes.get_mut(usize::from(*home)) {
                    let _ = home.withdraw().await;
                }
                Ok(())
            }
            Operation::Revoke(home) => self.revoke(*home).await,
            Operation::Reboot(home) => match self.homes.get_mut(usize::from(*home)) {
                Some(home) => home.reboot(),
                None => Ok(()),
            },
            Operation::Tick => self.tick().await,
            Operation::Restart => self.restart().await,
            Operation::Crash => self.crash().await,
            Operation::Cut(dice, during) => Box::pin(self.cut(*dice, during)).await,
            Operation::CutInCheckpoint(dice) => self.cut_in_checkpoint(*dice).await,
            Operation::Full(pages) => {
                self.pages_left = Some(*pages);
                self.limit_pages().await
            }
            Operation::Free => {
                self.pages_left = None;
                self.limit_pages().await?;
                if self.collector.is_none() {
                    self.restart().await?;
                }
                Ok(())
            }
            Operation::Atlas => {
                self.edition = match self.edition {
                    Edition::First => Edition::Second,
                    Edition::Second => Edition::First,
                };
                match &self.collector {
                    Some(collector) => collector.use_edition(self.edition),
                    None => Ok(()),
                }
            }
            Operation::Fold if self.collector.is_some() => self.fold_all().await,
            Operation::Fold => Ok(()),
        }
    }

    fn live(&mut self, seconds: i64) -> Result<()> {
        self.now = self.now.plus_seconds(seconds);
        self.clock.set(self.theirs());
        for home in &mut self.homes {
            for fact in home.live(self.now)? {
                self.oracle.learn(fact.clone());
                self.facts.push(fact);
            }
        }
        Ok(())
    }

    async fn join(&mut self, number: u8, weather: &Weather) -> Result<()> {
        self.invite(number).await?;
        self.network.set_weather(number, weather);
        if let Some(home) = self.homes.get_mut(usize::from(number))
            && home
                .identity
                .as_ref()
                .is_some_and(|identity| !identity.is_in)
        {
            // Without an answer it asks again another time.
            let _ = home.enrol().await;
        }
        Ok(())
    }

    /// Gives an invite to a home in which nobody takes part.
    pub(super) async fn invite(&mut self, number: u8) -> Result<()> {
        let (Some(home), Some(collector)) =
            (self.homes.get_mut(usize::from(number)), &self.collector)
        else {
            return Ok(());
        };
        if home.identity.is_some() || self.identities >= IDENTITIES_MAX {
            return Ok(());
        }
        let now = self.now.plus_seconds(self.ahead_seconds);
        let order = InviteOrder {
            count: 1,
            uses: 1,
            days: INVITE_DAYS,
        };
        let (ground, registry) = (&collector.ground, &collector.intake.registry);
        let mut chance = ground.chance.clone();
        let invites = registry
            .invite(
                order,
                "storm.example:4317",
                &ground.identity,
                &mut chance,
                now,
            )
            .await;
        let invite = match invites {
            Ok(mut invites) => invites.pop().context("an invite")?,
            Err(_) if self.pages_left.is_some() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let until = now.plus_seconds(i64::from(INVITE_DAYS) * 86_400);
        self.oracle.invited(invite.token_hash(), until);
        let folder = self
            .folder
            .path()
            .join(format!("spool-{}", self.identities));
        home.begin(self.identities, &invite, (folder, self.now), &self.network)?;
        self.identities += 1;
        Ok(())
    }

    async fn send(&mut self, number: u8, weather: &Weather) -> Result<()> {
        self.network.set_weather(number, weather);
        let Some(home) = self.homes.get_mut(usize::from(number)) else {
            return Ok(());
        };
        let (receipts, _) = home.send().await;
        self.believed(receipts)
    }

    async fn together(&mut self, numbers: &[u8]) -> Result<()> {
        for number in numbers {
            self.network.set_weather(*number, &Weather::default());
        }
        let mut sending = tokio::task::JoinSet::new();
        // Taken out for as long as they speak: they speak at the same time.
        let mut rest = Vec::new();
        for (at, mut home) in std::mem::take(&mut self.homes).into_iter().enumerate() {
            if numbers.iter().any(|number| usize::from(*number) == at) {
                sending.spawn(async move {
                    let (receipts, _) = home.send().await;
                    (at, home, receipts)
                });
            } else {
                rest.push((at, home));
            }
        }
        let mut heard = Vec::new();
        while let Some(sent) = sending.join_next().await {
            let (at, home, receipts) = sent?;
            rest.push((at, home));
            heard.extend(receipts);
        }
        rest.sort_by_key(|(at, _)| *at);
        self.homes = rest.into_iter().map(|(_, home)| home).collect();
        self.believed(heard)
    }

    /// What homes took for receipts was said, and to them.
    fn believed(&mut self, receipts: Vec<SealedBatch>) -> Result<()> {
        self.hear(self.pages_left.is_some())?;
        for receipt in receipts {
            ensure!(
                self.oracle.has_said(&receipt),
                "a home has a receipt that was never given"
            );
        }
        Ok(())
    }

    async fn conflict(&mut self, which: u32) -> Result<()> {
        let Some(fact) = self.facts.get(nth(which, self.facts.len())) else {
            return Ok(());
        };
        let other = self.homes.iter_mut().find_map(|home| home.conflict(fact));
        if let Some(other) = other {
            self.oracle.learn(other.clone());
            self.post(&other).await;
        }
        Ok(())
    }

    /// Sends a batch past all spools.
    async fn post(&self, fact: &Fact) {
        let letter = Letter {
            from: line::address(fact.identity),
            content: Content::Submit(SubmitRequest {
                batches: vec![status::envelope_to_wire(fact.sealed.clone())],
            }),
        };
        let _ = self.network.deliver(letter).await;
    }

    async fn revoke(&mut self, number: u8) -> Result<()> {
        let home = self.homes.get(usize::from(number));
        let identity = home.and_then(|home| home.identity.as_ref());
        let (Some(identity), Some(collector), None) = (identity, &self.collector, self.pages_left)
        else {
            return Ok(());
        };
        let revocations = Revocations {
            store: collector.ground.store.clone(),
            keys: collector.weeks.keys.clone(),
        };
        revocations.revoke(&[identity.id], self.theirs()).await?;
        self.oracle.revoked(identity.id);
        Ok(())
    }

    async fn tick(&mut self) -> Result<()> {
        let Some(collector) = &self.collector else {
            return self.restart().await;
        };
        let (now, due) = (self.theirs(), self.oracle.state.due(self.theirs()));
        match collector.tick(now).await {
            Ok(made) => {
                let made: Vec<_> = made.into_iter().map(|id| id.week).collect();
                ensure!(
                    made == due.released,
                    "{:?} were due, {made:?} made",
                    due.released
                );
            }
            Err(_) if self.pages_left.is_some() => {
                self.has_tick_failed = true;
                return self.restart().await;
            }
            Err(error) => return Err(error),
        }
        self.ticked().await
    }

    /// Tells the oracle that what was due is done, and looks at what came of it.
    pub(super) async fn ticked(&mut self) -> Result<()> {
        let now = self.theirs();
        let collector = self.collector.as_ref().context("a collector")?;
        let due = self.oracle.state.due(now);
        let expected: Vec<_> = due
            .released
            .iter()
            .map(|week| (*week, self.oracle.expected(*week)))
            .collect();
        let gone = due
            .finished
            .iter()
            .filter_map(|week| self.oracle.a_payload(*week));
        let gone: Vec<_> = gone.collect();
        if !gone.is_empty() {
            let disk = Snapshot::take(&self.places)?;
            let is_left = gone.iter().any(|payload| disk.holds(payload.as_bytes()));
            ensure!(
                !is_left,
                "a row of a week that is final is on the disk still"
            );
        }
        let seen = collector.see().await?;
        self.oracle.state.take_up_perhaps(&seen);
        let ticked = self.oracle.state.ticked(now, &seen, self.has_tick_failed);
        ticked.map_err(|wrong| anyhow!(wrong))?;
        self.has_tick_failed = false;
        let about = collector.ground.atlas.now().sources();
        for (week, expected) in expected {
            let Some(text) = self.oracle.release(week).map(str::to_owned) else {
                continue;
            };
            let release = expected.check_release(&text);
            let release = release.map_err(|wrong| anyhow!("{week}: {wrong}"))?;
            ensure!(
                release.atlas == about,
                "{week} names another atlas than was in use"
            );
            if self
                .oracle
                .weeks_at_hand()
                .contains(&(week, WeekState::Released))
            {
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

/// Any number becomes a place in a list; 0 if there is none.
fn nth(which: u32, length: usize) -> usize {
    usize::try_from(which).expect("a usize has 32 bits") % length.max(1)
}
