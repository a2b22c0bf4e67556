//! Why a request is to be sent again, and when.
//!
//! A busy collector says `UNAVAILABLE` with a time to wait, never a bare `RESOURCE_EXHAUSTED`. Those
//! who are sent away come back spread over a time that grows with their number, so that they do not
//! meet again at the same door.

use crate::journal::JournalError;
use crate::registry::RegistryError;
use crate::store::StoreError;
use phonehome_proto::chance::{Chance, SharedChance};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Why a request was neither taken nor refused. It may be sent again as it is.
#[derive(Clone, Debug)]
pub enum Deferral {
    /// More was being sent at once than fits, and its sender had most of it, or was first.
    Body,
    /// More waited than may, and its sender had most of it, or was first.
    Line,
    /// It waited as long as anybody may.
    Patience,
    /// A week's or a month's key cannot be used.
    Key,
    /// The store failed, for this reason.
    Store(Arc<StoreError>),
    /// What it asks for does not come to rest.
    Restless,
    /// The collector is about to end.
    Stopped,
}

/// How long those who are sent away should wait. Clones count together.
#[derive(Clone, Debug)]
pub struct Waits {
    chance: SharedChance,
    away: Arc<AtomicU32>,
}

/// Seconds nobody comes back before.
pub const RETRY_SECONDS_MIN: u32 = 10;

/// Seconds after which everybody may come back.
pub const RETRY_SECONDS_MAX: u32 = 900;

/// Requests that come back in the same second: less than the smallest machine does.
const RETRIES_PER_SECOND: u32 = 50;

impl From<RegistryError> for Deferral {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Store(error) => Self::Store(Arc::new(error)),
            RegistryError::Key(error) => {
                tracing::error!(%error, "the month's key cannot be used; no home is taken in");
                Self::Key
            }
        }
    }
}

impl Deferral {
    /// Every label.
    pub const LABELS: [&'static str; 7] = [
        "body", "line", "patience", "week_key", "store", "restless", "stopped",
    ];

    /// The counter's label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Line => "line",
            Self::Patience => "patience",
            Self::Key => "week_key",
            Self::Store(_) => "store",
            Self::Restless => "restless",
            Self::Stopped => "stopped",
        }
    }

    /// Why the journal took nothing.
    pub(super) fn of(error: &JournalError) -> Self {
        match error {
            JournalError::Busy => Self::Restless,
            JournalError::Key(error) => {
                tracing::error!(%error, "a week's key cannot be used; its batches are not taken");
                Self::Key
            }
            JournalError::Store(error) => Self::Store(Arc::clone(error)),
        }
    }
}

impl Waits {
    /// Nobody was sent away yet.
    #[must_use]
    pub fn new(chance: SharedChance) -> Self {
        Self {
            chance,
            away: Arc::default(),
        }
    }

    /// The seconds that one more should wait.
    pub(super) fn seconds(&self) -> u32 {
        let away = self.away.fetch_add(1, Ordering::Relaxed);
        let spread = RETRY_SECONDS_MIN.saturating_add(away / RETRIES_PER_SECOND);
        let spread = spread.min(RETRY_SECONDS_MAX - RETRY_SECONDS_MIN);
        let drawn = u32::from_be_bytes(self.chance.clone().bytes());
        RETRY_SECONDS_MIN + drawn % (spread + 1)
    }

    /// Nobody waits any more: whoever is sent away next is the first.
    pub(super) fn calm(&self) {
        self.away.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::chance::SeededChance;

    #[test]
    fn the_more_are_sent_away_the_longer_they_are_spread() {
        let waits = Waits::new(SharedChance::new(SeededChance::new(1)));
        let draw = |count: u32| (0..count).map(|_| waits.seconds()).collect::<Vec<_>>();
        let first = draw(50);
        let bounds = RETRY_SECONDS_MIN..=2 * RETRY_SECONDS_MIN;
        assert!(first.iter().all(|wait| bounds.contains(wait)), "{first:?}");
        let several: std::collections::BTreeSet<_> = first.iter().collect();
        assert!(
            several.len() > 5,
            "they do not come back together: {several:?}"
        );
        let many = draw(20_000);
        let longest = many.iter().max().copied();
        assert!(
            longest > Some(200) && longest <= Some(RETRY_SECONDS_MAX),
            "{longest:?}"
        );
        let _ = draw(1_000_000 / 4);
        assert!(draw(1_000).iter().all(|wait| *wait <= RETRY_SECONDS_MAX));
        waits.calm();
        assert!(draw(50).iter().all(|wait| bounds.contains(wait)));
    }
}
