//! Homes the operator says a word about: approved, or taken out. SQL.

use super::erasure::{ERASE_BATCHES, Traces};
use super::fault::Fault;
use super::folding::END_FOLDS;
use super::journal::week_of;
use super::ledger::write_ledger;
use super::registry::standing;
use super::session::{Session, Turn};
use super::{Postgres, monday};
use crate::store::{
    Approved, HomeToken, RevokeAttempt, Revoked, RevokedHome, Standing, StoreError,
};
use phonehome_proto::id::HomeId;
use phonehome_proto::time::Week;
use std::collections::BTreeSet;

const READ_STANDING: &str = "SELECT state, counted_from FROM homes WHERE home = $1";
const APPROVE: &str = "UPDATE homes SET state = 'admitted' WHERE home = $1 AND state = 'pending'";
const READ_WEEKS: &str = "SELECT week FROM weeks WHERE state <> 'final' ORDER BY week";
const MARK_WEEK: &str = "
    UPDATE weeks SET erasures = erasures + 1,
      revocations = revocations + CASE state WHEN 'released' THEN 1 ELSE 0 END
    WHERE week = $1";
const REVOKE: &str = "
    UPDATE homes SET state = 'revoked', counted_from = NULL, enrolment_hash = $2, receipt = ''
    WHERE home = $1";
const BLANK_KEYS: &str = "UPDATE keys SET rotation_hash = NULL, receipt = NULL WHERE home = $1";

impl Postgres {
    pub(in crate::store) async fn approve(
        &self,
        homes: Vec<HomeId>,
    ) -> Result<Vec<Approved>, StoreError> {
        self.pool
            .transact("approve", Turn::Desk, homes, |session, homes| {
                Box::pin(approve(session, homes))
            })
            .await
    }

    pub(in crate::store) async fn revoke(
        &self,
        attempt: RevokeAttempt,
    ) -> Result<Revoked, StoreError> {
        let (revoked, traces) = self
            .pool
            .transact("revoke", Turn::House, attempt, |session, attempt| {
                Box::pin(revoke(session, attempt))
            })
            .await?;
        self.overwrite(traces).await?;
        Ok(revoked)
    }
}

async fn approve(session: &Session, homes: &[HomeId]) -> Result<Vec<Approved>, Fault> {
    let mut answers = Vec::with_capacity(homes.len());
    for home in homes {
        answers.push(match read_standing(session, *home).await? {
            None => Approved::Unknown,
            Some(Standing::Revoked) => Approved::Revoked,
            Some(Standing::Admitted { .. }) => Approved::Before,
            Some(Standing::Pending) => {
                session.change(APPROVE, &[&&home.as_bytes()[..]]).await?;
                Approved::Now
            }
        });
    }
    Ok(answers)
}

async fn read_standing(session: &Session, home: HomeId) -> Result<Option<Standing>, Fault> {
    let row = session.row(READ_STANDING, &[&&home.as_bytes()[..]]).await?;
    row.map(|row| standing(&row, 0)).transpose()
}

async fn revoke(session: &Session, attempt: &RevokeAttempt) -> Result<(Revoked, Traces), Fault> {
    let mut weeks = Vec::new();
    for row in session.rows(READ_WEEKS, &[]).await? {
        weeks.push(week_of(row.try_get(0)?)?);
    }
    let is_every_week = |held: &[(Week, HomeToken)]| {
        let given = held.iter().map(|(week, _)| *week);
        weeks.iter().copied().eq(given)
    };
    if !attempt.homes.iter().all(|home| is_every_week(&home.held)) {
        return Ok((Revoked::Otherwise, Traces::default()));
    }
    let (mut answers, mut touched, mut out) = (Vec::new(), BTreeSet::new(), 0_usize);
    for home in &attempt.homes {
        answers.push(match read_standing(session, home.home).await? {
            None => RevokedHome::Unknown,
            Some(Standing::Revoked) => RevokedHome::Before,
            Some(Standing::Pending | Standing::Admitted { .. }) => {
                out += 1;
                write_ledger(session, attempt.now, home.link()).await?;
                let erased = take_out(session, home.home, &home.held, &mut touched).await?;
                RevokedHome::Now(erased)
            }
        });
    }
    if out > 0 {
        // How many of which weeks; which of them is nobody's business.
        let weeks: String = touched.iter().map(|week| format!(" {week}")).collect();
        write_ledger(session, attempt.now, format!("revoked {out}{weeks}")).await?;
    }
    let traces = Traces {
        is_registry: out > 0,
        weeks: touched,
    };
    Ok((Revoked::Done(answers), traces))
}

/// Takes one home out; gives how many batches went, and adds the weeks they were of.
async fn take_out(
    session: &Session,
    home: HomeId,
    held: &[(Week, HomeToken)],
    touched: &mut BTreeSet<Week>,
) -> Result<u32, Fault> {
    let mut batches = 0;
    for (week, token) in held {
        let erased = session
            .change(ERASE_BATCHES, &[&monday(*week), &&token.0[..]])
            .await?;
        if erased > 0 {
            session.change(MARK_WEEK, &[&monday(*week)]).await?;
            session.change(END_FOLDS, &[&monday(*week)]).await?;
            touched.insert(*week);
            batches += u32::try_from(erased).unwrap_or(u32::MAX);
        }
    }
    let (home, blank) = (&home.as_bytes()[..], &[0_u8; 32][..]);
    session.change(REVOKE, &[&home, &blank]).await?;
    session.change(BLANK_KEYS, &[&home]).await?;
    Ok(batches)
}
