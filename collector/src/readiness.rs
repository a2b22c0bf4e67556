//! Whether homes and readers should be sent here, and if not, why.
//!
//! Told by `run`, which looks; asked by the admin address and followed by gRPC's own health service.
//! A collector begins unready, and one that drains never is again. Being unready refuses nobody: it
//! asks whoever spreads homes over collectors to send the next ones elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unready {
    /// It has not looked yet.
    Starting,
    /// The store fails.
    Store,
    /// The store cannot be written: the disk is full.
    Full,
    /// The store cannot be reached now, or has moved elsewhere.
    Away,
    /// The ledger's copy, by which homes that left stay gone, is not where it was, or lacks something.
    Ledger,
    /// The key of a week that takes batches cannot be used.
    Key,
    /// The clock is behind what was written before, or shows no day of this age.
    Clock,
    /// It was told to stop, and finishes what is under way.
    Draining,
}

/// What is known about it. Clones know the same.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<BTreeSet<Unready>>>);

impl Unready {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Store,
        Self::Full,
        Self::Away,
        Self::Ledger,
        Self::Key,
        Self::Clock,
        Self::Draining,
    ];

    /// The word in answers and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Store => "store",
            Self::Full => "disk_full",
            Self::Away => "database_unreachable",
            Self::Ledger => "erasure_list",
            Self::Key => "week_key",
            Self::Clock => "clock",
            Self::Draining => "draining",
        }
    }
}

impl Readiness {
    /// A collector that has not looked yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::from([
            Unready::Starting,
        ]))))
    }

    /// What was found by looking, all of it. Whoever drains goes on draining.
    pub fn found(&self, mut reasons: BTreeSet<Unready>) {
        self.0.send_if_modified(|known| {
            if known.contains(&Unready::Draining) {
                reasons.insert(Unready::Draining);
            }
            let is_new = *known != reasons;
            *known = reasons;
            is_new
        });
    }

    /// From now on it drains.
    pub fn drain(&self) {
        self.0.send_modify(|known| {
            known.insert(Unready::Draining);
        });
    }

    /// Why it is not ready; nothing if it is.
    #[must_use]
    pub fn reasons(&self) -> BTreeSet<Unready> {
        self.0.borrow().clone()
    }

    /// Tells whenever that changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeSet<Unready>> {
        self.0.subscribe()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_drains_is_never_ready_again() {
        let readiness = Readiness::new();
        assert_eq!(readiness.reasons(), BTreeSet::from([Unready::Starting]));
        readiness.found(BTreeSet::new());
        assert!(readiness.reasons().is_empty());
        readiness.found(BTreeSet::from([Unready::Clock]));
        readiness.drain();
        readiness.found(BTreeSet::new());
        assert_eq!(readiness.reasons(), BTreeSet::from([Unready::Draining]));
    }
}
