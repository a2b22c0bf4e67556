//! The state folder: all that an agent remembers.
//!
//! One folder per home, mode 0700; its files are of mode 0600 and replaced whole (see `durable`).
//! Deleting it deletes the home: a new folder is a new key, a new secret and new device tags.
//!
//! | file | holds |
//! |---|---|
//! | `home.key` | seed of the home's Ed25519 key, 64 hexadecimal digits |
//! | `home.key.next` | the same of the key that follows, while a rotation is under way |
//! | `home.former` | the public halves of the keys before, one a line |
//! | `local.secret` | what device tags are made with, 64 hexadecimal digits; it never leaves |
//! | `consent` | the household's consent, sealed with the home's key |
//! | `devices.json` | the devices the household has decided about |
//! | `endpoints` | an endpoint list made after this agent, sealed by the project, that the household wants |
//! | `endpoints.before` | the one before |
//! | `sending` | `on` or `off`; no file means off |
//! | `collector.json` | the collector that took this home in, and its receipt |
//! | `manifest` | the collector's rules as last seen, as they were signed |
//! | `ledger.json` | what was accepted and what was lost |
//! | `withdrawal` | what the collector must be told, while the home is leaving |
//! | `erasure` | its signed answer; all that is left of a home |
//! | `sightings.json` | which devices were there on which of the last days |
//! | `spool/` | sealed batches of `replay` on their way |
//! | `spool.daemon/` | the daemon's, where the configuration wants them to outlast a reboot |
//! | `spool.devices` | the local tags of the devices those tell of |
//! | `daemon.json` | where the daemon keeps what changes often |
//! | `run.lock` | held by the one daemon that runs |
//! | `lock` | held by the one agent that may write |
//!
//! [`State`] reads and never writes. Writing takes a [`Claim`], and there is one at a time: two
//! agents that share a state would drop each other's batches.

mod daemon;
mod devices;
mod endpoints;
mod enrolled;
mod ledger;
mod secrets;
mod sightings;
mod withdrawal;

pub use daemon::{DaemonPlaces, DecisionsMark, Running};
pub use devices::{Decision, DeviceList, DeviceName, NotADeviceName, TooManyDevices};
pub use enrolled::Enrolled;
pub use ledger::{Gone, Ledger};
pub use secrets::{Keys, LocalSecret};
pub use sightings::{DAYS, Looks, REGULAR_DAYS_MIN, Sighting, Sightings};

use crate::durable;
use crate::seal::file::{self, FILE_BYTES_MAX};
use phonehome_proto::seal::SealedBatch;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A state folder, to be read. It need not be there yet.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

/// A state folder, to be written: nobody else can.
#[derive(Debug)]
pub struct Claim {
    state: State,
    /// Closing it gives the claim up, also when the agent dies.
    _lock: File,
}

/// Why the state cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// Nobody said where it is.
    #[error("there is no place for the agent's state: give --state DIR, or set HOME")]
    NoPlace,
    /// Another agent has it.
    #[error("the state folder {0} is in use by another agent")]
    InUse(PathBuf),
    /// Others could change what it holds.
    #[error("the state folder {} {how}", path.display())]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        how: durable::Exposed,
    },
    /// The disk refuses.
    #[error("{path} cannot be used: {source}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} is damaged at line {line}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, without what stands there.
        what: String,
    },
}

/// Bytes of the largest file in the folder; a larger one is damaged.
const STATE_FILE_BYTES_MAX: u64 = 1024 * 1024;
const _: () = assert!(FILE_BYTES_MAX as u64 <= STATE_FILE_BYTES_MAX);

const CONSENT: &str = "consent";
const MANIFEST: &str = "manifest";
const SENDING: &str = "sending";
const LOCK: &str = "lock";
const SPOOL: &str = "spool";

/// Where the state is: `asked` if somebody asked for a place, else `$XDG_STATE_HOME/phonehome`, else
/// `~/.local/state/phonehome` (XDG base directory specification 0.8).
///
/// # Errors
/// [`StateError::NoPlace`] when neither is known.
pub fn folder(
    asked: Option<PathBuf>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, StateError> {
    // The specification: a relative path is not valid and is to be ignored.
    let absolute = |name| {
        environment(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    asked
        .or_else(|| absolute("XDG_STATE_HOME").map(|home| home.join("phonehome")))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/phonehome")))
        .ok_or(StateError::NoPlace)
}

// === impl State ===

impl State {
    /// The state in `folder`.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Takes the folder to write, making it if need be; what a crash left unfinished is removed.
    ///
    /// # Errors
    /// [`StateError::InUse`], [`StateError::Exposed`], [`StateError::Disk`].
    pub fn claim(&self) -> Result<Claim, StateError> {
        let disk = |source| StateError::Disk {
            path: self.folder.clone(),
            source,
        };
        durable::make_folder(&self.folder).map_err(disk)?;
        if let Err(how) = durable::is_private(&self.folder).map_err(disk)? {
            let path = self.folder.clone();
            return Err(StateError::Exposed { path, how });
        }
        let lock = durable::open_to_lock(&self.path(LOCK)).map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse(self.folder.clone())),
            Err(TryLockError::Error(source)) => return Err(disk(source)),
        }
        durable::sweep(&self.folder).map_err(disk)?;
        Ok(Claim {
            state: self.clone(),
            _lock: lock,
        })
    }

    /// The household's consent as it was signed; nothing about it is verified.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn consent(&self) -> Result<Option<SealedBatch>, StateError> {
        self.sealed(CONSENT)
    }

    /// The collector's rules as last seen; nothing about them is verified.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn manifest(&self) -> Result<Option<SealedBatch>, StateError> {
        self.sealed(MANIFEST)
    }

    /// Whether sending is on.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn sending(&self) -> Result<bool, StateError> {
        match self.read(SENDING)?.as_deref() {
            None | Some(b"off\n") => Ok(false),
            Some(b"on\n") => Ok(true),
            Some(_) => Err(self.damaged(SENDING, 1, "it says neither 'on' nor 'off'")),
        }
    }

    /// Where the spool is.
    #[must_use]
    pub fn spool_folder(&self) -> PathBuf {
        self.path(SPOOL)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.path(name);
        durable::read(&path, STATE_FILE_BYTES_MAX).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => self.damaged(name, 1, "it is far too large"),
            _ => StateError::Disk { path, source },
        })
    }

    fn sealed(&self, name: &str) -> Result<Option<SealedBatch>, StateError> {
        let Some(bytes) = self.read(name)? else {
            return Ok(None);
        };
        file::from_bytes(&bytes).map(Some).map_err(|not_sealed| {
            let line = usize::try_from(not_sealed.line).unwrap_or(1);
            self.damaged(name, line, &format!("it is not {}", not_sealed.expected))
        })
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let Some(bytes) = self.read(name)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            // serde_json's own text may quote what stands in the file.
            let what = match error.classify() {
                serde_json::error::Category::Data => {
                    "a field is missing, unknown or of a wrong kind"
                }
                _ => "it is not JSON",
            };
            self.damaged(name, error.line().max(1), what)
        })
    }

    fn damaged(&self, name: &str, line: usize, what: &str) -> StateError {
        StateError::Damaged {
            path: self.path(name),
            line,
            what: what.to_owned(),
        }
    }
}

// === impl Claim ===

impl Claim {
    /// The same, to be read.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Keeps the household's consent.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn set_consent(&self, record: &SealedBatch) -> Result<(), StateError> {
        self.write(CONSENT, &file::to_bytes(record))
    }

    /// Keeps the collector's rules; those that did not change are kept already.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn set_manifest(&self, manifest: &SealedBatch) -> Result<(), StateError> {
        if self.state.manifest()?.as_ref() == Some(manifest) {
            return Ok(());
        }
        self.write(MANIFEST, &file::to_bytes(manifest))
    }

    /// Turns sending on or off.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn set_sending(&self, on: bool) -> Result<(), StateError> {
        self.write(SENDING, if on { b"on\n" } else { b"off\n" })
    }

    /// Removes a file for good; one that is not there is removed already.
    fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.state.path(name);
        let removed = durable::remove(&path).and_then(|()| durable::settle(&self.state.folder));
        removed.map_err(|source| StateError::Disk { path, source })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StateError> {
        let path = self.state.path(to);
        let renamed = std::fs::rename(self.state.path(from), &path)
            .and_then(|()| durable::settle(&self.state.folder));
        renamed.map_err(|source| StateError::Disk { path, source })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.state.path(name);
        durable::write(&path, bytes).map_err(|source| StateError::Disk { path, source })
    }

    fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), StateError> {
        let mut bytes = serde_json::to_vec_pretty(value).expect("records are plain data");
        bytes.push(b'\n');
        self.write(name, &bytes)
    }
}

impl AsRef<Path> for State {
    fn as_ref(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests;
