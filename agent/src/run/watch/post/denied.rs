//! What stays at home because a device was denied after it was seen.
//!
//! A day is a sum over devices, and nobody can take one out of it again: so all of it stays. That costs
//! the home a day of its others, once, when somebody's mind changes; the other choice would be to keep
//! what each device did until it was sent.

use super::Post;
use crate::device::DeviceTag;
use crate::run::{Environment, Failure, consent_in_force};
use crate::spool::Lost;
use crate::state::Claim;
use std::collections::BTreeSet;

impl Post {
    /// Lets go what tells of what the household has taken back: a device, or an endpoint.
    ///
    /// # Errors
    /// [`Failure`]; what is left is let go before anything is sent.
    pub(super) fn let_go_taken_back(
        &mut self,
        claim: &Claim,
        environment: &mut Environment,
    ) -> Result<(), Failure> {
        // Of a home that has withdrawn nothing waits, and no account is kept.
        if consent_in_force(claim.state())?.is_none() {
            return Ok(());
        }
        self.let_go_denied(claim, environment)?;
        self.let_go_unlisted(claim, environment)
    }

    /// Lets go what tells of a device that is not allowed any more.
    ///
    /// # Errors
    /// [`Failure`]; what is left is let go before anything is sent.
    fn let_go_denied(
        &mut self,
        claim: &Claim,
        environment: &mut Environment,
    ) -> Result<(), Failure> {
        let allowed = allowed(claim)?;
        let kept_home = self.unfinished.retain(&allowed);
        if kept_home > 0 {
            self.counts.kept_home += u64::try_from(kept_home).unwrap_or(u64::MAX);
            self.keep_parts(environment);
        }
        if self.whose.are_all_among(&allowed) {
            return Ok(());
        }
        tracing::info!("a device was denied: what waits and may tell of it stays at home");
        for parcel in std::mem::take(&mut self.unplaced) {
            self.lost.add(Lost::Denied, 1);
            self.untold += parcel.dropped;
        }
        for slot in self.spool.slots() {
            self.spool.let_go(slot, Lost::Denied)?;
        }
        let mut ledger = claim.state().ledger()?;
        self.account(&mut ledger);
        Ok(claim.set_ledger(&ledger)?)
    }
}

/// The devices that are observed.
pub(super) fn allowed(claim: &Claim) -> Result<BTreeSet<DeviceTag>, Failure> {
    let list = claim.state().devices()?;
    Ok(list.allowed().map(|(tag, _)| tag).collect())
}
