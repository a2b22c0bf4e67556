//! The kernel's connection table over netlink: read whole, then followed by events.
//!
//! Gives [`Event`]s: `Counters` of one connection each, `Swept` when a reading of the whole table is
//! over, `Lost` when the kernel dropped events or said what cannot be read. The table is read at the
//! start, every [`PERIOD`], and at once after events were lost; what else is said between comes from
//! the groups NEW and DESTROY. The group UPDATE is not joined: it speaks of every change of every
//! connection's state, several times per connection, and says nothing that a reading does not.
//!
//! Promises: 1. Counters in the kernel are never set back (`CTRZERO` is never asked). 2. A reading and
//! the events around it come in an order that holds, see [`Moment`]; readings have a socket of their
//! own and cannot crowd out events. 3. Memory is one datagram's: nothing is collected. 4. Whatever is
//! lost, the table is read at most `1 + RETRIES_MAX` times in a period. 5. Never blocks.

mod accounting;
pub mod message;
mod schedule;

pub use accounting::Accounting;
pub use schedule::{EVENTS_BEHIND_MAX, PATIENCE, PERIOD, RETRIES_MAX};

use super::connection::Moment;
use super::netlink::{Asker, DATAGRAM_BYTES, Protocol, Question, Received, Socket};
use super::{Event, Lost};
use message::{Entry, Occasion, Reading, Said};
use phonehome_proto::time::Timestamp;
use schedule::{Ear, Schedule};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// The receive buffer for events that is asked for: some thousands of events. The kernel counts twice
/// as much, and takes memory only for what waits.
pub const RECEIVE_BYTES: u32 = 1 << 20;

/// The connection table of this machine.
#[derive(Debug)]
pub struct Conntrack {
    events: Socket,
    asker: Arc<Asker>,
    datagram: Datagram,
    schedule: Schedule,
    /// The number that the answers of the present reading carry.
    sequence: u32,
    receive_bytes: u32,
    is_deaf: bool,
    counts: ConntrackCounts,
}

/// What became of messages and readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConntrackCounts {
    /// Entries given as counters.
    pub entries: u64,
    /// Entries passed over, because they are neither TCP nor UDP.
    pub entries_of_other_transports: u64,
    /// Entries of a reading passed over, because they were just being taken out: their end is an event.
    pub entries_dying: u64,
    /// Readings of the whole table.
    pub readings_whole: u64,
    /// Readings that were refused, left unanswered, or lack something.
    pub readings_broken: u64,
    /// What the kernel answered when it last refused a reading, as in `errno.h`.
    pub refused_with: Option<i32>,
    /// Whether the table can no longer be read at all, because the asker is gone.
    pub is_without_readings: bool,
}

/// One datagram, and how far it is read.
#[derive(Debug)]
struct Datagram {
    bytes: Box<[u8]>,
    read_bytes: usize,
    length: usize,
}

// === impl Conntrack ===

impl Conntrack {
    /// Listens to events with a receive buffer of `receive_bytes`, mostly [`RECEIVE_BYTES`]. Needs
    /// CAP_NET_ADMIN; afterwards none is needed, since `asker` asks. The first reading begins with the
    /// first [`Conntrack::next`].
    ///
    /// # Errors
    ///
    /// If the kernel has no connection tracking to listen to, or this process may not.
    pub fn open(asker: Arc<Asker>, receive_bytes: u32) -> io::Result<Self> {
        let events = Socket::open(Protocol::Netfilter, GROUP_NEW | GROUP_DESTROY)?;
        let receive_bytes = events.grow_receive_buffer(receive_bytes)?;
        Ok(Self {
            events,
            asker,
            datagram: Datagram::empty(),
            schedule: Schedule::new(),
            sequence: 0,
            receive_bytes,
            is_deaf: false,
            counts: ConntrackCounts::default(),
        })
    }

    /// The next event, if there is one now. `now` dates it; `tick` is monotonic time since any fixed
    /// point, and decides what is due.
    ///
    /// To be called until it gives `None`; then again when [`Conntrack::wakes`] is readable or the
    /// tick has reached [`Conntrack::due`].
    pub fn next(&mut self, now: Timestamp, tick: Duration) -> Option<Event<'static>> {
        loop {
            while let Some(said) = self.datagram.next() {
                if let Some(event) = self.hear(said, now) {
                    return Some(event);
                }
            }
            if self.schedule.gives_up(tick) {
                self.counts.readings_broken += 1;
            }
            if self.schedule.wants_reading(tick)
                && let Some(event) = self.ask(tick)
            {
                return Some(event);
            }
            let ear = self.schedule.ear();
            let received = match ear {
                Ear::Answers => self
                    .asker
                    .receive(Question::Connections, &mut self.datagram.bytes),
                Ear::Events | Ear::EventsBehind if self.is_deaf => Ok(Received::Nothing),
                Ear::Events | Ear::EventsBehind => self.events.receive(&mut self.datagram.bytes),
            };
            match (ear, received) {
                (Ear::Answers, Ok(Received::Datagram(length))) => {
                    self.datagram.filled(length);
                    self.schedule.heard(tick);
                }
                (Ear::Answers, Ok(Received::Nothing)) | (Ear::Events, Ok(Received::Nothing)) => {
                    return None;
                }
                (Ear::Answers, Ok(Received::Overrun)) => self.schedule.spoil(),
                (Ear::Answers, Err(_)) => self.break_reading(),
                (Ear::Events | Ear::EventsBehind, Ok(Received::Datagram(length))) => {
                    self.datagram.filled(length);
                    self.schedule.caught();
                    if self.schedule.is_caught_up(false) {
                        return Some(self.swept());
                    }
                }
                (Ear::EventsBehind, Ok(Received::Nothing)) => {
                    assert!(self.schedule.is_caught_up(true), "events behind a reading");
                    return Some(self.swept());
                }
                (Ear::Events | Ear::EventsBehind, Ok(Received::Overrun)) => {
                    return Some(self.overrun());
                }
                (Ear::Events | Ear::EventsBehind, Err(_)) => {
                    // Nothing more can be expected of the socket; readings go on.
                    self.is_deaf = true;
                    return Some(self.overrun());
                }
            }
        }
    }

    /// What to wait on, besides [`Conntrack::due`]: it is readable when there is something to say.
    /// Ask each time, it changes; `None` when only time can bring something.
    #[must_use]
    pub fn wakes(&self) -> Option<BorrowedFd<'_>> {
        match self.schedule.ear() {
            Ear::Answers => Some(self.asker.answers(Question::Connections)),
            Ear::Events | Ear::EventsBehind if self.is_deaf => None,
            Ear::Events | Ear::EventsBehind => Some(self.events.as_fd()),
        }
    }

    /// The tick at which to call [`Conntrack::next`] even if nothing is readable.
    #[must_use]
    pub fn due(&self) -> Duration {
        self.schedule.due()
    }

    /// The receive buffer that was got for events, by the kernel's accounting.
    #[must_use]
    pub const fn receive_bytes(&self) -> u32 {
        self.receive_bytes
    }

    /// What became of messages and readings so far.
    #[must_use]
    pub const fn counts(&self) -> &ConntrackCounts {
        &self.counts
    }

    /// Begins a reading.
    fn ask(&mut self, tick: Duration) -> Option<Event<'static>> {
        self.discard_answers();
        match self.asker.ask(Question::Connections) {
            Ok(sequence) => {
                self.sequence = sequence;
                self.schedule.begun(tick);
                None
            }
            Err(_) => {
                self.schedule.cannot();
                self.counts.is_without_readings = true;
                Some(LOST_EVENTS)
            }
        }
    }

    /// Drops what is left of a reading that was given up: the kernel begins no other before its end.
    fn discard_answers(&mut self) {
        for _ in 0..STALE_DATAGRAMS_MAX {
            let received = self
                .asker
                .receive(Question::Connections, &mut self.datagram.bytes);
            if !matches!(received, Ok(Received::Datagram(_) | Received::Overrun)) {
                break;
            }
        }
    }

    /// What a message means, if it means anything here.
    fn hear(&mut self, said: Said, now: Timestamp) -> Option<Event<'static>> {
        match said {
            Said::Entry {
                sequence,
                occasion,
                entry,
            } => {
                let moment = self.moment(sequence, occasion, &entry)?;
                self.counts.entries += 1;
                Some(Event::Counters(entry.at(moment, now)))
            }
            Said::OtherTransport => {
                self.counts.entries_of_other_transports += 1;
                None
            }
            Said::Done {
                sequence,
                is_interrupted,
            } => {
                if sequence == self.sequence {
                    if is_interrupted {
                        self.schedule.spoil();
                    }
                    self.end_reading();
                }
                None
            }
            Said::Refused { sequence, code } => {
                if sequence == self.sequence {
                    self.counts.refused_with = Some(code);
                    self.break_reading();
                }
                None
            }
            Said::Overrun => {
                self.schedule.spoil();
                Some(self.overrun())
            }
            Said::Unreadable => {
                self.schedule.spoil();
                Some(Event::Lost {
                    count: 1,
                    why: Lost::CounterUnreadable,
                })
            }
        }
    }

    /// On what occasion the flow table is to hear of this entry; `None` if it is not.
    fn moment(&mut self, sequence: u32, occasion: Occasion, entry: &Entry) -> Option<Moment> {
        match occasion {
            Occasion::Made => Some(Moment::New),
            Occasion::Removed => Some(Moment::Over),
            // What is left of a reading that was given up.
            Occasion::Shown if sequence != self.sequence => None,
            Occasion::Shown if entry.status.is_dying() => {
                self.counts.entries_dying += 1;
                None
            }
            Occasion::Shown if self.schedule.was_whole() => Some(Moment::Ongoing),
            Occasion::Shown => Some(Moment::Before),
        }
    }

    fn end_reading(&mut self) {
        if !self.schedule.done() {
            self.counts.readings_broken += 1;
        }
    }

    fn break_reading(&mut self) {
        if self.schedule.ear() == Ear::Answers {
            self.schedule.broken();
            self.counts.readings_broken += 1;
        }
    }

    fn swept(&mut self) -> Event<'static> {
        self.counts.readings_whole += 1;
        Event::Swept
    }

    fn overrun(&mut self) -> Event<'static> {
        self.schedule.overrun();
        LOST_EVENTS
    }
}

// === impl Datagram ===

impl Datagram {
    fn empty() -> Self {
        Self {
            bytes: vec![0; DATAGRAM_BYTES].into_boxed_slice(),
            read_bytes: 0,
            length: 0,
        }
    }

    const fn filled(&mut self, length: usize) {
        self.read_bytes = 0;
        self.length = length;
    }

    fn next(&mut self) -> Option<Said> {
        let mut reading = Reading::new(&self.bytes[self.read_bytes..self.length]);
        let said = reading.next();
        self.read_bytes = self.length - reading.rest_bytes();
        said
    }
}

/// Datagrams of a reading that was given up which are passed over at once: 32 MiB, more than any
/// table fills.
const STALE_DATAGRAMS_MAX: u32 = 1_024;

/// How many is not known: once for each time.
const LOST_EVENTS: Event<'static> = Event::Lost {
    count: 1,
    why: Lost::CounterEvents,
};

/// `NFNLGRP_CONNTRACK_NEW`, group 1.
const GROUP_NEW: u32 = 1 << 0;
/// `NFNLGRP_CONNTRACK_DESTROY`, group 3.
const GROUP_DESTROY: u32 = 1 << 2;
