//! What homes and the network do.

use super::super::home::{Fact, Home, IDENTITIES_MAX, Identity};
use super::super::line::{self, Content, Letter};
use super::super::operation::{Operation, Weather};
use super::World;
use anyhow::{Context, Result, ensure};
use phonehome_agent::uplink::UplinkError;
use phonehome_collector::registry::InviteOrder;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::status;
use phonehome_proto::v1::SubmitRequest;

/// Where the collector would be found.
const AUTHORITY: &str = "storm.example:4317";

/// Days until an invite of a storm opens nothing any more.
const INVITE_DAYS: u32 = 30;

impl World {
    /// Does what an operation says; gives whether it did anything.
    pub(super) async fn happen(&mut self, operation: &Operation) -> Result<bool> {
        match operation {
            Operation::Live(hours) => self.live(i64::from(*hours) * 3_600),
            Operation::Jump(seconds) => Ok(self.jump(*seconds)),
            Operation::Skew(home, seconds) => Ok(self.with(*home, |home| {
                home.ahead_seconds = *seconds;
            })),
            Operation::Join(home, weather) => self.join(*home, weather, true).await,
            Operation::Knock(home, weather) => self.join(*home, weather, false).await,
            Operation::Send(home, weather) => self.send(*home, weather).await,
            Operation::Together(homes) => self.together(homes).await,
            Operation::Deliver(which) => {
                let delayed = self.network.delayed();
                let letter = self.network.late(nth(*which, delayed));
                let Some(letter) = letter.filter(|_| self.collector.is_some()) else {
                    return Ok(false);
                };
                let _ = self.network.deliver(letter).await;
                self.happened.note("network", "delayed request arrives");
                Ok(true)
            }
            Operation::Replay(which) => match self.fact(*which) {
                Some(fact) => Ok(self.post(&fact).await),
                None => Ok(false),
            },
            Operation::Conflict(which) => self.conflict(*which).await,
            Operation::Forge(which) => match self.fact(*which) {
                Some(fact) => {
                    let forged = fact.forged()?;
                    self.oracle.learn(forged.clone());
                    Ok(self.post(&forged).await)
                }
                None => Ok(false),
            },
            Operation::Rotate(home, weather) => {
                self.network.set_weather(*home, weather);
                match self.taking_part(*home) {
                    // Without an answer it is under way.
                    Some(home) => as_it_should(home.rotate().await),
                    None => Ok(false),
                }
            }
            Operation::Withdraw(home, weather) => {
                self.network.set_weather(*home, weather);
                match self.taking_part(*home) {
                    Some(home) => as_it_should(home.withdraw().await),
                    None => Ok(false),
                }
            }
            Operation::Reboot(home) => match self.taking_part(*home) {
                Some(home) => home.reboot().map(|()| true),
                None => Ok(false),
            },
            Operation::Tick => self.tick().await.map(|()| true),
            Operation::Restart => self.restart().await.map(|()| true),
            Operation::Crash => self.crash().await.map(|()| true),
            Operation::Cut(dice, during) => Box::pin(self.cut(*dice, during)).await,
            Operation::CutInCheckpoint(dice) => self.cut_in_checkpoint(*dice).await,
            Operation::Full(pages) => {
                self.pages_left = Some(*pages);
                self.limit_pages().await.map(|()| true)
            }
            Operation::Free => {
                let was_full = self.pages_left.take().is_some();
                self.limit_pages().await?;
                if self.collector.is_none() {
                    self.restart().await?;
                }
                Ok(was_full)
            }
            Operation::Fold if self.collector.is_some() => self.fold_all().await.map(|()| true),
            Operation::Fold => Ok(false),
            Operation::Revoke(_)
            | Operation::Approve(_)
            | Operation::Mode(_)
            | Operation::Atlas
            | Operation::Revise
            | Operation::Backup
            | Operation::Restore => self.operate(operation).await,
        }
    }

    /// Does something with a home, if there is one of this number.
    fn with(&mut self, number: u8, act: impl FnOnce(&mut Home)) -> bool {
        self.homes.get_mut(usize::from(number)).map(act).is_some()
    }

    /// The home of this number, if somebody takes part there.
    fn taking_part(&mut self, number: u8) -> Option<&mut Home> {
        let home = self.homes.get_mut(usize::from(number))?;
        let is_in = |identity: &Identity| identity.is_in;
        home.identity.as_ref().is_some_and(is_in).then_some(home)
    }

    /// A batch that was sealed once.
    fn fact(&self, which: u32) -> Option<Fact> {
        self.facts.get(nth(which, self.facts.len())).cloned()
    }

    async fn join(&mut self, number: u8, weather: &Weather, is_invited: bool) -> Result<bool> {
        if is_invited {
            self.invite(number).await?;
        } else {
            self.hear_of_it(number)?;
        }
        self.network.set_weather(number, weather);
        let home = self.homes.get_mut(usize::from(number));
        let Some(home) = home.filter(|home| {
            let identity = home.identity.as_ref();
            identity.is_some_and(|identity| !identity.is_in)
        }) else {
            return Ok(false);
        };
        // Without an answer it asks again another time.
        as_it_should(home.enrol().await)
    }

    /// Somebody takes part in a home where nobody does, and has no invite.
    fn hear_of_it(&mut self, number: u8) -> Result<()> {
        let Some(collector) = &self.collector else {
            return Ok(());
        };
        let invite = Invite {
            authority: AUTHORITY.to_owned(),
            collector_key: collector.works.ground.identity.public(),
            token: None,
        };
        self.begin_home(number, &invite)
    }

    /// Gives an invite to a home in which nobody takes part.
    pub(super) async fn invite(&mut self, number: u8) -> Result<()> {
        let (Some(home), Some(collector)) = (self.homes.get(usize::from(number)), &self.collector)
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
        let (ground, registry) = (&collector.works.ground, &collector.intake.registry);
        let mut chance = ground.chance.clone();
        let invites = registry
            .invite(order, AUTHORITY, &ground.identity, &mut chance, now)
            .await;
        let invite = match invites {
            Ok(mut invites) => invites.pop().context("an invite")?,
            Err(_) if self.pages_left.is_some() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let until = now.plus_seconds(i64::from(INVITE_DAYS) * 86_400);
        self.oracle.invited(invite.token_hash(), until);
        self.begin_home(number, &invite)
    }

    fn begin_home(&mut self, number: u8, invite: &Invite) -> Result<()> {
        let home = self.homes.get_mut(usize::from(number));
        let Some(home) = home.filter(|home| home.identity.is_none()) else {
            return Ok(());
        };
        if self.identities >= IDENTITIES_MAX {
            return Ok(());
        }
        let folder = self
            .folder
            .path()
            .join(format!("spool-{}", self.identities));
        home.begin(self.identities, invite, (folder, self.now), &self.network)?;
        self.identities += 1;
        Ok(())
    }

    async fn send(&mut self, number: u8, weather: &Weather) -> Result<bool> {
        self.network.set_weather(number, weather);
        let Some(home) = self.taking_part(number) else {
            return Ok(false);
        };
        let (receipts, sent) = home.send().await;
        as_it_should(sent)?;
        self.believed(receipts)?;
        Ok(true)
    }

    async fn together(&mut self, numbers: &[u8]) -> Result<bool> {
        for number in numbers {
            self.network.set_weather(*number, &Weather::default());
        }
        let mut sending = tokio::task::JoinSet::new();
        // Taken out for as long as they speak: they speak at the same time.
        let mut rest = Vec::new();
        for (at, mut home) in std::mem::take(&mut self.homes).into_iter().enumerate() {
            if numbers.iter().any(|number| usize::from(*number) == at) {
                sending.spawn(async move {
                    let (receipts, sent) = home.send().await;
                    (at, home, receipts, sent)
                });
            } else {
                rest.push((at, home));
            }
        }
        let mut heard = Vec::new();
        while let Some(sent) = sending.join_next().await {
            let (at, home, receipts, sent) = sent?;
            as_it_should(sent)?;
            rest.push((at, home));
            heard.extend(receipts);
        }
        rest.sort_by_key(|(at, _)| *at);
        self.homes = rest.into_iter().map(|(_, home)| home).collect();
        let is_heard = !heard.is_empty();
        self.believed(heard)?;
        Ok(is_heard)
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

    async fn conflict(&mut self, which: u32) -> Result<bool> {
        let Some(fact) = self.fact(which) else {
            return Ok(false);
        };
        let other = self.homes.iter_mut().find_map(|home| home.conflict(&fact));
        let Some(other) = other else {
            return Ok(false);
        };
        self.oracle.learn(other.clone());
        Ok(self.post(&other).await)
    }

    /// Sends a batch past all spools, if there is somebody to send it to.
    async fn post(&self, fact: &Fact) -> bool {
        let letter = Letter {
            from: line::address(fact.identity),
            content: Content::Submit(SubmitRequest {
                batches: vec![status::envelope_to_wire(fact.sealed.clone())],
            }),
        };
        let _ = self.network.deliver(letter).await;
        self.collector.is_some()
    }
}

/// What an uplink may fail with: nobody is there, or has time. All else is for the collector to be ashamed
/// of.
fn as_it_should(done: Result<(), UplinkError>) -> Result<bool> {
    match done {
        Ok(()) | Err(UplinkError::Connect(_) | UplinkError::Busy { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Any number becomes a place in a list; 0 if there is none.
fn nth(which: u32, length: usize) -> usize {
    usize::try_from(which).expect("a usize has 32 bits") % length.max(1)
}
