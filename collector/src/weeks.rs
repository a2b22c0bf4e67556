//! The week's clock: open, closed, released, final.
//!
//! A week ends at T, Monday 00:00 UTC. Its batches are accepted until T + 4 days; then it is closed,
//! folded, gated and released. At T + 7 days its key, journal and dedupe rows are destroyed
//! together, and it is final. [`Weeks::tick`] does whatever is due at `now`, as often as it is
//! called; every step may be interrupted and is taken up again by the next call. Until a week is
//! destroyed, folding its journal gives the same counters, to the byte, however often.

pub mod closing;
pub mod revision;
pub mod sharing;

use crate::count::Counters;
use crate::format::json;
use crate::geo::atlas::Atlas;
use crate::geo::in_use::AtlasInUse;
use crate::identity::Identity;
use crate::journal::keys::{WeekKeyError, WeekKeys};
use crate::journal::week_key::WeekKey;
use crate::metrics::{Counter, Metrics};
use crate::release::gate::{self, About, GateRules};
use crate::release::{Release, ReleaseId};
use crate::store::{ReleaseRow, Store, StoreError, Stored, WeekRow, WeekState};
use closing::Closing;
use phonehome_proto::limits;
use phonehome_proto::time::{Clock, Timestamp, Week};
use sharing::Shared;
use std::sync::Arc;
use thiserror::Error;
use tokio::runtime::Handle;

/// Closes, releases and destroys weeks. Clones act on the same ones.
#[derive(Clone)]
pub struct Weeks {
    /// Holds the rows.
    pub store: Store,
    /// Holds the keys.
    pub keys: WeekKeys,
    /// Signs releases.
    pub identity: Arc<Identity>,
    /// Serves the weeks that are closed while it is here.
    pub atlas: AtlasInUse,
    /// Counts.
    pub metrics: Metrics,
    /// This collector among those that share the store, drawn by chance.
    pub holder: [u8; 16],
    /// Says how long a part of a week was worked on.
    pub clock: Arc<dyn Clock>,
}

/// Why a week did not move on. It will be tried again.
#[derive(Debug, Error)]
pub enum WeeksError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The week's key cannot be used.
    #[error(transparent)]
    Key(#[from] WeekKeyError),
    /// Homes withdrew from it each time it was folded.
    #[error("homes are withdrawing from {0} while it is counted: try again later")]
    Restless(Week),
    /// A stored release does not read.
    #[error("the stored release {0} was altered: it does not read")]
    Altered(ReleaseId),
}

/// What became of a request to release a week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// It is released now.
    Now(ReleaseId),
    /// It was released before, and stays as it is.
    Before(ReleaseId),
    /// It takes batches until then.
    StillOpen(Timestamp),
    /// No home reported in it, or it was destroyed without a release.
    Nothing,
}

/// When a week takes no more batches.
#[must_use]
pub const fn closes_at(week: Week) -> Timestamp {
    week.end().plus_seconds(limits::WEEK_ACCEPT_SECONDS)
}

/// When what a week holds is destroyed.
#[must_use]
pub const fn destroyed_at(week: Week) -> Timestamp {
    week.end().plus_seconds(limits::WEEK_DESTROY_SECONDS)
}

impl Weeks {
    /// Does what is due at `now`: closes, releases, destroys. Gives the releases it made.
    ///
    /// # Errors
    /// The first failure, after every week was tried. A week past its time is destroyed even if it
    /// could not be released: what homes were promised comes before the number.
    pub async fn tick(&self, now: Timestamp) -> Result<Vec<ReleaseId>, WeeksError> {
        let mut made = Vec::new();
        let mut failure = None;
        for row in self.store.weeks().await? {
            if now >= closes_at(row.week) && row.state < WeekState::Released {
                match self.close_and_release(row, Who::Clock, now).await {
                    Ok(id) => made.extend(id),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            if row.state == WeekState::Final {
                // Another collector may have destroyed it: what this one remembers of its key goes too.
                if let Err(error) = self.keys.destroy(row.week) {
                    failure = failure.or(Some(error.into()));
                }
            } else if now >= destroyed_at(row.week)
                && let Err(error) = self.destroy(row.week, now).await
            {
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(made), Err)
    }

    /// Releases one week by hand.
    ///
    /// # Errors
    /// When store or key fail.
    pub async fn release(&self, week: Week, now: Timestamp) -> Result<Released, WeeksError> {
        let id = ReleaseId { week, revision: 0 };
        if now < closes_at(week) {
            return Ok(Released::StillOpen(closes_at(week)));
        }
        if self
            .store
            .releases()
            .await?
            .iter()
            .any(|row| row.week == week)
        {
            return Ok(Released::Before(id));
        }
        let weeks = self.store.weeks().await?;
        match weeks.into_iter().find(|row| row.week == week) {
            Some(row) if row.state < WeekState::Released => {
                let made = self.close_and_release(row, Who::Operator, now).await?;
                Ok(made.map_or(Released::Before(id), Released::Now))
            }
            _ => Ok(Released::Nothing),
        }
    }

    /// Every release, oldest first, with the text it was signed as.
    ///
    /// # Errors
    /// When the store fails, or one does not read or was not signed by this collector.
    pub async fn releases(&self) -> Result<Vec<Release>, WeeksError> {
        let read = |row: ReleaseRow| {
            let id = ReleaseId {
                week: row.week,
                revision: row.revision,
            };
            let key = self.identity.public();
            let sealed = phonehome_proto::seal::PayloadType::Release;
            key.verify(sealed, row.text.as_bytes(), &row.signature)
                .ok()
                .and_then(|()| json::from_json(&row.text).ok())
                .ok_or(WeeksError::Altered(id))
        };
        self.store.releases().await?.into_iter().map(read).collect()
    }

    /// The release of a closed week, made from its journal; not stored.
    ///
    /// # Errors
    /// When store or key fail, or the key is gone.
    pub async fn fold(&self, week: Week, slices: u16) -> Result<Release, WeeksError> {
        let row = self.row(week).await?;
        let row = row.ok_or(WeekKeyError::Exchanged(week))?;
        let key = self.key(row)?;
        let (weeks, runtime, atlas) = (self.clone(), Handle::current(), self.atlas.now());
        // Hours of arithmetic in a large week: off the threads that answer homes.
        let folded = tokio::task::spawn_blocking(move || {
            let counters = weeks.closing(&key, &atlas, &runtime).counters(slices)?;
            Ok(weeks.gate(week, &counters, &atlas))
        });
        folded.await.expect("folding does not panic")
    }

    /// The key a week's rows were sealed with. With another every row would be unreadable, and the
    /// release would say that nobody was there.
    fn key(&self, row: WeekRow) -> Result<Arc<WeekKey>, WeeksError> {
        let key = self.keys.existing(row.week)?;
        let key = key.filter(|key| row.key_check == key.check());
        Ok(key.ok_or(WeekKeyError::Exchanged(row.week))?)
    }

    fn closing<'a>(
        &'a self,
        key: &'a WeekKey,
        atlas: &'a Atlas,
        runtime: &'a Handle,
    ) -> Closing<'a> {
        Closing {
            store: &self.store,
            key,
            atlas,
            quorum: GateRules::default().quorum(),
            metrics: &self.metrics,
            runtime,
        }
    }

    /// The first release of a week, of what was counted in it.
    fn gate(&self, week: Week, counters: &Counters, atlas: &Atlas) -> Release {
        let about = About {
            id: ReleaseId { week, revision: 0 },
            purpose: self.identity.purpose(),
            atlas: atlas.sources(),
        };
        let mut release = gate::release(about, counters, &GateRules::default());
        release.registrants = atlas.owners().answers().clone();
        release
    }

    async fn close_and_release(
        &self,
        row: WeekRow,
        who: Who,
        now: Timestamp,
    ) -> Result<Option<ReleaseId>, WeeksError> {
        if row.state == WeekState::Open {
            self.store.close_week(row.week, now).await?;
            self.metrics.count(Counter::WeeksClosed);
            tracing::info!(week = %row.week, "week closed");
        }
        for _ in 0..FOLDS_MAX {
            // Read before folding: a home that withdraws meanwhile was told that it is not counted.
            let row = self.row(row.week).await?.unwrap_or(row);
            if row.state >= WeekState::Released {
                // By another collector, just now.
                return Ok(None);
            }
            let release = match who {
                Who::Operator => self.fold(row.week, slices()).await?,
                Who::Clock => match self.fold_together(row).await? {
                    Shared::Folded(release) => *release,
                    Shared::Elsewhere => return Ok(None),
                    Shared::Outdated => continue,
                },
            };
            match self.keep(&release, row.erasures, now).await? {
                Stored::Fresh => {
                    self.metrics.count(Counter::ReleasesMade);
                    tracing::info!(release = %release.id, "release made");
                    return Ok(Some(release.id));
                }
                Stored::Before => return Ok(None),
                Stored::Outdated => {}
            }
        }
        Ok(None)
    }

    async fn row(&self, week: Week) -> Result<Option<WeekRow>, WeeksError> {
        let rows = self.store.weeks().await?;
        Ok(rows.into_iter().find(|row| row.week == week))
    }

    /// The key first: once it is gone, rows left behind by a power cut say nothing, and the next
    /// call deletes them.
    async fn destroy(&self, week: Week, now: Timestamp) -> Result<(), WeeksError> {
        self.keys.destroy(week)?;
        self.store.destroy_week(week, now).await?;
        self.metrics.count(Counter::WeeksDestroyed);
        tracing::info!(%week, "week destroyed");
        Ok(())
    }
}

/// On whose word a week is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Its time has come. Other collectors know that too.
    Clock,
    /// Somebody waits for it.
    Operator,
}

/// A week that homes withdraw from while it is folded is folded again, so often at once; then it is
/// tried again later.
const FOLDS_MAX: u32 = 4;

/// As many slices as there are processors.
fn slices() -> u16 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(processors).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
