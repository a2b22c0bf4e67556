//! The daemon's configuration: TOML as written -> [`Config`], valid by existing.
//!
//! Parsed wholly before anything is opened; a mistake is one sentence with file and line. Every key
//! has a default, so an empty file is a configuration. `deploy/agent.toml` shows every key. Nothing
//! here decides what is observed or sent: that is the household's, and stands in the state folder.

mod raw;

use crate::spool::SpoolLimits;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tracing::level_filters::LevelFilter;

/// Where packages put the configuration. Commands that are given no `--state` look here for the
/// state folder, so that they speak of the same home as the daemon.
pub const PLACE: &str = "/etc/phonehome/agent.toml";

/// Everything a daemon is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Holds what must outlast a reboot: key, decisions, ledger.
    pub state_dir: PathBuf,
    /// Holds what may die with the power: the spool, and what `status` shows. Meant to be memory.
    pub run_dir: PathBuf,
    /// Whom the daemon becomes before it reads the first packet.
    pub user: User,
    /// Where connections are read from.
    pub source: SourceChoice,
    /// The home's interfaces; empty: they are found.
    pub interfaces: Vec<String>,
    /// How much is logged to stderr.
    pub log: LevelFilter,
    /// Where batches wait.
    pub spool: SpoolConfig,
    /// Over how long after midnight UTC a home's daily upload is spread by chance.
    pub spread: Duration,
}

/// Whom the daemon becomes when it was started as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// `phonehome` if the system knows that user, else `nobody`.
    Found,
    /// This one.
    Named(String),
    /// Nobody else: it stays who it is, for service managers that have changed the user already.
    Stay,
}

/// Where connections are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChoice {
    /// The kernel's connection table and a tap for names, if the kernel keeps accounts and this is
    /// the home's gateway; else the tap alone.
    Auto,
    /// Both, or nothing.
    Conntrack,
    /// The tap alone.
    Tap,
}

/// Where batches wait for the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolConfig {
    /// In the state folder instead of the run folder: they outlast a reboot and wear the flash.
    pub is_on_disk: bool,
    /// How much waits at most.
    pub limits: SpoolLimits,
}

/// Why a text is no configuration: where, and one sentence.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    sentence: String,
}

/// Bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

// === impl Config ===

impl Config {
    /// The configuration in a file.
    ///
    /// # Errors
    /// [`ConfigError`], also when the file cannot be read.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read(file).map_err(|sentence| ConfigError::of(file, None, sentence))?;
        Self::parse(&text, file)
    }

    /// The same; `None` when there is no such file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load_if_there(file: &Path) -> Result<Option<Self>, ConfigError> {
        match std::fs::symlink_metadata(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            _ => Self::load(file).map(Some),
        }
    }

    /// The configuration in `text`, which stands in `file`: paths are relative to its folder, and
    /// messages name it.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong, and in which line.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        raw::parse(text)
            .and_then(|raw| raw.validate(file.parent().unwrap_or_else(|| Path::new(""))))
            .map_err(|wrong| ConfigError::of(file, wrong.line(text), wrong.sentence))
    }
}

/// A whole text file, if it is one and not too long.
fn read(file: &Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 > FILE_BYTES_MAX => Err("it is longer than 64 KiB".to_owned()),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

impl ConfigError {
    fn of(file: &Path, line: Option<usize>, sentence: String) -> Self {
        Self {
            file: file.to_owned(),
            line,
            sentence,
        }
    }
}

impl fmt::Display for ConfigError {
    /// `agent.toml:7: 'source' is "auto", "conntrack" or "tap"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.sentence)
    }
}

#[cfg(test)]
mod tests;
