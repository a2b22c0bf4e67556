//! What is forgotten: homes that withdraw, and what has outlived its time. SQL.
//!
//! Rows that are deleted or changed leave their former bytes in the pages of their table. After the
//! commit the tables that a home was in are rewritten, as long as they are small, else vacuumed; then
//! what is left goes when pages are used again. The server's log, and its standby's, hold copies until
//! they are recycled.

use super::fault::Fault;
use super::folding::END_FOLDS;
use super::ledger::write_ledger;
use super::registry::number;
use super::rotation::not_its_key;
use super::session::{Session, Turn};
use super::{Postgres, damaged, monday};
use crate::store::{EraseAttempt, Erased, ForgetAttempt, Forgotten, StoreError};
use phonehome_proto::time::Week;
use std::collections::BTreeSet;

const READ_WITHDRAWAL: &str = "SELECT sealed FROM withdrawals WHERE withdrawal_hash = $1";
const WRITE_WITHDRAWAL: &str =
    "INSERT INTO withdrawals (withdrawal_hash, sealed, forget_at) VALUES ($1, $2, $3)";
const READ_WEEKS: &str = "SELECT week FROM weeks WHERE state <> 'final' ORDER BY week";
const COUNT_HOME: &str = "SELECT count(*) FROM journal WHERE week = $1 AND home_token = $2";
pub(super) const ERASE_BATCHES: &str = "DELETE FROM journal WHERE week = $1 AND home_token = $2";
const MARK_WEEK: &str = "UPDATE weeks SET erasures = erasures + 1 WHERE week = $1";
const ERASE_KEYS: &str = "DELETE FROM keys WHERE home = $1";
const ERASE_HOME: &str = "DELETE FROM homes WHERE home = $1";
const FORGET_KEYS: &str = "
    DELETE FROM keys USING homes
    WHERE keys.home = homes.home AND keys.last_day < $1 AND homes.state <> 'revoked'";
const FORGET_WITHDRAWALS: &str = "DELETE FROM withdrawals WHERE forget_at <= $1";
const FORGET_INVITES: &str = "DELETE FROM invites WHERE uses_left = 0 OR expires_at <= $1";
const FORGET_PLACES: &str = "DELETE FROM places WHERE month < $1";
const FORGET_PENDING_KEYS: &str = "
    DELETE FROM keys USING homes
    WHERE keys.home = homes.home AND homes.state = 'pending' AND homes.enrolled_day < $1";
const FORGET_PENDING: &str = "DELETE FROM homes WHERE state = 'pending' AND enrolled_day < $1";
const READ_BYTES: &str = "SELECT pg_total_relation_size(to_regclass($1))";

/// A table is rewritten when a home has left it, unless it is larger: about a second of work, in which
/// whoever needs it waits.
const REWRITTEN_BYTES_MAX: i64 = 128 * 1024 * 1024;

/// Where homes stood that have gone.
#[derive(Default)]
pub(super) struct Traces {
    /// In the registry.
    pub(super) is_registry: bool,
    /// In the journal of these weeks.
    pub(super) weeks: BTreeSet<Week>,
}

impl Postgres {
    pub(in crate::store) async fn erase(
        &self,
        attempt: EraseAttempt,
    ) -> Result<Erased, StoreError> {
        let (erased, traces) = self
            .pool
            .transact("erase", Turn::House, attempt, |session, attempt| {
                Box::pin(erase(session, attempt))
            })
            .await?;
        self.overwrite(traces).await?;
        Ok(erased)
    }

    pub(in crate::store) async fn forget(
        &self,
        attempt: ForgetAttempt,
    ) -> Result<Forgotten, StoreError> {
        self.pool
            .transact("forget", Turn::Desk, attempt, |session, attempt| {
                Box::pin(forget(session, attempt))
            })
            .await
    }

    /// Takes out of tables what is deleted from them, as far as that is quickly done.
    pub(super) async fn overwrite(&self, traces: Traces) -> Result<(), StoreError> {
        if !traces.is_registry && traces.weeks.is_empty() {
            return Ok(());
        }
        self.pool
            .bare("overwrite", traces, |session, traces| {
                Box::pin(overwrite(session, traces))
            })
            .await
    }
}

async fn overwrite(session: &Session, traces: &Traces) -> Result<(), Fault> {
    let registry = ["homes", "keys"].map(str::to_owned).into_iter();
    let weeks = traces.weeks.iter().map(|week| partition(*week));
    for table in registry.filter(|_| traces.is_registry).chain(weeks) {
        let bytes: Option<i64> = session.value(READ_BYTES, &[&table]).await?;
        let full = match bytes {
            None => continue,
            Some(bytes) if bytes <= REWRITTEN_BYTES_MAX => "FULL",
            Some(_) => "",
        };
        session.run(&format!("VACUUM {full} {table}")).await?;
    }
    Ok(())
}

/// The table that holds a week's rows.
pub(super) fn partition(week: Week) -> String {
    format!("journal_{}", monday(week))
}

async fn erase(session: &Session, attempt: &EraseAttempt) -> Result<(Erased, Traces), Fault> {
    let nothing = |erased| Ok((erased, Traces::default()));
    let withdrawal_hash = &attempt.withdrawal_hash.as_bytes()[..];
    if let Some(row) = session.row(READ_WITHDRAWAL, &[&withdrawal_hash]).await? {
        return nothing(Erased::Repeated(row.try_get(0)?));
    }
    if let Some(why) = not_its_key(session, &attempt.key, attempt.home).await? {
        return nothing(Erased::Refused(why));
    }
    let mut weeks: Vec<i32> = Vec::new();
    for row in session.rows(READ_WEEKS, &[]).await? {
        weeks.push(row.try_get(0)?);
    }
    let mut held = Vec::with_capacity(attempt.held.len());
    for (week, token, _) in &attempt.held {
        let count: i64 = session
            .value(COUNT_HOME, &[&monday(*week), &&token.0[..]])
            .await?;
        let count = u32::try_from(count).map_err(|_| damaged("a count beyond all bounds"))?;
        held.push((*week, count));
    }
    let given = attempt.held.iter().map(|(week, ..)| monday(*week));
    let is_as_said = weeks.into_iter().eq(given)
        && held
            .iter()
            .zip(&attempt.held)
            .all(|((_, count), (.., said))| count == said);
    if !is_as_said {
        return nothing(Erased::Otherwise(held));
    }
    let mut traces = Traces {
        is_registry: true,
        weeks: BTreeSet::new(),
    };
    for (week, token, said) in &attempt.held {
        let erased = session
            .change(ERASE_BATCHES, &[&monday(*week), &&token.0[..]])
            .await?;
        if erased != u64::from(*said) {
            return Err(damaged("rows that are counted and cannot be deleted"));
        }
        if erased > 0 {
            session.change(MARK_WEEK, &[&monday(*week)]).await?;
            session.change(END_FOLDS, &[&monday(*week)]).await?;
            traces.weeks.insert(*week);
        }
    }
    let home = &attempt.home.as_bytes()[..];
    session.change(ERASE_KEYS, &[&home]).await?;
    session.change(ERASE_HOME, &[&home]).await?;
    let forget_at = attempt.forget_at.seconds();
    session
        .change(
            WRITE_WITHDRAWAL,
            &[&withdrawal_hash, &attempt.receipt, &forget_at],
        )
        .await?;
    write_ledger(session, attempt.listed.0.start(), attempt.link()).await?;
    Ok((Erased::Done, traces))
}

async fn forget(session: &Session, attempt: &ForgetAttempt) -> Result<Forgotten, Fault> {
    let now = attempt.now.seconds();
    let pending_before = number(attempt.pending_before);
    let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    session
        .change(FORGET_PENDING_KEYS, &[&pending_before])
        .await?;
    let keys_before = number(attempt.keys_before);
    let places_before = number(attempt.places_before);
    Ok(Forgotten {
        keys: count(session.change(FORGET_KEYS, &[&keys_before]).await?),
        withdrawals: count(session.change(FORGET_WITHDRAWALS, &[&now]).await?),
        invites: count(session.change(FORGET_INVITES, &[&now]).await?),
        places: count(session.change(FORGET_PLACES, &[&places_before]).await?),
        pending: count(session.change(FORGET_PENDING, &[&pending_before]).await?),
    })
}
