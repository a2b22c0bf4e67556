//! Registry and the collector's own row: SQL.

use super::fault::Fault;
use super::session::{Session, Turn};
use super::{Postgres, bytes, damaged};
use crate::store::{
    Crowd, EnrolAttempt, Enrolled, HOMES_PAGE_MAX, HomeRow, InviteRow, KeyRow, Standing, StoreError,
};
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::{Day, Timestamp};
use std::collections::BTreeMap;
use tokio_postgres::Row;

const READ_COLLECTOR: &str = "SELECT audience, purpose, rules_hash, serial FROM collector";
const WRITE_COLLECTOR: &str = "
    INSERT INTO collector (one, audience, purpose, rules_hash, serial) VALUES (1, $1, $2, $3, $4)
    ON CONFLICT (one) DO UPDATE SET rules_hash = excluded.rules_hash, serial = excluded.serial";
const ADD_INVITES: &str = "
    INSERT INTO invites (token_hash, expires_at, uses_left)
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::integer[])";
const FIND_INVITE: &str = "
    SELECT count(*) FROM invites WHERE token_hash = $1 AND uses_left > 0 AND expires_at > $2";
const USE_INVITE: &str = "UPDATE invites SET uses_left = uses_left - 1 WHERE token_hash = $1";
const READ_PLACE: &str = "
    SELECT coalesce(sum(homes), 0)::bigint FROM places
    WHERE month = $1 AND place = $2 OR month = $3 AND place = $4";
const COUNT_PLACE: &str = "
    INSERT INTO places (month, place, homes) VALUES ($1, $2, 1)
    ON CONFLICT (month, place) DO UPDATE SET homes = places.homes + 1";
const READ_ENROLMENT: &str = "
    SELECT enrolment_hash, receipt, state, counted_from FROM homes WHERE home = $1";
const WRITE_HOME: &str = "
    INSERT INTO homes (home, enrolled_day, enrolment_hash, receipt, state, counted_from)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (home) DO UPDATE
    SET enrolment_hash = excluded.enrolment_hash, receipt = excluded.receipt,
        state = excluded.state, counted_from = excluded.counted_from";
const WRITE_KEY: &str = "
    INSERT INTO keys (home, key_hash, key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const READ_KEYS: &str = "
    SELECT keys.key_hash, homes.home, key, last_day, state, counted_from
    FROM keys JOIN homes ON homes.home = keys.home WHERE keys.key_hash = ANY ($1)";
const READ_HOMES: &str = "
    SELECT homes.home, enrolled_day, count(keys.key_hash), state, counted_from
    FROM homes LEFT JOIN keys ON keys.home = homes.home
    WHERE homes.home > $1 GROUP BY homes.home ORDER BY homes.home LIMIT $2";

impl Postgres {
    pub(in crate::store) async fn rules_serial(
        &self,
        audience: Audience,
        purpose: Purpose,
        rules_hash: Hash,
    ) -> Result<Option<u64>, StoreError> {
        let rules = (audience, purpose, rules_hash);
        self.pool
            .transact("rules_serial", Turn::Desk, rules, |session, rules| {
                Box::pin(rules_serial(session, rules))
            })
            .await
    }

    pub(in crate::store) async fn add_invites(
        &self,
        invites: Vec<InviteRow>,
    ) -> Result<(), StoreError> {
        self.pool
            .transact("add_invites", Turn::Desk, invites, |session, invites| {
                Box::pin(add_invites(session, invites))
            })
            .await
    }

    pub(in crate::store) async fn enrol(
        &self,
        attempt: EnrolAttempt,
    ) -> Result<Enrolled, StoreError> {
        self.pool
            .transact("enrol", Turn::Desk, attempt, |session, attempt| {
                Box::pin(enrol(session, attempt))
            })
            .await
    }

    pub(in crate::store) async fn keys(
        &self,
        key_hashes: Vec<Hash>,
    ) -> Result<Vec<Option<KeyRow>>, StoreError> {
        self.pool
            .transact("keys", Turn::Read, key_hashes, |session, key_hashes| {
                Box::pin(read_keys(session, key_hashes))
            })
            .await
    }

    pub(in crate::store) async fn homes(
        &self,
        after: Option<HomeId>,
    ) -> Result<Vec<HomeRow>, StoreError> {
        self.pool
            .transact("homes", Turn::Read, after, |session, after| {
                Box::pin(homes(session, after))
            })
            .await
    }
}

async fn rules_serial(
    session: &Session,
    (audience, purpose, rules_hash): &(Audience, Purpose, Hash),
) -> Result<Option<u64>, Fault> {
    let serial = match session.row(READ_COLLECTOR, &[]).await? {
        None => 1,
        Some(row) => {
            let (owner, aim): ([u8; 32], &str) = (bytes(&row, 0)?, row.try_get(1)?);
            if owner != *audience.as_bytes() || aim != purpose.as_str() {
                return Ok(None);
            }
            let (rules, serial): ([u8; 32], i64) = (bytes(&row, 2)?, row.try_get(3)?);
            serial + i64::from(rules != *rules_hash.as_bytes())
        }
    };
    let (audience, rules_hash) = (&audience.as_bytes()[..], &rules_hash.as_bytes()[..]);
    session
        .change(
            WRITE_COLLECTOR,
            &[&audience, &purpose.as_str(), &rules_hash, &serial],
        )
        .await?;
    let serial = u64::try_from(serial).map_err(|_| damaged("a serial below zero"))?;
    Ok(Some(serial))
}

async fn add_invites(session: &Session, invites: &[InviteRow]) -> Result<(), Fault> {
    let hashes: Vec<&[u8]> = invites
        .iter()
        .map(|invite| &invite.token_hash.as_bytes()[..])
        .collect();
    let expire: Vec<i64> = invites
        .iter()
        .map(|invite| invite.expires_at.seconds())
        .collect();
    let uses: Vec<i32> = invites
        .iter()
        .map(|invite| i32::try_from(invite.uses).unwrap_or(i32::MAX))
        .collect();
    session
        .change(ADD_INVITES, &[&hashes, &expire, &uses])
        .await?;
    Ok(())
}

async fn read_keys(session: &Session, key_hashes: &[Hash]) -> Result<Vec<Option<KeyRow>>, Fault> {
    let asked: Vec<&[u8]> = key_hashes.iter().map(|hash| &hash.as_bytes()[..]).collect();
    let mut known = BTreeMap::new();
    for row in session.rows(READ_KEYS, &[&asked]).await? {
        known.insert(bytes::<32>(&row, 0)?, key_row(&row)?);
    }
    let found = key_hashes
        .iter()
        .map(|hash| known.get(hash.as_bytes()).copied());
    Ok(found.collect())
}

/// The key with this SHA-256, whosesoever it is.
pub(super) async fn read_key(session: &Session, key_hash: Hash) -> Result<Option<KeyRow>, Fault> {
    let found = read_keys(session, &[key_hash]).await?;
    Ok(found.into_iter().next().flatten())
}

async fn homes(session: &Session, after: &Option<HomeId>) -> Result<Vec<HomeRow>, Fault> {
    // Every 32 bytes are greater than none.
    let after = after.map_or_else(Vec::new, |home| home.as_bytes().to_vec());
    let rows = session
        .rows(READ_HOMES, &[&after, &i64::from(HOMES_PAGE_MAX)])
        .await?;
    let row = |row: &Row| {
        let keys: i64 = row.try_get(2)?;
        Ok(HomeRow {
            home: HomeId::new(bytes(row, 0)?),
            enrolled: day(row, 1)?.ok_or_else(|| damaged("a home without its day"))?,
            keys: u32::try_from(keys).map_err(|_| damaged("a count below zero"))?,
            standing: standing(row, 3)?,
        })
    };
    rows.iter().map(row).collect()
}

fn key_row(row: &Row) -> Result<KeyRow, Fault> {
    Ok(KeyRow {
        home: HomeId::new(bytes(row, 1)?),
        key: bytes(row, 2)?,
        last_day: day(row, 3)?,
        standing: standing(row, 4)?,
    })
}

/// A day, where there is one.
fn day(row: &Row, column: usize) -> Result<Option<Day>, Fault> {
    let number: Option<i32> = row.try_get(column)?;
    let day = |number: i32| u32::try_from(number).ok().and_then(Day::new);
    number
        .map(|number| day(number).ok_or_else(|| damaged("a day past the year 2199")))
        .transpose()
}

/// A day as tables have it.
pub(super) fn number(day: Day) -> i32 {
    i32::try_from(day.number()).expect("days end with the year 2199")
}

/// The standing in `column` and the one after it.
pub(super) fn standing(row: &Row, column: usize) -> Result<Standing, Fault> {
    let word: &str = row.try_get(column)?;
    Standing::of_parts(word, day(row, column + 1)?).ok_or_else(|| damaged("not a standing"))
}

/// What is known of a home that enrols.
struct Before {
    enrolment_hash: [u8; 32],
    receipt: Vec<u8>,
    standing: Standing,
}

async fn enrol(session: &Session, attempt: &EnrolAttempt) -> Result<Enrolled, Fault> {
    let key_hash = Hash::of(&attempt.key);
    let known = read_key(session, key_hash).await?;
    match known {
        Some(row) if row.home != attempt.home => return Ok(Enrolled::Taken),
        Some(row) if row.standing == Standing::Revoked => return Ok(Enrolled::Revoked),
        Some(row) if row.last_day.is_some() => return Ok(Enrolled::Retired),
        Some(_) | None => {}
    }
    let before = match session.row(READ_ENROLMENT, &[&home(attempt)]).await? {
        None => None,
        Some(row) => Some(Before {
            enrolment_hash: bytes(&row, 0)?,
            receipt: row.try_get(1)?,
            standing: standing(&row, 2)?,
        }),
    };
    match &before {
        // The home is there without the key that gave it its name: it was replaced, and is forgotten.
        Some(_) if known.is_none() => return Ok(Enrolled::Retired),
        Some(before) if before.enrolment_hash == *attempt.payload_hash.as_bytes() => {
            return Ok(Enrolled::Repeated(before.receipt.clone()));
        }
        Some(_) | None => {}
    }
    let standing = match (attempt.invite_hash, attempt.uninvited) {
        (Some(invite), _) if !opens(session, invite, attempt.now).await? => {
            return Ok(Enrolled::InvalidInvite);
        }
        (Some(_), _) => Standing::Admitted { counted_from: None },
        (None, None) => return Ok(Enrolled::InvalidInvite),
        (None, Some(standing)) => before.as_ref().map_or(standing, |before| before.standing),
    };
    if before.is_none() {
        if is_crowded(session, attempt).await? {
            return Ok(Enrolled::Crowded);
        }
        for crowd in &attempt.crowds {
            let place = &crowd.this_month.0[..];
            session
                .change(COUNT_PLACE, &[&number(attempt.months[0]), &place])
                .await?;
        }
    }
    if let Some(invite) = attempt.invite_hash {
        let invite = &invite.as_bytes()[..];
        session.change(USE_INVITE, &[&invite]).await?;
    }
    let (state, counted_from) = standing.parts();
    session
        .change(
            WRITE_HOME,
            &[
                &home(attempt),
                &attempt.now.day().map_or(0, number),
                &&attempt.payload_hash.as_bytes()[..],
                &attempt.receipt,
                &state,
                &counted_from.map(number),
            ],
        )
        .await?;
    let (key_hash, key) = (&key_hash.as_bytes()[..], &attempt.key[..]);
    session
        .change(WRITE_KEY, &[&home(attempt), &key_hash, &key])
        .await?;
    Ok(Enrolled::Fresh)
}

fn home(attempt: &EnrolAttempt) -> &[u8] {
    attempt.home.as_bytes()
}

/// Whether an invite lets one more home in.
async fn opens(session: &Session, invite: Hash, now: Timestamp) -> Result<bool, Fault> {
    let invite = &invite.as_bytes()[..];
    let good: i64 = session
        .value(FIND_INVITE, &[&invite, &now.seconds()])
        .await?;
    Ok(good > 0)
}

/// Whether any of the places it comes from has sent as many homes as it may.
async fn is_crowded(session: &Session, attempt: &EnrolAttempt) -> Result<bool, Fault> {
    let [this_month, last_month] = attempt.months.map(number);
    for Crowd {
        this_month: place,
        last_month: before,
        homes_max,
    } in &attempt.crowds
    {
        let (place, before) = (&place.0[..], before.as_ref().map(|place| &place.0[..]));
        let homes: i64 = session
            .value(READ_PLACE, &[&this_month, &place, &last_month, &before])
            .await?;
        if homes >= i64::from(*homes_max) {
            return Ok(true);
        }
    }
    Ok(false)
}
