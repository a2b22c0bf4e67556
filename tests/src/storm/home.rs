//! A home: keys, days, a spool and an uplink.
//!
//! What it seals, keeps, sends and deletes goes through the agent's own code; here stand the decisions
//! of its daemon and of its household, in the order they have there: a rotation under way is finished
//! before anything is sent, and who leaves deletes what waits before it says so. At any time
//! sealed = held + refused for good + lost + waiting.

mod errands;
mod identity;

pub use identity::{Account, Fact, Identity};

use super::line::{self, Network};
use super::report::PARTS_MAX;
use anyhow::{Result, ensure};
use phonehome_agent::consent::{self, Given};
use phonehome_agent::spool::{Spool, SpoolLimits};
use phonehome_agent::uplink::Uplink;
use phonehome_proto::batch::AgentVersion;
use phonehome_proto::chance::{Chance, SeededChance};
use phonehome_proto::encode;
use phonehome_proto::enrolment::{Enrolment, Invite};
use phonehome_proto::id::{Audience, BatchId, HomeId};
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey, VerifyingKey};
use phonehome_proto::time::{Day, Timestamp};
use std::path::PathBuf;

/// A home, whoever lives there.
pub struct Home {
    number: u8,
    /// Seconds by which its clock runs ahead.
    pub ahead_seconds: i64,
    /// Who takes part, if anybody does.
    pub identity: Option<Identity>,
    uplink: Uplink,
    collector: VerifyingKey,
    chance: SeededChance,
}

/// Homes that can ever be in one storm: each needs cells of its own.
pub const IDENTITIES_MAX: usize = 32;

/// Days a home tells of when it was asleep for longer.
const DAYS_MAX: u32 = 10;

// === impl Home ===

impl Home {
    /// A home in which nobody takes part yet.
    ///
    /// # Errors
    /// Never: the address is one.
    pub fn new(number: u8, seed: u64, collector: VerifyingKey, network: &Network) -> Result<Self> {
        let url = "https://storm.example:4317".parse()?;
        Ok(Self {
            number,
            ahead_seconds: 0,
            identity: None,
            uplink: Uplink::over(network.channel(number), url, collector),
            collector,
            chance: SeededChance::new(seed ^ 0x686f_6d65 ^ u64::from(number) << 32),
        })
    }

    /// Somebody takes part, with an invite: a consent, a key, an enrolment to send.
    ///
    /// # Errors
    /// Those of the spool's folder.
    pub fn begin(
        &mut self,
        number: usize,
        invite: &Invite,
        (folder, now): (PathBuf, Timestamp),
        network: &Network,
    ) -> Result<()> {
        network.set_address(self.number, line::address(number));
        let key = SigningKey::from_seed(&self.chance.bytes());
        let record = consent::grant(now, &key);
        let given = Given::verify(&record, &key.public().into())?;
        let enrolment = Enrolment {
            audience: self.audience(),
            invite_hash: invite.token_hash(),
            consent_hash: given.hash(),
        };
        // Some have little room, so that it runs out.
        let limits = SpoolLimits {
            files_max: if self.chance.below(4) == 0 { 4 } else { 256 },
            ..SpoolLimits::default()
        };
        self.identity = Some(Identity {
            number,
            id: key.public().home(),
            is_in: false,
            account: Account::default(),
            enrolment: SealedBatch::seal(PayloadType::Enrol, encode::enrolment(&enrolment), &key),
            token: invite.token,
            key,
            next: None,
            former: Vec::new(),
            given,
            withdrawal: None,
            serial_seen: None,
            unsealed: self.today(now),
            spool: Spool::open(&folder, limits)?,
            folder,
            limits,
        });
        Ok(())
    }

    /// Seals the days that are over by its own clock; gives what it sealed.
    ///
    /// # Errors
    /// Those of the spool.
    pub fn live(&mut self, now: Timestamp) -> Result<Vec<Fact>> {
        let (today, audience) = (self.today(now), self.audience());
        let Some(identity) = &mut self.identity else {
            return Ok(Vec::new());
        };
        if !identity.is_in || identity.withdrawal.is_some() {
            return Ok(Vec::new());
        }
        let first = Day::new(today.number().saturating_sub(DAYS_MAX)).unwrap_or(today);
        let mut facts = Vec::new();
        let mut day = identity.unsealed.max(first);
        while day < today {
            // Every third day there is more to tell than one batch holds.
            let parts = if (identity.number + day.number() as usize).is_multiple_of(3) {
                PARTS_MAX
            } else {
                1
            };
            for part in 0..parts {
                let id = BatchId::new(self.chance.bytes());
                facts.push(identity.seal(audience, id, day, part, AgentVersion::current()));
            }
            day = day.plus(1);
        }
        identity.unsealed = identity.unsealed.max(today);
        identity.spool.put(facts.iter().map(|fact| &fact.sealed))?;
        identity.account.sealed += facts.len() as u64;
        identity.note_lost();
        Ok(facts)
    }

    /// Other bytes under the id of one of its batches.
    pub fn conflict(&mut self, fact: &Fact) -> Option<Fact> {
        let audience = self.audience();
        let identity = self.identity.as_ref()?;
        if identity.id != fact.home || identity.withdrawal.is_some() {
            return None;
        }
        let mut version = AgentVersion::current();
        version.patch += 1;
        Some(identity.seal(audience, fact.batch_id, fact.day, 0, version))
    }

    /// The agent ends and starts again: what it remembers is on its disk.
    ///
    /// # Errors
    /// When the spool is not what it was.
    pub fn reboot(&mut self) -> Result<()> {
        if let Some(identity) = &mut self.identity {
            let before = identity.spool.waiting();
            identity.spool = Spool::open(&identity.folder, identity.limits)?;
            ensure!(identity.spool.waiting() == before, "the spool forgot");
        }
        Ok(())
    }

    /// Somebody tells the household that its collector may know nothing of it: if so, it asks to be taken in
    /// again the next time.
    pub fn doubt(&mut self, is_known: impl Fn(HomeId) -> bool) {
        if let Some(identity) = &mut self.identity
            && identity.withdrawal.is_none()
            && !is_known(identity.id)
        {
            identity.is_in = false;
        }
    }

    /// Whether every batch that was sealed is accounted for.
    ///
    /// # Errors
    /// When one is not.
    pub fn balance(&self) -> Result<()> {
        let Some(identity) = &self.identity else {
            return Ok(());
        };
        let Account {
            sealed,
            held,
            refused,
            lost,
        } = identity.account;
        let waiting = identity.spool.waiting().batches as u64;
        ensure!(
            sealed == held + refused + lost + waiting,
            "home {}: {sealed} sealed, {held} held, {refused} refused, {lost} lost, {waiting} wait",
            self.number
        );
        Ok(())
    }

    /// What the home's clock says.
    ///
    /// # Panics
    /// Before 1970.
    fn today(&self, now: Timestamp) -> Day {
        let day = now.plus_seconds(self.ahead_seconds).day();
        day.expect("a storm is after 1970")
    }

    fn audience(&self) -> Audience {
        self.collector.audience()
    }
}
