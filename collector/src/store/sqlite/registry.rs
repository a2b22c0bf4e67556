//! Registry and the collector's own row: SQL.

use super::{Sqlite, damaged};
use crate::store::{
    EnrolAttempt, Enrolled, HOMES_PAGE_MAX, HomeRow, InviteRow, KeyRow, Standing, StoreError,
};
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::{Day, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};

const READ_COLLECTOR: &str = "SELECT audience, purpose, rules_hash, serial FROM collector";
const WRITE_COLLECTOR: &str = "
    INSERT INTO collector (one, audience, purpose, rules_hash, serial) VALUES (1, ?1, ?2, ?3, ?4)
    ON CONFLICT (one) DO UPDATE SET rules_hash = excluded.rules_hash, serial = excluded.serial";
const ADD_INVITE: &str =
    "INSERT INTO invites (token_hash, expires_at, uses_left) VALUES (?1, ?2, ?3)";
const FIND_INVITE: &str = "
    SELECT count(*) FROM invites WHERE token_hash = ?1 AND uses_left > 0 AND expires_at > ?2";
const USE_INVITE: &str = "UPDATE invites SET uses_left = uses_left - 1 WHERE token_hash = ?1";
const READ_PLACE: &str = "
    SELECT coalesce(sum(homes), 0) FROM places
    WHERE month = ?1 AND place = ?2 OR month = ?3 AND place = ?4";
const COUNT_PLACE: &str = "
    INSERT INTO places (month, place, homes) VALUES (?1, ?2, 1)
    ON CONFLICT (month, place) DO UPDATE SET homes = homes + 1";
const READ_ENROLMENT: &str = "
    SELECT enrolment_hash, receipt, state, counted_from FROM homes WHERE home = ?1";
const WRITE_HOME: &str = "
    INSERT INTO homes (home, enrolled_day, enrolment_hash, receipt, state, counted_from)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (home) DO UPDATE
    SET enrolment_hash = excluded.enrolment_hash, receipt = excluded.receipt,
        state = excluded.state, counted_from = excluded.counted_from";
const WRITE_KEY: &str = "
    INSERT INTO keys (key_hash, home, key) VALUES (?1, ?2, ?3) ON CONFLICT (key_hash) DO NOTHING";
const READ_KEY: &str = "
    SELECT homes.home, key, last_day, state, counted_from
    FROM keys JOIN homes ON homes.home = keys.home WHERE key_hash = ?1";
const READ_HOMES: &str = "
    SELECT home, enrolled_day, (SELECT count(*) FROM keys WHERE keys.home = homes.home),
           state, counted_from
    FROM homes WHERE home > ?1 ORDER BY home LIMIT ?2";

impl Sqlite {
    pub(in crate::store) async fn rules_serial(
        &self,
        audience: Audience,
        purpose: Purpose,
        rules_hash: Hash,
    ) -> Result<Option<u64>, StoreError> {
        self.writer
            .write("rules_serial", move |transaction| {
                let last = transaction
                    .query_row(READ_COLLECTOR, [], |row| {
                        let audience: [u8; 32] = row.get(0)?;
                        let (purpose, rules): (String, [u8; 32]) = (row.get(1)?, row.get(2)?);
                        Ok((
                            Audience::new(audience),
                            purpose,
                            Hash::new(rules),
                            row.get(3)?,
                        ))
                    })
                    .optional()?;
                let serial: i64 = match last {
                    None => 1,
                    Some((owner, aim, ..)) if owner != audience || aim != purpose.as_str() => {
                        return Ok(None);
                    }
                    Some((_, _, rules, serial)) if rules == rules_hash => serial,
                    Some((.., serial)) => serial + 1,
                };
                transaction.execute(
                    WRITE_COLLECTOR,
                    params![
                        audience.as_bytes(),
                        purpose.as_str(),
                        rules_hash.as_bytes(),
                        serial
                    ],
                )?;
                u64::try_from(serial)
                    .map(Some)
                    .map_err(|_| damaged(3, "a serial below zero"))
            })
            .await
    }

    pub(in crate::store) async fn add_invites(
        &self,
        invites: Vec<InviteRow>,
    ) -> Result<(), StoreError> {
        self.writer
            .write("add_invites", move |transaction| {
                let mut add = transaction.prepare_cached(ADD_INVITE)?;
                for invite in &invites {
                    add.execute(params![
                        invite.token_hash.as_bytes(),
                        invite.expires_at.seconds(),
                        invite.uses
                    ])?;
                }
                Ok(())
            })
            .await
    }

    pub(in crate::store) async fn enrol(
        &self,
        attempt: EnrolAttempt,
    ) -> Result<Enrolled, StoreError> {
        self.writer
            .write("enrol", move |transaction| enrol(transaction, &attempt))
            .await
    }

    pub(in crate::store) async fn keys(
        &self,
        key_hashes: Vec<Hash>,
    ) -> Result<Vec<Option<KeyRow>>, StoreError> {
        self.reader
            .read("keys", move |transaction| {
                let mut read = transaction.prepare_cached(READ_KEY)?;
                key_hashes
                    .iter()
                    .map(|hash| read.query_row(params![hash.as_bytes()], key_row).optional())
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn homes(
        &self,
        after: Option<HomeId>,
    ) -> Result<Vec<HomeRow>, StoreError> {
        self.reader
            .read("homes", move |transaction| {
                // Every 32-byte blob is greater than the empty one.
                let after = after.map_or_else(Vec::new, |home| home.as_bytes().to_vec());
                transaction
                    .prepare_cached(READ_HOMES)?
                    .query_map(params![after, HOMES_PAGE_MAX], |row| {
                        let day = Day::new(row.get(1)?);
                        Ok(HomeRow {
                            home: HomeId::new(row.get(0)?),
                            enrolled: day.ok_or_else(|| damaged(1, "a day past the year 2199"))?,
                            keys: row.get(2)?,
                            standing: standing(row, 3)?,
                        })
                    })?
                    .collect()
            })
            .await
    }
}

/// The key with this SHA-256, whosesoever it is.
pub(super) fn read_key(
    transaction: &Transaction<'_>,
    key_hash: Hash,
) -> rusqlite::Result<Option<KeyRow>> {
    transaction
        .prepare_cached(READ_KEY)?
        .query_row(params![key_hash.as_bytes()], key_row)
        .optional()
}

fn key_row(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        home: HomeId::new(row.get(0)?),
        key: row.get(1)?,
        last_day: day(row, 2)?,
        standing: standing(row, 3)?,
    })
}

/// A day, where there is one.
fn day(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Day>> {
    let number: Option<u32> = row.get(column)?;
    number
        .map(|number| Day::new(number).ok_or_else(|| damaged(column, "a day past the year 2199")))
        .transpose()
}

/// The standing in `column` and the one after it.
pub(super) fn standing(row: &Row<'_>, column: usize) -> rusqlite::Result<Standing> {
    let word: String = row.get(column)?;
    Standing::of_parts(&word, day(row, column + 1)?)
        .ok_or_else(|| damaged(column, "not a standing"))
}

/// What is known of a home that enrols.
struct Before {
    enrolment_hash: [u8; 32],
    receipt: Vec<u8>,
    standing: Standing,
}

fn enrol(transaction: &Transaction<'_>, attempt: &EnrolAttempt) -> rusqlite::Result<Enrolled> {
    let key_hash = Hash::of(&attempt.key);
    let known = read_key(transaction, key_hash)?;
    match known {
        Some(row) if row.home != attempt.home => return Ok(Enrolled::Taken),
        Some(row) if row.standing == Standing::Revoked => return Ok(Enrolled::Revoked),
        Some(row) if row.last_day.is_some() => return Ok(Enrolled::Retired),
        Some(_) | None => {}
    }
    let before = transaction
        .query_row(READ_ENROLMENT, params![attempt.home.as_bytes()], |row| {
            Ok(Before {
                enrolment_hash: row.get(0)?,
                receipt: row.get(1)?,
                standing: standing(row, 2)?,
            })
        })
        .optional()?;
    match &before {
        // The home is there without the key that gave it its name: it was replaced, and is forgotten.
        Some(_) if known.is_none() => return Ok(Enrolled::Retired),
        Some(before) if before.enrolment_hash == *attempt.payload_hash.as_bytes() => {
            return Ok(Enrolled::Repeated(before.receipt.clone()));
        }
        Some(_) | None => {}
    }
    let standing = match (attempt.invite_hash, attempt.uninvited) {
        (Some(invite), _) if !opens(transaction, invite, attempt.now)? => {
            return Ok(Enrolled::InvalidInvite);
        }
        (Some(_), _) => Standing::Admitted { counted_from: None },
        (None, None) => return Ok(Enrolled::InvalidInvite),
        (None, Some(standing)) => before.as_ref().map_or(standing, |before| before.standing),
    };
    if before.is_none() {
        if is_crowded(transaction, attempt)? {
            return Ok(Enrolled::Crowded);
        }
        let mut count = transaction.prepare_cached(COUNT_PLACE)?;
        for crowd in &attempt.crowds {
            count.execute(params![attempt.months[0].number(), crowd.this_month.0])?;
        }
    }
    if let Some(invite) = attempt.invite_hash {
        transaction.execute(USE_INVITE, params![invite.as_bytes()])?;
    }
    let (state, counted_from) = standing.parts();
    transaction.execute(
        WRITE_HOME,
        params![
            attempt.home.as_bytes(),
            attempt.now.day().map_or(0, Day::number),
            attempt.payload_hash.as_bytes(),
            attempt.receipt,
            state,
            counted_from.map(Day::number),
        ],
    )?;
    transaction.execute(
        WRITE_KEY,
        params![key_hash.as_bytes(), attempt.home.as_bytes(), attempt.key],
    )?;
    Ok(Enrolled::Fresh)
}

/// Whether an invite lets one more home in.
fn opens(transaction: &Transaction<'_>, invite: Hash, now: Timestamp) -> rusqlite::Result<bool> {
    let good: u32 = transaction
        .prepare_cached(FIND_INVITE)?
        .query_row(params![invite.as_bytes(), now.seconds()], |row| row.get(0))?;
    Ok(good > 0)
}

/// Whether any of the places it comes from has sent as many homes as it may.
fn is_crowded(transaction: &Transaction<'_>, attempt: &EnrolAttempt) -> rusqlite::Result<bool> {
    let [this_month, last_month] = attempt.months.map(Day::number);
    let mut read = transaction.prepare_cached(READ_PLACE)?;
    for crowd in &attempt.crowds {
        let before = crowd.last_month.map(|place| place.0);
        let places = params![this_month, crowd.this_month.0, last_month, before];
        let homes: u32 = read.query_row(places, |row| row.get(0))?;
        if homes >= crowd.homes_max {
            return Ok(true);
        }
    }
    Ok(false)
}
