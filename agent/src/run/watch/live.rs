//! How the daemon fares, as a file that `status` reads.
//!
//! `live.json` in the run folder, rewritten every minute and in memory, so that it costs no flash. It
//! is for the household's own eyes and never sent; it holds numbers, names of interfaces and
//! sentences, no address and no device.

use crate::durable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The file. A reader of another version takes what it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Live {
    /// What the daemon is doing.
    pub phase: Phase,
    /// What it waits for, or what is amiss, in sentences.
    pub notes: Vec<String>,
    /// Since when it watches, RFC 3339; absent while there is no date.
    pub watching_since: Option<String>,
    /// What connections are read from.
    pub source: Option<String>,
    /// The home's interfaces.
    pub networks: Vec<String>,
    /// Those that it does not hear, and why, in sentences.
    pub unheard: Vec<String>,
    /// Who vouches for the clock: `kernel`, `marker`, `collector`; absent while nobody does.
    pub clock: Option<String>,
    /// Devices seen in the last ten days, today, and those of the latter that are observed.
    pub devices: u64,
    /// See `devices`.
    pub devices_today: u64,
    /// See `devices`.
    pub allowed_today: u64,
    /// Conversations going on.
    pub flows: u64,
    /// Frames seen since it watches.
    pub frames: u64,
    /// Conversations over since it watches, and those of them that are part of a report.
    pub contacts: u64,
    /// See `contacts`.
    pub observed: u64,
    /// What was missed since it watches, by the words of the batch's losses.
    pub missed: BTreeMap<String, u64>,
    /// The last day that was sealed, `2026-11-22`.
    pub last_day: Option<String>,
    /// Parts of days that stay at home, because a gate was shut when they were over.
    pub kept_home: u64,
    /// When it sends next, RFC 3339.
    pub next_upload: Option<String>,
    /// Why it cannot send.
    pub trouble: Option<LiveTrouble>,
    /// What protects the rest of the router from it.
    pub protections: Option<String>,
}

/// Why the daemon cannot send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTrouble {
    /// In a word.
    pub kind: String,
    /// In a sentence.
    pub sentence: String,
    /// Since when, RFC 3339; absent if there was no date then.
    pub since: Option<String>,
}

/// What the daemon is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It has begun.
    #[default]
    Starting,
    /// It holds no socket until the household agrees.
    WaitingForConsent,
    /// No network leads to phones.
    WaitingForNetworks,
    /// It watches.
    Watching,
    /// It watches nothing any more, and tells the collector that the home has left.
    Leaving,
}

/// Bytes of the largest such file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

// === impl Live ===

impl Live {
    /// What a daemon last wrote; `None` where none has, or where it cannot be read by this version.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let bytes = durable::read(path, FILE_BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Writes it in place of the one before.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("numbers and texts");
        bytes.push(b'\n');
        durable::place(path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_newer_words_are_passed_over() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("live.json");
        assert_eq!(Live::read(&path)?, None);
        let live = Live {
            phase: Phase::Watching,
            flows: 7,
            ..Live::default()
        };
        live.write(&path)?;
        assert_eq!(Live::read(&path)?, Some(live));
        std::fs::write(&path, r#"{"phase":"watching","flows":7,"moon":"full"}"#)?;
        assert_eq!(Live::read(&path)?.map(|live| live.flows), Some(7));
        Ok(())
    }
}
