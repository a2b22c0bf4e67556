//! A home that leaves: what it said, what it was told, and that the rest is gone.
//!
//! The consent goes first: from then on no batch is sealed and no upload begins, and a daemon that runs
//! stops observing when it next looks, within seconds. Then what was waiting goes. What must be told to the collector stays in `withdrawal` until it was told; its answer is kept
//! in `erasure`, for the household to show. Only then do the keys go, and `withdrawal` last: whatever
//! is interrupted is taken up again by whoever finds that file.

use super::{Claim, State, StateError};
use crate::durable;
use crate::seal::file;
use phonehome_proto::seal::SealedBatch;
use std::fs;
use std::io;

const WITHDRAWAL: &str = "withdrawal";
const ERASURE: &str = "erasure";

/// What says whose home this was, in the order in which it goes. The erasure stays.
const REMAINS: [&str; 14] = [
    super::enrolled::COLLECTOR,
    super::MANIFEST,
    super::ledger::LEDGER,
    super::SENDING,
    super::endpoints::ENDPOINTS,
    super::endpoints::ENDPOINTS_BEFORE,
    super::devices::DEVICES,
    super::sightings::SIGHTINGS,
    super::daemon::DAEMON,
    super::secrets::LOCAL_SECRET,
    super::secrets::FORMER_KEYS,
    super::secrets::NEXT_KEY,
    super::secrets::HOME_KEY,
    WITHDRAWAL,
];

impl State {
    /// The withdrawal that is under way, as it was signed.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn withdrawal(&self) -> Result<Option<SealedBatch>, StateError> {
        self.sealed(WITHDRAWAL)
    }

    /// The collector's word that it has forgotten this home, as it was signed.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn erasure(&self) -> Result<Option<SealedBatch>, StateError> {
        self.sealed(ERASURE)
    }
}

impl Claim {
    /// Shuts every gate, and lets go what was waiting to be sent. Nothing is sealed after this, whatever
    /// else fails; a daemon looks every few seconds, and observes and sends nothing once it has seen it.
    ///
    /// # Errors
    /// [`StateError`]; the consent goes first.
    pub fn revoke_consent(&self) -> Result<(), StateError> {
        self.remove(super::CONSENT)?;
        self.remove(super::SENDING)?;
        if let Some(places) = self.state.daemon()? {
            places.clear()?;
        }
        let spool = self.state.spool_folder();
        let disk = |source| StateError::Disk {
            path: spool.clone(),
            source,
        };
        let entries = match fs::read_dir(&spool) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(disk)?,
        };
        for entry in entries {
            durable::remove(&entry.map_err(disk)?.path()).map_err(disk)?;
        }
        durable::settle(&spool).map_err(disk)
    }

    /// Keeps a withdrawal until the collector has answered it.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn set_withdrawal(&self, withdrawal: &SealedBatch) -> Result<(), StateError> {
        self.write(WITHDRAWAL, &file::to_bytes(withdrawal))
    }

    /// Keeps the collector's answer.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn set_erasure(&self, erasure: &SealedBatch) -> Result<(), StateError> {
        self.write(ERASURE, &file::to_bytes(erasure))
    }

    /// Deletes the home: its keys, decisions and accounts. The erasure stays. A crash within is taken
    /// up by calling it again.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget_home(&self) -> Result<(), StateError> {
        self.revoke_consent()?;
        REMAINS.iter().try_for_each(|name| self.remove(name))?;
        // Empty folders say nothing, and one that is not empty is not ours to delete.
        let _ = fs::remove_dir(self.state.spool_folder());
        Ok(())
    }
}
