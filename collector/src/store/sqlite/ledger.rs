//! Ledger: SQL.

use super::Sqlite;
use crate::store::{LEDGER_PAGE_MAX, LedgerRow, StoreError};
use phonehome_proto::id::Hash;
use phonehome_proto::time::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

const READ_LAST: &str = "SELECT number, at, event, hash FROM ledger ORDER BY number DESC LIMIT 1";
const READ_ALL: &str = "SELECT number, at, event, hash FROM ledger ORDER BY number";
const READ_AFTER: &str = "
    SELECT number, at, event, hash FROM ledger WHERE number > ?1 ORDER BY number LIMIT ?2";
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

    pub(in crate::store) async fn ledger_after(
        &self,
        number: u64,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.reader
            .read("ledger_after", move |transaction| {
                transaction
                    .prepare_cached(READ_AFTER)?
                    .query_map(params![number, LEDGER_PAGE_MAX], ledger_row)?
                    .collect()
            })
            .await
    }
}

pub(super) fn ledger_row(row: &Row<'_>) -> rusqlite::Result<LedgerRow> {
    let number: i64 = row.get(0)?;
    Ok(LedgerRow {
        number: number.unsigned_abs(),
        at: Timestamp::from_seconds(row.get(1)?),
        event: row.get(2)?,
        hash: Hash::new(row.get(3)?),
    })
}
