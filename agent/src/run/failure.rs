//! How a command fails: one clear sentence, and the code the process exits with.

use crate::config::ConfigError;
use crate::consent::Shut;
use crate::sandbox::SandboxError;
use crate::spool::SpoolError;
use crate::state::StateError;
use crate::uplink::{ConnectFailure, UplinkError};
use std::io;
use thiserror::Error;

/// Why a command did not do what was asked.
#[derive(Debug, Error)]
#[error("{sentence}")]
pub struct Failure {
    exit: Exit,
    sentence: String,
}

/// What the process exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Whoever read the output has gone away and has what they wanted.
    ReaderGone,
    /// It was done, and something was found that somebody should look at.
    Finding,
    /// The arguments do not fit together.
    Usage,
    /// The state, or another setting, is wrong.
    BadConfig,
    /// The input cannot be read.
    BadInput,
    /// A gate is shut, or something that is needed is not there.
    Unavailable,
    /// A mistake of ours.
    Bug,
}

// === impl Exit ===

impl Exit {
    /// The number, as in `sysexits.h` where it has one.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Finding => 1,
            Self::Usage => 2,
            Self::BadConfig => 64,
            Self::BadInput => 65,
            Self::Unavailable => 69,
            Self::Bug => 70,
        }
    }
}

// === impl Failure ===

impl Failure {
    /// A failure with this sentence.
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self {
            exit,
            sentence: sentence.into(),
        }
    }

    /// What the process exits with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<io::Error> for Failure {
    /// Output that cannot be written. A closed pipe is a reader that has seen enough, as with `head`,
    /// and no failure at all.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::new(Exit::ReaderGone, "the reader has gone")
        } else {
            Self::new(
                Exit::Unavailable,
                format!("the output cannot be written: {error}"),
            )
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::BadConfig, error.to_string())
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let exit = match &error {
            StateError::NoPlace | StateError::Damaged { .. } | StateError::Exposed { .. } => {
                Exit::BadConfig
            }
            StateError::InUse(_) | StateError::Disk { .. } => Exit::Unavailable,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let exit = match &error {
            SandboxError::NoSuchUser(_)
            | SandboxError::UserIsRoot(_)
            | SandboxError::Folder { .. } => Exit::BadConfig,
            SandboxError::Threads(_) => Exit::Bug,
            SandboxError::Step { .. } | SandboxError::StillHeld(_) | SandboxError::Landlock(_) => {
                Exit::Unavailable
            }
        };
        Self::new(exit, error.to_string())
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}

impl From<Shut> for Failure {
    fn from(shut: Shut) -> Self {
        Self::new(Exit::Unavailable, shut.to_string())
    }
}

impl From<ConnectFailure> for Failure {
    fn from(failure: ConnectFailure) -> Self {
        Self::new(Exit::Unavailable, failure.to_string())
    }
}

impl From<UplinkError> for Failure {
    fn from(error: UplinkError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}
