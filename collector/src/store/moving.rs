//! A collector's store moves from its file to a server, while it serves.
//!
//! Everything is copied while homes report; what changes meanwhile is noted by the file itself. Then
//! writing is paused, for seconds: what was noted is copied again, everything is compared, and the file
//! is marked as moved, for good: it refuses to be served and says where to go. Whatever goes wrong before
//! that, and however this process ends, the file goes on as it was when the pause runs out, and the
//! next attempt takes up the rest.
//!
//! What holds here:
//! - **A row counts as moved when both sides gave the same bytes for it**, read back after writing, and
//!   nothing noted a change of it since.
//! - **Nothing is written while the last of it is copied.** Triggers in the file refuse, whoever writes; a
//!   pause ends by itself after [`PAUSE_SECONDS`], and a mark is only set in a pause that is not over.
//! - **Two stores never serve at once**: the mark stands before anybody is told of the server.

use super::postgres::moving::Target;
use super::postgres::{Postgres, Server};
use super::sqlite::moving::Source;
use super::{BatchToken, HomeToken, JournalRow, Slice, Store, StoreError, WeekState};
use phonehome_proto::id::Hash;
use phonehome_proto::time::Week;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use thiserror::Error;

/// One value of a row, the same in every engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row, its columns in the table's order.
pub(super) type Cells = Vec<Cell>;

/// A table that is small, and moves as a whole.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    /// The first so many columns are its key.
    pub(super) key: usize,
}

/// All but the journal, which moves by weeks, and what only one engine needs.
pub(super) const TABLES: [Table; 9] = [
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

/// What identifies a batch in the journal.
pub(super) type Key = (Week, HomeToken, BatchToken);

/// Rows that are read, written and compared together.
pub(super) const ROWS_TOGETHER: u32 = 512;

/// Sealed bytes that are copied and compared together.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A pause ends after so long, whatever became of who asked for it.
pub const PAUSE_SECONDS: u32 = 120;

/// With fewer noted changes than this left to copy, writing is paused.
const CHANGES_LEFT_MAX: i64 = 5_000;

/// A file up to this size is compared whole once more in the pause; of a larger one, what was read back
/// when it was copied stands.
const COMPARED_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// Times that noted changes are copied while homes go on making more.
const ROUNDS_MAX: u32 = 100;

/// What was moved: each table's rows, and one hash over what is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// By table, in the order they were moved in.
    pub tables: Vec<(&'static str, u64, Hash)>,
}

/// Why a store was not moved. The file goes on as it was.
#[derive(Debug, Error)]
pub enum MoveError {
    /// Reading or writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server holds another collector's tables, or has served already.
    #[error("the database on the server is not empty, and not a move of this one")]
    Occupied,
    /// Something is not the same on both sides, though it was just copied.
    #[error("what was copied of '{0}' is not what was read: nothing was changed, try again")]
    Differs(&'static str),
    /// Homes report faster than it can be copied.
    #[error("homes report faster than their batches can be copied: try again at a quieter hour")]
    TooBusy,
}

/// Moves the file at `path` to `server`.
///
/// # Errors
/// [`MoveError`]; the file goes on as it was.
pub async fn move_to(path: &Path, server: Server) -> Result<Moved, MoveError> {
    let place = server.to_string();
    let source = Source::open(path).await?;
    let target = Target::of(Postgres::open(server, true).await?);
    if !target.is_to_be_filled().await? {
        return Err(MoveError::Occupied);
    }
    source.note_changes().await?;
    // Most of everything, while homes report.
    for table in &TABLES {
        copy(&source, &target, table).await?;
    }
    for week in open_weeks(&source).await? {
        copy_week(&source, &target, week).await?;
    }
    let mut rounds = 0;
    while source.changes().await? > CHANGES_LEFT_MAX {
        rounds += 1;
        if rounds > ROUNDS_MAX {
            return Err(MoveError::TooBusy);
        }
        copy_changes(&source, &target).await?;
    }
    // The rest, while nobody writes.
    source.pause(PAUSE_SECONDS).await?;
    match finish(&source, &target, &place).await {
        Ok(moved) => Ok(moved),
        Err(error) => {
            source.resume().await?;
            Err(error)
        }
    }
}

/// What is left to do in the pause; marks the file last.
async fn finish(source: &Source, target: &Target, place: &str) -> Result<Moved, MoveError> {
    let mut moved = Moved::default();
    for table in &TABLES {
        copy(source, target, table).await?;
    }
    while source.changes().await? > 0 {
        copy_changes(source, target).await?;
    }
    for table in &TABLES {
        let ours = digest(Side::Source(source), table).await?;
        let theirs = digest(Side::Target(target), table).await?;
        if ours != theirs {
            return Err(MoveError::Differs(table.name));
        }
        moved.tables.push((table.name, ours.0, ours.1));
    }
    if source.bytes().await? <= COMPARED_BYTES_MAX {
        let weeks = open_weeks(source).await?;
        let ours = digest_weeks(&source.store(), &weeks).await?;
        let theirs = digest_weeks(&target.store(), &weeks).await?;
        if ours != theirs {
            return Err(MoveError::Differs("journal"));
        }
        moved.tables.push(("journal", ours.0, ours.1));
    }
    target.begin_to_serve().await?;
    source.mark(place).await?;
    Ok(moved)
}

/// The weeks whose rows are kept.
async fn open_weeks(source: &Source) -> Result<Vec<Week>, StoreError> {
    let weeks = source.store().weeks().await?.into_iter();
    Ok(weeks
        .filter(|row| row.state < WeekState::Final)
        .map(|row| row.week)
        .collect())
}

/// Makes a small table on the server what it is in the file.
async fn copy(source: &Source, target: &Target, table: &'static Table) -> Result<(), MoveError> {
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
        if ours.is_empty() && theirs.is_empty() {
            return Ok(());
        }
        // Up to the lower of both ends, both sides are known whole.
        let edge = match (ours.last(), theirs.last()) {
            (Some(ours), Some(theirs)) => (&ours[..table.key]).min(&theirs[..table.key]).to_vec(),
            (Some(row), None) | (None, Some(row)) => row[..table.key].to_vec(),
            (None, None) => return Ok(()),
        };
        let within = |rows: &mut Vec<Cells>| -> BTreeSet<Cells> {
            let end = rows.partition_point(|row| row[..table.key] <= edge[..]);
            rows.drain(..end).collect()
        };
        let (here, there) = (within(&mut ours), within(&mut theirs));
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

/// Copies a week's rows and reads each back. What changed meanwhile is noted, and compared later.
async fn copy_week(source: &Source, target: &Target, week: Week) -> Result<(), MoveError> {
    target.open_week(week).await?;
    let (store, mut after) = (source.store(), None);
    loop {
        let page = store.journal_page(week, Slice::WHOLE, after, PAGE_BYTES_MAX);
        let page = page.await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some((last.home, last.batch));
        settle(target, page.iter().map(key).collect(), page).await?;
    }
}

/// Copies what was noted since it was last looked at, and forgets the notes.
async fn copy_changes(source: &Source, target: &Target) -> Result<(), MoveError> {
    let (notes, keys) = source.noted().await?;
    for week in open_weeks(source).await? {
        target.open_week(week).await?;
    }
    let rows = source.batches(keys.clone()).await?;
    settle(target, keys, rows).await?;
    Ok(source.forget_notes(notes).await?)
}

/// Under these keys the server holds these batches and no others; read back to be sure.
async fn settle(target: &Target, keys: Vec<Key>, rows: Vec<JournalRow>) -> Result<(), MoveError> {
    let by_key = |rows: Vec<JournalRow>| -> BTreeMap<Key, JournalRow> {
        rows.into_iter().map(|row| (key(&row), row)).collect()
    };
    let wanted = by_key(rows);
    let held = by_key(target.batches(keys.clone()).await?);
    if held == wanted {
        return Ok(());
    }
    let is_wanted = |(key, row): &(&Key, &JournalRow)| wanted.get(*key) == Some(*row);
    let surplus = held.iter().filter(|held| !is_wanted(held));
    let surplus: Vec<Key> = surplus.map(|(key, _)| *key).collect();
    let missing = wanted
        .iter()
        .filter(|(key, row)| held.get(*key) != Some(*row));
    let missing: Vec<JournalRow> = missing.map(|(_, row)| row.clone()).collect();
    target.replace_batches(surplus, missing).await?;
    if by_key(target.batches(keys).await?) == wanted {
        Ok(())
    } else {
        Err(MoveError::Differs("journal"))
    }
}

const fn key(row: &JournalRow) -> Key {
    (row.week, row.home, row.batch)
}

/// How many batches there are in these weeks, and one hash over all of them in order.
async fn digest_weeks(store: &Store, weeks: &[Week]) -> Result<(u64, Hash), StoreError> {
    let (mut count, mut hash) = (0, Hash::of(b"journal"));
    for week in weeks {
        let mut after = None;
        loop {
            let page = store.journal_page(*week, Slice::WHOLE, after, PAGE_BYTES_MAX);
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = Some((last.home, last.batch));
            for row in &page {
                count += 1;
                hash = link(hash, &cells(row));
            }
        }
    }
    Ok((count, hash))
}

/// All that a batch's row says.
fn cells(row: &JournalRow) -> Cells {
    let bytes = |bytes: &[u8]| Cell::Bytes(bytes.to_vec());
    let (country, network) = row.origin.map_or((Cell::Null, Cell::Null), |origin| {
        let country = origin.country.as_str().to_owned();
        (Cell::Text(country), Cell::Number(origin.network.0.into()))
    });
    vec![
        Cell::Number(row.week.monday().number().into()),
        bytes(&row.home.0),
        bytes(&row.batch.0),
        bytes(row.payload_hash.as_bytes()),
        country,
        network,
        Cell::Number(row.is_on_probation.into()),
        bytes(&row.sealed),
    ]
}

/// One of the two that are compared.
#[derive(Clone, Copy)]
enum Side<'a> {
    Source(&'a Source),
    Target(&'a Target),
}

impl Side<'_> {
    async fn read(self, table: &'static Table, after: Cells) -> Result<Vec<Cells>, StoreError> {
        match self {
            Self::Source(source) => source.read(table, after).await,
            Self::Target(target) => target.read(table, after).await,
        }
    }
}

/// How many rows there are, and one hash over all of them in order.
async fn digest(side: Side<'_>, table: &'static Table) -> Result<(u64, Hash), StoreError> {
    let (mut after, mut count, mut hash) = (Vec::new(), 0, Hash::of(table.name.as_bytes()));
    loop {
        let rows = side.read(table, after.clone()).await?;
        if rows.is_empty() {
            return Ok((count, hash));
        }
        for row in &rows {
            count += 1;
            hash = link(hash, row);
        }
        after = last_key(&rows, table, after);
    }
}

/// The hash over one row more.
fn link(hash: Hash, row: &[Cell]) -> Hash {
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
