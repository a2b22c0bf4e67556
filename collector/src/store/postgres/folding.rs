//! Folding, shared by collectors: SQL.
//!
//! A part is taken by whoever locks its row first; rows that others have locked are skipped, so that
//! workers never wait for each other. A part whose holder died becomes anybody's when its time is over.
//! Two that work on one part find the same, and the first to say so is heard: a lease saves work and
//! decides nothing.

use super::fault::Fault;
use super::session::{Session, Turn};
use super::{Postgres, damaged, monday};
use crate::store::{Fold, Lease, StoreError, Taken};
use phonehome_proto::time::Timestamp;

const COUNT: &str = "
    SELECT count(*), count(*) FILTER (WHERE sealed IS NULL) FROM folds
    WHERE week = $1 AND pass = $2 AND erasures = $3";
const FIND: &str = "
    SELECT part FROM folds
    WHERE week = $1 AND pass = $2 AND erasures = $3 AND sealed IS NULL
      AND (holder IS NULL OR holder = $4 OR until <= $5)
    ORDER BY part LIMIT 1 FOR UPDATE SKIP LOCKED";
const TAKE: &str = "
    UPDATE folds SET holder = $4, until = $5 WHERE week = $1 AND pass = $2 AND part = $3";
const IS_CURRENT: &str =
    "SELECT count(*) FROM weeks WHERE week = $1 AND state = 'closed' AND erasures = $2";
const FORGET: &str = "DELETE FROM folds WHERE week = $1 AND erasures <> $2";
const BEGIN: &str = "
    INSERT INTO folds (week, pass, part, erasures, until)
    SELECT $1, $2, part, $3, 0 FROM generate_series(0, $4::integer - 1) AS part
    ON CONFLICT DO NOTHING";
const KEEP: &str = "
    UPDATE folds SET sealed = $5, holder = NULL
    WHERE week = $1 AND pass = $2 AND part = $3 AND erasures = $4 AND sealed IS NULL";
const HOLD: &str = "
    UPDATE folds SET until = $6
    WHERE week = $1 AND pass = $2 AND part = $3 AND erasures = $4 AND holder = $5 AND sealed IS NULL";
const READ: &str = "
    SELECT sealed FROM folds WHERE week = $1 AND pass = $2 AND part = $3 AND erasures = $4";
/// What was found in a week is worthless once it is told or has lost a home, and goes with that.
pub(super) const END_FOLDS: &str = "DELETE FROM folds WHERE week = $1";

impl Postgres {
    pub(in crate::store) async fn take_part(
        &self,
        fold: Fold,
        parts: u16,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let asked = (fold, parts, lease, now);
        let taken = self
            .pool
            .transact("take_part", Turn::Free, asked, |session, asked| {
                Box::pin(take_part(session, asked))
            })
            .await?;
        if let Some(taken) = taken {
            return Ok(taken);
        }
        self.pool
            .transact("begin_fold", Turn::Desk, asked, |session, asked| {
                Box::pin(begin_fold(session, asked))
            })
            .await
    }

    pub(in crate::store) async fn keep_part(
        &self,
        fold: Fold,
        part: u16,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let asked = (fold, part, sealed);
        self.pool
            .transact("keep_part", Turn::Free, asked, |session, asked| {
                Box::pin(keep_part(session, asked))
            })
            .await
    }

    pub(in crate::store) async fn hold_part(
        &self,
        fold: Fold,
        part: u16,
        lease: Lease,
    ) -> Result<bool, StoreError> {
        let asked = (fold, part, lease);
        self.pool
            .transact("hold_part", Turn::Free, asked, |session, asked| {
                Box::pin(hold_part(session, asked))
            })
            .await
    }

    pub(in crate::store) async fn part(
        &self,
        fold: Fold,
        part: u16,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let asked = (fold, part);
        self.pool
            .transact("part", Turn::Read, asked, |session, asked| {
                Box::pin(part_kept(session, asked))
            })
            .await
    }
}

type Asked = (Fold, u16, Lease, Timestamp);

/// `None` if nobody has begun.
async fn take_part(
    session: &Session,
    (fold, _, lease, now): &Asked,
) -> Result<Option<Taken>, Fault> {
    let (week, pass, erasures) = numbers(*fold);
    let count = session.row(COUNT, &[&week, &pass, &erasures]).await?;
    let count = count.ok_or_else(|| damaged("a count that is no row"))?;
    let (all, left): (i64, i64) = (count.try_get(0)?, count.try_get(1)?);
    if all == 0 {
        return Ok(None);
    }
    if left == 0 {
        return Ok(Some(Taken::Done));
    }
    let holder = &lease.holder[..];
    let found = session
        .row(FIND, &[&week, &pass, &erasures, &holder, &now.seconds()])
        .await?;
    let Some(found) = found else {
        return Ok(Some(Taken::Busy));
    };
    let part: i32 = found.try_get(0)?;
    let until = lease.until.seconds();
    session
        .change(TAKE, &[&week, &pass, &part, &holder, &until])
        .await?;
    let part = u16::try_from(part).map_err(|_| damaged("not a part"))?;
    Ok(Some(Taken::Part(part)))
}

/// Makes the parts of a fold, if the week stands as the asker thinks, and takes the first.
async fn begin_fold(session: &Session, asked: &Asked) -> Result<Taken, Fault> {
    let (fold, parts, ..) = asked;
    let (week, pass, erasures) = numbers(*fold);
    let current: i64 = session.value(IS_CURRENT, &[&week, &erasures]).await?;
    if current == 0 {
        return Ok(Taken::Outdated);
    }
    session.change(FORGET, &[&week, &erasures]).await?;
    let parts = i32::from(*parts);
    session
        .change(BEGIN, &[&week, &pass, &erasures, &parts])
        .await?;
    let taken = take_part(session, asked).await?;
    taken.ok_or_else(|| damaged("parts that are there and are not"))
}

async fn keep_part(
    session: &Session,
    (fold, part, sealed): &(Fold, u16, Vec<u8>),
) -> Result<(), Fault> {
    let (week, pass, erasures) = numbers(*fold);
    let part = i32::from(*part);
    session
        .change(KEEP, &[&week, &pass, &part, &erasures, sealed])
        .await?;
    Ok(())
}

async fn hold_part(
    session: &Session,
    (fold, part, lease): &(Fold, u16, Lease),
) -> Result<bool, Fault> {
    let (week, pass, erasures) = numbers(*fold);
    let (part, holder, until) = (i32::from(*part), &lease.holder[..], lease.until.seconds());
    let held = session
        .change(HOLD, &[&week, &pass, &part, &erasures, &holder, &until])
        .await?;
    Ok(held > 0)
}

async fn part_kept(
    session: &Session,
    (fold, part): &(Fold, u16),
) -> Result<Option<Vec<u8>>, Fault> {
    let (week, pass, erasures) = numbers(*fold);
    let part = i32::from(*part);
    let row = session.row(READ, &[&week, &pass, &part, &erasures]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}

/// Week, pass and erasures as tables have them.
fn numbers(fold: Fold) -> (i32, i32, i32) {
    let erasures = i32::try_from(fold.erasures).unwrap_or(i32::MAX);
    (monday(fold.week), i32::from(fold.pass), erasures)
}
