//! Registry and the collector's own row: SQL.

use super::{Sqlite, damaged};
use crate::store::{
    EnrolAttempt, Enrolled, HOMES_PAGE_MAX, HomeRow, InviteRow, KeyRow, StoreError,
};
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::Day;
use rusqlite::{OptionalExtension, Row, Transaction, params};

const READ_COLLECTOR: &str = "SELECT audience, purpose, rules_hash, serial FROM collector";
const WRITE_COLLECTOR: &str = "
    INSERT INTO collector (one, audience, purpose, rules_hash, serial) VALUES (1, ?1, ?2, ?3, ?4)
    ON CONFLICT (one) DO UPDATE SET rules_hash = excluded.rules_hash, serial = excluded.serial";
const ADD_INVITE: &str = "INSERT INTO invites (token_hash, expires_at) VALUES (?1, ?2)";
const SPEND_INVITE: &str =
    "UPDATE invites SET spent = 1 WHERE token_hash = ?1 AND spent = 0 AND expires_at > ?2";
const READ_ENROLMENT: &str = "SELECT enrolment_hash, receipt FROM homes WHERE home = ?1";
const WRITE_HOME: &str = "
    INSERT INTO homes (home, enrolled_day, enrolment_hash, receipt) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (home) DO UPDATE
    SET enrolment_hash = excluded.enrolment_hash, receipt = excluded.receipt";
const WRITE_KEY: &str = "
    INSERT INTO keys (key_hash, home, key) VALUES (?1, ?2, ?3) ON CONFLICT (key_hash) DO NOTHING";
const READ_KEY: &str = "SELECT home, key, last_day FROM keys WHERE key_hash = ?1";
const READ_HOMES: &str = "
    SELECT home, enrolled_day, (SELECT count(*) FROM keys WHERE keys.home = homes.home)
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
                        invite.expires_at.seconds()
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
    let last_day: Option<u32> = row.get(2)?;
    let last_day = match last_day.map(Day::new) {
        Some(None) => return Err(damaged(2, "a day past the year 2199")),
        known => known.flatten(),
    };
    Ok(KeyRow {
        home: HomeId::new(row.get(0)?),
        key: row.get(1)?,
        last_day,
    })
}

fn enrol(transaction: &Transaction<'_>, attempt: &EnrolAttempt) -> rusqlite::Result<Enrolled> {
    let key_hash = Hash::of(&attempt.key);
    let known = read_key(transaction, key_hash)?;
    match known {
        Some(row) if row.home != attempt.home => return Ok(Enrolled::Taken),
        Some(row) if row.last_day.is_some() => return Ok(Enrolled::Retired),
        Some(_) | None => {}
    }
    let before: Option<([u8; 32], Vec<u8>)> = transaction
        .query_row(READ_ENROLMENT, params![attempt.home.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match before {
        // The home is there without the key that gave it its name: it was replaced, and is forgotten.
        Some(_) if known.is_none() => return Ok(Enrolled::Retired),
        Some((hash, receipt)) if hash == *attempt.payload_hash.as_bytes() => {
            return Ok(Enrolled::Repeated(receipt));
        }
        Some(_) | None => {}
    }
    let spent = transaction.execute(
        SPEND_INVITE,
        params![attempt.invite_hash.as_bytes(), attempt.now.seconds()],
    )?;
    if spent == 0 {
        return Ok(Enrolled::InvalidInvite);
    }
    let day = attempt.now.day().map_or(0, Day::number);
    transaction.execute(
        WRITE_HOME,
        params![
            attempt.home.as_bytes(),
            day,
            attempt.payload_hash.as_bytes(),
            attempt.receipt
        ],
    )?;
    transaction.execute(
        WRITE_KEY,
        params![key_hash.as_bytes(), attempt.home.as_bytes(), attempt.key],
    )?;
    Ok(Enrolled::Fresh)
}
