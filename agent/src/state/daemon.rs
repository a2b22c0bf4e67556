//! The daemon of this home: where it keeps what may die with the power, whether it runs, and whether
//! the household has changed its mind meanwhile.
//!
//! The daemon's run folder is memory, and its spool is its own: commands that seal, `replay`, have
//! theirs in the state folder. `daemon.json` tells where both are, so that whoever knows the state
//! folder finds the rest; it is written when the place changes, which is once.

use super::{Claim, State, StateError};
use crate::durable;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where a daemon keeps what changes often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonPlaces {
    run_dir: PathBuf,
    spool: PathBuf,
}

/// The right to be the one daemon of this home.
#[derive(Debug)]
pub struct Running {
    /// Closing it gives the right up, also when the daemon dies.
    _lock: File,
}

/// Which decisions of the household stand; another one when any of them was written anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionsMark(Vec<Option<(u64, i64, i64)>>);

/// `daemon.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    run_dir: String,
    spool: String,
}

pub(super) const DAEMON: &str = "daemon.json";
const RUN_LOCK: &str = "run.lock";
const SPOOL_ON_DISK: &str = "spool.daemon";
const SPOOL: &str = "spool";
const SPOOL_DEVICES: &str = "devices";
const LIVE: &str = "live.json";
const UNFINISHED_DAYS: &str = "days";
const CLOCK_MARKER: &str = "clock-set";

/// What the daemon looks at again and again.
const DECISIONS: [&str; 8] = [
    super::CONSENT,
    super::SENDING,
    super::endpoints::ENDPOINTS,
    // No decision of the household's; but which of its lists is used goes by what the collector counts.
    super::MANIFEST,
    super::devices::DEVICES,
    super::enrolled::COLLECTOR,
    super::secrets::HOME_KEY,
    super::secrets::LOCAL_SECRET,
];

// === impl DaemonPlaces ===

impl DaemonPlaces {
    /// With its spool in memory too, or in the state folder, where it outlasts a reboot.
    #[must_use]
    pub fn new(state: &State, run_dir: &Path, is_spool_on_disk: bool) -> Self {
        Self {
            run_dir: run_dir.to_owned(),
            spool: if is_spool_on_disk {
                state.path(SPOOL_ON_DISK)
            } else {
                run_dir.join(SPOOL)
            },
        }
    }

    /// The folder of what may die with the power.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Where its batches wait.
    #[must_use]
    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// Whom the batches in the spool tell of: it goes where they go.
    #[must_use]
    pub fn spool_devices(&self) -> PathBuf {
        self.spool.with_extension(SPOOL_DEVICES)
    }

    /// What `status` reads.
    #[must_use]
    pub fn live(&self) -> PathBuf {
        self.run_dir.join(LIVE)
    }

    /// Parts of days that are not over, from before a restart.
    #[must_use]
    pub fn unfinished_days(&self) -> PathBuf {
        self.run_dir.join(UNFINISHED_DAYS)
    }

    /// The file that somebody touches who has just set the clock.
    #[must_use]
    pub fn clock_marker(&self) -> PathBuf {
        self.run_dir.join(CLOCK_MARKER)
    }

    /// Removes all that a daemon of this home left: batches, parts of days, what it saw. The folders
    /// stay.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn clear(&self) -> Result<(), StateError> {
        for folder in [&self.spool, &self.unfinished_days()] {
            let disk = |source| StateError::Disk {
                path: folder.clone(),
                source,
            };
            let entries = match fs::read_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(disk)?,
            };
            for entry in entries {
                durable::remove(&entry.map_err(disk)?.path()).map_err(disk)?;
            }
        }
        [self.spool_devices(), self.live()]
            .into_iter()
            .try_for_each(|path| {
                durable::remove(&path).map_err(|source| StateError::Disk { path, source })
            })
    }
}

impl State {
    /// Where this home's daemon keeps what changes often; `None` when it has never run.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn daemon(&self) -> Result<Option<DaemonPlaces>, StateError> {
        let record = self.json::<Record>(DAEMON)?;
        Ok(record.map(|record| DaemonPlaces {
            run_dir: record.run_dir.into(),
            spool: record.spool.into(),
        }))
    }

    /// Takes the right to be the one daemon of this home. The state folder must be there.
    ///
    /// # Errors
    /// [`StateError::InUse`], [`StateError::Disk`].
    pub fn begin_run(&self) -> Result<Running, StateError> {
        let path = self.path(RUN_LOCK);
        let disk = |source| StateError::Disk {
            path: path.clone(),
            source,
        };
        let lock = durable::open_to_lock(&path).map_err(disk)?;
        match lock.try_lock() {
            Ok(()) => Ok(Running { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(self.folder.clone())),
            Err(TryLockError::Error(source)) => Err(disk(source)),
        }
    }

    /// Whether a daemon of this home runs.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn is_running(&self) -> Result<bool, StateError> {
        let path = self.path(RUN_LOCK);
        let disk = |source| StateError::Disk {
            path: path.clone(),
            source,
        };
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(disk)?,
        };
        // Shared, and gone with this function: a daemon that starts meanwhile tries again.
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(disk(source)),
        }
    }

    /// Which decisions of the household stand. Cheap: no file is opened.
    #[must_use]
    pub fn decisions_mark(&self) -> DecisionsMark {
        let mark = |name: &str| {
            let meta = fs::metadata(self.path(name)).ok()?;
            // Files are replaced whole, so the number of the file tells as well as the time.
            Some((meta.ino(), meta.mtime(), meta.mtime_nsec()))
        };
        DecisionsMark(DECISIONS.iter().map(|name| mark(name)).collect())
    }
}

impl Claim {
    /// Keeps where the daemon is; what did not change is kept already.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn set_daemon(&self, places: &DaemonPlaces) -> Result<(), StateError> {
        if self.state.daemon()?.as_ref() == Some(places) {
            return Ok(());
        }
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let record = Record {
            run_dir: text(&places.run_dir),
            spool: text(&places.spool),
        };
        self.write_json(DAEMON, &record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_daemon_runs_at_a_time_and_everybody_can_tell() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let state = State::at(folder.path().to_owned());
        assert!(!state.is_running()?);
        let running = state.begin_run()?;
        assert!(state.is_running()?);
        assert!(matches!(state.begin_run(), Err(StateError::InUse(_))));
        // Commands can still write.
        drop(state.claim()?);
        drop(running);
        assert!(!state.is_running()?);
        Ok(())
    }

    #[test]
    fn the_daemons_places_are_found_and_cleared() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let state = State::at(folder.path().join("state"));
        let claim = state.claim()?;
        assert_eq!(state.daemon()?, None);
        let run_dir = folder.path().join("run");
        let places = DaemonPlaces::new(&state, &run_dir, false);
        claim.set_daemon(&places)?;
        assert_eq!(state.daemon()?.as_ref(), Some(&places));
        let disk = DaemonPlaces::new(&state, &run_dir, true);
        assert!(disk.spool().starts_with(folder.path().join("state")));
        assert_ne!(disk.spool(), state.spool_folder());

        places.clear()?;
        durable::make_folder(places.spool())?;
        durable::write(&places.spool().join("0000000001.batch"), b"x")?;
        durable::write(&places.live(), b"{}")?;
        places.clear()?;
        assert_eq!(fs::read_dir(places.spool())?.count(), 0);
        assert!(!places.live().exists());
        Ok(())
    }

    #[test]
    fn a_decision_written_anew_is_another_mark() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let state = State::at(folder.path().to_owned());
        let claim = state.claim()?;
        let before = state.decisions_mark();
        assert_eq!(before, state.decisions_mark());
        claim.set_sending(true)?;
        let on = state.decisions_mark();
        assert_ne!(before, on);
        claim.set_sending(false)?;
        assert_ne!(on, state.decisions_mark());
        Ok(())
    }
}
