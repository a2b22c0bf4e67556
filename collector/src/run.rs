//! Wiring: the only module that sees every stage.
//!
//! [`serve`] opens what the configuration names, binds, and starts four things: the door and the
//! gRPC service behind it, the HTTP server, the journal's writer, and the week's clock. It gives a
//! [`Handle`] and returns; nothing of it knows whether it runs in a program or in a test. The clock
//! is an argument: whoever moves it calls [`Handle::tick`], and in production a timer does.

pub mod commands;
mod error;
mod examination;
pub mod ground;
mod readers;
pub mod tables;

pub use error::RunError;

use crate::admin;
use crate::api::{self, Shelf};
use crate::config::Config;
use crate::intake::listener::Door;
use crate::intake::{Desk, Intake, Waits, tls};
use crate::journal::Journal;
use crate::journal::keys::WeekKeys;
use crate::metrics::{Counter, Metrics};
use crate::publish;
use crate::readiness::Readiness;
use crate::registry::InviteOrder;
use crate::release::ReleaseId;
use crate::store::{Forgotten, StoreError};
use crate::verify::Rules;
use crate::weeks::Weeks;
use ground::Ground;
use phonehome_proto::chance::SharedChance;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::seal::VerifyingKey;
use phonehome_proto::time::{Clock, Timestamp};
use readers::Readers;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// A collector at work.
pub struct Handle {
    intake_address: SocketAddr,
    http_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), RunError>>,
    /// Answers until everything else has ended.
    admin: JoinSet<()>,
}

/// What the handle and the timer both need.
struct Shared {
    ground: Ground,
    weeks: Weeks,
    keys: WeekKeys,
    readiness: Readiness,
    shelf: Shelf,
    clock: Arc<dyn Clock>,
    /// One tick at a time; and what earlier ones have published, since a release never changes.
    published: Mutex<BTreeSet<ReleaseId>>,
    /// Which installed tables are in use.
    stamp: Mutex<tables::Stamp>,
}

/// The week's clock is asked this often.
const TICK: Duration = Duration::from_secs(60);

/// Requests under way have so long to finish when the collector stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts a collector on the current runtime.
///
/// # Errors
/// [`RunError`] when something cannot be opened or bound. Then nothing runs.
pub async fn serve(
    config: Config,
    clock: Arc<dyn Clock>,
    chance: SharedChance,
) -> Result<Handle, RunError> {
    let ground = Ground::make(config, chance).await?;
    let tls = match ground.config.intake.tls {
        true => Some(tls::config(&ground.identity)?),
        false => None,
    };
    let intake_listener = listen("intake.listen", ground.config.intake.listen).await?;
    let http_listener = match ground.config.http {
        Some(address) => Some(listen("http.listen", address).await?),
        None => None,
    };
    let intake_address = local(
        "intake.listen",
        &intake_listener,
        ground.config.intake.listen,
    )?;
    let http_address = match (&http_listener, ground.config.http) {
        (Some(listener), Some(asked)) => Some(local("http.listen", listener, asked)?),
        _ => None,
    };
    let admin_listener = match ground.config.admin {
        Some(address) => Some(listen("admin.listen", address).await?),
        None => None,
    };
    let admin_address = match (&admin_listener, ground.config.admin) {
        (Some(listener), Some(asked)) => Some(local("admin.listen", listener, asked)?),
        _ => None,
    };

    let readiness = Readiness::new();
    let (stop, stopped) = watch::channel(false);
    let (failure, failed) = watch::channel(None);
    let keys = ground.keys();
    let weeks = ground.weeks(keys.clone());
    let identity = Arc::clone(&ground.identity);
    let (journal, writer) = Journal::start(
        ground.store.clone(),
        identity,
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
    let reach = &ground.config.intake;
    let (proxies, forwarders) = (reach.proxies.clone(), reach.forwarders.as_ref());
    let door = Door::new(tls, proxies, forwarders, ground.metrics.clone());
    let connections = door.open(intake_listener);
    let shelf = Shelf::new(Arc::clone(&ground.identity));
    let stamp = Mutex::new(ground.stamp);
    let shared = Arc::new(Shared {
        ground,
        weeks,
        keys,
        readiness,
        shelf,
        clock,
        published: Mutex::default(),
        stamp,
    });
    // What was released before is shown from the start, and what is overdue is done first.
    shared.tick().await?;

    let mut admin = JoinSet::new();
    if let Some(listener) = admin_listener {
        let router = admin::router(shared.ground.metrics.clone(), shared.readiness.clone());
        admin.spawn(async move {
            if let Err(error) = axum::serve(Readers::new(listener), router).await {
                tracing::error!(%error, "the admin address answers no more");
            }
        });
    }
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let stopped = told(stopped.clone());
        async move {
            let served = intake.serve(connections, stopped).await;
            // The last handles of the journal are gone: what it was given, it writes.
            let _ = writer.await;
            served.map_err(|error| RunError::Ended("homes", error.to_string()))
        }
    });
    if let Some(listener) = http_listener {
        let router = api::router(shared.shelf.clone());
        let stopped = told(stopped.clone());
        tasks.spawn(async move {
            let served = axum::serve(Readers::new(listener), router)
                .with_graceful_shutdown(stopped)
                .await;
            served.map_err(|error| RunError::Ended("readers", error.to_string()))
        });
    }
    tasks.spawn(keep_time(Arc::clone(&shared), failed, stopped));
    Ok(Handle {
        intake_address,
        http_address,
        admin_address,
        shared,
        stop,
        tasks,
        admin,
    })
}

impl Handle {
    /// Where homes arrive.
    #[must_use]
    pub const fn intake_address(&self) -> SocketAddr {
        self.intake_address
    }

    /// Where readers arrive.
    #[must_use]
    pub const fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// Where its operator finds counters and readiness.
    #[must_use]
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// What it stands on: for the commands, and for whoever looks inside.
    #[must_use]
    pub fn ground(&self) -> &Ground {
        &self.shared.ground
    }

    /// Its weeks and releases.
    #[must_use]
    pub fn weeks(&self) -> &Weeks {
        &self.shared.weeks
    }

    /// The collector's public key.
    #[must_use]
    pub fn key(&self) -> VerifyingKey {
        self.shared.ground.identity.public()
    }

    /// Every counter and where it stands.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<Counter, u64> {
        self.shared.ground.metrics.snapshot()
    }

    /// Makes invites to the collector at `authority`, `HOST:PORT`, each for one home.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invite(&self, count: u32, authority: &str) -> Result<Vec<Invite>, RunError> {
        let order = InviteOrder {
            count,
            ..InviteOrder::default()
        };
        let Ground {
            identity, chance, ..
        } = &self.shared.ground;
        let (mut chance, now) = (chance.clone(), self.shared.clock.now());
        let registry = self.shared.ground.registry();
        Ok(registry
            .invite(order, authority, identity, &mut chance, now)
            .await?)
    }

    /// Asks the week's clock now: closes, releases and destroys what is due, and shows it. Gives the
    /// releases it made.
    ///
    /// # Errors
    /// When a week cannot be moved on; it will be tried again.
    pub async fn tick(&self) -> Result<Vec<ReleaseId>, RunError> {
        self.shared.tick().await
    }

    /// Waits until the collector cannot go on, and says why.
    pub async fn failed(&mut self) -> RunError {
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(error) => return RunError::Ended("a part", error.to_string()),
            }
        }
        RunError::Ended("everything", "it was stopped".to_owned())
    }

    /// Stops: is not ready any more, takes nothing more, finishes what is under way, closes the store.
    pub async fn stop(mut self) {
        self.shared.readiness.drain();
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
            tracing::warn!("connections were cut after the time to finish");
            self.tasks.shutdown().await;
        }
        self.admin.shutdown().await;
        summarise(&self.shared.ground.metrics);
    }
}

impl Shared {
    async fn tick(&self) -> Result<Vec<ReleaseId>, RunError> {
        let mut published = self.published.lock().await;
        self.take_up_tables().await;
        let now = self.clock.now();
        let found = examination::examine(&self.ground.store, &self.keys, now).await;
        self.readiness.found(found);
        let made = self.weeks.tick(now).await;
        let forgotten = self.forget(now).await;
        let followed = self.ground.ledger.follow(&self.ground.store).await;
        // Shown even if another week failed, and if another process made it.
        let releases = self.weeks.releases().await?;
        let mut new = releases.clone();
        new.retain(|release| !published.contains(&release.id));
        if let (Some(out), false) = (&self.ground.config.publish, new.is_empty()) {
            let outcome = publish::publish(&new, out, self.ground.identity.key())?;
            published.extend(new.iter().map(|release| release.id));
            for release in outcome.differing {
                tracing::error!(%release, "a published folder has other bytes; it was not touched");
            }
        }
        self.shelf.replace(releases);
        forgotten?;
        followed?;
        Ok(made?)
    }
}

impl Shared {
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

/// Asks the week's clock from time to time, until told to stop. Ends with an error when the store
/// can no longer be written: then nothing may be acknowledged, and whoever watches starts us anew.
async fn keep_time(
    shared: Arc<Shared>,
    mut failed: watch::Receiver<Option<Arc<StoreError>>>,
    stopped: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let mut timer = tokio::time::interval(TICK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let stopped = told(stopped);
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return Ok(()),
            _ = timer.tick() => match shared.tick().await {
                Ok(_) => {}
                Err(RunError::Store(error)) if !error.passes() => {
                    return Err(RunError::Store(error));
                }
                Err(error) => tracing::error!(%error, "a week did not move on"),
            },
            Ok(()) = failed.changed() => {
                let failure = failed.borrow_and_update().clone();
                if let Some(error) = failure {
                    return Err(RunError::Store(error));
                }
            }
        }
    }
}

/// Waits between two questions to a registry: politeness is a matter of time.
#[expect(
    clippy::disallowed_methods,
    reason = "`run` waits, and the stage takes it as an argument"
)]
pub async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Resolves when told to stop, or when nobody is left to tell.
async fn told(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, RunError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| RunError::Listen {
        key,
        address,
        source,
    })
}

/// The address with the port the system chose, where it was asked to.
fn local(
    key: &'static str,
    listener: &TcpListener,
    address: SocketAddr,
) -> Result<SocketAddr, RunError> {
    listener.local_addr().map_err(|source| RunError::Listen {
        key,
        address,
        source,
    })
}

/// Writes to the log what was counted, without a line for what never happened.
fn summarise(metrics: &Metrics) {
    for (counter, value) in metrics
        .snapshot()
        .into_iter()
        .filter(|(_, value)| *value > 0)
    {
        tracing::info!(counter = counter.name(), value, "counted since the start");
    }
}

/// The time a week closes, in words.
fn in_words(time: Timestamp) -> String {
    time.to_string().replace(".000000Z", "Z")
}

#[cfg(test)]
mod tests;
