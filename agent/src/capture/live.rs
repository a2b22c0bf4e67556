//! A router's live source: the rings of its networks and the connection table, as one.
//!
//! Takes the interfaces to tap, gives their frames, what the connection table says, and what was
//! lost of either, in one `poll(2)`. All sockets are opened while the process is privileged;
//! afterwards [`LiveSource::retarget`] needs no privilege, so that interfaces may come, go and come
//! back for months.
//!
//! Promises:
//! 1. Nothing is seen twice: no interface is tapped twice, and whoever chooses them (`lan`) chooses
//!    either a bridge or its ports.
//! 2. Nobody starves: each source gives at most [`TURN_EVENTS_MAX`] events before the next has its
//!    turn. Frames of one ring are in the order of their arrival, those of several are not.
//! 3. What the kernel could not hold, and each vanishing of an interface, is one [`Event::Lost`].
//! 4. Memory: [`RINGS_MAX`] rings, of which those that are not bound take none.

mod waker;

pub use waker::Waker;

use super::clock::KernelClock;
use super::conntrack::Conntrack;
use super::filter::Mode;
use super::ring::{Ring, RingError, Size};
use super::{CaptureCounts, Event, Lost, Source};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeSet;
use std::time::Duration;
use thiserror::Error;
use waker::Bell;

/// An interface to listen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Its name, which it keeps when it comes back.
    pub name: String,
    /// Its number, which it does not.
    pub ifindex: u32,
    /// It also carries frames of the outside, under a VLAN tag: tagged ones are passed over, or what
    /// crosses the router would be seen twice.
    pub is_shared: bool,
}

/// Frames and counters of a running router.
#[derive(Debug)]
pub struct LiveSource {
    mode: Mode,
    /// What is to be heard, whether it can be or not.
    wanted: Vec<Tap>,
    rings: Vec<Ear>,
    connections: Option<Conntrack>,
    bell: Bell,
    /// Whose turn it is: a ring's, or past them the connection table's.
    turn: usize,
    turn_events_left: u32,
    /// Interfaces that went away and were not told of yet.
    gone: u64,
    counts: CaptureCounts,
}

/// A ring, and the interface it is for.
#[derive(Debug)]
struct Ear {
    ring: Ring,
    /// `None` while it is not needed; still there when the interface is gone.
    tap: Option<Tap>,
}

/// An interface that is not heard, and why.
#[derive(Debug, Error)]
#[error("{name}: {why}")]
pub struct Unheard {
    /// Its name.
    pub name: String,
    /// Why.
    #[source]
    pub why: UnheardBecause,
}

/// Why an interface is not heard.
#[derive(Debug, Error)]
pub enum UnheardBecause {
    /// It cannot be listened to.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// There are more of them than rings.
    #[error("at most {RINGS_MAX} interfaces can be listened to at a time")]
    TooMany,
}

/// What a turn brought.
enum Step {
    /// This ring has gone on to a frame.
    Frame(usize),
    Event(Event<'static>),
    /// Nobody has anything.
    Nothing,
}

// === impl LiveSource ===

impl LiveSource {
    /// Opens every socket there will be, and listens to `taps`; [`Mode`] says how much of their
    /// frames is wanted. Needs CAP_NET_RAW. What cannot be heard is told beside the source.
    ///
    /// # Errors
    /// A [`RingError`] when there are no packet sockets for us, or no descriptor for the waker.
    ///
    /// # Panics
    /// When an interface stands in `taps` twice.
    pub fn open(
        taps: &[Tap],
        mode: Mode,
        connections: Option<Conntrack>,
    ) -> Result<(Self, Vec<Unheard>), RingError> {
        let rings = (0..RINGS_MAX)
            .map(|place| Ring::open(size(place)).map(|ring| Ear { ring, tap: None }))
            .collect::<Result<_, _>>()?;
        let mut source = Self {
            mode,
            wanted: Vec::new(),
            rings,
            connections,
            bell: Bell::new().map_err(RingError::NotOpened)?,
            turn: 0,
            turn_events_left: TURN_EVENTS_MAX,
            gone: 0,
            counts: CaptureCounts::default(),
        };
        let unheard = source.retarget(taps);
        Ok((source, unheard))
    }

    /// Listens to these interfaces and to no others any more. Those that are listened to already are
    /// left alone. Needs no privilege; gives those that cannot be heard.
    ///
    /// # Panics
    /// When an interface stands in `taps` twice.
    pub fn retarget(&mut self, taps: &[Tap]) -> Vec<Unheard> {
        let different: BTreeSet<_> = taps.iter().map(|tap| tap.ifindex).collect();
        assert_eq!(different.len(), taps.len(), "no interface is tapped twice");
        for ear in &mut self.rings {
            if ear.tap.as_ref().is_some_and(|tap| !taps.contains(tap)) {
                // It may have vanished and returned before `poll` could say so.
                self.gone += u64::from(ear.ring.check());
                let is_back = taps
                    .iter()
                    .any(|tap| ear.tap.as_ref().is_some_and(|old| old.name == tap.name));
                if !is_back {
                    ear.let_go();
                }
            }
        }
        self.wanted = taps.to_vec();
        let mut unheard = Vec::new();
        for tap in taps {
            if let Err(why) = self.hear(tap) {
                unheard.push(Unheard {
                    name: tap.name.clone(),
                    why,
                });
            }
        }
        unheard
    }

    /// Tries again to listen to what is wanted and not heard: an interface may come back under the
    /// number it had. Gives whether all of it is heard now.
    pub fn listen_again(&mut self) -> bool {
        let is_heard = |tap: &Tap| {
            let mut rings = self.rings.iter();
            rings.any(|ear| ear.ring.ifindex() == Some(tap.ifindex))
        };
        if self.wanted.iter().all(is_heard) {
            return true;
        }
        let wanted = std::mem::take(&mut self.wanted);
        self.retarget(&wanted).is_empty()
    }

    /// The names of the interfaces that are heard now.
    pub fn heard(&self) -> impl Iterator<Item = &str> {
        let bound = self.rings.iter().filter(|ear| ear.ring.ifindex().is_some());
        bound.filter_map(|ear| Some(ear.tap.as_ref()?.name.as_str()))
    }

    /// Whether an interface has vanished since [`LiveSource::retarget`] was last called.
    #[must_use]
    pub fn is_missing_any(&self) -> bool {
        self.rings
            .iter()
            .any(|ear| ear.tap.is_some() && ear.ring.ifindex().is_none())
    }

    /// What wakes or stops the source from another thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.bell.waker()
    }

    /// What it has given so far.
    #[must_use]
    pub const fn counts(&self) -> &CaptureCounts {
        &self.counts
    }

    /// The connection table, if it is read.
    #[must_use]
    pub const fn connections(&self) -> Option<&Conntrack> {
        self.connections.as_ref()
    }

    /// Finds a ring for an interface and binds it.
    fn hear(&mut self, tap: &Tap) -> Result<(), UnheardBecause> {
        let is_heard = |ear: &Ear| ear.ring.ifindex() == Some(tap.ifindex);
        if let Some(ear) = self.rings.iter_mut().find(|ear| is_heard(ear)) {
            // Interfaces can be renamed, and come to carry the outside's frames too.
            ear.ring.pass_over_tagged(tap.is_shared);
            ear.tap = Some(tap.clone());
            return Ok(());
        }
        let was_its_own = |ear: &Ear| ear.tap.as_ref().is_some_and(|old| old.name == tap.name);
        let place = self
            .rings
            .iter()
            .position(was_its_own)
            .or_else(|| self.rings.iter().position(|ear| ear.tap.is_none()))
            .ok_or(UnheardBecause::TooMany)?;
        let ear = &mut self.rings[place];
        ear.ring.pass_over_tagged(tap.is_shared);
        match ear.ring.bind(tap.ifindex, self.mode) {
            Ok(_) => {
                ear.tap = Some(tap.clone());
                Ok(())
            }
            Err(why) => {
                ear.let_go();
                Err(why.into())
            }
        }
    }

    /// Asks each source in turn for one event.
    fn step(&mut self) -> Step {
        for _ in 0..=self.rings.len() {
            if self.turn_events_left > 0
                && let Some(step) = self.ask()
            {
                self.turn_events_left -= 1;
                return step;
            }
            self.turn = (self.turn + 1) % (self.rings.len() + 1);
            self.turn_events_left = TURN_EVENTS_MAX;
        }
        Step::Nothing
    }

    /// Asks whose turn it is.
    fn ask(&mut self) -> Option<Step> {
        let Some(ear) = self.rings.get_mut(self.turn) else {
            let connections = self.connections.as_mut()?;
            return connections
                .next(KernelClock::wall(), since_boot())
                .map(Step::Event);
        };
        let lost = |count| {
            let why = Lost::RingFull;
            (count > 0).then_some(Step::Event(Event::Lost { count, why }))
        };
        if let Some(lost) = lost(ear.ring.take_lost()) {
            return Some(lost);
        }
        if ear.ring.advance() {
            return Some(Step::Frame(self.turn));
        }
        // A ring is asked for what it lost when it is empty, too: nothing may follow.
        lost(ear.ring.take_lost())
    }

    /// Waits until something has happened, `until` at the latest.
    fn wait(&mut self, until: Duration) {
        let now = since_boot();
        let due = self
            .connections
            .as_ref()
            .map_or(until, |connections| connections.due().min(until));
        let patience = due.saturating_sub(now).min(WAIT_MAX);
        let timeout = Timespec::try_from(patience).expect("an hour can be said everywhere");
        let bound = self.rings.iter().filter(|ear| ear.ring.ifindex().is_some());
        let mut polled: Vec<_> = bound
            .map(|ear| PollFd::new(&ear.ring, PollFlags::IN))
            .collect();
        let rings = polled.len();
        polled.push(PollFd::new(&self.bell, PollFlags::IN));
        let wakes = self.connections.as_ref().and_then(Conntrack::wakes);
        if let Some(connections) = &wakes {
            polled.push(PollFd::new(connections, PollFlags::IN));
        }
        // A signal ends the wait early, which is no harm; nothing else can fail.
        let _ = poll(&mut polled, Some(&timeout));
        let is_troubled: Vec<_> = polled[..rings]
            .iter()
            .map(|ring| ring.revents().intersects(PollFlags::ERR | PollFlags::HUP))
            .collect();
        let bound = self
            .rings
            .iter_mut()
            .filter(|ear| ear.ring.ifindex().is_some());
        for (ear, is_troubled) in bound.zip(is_troubled) {
            self.gone += u64::from(is_troubled && ear.ring.check());
        }
        self.bell.quieten();
    }

    fn count<'a>(&mut self, event: Event<'a>) -> Event<'a> {
        if let Event::Lost { count, why } = event {
            self.counts.lost.add(why, count);
        }
        event
    }
}

impl Source for LiveSource {
    fn next(&mut self, patience: Duration) -> Event<'_> {
        let until = since_boot().saturating_add(patience);
        let mut has_waited = false;
        loop {
            if self.bell.is_stopped() {
                return Event::End;
            }
            if self.bell.take_call() {
                return Event::Idle;
            }
            if self.gone > 0 {
                let count = std::mem::take(&mut self.gone);
                let why = Lost::InterfaceGone;
                return self.count(Event::Lost { count, why });
            }
            match self.step() {
                Step::Frame(place) => {
                    self.counts.frames += 1;
                    let frame = self.rings[place].ring.frame();
                    return Event::Frame(frame.expect("the ring has gone on to one"));
                }
                Step::Event(event) => return self.count(event),
                Step::Nothing if has_waited && since_boot() >= until => return Event::Idle,
                Step::Nothing => {
                    self.wait(until);
                    has_waited = true;
                }
            }
        }
    }
}

// === impl Ear ===

impl Ear {
    fn let_go(&mut self) {
        self.tap = None;
        // What the kernel refuses here leaves a ring whose filter is shut: it hears nothing.
        let _ = self.ring.unbind();
    }
}

/// How large the ring at this place is.
const fn size(place: usize) -> Size {
    if place < LARGE_RINGS {
        Size::Large
    } else {
        Size::Small
    }
}

/// The kernel's time since boot.
fn since_boot() -> Duration {
    Duration::from_nanos(KernelClock::since_boot_nanos())
}

/// The most interfaces heard at a time. A home has one to three networks; where a flow table forwards
/// past the bridge, each port of it is one.
pub const RINGS_MAX: usize = 8;

/// How many of them are large: a home's own network and one more, which are found first.
const LARGE_RINGS: usize = 2;

/// The longest single wait: some systems cannot say longer ones. Whoever waits longer waits again.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// How many events one source gives in a row.
pub const TURN_EVENTS_MAX: u32 = 64;

#[cfg(test)]
mod tests;
