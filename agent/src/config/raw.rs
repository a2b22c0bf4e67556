//! The configuration as written, and what makes it valid.

use super::{Config, SourceChoice, SpoolConfig, User};
use crate::spool::SpoolLimits;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Interfaces that may be listed.
const INTERFACES_MAX: usize = 16;

/// `IFNAMSIZ` (linux/if.h), the closing zero left out.
const INTERFACE_BYTES_MAX: usize = 15;

/// More batches than this no collector still takes: the oldest would be long past their week.
const SPOOL_BATCHES_MAX: u64 = 10_000;

/// Memory is what a router has least of.
const SPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The last hour of the day stays free for second tries.
const SPREAD_HOURS_MAX: u64 = 23;

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The key that is set wrongly.
    key: Option<String>,
    /// The line, counted from 0, where the parser knows it and no key does.
    line: Option<usize>,
    pub(super) sentence: String,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    state_dir: PathBuf,
    run_dir: PathBuf,
    user: Option<String>,
    source: String,
    interfaces: Vec<String>,
    log: String,
    spool: RawSpool,
    send: RawSend,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSpool {
    disk: bool,
    batches_max: u64,
    bytes_max: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSend {
    spread_hours: u64,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/var/lib/phonehome-agent"),
            run_dir: PathBuf::from("/var/run/phonehome"),
            user: None,
            source: "auto".to_owned(),
            interfaces: Vec::new(),
            log: "warn".to_owned(),
            spool: RawSpool::default(),
            send: RawSend::default(),
        }
    }
}

impl Default for RawSpool {
    fn default() -> Self {
        let limits = SpoolLimits::default();
        Self {
            disk: false,
            batches_max: limits.files_max as u64,
            bytes_max: limits.bytes_max,
        }
    }
}

impl Default for RawSend {
    fn default() -> Self {
        Self { spread_hours: 6 }
    }
}

/// The file as written.
pub(super) fn parse(text: &str) -> Result<Raw, Wrong> {
    basic_toml::from_str(text).map_err(|error| {
        let sentence = error.to_string();
        // The place goes in front of the sentence, and stands there only once.
        let sentence = match sentence.rfind(" at line ") {
            Some(end) => sentence[..end].to_owned(),
            None => sentence,
        };
        // Of a key it does not know the parser tells the table's line.
        let unknown = sentence.strip_prefix("unknown field `");
        let key = unknown.and_then(|rest| Some(rest.split_once('`')?.0.to_owned()));
        Wrong {
            key,
            line: error.line_col().map(|(line, _)| line),
            sentence: sentence.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    })
}

impl Raw {
    /// The configuration, paths relative to `folder`.
    pub(super) fn validate(self, folder: &Path) -> Result<Config, Wrong> {
        for (key, path) in [("state_dir", &self.state_dir), ("run_dir", &self.run_dir)] {
            if path.as_os_str().is_empty() {
                return Err(wrong(key, format!("'{key}' is empty")));
            }
        }
        let (state_dir, run_dir) = (folder.join(&self.state_dir), folder.join(&self.run_dir));
        if state_dir == run_dir {
            let sentence = "'run_dir' and 'state_dir' are one folder: one is rewritten every minute, \
                            the other is kept";
            return Err(wrong("run_dir", sentence));
        }
        Ok(Config {
            state_dir,
            run_dir,
            user: match self.user.as_deref() {
                None => User::Found,
                Some("") => User::Stay,
                Some(name) => User::Named(name.to_owned()),
            },
            source: match self.source.as_str() {
                "auto" => SourceChoice::Auto,
                "conntrack" => SourceChoice::Conntrack,
                "tap" => SourceChoice::Tap,
                _ => {
                    let sentence = "'source' is \"auto\", \"conntrack\" or \"tap\"";
                    return Err(wrong("source", sentence));
                }
            },
            log: self.log.parse().map_err(|_| {
                let levels = "off, error, warn, info, debug or trace";
                wrong("log", format!("'log' is none of {levels}"))
            })?,
            spool: self.spool.validate()?,
            spread: self.send.validate()?,
            interfaces: interfaces(self.interfaces)?,
        })
    }
}

impl RawSpool {
    fn validate(&self) -> Result<SpoolConfig, Wrong> {
        let bytes_min = SpoolLimits::BYTES_MIN;
        if !(1..=SPOOL_BATCHES_MAX).contains(&self.batches_max) {
            let sentence = format!("'batches_max' is a number from 1 to {SPOOL_BATCHES_MAX}");
            return Err(wrong("batches_max", sentence));
        }
        if !(bytes_min..=SPOOL_BYTES_MAX).contains(&self.bytes_max) {
            let sentence = format!(
                "'bytes_max' is a number from {bytes_min}, which one batch may need, to \
                 {SPOOL_BYTES_MAX}"
            );
            return Err(wrong("bytes_max", sentence));
        }
        Ok(SpoolConfig {
            is_on_disk: self.disk,
            limits: SpoolLimits {
                files_max: usize::try_from(self.batches_max).expect("SPOOL_BATCHES_MAX is small"),
                bytes_max: self.bytes_max,
            },
        })
    }
}

impl RawSend {
    fn validate(&self) -> Result<Duration, Wrong> {
        if !(1..=SPREAD_HOURS_MAX).contains(&self.spread_hours) {
            let sentence = format!("'spread_hours' is a number from 1 to {SPREAD_HOURS_MAX}");
            return Err(wrong("spread_hours", sentence));
        }
        Ok(Duration::from_secs(self.spread_hours * 3_600))
    }
}

fn interfaces(names: Vec<String>) -> Result<Vec<String>, Wrong> {
    if names.len() > INTERFACES_MAX {
        let sentence = format!("'interfaces' lists more than {INTERFACES_MAX}");
        return Err(wrong("interfaces", sentence));
    }
    let is_name = |name: &String| {
        (1..=INTERFACE_BYTES_MAX).contains(&name.len())
            && !name
                .chars()
                .any(|c| c == '/' || c.is_whitespace() || c.is_control())
    };
    if names.iter().all(is_name) {
        Ok(names)
    } else {
        let sentence = "'interfaces' takes names of interfaces, like \"br-lan\"";
        Err(wrong("interfaces", sentence))
    }
}

fn wrong(key: &'static str, sentence: impl Into<String>) -> Wrong {
    Wrong {
        key: Some(key.to_owned()),
        line: None,
        sentence: sentence.into(),
    }
}

// === impl Wrong ===

impl Wrong {
    /// The line in `text`, counted from 1.
    pub(super) fn line(&self, text: &str) -> Option<usize> {
        // No key occurs in two tables.
        let is_set = |line: &str, key: &str| {
            let rest = line.trim_start().strip_prefix(key);
            rest.is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        let of_key = self
            .key
            .as_ref()
            .and_then(|key| text.lines().position(|line| is_set(line, key)));
        of_key.or(self.line).map(|line| line + 1)
    }
}
