//! `run`: the daemon.
//!
//! The order of things is a promise, and most of it is kept by types:
//!
//! 1. The configuration was read before anything was opened; the folders are private; there is one
//!    daemon to a home.
//! 2. Without consent no socket exists but the pair that carries signals within the process: the state
//!    folder is looked at every few seconds, and that is all (`ground` opens sockets, and takes a
//!    [`Given`]).
//! 3. Sockets are opened while the process is privileged, and then it gives up every privilege. No
//!    frame is read before: `capture` takes a [`Confined`].
//! 4. One thread captures and owns what it sees (`home`); this one seals and sends (`post`), looks at
//!    the household's decisions, and tells `status` how things stand (`live`).
//!
//! A withdrawn consent ends the daemon, and nothing of it is left; only while the collector does not
//! know of the withdrawal does it stay, without any socket that hears, to tell it (`leaving`). A signal ends it too: the part of
//! the day that was seen is kept in the run folder and told when the day is over.
//!
//! [`Given`]: crate::consent::Given
//! [`Confined`]: crate::sandbox::Confined

mod basis;
mod capture;
pub mod dating;
mod ground;
mod hearing;
pub mod home;
mod leaving;
pub mod live;
pub mod post;
mod rounds;
pub mod schedule;
pub mod trouble;
pub mod unfinished;

use super::endpoints::Present;
use super::preview::collector;
use super::{Environment, Exit, Failure, consent_in_force};
use crate::capture::clock::{BootId, KernelClock, Reading};
use crate::config::{Config, User};
use crate::consent::{Given, Shut};
use crate::observe::Rules;
use crate::sandbox;
use crate::state::{Claim, DaemonPlaces, Running, StateError};
use home::Household;
use live::{Live, Phase};
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Somebody who reads the clocks.
pub trait Clocks: Send + Sync {
    /// What they say now.
    fn read(&self) -> Reading;

    /// Which start of the machine they count from; `None` where nobody can tell.
    fn boot_id(&self) -> Option<BootId>;
}

/// Tells the daemon when to end.
pub struct Stop {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_told: bool,
}

// === impl Stop ===

impl Stop {
    /// The daemon ends when this does.
    #[must_use]
    pub fn when(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            future: Box::pin(future),
            is_told: false,
        }
    }

    /// The daemon ends with SIGTERM, SIGINT or SIGHUP. Within a runtime.
    ///
    /// # Errors
    /// [`Failure`] when signals cannot be heard.
    pub fn on_signals() -> Result<Self, Failure> {
        let deaf = |error: io::Error| {
            let sentence = format!("signals cannot be heard: {error}");
            Failure::new(Exit::Unavailable, sentence)
        };
        let mut terminated = signal(SignalKind::terminate()).map_err(deaf)?;
        let mut interrupted = signal(SignalKind::interrupt()).map_err(deaf)?;
        let mut hung_up = signal(SignalKind::hangup()).map_err(deaf)?;
        Ok(Self::when(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
                _ = hung_up.recv() => {}
            }
        }))
    }

    /// Waits until it is told; from then on it has been.
    async fn told(&mut self) {
        if !self.is_told {
            self.future.as_mut().await;
            self.is_told = true;
        }
    }
}

/// Watches until told to stop, or until the household withdraws its consent.
///
/// The process must have one thread, and have opened nothing yet.
///
/// # Errors
/// [`Failure`]: folders, sockets or privileges that are not as they must be.
pub async fn run(
    environment: &mut Environment,
    config: &Config,
    stop: &mut Stop,
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let user = user(&config.user);
    sandbox::prepare_folders(&user, &[environment.state.as_ref(), &config.run_dir])?;
    let running = begin(environment).await?;
    let places = DaemonPlaces::new(&environment.state, &config.run_dir, config.spool.is_on_disk);
    patient_claim(environment).await?.set_daemon(&places)?;
    // A daemon that ended in order took this away.
    let was_cut_off =
        matches!(Live::read(&places.live()), Ok(Some(live)) if live.phase == Phase::Watching);

    if environment.state.withdrawal()?.is_some() {
        // A home that has left opens nothing that hears.
        let enrolled = environment.state.enrolled()?;
        let port = enrolled.map(|enrolled| enrolled.url.port());
        ground::confine(&environment.state, &places, &user, port)?;
        return leaving::go(environment, &places, stop).await.map(drop);
    }
    let Some(consent) = wait_for_consent(environment, &places, stop, err).await? else {
        return Ok(());
    };
    let Some(opened) = ground::open(
        environment,
        config,
        (&user, &consent),
        (&places, was_cut_off),
        stop,
    )
    .await?
    else {
        return Ok(());
    };
    let clocks: Arc<dyn Clocks> = Arc::new(KernelClock);
    rounds::go(environment, config, opened, (places.clone(), clocks), stop).await?;
    if consent_in_force(&environment.state)?.is_none() {
        leaving::go(environment, &places, stop).await?;
    }
    drop(running);
    Ok(())
}

/// Waits, with no socket to any network, until the household has agreed; `None` when told to stop before.
async fn wait_for_consent(
    environment: &mut Environment,
    places: &DaemonPlaces,
    stop: &mut Stop,
    err: &mut (dyn Write + Send),
) -> Result<Option<Given>, Failure> {
    let mut seen = None;
    loop {
        let mark = environment.state.decisions_mark();
        if seen.as_ref() != Some(&mark) {
            if let Some(given) = consent_in_force(&environment.state)? {
                return Ok(Some(given));
            }
            if seen.is_none() {
                let sentence = format!(
                    "waiting, with no socket to any network, until the household agrees: {}",
                    Shut::Consent.command()
                );
                let live = Live {
                    phase: Phase::WaitingForConsent,
                    notes: vec![sentence.clone()],
                    ..Live::default()
                };
                write_live(&live, places);
                writeln!(err, "{sentence}")?;
            }
            seen = Some(mark);
        }
        if !pause(environment, LOOK_EVERY, stop).await {
            return Ok(None);
        }
    }
}

/// Takes the right to be this home's daemon. One that is just ending, or a `status` that is just
/// looking, is waited for.
async fn begin(environment: &mut Environment) -> Result<Running, Failure> {
    let mut tries = 0;
    loop {
        match environment.state.begin_run() {
            Err(StateError::InUse(folder)) if tries == BEGIN_TRIES_MAX => {
                let sentence = format!(
                    "a daemon of this home runs already, on {}",
                    folder.display()
                );
                return Err(Failure::new(Exit::Unavailable, sentence));
            }
            Err(StateError::InUse(_)) => tries += 1,
            begun => return Ok(begun?),
        }
        environment.waits.wait(TRY_PAUSE).await;
    }
}

/// Claims the state folder; a command that has it is done in a moment.
async fn patient_claim(environment: &mut Environment) -> Result<Claim, StateError> {
    let mut tries = 0;
    loop {
        match environment.state.claim() {
            Err(StateError::InUse(_)) if tries < CLAIM_TRIES_MAX => tries += 1,
            claimed => return claimed,
        }
        environment.waits.wait(TRY_PAUSE).await;
    }
}

/// Waits so long; `false` when told to stop.
async fn pause(environment: &mut Environment, pause: Duration, stop: &mut Stop) -> bool {
    tokio::select! {
        () = stop.told() => false,
        () = environment.waits.wait(pause) => true,
    }
}

/// What the household has decided, as far as the watch is concerned.
fn household(environment: &Environment) -> Result<Household, StateError> {
    let state = &environment.state;
    let list = state.devices()?;
    let declared = list
        .allowed()
        .filter_map(|(tag, vendor)| Some((tag, vendor?)));
    Ok(Household {
        rules: Rules {
            allowed: list.allowed().map(|(tag, _)| tag).collect(),
            purpose: collector(state)?.1,
            list: Present::of(environment)?.list(),
        },
        declared: declared.collect(),
    })
}

/// Whom to become.
fn user(configured: &User) -> String {
    match configured {
        User::Named(name) => name.clone(),
        // Refused where it matters: whoever started as root cannot stay root.
        User::Stay => "root".to_owned(),
        User::Found => {
            let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
            let is_there = known.lines().any(|line| line.starts_with("phonehome:"));
            if is_there { "phonehome" } else { "nobody" }.to_owned()
        }
    }
}

/// That it cannot be written costs `status` its news, and the home nothing.
fn write_live(live: &Live, places: &DaemonPlaces) {
    if let Err(error) = live.write(&places.live()) {
        tracing::warn!(%error, "live.json cannot be written");
    }
}

impl Clocks for KernelClock {
    fn read(&self) -> Reading {
        Self::read()
    }

    fn boot_id(&self) -> Option<BootId> {
        Self::boot_id()
    }
}

/// How often the household's decisions and the clock's marker are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

const TRY_PAUSE: Duration = Duration::from_millis(200);
const BEGIN_TRIES_MAX: u32 = 15;
const CLAIM_TRIES_MAX: u32 = 50;
