//! The embedded engine: one SQLite file in WAL mode, and all of its SQL.
//!
//! Two threads own a connection each: one writes, one reads, so that folding a week never holds up
//! an acknowledgement. Callers send them work and wait for the value; the bound of each queue is
//! `QUEUE_MAX`, and who finds it full waits. Every write is a transaction of its own, synchronous
//! to the disk before it returns (`synchronous = FULL`), and what is deleted is overwritten
//! (`secure_delete`).

mod backup;
mod erasure;
mod folding;
mod journal;
mod ledger;
pub(super) mod moving;
mod registry;
mod revocation;
mod rotation;
mod weeks;
mod worker;

use super::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use worker::Worker;

/// The engine. Clones share its two threads, which end with the last of them.
#[derive(Clone)]
pub struct Sqlite {
    path: Arc<PathBuf>,
    writer: Worker,
    reader: Worker,
    folds: folding::Folds,
}

/// Jobs that may wait for one thread.
const QUEUE_MAX: usize = 256;

/// How long another process may hold the file before a call fails, in milliseconds.
const BUSY_MILLISECONDS: u32 = 10_000;

/// Memory in which the writer keeps pages, in KiB: the upper levels of a large journal, and what one
/// checkpoint moves.
const WRITER_CACHE_KIB: i32 = 48 * 1024;

/// The same for the reader, which walks through a week once.
const READER_CACHE_KIB: i32 = 8 * 1024;

/// Pages the write-ahead log gathers before they go to their places: 8 MiB. Meanwhile nothing is
/// appended, so that it is what the slowest acknowledgements wait for; more at a time would write a page
/// once on which several neighbours came.
const CHECKPOINT_PAGES: u32 = 2_048;

/// Schema steps, oldest first; `PRAGMA user_version` counts those taken.
const MIGRATIONS: [&str; 3] = [
    include_str!("sqlite/schema.sql"),
    include_str!("sqlite/schema_2.sql"),
    include_str!("sqlite/schema_3.sql"),
];

/// The newest schema this program can read.
#[allow(clippy::cast_possible_truncation, reason = "a handful of steps")]
pub const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// Set before the first table exists. What does not fit a leaf goes to pages of its own: of the row of a
/// common batch, three kilobytes, little is left empty (measured in `docs/scale.md`).
const PAGE_BYTES: u32 = 4_096;

const REWRITE: &str = "UPDATE collector SET serial = serial";

/// Pages of a file, as the engine itself bounds them.
const PAGES_MAX: u32 = 4_294_967_294;

impl Sqlite {
    /// Opens the file, creating or migrating it, on threads of its own.
    pub(super) async fn open(path: &Path, create: bool) -> Result<Self, StoreError> {
        Self::open_as(path, create, false).await
    }

    /// Opens a file whose store has moved to a server: it refuses every write.
    async fn open_left(path: &Path) -> Result<Self, StoreError> {
        Self::open_as(path, false, true).await
    }

    async fn open_as(path: &Path, create: bool, is_left: bool) -> Result<Self, StoreError> {
        if !create && !path.exists() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        let path = path.to_owned();
        // The first touch of the disk happens on the thread that will own the connection.
        let writer = Worker::start("sqlite-writer", {
            let path = path.clone();
            move || open_writer(&path, create, is_left)
        })
        .await?;
        let reader = Worker::start("sqlite-reader", {
            let path = path.clone();
            move || open_reader(&path)
        })
        .await?;
        let folds = folding::Folds::default();
        Ok(Self {
            path: Arc::new(path),
            writer,
            reader,
            folds,
        })
    }
}

impl Sqlite {
    pub(super) async fn try_writing(&self) -> Result<(), StoreError> {
        self.writer
            .write("try_writing", |transaction| {
                transaction.execute(REWRITE, []).map(drop)
            })
            .await
    }

    pub(super) async fn limit_growth(&self, pages: Option<u32>) -> Result<(), StoreError> {
        self.writer
            .bare("limit_growth", move |connection| {
                let held: u32 =
                    connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
                let most = pages.map_or(PAGES_MAX, |pages| held.saturating_add(pages).max(1));
                connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))
            })
            .await
    }
}

fn open_writer(path: &Path, create: bool, is_left: bool) -> Result<Connection, StoreError> {
    let fail = |error| failure("open", error);
    if create {
        // For its owner only; the engine gives its other files the same mode.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let made = options.open(path);
        made.map_err(|source| StoreError::Engine {
            transaction: "open",
            source: source.into(),
        })?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    configure(&connection).map_err(fail)?;
    connection
        .pragma_update(None, "page_size", PAGE_BYTES)
        .map_err(fail)?;
    // Answers with the mode it chose.
    connection
        .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
        .map_err(fail)?;
    connection
        .pragma_update(None, "synchronous", "full")
        .map_err(fail)?;
    connection
        .pragma_update(None, "secure_delete", true)
        .map_err(fail)?;
    connection
        .pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
        .map_err(fail)?;
    connection
        .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .map_err(fail)?;
    migrate(&mut connection)?;
    match moving::place(&connection).map_err(fail)? {
        Some(place) if !is_left => Err(StoreError::Moved(place)),
        _ => Ok(connection),
    }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let fail = |error| failure("open", error);
    // Read-write at the file's level, because a reader of a WAL writes its index; query_only keeps
    // it from writing anything else.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    configure(&connection).map_err(fail)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(fail)?;
    connection
        .pragma_update(None, "cache_size", -READER_CACHE_KIB)
        .map_err(fail)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MILLISECONDS.into()))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Sorting stays in memory: nothing of a week may land in a temporary file.
    connection.pragma_update(None, "temp_store", "memory")
}

/// Takes every schema step the file lacks, all in one transaction.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let fail = |error| failure("migrate", error);
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(fail)?;
    let found: u32 = transaction
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(fail)?;
    let known = u32::try_from(MIGRATIONS.len()).expect("a handful of migrations");
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for step in MIGRATIONS
        .iter()
        .skip(found.try_into().unwrap_or(usize::MAX))
    {
        transaction.execute_batch(step).map_err(fail)?;
    }
    transaction
        .pragma_update(None, "user_version", known)
        .map_err(fail)?;
    transaction.commit().map_err(fail)
}

/// The store's word for an engine's error.
fn failure(transaction: &'static str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error() {
        // A file system without room refuses the WAL's index with an error of its own.
        Some(cause)
            if cause.code == ErrorCode::DiskFull
                || cause.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE =>
        {
            StoreError::Full
        }
        // What `moving` put there refuses writes while the rest is copied, and for good afterwards.
        Some(cause) if cause.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER => {
            StoreError::Unavailable {
                transaction,
                source: error.into(),
            }
        }
        // Somebody reads for longer than a writer waits: a backup, or another program.
        Some(cause)
            if matches!(
                cause.code,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked
            ) =>
        {
            StoreError::Unavailable {
                transaction,
                source: error.into(),
            }
        }
        _ => StoreError::Engine {
            transaction,
            source: error.into(),
        },
    }
}

/// A stored value that breaks the schema's promise: the file was changed by other hands.
fn damaged(column: usize, what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, what.into())
}

#[cfg(test)]
mod tests;
