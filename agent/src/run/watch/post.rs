//! The post: days that are over become sealed batches in the spool, and go to the collector.
//!
//! Takes [`ClosedDay`]s, gives account of each. Promises:
//!
//! 1. A day is sealed when it is over, if every gate is open at that moment; else it stays at home for
//!    good and is only counted ([`PostCounts::kept_home`]). Whoever turns sending on sends the day that
//!    goes on, all of it, and none that was over before.
//! 2. Sealed = held by the collector + refused for good + lost by the spool + waiting. What the spool
//!    lost is told with a later batch, and told anew if that batch is lost too.
//! 3. Nothing is sealed or sent that tells of a device which the household has denied by then, or of an
//!    endpoint that its list has no more: it stays at home, or is let go and counted ([`Lost::Denied`],
//!    [`Lost::Unlisted`]), with what it tells of others.
//! 4. Nothing is sent unless the collector's signed time agrees with ours. A batch whose day got its
//!    date from a clock that has since proved wrong is let go and counted ([`Lost::Misdated`]).
//! 5. The state folder is claimed for moments only, so that commands go on working, and written only
//!    when something was sealed or answered: about twice a day. Without consent it is not written.

mod denied;
mod parcel;
mod send;
mod unlisted;
mod whose;

pub use send::Order;

use super::dating::{Stand, day_of};
use super::schedule::Schedule;
use super::trouble::{Trouble, TroubleKind};
use super::unfinished::{Part, Unfinished};
use super::{Clocks, patient_claim};
use crate::run::endpoints::Present;
use crate::run::{Environment, Exit, Failure, consent_in_force, gates, reading};
use crate::spool::{Lost, Spool, SpoolLimits, Waiting};
use crate::state::{Claim, DaemonPlaces, Gone, Ledger};
use crate::tally::Tally;
use crate::uplink::Submitted;
use denied::allowed;
use parcel::{Parcel, Parcels};
use phonehome_proto::batch::Loss;
use phonehome_proto::scale::Magnitude;
use phonehome_proto::time::{Day, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use whose::Whose;

/// A day as the watch tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedDay {
    /// What may be said of it; nothing when no allowed phone was present.
    pub part: Option<Part>,
    /// What was missed on it, exactly.
    pub missed: BTreeMap<Loss, u64>,
}

/// What became of days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostCounts {
    /// Batches sealed.
    pub sealed: u64,
    /// Parts of days that stay at home, because a gate was shut when they were over, or because they tell
    /// of a device that is denied by now.
    pub kept_home: u64,
    /// The last day that became batches.
    pub last_sealed: Option<Day>,
    /// When the collector last took one, by its clock.
    pub last_accepted: Option<Timestamp>,
}

/// Seals, keeps, sends.
pub struct Post {
    places: DaemonPlaces,
    clocks: Arc<dyn Clocks>,
    spool: Spool,
    unfinished: Unfinished,
    /// Whom what waits in the spool tells of.
    whose: Whose,
    /// Days that are over and not sealed yet.
    over: VecDeque<Part>,
    /// Whether the household may have denied somebody whom something here tells of.
    may_be_denied: bool,
    /// Since boot: when to try again what the state folder did not let us do.
    retry_at: Option<Duration>,
    schedule: Schedule,
    parcels: Parcels,
    /// Sealed, but not in the spool yet, because the disk did not take them.
    unplaced: VecDeque<Parcel>,
    /// Lost before it came to the spool.
    lost: Tally<Lost>,
    /// Lost batches that are to be told of again.
    untold: u64,
    /// What the collector said of the batches sent last.
    submitted: Submitted,
    stand: Stand,
    /// Why nothing can be sent, and since when, if there was a date then.
    trouble: Option<(Trouble, Option<Timestamp>)>,
    /// What was missed and is not in the ledger yet.
    missed: BTreeMap<Loss, u64>,
    counts: PostCounts,
}

/// Sealed batches that wait for room on the disk; of more the oldest goes and is counted.
const UNPLACED_MAX: usize = 64;

/// Days that are over and wait for the state folder; those above it wait with the parts of days.
const OVER_MAX: usize = 16;

/// How long a state folder that somebody else has, or that fails, is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(60);

// === impl Post ===

impl Post {
    /// Takes up what a daemon before left: batches in the spool, parts of days that are not over.
    ///
    /// # Errors
    /// [`Failure`] when the spool or the run folder cannot be used.
    pub fn open(
        environment: &mut Environment,
        places: DaemonPlaces,
        (limits, spread): (SpoolLimits, Duration),
        (clocks, stand): (Arc<dyn Clocks>, Stand),
    ) -> Result<Self, Failure> {
        let spool = Spool::open(places.spool(), limits)?;
        let present = Present::of(environment)?;
        let unfinished = Unfinished::take_up(&places.unfinished_days(), clocks.boot_id(), &present)
            .map_err(|error| unusable(&places.unfinished_days(), &error))?;
        let whose = Whose::take_up(places.spool_devices(), spool.waiting().batches == 0)
            .map_err(|error| unusable(&places.spool_devices(), &error))?;
        let mut post = Self {
            places,
            clocks,
            spool,
            unfinished,
            whose,
            over: VecDeque::new(),
            may_be_denied: true,
            retry_at: None,
            schedule: Schedule::new(spread),
            parcels: Parcels::default(),
            unplaced: VecDeque::new(),
            lost: Tally::new(),
            untold: 0,
            submitted: Submitted::default(),
            stand,
            trouble: None,
            missed: BTreeMap::new(),
            counts: PostCounts::default(),
        };
        if let Some(ours) = environment.state.our_keys()? {
            post.parcels
                .find_reports(&mut post.spool, &ours, &present)?;
        }
        post.look_again(environment);
        Ok(post)
    }

    /// Home time moved, or somebody else vouches for it.
    pub fn set_stand(&mut self, stand: Stand) {
        if stand.voucher.is_some() && self.stand.voucher.is_none() && self.is_empty() {
            // Nobody has to be asked for the time any more.
            self.schedule.done();
        }
        self.stand = stand;
    }

    /// The household decided something, or this is the beginning: what waits may be sent by now.
    pub fn look_again(&mut self, environment: &mut Environment) {
        self.may_be_denied = true;
        if self.spool.waiting().batches > 0 {
            self.schedule
                .found(self.since_boot(), &mut *environment.chance);
        } else if self.stand.voucher.is_none() {
            self.schedule
                .undated(self.since_boot(), &mut *environment.chance);
        }
        self.end_trouble(TroubleKind::GateShut);
    }

    /// Takes a day, or a part of one that was not over when the watch ended. [`Post::turn_over`] does
    /// the rest.
    pub fn take(&mut self, closed: ClosedDay) {
        for (loss, count) in closed.missed {
            *self.missed.entry(loss).or_default() += count;
        }
        let Some(part) = closed.part else {
            return;
        };
        let is_over = part.summary.day < self.today() && self.stand.voucher.is_some();
        if is_over && self.over.len() < OVER_MAX {
            self.over.push_back(part);
        } else {
            self.keep_part(part);
        }
    }

    /// Seals what is over by now, and writes what a full disk did not take before. What the state folder
    /// does not let it do is tried again a while later. May be broken off while it waits for the state
    /// folder, and has changed nothing then.
    pub async fn turn_over(&mut self, environment: &mut Environment) {
        self.place();
        let now = self.since_boot();
        if !self.has_to_turn_over() || self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let turned = match patient_claim(environment).await {
            Ok(claim) => self.turn_over_with(&claim, environment),
            Err(error) => Err(error.into()),
        };
        self.retry_at = turned.is_err().then_some(now + RETRY_AFTER);
        match turned {
            Ok(()) => self.end_trouble(TroubleKind::State),
            Err(failure) => self.state_fails(&failure),
        }
    }

    fn has_to_turn_over(&self) -> bool {
        let is_any_over = || self.unfinished.is_any_over(self.today());
        !self.missed.is_empty()
            || self.may_be_denied
            || !self.over.is_empty()
            || (self.stand.voucher.is_some() && is_any_over())
    }

    /// # Errors
    /// The first [`Failure`]; what it was about, and the rest, is still there.
    fn turn_over_with(
        &mut self,
        claim: &Claim,
        environment: &mut Environment,
    ) -> Result<(), Failure> {
        self.note_missed(claim)?;
        if self.may_be_denied {
            self.let_go_taken_back(claim, environment)?;
            self.may_be_denied = false;
        }
        while let Some(part) = self.over.pop_front() {
            let kept = part.clone();
            if let Err(failure) = self.seal(claim, environment, part) {
                self.over.push_front(kept);
                return Err(failure);
            }
        }
        if self.stand.voucher.is_none() {
            return Ok(());
        }
        let today = self.today();
        let mut sealed = Ok(());
        let mut is_any_taken = false;
        while sealed.is_ok()
            && let Some(part) = self.unfinished.take_over(today)
        {
            is_any_taken = true;
            let kept = part.clone();
            sealed = self.seal(claim, environment, part);
            if sealed.is_err() {
                self.keep_part(kept);
            }
        }
        if is_any_taken {
            self.keep_parts(environment);
        }
        sealed
    }

    /// Ends: keeps the account of a try that was broken off, and what must outlast a restart.
    pub async fn close(mut self, environment: &mut Environment) {
        self.place();
        self.drop_unplaced(0);
        while let Some(part) = self.over.pop_front() {
            self.keep_part(part);
        }
        // Before anybody is waited for.
        self.keep_parts(environment);
        self.settle(environment).await;
    }

    /// Writes down what must outlast a restart.
    fn keep_parts(&mut self, environment: &mut Environment) {
        if let Err(error) = self.unfinished.keep(&mut *environment.chance) {
            self.state_fails(&unusable(self.unfinished.folder(), &error));
        }
    }

    /// What became of days so far.
    #[must_use]
    pub const fn counts(&self) -> &PostCounts {
        &self.counts
    }

    /// Whether nothing that is over waits to be sent.
    fn is_empty(&self) -> bool {
        self.unplaced.is_empty() && self.spool.waiting().batches == 0
    }

    /// What waits in the spool.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.spool.waiting()
    }

    /// When to send next, in time since boot.
    #[must_use]
    pub const fn due(&self) -> Option<Duration> {
        self.schedule.due()
    }

    /// The same by home time; `None` too as long as there is none.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let due = i64::try_from(self.due()?.as_nanos()).ok()?;
        self.stand.voucher?;
        Some(Timestamp::from_nanos(
            self.stand.offset_nanos.saturating_add(due),
        ))
    }

    /// Why nothing can be sent, and since when, if there was a date then.
    #[must_use]
    pub const fn trouble(&self) -> Option<&(Trouble, Option<Timestamp>)> {
        self.trouble.as_ref()
    }

    fn note_missed(&mut self, claim: &Claim) -> Result<(), Failure> {
        // Of a home that has withdrawn no account is kept.
        if !self.missed.is_empty() && consent_in_force(claim.state())?.is_some() {
            let mut ledger = claim.state().ledger()?;
            for (loss, count) in &self.missed {
                ledger.add(Gone::Missed(*loss), *count);
            }
            claim.set_ledger(&ledger)?;
        }
        self.missed.clear();
        Ok(())
    }

    /// Seals a day that is over, or keeps it at home.
    ///
    /// # Errors
    /// [`Failure`]; nothing has changed then.
    fn seal(
        &mut self,
        claim: &Claim,
        environment: &mut Environment,
        part: Part,
    ) -> Result<(), Failure> {
        let enrolled = claim.state().enrolled()?;
        let (Ok(_), Some(enrolled)) = (gates(claim)?.pass(), enrolled) else {
            tracing::info!("a day stays at home, because a gate is shut");
            self.counts.kept_home += 1;
            return Ok(());
        };
        if !part.devices.is_subset(&allowed(claim)?) {
            tracing::info!("a day stays at home, because a device it tells of was denied");
            self.counts.kept_home += 1;
            return Ok(());
        }
        let keys = claim.keys(&mut *environment.chance)?;
        let mut ledger = claim.state().ledger()?;
        let devices = self.places.spool_devices();
        let added = self.whose.add(&part.devices);
        added.map_err(|error| unusable(&devices, &error))?;
        let mut summary = part.summary;
        // What was seen of an endpoint that the household has taken back since stays at home.
        let list = Present::of(environment)?.wanted();
        let observations = &mut summary.observations;
        observations.retain(|observation| list.has(observation.key().endpoint));
        // Dated before the machine was started anew, by a clock that nothing is left of: nobody can
        // prove it wrong, and the one that vouches now is no worse.
        let offset_nanos = part.offset_nanos.unwrap_or(self.stand.offset_nanos);
        let dropped = ledger.dropped_unreported();
        if dropped > 0 {
            let reported = Magnitude::of(dropped);
            let losses = &mut summary.coverage.losses;
            losses.insert(Loss::DroppedBatches, reported);
            ledger.dropped_reported();
        }
        let day = summary.day;
        let audience = enrolled.collector.audience();
        let sealed = reading::sealed(&[summary], audience, &keys, &mut *environment.chance);
        for (number, (_, sealed)) in sealed.into_iter().enumerate() {
            self.counts.sealed += 1;
            self.unplaced.push_back(Parcel {
                sealed,
                offset_nanos,
                // Losses stand in a day's first batch.
                dropped: if number == 0 { dropped } else { 0 },
            });
        }
        self.counts.last_sealed = self.counts.last_sealed.max(Some(day));
        self.place();
        self.account(&mut ledger);
        if let Err(error) = claim.set_ledger(&ledger) {
            self.state_fails(&error.into());
        }
        let since_midnight = self.now().nanos_since(day.end());
        let since_midnight = Duration::from_nanos(u64::try_from(since_midnight).unwrap_or(0));
        self.schedule
            .day_over(self.since_boot(), since_midnight, &mut *environment.chance);
        Ok(())
    }

    /// Writes sealed batches into the spool; what the disk does not take waits in memory.
    fn place(&mut self) {
        while let Some(parcel) = self.unplaced.front() {
            let before = self.spool.last();
            let put = self.spool.put([&parcel.sealed]);
            // Where only the folder could not be synced, the batch is there.
            if let Some(slot) = self.spool.last().filter(|slot| Some(*slot) > before) {
                self.parcels.placed(slot, parcel);
                self.unplaced.pop_front();
            }
            if let Err(error) = put {
                self.set_trouble(Trouble::new(TroubleKind::Spool, error.to_string()));
                break;
            }
            self.end_trouble(TroubleKind::Spool);
        }
        self.drop_unplaced(UNPLACED_MAX);
    }

    /// Lets go all but so many of the batches that the disk did not take, the oldest first.
    fn drop_unplaced(&mut self, left: usize) {
        while self.unplaced.len() > left {
            let parcel = self.unplaced.pop_front().expect("there are some");
            self.lost.add(Lost::Full, 1);
            self.untold += parcel.dropped;
        }
    }

    fn keep_part(&mut self, part: Part) {
        if !self.unfinished.add(part) {
            self.lost.add(Lost::Full, 1);
        }
    }

    /// Counts what was lost on this side; what lost batches told of is to be told again.
    fn account(&mut self, ledger: &mut Ledger) {
        self.lost.merge(&self.spool.take_lost());
        let lost = std::mem::take(&mut self.lost);
        for (reason, count) in lost.nonzero() {
            tracing::warn!(reason = reason.as_str(), count, "batches lost");
        }
        ledger.add_spool(&lost);
        self.untold += self.parcels.retain(&self.spool.slots());
        ledger.report_again(std::mem::take(&mut self.untold));
        if self.is_empty()
            && let Err(error) = self.whose.clear()
        {
            tracing::warn!(%error, "whom the spool told of cannot be forgotten");
        }
    }

    fn state_fails(&mut self, failure: &Failure) {
        self.set_trouble(Trouble::new(TroubleKind::State, failure.to_string()));
    }

    fn end_trouble(&mut self, kind: TroubleKind) {
        if matches!(&self.trouble, Some((trouble, _)) if trouble.kind == kind) {
            self.trouble = None;
        }
    }

    fn set_trouble(&mut self, trouble: Trouble) {
        let since = match &self.trouble {
            Some((before, since)) if before.kind == trouble.kind => *since,
            _ => {
                tracing::warn!(kind = trouble.kind.as_str(), "nothing can be sent");
                self.stand.voucher.map(|_| self.now())
            }
        };
        self.trouble = Some((trouble, since));
    }

    fn now(&self) -> Timestamp {
        self.stand.time(self.clocks.read())
    }

    fn today(&self) -> Day {
        day_of(self.now())
    }

    fn since_boot(&self) -> Duration {
        Duration::from_nanos(self.clocks.read().since_boot_nanos)
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    let sentence = format!("{} cannot be used: {error}", path.display());
    Failure::new(Exit::Unavailable, sentence)
}

#[cfg(test)]
mod tests;
