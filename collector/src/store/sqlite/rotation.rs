//! Keys that follow each other: SQL.

use super::Sqlite;
use super::registry::read_key;
use crate::store::{NotItsKey, RotateAttempt, Rotated, Standing, StoreError};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::limits;
use rusqlite::{OptionalExtension, Transaction, params};

const READ_ROTATION: &str = "
    SELECT receipt FROM keys
    WHERE key_hash = ?1 AND home = ?2 AND rotation_hash = ?3 AND last_day IS NULL";
const COUNT_RETIRED: &str = "SELECT count(*) FROM keys WHERE home = ?1 AND last_day IS NOT NULL";
const RETIRE: &str = "UPDATE keys SET last_day = ?2 WHERE key_hash = ?1";
const WRITE: &str = "
    INSERT INTO keys (key_hash, home, key, rotation_hash, receipt) VALUES (?1, ?2, ?3, ?4, ?5)";

impl Sqlite {
    pub(in crate::store) async fn rotate(
        &self,
        attempt: RotateAttempt,
    ) -> Result<Rotated, StoreError> {
        self.writer
            .write("rotate", move |transaction| rotate(transaction, &attempt))
            .await
    }
}

fn rotate(transaction: &Transaction<'_>, attempt: &RotateAttempt) -> rusqlite::Result<Rotated> {
    let (home, new_hash) = (attempt.home.as_bytes(), Hash::of(&attempt.new_key));
    let payload_hash = attempt.payload_hash.as_bytes();
    // Looked up before the key that signed it, which may be forgotten by now.
    let before = transaction
        .query_row(
            READ_ROTATION,
            params![new_hash.as_bytes(), home, payload_hash],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(receipt) = before {
        return Ok(Rotated::Repeated(receipt));
    }
    if let Some(why) = not_its_key(transaction, &attempt.key, attempt.home)? {
        return Ok(Rotated::Refused(why));
    }
    if read_key(transaction, new_hash)?.is_some() || is_a_home(transaction, new_hash)? {
        return Ok(Rotated::Taken);
    }
    let retired: u32 = transaction.query_row(COUNT_RETIRED, params![home], |row| row.get(0))?;
    if retired >= limits::RETIRED_KEYS_MAX {
        return Ok(Rotated::Full);
    }
    let key_hash = Hash::of(&attempt.key);
    transaction.execute(
        RETIRE,
        params![key_hash.as_bytes(), attempt.last_day.number()],
    )?;
    transaction.execute(
        WRITE,
        params![
            new_hash.as_bytes(),
            home,
            attempt.new_key,
            payload_hash,
            attempt.receipt
        ],
    )?;
    Ok(Rotated::Fresh)
}

/// Why a key may not sign for a home; `None` for the home's current key.
pub(super) fn not_its_key(
    transaction: &Transaction<'_>,
    key: &[u8; 32],
    home: HomeId,
) -> rusqlite::Result<Option<NotItsKey>> {
    Ok(match read_key(transaction, Hash::of(key))? {
        None => Some(NotItsKey::Unknown),
        Some(row) if row.home != home => Some(NotItsKey::OtherHome),
        Some(row) if row.standing == Standing::Revoked => Some(NotItsKey::Revoked),
        Some(row) if row.last_day.is_some() => Some(NotItsKey::Retired),
        Some(_) => None,
    })
}

/// Whether a home is called by this hash: then its first key is in use, though it may be forgotten.
fn is_a_home(transaction: &Transaction<'_>, hash: Hash) -> rusqlite::Result<bool> {
    transaction.query_row(
        "SELECT count(*) > 0 FROM homes WHERE home = ?1",
        params![hash.as_bytes()],
        |row| row.get(0),
    )
}
