//! The tables that are small and move as a whole: what they are, and a walk through one of them on both sides.
//!
//! A walk goes by key through file and server at once, [`super::ROWS_TOGETHER`] rows of each in memory, and hashes
//! what is in the file. Where the two differ the server gets the file's rows, or the store is not moved.

use super::{MoveError, Source, Target};
use phonehome_proto::id::Hash;
use std::collections::BTreeSet;

/// One value of a row, the same in every engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row, its columns in the table's order.
pub(in crate::store) type Cells = Vec<Cell>;

/// A table that is small, and moves as a whole.
#[derive(Debug)]
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) columns: &'static [&'static str],
    /// The first so many columns are its key.
    pub(in crate::store) key: usize,
}

/// All but the journal, which moves by weeks, and what only one engine needs.
pub(in crate::store) const TABLES: [Table; 9] = [
    Table {
        name: "collector",
        columns: &["one", "audience", "purpose", "rules_hash", "serial"],
        key: 1,
    },
    Table {
        name: "homes",
        columns: &[
            "home",
            "enrolled_day",
            "enrolment_hash",
            "receipt",
            "state",
            "counted_from",
        ],
        key: 1,
    },
    Table {
        name: "keys",
        columns: &[
            "home",
            "key_hash",
            "key",
            "last_day",
            "rotation_hash",
            "receipt",
        ],
        key: 2,
    },
    Table {
        name: "invites",
        columns: &["token_hash", "expires_at", "uses_left"],
        key: 1,
    },
    Table {
        name: "places",
        columns: &["month", "place", "homes"],
        key: 2,
    },
    Table {
        name: "withdrawals",
        columns: &["withdrawal_hash", "sealed", "forget_at"],
        key: 1,
    },
    Table {
        name: "weeks",
        columns: &["week", "state", "key_check", "erasures", "revocations"],
        key: 1,
    },
    Table {
        name: "releases",
        columns: &["week", "revision", "text", "signature"],
        key: 2,
    },
    Table {
        name: "ledger",
        columns: &["number", "at", "event", "hash"],
        key: 1,
    },
];

/// What is done about rows that are not the same on both sides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mending {
    /// The server gets the file's.
    Copies,
    /// The store is not moved.
    Refuses,
}

/// What a walk through a table found in the file.
pub(super) struct Walked {
    pub(super) rows: u64,
    /// Over all rows in order: the server's too, if nothing was mended.
    pub(super) hash: Hash,
    pub(super) is_mended: bool,
}

/// Goes through a small table on both sides at once.
pub(super) async fn walk(
    source: &Source,
    target: &Target,
    table: &'static Table,
    mending: Mending,
) -> Result<Walked, MoveError> {
    let mut walked = Walked {
        rows: 0,
        hash: Hash::of(table.name.as_bytes()),
        is_mended: false,
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut our_end, mut their_end) = (Vec::new(), Vec::new());
    let (mut is_our_end, mut is_their_end) = (false, false);
    loop {
        if ours.is_empty() && !is_our_end {
            ours = source.read(table, our_end.clone()).await?;
            is_our_end = ours.is_empty();
            our_end = last_key(&ours, table, our_end);
        }
        if theirs.is_empty() && !is_their_end {
            theirs = target.read(table, their_end.clone()).await?;
            is_their_end = theirs.is_empty();
            their_end = last_key(&theirs, table, their_end);
        }
        // Up to the lower of both ends, both sides are known whole.
        let edge = match (ours.last(), theirs.last()) {
            (Some(ours), Some(theirs)) => (&ours[..table.key]).min(&theirs[..table.key]).to_vec(),
            (Some(row), None) | (None, Some(row)) => row[..table.key].to_vec(),
            (None, None) => return Ok(walked),
        };
        let within = |rows: &mut Vec<Cells>| -> BTreeSet<Cells> {
            let end = rows.partition_point(|row| row[..table.key] <= edge[..]);
            rows.drain(..end).collect()
        };
        let (here, there) = (within(&mut ours), within(&mut theirs));
        // Sorted by their keys, which come first: in the order they were read.
        for row in &here {
            walked.rows += 1;
            walked.hash = link(walked.hash, row);
        }
        if here == there {
            continue;
        }
        if mending == Mending::Refuses {
            return Err(MoveError::Differs(table.name));
        }
        walked.is_mended = true;
        let surplus: Vec<Cells> = there
            .difference(&here)
            .map(|row| row[..table.key].to_vec())
            .collect();
        let missing: Vec<Cells> = here.difference(&there).cloned().collect();
        target.replace(table, surplus, missing).await?;
    }
}

fn last_key(rows: &[Cells], table: &Table, before: Cells) -> Cells {
    rows.last().map_or(before, |row| row[..table.key].to_vec())
}

/// The hash over one row more.
pub(super) fn link(hash: Hash, row: &[Cell]) -> Hash {
    let mut bytes = hash.as_bytes().to_vec();
    for cell in row {
        let (kind, value): (u8, Vec<u8>) = match cell {
            Cell::Null => (0, Vec::new()),
            Cell::Number(number) => (1, number.to_be_bytes().to_vec()),
            Cell::Text(text) => (2, text.as_bytes().to_vec()),
            Cell::Bytes(value) => (3, value.clone()),
        };
        bytes.push(kind);
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&value);
    }
    Hash::of(&bytes)
}
