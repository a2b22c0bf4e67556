//! The file that a store moves from: what is noted in it, refused by it, and marked in it. SQL.
//!
//! Notes and refusals are triggers, so that they hold whichever process writes. A pause is a time that
//! stands in the file: when it is over, the triggers let everything through again.

use super::worker::Worker;
use super::{Sqlite, configure, damaged, failure, journal};
use crate::store::moving::{Cell, Cells, Key, ROWS_TOGETHER, TABLES, Table};
use crate::store::{BatchToken, HomeToken, JournalRow, Store, StoreError};
use phonehome_proto::time::Day;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::fmt::Write as _;
use std::path::Path;

const BEGIN: &str = "
    CREATE TABLE IF NOT EXISTS move_state (
      one    INTEGER PRIMARY KEY CHECK (one = 1),
      until  INTEGER NOT NULL, -- writing is paused so long
      place  TEXT              -- where the store is now; null: here
    ) STRICT;
    INSERT OR IGNORE INTO move_state (one, until) VALUES (1, 0);
    -- Batches that came or went since they were copied.
    CREATE TABLE IF NOT EXISTS move_notes (
      number       INTEGER PRIMARY KEY,
      week         INTEGER NOT NULL,
      home_token   BLOB    NOT NULL,
      batch_token  BLOB    NOT NULL
    ) STRICT;
    CREATE TRIGGER IF NOT EXISTS move_note_insert AFTER INSERT ON journal BEGIN
      INSERT INTO move_notes (week, home_token, batch_token)
      VALUES (NEW.week, NEW.home_token, NEW.batch_token);
    END;
    CREATE TRIGGER IF NOT EXISTS move_note_delete AFTER DELETE ON journal BEGIN
      INSERT INTO move_notes (week, home_token, batch_token)
      VALUES (OLD.week, OLD.home_token, OLD.batch_token);
    END;";
/// Milliseconds since 1970, by the clock that pauses end by.
const READ_CLOCK: &str = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
const PAUSE: &str = "UPDATE move_state SET until = unixepoch() + ?1 WHERE place IS NULL";
const RESUME: &str = "UPDATE move_state SET until = 0 WHERE place IS NULL";
const MARK: &str = "UPDATE move_state SET place = ?1 WHERE place IS NULL AND until > unixepoch()";
const COUNT_NOTES: &str = "SELECT count(*) FROM move_notes";
const READ_NOTES: &str = "
    SELECT number, week, home_token, batch_token FROM move_notes ORDER BY number LIMIT ?1";
const FORGET_NOTES: &str = "DELETE FROM move_notes WHERE number <= ?1";
const IS_MOVING: &str =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'move_state'";
const READ_PLACE: &str = "SELECT place FROM move_state";
const READ_BYTES: &str = "
    SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";

/// The file, beside whoever serves it.
pub(in crate::store) struct Source {
    engine: Sqlite,
    mover: Worker,
}

impl Source {
    /// Opens the file at `path`, which must be there.
    pub(in crate::store) async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::beside(Sqlite::open(path, false).await?, path).await
    }

    /// Opens the file at `path` though its store has moved from it: it can only be read.
    pub(in crate::store) async fn open_left(path: &Path) -> Result<Self, StoreError> {
        Self::beside(Sqlite::open_left(path).await?, path).await
    }

    async fn beside(engine: Sqlite, path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let mover = Worker::start("sqlite-mover", move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let open = || -> rusqlite::Result<Connection> {
                let connection = Connection::open_with_flags(&path, flags)?;
                configure(&connection)?;
                connection.pragma_update(None, "synchronous", "full")?;
                Ok(connection)
            };
            open().map_err(|error| failure("open", error))
        })
        .await?;
        Ok(Self { engine, mover })
    }

    /// The store in the file.
    pub(in crate::store) fn store(&self) -> Store {
        Store::Sqlite(self.engine.clone())
    }

    /// From now on changes of the journal are noted, and writing can be paused.
    pub(in crate::store) async fn note_changes(&self) -> Result<(), StoreError> {
        let mut triggers = BEGIN.to_owned();
        let tables = TABLES.iter().map(|table| table.name).chain(["journal"]);
        for (table, change) in
            tables.flat_map(|table| ["INSERT", "UPDATE", "DELETE"].map(|change| (table, change)))
        {
            write!(
                triggers,
                "CREATE TRIGGER IF NOT EXISTS move_refuse_{table}_{change} BEFORE {change} ON {table}
                 WHEN (SELECT place IS NOT NULL OR until > unixepoch() FROM move_state)
                 BEGIN SELECT RAISE(ABORT, 'it is being moved to a server'); END;"
            )
            .expect("a string takes text");
        }
        self.mover
            .write("note_changes", move |transaction| {
                transaction.execute_batch(&triggers)
            })
            .await
    }

    /// For so many seconds nobody writes. Gives the time at which that began, in milliseconds.
    pub(in crate::store) async fn pause(&self, seconds: u32) -> Result<i64, StoreError> {
        self.mover
            .write("pause", move |transaction| {
                transaction.execute(PAUSE, params![seconds])?;
                transaction.query_row(READ_CLOCK, [], |row| row.get(0))
            })
            .await
    }

    /// The pause is over.
    pub(in crate::store) async fn resume(&self) -> Result<(), StoreError> {
        self.mover
            .write("resume", |transaction| {
                transaction.execute(RESUME, []).map(drop)
            })
            .await
    }

    /// The store is elsewhere from now on, if the pause is not over yet. Gives the time, in milliseconds.
    pub(in crate::store) async fn mark(&self, place: &str) -> Result<i64, StoreError> {
        let place = place.to_owned();
        self.mover
            .write("mark", move |transaction| {
                let left: i64 = transaction.query_row(COUNT_NOTES, [], |row| row.get(0))?;
                if left > 0 || transaction.execute(MARK, params![place])? == 0 {
                    return Err(damaged(
                        0,
                        "the pause was over before the last of it was copied",
                    ));
                }
                transaction.query_row(READ_CLOCK, [], |row| row.get(0))
            })
            .await
    }

    /// Bytes of the file.
    pub(in crate::store) async fn bytes(&self) -> Result<i64, StoreError> {
        self.mover
            .read("bytes", |transaction| {
                transaction.query_row(READ_BYTES, [], |row| row.get(0))
            })
            .await
    }

    /// How many changes are noted.
    pub(in crate::store) async fn changes(&self) -> Result<i64, StoreError> {
        self.mover
            .read("changes", |transaction| {
                transaction.query_row(COUNT_NOTES, [], |row| row.get(0))
            })
            .await
    }

    /// The oldest notes, each batch once, and the number of the last of them.
    pub(in crate::store) async fn noted(&self) -> Result<(i64, Vec<Key>), StoreError> {
        self.mover
            .read("noted", |transaction| {
                let mut read = transaction.prepare_cached(READ_NOTES)?;
                let mut rows = read.query(params![ROWS_TOGETHER])?;
                let (mut last, mut keys) = (0, Vec::new());
                while let Some(row) = rows.next()? {
                    last = row.get(0)?;
                    let week = Day::new(row.get(1)?).map(Day::week);
                    let week = week.ok_or_else(|| damaged(1, "not a week"))?;
                    keys.push((week, HomeToken(row.get(2)?), BatchToken(row.get(3)?)));
                }
                keys.sort_unstable();
                keys.dedup();
                Ok((last, keys))
            })
            .await
    }

    /// Forgets the notes up to this number.
    pub(in crate::store) async fn forget_notes(&self, last: i64) -> Result<(), StoreError> {
        self.mover
            .write("forget_notes", move |transaction| {
                transaction.execute(FORGET_NOTES, params![last]).map(drop)
            })
            .await
    }

    /// The batches that are there under these keys.
    pub(in crate::store) async fn batches(
        &self,
        keys: Vec<Key>,
    ) -> Result<Vec<JournalRow>, StoreError> {
        self.mover
            .read("batches", move |transaction| {
                let mut rows = Vec::with_capacity(keys.len());
                for (week, home, batch) in keys {
                    let monday = week.monday().number();
                    let row = transaction
                        .prepare_cached(journal::READ)?
                        .query_row(params![monday, home.0, batch.0], |row| {
                            journal::journal_row(week, row)
                        })
                        .optional()?;
                    rows.extend(row);
                }
                Ok(rows)
            })
            .await
    }

    /// Rows of a small table in order, beginning after a key; none is before all.
    pub(in crate::store) async fn read(
        &self,
        table: &'static Table,
        after: Cells,
    ) -> Result<Vec<Cells>, StoreError> {
        self.mover
            .read("read", move |transaction| {
                let (columns, key) = (
                    table.columns.join(", "),
                    table.columns[..table.key].join(", "),
                );
                let places = vec!["?"; after.len()].join(", ");
                let later = match after.as_slice() {
                    [] => String::new(),
                    _ => format!("WHERE ({key}) > ({places})"),
                };
                let (name, limit) = (table.name, ROWS_TOGETHER);
                let mut read = transaction.prepare_cached(&format!(
                    "SELECT {columns} FROM {name} {later} ORDER BY {key} LIMIT {limit}"
                ))?;
                let rows = read.query_map(rusqlite::params_from_iter(after), |row| {
                    (0..table.columns.len())
                        .map(|column| cell(row.get(column)?))
                        .collect()
                })?;
                rows.collect()
            })
            .await
    }
}

fn cell(value: Value) -> rusqlite::Result<Cell> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Integer(number) => Cell::Number(number),
        Value::Text(text) => Cell::Text(text),
        Value::Blob(bytes) => Cell::Bytes(bytes),
        Value::Real(_) => return Err(damaged(0, "a fraction, of which there are none")),
    })
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Where the store in this file has gone, if it has.
pub(super) fn place(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let is_moving: bool = connection.query_row(IS_MOVING, [], |row| row.get(0))?;
    if !is_moving {
        return Ok(None);
    }
    connection.query_row(READ_PLACE, [], |row| row.get(0))
}
