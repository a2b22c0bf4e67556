//! Ledger: SQL.

use super::fault::Fault;
use super::session::{Session, Turn};
use super::{Postgres, bytes, damaged};
use crate::store::{LEDGER_PAGE_MAX, LedgerRow, StoreError};
use phonehome_proto::id::Hash;
use phonehome_proto::time::Timestamp;
use tokio_postgres::Row;

const READ_LAST: &str = "SELECT number, at, event, hash FROM ledger ORDER BY number DESC LIMIT 1";
const READ_ALL: &str = "SELECT number, at, event, hash FROM ledger ORDER BY number";
const READ_AFTER: &str = "
    SELECT number, at, event, hash FROM ledger WHERE number > $1 ORDER BY number LIMIT $2";
const WRITE: &str = "INSERT INTO ledger (number, at, event, hash) VALUES ($1, $2, $3, $4)";

/// Adds a link, in the transaction that does what it tells; that one has the desk.
pub(super) async fn write_ledger(
    session: &Session,
    at: Timestamp,
    event: String,
) -> Result<(), Fault> {
    let last = session.row(READ_LAST, &[]).await?;
    let last = last.as_ref().map(ledger_row).transpose()?;
    let link = LedgerRow::follow(last.as_ref(), at, event);
    let number = i64::try_from(link.number).expect("a link per week and state stays countable");
    let hash = &link.hash.as_bytes()[..];
    session
        .change(WRITE, &[&number, &link.at.seconds(), &link.event, &hash])
        .await?;
    Ok(())
}

impl Postgres {
    pub(in crate::store) async fn ledger(&self) -> Result<Vec<LedgerRow>, StoreError> {
        self.pool
            .transact("ledger", Turn::Read, (), |session, ()| {
                Box::pin(ledger(session))
            })
            .await
    }

    pub(in crate::store) async fn ledger_after(
        &self,
        number: u64,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.pool
            .transact("ledger_after", Turn::Read, number, |session, number| {
                Box::pin(ledger_after(session, *number))
            })
            .await
    }
}

async fn ledger_after(session: &Session, number: i64) -> Result<Vec<LedgerRow>, Fault> {
    let page = i64::from(LEDGER_PAGE_MAX);
    let rows = session.rows(READ_AFTER, &[&number, &page]).await?;
    rows.iter().map(ledger_row).collect()
}

async fn ledger(session: &Session) -> Result<Vec<LedgerRow>, Fault> {
    let rows = session.rows(READ_ALL, &[]).await?;
    rows.iter().map(ledger_row).collect()
}

fn ledger_row(row: &Row) -> Result<LedgerRow, Fault> {
    let number: i64 = row.try_get(0)?;
    Ok(LedgerRow {
        number: u64::try_from(number).map_err(|_| damaged("a number below zero"))?,
        at: Timestamp::from_seconds(row.try_get(1)?),
        event: row.try_get(2)?,
        hash: Hash::new(bytes(row, 3)?),
    })
}
