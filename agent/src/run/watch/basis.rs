//! What the watch rests on: one consent, of one household.
//!
//! Taken while the state folder is claimed, so that nobody withdraws in between. From then on whoever
//! asks is told whether it still stands: a household that withdrew and agreed anew is another one, with
//! other secrets, and nothing that was seen for the one may come to the other.

use crate::consent::Given;
use crate::run::consent_in_force;
use crate::state::{Claim, DecisionsMark, Keys, State, StateError};
use phonehome_proto::chance::Chance;
use phonehome_proto::id::Hash;

/// The consent the watch was begun with, and the home that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    consent: Hash,
    /// Of the local secret, which no rotation touches and no new home keeps.
    secret: Hash,
}

/// Whether a [`Basis`] still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The same household agrees.
    Stands,
    /// No consent is in force.
    Withdrawn,
    /// It was withdrawn, and another one given.
    Another,
}

/// What a watch begins with.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) basis: Basis,
    pub(super) keys: Keys,
    /// Which decisions stood then: none made later goes unnoticed.
    pub(super) mark: DecisionsMark,
}

// === impl Basis ===

impl Basis {
    /// What the watch can begin with; `None` where no consent is in force, and then nothing is made.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn take(
        claim: &Claim,
        chance: &mut dyn Chance,
    ) -> Result<Option<Begun>, StateError> {
        let Some(given) = consent_in_force(claim.state())? else {
            return Ok(None);
        };
        let keys = claim.keys(chance)?;
        Ok(Some(Begun {
            basis: Self::of(&given, &keys),
            keys,
            mark: claim.state().decisions_mark(),
        }))
    }

    /// Whether it still stands. Makes nothing, and needs no claim.
    ///
    /// # Errors
    /// [`StateError`] where nobody can tell.
    pub(super) fn standing(self, state: &State) -> Result<Standing, StateError> {
        let (given, keys) = (consent_in_force(state)?, state.known_keys()?);
        Ok(match given.zip(keys) {
            None => Standing::Withdrawn,
            Some((given, keys)) if Self::of(&given, &keys) == self => Standing::Stands,
            Some(_) => Standing::Another,
        })
    }

    fn of(given: &Given, keys: &Keys) -> Self {
        Self {
            consent: given.hash(),
            secret: Hash::of(keys.local.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::household::{consent_grant, send};
    use crate::run::tests::home::{Home, yesterday};

    fn take(home: &mut Home) -> anyhow::Result<Option<Begun>> {
        let claim = home.environment.state.claim()?;
        Ok(Basis::take(&claim, &mut *home.environment.chance)?)
    }

    #[test]
    fn without_consent_there_is_no_basis_and_no_key_is_made() -> anyhow::Result<()> {
        let mut home = Home::new(yesterday())?;
        assert!(take(&mut home)?.is_none());
        assert!(home.environment.state.home_key()?.is_none());
        Ok(())
    }

    #[test]
    fn a_basis_outlasts_decisions_and_a_rotation_but_no_withdrawal() -> anyhow::Result<()> {
        let mut home = Home::willing(yesterday())?;
        let begun = take(&mut home)?.expect("consent is in force");
        let basis = begun.basis;
        send(&mut home.environment, false, &mut home.out)?;
        let state = home.environment.state.clone();
        assert_ne!(state.decisions_mark(), begun.mark);
        {
            let claim = state.claim()?;
            claim.begin_rotation(&mut *home.environment.chance)?;
            assert_eq!(basis.standing(&state)?, Standing::Stands);
            claim.finish_rotation()?;
        }
        assert_eq!(basis.standing(&state)?, Standing::Stands);

        state.claim()?.revoke_consent()?;
        assert_eq!(basis.standing(&state)?, Standing::Withdrawn);
        // The clock of this home stands still: the consent is the same to the byte, the home is not.
        state.claim()?.forget_home()?;
        assert_eq!(basis.standing(&state)?, Standing::Withdrawn);
        consent_grant(&mut home.environment, true, &mut home.out)?;
        assert_eq!(basis.standing(&state)?, Standing::Another);
        Ok(())
    }
}
