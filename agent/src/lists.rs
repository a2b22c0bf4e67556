//! Lists of names that a person loads to look at their own captures with.
//!
//! Takes the text of a list, as the Internet hands them round, gives a [`NameList`] that says of a
//! server's name whether the list names it. Three forms, line by line, also mixed:
//!
//! ```text
//! 0.0.0.0 metrics.example.com        hosts: this host and no other
//! example.com     *.example.com      domains: the name and everything below it
//! ||example.com^  @@||ok.example.com^    Adblock: the same; @@ takes a name and all below it out again
//! ```
//!
//! Promises:
//! 1. A list is for looking. Nothing but `inspect` reads one: what is observed, counted and sent is
//!    decided by the endpoint list alone.
//! 2. Memory is bounded: [`BYTES_MAX`] of text, [`ENTRIES_MAX`] names, [`LINE_BYTES_MAX`] a line.
//! 3. What is wrong is refused with its line, and the whole list with it; half a list would look like
//!    a whole one. Adblock rules that name no whole host are no mistake: they are counted as
//!    [left out](NameList::left_out).

mod line;
mod suffix;

pub(crate) use suffix::is_public as is_public_suffix;

use line::{Line, Scope};
use thiserror::Error;

/// Bytes of a list's text. The largest in use have a quarter of it.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Names of a list.
pub const ENTRIES_MAX: usize = 500_000;

/// Bytes of a line, its end not counted.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Names, and what is said of each.
#[derive(Debug, Default)]
pub struct NameList {
    /// The names of the entries, one after the other.
    names: String,
    /// Sorted by name; no name stands twice.
    entries: Vec<Entry>,
    left_out: u64,
}

/// A name, by where it lies in the text, and what holds for it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    len: u8,
    /// The host itself is named.
    host: bool,
    /// The name and everything below it is named.
    domain: bool,
    /// The name and everything below it is taken out.
    exception: bool,
}

/// Why a list is not loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct Refused {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is not text.
    #[error("this is not UTF-8")]
    NotUtf8,
    /// It is longer than [`LINE_BYTES_MAX`].
    #[error("a line has at most {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// It is one line or name too many.
    #[error("a list has at most {BYTES_MAX} bytes and {ENTRIES_MAX} names")]
    ListTooLong,
    /// It is none of the three forms.
    #[error("this is neither a host, nor a domain, nor a rule")]
    NoForm,
    /// What should be a host name is none.
    #[error("this is not a host name")]
    NotAName,
    /// It names everybody's domains below some registry.
    #[error("a wildcard over a public suffix would name everybody's hosts")]
    PublicSuffix,
}

// === impl NameList ===

impl NameList {
    /// Reads a list.
    ///
    /// # Errors
    /// [`Refused`], at the first line that is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let refused = |line, fault| Refused { line, fault };
        let line_of = |at: usize| 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        if bytes.len() > BYTES_MAX {
            return Err(refused(line_of(BYTES_MAX), Fault::ListTooLong));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| refused(line_of(error.valid_up_to()), Fault::NotUtf8))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);

        let mut list = Self::default();
        let mut form = line::Form::default();
        for (number, text) in (1..).zip(text.lines()) {
            if text.len() > LINE_BYTES_MAX {
                return Err(refused(number, Fault::LineTooLong));
            }
            match form.read(text).map_err(|fault| refused(number, fault))? {
                Line::Nothing => {}
                Line::LeftOut => list.left_out += 1,
                Line::Names(scope, names) => {
                    for name in names {
                        if list.entries.len() >= ENTRIES_MAX {
                            return Err(refused(number, Fault::ListTooLong));
                        }
                        list.push(scope, name);
                    }
                }
            }
        }
        list.sort();
        Ok(list)
    }

    /// Whether the list names this host (lower case, no dot at the end).
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let mut is_named = false;
        let mut name = host;
        loop {
            if let Some(entry) = self.find(name) {
                if entry.exception {
                    return false;
                }
                is_named |= entry.domain || entry.host && name.len() == host.len();
            }
            match name.split_once('.') {
                Some((_, parent)) => name = parent,
                None => return is_named,
            }
        }
    }

    /// How many names it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Rules that name no whole host, such as those for parts of a page: how many there were.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn push(&mut self, scope: Scope, name: &str) {
        let start = u32::try_from(self.names.len()).expect("BYTES_MAX is below");
        let len = u8::try_from(name.len()).expect("a host name has at most 253 bytes");
        self.names
            .extend(name.chars().map(|letter| letter.to_ascii_lowercase()));
        self.entries.push(Entry {
            start,
            len,
            host: scope == Scope::Host,
            domain: scope == Scope::Domain,
            exception: scope == Scope::Exception,
        });
    }

    fn sort(&mut self) {
        let Self { names, entries, .. } = self;
        entries.sort_unstable_by_key(|entry| entry.name(names));
        entries.dedup_by(|entry, kept| {
            let is_same = entry.name(names) == kept.name(names);
            if is_same {
                kept.host |= entry.host;
                kept.domain |= entry.domain;
                kept.exception |= entry.exception;
            }
            is_same
        });
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.name(&self.names).cmp(name));
        at.ok().map(|at| &self.entries[at])
    }
}

impl Entry {
    fn name<'a>(&self, names: &'a str) -> &'a str {
        let start = self.start as usize;
        &names[start..start + usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests;
