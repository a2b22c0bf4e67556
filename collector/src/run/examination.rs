//! Looking whether the collector is ready: the store, the keys, the erasure list, the clock.
//!
//! Tables need no look: without them it does not start, and while it runs it keeps those it has.

use super::ground::Ground;
use crate::journal::week_key::WeekKey;
use crate::readiness::Unready;
use crate::secret_file;
use crate::store::{StoreError, WeekRow, WeekState};
use phonehome_proto::limits;
use phonehome_proto::time::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;

/// 2026-01-01: no collector was ever asked before.
const BEGINNING: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// Less room than this is none: the engine's log alone takes a quarter of it between two checkpoints. It goes on
/// writing into what it holds, and ends at the first batch that does not fit; homes are sent away before.
const ROOM_BYTES_MIN: u64 = 32 * 1024 * 1024;

/// Why the collector is not ready at `now`; nothing if it is.
pub(super) async fn examine(ground: &Ground, now: Timestamp) -> BTreeSet<Unready> {
    let mut reasons = BTreeSet::new();
    let weeks = async {
        ground.store.try_writing().await?;
        ground.store.weeks().await
    };
    match weeks.await {
        Ok(weeks) => {
            let mut open = weeks.iter().filter(|row| row.state == WeekState::Open);
            if !open.all(|row| has_key(&ground.config.keys_dir, row)) {
                reasons.insert(Unready::Key);
            }
        }
        Err(error) => {
            reasons.insert(match error {
                StoreError::Full => Unready::Full,
                StoreError::Unavailable { .. } => Unready::Away,
                _ => Unready::Store,
            });
        }
    }
    if ground.config.server.is_none() && room_bytes(&ground.config.data_dir) < ROOM_BYTES_MIN {
        reasons.insert(Unready::Full);
    }
    if !ground.ledger.is_whole().await {
        reasons.insert(Unready::Ledger);
    }
    let last = ground.ledger.last_at().await.unwrap_or(BEGINNING);
    if now.plus_seconds(limits::SKEW_SECONDS_MAX) < last || now < BEGINNING {
        reasons.insert(Unready::Clock);
    }
    reasons
}

/// What the collector may still write beneath a folder; where the system does not say, enough.
fn room_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail * disk.f_frsize)
}

/// Whether the file holds the key that the week's batches are sealed with. One that is only in memory is gone
/// with the process, and the batches with it.
fn has_key(folder: &Path, row: &WeekRow) -> bool {
    let secret = secret_file::read(&folder.join(format!("{}.key", row.week)));
    secret.is_ok_and(|secret| WeekKey::new(row.week, secret).check() == row.key_check)
}
