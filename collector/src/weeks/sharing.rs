//! Several collectors, one week: who folds it, and what the others do meanwhile.
//!
//! Whoever's clock passes a week's time first closes it and takes it for [`LEASE_SECONDS`]; the others
//! leave it alone, unless that time runs out without a release: then the next one takes it. A lease
//! saves work and decides nothing: the journal of a closed week gives the same release to whoever folds
//! it, and the store keeps the first.

use super::{Weeks, WeeksError, slices};
use crate::release::Release;
use crate::store::{Fold, Lease, Taken, WeekRow};
use phonehome_proto::time::Timestamp;

/// So long the others leave a week to the one that folds it.
pub const LEASE_SECONDS: i64 = 1_800;

/// What became of a week that several collectors see.
pub(super) enum Shared {
    /// Folded here.
    Folded(Box<Release>),
    /// Another collector is at it.
    Elsewhere,
    /// A home was erased from it since: look again.
    Outdated,
}

impl Weeks {
    /// Folds a closed week, unless another collector does.
    pub(super) async fn fold_unless_taken(
        &self,
        row: WeekRow,
        now: Timestamp,
    ) -> Result<Shared, WeeksError> {
        let fold = Fold {
            week: row.week,
            erasures: row.erasures,
            pass: 0,
        };
        let lease = Lease {
            holder: self.holder,
            until: now.plus_seconds(LEASE_SECONDS),
        };
        Ok(match self.store.take_part(fold, 1, lease, now).await? {
            Taken::Part(_) => Shared::Folded(Box::new(self.fold(row.week, slices()).await?)),
            Taken::Busy | Taken::Done => Shared::Elsewhere,
            Taken::Outdated => Shared::Outdated,
        })
    }
}
