//! The daemon's rounds: hears the capture thread, looks at the household, sends.
//!
//! Everything that touches a disk or the collector happens here, on the one thread of the runtime.

use super::basis::{Basis, Begun, Standing};
use super::capture::Capture;
use super::dating::{Stand, Word};
use super::ground::{NETWORKS_EVERY, Opened, taps};
use super::hearing::Hearing;
use super::home::{Home, Sights, Told, Wish};
use super::live::{Live, LiveTrouble, Phase};
use super::post::{Order, Post};
use super::{Clocks, LOOK_EVERY, Stop, household, patient_claim, write_live};
use crate::capture::lan::{Finder, Networks};
use crate::capture::{Event, Lost};
use crate::config::Config;
use crate::device::Sighting;
use crate::durable;
use crate::run::{Environment, Exit, Failure};
use crate::state::{DaemonPlaces, DecisionsMark, Looks, StateError};
use phonehome_proto::batch::Source;
use phonehome_proto::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What goes round.
struct Rounds {
    places: DaemonPlaces,
    clocks: Arc<dyn Clocks>,
    basis: Basis,
    capture: Capture,
    post: Post,
    finder: Finder,
    networks: Networks,
    mark: DecisionsMark,
    marker: Option<Timestamp>,
    collector_port: Option<u16>,
    /// The collector's word on the time that the watch has not heard yet.
    learnt: Option<Word>,
    /// Since boot: when to look again.
    look_at: Duration,
    networks_at: Duration,
    sights: Sights,
    /// Who was seen, and is not written down yet.
    seen: Vec<Sighting>,
    stand: Option<Stand>,
    /// What never changes of what `status` shows.
    live: Live,
    written: Option<Live>,
}

/// Why the rounds end.
enum End {
    Stopped,
    Withdrawn,
    /// The household withdrew, and agreed anew.
    Another,
    /// The collector is where this process can no longer go.
    OutOfBounds,
    /// The connection table can no longer be read.
    Blind,
    /// The capture thread is gone.
    Deaf,
}

/// Goes round until something ends it.
///
/// # Errors
/// [`Failure`].
pub(super) async fn go(
    environment: &mut Environment,
    config: &Config,
    opened: Opened,
    (places, clocks): (DaemonPlaces, Arc<dyn Clocks>),
    stop: &mut Stop,
) -> Result<(), Failure> {
    let begun = {
        // Nobody withdraws while it is claimed.
        let claim = patient_claim(environment).await?;
        Basis::take(&claim, &mut *environment.chance)?
    };
    let Some(begun) = begun else {
        tracing::info!("the consent was withdrawn before anything was watched");
        return Ok(places.clear()?);
    };
    let mut rounds = Rounds::begin(environment, config, (begun, opened), places, clocks)?;
    let end = rounds.go(environment, stop).await;
    rounds.end(environment, end).await
}

impl Rounds {
    fn begin(
        environment: &mut Environment,
        config: &Config,
        (begun, opened): (Begun, Opened),
        places: DaemonPlaces,
        clocks: Arc<dyn Clocks>,
    ) -> Result<Self, Failure> {
        let stand = Stand {
            offset_nanos: 0,
            voucher: None,
        };
        let limits = (config.spool.limits, config.spread);
        let post = Post::open(
            environment,
            places.clone(),
            limits,
            (Arc::clone(&clocks), stand),
        )?;
        let household = household(environment)?;
        let seed = environment.seed();
        let mut home = Home::new(
            opened.kind,
            opened.networks.clone(),
            household,
            begun.keys.local.as_bytes(),
            seed,
        );
        if opened.was_cut_off {
            // What the daemon before saw of the day is lost, and so is what passed meanwhile.
            let (count, why) = (1, Lost::InterfaceGone);
            home.handle(Event::Lost { count, why }, clocks.read());
        }
        let live = Live {
            phase: Phase::Watching,
            notes: opened.notes,
            source: Some(
                match opened.kind {
                    Source::ConntrackAndTap => "connection table and tap",
                    Source::Tap | Source::File => "tap",
                }
                .to_owned(),
            ),
            protections: Some(opened.confined.report().to_string()),
            ..Live::default()
        };
        let mut hearing = Hearing::default();
        hearing.want(&taps(&opened.networks), &opened.unheard);
        let sights = Sights {
            unheard: hearing.missing(opened.source.heard()),
            ..Sights::default()
        };
        let source = (opened.source, hearing);
        let capture = Capture::start(opened.confined, source, home).map_err(|error| {
            let sentence = format!("the capture thread cannot be started: {error}");
            Failure::new(Exit::Unavailable, sentence)
        })?;
        Ok(Self {
            places,
            clocks,
            basis: begun.basis,
            capture,
            post,
            finder: opened.finder,
            networks: opened.networks,
            mark: begun.mark,
            marker: None,
            collector_port: opened.collector_port,
            learnt: None,
            look_at: Duration::ZERO,
            networks_at: Duration::ZERO,
            sights,
            seen: Vec::new(),
            stand: None,
            live,
            written: None,
        })
    }

    async fn go(&mut self, environment: &mut Environment, stop: &mut Stop) -> End {
        loop {
            let nap = self.nap();
            let told = tokio::select! {
                () = stop.told() => return End::Stopped,
                told = self.capture.told.recv() => Some(told),
                () = environment.waits.wait(nap) => None,
            };
            match told {
                Some(Some(Told::Blind)) => return End::Blind,
                Some(Some(told)) => self.hear(told),
                Some(None) => return End::Deaf,
                None => {}
            }
            if let Some(end) = self.look(environment) {
                return end;
            }
            let order = tokio::select! {
                // A signal is heard while the state folder or the collector is waited for, too.
                () = stop.told() => return End::Stopped,
                order = self.work(environment) => order,
            };
            if let Order::Learn(word) = order {
                self.learnt = Some(word);
            }
            if self
                .learnt
                .is_some_and(|word| self.capture.wish(Wish::Learn(word)))
            {
                self.learnt = None;
            }
            self.write_live();
        }
    }

    /// Until something may be due.
    fn nap(&self) -> Duration {
        let now = self.since_boot();
        let due = self.post.due().unwrap_or(Duration::MAX);
        let next = self.look_at.min(self.networks_at).min(due);
        next.saturating_sub(now).min(LOOK_EVERY)
    }

    /// What may wait for somebody else; broken off, it is done later.
    async fn work(&mut self, environment: &mut Environment) -> Order {
        self.keep_sightings(environment).await;
        self.post.turn_over(environment).await;
        self.post.send_if_due(environment).await
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Day(closed) => self.post.take(closed),
            Told::Stand(stand) => {
                if self.live.watching_since.is_none() && stand.voucher.is_some() {
                    let now = stand.time(self.clocks.read());
                    self.live.watching_since = Some(now.to_string());
                }
                self.stand = Some(stand);
                self.post.set_stand(stand);
            }
            Told::Sightings(sightings) => self.seen = sightings,
            Told::Sights(sights) => self.sights = sights,
            // Heard while it ends anyway.
            Told::Blind => {}
        }
    }

    /// Looks at what others may have changed.
    fn look(&mut self, environment: &mut Environment) -> Option<End> {
        let now = self.since_boot();
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            if let Some(end) = self.look_at_household(environment) {
                return Some(end);
            }
            self.look_at_marker();
        }
        if now >= self.networks_at {
            self.networks_at = now + NETWORKS_EVERY;
            self.look_at_networks();
        }
        None
    }

    fn look_at_household(&mut self, environment: &mut Environment) -> Option<End> {
        let mark = environment.state.decisions_mark();
        if mark == self.mark {
            return None;
        }
        match self.basis.standing(&environment.state) {
            Ok(Standing::Stands) => {}
            Ok(Standing::Withdrawn) => return Some(End::Withdrawn),
            Ok(Standing::Another) => return Some(End::Another),
            // What cannot be read now is looked at again.
            Err(_) => return None,
        }
        let (Ok(enrolled), Ok(household)) = (environment.state.enrolled(), household(environment))
        else {
            return None;
        };
        if enrolled.is_some_and(|enrolled| Some(enrolled.url.port()) != self.collector_port) {
            return Some(End::OutOfBounds);
        }
        if self.capture.wish(Wish::Household(household)) {
            self.mark = mark;
            self.post.look_again(environment);
        }
        None
    }

    fn look_at_marker(&mut self) {
        let touched = std::fs::metadata(self.places.clock_marker())
            .and_then(|meta| meta.modified())
            .ok();
        let touched = touched.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let marker = touched
            .and_then(|since| i64::try_from(since.as_nanos()).ok())
            .map(Timestamp::from_nanos);
        if marker != self.marker && self.capture.wish(Wish::Marker(marker)) {
            self.marker = marker;
        }
    }

    fn look_at_networks(&mut self) {
        let networks = match self.finder.look() {
            Ok(networks) => networks,
            Err(error) => {
                tracing::debug!(%error, "the networks cannot be looked at");
                return;
            }
        };
        if networks != self.networks && self.capture.wish(Wish::Networks(networks.clone())) {
            self.networks = networks;
        }
    }

    async fn keep_sightings(&mut self, environment: &mut Environment) {
        if self.seen.is_empty() {
            return;
        }
        let kept = async {
            let claim = patient_claim(environment).await?;
            let seen = std::mem::take(&mut self.seen);
            if self.basis.standing(claim.state())? != Standing::Stands {
                return Ok(());
            }
            let mut sightings = claim.state().sightings()?;
            for sighting in &seen {
                let verdict = &sighting.row.verdict;
                let looks = Looks {
                    mac_kind: sighting.row.mac_kind,
                    vendor: verdict.guess,
                    is_phone: verdict.is_phone,
                };
                for day in &sighting.days {
                    sightings.note(sighting.row.device, *day, looks);
                }
            }
            claim.set_sightings(&sightings)
        };
        let kept: Result<(), StateError> = kept.await;
        if let Err(error) = kept {
            // The watch tells of them again at the end of the day.
            self.seen.clear();
            tracing::warn!(%error, "who was there cannot be written down");
        }
    }

    /// Writes how things stand, where they stand otherwise than before.
    fn write_live(&mut self) {
        let live = self.picture();
        if self.written.as_ref() != Some(&live) {
            write_live(&live, &self.places);
            self.written = Some(live);
        }
    }

    fn picture(&self) -> Live {
        let (sights, counts) = (&self.sights, self.post.counts());
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let voucher = self.stand.and_then(|stand| stand.voucher);
        let missed = sights.missed.iter();
        let amiss = self.networks.explanation().map(str::to_owned);
        Live {
            notes: self.live.notes.iter().cloned().chain(amiss).collect(),
            networks: self
                .networks
                .lans
                .iter()
                .map(|lan| lan.name.clone())
                .collect(),
            unheard: sights.unheard.clone(),
            clock: voucher.map(|voucher| voucher.as_str().to_owned()),
            devices: number(sights.devices),
            devices_today: number(sights.devices_today),
            allowed_today: number(sights.allowed_today),
            flows: number(sights.flows),
            frames: sights.frames,
            contacts: sights.contacts,
            observed: sights.observed,
            missed: missed
                .map(|(loss, count)| (loss.as_str().to_owned(), *count))
                .collect(),
            last_day: counts.last_sealed.map(|day| day.to_string()),
            kept_home: counts.kept_home,
            next_upload: self.post.due_at().map(|time| time.to_string()),
            trouble: self.post.trouble().map(|(trouble, since)| LiveTrouble {
                kind: trouble.kind.as_str().to_owned(),
                sentence: trouble.sentence.clone(),
                since: since.map(|since| since.to_string()),
            }),
            ..self.live.clone()
        }
    }

    /// Ends in order: what was seen is told, and what was told is kept. Of a home that has withdrawn
    /// nothing is kept, whatever the end.
    async fn end(mut self, environment: &mut Environment, end: End) -> Result<(), Failure> {
        self.capture.stop();
        while let Some(told) = self.capture.told.recv().await {
            self.hear(told);
        }
        let (mut end, basis, places) = (end, self.basis, self.places.clone());
        if let Some(gone) = fallen(basis, environment) {
            end = gone;
        } else {
            self.keep_sightings(environment).await;
        }
        self.capture.join();
        if !matches!(end, End::Withdrawn | End::Another) {
            self.post.close(environment).await;
            // Who withdraws takes the consent back first and clears then: what was just kept is either
            // cleared by them, or by us.
            end = fallen(basis, environment).unwrap_or(end);
        }
        match end {
            End::Withdrawn | End::Another => places.clear()?,
            End::Deaf => {}
            End::Stopped | End::OutOfBounds | End::Blind => {
                let _ = durable::remove(&places.live());
            }
        }
        match end {
            End::Stopped => Ok(()),
            End::Withdrawn => {
                tracing::info!("the consent is withdrawn: nothing is watched any more");
                Ok(())
            }
            End::Another => Err(Failure::new(
                Exit::Unavailable,
                "the household withdrew its consent and gave another: starting anew, with nothing of what \
                 was seen before",
            )),
            End::OutOfBounds if self.collector_port.is_none() => Err(Failure::new(
                Exit::Unavailable,
                "this home has a collector now: starting anew to be confined to it",
            )),
            End::OutOfBounds => Err(Failure::new(
                Exit::Unavailable,
                "this home's collector is at another port now: starting anew to be confined to it",
            )),
            End::Blind => Err(Failure::new(
                Exit::Unavailable,
                "the process that reads the connection table is gone, and only root can start another; \
                 start the daemon again",
            )),
            End::Deaf => Err(Failure::new(
                Exit::Bug,
                "the capture thread ended by itself; the log says why",
            )),
        }
    }

    fn since_boot(&self) -> Duration {
        Duration::from_nanos(self.clocks.read().since_boot_nanos)
    }
}

/// The end of a watch whose basis fell, or of which nobody can tell; `None` where it stands.
fn fallen(basis: Basis, environment: &Environment) -> Option<End> {
    match basis.standing(&environment.state) {
        Ok(Standing::Stands) => None,
        Ok(Standing::Another) => Some(End::Another),
        // A consent that cannot be read is none to keep anything by.
        Ok(Standing::Withdrawn) | Err(_) => Some(End::Withdrawn),
    }
}
