//! All conversations that are going on.

mod check;
mod counters;
mod endings;

use super::answers::Answers;
use super::clock::{PacketClock, Tick};
use super::connections::Connections;
use super::conversation::Conversation;
use super::order::Order;
use super::phase::Phase;
use super::recent::Recent;
use super::stations::Stations;
use super::{Flow, FlowCounts, FlowLimits, Packet, Shed, Timestamp, moved};
use crate::hash::SeededState;
use crate::packet::key::{FlowKey, Side};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

/// All conversations that are going on.
pub struct FlowTable {
    limits: FlowLimits,
    clock: PacketClock,
    places: HashMap<FlowKey, u32, SeededState>,
    /// Where to look before asking `places`.
    recent: Recent,
    conversations: Vec<Option<Conversation>>,
    free: Vec<u32>,
    order: Order<{ Phase::COUNT }>,
    answers: Answers,
    stations: Stations,
    connections: Connections,
    state: SeededState,
    hello_bytes: usize,
    /// How often frames have been lost.
    losses: u32,
    /// Nothing is dated earlier: the days before are told.
    told_until: Timestamp,
    /// The place from which on conversations are still to be cut.
    cutting: Option<u32>,
    /// Before so much has passed no conversation ends by keeping still, unless others come to the front
    /// or time steps back; `None` where that is to be found out.
    still_until: Option<Tick>,
    ended: VecDeque<Flow>,
    is_finished: bool,
    counts: FlowCounts,
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
            recent: Recent::new(),
            conversations: Vec::new(),
            free: Vec::new(),
            order: Order::new(),
            answers: Answers::new(limits.answers_max, state),
            stations: Stations::new(state),
            connections: Connections::new(limits.connections_max, state),
            state,
            hello_bytes: 0,
            losses: 0,
            told_until: Timestamp::from_nanos(i64::MIN),
            cutting: None,
            still_until: None,
            ended: VecDeque::new(),
            is_finished: false,
            counts: FlowCounts::default(),
        }
    }

    /// Adds a packet to its flow.
    ///
    /// `now` only tells what has passed: a router gives the time since it booted, which nobody sets; a
    /// file gives the packet's own. The flow is dated by the packet.
    #[inline]
    pub fn handle_packet(&mut self, packet: &Packet<'_>, now: Timestamp) {
        self.handle_keyed(packet, FlowKey::of(packet), now);
    }

    /// The same, where the packet's flow, and the end that sent it, are known already.
    pub fn handle_keyed(
        &mut self,
        packet: &Packet<'_>,
        (key, side): (FlowKey, Side),
        now: Timestamp,
    ) {
        self.begin(now);
        let stamp = self.clock.stamp();
        let wire_packets = u64::from(packet.wire_packets);
        self.counts.packets += wire_packets;
        self.counts.packets_held += wire_packets;
        let place = self.place(key, side, packet);
        let time = packet.time.max(self.told_until);
        let conversation = self.conversations[place as usize]
            .as_mut()
            .expect("places are taken");
        let held_before = conversation.hello_bytes();
        let phase_before = conversation.phase();
        // The kernel may have spoken of it before the tap's frames were handed over, and an answer with
        // the server's address among them.
        let was_only_counted = conversation.is_only_counted();
        let turned = conversation.handle_packet(packet, side, time, stamp);
        if turned || was_only_counted {
            let mac = conversation.client_mac();
            conversation.infer(&self.answers, &self.stations, mac, stamp);
        }
        self.hello_bytes = self.hello_bytes + conversation.hello_bytes() - held_before;
        if self.hello_bytes > self.limits.hello_bytes_max {
            self.hello_bytes -= conversation.hello_bytes();
            conversation.give_up_hello();
            self.counts.shed.add(Shed::HelloDropped, 1);
        }
        self.move_up(place, phase_before);
        if packet.source_port == DNS_PORT
            && let Some(message) = packet.dns()
        {
            self.answers
                .hear(packet.destination, &message, stamp, &mut self.counts.shed);
        }
    }

    /// Nothing was seen: time passes all the same.
    pub fn handle_idle(&mut self, now: Timestamp) {
        self.begin(now);
    }

    /// Frames were lost, nobody knows whose: what is going on may have had some of them.
    pub const fn handle_loss(&mut self) {
        self.losses = self.losses.wrapping_add(1);
    }

    /// The clock was wrong by so much: moves everything that it has dated. What has passed is told by
    /// another clock and stays.
    pub fn redate(&mut self, delta_nanos: i64) {
        self.told_until = moved(self.told_until, delta_nanos);
        for flow in &mut self.ended {
            flow.redate(delta_nanos);
        }
        for conversation in self.conversations.iter_mut().flatten() {
            conversation.redate(delta_nanos);
        }
    }

    /// What became of packets and counters so far.
    #[must_use]
    pub const fn counts(&self) -> &FlowCounts {
        &self.counts
    }

    /// Conversations that are going on.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nothing is going on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn begin(&mut self, now: Timestamp) {
        assert!(
            self.ended.len() <= ENDED_MAX && self.cutting.is_none(),
            "poll_expired was not called until there was nothing"
        );
        let stamp_before = self.clock.stamp();
        self.clock.advance(now);
        if self.clock.stamp() < stamp_before {
            self.still_until = None;
        }
    }

    /// Where the conversation of a packet has its place; a new one where there is none, or where the
    /// one there is over.
    fn place(&mut self, key: FlowKey, side: Side, packet: &Packet<'_>) -> u32 {
        let stamp = self.clock.stamp();
        if let Some(place) = self.find(&key) {
            let conversation = self.conversation_mut(place);
            match conversation.is_over_for(packet, side, stamp) {
                None => return place,
                Some(ended) => self.end(place, ended),
            }
        }
        let link = packet.link;
        self.stations.see(link.source, packet.source, stamp);
        self.stations
            .see(link.destination, packet.destination, stamp);
        let mut conversation = Conversation::open((key, side), packet, stamp, self.losses);
        let is_sent_by_client = conversation.client() == side;
        let mac = if is_sent_by_client {
            link.source
        } else {
            link.destination
        };
        conversation.infer(&self.answers, &self.stations, mac, stamp);
        self.take_place(key, conversation)
    }

    /// Where the conversation of this key has its place, if there is one.
    #[inline]
    fn find(&mut self, key: &FlowKey) -> Option<u32> {
        let hash = self.state.hash_one(key);
        let guess = self.recent.guess(hash);
        if let Some(Some(conversation)) = self.conversations.get(guess as usize)
            && conversation.key() == *key
        {
            return Some(guess);
        }
        let place = *self.places.get(key)?;
        self.recent.note(hash, place);
        Some(place)
    }

    fn take_place(&mut self, key: FlowKey, conversation: Conversation) -> u32 {
        if self.places.len() >= self.limits.flows_max as usize {
            self.evict();
        }
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

    /// Puts a conversation that was just heard of behind all others of its phase.
    #[inline]
    fn move_up(&mut self, place: u32, phase_before: Phase) {
        let phase = self.conversation_mut(place).phase();
        if phase != phase_before || self.order.back(phase as usize) != Some(place) {
            self.order.remove(phase_before as usize, place);
            self.order.push(phase as usize, place);
        }
    }

    fn conversation_mut(&mut self, place: u32) -> &mut Conversation {
        self.conversations[place as usize]
            .as_mut()
            .expect("places are taken")
    }
}

/// One packet ends two flows at most: the old one between its ends, and one to make room.
const ENDED_MAX: usize = 2;
const DNS_PORT: u16 = 53;
