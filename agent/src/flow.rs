//! Flows: conversations between two ends, put together from packets.
//!
//! Takes [`Packet`]s with `handle_packet`, gives each [`Flow`] once, when it is over, by
//! `poll_expired`; `finish` ends those that are left. After every packet poll until there is nothing.
//!
//! Promises:
//! 1. Every packet handled is in exactly one flow: packets in = packets of the flows given and of
//!    those still held.
//! 2. Memory is bounded by [`FlowLimits`]; what a bound costs is counted as [`Shed`].
//! 3. Time is what the packets say. It may jump either way: `clock` decides what has passed, and only
//!    that ends idle flows.
//! 4. A name read from the flow itself is never overruled. DNS speaks only for the client it
//!    answered, only for a while, and only when it names the address once.

mod answers;
mod clock;
mod conversation;
mod hash;
mod key;
mod order;
mod tcp;

pub use key::Endpoint;

use crate::name::{NameStatus, Named};
use crate::packet::{MacAddr, Packet, Segment};
use crate::tally::{Tally, reasons};
use answers::Answers;
use clock::PacketClock;
use conversation::{Conversation, Phase};
use hash::SeededState;
use key::FlowKey;
use order::Order;
use phonehome_proto::net::Transport;
use phonehome_proto::observation::Service;
use phonehome_proto::time::Timestamp;
use std::collections::{HashMap, VecDeque};

/// A conversation that is over.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Who opened it, as far as can be told.
    pub client: Endpoint,
    /// Whom it was opened to.
    pub server: Endpoint,
    /// The client's station on the link, where the link layer has addresses. Behind a router it is
    /// the router's.
    pub client_mac: Option<MacAddr>,
    /// The server's station on the link, likewise.
    pub server_mac: Option<MacAddr>,
    /// The transport.
    pub transport: Transport,
    /// The VLAN it was seen in.
    pub vlan: Option<u16>,
    /// When its first packet was seen.
    pub start: Timestamp,
    /// When its last packet was seen.
    pub last: Timestamp,
    /// What the client sent.
    pub up: Volume,
    /// What the server sent.
    pub down: Volume,
    /// How long the server took to accept, if its handshake was seen whole.
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
    /// Packets; segmentation offload makes several into one before they are captured.
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
    /// Both sides closed it, or one broke it off, and nothing followed.
    Closed,
    /// Nothing was seen of it for as long as its transport keeps still.
    Idle,
    /// Its addresses and ports began another conversation.
    Reused,
    /// The table was full; what comes after is a flow of its own.
    Evicted,
    /// The capture ended.
    CaptureEnd,
}

/// The bounds of a table.
#[derive(Clone, Copy, Debug)]
pub struct FlowLimits {
    /// Conversations at a time; past it, the one silent for longest ends early.
    pub flows_max: u32,
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

/// What became of packets: `packets = packets_given + packets_held`.
#[derive(Clone, Debug, Default)]
pub struct FlowCounts {
    /// Packets handled.
    pub packets: u64,
    /// Packets of the flows given.
    pub packets_given: u64,
    /// Packets of the flows still held.
    pub packets_held: u64,
    /// Flows given.
    pub flows: u64,
    /// What bounds have cost.
    pub shed: Tally<Shed>,
}

/// All conversations that are going on.
pub struct FlowTable {
    limits: FlowLimits,
    clock: PacketClock,
    places: HashMap<FlowKey, u32, SeededState>,
    conversations: Vec<Option<Conversation>>,
    free: Vec<u32>,
    order: Order<{ Phase::COUNT }>,
    answers: Answers,
    hello_bytes: usize,
    ended: VecDeque<Flow>,
    is_finished: bool,
    counts: FlowCounts,
}

// === impl FlowLimits ===

impl FlowLimits {
    /// For reading files on an ordinary computer: below 100 MB when full.
    pub const FILE: Self = Self {
        flows_max: 131_072,
        hello_bytes_max: 16 << 20,
        answers_max: 65_536,
    };
}

// === impl FlowTable ===

impl FlowTable {
    /// An empty table. `seed` makes the places in it unpredictable to whoever sends packets.
    #[must_use]
    pub fn new(limits: FlowLimits, seed: u64) -> Self {
        let state = SeededState::new(seed);
        Self {
            limits,
            clock: PacketClock::new(),
            places: HashMap::with_hasher(state),
            conversations: Vec::new(),
            free: Vec::new(),
            order: Order::new(),
            answers: Answers::new(limits.answers_max, state),
            hello_bytes: 0,
            ended: VecDeque::new(),
            is_finished: false,
            counts: FlowCounts::default(),
        }
    }

    /// Adds a packet to its flow; `now` is when it was seen.
    pub fn handle_packet(&mut self, packet: &Packet<'_>, now: Timestamp) {
        assert!(
            self.ended.len() <= ENDED_MAX,
            "poll_expired was not called after every packet"
        );
        self.clock.advance(now);
        let stamp = self.clock.stamp();
        self.counts.packets += 1;
        self.counts.packets_held += 1;
        let (key, side) = FlowKey::of(packet);
        let place = self.place(key, packet);
        let conversation = self.conversations[place as usize]
            .as_mut()
            .expect("places are taken");
        let held_before = conversation.hello_bytes();
        let phase_before = conversation.phase();
        let turned = conversation.handle_packet(packet, side, stamp);
        if turned {
            conversation.infer(&self.answers, stamp);
        }
        self.hello_bytes = self.hello_bytes + conversation.hello_bytes() - held_before;
        if self.hello_bytes > self.limits.hello_bytes_max {
            self.hello_bytes -= conversation.hello_bytes();
            conversation.give_up_hello();
            self.counts.shed.add(Shed::HelloDropped, 1);
        }
        let phase = conversation.phase();
        // The packets of one flow come in bursts.
        if phase != phase_before || self.order.back(phase as usize) != Some(place) {
            self.order.remove(phase_before as usize, place);
            self.order.push(phase as usize, place);
        }
        if packet.source_port == DNS_PORT
            && let Some(message) = packet.dns()
        {
            self.answers
                .hear(packet.destination, &message, stamp, &mut self.counts.shed);
        }
    }

    /// The next flow that is over; `None` when there is none yet.
    pub fn poll_expired(&mut self) -> Option<Flow> {
        if let Some(flow) = self.ended.pop_front() {
            return Some(flow);
        }
        for phase in Phase::ALL {
            let Some(place) = self.order.front(phase as usize) else {
                continue;
            };
            if let Some(ended) = self.ending(place, phase) {
                self.end(place, ended);
                return self.ended.pop_front();
            }
        }
        None
    }

    /// What ends the conversation at this place now, if anything does.
    fn ending(&mut self, place: u32, phase: Phase) -> Option<Ended> {
        if self.is_finished {
            return Some(Ended::CaptureEnd);
        }
        let conversation = self.conversations[place as usize]
            .as_mut()
            .expect("places are taken");
        if conversation.last_tick() > self.clock.stamp() {
            // It was dated by a wild time; its silence counts from here.
            conversation.date(self.clock.passed());
        }
        let silent_nanos = self.clock.passed().since(conversation.last_tick());
        (silent_nanos >= phase.idle_nanos()).then(|| phase.ended())
    }

    /// Ends every flow; poll until there is nothing.
    pub fn finish(&mut self) {
        self.is_finished = true;
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn counts(&self) -> &FlowCounts {
        &self.counts
    }

    /// Where the conversation of a packet has its place; a new one where there is none, or where the
    /// one there is over.
    fn place(&mut self, key: FlowKey, packet: &Packet<'_>) -> u32 {
        let stamp = self.clock.stamp();
        if let Some(&place) = self.places.get(&key) {
            let conversation = self.conversations[place as usize]
                .as_ref()
                .expect("places are taken");
            match conversation.is_over_for(packet, stamp) {
                None => return place,
                Some(ended) => self.end(place, ended),
            }
        }
        if self.places.len() >= self.limits.flows_max as usize {
            self.evict();
        }
        let mut conversation = Conversation::open(key, packet, stamp);
        conversation.infer(&self.answers, stamp);
        let phase = conversation.phase();
        let place = if let Some(place) = self.free.pop() {
            self.conversations[place as usize] = Some(conversation);
            place
        } else {
            self.conversations.push(Some(conversation));
            u32::try_from(self.conversations.len() - 1).expect("flows_max is 32 bits wide")
        };
        self.places.insert(key, place);
        self.order.push(phase as usize, place);
        place
    }

    /// Makes room: the conversation silent for longest goes, those that matter least first.
    fn evict(&mut self) {
        let oldest = Phase::ALL
            .into_iter()
            .find_map(|phase| self.order.front(phase as usize));
        let Some(place) = oldest else { return };
        self.counts.shed.add(Shed::FlowEvicted, 1);
        self.end(place, Ended::Evicted);
    }

    fn end(&mut self, place: u32, ended: Ended) {
        let conversation = self.conversations[place as usize]
            .take()
            .expect("places are taken");
        self.hello_bytes -= conversation.hello_bytes();
        self.order.remove(conversation.phase() as usize, place);
        self.places.remove(&conversation.key());
        self.free.push(place);
        let flow = conversation.into_flow(ended, &self.answers);
        let packets = flow.up.packets + flow.down.packets;
        self.counts.packets_held -= packets;
        self.counts.packets_given += packets;
        self.counts.flows += 1;
        self.ended.push_back(flow);
    }
}

/// One packet ends two flows at most: the old one between its ends, and one to make room.
const ENDED_MAX: usize = 2;
const DNS_PORT: u16 = 53;

#[cfg(test)]
mod tests;
