//! Ledger: SQL.

use super::Sqlite;
use crate::store::{LedgerRow, StoreError};
use phonehome_proto::id::Hash;
use phonehome_proto::time::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

const READ_LAST: &str = "SELECT number, at, event, hash FROM ledger ORDER BY number DESC LIMIT 1";
const READ_ALL: &str = "SELECT number, at, event, hash FROM ledger ORDER BY number";
const WRITE: &str = "INSERT INTO ledger (number, at, event, hash) VALUES (?1, ?2, ?3, ?4)";

/// Adds a link, in the transaction that does what it tells.
pub(super) fn write_ledger(
    transaction: &Transaction<'_>,
    at: Timestamp,
    event: String,
) -> rusqlite::Result<()> {
    let last = transaction
        .query_row(READ_LAST, [], ledger_row)
        .optional()?;
    let link = LedgerRow::follow(last.as_ref(), at, event);
    let number = i64::try_from(link.number).expect("a link per week and state stays countable");
    transaction.execute(
        WRITE,
        params![number, link.at.seconds(), link.event, link.hash.as_bytes()],
    )?;
    Ok(())
}

impl Sqlite {
    pub(in crate::store) async fn ledger(&self) -> Result<Vec<LedgerRow>, StoreError> {
        self.reader
            .read("ledger", |transaction| {
                transaction
                    .prepare_cached(READ_ALL)?
                    .query_map([], ledger_row)?
                    .collect()
            })
            .await
    }
}

fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let number: i64 = row.get(0)?;
    Ok(LedgerRow {
        number: number.unsigned_abs(),
        at: Timestamp::from_seconds(row.get(1)?),
        event: row.get(2)?,
        hash: Hash::new(row.get(3)?),
    })
}
