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
pub mod works;

pub use error::RunError;
pub use readers::certificate::CertificateError;

use crate::admin;
use crate::api;
use crate::config::Config;
use crate::intake::listener::Door;
use crate::intake::tls;
use crate::metrics::{Counter, Metrics};
use crate::registry::InviteOrder;
use crate::release::ReleaseId;
use crate::store::StoreError;
use crate::weeks::Weeks;
use ground::Ground;
use phonehome_proto::chance::SharedChance;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::seal::VerifyingKey;
use phonehome_proto::time::{Clock, Timestamp};
use readers::Readers;
use readers::certificate::Certificate;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use works::{Service, Works};

/// A collector at work.
pub struct Handle {
    intake_address: SocketAddr,
    http_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    works: Arc<Works>,
    /// What readers' TLS is certified with.
    certificate: Option<Arc<Certificate>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), RunError>>,
    /// Answers until everything else has ended.
    admin: JoinSet<()>,
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
    let certificate = ground.config.certificate().cloned();
    let certificate = certificate.map(Certificate::open).transpose()?;
    let intake_listener = listen("intake.listen", ground.config.intake.listen).await?;
    let http = ground.config.http.as_ref().map(|http| http.listen);
    let http_listener = match http {
        Some(address) => Some(listen("http.listen", address).await?),
        None => None,
    };
    let intake_address = local(
        "intake.listen",
        &intake_listener,
        ground.config.intake.listen,
    )?;
    let http_address = match (&http_listener, http) {
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

    let (stop, stopped) = watch::channel(false);
    let (works, service) = Works::begin(ground, clock);
    let Service {
        intake,
        failed,
        writer,
    } = service;
    let works = Arc::new(works);
    let (metrics, readiness) = (&works.ground.metrics, &works.readiness);
    let reach = &works.ground.config.intake;
    let (proxies, forwarders) = (reach.proxies.clone(), reach.forwarders.as_ref());
    let door = Door::new(tls, proxies, forwarders, metrics.clone(), readiness.clone());
    let connections = door.open(intake_listener);
    // What was released before is shown from the start, and what is overdue is done first.
    works.tick().await?;

    let mut admin = JoinSet::new();
    if let Some(listener) = admin_listener {
        let router = admin::router(metrics.clone(), readiness.clone());
        let operators = Readers::new(listener, metrics.clone(), readiness.clone());
        admin.spawn(async move {
            if let Err(error) = axum::serve(operators, router).await {
                tracing::error!(%error, "the admin address answers no more");
            }
        });
    }
    let forwarders = works.ground.config.intake.forwarders.clone();
    let reading = api::Door::new(metrics.clone(), forwarders);
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let stopped = told(stopped.clone());
        let observatory = api::observatory(works.shelf.clone(), reading.clone());
        async move {
            let served = intake.serve(connections, observatory, stopped).await;
            // The last handles of the journal are gone: what it was given, it writes.
            let _ = writer.await;
            served.map_err(|error| RunError::Ended("homes", error.to_string()))
        }
    });
    if let Some(listener) = http_listener {
        let router = reading.before(api::router(works.shelf.clone()));
        let counted = (metrics.clone(), readiness.clone());
        let tls = certificate.as_ref().map(Certificate::config);
        let served = readers::serve((listener, tls), counted, router, told(stopped.clone()));
        tasks.spawn(async move {
            let served = served.await;
            served.map_err(|error| RunError::Ended("readers", error.to_string()))
        });
    }
    let kept = (Arc::clone(&works), certificate.clone());
    tasks.spawn(keep_time(kept, failed, stopped));
    Ok(Handle {
        intake_address,
        http_address,
        admin_address,
        works,
        certificate,
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
        &self.works.ground
    }

    /// Its weeks and releases.
    #[must_use]
    pub fn weeks(&self) -> &Weeks {
        &self.works.weeks
    }

    /// The collector's public key.
    #[must_use]
    pub fn key(&self) -> VerifyingKey {
        self.works.ground.identity.public()
    }

    /// Every counter and where it stands.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<Counter, u64> {
        self.works.ground.metrics.snapshot()
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
        } = &self.works.ground;
        let (mut chance, now) = (chance.clone(), self.works.clock.now());
        let registry = self.works.ground.registry();
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
        tick(&self.works, self.certificate.as_deref()).await
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
        self.works.readiness.drain();
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
            tracing::warn!("connections were cut after the time to finish");
            self.tasks.shutdown().await;
        }
        self.admin.shutdown().await;
        summarise(&self.works.ground.metrics);
    }
}

/// Asks the week's clock from time to time, until told to stop. Ends with an error when the store
/// can no longer be written: then nothing may be acknowledged, and whoever watches starts us anew.
async fn keep_time(
    (works, certificate): (Arc<Works>, Option<Arc<Certificate>>),
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
            _ = timer.tick() => match tick(&works, certificate.as_deref()).await {
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

/// Does what is due, and takes up a certificate that was renewed.
async fn tick(
    works: &Works,
    certificate: Option<&Certificate>,
) -> Result<Vec<ReleaseId>, RunError> {
    match certificate.map(Certificate::take_up).transpose() {
        Ok(Some(true)) => tracing::info!("readers' new certificate is in use"),
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "readers' certificate in use stays"),
    }
    works.tick().await
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
