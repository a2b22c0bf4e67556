//! The ground the watch stands on: every socket there will be, and what was given up afterwards.
//!
//! Takes a consent in force, gives a source that hears the home's networks, and the proof that the
//! process can no longer do anything else. Between the two it may wait for a network to appear, and looks
//! at the consent each time: nothing is opened to a network without one.

use super::live::{Live, Phase};
use super::{Stop, pause, write_live};
use crate::capture::clock::BOOT_ID;
use crate::capture::conntrack::{Accounting, Conntrack, RECEIVE_BYTES};
use crate::capture::filter::Mode;
use crate::capture::lan::{Finder, LanError, Networks};
use crate::capture::live::{LiveSource, Tap, Unheard};
use crate::capture::netlink::{Asker, AskerError};
use crate::capture::ring::RingError;
use crate::config::{Config, SourceChoice};
use crate::consent::Given;
use crate::run::{Environment, Exit, Failure, consent_in_force};
use crate::sandbox::{self, Confined, Confinement};
use crate::state::{DaemonPlaces, State};
use phonehome_proto::batch::Source;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is open, and what is given up.
pub(super) struct Opened {
    pub(super) confined: Confined,
    pub(super) source: LiveSource,
    /// What the source gives.
    pub(super) kind: Source,
    pub(super) finder: Finder,
    pub(super) networks: Networks,
    /// Interfaces that could not be heard, and why.
    pub(super) unheard: Vec<Unheard>,
    /// What is amiss with all of it, in sentences.
    pub(super) notes: Vec<String>,
    /// The collector's port that can be reached.
    pub(super) collector_port: Option<u16>,
    /// Whether the daemon before did not end in order, and what it saw is lost.
    pub(super) was_cut_off: bool,
}

/// How often networks are looked for.
pub(super) const NETWORKS_EVERY: Duration = Duration::from_secs(10);

/// Opens everything, then gives up every privilege; `None` when told to stop before, or when the consent
/// was withdrawn meanwhile.
///
/// # Errors
/// [`Failure`]: what cannot be opened, or cannot be given up.
pub(super) async fn open(
    environment: &mut Environment,
    config: &Config,
    (user, consent): (&str, &Given),
    (places, was_cut_off): (&DaemonPlaces, bool),
    stop: &mut Stop,
) -> Result<Option<Opened>, Failure> {
    tracing::debug!(given_at = %consent.consent().given_at, "consent is in force");
    let mut notes = Vec::new();
    let asker = asker(config.source, user, &mut notes)?;
    let mut finder = Finder::open(config.interfaces.clone(), asker.clone())?;
    let mut networks = finder.look()?;
    while networks.taps.is_empty() {
        let missing = networks.explanation().unwrap_or_default().to_owned();
        let live = Live {
            phase: Phase::WaitingForNetworks,
            notes: [notes.clone(), vec![missing]].concat(),
            ..Live::default()
        };
        write_live(&live, places);
        if !pause(environment, NETWORKS_EVERY, stop).await {
            return Ok(None);
        }
        if consent_in_force(&environment.state)?.is_none() {
            return withdrawn(places);
        }
        networks = finder.look()?;
    }
    let connections = connections(config.source, asker, &networks, &mut notes)?;
    let (kind, mode) = match connections {
        Some(_) => (Source::ConntrackAndTap, Mode::Names),
        None => (Source::Tap, Mode::Everything),
    };
    // The kernel may have been waited for.
    if consent_in_force(&environment.state)?.is_none() {
        return withdrawn(places);
    }
    let (source, unheard) = LiveSource::open(&taps(&networks), mode, connections)?;
    let enrolled = environment.state.enrolled()?;
    let collector_port = enrolled.map(|enrolled| enrolled.url.port());
    let confined = confine(&environment.state, places, user, collector_port)?;
    Ok(Some(Opened {
        confined,
        source,
        kind,
        finder,
        networks,
        unheard,
        notes,
        collector_port,
        was_cut_off,
    }))
}

/// Gives up everything but the two folders and a way to the collector.
pub(super) fn confine(
    state: &State,
    places: &DaemonPlaces,
    user: &str,
    collector_port: Option<u16>,
) -> Result<Confined, Failure> {
    let confined = sandbox::enter(&Confinement {
        user: user.to_owned(),
        folders: vec![state.as_ref().to_owned(), places.run_dir().to_owned()],
        reads: READS.map(PathBuf::from).to_vec(),
        collector_port,
    })?;
    tracing::info!("confined: {}", confined.report());
    Ok(confined)
}

/// Nothing is opened any more, and nothing is left.
fn withdrawn(places: &DaemonPlaces) -> Result<Option<Opened>, Failure> {
    tracing::info!("the consent was withdrawn before anything was watched");
    places.clear()?;
    Ok(None)
}

/// What is listened to.
pub(super) fn taps(networks: &Networks) -> Vec<Tap> {
    let tap = |tap: &crate::capture::lan::Tap| Tap {
        name: tap.name.clone(),
        ifindex: tap.index,
        is_shared: tap.is_shared,
    };
    networks.taps.iter().map(tap).collect()
}

/// Who asks the kernel for its connections, if they are wanted and can be had.
fn asker(
    choice: SourceChoice,
    user: &str,
    notes: &mut Vec<String>,
) -> Result<Option<Arc<Asker>>, Failure> {
    if choice == SourceChoice::Tap {
        return Ok(None);
    }
    let confine = || sandbox::confine_asker(user).map_err(io::Error::other);
    match Asker::start(confine) {
        Ok(asker) => Ok(Some(Arc::new(asker))),
        // One that cannot be confined is no reason to go on without.
        Err(error @ AskerError::NotConfined) => Err(error.into()),
        Err(error) if choice == SourceChoice::Conntrack => Err(error.into()),
        Err(error) => {
            notes.push(format!("volumes come from the tap alone, because {error}"));
            Ok(None)
        }
    }
}

/// The connection table, if it is wanted, and counts what passes here.
fn connections(
    choice: SourceChoice,
    asker: Option<Arc<Asker>>,
    networks: &Networks,
    notes: &mut Vec<String>,
) -> Result<Option<Conntrack>, Failure> {
    let Some(asker) = asker else { return Ok(None) };
    let refused = match Accounting::of_this_machine().explanation() {
        Some(why) => why.to_owned(),
        None if !networks.is_gateway && choice == SourceChoice::Auto => {
            // The networks' own explanation says so already.
            return Ok(None);
        }
        None => match Conntrack::open(asker, RECEIVE_BYTES) {
            Ok(connections) => return Ok(Some(connections)),
            Err(error) => format!("the connection table cannot be listened to: {error}"),
        },
    };
    if choice == SourceChoice::Conntrack {
        return Err(Failure::new(Exit::Unavailable, refused));
    }
    notes.push(refused);
    Ok(None)
}

/// Whether this machine forwards is looked at again with its networks; and what is kept over a restart
/// must know whether the machine was started anew.
const READS: [&str; 2] = ["/proc/sys/net", BOOT_ID];

impl From<AskerError> for Failure {
    fn from(error: AskerError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}

impl From<LanError> for Failure {
    fn from(error: LanError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}

impl From<RingError> for Failure {
    fn from(error: RingError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}
