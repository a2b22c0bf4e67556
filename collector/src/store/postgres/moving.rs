//! The server that a store moves to. SQL.
//!
//! While it is filled there is a table that says so, and no collector serves it.

use super::erasure::partition;
use super::fault::Fault;
use super::journal;
use super::session::{Session, Turn};
use super::{Postgres, damaged, monday};
use crate::store::moving::{Cell, Cells, Key, ROWS_TOGETHER, Table};
use crate::store::{JournalRow, Store, StoreError};
use phonehome_proto::time::Week;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

const IS_MOVING: &str = "SELECT to_regclass('being_filled') IS NOT NULL";
const IS_USED: &str = "SELECT count(*) > 0 FROM collector";
const BEGIN: &str = "CREATE TABLE being_filled (one integer NOT NULL PRIMARY KEY)";
const END: &str = "DROP TABLE IF EXISTS being_filled";
const DELETE_BATCHES: &str = "
    DELETE FROM journal USING unnest($1::bytea[], $2::bytea[], $3::integer[])
      AS gone (home_token, batch_token, week)
    WHERE journal.home_token = gone.home_token AND journal.batch_token = gone.batch_token
      AND journal.week = gone.week";

/// A server that is being filled.
pub(in crate::store) struct Target(Postgres);

impl Postgres {
    /// Whether a store is being moved here.
    pub(in crate::store) async fn is_being_filled(&self) -> Result<bool, StoreError> {
        self.pool
            .transact("is_being_filled", Turn::Read, (), |session, ()| {
                Box::pin(session.value(IS_MOVING, &[]))
            })
            .await
    }
}

impl Target {
    /// The server, its tables made.
    pub(in crate::store) const fn of(engine: Postgres) -> Self {
        Self(engine)
    }

    /// The store on the server.
    pub(in crate::store) fn store(&self) -> Store {
        Store::Postgres(self.0.clone())
    }

    /// Marks the server, if nobody has used it or an earlier move began to fill it.
    pub(in crate::store) async fn is_to_be_filled(&self) -> Result<bool, StoreError> {
        let work = self.0.pool.transact("fill", Turn::Desk, (), |session, ()| {
            Box::pin(is_to_be_filled(session))
        });
        work.await
    }

    /// From now on collectors may serve it.
    pub(in crate::store) async fn begin_to_serve(&self) -> Result<(), StoreError> {
        let work = self
            .0
            .pool
            .transact("serve", Turn::Desk, (), |session, ()| {
                Box::pin(session.run(END))
            });
        work.await
    }

    /// Makes room for a week's batches.
    pub(in crate::store) async fn open_week(&self, week: Week) -> Result<(), StoreError> {
        let pool = &self.0.pool;
        pool.transact("open_week", Turn::House, week, |session, week| {
            Box::pin(open_week(session, week))
        })
        .await
    }

    /// Rows of a small table in order, beginning after a key; none is before all.
    pub(in crate::store) async fn read(
        &self,
        table: &'static Table,
        after: Cells,
    ) -> Result<Vec<Cells>, StoreError> {
        let pool = &self.0.pool;
        pool.transact("read", Turn::Read, (table, after), |session, asked| {
            Box::pin(read(session, asked))
        })
        .await
    }

    /// Deletes the rows with these keys, and those with the new ones' keys, and writes the new ones.
    pub(in crate::store) async fn replace(
        &self,
        table: &'static Table,
        surplus: Vec<Cells>,
        missing: Vec<Cells>,
    ) -> Result<(), StoreError> {
        let asked = (table, surplus, missing);
        let pool = &self.0.pool;
        pool.transact("replace", Turn::Free, asked, |session, asked| {
            Box::pin(replace(session, asked))
        })
        .await
    }

    /// The batches that are there under these keys.
    pub(in crate::store) async fn batches(
        &self,
        keys: Vec<Key>,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let pool = &self.0.pool;
        pool.transact("batches", Turn::Read, keys, |session, keys| {
            Box::pin(batches(session, keys))
        })
        .await
    }

    /// Deletes the batches with these keys and writes others, each after the last of its home.
    pub(in crate::store) async fn replace_batches(
        &self,
        surplus: Vec<Key>,
        missing: Vec<JournalRow>,
    ) -> Result<(), StoreError> {
        let pool = &self.0.pool;
        pool.transact(
            "replace_batches",
            Turn::Free,
            (surplus, missing),
            |session, asked| Box::pin(replace_batches(session, asked)),
        )
        .await
    }
}

async fn is_to_be_filled(session: &Session) -> Result<bool, Fault> {
    if session.value(IS_MOVING, &[]).await? {
        return Ok(true);
    }
    if session.value(IS_USED, &[]).await? {
        return Ok(false);
    }
    session.run(BEGIN).await?;
    Ok(true)
}

async fn open_week(session: &Session, week: &Week) -> Result<(), Fault> {
    let (table, number) = (partition(*week), monday(*week));
    session
        .run(&format!(
            "CREATE TABLE IF NOT EXISTS {table} PARTITION OF journal FOR VALUES IN ({number})"
        ))
        .await
}

async fn read(
    session: &Session,
    (table, after): &(&'static Table, Cells),
) -> Result<Vec<Cells>, Fault> {
    let (columns, key) = (table.columns.join(", "), key_columns(table));
    let later = match after.len() {
        0 => String::new(),
        count => format!("WHERE ({key}) > ({})", places(1, count)),
    };
    let (name, limit) = (table.name, ROWS_TOGETHER);
    let text = format!("SELECT {columns} FROM {name} {later} ORDER BY {key} LIMIT {limit}");
    let rows = ask(session, &text, after).await?;
    rows.iter().map(cells).collect()
}

async fn replace(
    session: &Session,
    (table, surplus, missing): &(&'static Table, Vec<Cells>, Vec<Cells>),
) -> Result<(), Fault> {
    let (name, columns, key) = (table.name, table.columns.join(", "), key_columns(table));
    let delete = format!(
        "DELETE FROM {name} WHERE ({key}) = ({})",
        places(1, table.key)
    );
    for row in surplus {
        ask(session, &delete, row).await?;
    }
    let count = table.columns.len();
    let insert = format!(
        "INSERT INTO {name} ({columns}) VALUES ({})",
        places(1, count)
    );
    for row in missing {
        ask(session, &insert, row).await?;
    }
    Ok(())
}

async fn batches(session: &Session, keys: &[Key]) -> Result<Vec<JournalRow>, Fault> {
    let keys = keys
        .iter()
        .map(|(week, home, batch)| (*home, *batch, *week));
    journal::read(session, keys).await
}

async fn replace_batches(
    session: &Session,
    (surplus, missing): &(Vec<Key>, Vec<JournalRow>),
) -> Result<(), Fault> {
    let homes: Vec<&[u8]> = surplus.iter().map(|(_, home, _)| &home.0[..]).collect();
    let batches: Vec<&[u8]> = surplus.iter().map(|(.., batch)| &batch.0[..]).collect();
    let weeks: Vec<i32> = surplus.iter().map(|(week, ..)| monday(*week)).collect();
    session
        .change(DELETE_BATCHES, &[&homes, &batches, &weeks])
        .await?;
    if journal::adopt(session, missing.clone()).await? {
        Ok(())
    } else {
        Err(damaged("batches that could not be written"))
    }
}

fn key_columns(table: &Table) -> String {
    table.columns[..table.key].join(", ")
}

/// `$1, $2, ...`
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|at| format!("${at}")).collect();
    places.join(", ")
}

/// Values as the columns take them.
fn values(cells: &[Cell], kinds: &[Type]) -> Result<Vec<Box<dyn ToSql + Sync + Send>>, Fault> {
    let value = |(cell, kind): (&Cell, &Type)| -> Result<Box<dyn ToSql + Sync + Send>, Fault> {
        Ok(match (cell, kind) {
            (Cell::Null, &Type::INT4) => Box::new(None::<i32>),
            (Cell::Null, &Type::INT8) => Box::new(None::<i64>),
            (Cell::Null, &Type::TEXT) => Box::new(None::<String>),
            (Cell::Null, _) => Box::new(None::<Vec<u8>>),
            (Cell::Number(number), &Type::INT4) => {
                Box::new(i32::try_from(*number).map_err(|_| damaged("a number too large"))?)
            }
            (Cell::Number(number), _) => Box::new(*number),
            (Cell::Text(text), _) => Box::new(text.clone()),
            (Cell::Bytes(bytes), _) => Box::new(bytes.clone()),
        })
    };
    cells.iter().zip(kinds).map(value).collect()
}

/// The rows that a statement with these values gives.
async fn ask(session: &Session, text: &str, cells: &[Cell]) -> Result<Vec<Row>, Fault> {
    let statement = session.prepare(text).await?;
    let values = values(cells, statement.params())?;
    let values: Vec<&(dyn ToSql + Sync)> = values
        .iter()
        .map(|value| value.as_ref() as &(dyn ToSql + Sync))
        .collect();
    session.ask(&statement, &values).await
}

fn cells(row: &Row) -> Result<Cells, Fault> {
    let cell = |column: usize| -> Result<Cell, Fault> {
        let kind = row.columns()[column].type_();
        Ok(match *kind {
            Type::INT4 => {
                let number: Option<i32> = row.try_get(column)?;
                number.map_or(Cell::Null, |number| Cell::Number(number.into()))
            }
            Type::INT8 => row
                .try_get::<_, Option<i64>>(column)?
                .map_or(Cell::Null, Cell::Number),
            Type::TEXT => row
                .try_get::<_, Option<String>>(column)?
                .map_or(Cell::Null, Cell::Text),
            _ => row
                .try_get::<_, Option<Vec<u8>>>(column)?
                .map_or(Cell::Null, Cell::Bytes),
        })
    };
    (0..row.len()).map(cell).collect()
}
