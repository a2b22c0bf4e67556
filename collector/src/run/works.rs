//! The collector behind its doors: everything that runs whether or not anybody can reach it.
//!
//! Takes a [`Ground`] and a clock, gives the service that homes speak to, the journal's writer at work,
//! and [`Works`], whose [`Works::tick`] does what is due. It opens no socket and starts no timer: `serve`
//! puts doors before it, and a simulation, which has its own, calls both by hand.

use super::ground::Ground;
use super::{RunError, examination, tables};
use crate::api::Shelf;
use crate::intake::{Desk, Intake, Waits};
use crate::journal::Journal;
use crate::journal::keys::WeekKeys;
use crate::metrics::Counter;
use crate::publish;
use crate::readiness::Readiness;
use crate::release::{Release, ReleaseId};
use crate::store::{Forgotten, StoreError};
use crate::verify::Rules;
use crate::weeks::Weeks;
use phonehome_proto::time::{Clock, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

/// What the collector stands on, and what keeps time over it.
pub struct Works {
    /// What it stands on.
    pub ground: Ground,
    /// Its weeks and releases.
    pub weeks: Weeks,
    /// The keys of those that are not final.
    pub keys: WeekKeys,
    /// Whether homes and readers should come.
    pub readiness: Readiness,
    /// What readers are shown.
    pub shelf: Shelf,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// One tick at a time; and what earlier ones have published, since a release never changes.
    published: Mutex<BTreeSet<ReleaseId>>,
    /// Which installed tables are in use.
    stamp: Mutex<tables::Stamp>,
}

/// What homes speak to, at work.
pub struct Service {
    /// Answers them.
    pub intake: Intake,
    /// Tells when the store can no longer be written: then nothing may be acknowledged any more.
    pub failed: watch::Receiver<Option<Arc<StoreError>>>,
    /// Ends when nobody is left who could give the journal work, and everything is written.
    pub writer: JoinHandle<()>,
}

impl Works {
    /// Sets everything behind the doors to work, on the current runtime. Nothing that is due is done yet.
    #[must_use]
    pub fn begin(ground: Ground, clock: Arc<dyn Clock>) -> (Self, Service) {
        let readiness = Readiness::new();
        let (failure, failed) = watch::channel(None);
        let keys = ground.keys();
        let (journal, writer) = Journal::start(
            ground.store.clone(),
            Arc::clone(&ground.identity),
            keys.clone(),
            ground.chance.clone(),
        );
        let (registry, waits) = (ground.registry(), Waits::new(ground.chance.clone()));
        let rules = Rules::of(&ground.identity.rules());
        let intake = Intake {
            identity: Arc::clone(&ground.identity),
            serial: ground.serial,
            desk: Desk::open(&registry, &journal, rules, waits.clone()),
            registry,
            waits,
            withdrawals: ground.withdrawals(keys.clone()),
            forwarders: ground.config.intake.forwarders.clone().map(Arc::new),
            atlas: ground.atlas.clone(),
            clock: Arc::clone(&clock),
            metrics: ground.metrics.clone(),
            readiness: readiness.clone(),
            failure,
        };
        let works = Self {
            weeks: Weeks {
                clock: Arc::clone(&clock),
                ..ground.weeks(keys.clone())
            },
            keys,
            readiness,
            shelf: Shelf::new(Arc::clone(&ground.identity)),
            clock,
            published: Mutex::default(),
            stamp: Mutex::new(ground.stamp),
            ground,
        };
        let service = Service {
            intake,
            failed,
            writer,
        };
        (works, service)
    }

    /// Asks the week's clock: closes, releases and destroys what is due, takes up newly installed tables,
    /// forgets what has outlived its time, and shows and publishes what is released. Gives the releases
    /// it made.
    ///
    /// # Errors
    /// When a week cannot be moved on, or something else of it fails; the rest was tried, and all of it
    /// will be tried again.
    pub async fn tick(&self) -> Result<Vec<ReleaseId>, RunError> {
        let mut published = self.published.lock().await;
        self.take_up_tables().await;
        let now = self.clock.now();
        let found = examination::examine(&self.ground, now).await;
        self.readiness.found(found);
        let made = self.weeks.tick(now).await;
        let forgotten = self.forget(now).await;
        let followed = self.ground.ledger.follow(&self.ground.store).await;
        // Shown even if another week failed, and if another process made it.
        let releases = self.weeks.releases().await?;
        // A disk that refuses keeps nobody from reading what is released.
        let folders = self.publish(&releases, &mut published).await;
        self.shelf.replace(releases);
        folders?;
        forgotten?;
        followed?;
        Ok(made?)
    }

    /// Publishes those of `releases` that were not, and adds them to `published`. Drawing maps takes
    /// seconds of a processor, so it is done where it keeps no home waiting.
    async fn publish(
        &self,
        releases: &[Release],
        published: &mut BTreeSet<ReleaseId>,
    ) -> Result<(), RunError> {
        let Some(out) = self.ground.config.publish.clone() else {
            return Ok(());
        };
        let mut new: BTreeSet<ReleaseId> = releases.iter().map(|release| release.id).collect();
        new.retain(|id| !published.contains(id));
        if new.is_empty() {
            return Ok(());
        }
        let (releases, wanted) = (releases.to_vec(), new.clone());
        let identity = Arc::clone(&self.ground.identity);
        let drawn = tokio::task::spawn_blocking(move || {
            publish::publish_some(&releases, |id| wanted.contains(&id), &out, identity.key())
        });
        let outcome = drawn.await.expect("publishing does not panic")?;
        published.append(&mut new);
        for release in outcome.differing {
            tracing::error!(%release, "a published folder has other bytes; it was not touched");
        }
        Ok(())
    }

    /// Forgets what the registry holds of things whose time is over.
    async fn forget(&self, now: Timestamp) -> Result<(), RunError> {
        let Forgotten {
            keys,
            withdrawals,
            invites,
            places,
            pending,
        } = self.ground.registry().forget(now).await?;
        let [enrolments, batches] = self.ground.registry().take_unwatched();
        let counts = [
            (Counter::EnrolmentsUnwatched, enrolments),
            (Counter::BatchesUnwatched, batches),
            (Counter::KeysForgotten, keys),
            (Counter::ErasuresForgotten, withdrawals),
            (Counter::InvitesForgotten, invites),
            (Counter::PlacesForgotten, places),
            (Counter::PendingForgotten, pending),
        ];
        for (counter, count) in counts {
            self.ground.metrics.add(counter, count);
        }
        Ok(())
    }

    /// Takes up what was installed since the last time, all of it or nothing.
    async fn take_up_tables(&self) {
        let config = self.ground.config.clone();
        let mut stamp = self.stamp.lock().await;
        if tables::stamp(&config) == *stamp {
            return;
        }
        let loaded = tokio::task::spawn_blocking(move || tables::load(&config));
        match loaded.await.expect("reading tables does not panic") {
            Ok(tables) => {
                for reason in &tables.passed_over {
                    tracing::warn!(reason, "an installed table is not used");
                }
                self.ground.atlas.swap(tables.atlas);
                *stamp = tables.stamp;
                tracing::info!("the installed tables are in use");
            }
            Err(error) => tracing::error!(%error, "the tables in use stay"),
        }
    }
}
