//! Weeks and releases: SQL.

use super::erasure::partition;
use super::fault::Fault;
use super::folding::END_FOLDS;
use super::journal::week_of;
use super::ledger::write_ledger;
use super::session::{Session, Turn};
use super::{Postgres, bytes, damaged, monday};
use crate::store::{ReleaseRow, StoreError, Stored, WeekRow, WeekState};
use phonehome_proto::id::Hash;
use phonehome_proto::time::{Timestamp, Week};
use tokio_postgres::Row;

const OPEN: &str = "
    INSERT INTO weeks (week, state, key_check) VALUES ($1, 'open', $2) ON CONFLICT (week) DO NOTHING";
const READ: &str =
    "SELECT week, state, key_check, erasures, revocations FROM weeks WHERE week = $1";
const READ_ALL: &str =
    "SELECT week, state, key_check, erasures, revocations FROM weeks ORDER BY week";
const CLOSE: &str = "UPDATE weeks SET state = 'closed' WHERE week = $1 AND state = 'open'";
const RELEASE: &str = "UPDATE weeks SET state = 'released' WHERE week = $1 AND state = 'closed'";
const TELL_REVOCATIONS: &str = "UPDATE weeks SET revocations = 0 WHERE week = $1";
const FINISH: &str = "UPDATE weeks SET state = 'final' WHERE week = $1 AND state <> 'final'";
const WRITE_RELEASE: &str = "
    INSERT INTO releases (week, revision, text, signature) VALUES ($1, $2, $3, $4)
    ON CONFLICT (week, revision) DO NOTHING";
const READ_RELEASES: &str =
    "SELECT week, revision, text, signature FROM releases ORDER BY week, revision";

impl Postgres {
    pub(in crate::store) async fn open_week(
        &self,
        week: Week,
        key_check: Hash,
    ) -> Result<WeekRow, StoreError> {
        // All doors: the new partition changes the table that they lead to.
        let asked = (week, key_check);
        self.pool
            .transact("open_week", Turn::House, asked, |session, asked| {
                Box::pin(open_week(session, asked))
            })
            .await
    }

    pub(in crate::store) async fn weeks(&self) -> Result<Vec<WeekRow>, StoreError> {
        self.pool
            .transact("weeks", Turn::Read, (), |session, ()| {
                Box::pin(weeks(session))
            })
            .await
    }

    pub(in crate::store) async fn close_week(
        &self,
        week: Week,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let asked = (week, now);
        self.pool
            .transact("close_week", Turn::House, asked, |session, asked| {
                Box::pin(close_week(session, asked))
            })
            .await
    }

    pub(in crate::store) async fn release_week(
        &self,
        release: ReleaseRow,
        erasures: u32,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let asked = (release, erasures, now);
        self.pool
            .transact("release_week", Turn::Desk, asked, |session, asked| {
                Box::pin(release_week(session, asked))
            })
            .await
    }

    pub(in crate::store) async fn destroy_week(
        &self,
        week: Week,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let asked = (week, now);
        self.pool
            .transact("destroy_week", Turn::House, asked, |session, asked| {
                Box::pin(destroy_week(session, asked))
            })
            .await
    }

    pub(in crate::store) async fn releases(&self) -> Result<Vec<ReleaseRow>, StoreError> {
        self.pool
            .transact("releases", Turn::Read, (), |session, ()| {
                Box::pin(releases(session))
            })
            .await
    }
}

async fn open_week(session: &Session, (week, key_check): &(Week, Hash)) -> Result<WeekRow, Fault> {
    let (number, key_check) = (monday(*week), &key_check.as_bytes()[..]);
    if session.change(OPEN, &[&number, &key_check]).await? > 0 {
        let table = partition(*week);
        session
            .run(&format!(
                "CREATE TABLE {table} PARTITION OF journal FOR VALUES IN ({number})"
            ))
            .await?;
    }
    let row = session.row(READ, &[&number]).await?;
    week_row(&row.ok_or_else(|| damaged("a week that is there and is not"))?)
}

async fn weeks(session: &Session) -> Result<Vec<WeekRow>, Fault> {
    let rows = session.rows(READ_ALL, &[]).await?;
    rows.iter().map(week_row).collect()
}

async fn close_week(session: &Session, (week, now): &(Week, Timestamp)) -> Result<(), Fault> {
    if session.change(CLOSE, &[&monday(*week)]).await? > 0 {
        write_ledger(session, *now, format!("closed {week}")).await?;
    }
    Ok(())
}

async fn release_week(
    session: &Session,
    (release, erasures, now): &(ReleaseRow, u32, Timestamp),
) -> Result<Stored, Fault> {
    let number = monday(release.week);
    let row = session.row(READ, &[&number]).await?;
    let row = row.as_ref().map(week_row).transpose()?;
    let is_outdated = row.is_some_and(|row| match row.state {
        WeekState::Open => false,
        WeekState::Closed => row.erasures != *erasures,
        WeekState::Released => release.revision > 0 && row.erasures != *erasures,
        WeekState::Final => release.revision > 0,
    });
    if is_outdated {
        return Ok(Stored::Outdated);
    }
    let revision = i32::from(release.revision);
    let signature = &release.signature[..];
    let written = session
        .change(
            WRITE_RELEASE,
            &[&number, &revision, &release.text, &signature],
        )
        .await?;
    if written == 0 {
        return Ok(Stored::Before);
    }
    session.change(RELEASE, &[&number]).await?;
    session.change(TELL_REVOCATIONS, &[&number]).await?;
    session.change(END_FOLDS, &[&number]).await?;
    let hash = Hash::of(release.text.as_bytes()).to_hex();
    let event = format!("released {}.{} {hash}", release.week, release.revision);
    write_ledger(session, *now, event).await?;
    Ok(Stored::Fresh)
}

/// The week's partition goes whole: its files are removed, and no row of it is ever read again.
async fn destroy_week(session: &Session, (week, now): &(Week, Timestamp)) -> Result<(), Fault> {
    let number = monday(*week);
    session.change(END_FOLDS, &[&number]).await?;
    let table = partition(*week);
    session
        .run(&format!("DROP TABLE IF EXISTS {table}"))
        .await?;
    if session.change(FINISH, &[&number]).await? > 0 {
        write_ledger(session, *now, format!("destroyed {week}")).await?;
    }
    Ok(())
}

async fn releases(session: &Session) -> Result<Vec<ReleaseRow>, Fault> {
    let rows = session.rows(READ_RELEASES, &[]).await?;
    let release = |row: &Row| {
        let revision: i32 = row.try_get(1)?;
        Ok(ReleaseRow {
            week: week_of(row.try_get(0)?)?,
            revision: u8::try_from(revision).map_err(|_| damaged("not a revision"))?,
            text: row.try_get(2)?,
            signature: bytes(row, 3)?,
        })
    };
    rows.iter().map(release).collect()
}

fn week_row(row: &Row) -> Result<WeekRow, Fault> {
    let state: &str = row.try_get(1)?;
    let count = |column| {
        let count: i32 = row.try_get(column)?;
        u32::try_from(count).map_err(|_| damaged("a count below zero"))
    };
    Ok(WeekRow {
        week: week_of(row.try_get(0)?)?,
        state: WeekState::parse(state).ok_or_else(|| damaged("not a state"))?,
        key_check: Hash::new(bytes(row, 2)?),
        erasures: count(3)?,
        revocations: count(4)?,
    })
}
