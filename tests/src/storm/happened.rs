//! What really happened: counted over all storms, so that nothing they are about goes missing in silence.
//!
//! Takes words as things happen, gives a list. An operation that did nothing where it stood is not
//! counted. [`Happened::missing`] names what must happen in any large number of storms and did not: a
//! simulation that stops doing something finds nothing any more, and would look the same.

use std::collections::BTreeMap;
use std::fmt;

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened(BTreeMap<Word, u64>);

/// A kind of things, and one of them.
type Word = (&'static str, &'static str);

/// Storms in which all of `MUST` happens; fewer may lack what is rare.
pub const ENOUGH: u64 = 5_000;

/// All that must happen.
const MUST: [(&str, &[&str]); 9] = [
    (
        "operation",
        &[
            "live",
            "jump forwards",
            "jump back",
            "skew",
            "join",
            "knock",
            "send",
            "together",
            "deliver",
            "replay",
            "conflict",
            "forge",
            "rotate",
            "withdraw",
            "revoke",
            "approve",
            "mode",
            "reboot",
            "tick",
            "restart",
            "crash",
            "cut",
            "cut-in-checkpoint",
            "full",
            "free",
            "atlas",
            "revise",
            "backup",
            "restore",
            "fold",
        ],
    ),
    (
        "network",
        &[
            "request lost",
            "answer lost",
            "request repeated",
            "request delayed",
            "delayed request arrives",
        ],
    ),
    (
        "batch",
        &[
            "accepted",
            "repeated",
            "put off",
            "bad_signature",
            "unknown_key",
            "not_approved",
            "revoked",
            "key_retired",
            "conflict",
            "too_early",
            "too_late",
            "held on probation",
        ],
    ),
    (
        "membership",
        &[
            "enrolment accepted",
            "enrolment repeated",
            "enrolment refused",
            "enrolment put off",
            "rotation accepted",
            "rotation repeated",
            "rotation refused",
            "rotation put off",
            "withdrawal accepted",
            "withdrawal repeated",
            "withdrawal refused",
            // Never put off: it frees more pages than it takes, so that who leaves can on a full disk.
            "approved",
            "was in before",
            "revoked before it was approved",
            "nobody to approve",
        ],
    ),
    (
        "disk",
        &[
            "nothing of it arrived",
            "all of it arrived",
            "a key file is torn",
            "the log is torn",
            "the ledger is torn",
            "torn in a checkpoint",
            "full: no start",
            "full: no tick",
        ],
    ),
    (
        "power cut",
        &["before it", "in the midst of it", "after it"],
    ),
    (
        "week",
        &[
            "opened",
            "released with numbers",
            "released without numbers",
            "destroyed",
            "no room for its release",
            "another atlas in its midst",
        ],
    ),
    (
        "revision",
        &[
            "now",
            "same tables",
            "nothing to tell",
            "twice",
            "still open",
            "not released",
            "final",
        ],
    ),
    (
        "restore",
        &[
            "an old ledger is refused",
            "batches since are lost",
            "who left stays gone",
            "who was revoked stays out",
            "a week is closed again",
            "a week is destroyed again",
            "a release comes back",
        ],
    ),
];

impl Happened {
    /// It happened once more.
    pub fn note(&mut self, kind: &'static str, what: &'static str) {
        self.note_many(kind, what, 1);
    }

    /// It happened so often.
    pub fn note_many(&mut self, kind: &'static str, what: &'static str, times: usize) {
        if times > 0 {
            *self.0.entry((kind, what)).or_default() += times as u64;
        }
    }

    /// It happened, where `is_so`.
    pub fn note_if(&mut self, is_so: bool, kind: &'static str, what: &'static str) {
        self.note_many(kind, what, usize::from(is_so));
    }

    /// What happened elsewhere happened too.
    pub fn add(&mut self, other: &Self) {
        for (word, times) in &other.0 {
            *self.0.entry(*word).or_default() += times;
        }
    }

    /// What should have happened and never did.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let all = MUST.iter();
        let all = all.flat_map(|(kind, whats)| whats.iter().map(move |what| (*kind, *what)));
        all.filter(|word| !self.0.contains_key(word))
            .map(|(kind, what)| format!("{kind}: {what}"))
            .collect()
    }
}

impl fmt::Display for Happened {
    /// A line for each kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for ((kind, what), times) in &self.0 {
            if last == Some(kind) {
                write!(f, ", {what} {times}")?;
            } else {
                let end = if last.is_some() { "\n" } else { "" };
                write!(f, "{end}{kind}: {what} {times}")?;
            }
            last = Some(kind);
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let mut happened = Happened::default();
        let all = happened.missing().len();
        assert!(happened.missing().contains(&"operation: crash".to_owned()));
        happened.note("operation", "crash");
        happened.note_many("operation", "send", 0);
        let mut sum = Happened::default();
        sum.add(&happened);
        sum.add(&happened);
        assert_eq!(sum.to_string(), "operation: crash 2\n");
        assert_eq!(sum.missing().len(), all - 1);
    }
}
