//! What stays at home because the household's list has it no more.
//!
//! Whoever forgets a list, or loads one that lacks an endpoint, has taken back the word under which that
//! endpoint was told of. A sealed batch is never sealed again, so one that tells of it stays at home whole,
//! as with a device that is denied.

use super::Post;
use crate::run::endpoints::Present;
use crate::run::{Environment, Failure};
use crate::spool::Lost;
use crate::state::Claim;

impl Post {
    /// Lets go what tells of an endpoint that is not on the household's list any more.
    ///
    /// # Errors
    /// [`Failure`]; what is left is let go before anything is sent.
    pub(super) fn let_go_unlisted(
        &mut self,
        claim: &Claim,
        environment: &Environment,
    ) -> Result<(), Failure> {
        let present = Present::of(environment)?;
        let Some(ours) = claim.state().our_keys()?.filter(|_| present.had_another()) else {
            return Ok(());
        };
        let mut is_any_gone = false;
        for parcel in std::mem::take(&mut self.unplaced) {
            if present.takes_back(&parcel.sealed) {
                self.lost.add(Lost::Unlisted, 1);
                self.untold += parcel.dropped;
                is_any_gone = true;
            } else {
                self.unplaced.push_back(parcel);
            }
        }
        is_any_gone |= present.let_go(&mut self.spool, &ours)? > 0;
        if is_any_gone {
            tracing::info!(
                "the endpoint list has less than before: what waits and tells of it stays at home"
            );
            let mut ledger = claim.state().ledger()?;
            self.account(&mut ledger);
            claim.set_ledger(&ledger)?;
        }
        Ok(())
    }
}
