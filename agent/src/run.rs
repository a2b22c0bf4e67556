//! The stages, put together: each command is a function of this module.
//!
//! This is the only module that sees every stage, and the only one that has a clock, chance and
//! patience: an [`Environment`] holds them, so that a whole home can be run in an exercise's time.
//! Commands write what was asked for to `out` and what else must be told to `err`, and end in `Ok` or
//! a [`Failure`]: one sentence and an exit code. Nothing here prints, exits or reads arguments.

pub mod devices;
pub mod endpoints;
pub mod enrol;
mod failure;
pub mod geo;
pub mod household;
pub mod inspect;
pub mod preview;
mod reading;
pub mod replay;
pub mod rotate;
pub mod setup;
pub mod status;
mod table;
pub mod watch;
pub mod withdraw;
pub mod world;

pub use failure::{Exit, Failure};

use crate::consent::{Gates, Given};
use crate::endpoints::Shelf;
use crate::state::{Claim, State, StateError};
use crate::uplink::{Pace, Waits};
use phonehome_proto::chance::{Chance, SystemChance};
use phonehome_proto::time::{Clock, SystemClock};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What a command needs of the world.
pub struct Environment {
    /// Where the home is remembered.
    pub state: State,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for keys, batch ids, nonces and jitter.
    pub chance: Box<dyn Chance>,
    /// Who waits for a busy collector.
    pub waits: Box<dyn Waits>,
    /// Endpoint lists opened so far, and the keys that open one.
    pub shelf: Shelf,
}

/// Waits in real time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemWaits;

// === impl Environment ===

impl Environment {
    /// The real world, with the state in `folder`.
    #[must_use]
    pub fn system(folder: PathBuf) -> Self {
        Self {
            state: State::at(folder),
            clock: Arc::new(SystemClock),
            chance: Box::new(SystemChance),
            waits: Box::new(SystemWaits),
            shelf: Shelf::default(),
        }
    }

    /// What the uplink needs of it.
    fn pace(&mut self) -> Pace<'_> {
        Pace {
            chance: &mut *self.chance,
            waits: &mut *self.waits,
        }
    }

    /// A number nobody outside can foresee.
    fn seed(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.chance.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }
}

impl Waits for SystemWaits {
    fn wait(&mut self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // A busy collector asked for it, or is out of reach; the pause is bounded in `uplink`.
        #[allow(
            clippy::disallowed_methods,
            reason = "the one place that waits for time to pass"
        )]
        Box::pin(tokio::time::sleep(pause))
    }
}

/// The consent in force, if there is one.
fn consent_in_force(state: &State) -> Result<Option<Given>, StateError> {
    let (Some(record), Some(ours)) = (state.consent()?, state.our_keys()?) else {
        return Ok(None);
    };
    Ok(Given::verify(&record, &ours).ok())
}

/// The gates, as the state folder has them.
fn gates(claim: &Claim) -> Result<Gates, StateError> {
    let state = claim.state();
    Ok(Gates {
        consent: consent_in_force(state)?,
        devices_allowed: state.devices()?.allowed().count(),
        sending: state.sending()?,
        enrolled: state.enrolled()?.is_some(),
    })
}

#[cfg(test)]
mod tests;
