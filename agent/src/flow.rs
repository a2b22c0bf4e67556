//! Flows: conversations between two ends, put together from packets and from the kernel's counters.
//!
//! Takes [`Packet`]s with `handle_packet` and the kernel's [`Counters`] with `handle_counters`, gives
//! each [`Flow`] once, when it is over, by `poll_expired`; `finish` ends those that are left, and
//! `cut` gives what was counted of each by the end of a day. After every call poll until there is
//! nothing.
//!
//! Promises:
//! 1. Every packet handled is in exactly one flow: packets in = packets of the flows given and of
//!    those still held. The same holds for the bytes that the kernel counted.
//! 2. The two accounts of a flow, what the tap saw and what the kernel counted, are never added.
//! 3. Memory is bounded by [`FlowLimits`]; what a bound costs is counted as [`Shed`] or
//!    [`Unapplied`].
//! 4. What ends things is time passed, on a clock of its own: `clock` decides, also where time jumps
//!    either way. What dates things is the time a packet or a counter carries.
//! 5. A name read from the flow itself is never overruled. DNS speaks only for the client it
//!    answered, only for a while, and only when it names the address once.

mod account;
mod answers;
mod client;
mod clock;
mod connections;
mod conversation;
mod kernel;
mod order;
mod phase;
mod recent;
mod segments;
mod stations;
mod table;
mod tcp;

pub use crate::packet::key::Endpoint;
pub use account::{KernelAccount, KernelFacts};
pub use segments::Segments;
pub use table::FlowTable;

use crate::capture::{ConnectionKey, Counted, Counters, LanView, Moment, Offload, Way};
use crate::name::{NameStatus, Named};
use crate::packet::{MacAddr, Packet, Segment};
use crate::tally::{Tally, reasons};
use phonehome_proto::net::Transport;
use phonehome_proto::observation::Service;
use phonehome_proto::time::Timestamp;
use std::net::IpAddr;

/// A conversation that is over, or one day's part of a longer one.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Who opened it, as far as can be told.
    pub client: Endpoint,
    /// Whom it was opened to.
    pub server: Endpoint,
    /// Who answers in the server's place, where the kernel sends it elsewhere.
    pub peer: Option<IpAddr>,
    /// Whether somebody in the home answers in the server's place: where the server is says nothing.
    pub is_intercepted: bool,
    /// The client's station on the link, where the link layer has addresses. Behind a router it is
    /// the router's.
    pub client_mac: Option<MacAddr>,
    /// The server's station on the link, likewise.
    pub server_mac: Option<MacAddr>,
    /// The transport.
    pub transport: Transport,
    /// The VLAN it was seen in.
    pub vlan: Option<u16>,
    /// When its first packet was seen, or the kernel first counted something of it; of a later day's
    /// part the first of that day.
    pub start: Timestamp,
    /// When its last packet was seen, or the kernel last spoke of it.
    pub last: Timestamp,
    /// What the client sent, as far as the tap saw it.
    pub up: Volume,
    /// What the server sent, as far as the tap saw it.
    pub down: Volume,
    /// Whether frames were lost while it was going on, of which some may have been its own.
    pub has_tap_gap: bool,
    /// What the kernel counted, where it keeps an account. It counts the same packets once more:
    /// whoever adds the two counts twice.
    pub kernel: Option<KernelAccount>,
    /// How its bytes are cut up, where it is TCP and both sides' opening was seen.
    pub segments: Option<Segments>,
    /// How long the server took to accept, if its handshake was seen whole. Of a flow given in parts,
    /// the first has it.
    pub rtt: Option<Rtt>,
    /// What it spoke.
    pub service: Service,
    /// What it is called, and how well that is known. A DNS flow is called nothing: the names in it
    /// are of other flows.
    pub named: Named,
    /// What ended it.
    pub ended: Ended,
}

/// Packets and bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets; of those that the kernel merged it mostly says how many they were.
    pub packets: u64,
    /// Bytes of IP packets, headers included.
    pub bytes: u64,
}

/// Round-trip time between the point of capture and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtt {
    /// The shortest measured, from SYN to SYN-ACK.
    pub nanos_min: u64,
    /// From how many handshakes.
    pub samples: u32,
}

/// What ended a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Both sides closed it, or one broke it off, or the kernel dropped it, and nothing followed.
    Closed,
    /// Nothing was seen of it for as long as its transport keeps still.
    Idle,
    /// Its addresses and ports began another conversation.
    Reused,
    /// The table was full; what comes after is a flow of its own.
    Evicted,
    /// Nothing but the day: what comes after is the next day's part.
    DayOver,
    /// The capture ended.
    CaptureEnd,
}

/// The bounds of a table.
#[derive(Clone, Copy, Debug)]
pub struct FlowLimits {
    /// Conversations at a time; past it, the one silent for longest ends early.
    pub flows_max: u32,
    /// Connections of the kernel whose last counts are remembered; past it, a further one is counted
    /// only once another is over.
    pub connections_max: usize,
    /// Bytes of unfinished hellos in all conversations together; past it, a hello is given up.
    pub hello_bytes_max: usize,
    /// Pairs of client and server address that DNS answers are kept for; past it, the oldest goes.
    pub answers_max: usize,
}

reasons! {
    /// What a bound has cost.
    pub enum Shed {
        /// A flow was cut in two, because the table was full.
        FlowEvicted = "flow_evicted",
        /// A hello was given up, because hellos held too many bytes.
        HelloDropped = "hello_dropped",
        /// A DNS answer was forgotten early, because there were too many.
        AnswerEvicted = "answer_evicted",
        /// A DNS answer named an address that already had as many names as are told apart.
        NameCrowded = "name_crowded",
    }
}

reasons! {
    /// Why counters changed no account.
    pub enum Unapplied {
        /// The kernel keeps no account of the connection.
        Uncounted = "uncounted",
        /// More connections than are remembered; nothing is lost if it is still there later.
        TooMany = "too_many_connections",
        /// The same ends have another account in another zone, which counts the same packets.
        OtherZone = "other_zone",
    }
}

/// What became of packets and of counters, at any time:
///
/// - `packets = packets_given + packets_held`
/// - `counters = counters_applied + unapplied.total()`
/// - `kernel_bytes = kernel_bytes_given + kernel_bytes_held`
#[derive(Clone, Debug, Default)]
pub struct FlowCounts {
    /// Packets handled, each as many as it was on the wire.
    pub packets: u64,
    /// Packets of the flows given.
    pub packets_given: u64,
    /// Packets of the flows still held.
    pub packets_held: u64,
    /// Flows given; the parts of one count each.
    pub flows: u64,
    /// Counters handled.
    pub counters: u64,
    /// Counters whose difference, be it nothing, went into an account.
    pub counters_applied: u64,
    /// Counters that went nowhere.
    pub unapplied: Tally<Unapplied>,
    /// Bytes that the counters applied came to, both ways.
    pub kernel_bytes: u64,
    /// Those of the flows given.
    pub kernel_bytes_given: u64,
    /// Those of the flows still held.
    pub kernel_bytes_held: u64,
    /// What bounds have cost.
    pub shed: Tally<Shed>,
}

// === impl Flow ===

impl Flow {
    /// What was on the wire at least, of what was counted of it where segments may be merged.
    #[must_use]
    pub fn on_wire(&self, counted: Volume) -> Volume {
        self.segments
            .map_or(counted, |segments| segments.on_wire(counted))
    }

    /// Moves its times by what the clock was wrong.
    const fn redate(&mut self, delta_nanos: i64) {
        self.start = moved(self.start, delta_nanos);
        self.last = moved(self.last, delta_nanos);
    }
}

// === impl Volume ===

impl Volume {
    const NOTHING: Self = Self {
        packets: 0,
        bytes: 0,
    };

    const fn add(&mut self, counted: Counted) {
        self.packets = self.packets.saturating_add(counted.packets);
        self.bytes = self.bytes.saturating_add(counted.bytes);
    }

    const fn is_nothing(&self) -> bool {
        self.packets == 0 && self.bytes == 0
    }
}

// === impl FlowLimits ===

impl FlowLimits {
    /// For reading files on an ordinary computer: below 100 MB when full. Files hold no counters.
    pub const FILE: Self = Self {
        flows_max: 131_072,
        connections_max: 0,
        hello_bytes_max: 16 << 20,
        answers_max: 65_536,
    };

    /// For a router: some 800 bytes a flow with all that belongs to it, so below 7 MB when full. Small
    /// routers track 16,384 connections at most.
    pub const ROUTER: Self = Self {
        flows_max: 8_192,
        connections_max: 16_384,
        hello_bytes_max: 512 << 10,
        answers_max: 4_096,
    };
}

/// A time moved by what its clock was wrong.
const fn moved(time: Timestamp, delta_nanos: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_add(delta_nanos))
}

#[cfg(test)]
mod tests;
