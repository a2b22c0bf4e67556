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
//! - **Two stores never serve at once**: the mark stands before the server may be served. An attempt that
//!   ended between the two is finished by the next.
//! - **What is done in the pause does not grow with the journal**: batches that came while the others were
//!   copied, [`CHANGES_LEFT_MAX`] or a few more, and one walk through the small tables.
//! - **A server that could forget is refused** before a table is made on it, and once more before the mark.

mod tables;

pub(super) use tables::{Cell, Cells, TABLES, Table};

use super::postgres::moving::Target;
use super::postgres::{Postgres, Server};
use super::sqlite::moving::Source;
use super::{BatchToken, HomeToken, JournalRow, Slice, Store, StoreError, WeekState};
use phonehome_proto::id::Hash;
use phonehome_proto::time::Week;
use std::collections::BTreeMap;
use std::path::Path;
use tables::{Mending, link, walk};
use thiserror::Error;

/// What identifies a batch in the journal.
pub(super) type Key = (Week, HomeToken, BatchToken);

/// Rows that are read, written and compared together.
pub(super) const ROWS_TOGETHER: u32 = 512;

/// Sealed bytes that are copied and compared together.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A pause ends after so long, whatever became of who asked for it.
pub const PAUSE_SECONDS: u32 = 120;

/// With no more noted changes than this left to copy, writing is paused.
pub const CHANGES_LEFT_MAX: u32 = 1_000;

/// A file up to this size is compared whole once more in the pause; of a larger one, what was read back
/// when it was copied stands.
const COMPARED_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// Times in a row that noted changes are copied and homes have made as many meanwhile.
const ROUNDS_MAX: u32 = 100;

/// What was moved: each table's rows, and one hash over what is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// By table, in the order they were moved in.
    pub tables: Vec<(&'static str, u64, Hash)>,
    /// `None` if an earlier attempt had marked the file, and only the server had to be opened.
    pub pause: Option<Pause>,
}

/// The time in which the file took nothing, until it was marked, and what was done in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// By the clock that the file's own refusals go by.
    pub milliseconds: u64,
    /// Batches, new or gone, that were copied in it.
    pub batches: u64,
    /// Batches that had been copied before, while homes reported.
    pub batches_before: u64,
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
    /// The server would forget what it acknowledged.
    #[error(
        "the database server has '{0}' off: what it acknowledges would not survive a power cut"
    )]
    Fragile(&'static str),
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
/// [`MoveError`]; the file goes on as it was. [`StoreError::Moved`] if it has moved already, and nothing is
/// left to do.
pub async fn move_to(path: &Path, server: Server) -> Result<Moved, MoveError> {
    let place = server.to_string();
    refuse_fragile(&server).await?;
    let source = match Source::open(path).await {
        Err(StoreError::Moved(to)) if to == place => return complete(path, server).await,
        opened => opened?,
    };
    let target = Target::of(Postgres::open(server.clone(), true).await?);
    if !target.is_to_be_filled().await? {
        return Err(MoveError::Occupied);
    }
    source.note_changes().await?;
    // Most of everything, while homes report.
    let mut copied = 0;
    for week in open_weeks(&source).await? {
        copied += copy_week(&source, &target, week).await?;
    }
    for table in &TABLES {
        walk(&source, &target, table, Mending::Copies).await?;
    }
    let (mut least, mut rounds) = (i64::MAX, 0);
    loop {
        let left = source.changes().await?;
        if left <= CHANGES_LEFT_MAX.into() {
            break;
        }
        rounds = if left < least { 0 } else { rounds + 1 };
        least = least.min(left);
        if rounds > ROUNDS_MAX {
            return Err(MoveError::TooBusy);
        }
        copied += copy_changes(&source, &target).await?;
    }
    // The rest, while nobody writes.
    let begun = source.pause(PAUSE_SECONDS).await?;
    let finished = finish(&source, &target, &server).await;
    let (tables, batches, ended) = match finished {
        Ok(finished) => finished,
        Err(error) => {
            source.resume().await?;
            return Err(error);
        }
    };
    target.begin_to_serve().await?;
    let pause = Pause {
        milliseconds: ended.saturating_sub(begun).unsigned_abs(),
        batches,
        batches_before: copied,
    };
    let pause = Some(pause);
    Ok(Moved { tables, pause })
}

/// What is compared, in the end: by table how many rows and one hash over them.
type Tables = Vec<(&'static str, u64, Hash)>;

/// What is left to do in the pause; marks the file last. Gives what both sides hold, the batches copied, and
/// when the file was marked.
async fn finish(
    source: &Source,
    target: &Target,
    server: &Server,
) -> Result<(Tables, u64, i64), MoveError> {
    let mut batches = 0;
    while source.changes().await? > 0 {
        batches += copy_changes(source, target).await?;
    }
    let mut tables = Tables::new();
    for table in &TABLES {
        let mut walked = walk(source, target, table, Mending::Copies).await?;
        if walked.is_mended {
            walked = walk(source, target, table, Mending::Refuses).await?;
        }
        tables.push((table.name, walked.rows, walked.hash));
    }
    compare_journals(source, target, &mut tables).await?;
    refuse_fragile(server).await?;
    let ended = source.mark(&server.to_string()).await?;
    Ok((tables, batches, ended))
}

/// Opens the server that a marked file moved to, after an attempt that ended before it had.
async fn complete(path: &Path, server: Server) -> Result<Moved, MoveError> {
    let place = server.to_string();
    let engine = Postgres::open(server, false).await?;
    if !engine.is_being_filled().await? {
        return Err(StoreError::Moved(place).into());
    }
    let (source, target) = (Source::open_left(path).await?, Target::of(engine));
    let mut tables = Tables::new();
    for table in &TABLES {
        let walked = walk(&source, &target, table, Mending::Refuses).await?;
        tables.push((table.name, walked.rows, walked.hash));
    }
    compare_journals(&source, &target, &mut tables).await?;
    target.begin_to_serve().await?;
    let pause = None;
    Ok(Moved { tables, pause })
}

async fn refuse_fragile(server: &Server) -> Result<(), MoveError> {
    let setting = Postgres::fragility_of(server.clone()).await?;
    setting.map_or(Ok(()), |setting| Err(MoveError::Fragile(setting)))
}

/// Compares every batch once more, of a file that is not too large for it.
async fn compare_journals(
    source: &Source,
    target: &Target,
    tables: &mut Tables,
) -> Result<(), MoveError> {
    if source.bytes().await? > COMPARED_BYTES_MAX {
        return Ok(());
    }
    let weeks = open_weeks(source).await?;
    let ours = digest_weeks(&source.store(), &weeks).await?;
    let theirs = digest_weeks(&target.store(), &weeks).await?;
    if ours != theirs {
        return Err(MoveError::Differs("journal"));
    }
    tables.push(("journal", ours.0, ours.1));
    Ok(())
}

/// The weeks whose rows are kept.
async fn open_weeks(source: &Source) -> Result<Vec<Week>, StoreError> {
    let weeks = source.store().weeks().await?.into_iter();
    Ok(weeks
        .filter(|row| row.state < WeekState::Final)
        .map(|row| row.week)
        .collect())
}

/// Copies a week's rows, reads each back, and says how many they are. What changed meanwhile is noted, and
/// compared later.
async fn copy_week(source: &Source, target: &Target, week: Week) -> Result<u64, MoveError> {
    target.open_week(week).await?;
    let (store, mut after, mut copied) = (source.store(), None, 0);
    loop {
        let page = store.journal_page(week, Slice::WHOLE, after, PAGE_BYTES_MAX);
        let page = page.await?;
        let Some(last) = page.last() else {
            return Ok(copied);
        };
        after = Some((last.home, last.batch));
        copied += page.len() as u64;
        settle(target, page.iter().map(key).collect(), page).await?;
    }
}

/// Copies the oldest of what was noted, forgets these notes, and says how many batches it was.
async fn copy_changes(source: &Source, target: &Target) -> Result<u64, MoveError> {
    let (notes, keys) = source.noted().await?;
    for week in open_weeks(source).await? {
        target.open_week(week).await?;
    }
    let rows = source.batches(keys.clone()).await?;
    let copied = keys.len() as u64;
    settle(target, keys, rows).await?;
    source.forget_notes(notes).await?;
    Ok(copied)
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
