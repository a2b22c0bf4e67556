//! Copies of the database, and copies that came back. SQL.

use super::erasure::{
    ERASE_BATCHES, ERASE_HOME, ERASE_KEYS, MARK_WEEK, overwrite_what_is_due, take_out_of_wal,
};
use super::ledger::ledger_row;
use super::revocation::{read_standing, take_out};
use super::weeks::{CLOSE, FINISH, RELEASE, WRITE_RELEASE};
use super::{Sqlite, failure};
use crate::store::{CaughtUp, LedgerRow, Since, Snapshot, Standing, StoreError};
use phonehome_proto::time::Week;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const READ_LAST: &str = "SELECT number, at, event, hash FROM ledger ORDER BY number DESC LIMIT 1";
const WRITE_LINK: &str = "INSERT INTO ledger (number, at, event, hash) VALUES (?1, ?2, ?3, ?4)";
const RAISE_SERIAL: &str = "UPDATE collector SET serial = max(serial + 1, ?1)";
const DELETE_WEEK: &str = "DELETE FROM journal WHERE week = ?1";

impl Sqlite {
    pub(in crate::store) async fn snapshot(&self, to: PathBuf) -> Result<Snapshot, StoreError> {
        let path = Arc::clone(&self.path);
        // A connection of its own: neither of the two threads may be held up for so long.
        let copied = tokio::task::spawn_blocking(move || snapshot(&path, &to));
        let copied = copied.await.expect("copying does not panic");
        copied.map_err(|error| failure("snapshot", error))
    }

    pub(in crate::store) async fn catch_up(
        &self,
        since: Since,
    ) -> Result<Option<CaughtUp>, StoreError> {
        self.writer
            .bare("catch_up", move |connection| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let Some(caught_up) = catch_up(&transaction, &since)? else {
                    return Ok(None);
                };
                transaction.commit()?;
                // Nobody waits for it yet, so it may be as large as it likes.
                connection.execute_batch("VACUUM")?;
                take_out_of_wal(connection)?;
                overwrite_what_is_due(connection)?;
                Ok(Some(caught_up))
            })
            .await
    }
}

/// One view of the database, written row by row: pages that hold what was deleted are not copied.
fn snapshot(path: &Path, to: &Path) -> rusqlite::Result<Snapshot> {
    let open =
        |path, mode| Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let from = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    super::configure(&from)?;
    from.execute("VACUUM INTO ?1", params![to.to_string_lossy()])?;
    let copy = open(to, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(Snapshot {
        schema: copy.pragma_query_value(None, "user_version", |row| row.get(0))?,
        last: copy.query_row(READ_LAST, [], ledger_row).optional()?,
    })
}

fn catch_up(transaction: &Transaction<'_>, since: &Since) -> rusqlite::Result<Option<CaughtUp>> {
    let mut last = transaction
        .query_row(READ_LAST, [], ledger_row)
        .optional()?;
    let mut write = transaction.prepare(WRITE_LINK)?;
    for link in &since.links {
        if LedgerRow::follow(last.as_ref(), link.at, link.event.clone()) != *link {
            return Ok(None);
        }
        let number = i64::try_from(link.number).expect("links stay countable");
        write.execute(params![
            number,
            link.at.seconds(),
            link.event,
            link.hash.as_bytes()
        ])?;
        last = Some(link.clone());
    }
    let serial_min = i64::try_from(since.serial_min).unwrap_or(i64::MAX);
    transaction.execute(RAISE_SERIAL, params![serial_min])?;
    let monday = |week: &Week| week.monday().number();
    let mut done = CaughtUp::default();
    // Before weeks are released: a release made since may have been counted without them, and from more
    // than is here, so that what is here is no reason to revise it.
    for (home, held) in &since.revoked {
        if let Some(Standing::Pending | Standing::Admitted { .. }) =
            read_standing(transaction, *home)?
        {
            let batches = take_out(transaction, *home, held, &mut BTreeSet::new())?;
            done.revoked_batches += usize::try_from(batches).unwrap_or(usize::MAX);
            done.revoked += 1;
        }
    }
    for week in &since.closed {
        transaction.execute(CLOSE, params![monday(week)])?;
    }
    for week in &since.released {
        transaction.execute(CLOSE, params![monday(week)])?;
        transaction.execute(RELEASE, params![monday(week)])?;
    }
    for release in &since.releases {
        let key = params![
            monday(&release.week),
            release.revision,
            release.text,
            release.signature
        ];
        transaction.execute(WRITE_RELEASE, key)?;
    }
    for (home, held) in &since.erased {
        for (week, token) in held {
            let batches = transaction.execute(ERASE_BATCHES, params![monday(week), token.0])?;
            if batches > 0 {
                transaction.execute(MARK_WEEK, params![monday(week)])?;
            }
            done.batches += batches;
        }
        transaction.execute(ERASE_KEYS, params![home.as_bytes()])?;
        done.homes += transaction.execute(ERASE_HOME, params![home.as_bytes()])?;
    }
    for week in &since.destroyed {
        done.unreadable += transaction.execute(DELETE_WEEK, params![monday(week)])?;
        transaction.execute(FINISH, params![monday(week)])?;
    }
    Ok(Some(done))
}
