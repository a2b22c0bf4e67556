//! One try to send what waits.

use super::Post;
use crate::consent::Shut;
use crate::run::endpoints::Present;
use crate::run::rotate::Begun;
use crate::run::watch::dating::{Judgement, Voucher, Word};
use crate::run::watch::patient_claim;
use crate::run::watch::trouble::{Trouble, TroubleKind};
use crate::run::{Environment, Failure, consent_in_force, gates};
use crate::spool::Lost;
use crate::state::StateError;
use crate::uplink::{Held, Refusal, Rules, Submitted, Uplink, UplinkError};

/// What the watch is to do after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Nothing,
    /// Believe what the collector says of the time.
    Learn(Word),
}

/// How a try ended that ended early.
enum Stopped {
    Shut(Shut),
    ClockDiffers(i64),
    Uplink(UplinkError),
    Failed(Failure),
}

impl Post {
    /// Sends what waits, if the moment has come. What fails is a trouble and a time to try again.
    pub async fn send_if_due(&mut self, environment: &mut Environment) -> Order {
        let now = self.since_boot();
        if self.schedule.due().is_none_or(|due| due > now) {
            return Order::Nothing;
        }
        let has_nothing = self.spool.waiting().batches == 0;
        // A home without dates has at least a question: what time it is.
        if has_nothing && self.stand.voucher.is_some() {
            self.schedule.done();
            return Order::Nothing;
        }
        let mut order = Order::Nothing;
        let tried = self.attempt(environment, &mut order).await;
        let refused = self.settle(environment).await;
        let now = self.since_boot();
        match tried {
            Ok(()) => match Trouble::of_refusals(&refused) {
                None => {
                    self.trouble = None;
                    self.schedule.done();
                }
                Some(trouble) => {
                    self.set_trouble(trouble);
                    self.schedule.failed(now, None, &mut *environment.chance);
                }
            },
            Err(Stopped::Shut(shut)) => {
                // Whoever opens the gate makes us look again.
                if !has_nothing {
                    self.set_trouble(shut.into());
                }
                self.schedule.done();
            }
            Err(Stopped::ClockDiffers(seconds)) => {
                self.set_trouble(Trouble::clock_differs(seconds));
                self.schedule.failed(now, None, &mut *environment.chance);
            }
            Err(Stopped::Uplink(error)) => {
                self.set_trouble((&error).into());
                let asked = match error {
                    UplinkError::Busy { asked_seconds, .. } => asked_seconds,
                    _ => None,
                };
                self.schedule.failed(now, asked, &mut *environment.chance);
            }
            Err(Stopped::Failed(failure)) => {
                self.state_fails(&failure);
                self.schedule.failed(now, None, &mut *environment.chance);
            }
        }
        order
    }

    async fn attempt(
        &mut self,
        environment: &mut Environment,
        order: &mut Order,
    ) -> Result<(), Stopped> {
        let enrolled = {
            let claim = patient_claim(environment).await?;
            gates(&claim)?.pass()?;
            claim.state().enrolled()?.ok_or(Shut::Enrolment)?
        };
        let begun = Begun::of(&environment.state, &enrolled)?;
        let manifest = environment.state.manifest()?;
        let serial_seen =
            manifest.and_then(|manifest| Rules::serial_of(&manifest, &enrolled.collector));
        let mut uplink = Uplink::connect(enrolled.url, enrolled.collector)
            .await
            .map_err(UplinkError::from)?;
        let lists = Present::of(environment)?.versions();
        let known = (serial_seen, &lists[..]);
        let rules = uplink.rules(known, &mut environment.pace()).await?;
        self.agree_on_time(&rules, order)?;

        if let Some(begun) = begun {
            let answer = uplink.rotate(begun.sent(), &mut environment.pace()).await?;
            let claim = patient_claim(environment).await?;
            let _ = Begun::settle(&claim, answer)?;
        }
        // Between the question and here somebody may have shut a gate, or denied a device.
        let (may_send, ours) = {
            let claim = patient_claim(environment).await?;
            let may_send = gates(&claim)?.pass()?;
            self.let_go_taken_back(&claim, environment)?;
            claim.set_manifest(rules.sealed())?;
            (may_send, claim.keys(&mut *environment.chance)?.ours)
        };
        let permit = (&may_send, &rules);
        let pace = &mut environment.pace();
        uplink
            .submit(permit, &mut self.spool, &ours, pace, &mut self.submitted)
            .await?;
        Ok(())
    }

    /// Compares clocks; lets go what got its date from one that was wrong.
    fn agree_on_time(&mut self, rules: &Rules, order: &mut Order) -> Result<(), Stopped> {
        let (theirs, reading) = (rules.time(), self.clocks.read());
        match self.stand.judge(theirs, reading) {
            Judgement::Agrees => {}
            Judgement::Differs { seconds } => return Err(Stopped::ClockDiffers(seconds)),
            Judgement::Better => {
                self.stand.offset_nanos = theirs
                    .nanos()
                    .saturating_sub(i64::try_from(reading.since_boot_nanos).unwrap_or(i64::MAX));
                self.stand.voucher = Some(Voucher::Collector);
                *order = Order::Learn(Word {
                    theirs,
                    since_boot_nanos: reading.since_boot_nanos,
                });
            }
        }
        for slot in self.parcels.prove(self.stand.offset_nanos) {
            self.spool
                .let_go(slot, Lost::Misdated)
                .map_err(UplinkError::from)?;
        }
        Ok(())
    }

    /// Keeps the account of what the collector said and of what the spool lost, also after a try that
    /// was broken off in the middle. Gives the refusals.
    pub(super) async fn settle(&mut self, environment: &mut Environment) -> Vec<Refusal> {
        let submitted = std::mem::take(&mut self.submitted);
        let receipts = submitted.held.iter().map(Held::receipt);
        self.parcels
            .held(receipts.clone().map(|receipt| &receipt.payload_hash));
        let received = receipts.map(|receipt| receipt.received_at).max();
        self.counts.last_accepted = received.max(self.counts.last_accepted);
        let refused = submitted.refused.iter().map(|(_, why)| *why).collect();
        match self.write_account(environment, &submitted).await {
            Ok(()) => self.end_trouble(TroubleKind::State),
            Err(failure) => {
                // It is written with the next.
                self.submitted = submitted;
                self.state_fails(&failure);
            }
        }
        refused
    }

    async fn write_account(
        &mut self,
        environment: &mut Environment,
        submitted: &Submitted,
    ) -> Result<(), Failure> {
        let claim = patient_claim(environment).await?;
        if consent_in_force(claim.state())?.is_none() {
            // Of a home that has withdrawn no account is kept.
            return Ok(());
        }
        let mut ledger = claim.state().ledger()?;
        ledger.add_submitted(submitted);
        self.account(&mut ledger);
        Ok(claim.set_ledger(&ledger)?)
    }
}

impl From<Shut> for Stopped {
    fn from(shut: Shut) -> Self {
        Self::Shut(shut)
    }
}

impl From<UplinkError> for Stopped {
    fn from(error: UplinkError) -> Self {
        Self::Uplink(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StateError> for Stopped {
    fn from(error: StateError) -> Self {
        Self::Failed(error.into())
    }
}
