//! The log of releases: every one there is, in order, each line hashed with the one before.
//!
//! It stands in each release's folder as `releases.txt` and ends with that release, so that the folder's
//! signature covers it and nothing lies beside the folders. What stands in a line are the numbers alone:
//! pages and pictures of a later program may look better, what was said of a week never changes.
//!
//! ```text
//! phonehome-releases 1 KEY
//! NUMBER ID TABLES LINK
//! ```
//!
//! `TABLES` is the SHA-256 of the lines of `SHA256SUMS` that list CSV files; `LINK` is the SHA-256 of
//! `PREVIOUS NUMBER ID TABLES` and a newline, where the first line's previous link is the SHA-256 of the
//! heading. Whoever holds any folder can see whether a later one goes on where it ends.

use super::{File, sums};
use crate::format::csv;
use crate::format::table::{Table, TableName};
use crate::release::{Release, ReleaseId};
use phonehome_proto::id::{Hash, from_hex, to_hex};
use phonehome_proto::seal::VerifyingKey;

/// Its name in a folder.
pub const LOG: &str = "releases.txt";

/// So many releases a log lists at most: two a week for a century.
const LINES_MAX: usize = 10_400;

/// The list of releases up to one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    heading: String,
    lines: Vec<Line>,
}

/// One release on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    id: ReleaseId,
    tables: Hash,
    link: Hash,
}

impl Log {
    /// An empty log, which releases signed with this key continue.
    #[must_use]
    pub fn new(key: &VerifyingKey) -> Self {
        Self {
            heading: format!("phonehome-releases 1 {}\n", to_hex(key.as_bytes())),
            lines: Vec::new(),
        }
    }

    /// Adds a release.
    ///
    /// # Panics
    /// If it does not come after the last one: a week's revision ends before the next week closes.
    pub fn add(&mut self, release: &Release) {
        let tables = TableName::ALL.map(|name| {
            let text = csv::write(&Table::of(release, name));
            (format!("{}.csv", name.file_stem()), text.into_bytes())
        });
        let after = self.last().is_none_or(|last| last < release.id);
        assert!(after, "releases are listed in their order");
        self.push(release.id, of_tables(&tables));
    }

    /// The log of these releases up to and with the one called `id`.
    #[must_use]
    pub fn up_to(id: ReleaseId, releases: &[Release], key: &VerifyingKey) -> Self {
        let mut earlier: Vec<&Release> = releases.iter().filter(|of| of.id <= id).collect();
        earlier.sort_by_key(|release| release.id);
        let mut log = Self::new(key);
        for release in earlier {
            log.add(release);
        }
        log
    }

    fn push(&mut self, id: ReleaseId, tables: Hash) {
        let previous = self.lines.last().map(|line| line.link);
        let previous = previous.unwrap_or_else(|| Hash::of(self.heading.as_bytes()));
        let number = self.lines.len() + 1;
        let link = format!("{} {number} {id} {}\n", previous.to_hex(), tables.to_hex());
        let link = Hash::of(link.as_bytes());
        self.lines.push(Line { id, tables, link });
    }

    /// The last release on it.
    pub(super) fn last(&self) -> Option<ReleaseId> {
        self.lines.last().map(|line| line.id)
    }

    /// Whether it ends with this release, with these tables.
    pub(super) fn ends_with(&self, id: ReleaseId, tables: Hash) -> bool {
        let last = self.lines.last();
        last.is_some_and(|line| line.id == id && line.tables == tables)
    }

    /// Whether a later log goes on where this one ends.
    pub(super) fn is_continued_by(&self, later: &Self) -> bool {
        self.heading == later.heading && later.lines.starts_with(&self.lines)
    }

    /// The file.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = self.heading.clone();
        for (number, Line { id, tables, link }) in (1_usize..).zip(&self.lines) {
            out.push_str(&format!(
                "{number} {id} {} {}\n",
                tables.to_hex(),
                link.to_hex()
            ));
        }
        out
    }

    /// The log in a file that this key's collector wrote; `None` if a line does not follow from the one
    /// before, or anything is written otherwise than [`Self::write`] does.
    pub(super) fn read(text: &str, key: &VerifyingKey) -> Option<Self> {
        let mut log = Self::new(key);
        for line in text.strip_prefix(&log.heading)?.lines().take(LINES_MAX) {
            let mut parts = line.split(' ').skip(1);
            let (id, tables) = (parts.next()?.parse().ok()?, parts.next()?);
            if log.last().is_some_and(|last| last >= id) {
                return None;
            }
            log.push(id, Hash::from_slice(&from_hex(tables)?)?);
        }
        (log.write() == text).then_some(log)
    }
}

/// What the log says of a release's tables, from the sums of all its files.
pub(super) fn of_sums(sums: &str) -> Hash {
    let lines = sums.lines().filter(|line| line.ends_with(".csv"));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    Hash::of(lines.as_bytes())
}

/// The same, from the tables.
fn of_tables(tables: &[File]) -> Hash {
    let mut tables = tables.to_vec();
    tables.sort();
    Hash::of(sums(&tables).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use phonehome_proto::seal::SigningKey;

    fn key() -> VerifyingKey {
        SigningKey::from_seed(&[7; 32]).public()
    }

    fn later() -> Release {
        Release {
            id: "2026-W47.0".parse().expect("a release"),
            ..fixture::release()
        }
    }

    #[test]
    fn a_later_log_goes_on_where_an_earlier_one_ends() {
        let all = [later(), fixture::revised(), fixture::release()];
        let logs: Vec<Log> = ["2026-W46.0", "2026-W46.1", "2026-W47.0"]
            .map(|id| Log::up_to(id.parse().expect("a release"), &all, &key()))
            .into();
        for (index, log) in logs.iter().enumerate() {
            assert_eq!(log.lines.len(), index + 1);
            assert_eq!(Log::read(&log.write(), &key()).as_ref(), Some(log));
            assert!(logs[index..].iter().all(|later| log.is_continued_by(later)));
            assert!(
                logs[..index]
                    .iter()
                    .all(|earlier| !log.is_continued_by(earlier))
            );
        }
        let without = Log::up_to(later().id, &[fixture::revised(), later()], &key());
        assert!(!logs[0].is_continued_by(&without), "one was left out");
    }

    #[test]
    fn a_log_that_was_changed_is_none() {
        let all = [fixture::release(), fixture::revised(), later()];
        let text = Log::up_to(later().id, &all, &key()).write();
        let lines: Vec<&str> = text.lines().collect();
        let without_second = [lines[0], lines[1], lines[3]].join("\n") + "\n";
        let swapped = [lines[0], lines[2], lines[1], lines[3]].join("\n") + "\n";
        for changed in [
            without_second,
            swapped,
            text.replace("2026-W46.1", "2026-W46.2"),
            text.trim_end().to_owned(),
            text.replacen('1', "2", 1),
            text.clone() + "\n",
            String::new(),
        ] {
            assert_eq!(Log::read(&changed, &key()), None, "{changed}");
        }
        let other = SigningKey::from_seed(&[8; 32]).public();
        assert_eq!(Log::read(&text, &other), None, "another collector's");
    }
}
