//! Keys that follow each other: SQL.

use super::Postgres;
use super::fault::Fault;
use super::registry::{number, read_key};
use super::session::{Session, Turn};
use crate::store::{NotItsKey, RotateAttempt, Rotated, Standing, StoreError};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::limits;

const READ_ROTATION: &str = "
    SELECT receipt FROM keys
    WHERE key_hash = $1 AND home = $2 AND rotation_hash = $3 AND last_day IS NULL";
const COUNT_RETIRED: &str = "SELECT count(*) FROM keys WHERE home = $1 AND last_day IS NOT NULL";
const RETIRE: &str = "UPDATE keys SET last_day = $3 WHERE home = $1 AND key_hash = $2";
const WRITE: &str = "
    INSERT INTO keys (home, key_hash, key, rotation_hash, receipt) VALUES ($1, $2, $3, $4, $5)";
const IS_A_HOME: &str = "SELECT count(*) > 0 FROM homes WHERE home = $1";

impl Postgres {
    pub(in crate::store) async fn rotate(
        &self,
        attempt: RotateAttempt,
    ) -> Result<Rotated, StoreError> {
        self.pool
            .transact("rotate", Turn::Desk, attempt, |session, attempt| {
                Box::pin(rotate(session, attempt))
            })
            .await
    }
}

async fn rotate(session: &Session, attempt: &RotateAttempt) -> Result<Rotated, Fault> {
    let new_hash = Hash::of(&attempt.new_key);
    let (home, new_key) = (&attempt.home.as_bytes()[..], &new_hash.as_bytes()[..]);
    let payload_hash = &attempt.payload_hash.as_bytes()[..];
    // Looked up before the key that signed it, which may be forgotten by now.
    let before = session
        .row(READ_ROTATION, &[&new_key, &home, &payload_hash])
        .await?;
    if let Some(row) = before {
        return Ok(Rotated::Repeated(row.try_get(0)?));
    }
    if let Some(why) = not_its_key(session, &attempt.key, attempt.home).await? {
        return Ok(Rotated::Refused(why));
    }
    // The desk is held: nobody else takes the key meanwhile, for whichever home.
    if read_key(session, new_hash).await?.is_some() || is_a_home(session, new_hash).await? {
        return Ok(Rotated::Taken);
    }
    let retired: i64 = session.value(COUNT_RETIRED, &[&home]).await?;
    if retired >= i64::from(limits::RETIRED_KEYS_MAX) {
        return Ok(Rotated::Full);
    }
    let old_hash = Hash::of(&attempt.key);
    let old_key = &old_hash.as_bytes()[..];
    session
        .change(RETIRE, &[&home, &old_key, &number(attempt.last_day)])
        .await?;
    let key = &attempt.new_key[..];
    session
        .change(
            WRITE,
            &[&home, &new_key, &key, &payload_hash, &attempt.receipt],
        )
        .await?;
    Ok(Rotated::Fresh)
}

/// Why a key may not sign for a home; `None` for the home's current key.
pub(super) async fn not_its_key(
    session: &Session,
    key: &[u8; 32],
    home: HomeId,
) -> Result<Option<NotItsKey>, Fault> {
    Ok(match read_key(session, Hash::of(key)).await? {
        None => Some(NotItsKey::Unknown),
        Some(row) if row.home != home => Some(NotItsKey::OtherHome),
        Some(row) if row.standing == Standing::Revoked => Some(NotItsKey::Revoked),
        Some(row) if row.last_day.is_some() => Some(NotItsKey::Retired),
        Some(_) => None,
    })
}

/// Whether a home is called by this hash: then its first key is in use, though it may be forgotten.
async fn is_a_home(session: &Session, hash: Hash) -> Result<bool, Fault> {
    let hash = &hash.as_bytes()[..];
    session.value(IS_A_HOME, &[&hash]).await
}
