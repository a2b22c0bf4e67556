//! The kernel's connections: from totals to differences.
//!
//! Takes what the kernel says of a connection, gives what it has counted since it last spoke of it.
//! Remembers of each connection its last totals, until the kernel says that it is over or has not
//! shown it in two whole readings. One reading may miss a connection that lives (the kernel walks a
//! table that changes meanwhile); were it forgotten at once, its next totals would count twice.
//!
//! Rules:
//! - Unknown and [`Moment::Before`]: what it counted is from before and is left out, until the kernel
//!   announces that it is new after all. That holds for whoever's it is: the home's networks may not be
//!   known yet.
//! - Unknown otherwise: all it has counted is new.
//! - Less than the last total, either way: somebody set the counters back, both ways at once. What
//!   they show now came since, and is all that is certain. Whoever does that does it to all
//!   connections and again soon, and where the counters have grown past the last total meanwhile
//!   nothing shows it; so for the rest of the day every account is a lower bound.
//! - In a flow table, or perhaps: what it forwards may be missing, until the counters of that
//!   connection prove otherwise. Where a table is known that does not count, that is every connection,
//!   because the kernel's mark is gone when one ends; likewise once the mark was seen and no table is
//!   known that could explain it.
//! - Another pair of ends under a known number: another connection.

use super::account::KernelFacts;
use super::{ConnectionKey, Counted, Counters, Moment, Offload, Unapplied};
use crate::hash::SeededState;
use std::collections::HashMap;

/// The last totals of every connection.
pub(super) struct Connections {
    connections_max: usize,
    known: HashMap<ConnectionKey, Known, SeededState>,
    /// Somebody sets counters back; since the last cut.
    is_reset: bool,
    /// What is known of flow tables.
    offload: Offload,
    /// The kernel's mark was seen while none was known.
    is_offload_seen: bool,
    /// Connections from before the agent began found no room: nobody can tell them from new ones.
    has_refused_earlier: bool,
}

struct Known {
    totals: [Counted; 2],
    /// A hash of its two ends.
    ends: u32,
    /// Packets counted between two readings that both found it in a flow table.
    offloaded_packets: u32,
    facts: KernelFacts,
    was_offloaded: bool,
    /// Nothing was added yet.
    is_fresh: bool,
    /// It may be from before the agent began, whatever the kernel says.
    is_doubtful: bool,
    /// The kernel announced its beginning.
    is_announced: bool,
    /// How many whole readings have ended since the kernel last spoke of it.
    silent_readings: u8,
}

// There may be as many as the kernel tracks.
const _: () = assert!(size_of::<(ConnectionKey, Known)>() <= 56);

/// What a connection has counted since the kernel last spoke of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Along both paths; `None` where nothing can be said of it.
    pub(super) counted: Option<[Counted; 2]>,
    /// What is to be marked on the flow.
    pub(super) facts: KernelFacts,
}

// === impl Connections ===

impl Connections {
    pub(super) fn new(connections_max: usize, state: SeededState) -> Self {
        Self {
            connections_max,
            known: HashMap::with_hasher(state),
            is_reset: false,
            offload: Offload::None,
            is_offload_seen: false,
            has_refused_earlier: false,
        }
    }

    /// Says what is known of flow tables from now on.
    pub(super) const fn expect(&mut self, offload: Offload) {
        self.offload = offload;
    }

    /// The difference to what was said before; `ends` is a hash of the connection's two ends.
    pub(super) fn read(&mut self, counters: &Counters, ends: u32) -> Result<Difference, Unapplied> {
        let key = counters.key;
        if self.known.get(&key).is_some_and(|known| known.ends != ends) {
            self.known.remove(&key);
        }
        self.is_offload_seen |= self.offload == Offload::None && is_offloaded(counters);
        let may_be_offloaded = match self.offload {
            Offload::None => self.is_offload_seen,
            Offload::Counting => false,
            Offload::NotCounting => true,
        };
        let has_room = self.known.len() < self.connections_max;
        let unknown = || Known::new(ends, self.has_refused_earlier);
        let mut difference = if counters.moment == Moment::Over {
            let known = self.known.remove(&key);
            known
                .unwrap_or_else(unknown)
                .read(counters, may_be_offloaded)
        } else if has_room || self.known.contains_key(&key) {
            let known = self.known.entry(key);
            let known = known.or_insert_with(unknown);
            known.read(counters, may_be_offloaded)
        } else {
            self.has_refused_earlier |= counters.moment == Moment::Before;
            return Err(Unapplied::TooMany);
        };
        self.is_reset |= difference.facts.has(KernelFacts::RESET);
        if self.is_reset {
            difference.facts.set(KernelFacts::RESET);
        }
        Ok(difference)
    }

    /// The kernel speaks of a connection of which nobody can tell whose it is: one that is known goes on,
    /// and what it has counted meanwhile is left out for good, or it would be new later on. One from
    /// before the agent began becomes known, for the same reason.
    pub(super) fn pass_over(&mut self, counters: &Counters, ends: u32) {
        let known = self.known.get(&counters.key);
        let is_known = known.is_some_and(|known| known.ends == ends);
        if counters.moment == Moment::Over {
            self.known.remove(&counters.key);
        } else if counters.moment == Moment::Before && !is_known {
            // A refusal is remembered: it makes others doubtful.
            let _ = self.read(counters, ends);
        } else if let Some(known) = self.known.get_mut(&counters.key).filter(|_| is_known) {
            known.silent_readings = 0;
            if let Some(totals) = counters.counted.filter(|totals| *totals != known.totals) {
                known.totals = totals;
                known.facts.set(KernelFacts::GAP);
            }
        }
    }

    /// Connections that are remembered.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether the kernel has spoken of a connection since the last whole reading.
    pub(super) fn is_shown(&self, key: ConnectionKey) -> bool {
        self.known
            .get(&key)
            .is_some_and(|known| known.silent_readings == 0)
    }

    /// A day is over: that a connection is older than the agent is no matter from now on, nor what was
    /// left out of it.
    pub(super) fn cut(&mut self) {
        self.is_reset = false;
        for known in self.known.values_mut() {
            known.facts.clear(KernelFacts::EARLIER);
            known.facts.clear(KernelFacts::GAP);
            known.is_fresh = false;
        }
    }

    /// A whole reading is over: what two of them have not shown is gone.
    pub(super) fn sweep(&mut self) {
        self.known.retain(|_, known| {
            known.silent_readings += 1;
            known.silent_readings < SILENT_READINGS
        });
    }
}

// === impl Known ===

impl Known {
    const fn new(ends: u32, is_doubtful: bool) -> Self {
        Self {
            totals: [Counted {
                packets: 0,
                bytes: 0,
            }; 2],
            ends,
            offloaded_packets: 0,
            facts: KernelFacts::NONE,
            was_offloaded: false,
            is_fresh: true,
            is_doubtful,
            is_announced: false,
            silent_readings: 0,
        }
    }

    fn read(&mut self, counters: &Counters, may_be_offloaded: bool) -> Difference {
        self.silent_readings = 0;
        if may_be_offloaded {
            self.facts.set(KernelFacts::OFFLOADED);
        }
        if counters.moment == Moment::New {
            return self.announce();
        }
        let Some(totals) = counters.counted else {
            return Difference {
                counted: None,
                facts: KernelFacts::UNCOUNTED,
            };
        };
        let may_be_earlier = counters.moment == Moment::Before || self.is_doubtful;
        if may_be_earlier && self.is_fresh && !self.is_announced {
            self.is_doubtful = false;
            self.totals = totals;
            self.facts.set(KernelFacts::EARLIER);
            self.note_offload(counters, 0);
            return Difference {
                counted: None,
                facts: self.facts,
            };
        }
        self.is_fresh = false;
        let grown = growth(self.totals, totals);
        let mut facts = KernelFacts::NONE;
        let counted = grown.unwrap_or_else(|| {
            facts.set(KernelFacts::RESET);
            totals
        });
        self.totals = totals;
        self.note_offload(
            counters,
            counted[0].packets.saturating_add(counted[1].packets),
        );
        facts.set(self.facts);
        Difference {
            counted: Some(counted),
            facts,
        }
    }

    /// It has just begun: what a reading showed of it already was not from before.
    fn announce(&mut self) -> Difference {
        let was_left_out = self.facts.has(KernelFacts::EARLIER) && self.is_fresh;
        self.is_announced = true;
        if was_left_out {
            self.is_fresh = false;
            self.facts.clear(KernelFacts::EARLIER);
        }
        Difference {
            counted: was_left_out.then_some(self.totals),
            facts: self.facts,
        }
    }

    fn note_offload(&mut self, counters: &Counters, packets: u64) {
        let is_in_hardware = counters.status.is_hardware_offloaded();
        let is_offloaded = is_offloaded(counters);
        if is_offloaded && self.was_offloaded {
            let packets = u32::try_from(packets).unwrap_or(u32::MAX);
            self.offloaded_packets = self.offloaded_packets.saturating_add(packets);
        }
        self.was_offloaded = is_offloaded;
        if is_offloaded {
            self.facts.set(KernelFacts::OFFLOADED);
        }
        if is_in_hardware {
            self.facts.set(KernelFacts::HARDWARE);
        }
        if self.offloaded_packets >= OFFLOADED_PACKETS_MIN {
            self.facts.set(KernelFacts::OFFLOAD_COUNTED);
        }
    }
}

const fn is_offloaded(counters: &Counters) -> bool {
    counters.status.is_offloaded() || counters.status.is_hardware_offloaded()
}

/// What was counted from one total to the next; `None` when one of the four numbers went back.
fn growth(before: [Counted; 2], now: [Counted; 2]) -> Option<[Counted; 2]> {
    let grown = |side: usize| {
        Some(Counted {
            packets: now[side].packets.checked_sub(before[side].packets)?,
            bytes: now[side].bytes.checked_sub(before[side].bytes)?,
        })
    };
    Some([grown(0)?, grown(1)?])
}

/// Whole readings without a word of a connection until it is forgotten: the one that last showed it,
/// the one that missed it, and one more.
const SILENT_READINGS: u8 = 3;

/// A flow table without counters still leaves a few packets to the usual path, which counts them:
/// fragments, the end of a connection, what comes while it is taken out and put back. So many are
/// no few any more.
const OFFLOADED_PACKETS_MIN: u32 = 64;
