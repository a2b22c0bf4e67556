//! What is forgotten: homes that withdraw, and what has outlived its time. SQL.

use super::journal::COUNT_HOME;
use super::ledger::write_ledger;
use super::rotation::not_its_key;
use super::{Sqlite, damaged};
use crate::store::{EraseAttempt, Erased, ForgetAttempt, Forgotten, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeSet;

const READ_WITHDRAWAL: &str = "SELECT sealed FROM withdrawals WHERE withdrawal_hash = ?1";
const WRITE_WITHDRAWAL: &str =
    "INSERT INTO withdrawals (withdrawal_hash, sealed, forget_at) VALUES (?1, ?2, ?3)";
const COUNT_DUE: &str = "
    SELECT (SELECT count(*) FROM withdrawals WHERE is_overwritten = 0)
         + (SELECT count(*) FROM homes WHERE state = 'revoked' AND is_overwritten = 0)";
const MARK_DONE: &str = "
    UPDATE withdrawals SET is_overwritten = 1 WHERE is_overwritten = 0;
    UPDATE homes SET is_overwritten = 1 WHERE state = 'revoked' AND is_overwritten = 0;";
const READ_WEEKS: &str = "SELECT week FROM weeks WHERE state <> 'final'";
pub(super) const ERASE_BATCHES: &str = "DELETE FROM journal WHERE week = ?1 AND home_token = ?2";
pub(super) const MARK_WEEK: &str = "UPDATE weeks SET erasures = erasures + 1 WHERE week = ?1";
pub(super) const ERASE_KEYS: &str = "DELETE FROM keys WHERE home = ?1";
pub(super) const ERASE_HOME: &str = "DELETE FROM homes WHERE home = ?1";
const FORGET_KEYS: &str = "
    DELETE FROM keys WHERE last_day < ?1
    AND NOT EXISTS (SELECT 1 FROM homes WHERE homes.home = keys.home AND state = 'revoked')";
const FORGET_WITHDRAWALS: &str = "DELETE FROM withdrawals WHERE forget_at <= ?1";
const FORGET_INVITES: &str = "DELETE FROM invites WHERE uses_left = 0 OR expires_at <= ?1";
const FORGET_PLACES: &str = "DELETE FROM places WHERE month < ?1";
const FORGET_PENDING_KEYS: &str = "
    DELETE FROM keys WHERE home IN
    (SELECT home FROM homes WHERE state = 'pending' AND enrolled_day < ?1)";
const FORGET_PENDING: &str = "DELETE FROM homes WHERE state = 'pending' AND enrolled_day < ?1";

/// A database is rewritten when a home has left, unless it is larger: about a second of work.
const REWRITTEN_BYTES_MAX: i64 = 128 * 1024 * 1024;

impl Sqlite {
    pub(in crate::store) async fn erase(
        &self,
        attempt: EraseAttempt,
    ) -> Result<Erased, StoreError> {
        let folds = self.folds.clone();
        // One piece of work: whoever asked may hang up in between.
        self.writer
            .bare("erase", move |connection| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let erased = erase(&transaction, &attempt)?;
                transaction.commit()?;
                if erased == Erased::Done {
                    let held = &attempt.held;
                    folds
                        .forget(|week| held.iter().any(|(of, _, count)| *of == week && *count > 0));
                }
                overwrite_what_is_due(connection)?;
                Ok(erased)
            })
            .await
    }

    pub(in crate::store) async fn forget(
        &self,
        attempt: ForgetAttempt,
    ) -> Result<Forgotten, StoreError> {
        let keys_before = attempt.keys_before.number();
        let places_before = attempt.places_before.number();
        let pending_before = attempt.pending_before.number();
        let now = attempt.now.seconds();
        self.writer
            .bare("forget", move |connection| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                transaction.execute(FORGET_PENDING_KEYS, params![pending_before])?;
                let forgotten = Forgotten {
                    keys: transaction.execute(FORGET_KEYS, params![keys_before])?,
                    withdrawals: transaction.execute(FORGET_WITHDRAWALS, params![now])?,
                    invites: transaction.execute(FORGET_INVITES, params![now])?,
                    places: transaction.execute(FORGET_PLACES, params![places_before])?,
                    pending: transaction.execute(FORGET_PENDING, params![pending_before])?,
                };
                transaction.commit()?;
                if forgotten != Forgotten::default() {
                    take_out_of_wal(connection)?;
                }
                // If the process ended in between, or a backup was in the way.
                overwrite_what_is_due(connection)?;
                Ok(forgotten)
            })
            .await
    }
}

/// Overwrites what homes left that have gone since the last time: once for each, and first thing when
/// somebody asks again if the process had ended in between.
pub(super) fn overwrite_what_is_due(connection: &mut Connection) -> rusqlite::Result<()> {
    let due: u32 = connection.query_row(COUNT_DUE, [], |row| row.get(0))?;
    if due > 0 {
        rewrite(connection)?;
        connection.execute_batch(MARK_DONE)?;
    }
    Ok(())
}

/// Takes out of the file what deleting leaves there: the engine moves rows between pages as these fill
/// and empty, and what stood in a page before is not overwritten. A large database is spared the work,
/// and keeps such traces until their pages are used again.
fn rewrite(connection: &mut Connection) -> rusqlite::Result<()> {
    let bytes: i64 = connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        [],
        |row| row.get(0),
    )?;
    if bytes <= REWRITTEN_BYTES_MAX {
        // In memory, as everything temporary.
        connection.execute_batch("VACUUM")?;
    }
    take_out_of_wal(connection)
}

/// Deleted rows are overwritten in their pages; this takes older copies of the pages out of the file
/// beside the database.
pub(super) fn take_out_of_wal(connection: &mut Connection) -> rusqlite::Result<()> {
    let is_busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        // A reader held on for longer than a writer waits.
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    Ok(())
}

fn erase(transaction: &Transaction<'_>, attempt: &EraseAttempt) -> rusqlite::Result<Erased> {
    let withdrawal_hash = attempt.withdrawal_hash.as_bytes();
    let before = transaction
        .query_row(READ_WITHDRAWAL, params![withdrawal_hash], |row| row.get(0))
        .optional()?;
    if let Some(receipt) = before {
        return Ok(Erased::Repeated(receipt));
    }
    if let Some(why) = not_its_key(transaction, &attempt.key, attempt.home)? {
        return Ok(Erased::Refused(why));
    }
    let mut weeks = transaction.prepare_cached(READ_WEEKS)?;
    let weeks: BTreeSet<u32> = weeks
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut held = Vec::with_capacity(attempt.held.len());
    for (week, token, _) in &attempt.held {
        let count: u32 = transaction
            .prepare_cached(COUNT_HOME)?
            .query_row(params![week.monday().number(), token.0], |row| row.get(0))?;
        held.push((*week, count));
    }
    let given = attempt.held.iter().map(|(week, ..)| week.monday().number());
    let is_as_said = weeks.iter().copied().eq(given)
        && held
            .iter()
            .zip(&attempt.held)
            .all(|((_, count), (.., said))| count == said);
    if !is_as_said {
        return Ok(Erased::Otherwise(held));
    }
    for (week, token, said) in &attempt.held {
        let monday = week.monday().number();
        let erased = transaction.execute(ERASE_BATCHES, params![monday, token.0])?;
        if u32::try_from(erased) != Ok(*said) {
            return Err(damaged(0, "rows that are counted and cannot be deleted"));
        }
        if erased > 0 {
            transaction.execute(MARK_WEEK, params![monday])?;
        }
    }
    transaction.execute(ERASE_KEYS, params![attempt.home.as_bytes()])?;
    transaction.execute(ERASE_HOME, params![attempt.home.as_bytes()])?;
    transaction.execute(
        WRITE_WITHDRAWAL,
        params![
            withdrawal_hash,
            attempt.receipt,
            attempt.forget_at.seconds()
        ],
    )?;
    write_ledger(transaction, attempt.listed.0.start(), attempt.link())?;
    Ok(Erased::Done)
}
