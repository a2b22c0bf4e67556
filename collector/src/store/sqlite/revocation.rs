//! Homes the operator says a word about: approved, or taken out. SQL.

use super::erasure::{ERASE_BATCHES, overwrite_what_is_due};
use super::ledger::write_ledger;
use super::registry::standing;
use super::{Sqlite, damaged};
use crate::store::{
    Approved, HomeToken, RevokeAttempt, Revoked, RevokedHome, Standing, StoreError, WeekState,
};
use phonehome_proto::id::HomeId;
use phonehome_proto::time::{Day, Week};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};

const READ_STANDING: &str = "SELECT state, counted_from FROM homes WHERE home = ?1";
const APPROVE: &str = "UPDATE homes SET state = 'admitted' WHERE home = ?1 AND state = 'pending'";
const READ_WEEKS: &str = "SELECT week, state FROM weeks WHERE state <> 'final' ORDER BY week";
const MARK_WEEK: &str = "
    UPDATE weeks SET erasures = erasures + 1, revocations = revocations + (state = 'released')
    WHERE week = ?1";
const REVOKE: &str = "
    UPDATE homes SET state = 'revoked', counted_from = NULL, enrolment_hash = zeroblob(32),
                     receipt = x'', is_overwritten = 0
    WHERE home = ?1";
const BLANK_KEYS: &str = "UPDATE keys SET rotation_hash = NULL, receipt = NULL WHERE home = ?1";

impl Sqlite {
    pub(in crate::store) async fn approve(
        &self,
        homes: Vec<HomeId>,
    ) -> Result<Vec<Approved>, StoreError> {
        self.writer
            .write("approve", move |transaction| {
                homes
                    .iter()
                    .map(|home| {
                        Ok(match read_standing(transaction, *home)? {
                            None => Approved::Unknown,
                            Some(Standing::Revoked) => Approved::Revoked,
                            Some(Standing::Admitted { .. }) => Approved::Before,
                            Some(Standing::Pending) => {
                                transaction.execute(APPROVE, params![home.as_bytes()])?;
                                Approved::Now
                            }
                        })
                    })
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn revoke(
        &self,
        attempt: RevokeAttempt,
    ) -> Result<Revoked, StoreError> {
        let folds = self.folds.clone();
        // One piece of work: whoever asked may hang up in between.
        self.writer
            .bare("revoke", move |connection| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let revoked = revoke(&transaction, &attempt)?;
                transaction.commit()?;
                folds.forget(|_| true);
                overwrite_what_is_due(connection)?;
                Ok(revoked)
            })
            .await
    }
}

pub(super) fn read_standing(
    transaction: &Transaction<'_>,
    home: HomeId,
) -> rusqlite::Result<Option<Standing>> {
    transaction
        .prepare_cached(READ_STANDING)?
        .query_row(params![home.as_bytes()], |row| standing(row, 0))
        .optional()
}

fn revoke(transaction: &Transaction<'_>, attempt: &RevokeAttempt) -> rusqlite::Result<Revoked> {
    let weeks: BTreeMap<u32, WeekState> = transaction
        .prepare_cached(READ_WEEKS)?
        .query_map([], |row| {
            let state: String = row.get(1)?;
            let state = WeekState::parse(&state).ok_or_else(|| damaged(1, "not a state"))?;
            Ok((row.get(0)?, state))
        })?
        .collect::<Result<_, _>>()?;
    let is_every_week = |held: &[(Week, HomeToken)]| {
        let given = held.iter().map(|(week, _)| week.monday().number());
        weeks.keys().copied().eq(given)
    };
    if !attempt.homes.iter().all(|home| is_every_week(&home.held)) {
        return Ok(Revoked::Otherwise);
    }
    let (mut answers, mut touched, mut out) = (Vec::new(), BTreeSet::new(), 0_usize);
    for home in &attempt.homes {
        answers.push(match read_standing(transaction, home.home)? {
            None => RevokedHome::Unknown,
            Some(Standing::Revoked) => RevokedHome::Before,
            Some(Standing::Pending | Standing::Admitted { .. }) => {
                out += 1;
                write_ledger(transaction, attempt.now, home.link())?;
                let erased = take_out(transaction, home.home, &home.held, &mut touched)?;
                RevokedHome::Now(erased)
            }
        });
    }
    if out > 0 {
        // How many of which weeks; which of them is nobody's business.
        let weeks = touched.iter().filter_map(|monday| Day::new(*monday));
        let weeks: String = weeks.map(|monday| format!(" {}", monday.week())).collect();
        write_ledger(transaction, attempt.now, format!("revoked {out}{weeks}"))?;
    }
    Ok(Revoked::Done(answers))
}

/// Takes one home out; gives how many batches went, and adds the weeks they were of.
pub(super) fn take_out(
    transaction: &Transaction<'_>,
    home: HomeId,
    held: &[(Week, HomeToken)],
    touched: &mut BTreeSet<u32>,
) -> rusqlite::Result<u32> {
    let mut batches = 0;
    for (week, token) in held {
        let monday = week.monday().number();
        let erased = transaction.execute(ERASE_BATCHES, params![monday, token.0])?;
        if erased > 0 {
            transaction.execute(MARK_WEEK, params![monday])?;
            touched.insert(monday);
            batches += u32::try_from(erased).unwrap_or(u32::MAX);
        }
    }
    transaction.execute(REVOKE, params![home.as_bytes()])?;
    transaction.execute(BLANK_KEYS, params![home.as_bytes()])?;
    Ok(batches)
}
