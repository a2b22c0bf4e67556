//! Looking whether the collector is ready: the store, the keys, the clock.
//!
//! Tables need no look: without them it does not start, and while it runs it keeps those it has.

use crate::journal::keys::WeekKeys;
use crate::readiness::Unready;
use crate::store::{Store, WeekState};
use phonehome_proto::limits;
use phonehome_proto::time::Timestamp;
use std::collections::BTreeSet;

/// 2026-01-01: no collector was ever asked before.
const BEGINNING: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// Why the collector is not ready at `now`; nothing if it is.
pub(super) async fn examine(store: &Store, keys: &WeekKeys, now: Timestamp) -> BTreeSet<Unready> {
    let mut reasons = BTreeSet::new();
    // Takes the lock that writing takes, and writes nothing.
    let writes = store.append(Vec::new()).await.is_ok();
    match (writes, store.weeks().await, store.ledger().await) {
        (true, Ok(weeks), Ok(ledger)) => {
            let mut open = weeks.iter().filter(|row| row.state == WeekState::Open);
            let fits = |key| matches!(keys.existing(key), Ok(Some(_)));
            if !open.all(|row| fits(row.week)) {
                reasons.insert(Unready::Key);
            }
            let last = ledger.last().map_or(BEGINNING, |link| link.at);
            if now.plus_seconds(limits::SKEW_SECONDS_MAX) < last || now < BEGINNING {
                reasons.insert(Unready::Clock);
            }
        }
        _ => {
            reasons.insert(Unready::Store);
        }
    }
    reasons
}
