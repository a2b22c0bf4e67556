//! Weeks and releases: SQL.

use super::erasure::take_out_of_wal;
use super::ledger::write_ledger;
use super::{Sqlite, damaged};
use crate::store::{ReleaseRow, StoreError, Stored, WeekRow, WeekState};
use phonehome_proto::id::Hash;
use phonehome_proto::time::{Day, Timestamp, Week};
use rusqlite::{OptionalExtension, Row, params};

const OPEN: &str = "
    INSERT INTO weeks (week, state, key_check) VALUES (?1, 'open', ?2)
    ON CONFLICT (week) DO NOTHING";
const READ: &str =
    "SELECT week, state, key_check, erasures, revocations FROM weeks WHERE week = ?1";
const READ_ALL: &str =
    "SELECT week, state, key_check, erasures, revocations FROM weeks ORDER BY week";
pub(super) const CLOSE: &str =
    "UPDATE weeks SET state = 'closed' WHERE week = ?1 AND state = 'open'";
pub(super) const RELEASE: &str =
    "UPDATE weeks SET state = 'released' WHERE week = ?1 AND state = 'closed'";
const TELL_REVOCATIONS: &str = "UPDATE weeks SET revocations = 0 WHERE week = ?1";
pub(super) const FINISH: &str =
    "UPDATE weeks SET state = 'final' WHERE week = ?1 AND state <> 'final'";
const FIND_EDGE: &str = "
    SELECT home_token FROM journal WHERE week = ?1
    ORDER BY home_token, batch_token LIMIT 1 OFFSET ?2";
const DELETE_ROWS: &str = "DELETE FROM journal WHERE week = ?1 AND home_token <= ?2";
pub(super) const WRITE_RELEASE: &str = "
    INSERT INTO releases (week, revision, text, signature) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (week, revision) DO NOTHING";
const READ_RELEASES: &str =
    "SELECT week, revision, text, signature FROM releases ORDER BY week, revision";

/// Rows deleted in one transaction, and as many more as the last home has.
const DELETED_TOGETHER: u32 = 4_096;

impl Sqlite {
    pub(in crate::store) async fn open_week(
        &self,
        week: Week,
        key_check: Hash,
    ) -> Result<WeekRow, StoreError> {
        self.writer
            .write("open_week", move |transaction| {
                let monday = week.monday().number();
                transaction.execute(OPEN, params![monday, key_check.as_bytes()])?;
                transaction.query_row(READ, params![monday], week_row)
            })
            .await
    }

    pub(in crate::store) async fn weeks(&self) -> Result<Vec<WeekRow>, StoreError> {
        self.reader
            .read("weeks", |transaction| {
                transaction
                    .prepare_cached(READ_ALL)?
                    .query_map([], week_row)?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn close_week(
        &self,
        week: Week,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write("close_week", move |transaction| {
                if transaction.execute(CLOSE, params![week.monday().number()])? > 0 {
                    write_ledger(transaction, now, format!("closed {week}"))?;
                }
                Ok(())
            })
            .await
    }

    pub(in crate::store) async fn release_week(
        &self,
        release: ReleaseRow,
        erasures: u32,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        let week = release.week;
        let stored = self
            .writer
            .write("release_week", move |transaction| {
                let monday = release.week.monday().number();
                let row = transaction
                    .query_row(READ, params![monday], week_row)
                    .optional()?;
                let is_outdated = row.is_some_and(|row| match row.state {
                    WeekState::Open => false,
                    WeekState::Closed => row.erasures != erasures,
                    WeekState::Released => release.revision > 0 && row.erasures != erasures,
                    WeekState::Final => release.revision > 0,
                });
                if is_outdated {
                    return Ok(Stored::Outdated);
                }
                let fresh = transaction.execute(
                    WRITE_RELEASE,
                    params![monday, release.revision, release.text, release.signature],
                )? > 0;
                if !fresh {
                    return Ok(Stored::Before);
                }
                transaction.execute(RELEASE, params![monday])?;
                transaction.execute(TELL_REVOCATIONS, params![monday])?;
                let hash = Hash::of(release.text.as_bytes()).to_hex();
                let event = format!("released {}.{} {hash}", release.week, release.revision);
                write_ledger(transaction, now, event)?;
                Ok(Stored::Fresh)
            })
            .await?;
        if stored == Stored::Fresh {
            self.folds.forget(|other| other == week);
        }
        Ok(stored)
    }

    pub(in crate::store) async fn destroy_week(
        &self,
        week: Week,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let monday = week.monday().number();
        self.folds.forget(|other| other == week);
        // In pieces, so that intake goes on between them and the WAL stays small.
        let mut is_left = true;
        while is_left {
            is_left = self
                .writer
                .write("destroy_rows", move |transaction| {
                    let edge: Option<[u8; 32]> = transaction
                        .query_row(FIND_EDGE, params![monday, DELETED_TOGETHER], |row| {
                            row.get(0)
                        })
                        .optional()?;
                    let last = edge.unwrap_or([0xff; 32]);
                    transaction.execute(DELETE_ROWS, params![monday, last])?;
                    Ok(edge.is_some())
                })
                .await?;
        }
        self.writer
            .write("destroy_week", move |transaction| {
                if transaction.execute(FINISH, params![monday])? > 0 {
                    write_ledger(transaction, now, format!("destroyed {week}"))?;
                }
                Ok(())
            })
            .await?;
        self.writer.bare("checkpoint", take_out_of_wal).await
    }

    pub(in crate::store) async fn releases(&self) -> Result<Vec<ReleaseRow>, StoreError> {
        self.reader
            .read("releases", |transaction| {
                transaction
                    .prepare_cached(READ_RELEASES)?
                    .query_map([], |row| {
                        Ok(ReleaseRow {
                            week: week_of(row.get(0)?)?,
                            revision: row.get(1)?,
                            text: row.get(2)?,
                            signature: row.get(3)?,
                        })
                    })?
                    .collect()
            })
            .await
    }
}

fn week_row(row: &Row<'_>) -> rusqlite::Result<WeekRow> {
    let state: String = row.get(1)?;
    Ok(WeekRow {
        week: week_of(row.get(0)?)?,
        state: WeekState::parse(&state).ok_or_else(|| damaged(1, "not a state"))?,
        key_check: Hash::new(row.get(2)?),
        erasures: row.get(3)?,
        revocations: row.get(4)?,
    })
}

fn week_of(monday: u32) -> rusqlite::Result<Week> {
    let week = Day::new(monday).map(Day::week);
    week.filter(|week| week.monday().number() == monday)
        .ok_or_else(|| damaged(0, "not a Monday"))
}
