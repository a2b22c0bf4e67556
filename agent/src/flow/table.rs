//! All conversations that are going on.

mod check;

use super::answers::Answers;
use super::clock::PacketClock;
use super::connections::{Connections, Difference};
use super::conversation::{Conversation, Surroundings};
use super::kernel::Relation;
use super::key::{FlowKey, Side};
use super::order::Order;
use super::phase::Phase;
use super::stations::Stations;
use super::{
    Counters, Ended, Flow, FlowCounts, FlowLimits, LanView, Moment, Offload, Packet, Shed,
    Timestamp, Unapplied, Way, moved,
};
use crate::hash::SeededState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

/// All conversations that are going on.
pub struct FlowTable {
    limits: FlowLimits,
    clock: PacketClock,
    places: HashMap<FlowKey, u32, SeededState>,
    /// Where the last packet's conversation has its place: the packets of one flow come in bursts.
    latest: Option<(FlowKey, u32)>,
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
            latest: None,
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
            ended: VecDeque::new(),
            is_finished: false,
            counts: FlowCounts::default(),
        }
    }

    /// Adds a packet to its flow.
    ///
    /// `now` only tells what has passed: a router gives the time since it booted, which nobody sets; a
    /// file gives the packet's own. The flow is dated by the packet.
    pub fn handle_packet(&mut self, packet: &Packet<'_>, now: Timestamp) {
        self.begin(now);
        let stamp = self.clock.stamp();
        let wire_packets = u64::from(packet.wire_packets);
        self.counts.packets += wire_packets;
        self.counts.packets_held += wire_packets;
        let (key, side) = FlowKey::of(packet);
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

    /// Adds what the kernel has counted of a connection since it last spoke of it to the flow between
    /// the same ends; `view` is that connection as the home sees it. A connection that nobody saw a
    /// packet of becomes a flow too; DNS may know its name.
    ///
    /// `now` tells what has passed, as in [`FlowTable::handle_packet`].
    pub fn handle_counters(&mut self, counters: &Counters, view: &LanView, now: Timestamp) {
        self.begin(now);
        self.counts.counters += 1;
        let (key, home) = FlowKey::of_view(view, counters.transport);
        let ends = self.ends(counters);
        let applied = self
            .connections
            .read(counters, ends)
            .and_then(|difference| self.apply(key, home, counters, view, difference));
        match applied {
            Ok(()) => self.counts.counters_applied += 1,
            Err(why) => self.counts.unapplied.add(why, 1),
        }
    }

    /// The kernel speaks of a connection that joins no device with the outside, as far as can be told
    /// now: what was known of it stays known, and what it had counted before the agent began is learned,
    /// so that nothing of it is added twice, or wrongly, once its network is there.
    pub fn pass_over(&mut self, counters: &Counters) {
        let ends = self.ends(counters);
        self.connections.pass_over(counters, ends);
    }

    /// Says what is known of this machine's flow tables from now on.
    pub const fn expect(&mut self, offload: Offload) {
        self.connections.expect(offload);
    }

    /// A whole reading of the kernel's table is over: a connection it has not shown is gone, and so is
    /// what it counted last.
    pub fn handle_sweep(&mut self, now: Timestamp) {
        self.begin(now);
        for place in 0..self.conversations.len() {
            let Some(conversation) = &mut self.conversations[place] else {
                continue;
            };
            let is_gone = |key| !self.connections.is_shown(key);
            if conversation.tracked().is_some_and(is_gone) {
                let phase_before = conversation.phase();
                conversation.lose_track();
                let place = u32::try_from(place).expect("flows_max is 32 bits wide");
                self.move_up(place, phase_before);
            }
        }
        self.connections.sweep();
    }

    /// Nothing was seen: time passes all the same.
    pub fn handle_idle(&mut self, now: Timestamp) {
        self.begin(now);
    }

    /// Frames were lost, nobody knows whose: what is going on may have had some of them.
    pub const fn handle_loss(&mut self) {
        self.losses = self.losses.wrapping_add(1);
    }

    /// A day is over: gives, by [`FlowTable::poll_expired`], what was counted of each conversation
    /// since it began or since the last cut, as [`Ended::DayOver`]. The conversation goes on with what
    /// is known of it, counts from nothing and gives no round trip again. What comes later is dated
    /// no earlier than `midnight`, however late its frame or set back its clock.
    pub fn cut(&mut self, midnight: Timestamp) {
        self.connections.cut();
        self.cut_within_day(midnight);
    }

    /// The same in the middle of a day: what the kernel's counters are worth on it stays as it was.
    pub fn cut_within_day(&mut self, now: Timestamp) {
        self.told_until = self.told_until.max(now);
        self.cutting = Some(0);
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

    /// The next flow that is over; `None` when there is none yet.
    pub fn poll_expired(&mut self) -> Option<Flow> {
        if let Some(flow) = self.ended.pop_front() {
            return Some(flow);
        }
        if self.cutting.is_some()
            && let Some(flow) = self.cut_next()
        {
            return Some(flow);
        }
        // One that ends may have nothing left to give.
        while let Some((place, ended)) = self.next_ending() {
            self.end(place, ended);
            if let Some(flow) = self.ended.pop_front() {
                return Some(flow);
            }
        }
        None
    }

    /// Ends every flow; poll until there is nothing.
    pub const fn finish(&mut self) {
        self.is_finished = true;
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
        self.clock.advance(now);
    }

    /// A hash of a connection's two ends; never 64 bits wide where there are many.
    fn ends(&self, counters: &Counters) -> u32 {
        let opening = FlowKey::of_opening(counters);
        let [.., a, b, c, d] = self.state.hash_one(opening).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Adds a difference to the conversation it belongs to.
    fn apply(
        &mut self,
        key: FlowKey,
        home: Side,
        counters: &Counters,
        view: &LanView,
        difference: Difference,
    ) -> Result<(), Unapplied> {
        let counted = difference.counted.map(|[original, reply]| match view.up {
            Way::Original => [original, reply],
            Way::Reply => [reply, original],
        });
        let is_uncounted = counters.counted.is_none() && counters.moment != Moment::New;
        let outcome = if is_uncounted {
            Err(Unapplied::Uncounted)
        } else {
            Ok(())
        };
        let bytes = counted.map_or(0, |[up, down]| up.bytes.saturating_add(down.bytes));
        let relation = self.relation(&key, counters);
        let place = match relation {
            Some((place, Relation::OtherZone)) => {
                self.conversation_mut(place).note_other_zone();
                return Err(Unapplied::OtherZone);
            }
            Some((place, Relation::Own | Relation::Before)) => place,
            Some((place, Relation::After)) => {
                self.end(place, Ended::Reused);
                if bytes == 0 {
                    return outcome;
                }
                self.open_tracked(key, home, counters, view)
            }
            // A connection of which nothing is known and nothing was counted can wait.
            None if bytes == 0 => return outcome,
            None => self.open_tracked(key, home, counters, view),
        };
        let (stamp, time) = (self.clock.stamp(), counters.time.max(self.told_until));
        let conversation = self.conversations[place as usize]
            .as_mut()
            .expect("places are taken");
        let phase_before = conversation.phase();
        let is_late = matches!(relation, Some((_, Relation::Before)));
        if !is_late && conversation.attach(counters, view, home) {
            let mac = conversation.client_mac();
            conversation.infer(&self.answers, &self.stations, mac, stamp);
        }
        conversation.handle_counted(counted, difference.facts, home, time, stamp);
        self.counts.kernel_bytes += bytes;
        self.counts.kernel_bytes_held += bytes;
        self.move_up(place, phase_before);
        outcome
    }

    /// The conversation between the ends of a connection, and how the two relate.
    fn relation(&self, key: &FlowKey, counters: &Counters) -> Option<(u32, Relation)> {
        let place = *self.places.get(key)?;
        let conversation = self.conversations[place as usize].as_ref()?;
        Some((place, conversation.relation(counters)))
    }

    /// What ends the conversation whose turn it is, if anything does.
    fn next_ending(&mut self) -> Option<(u32, Ended)> {
        let (passed, stamp) = (self.clock.passed(), self.clock.stamp());
        for phase in Phase::ALL {
            let Some(place) = self.order.front(phase as usize) else {
                continue;
            };
            if self.is_finished {
                return Some((place, Ended::CaptureEnd));
            }
            let conversation = self.conversation_mut(place);
            if conversation.last_tick() > stamp {
                // It was dated by a wild time; its silence counts from here.
                conversation.date(passed);
            }
            if passed.since(conversation.last_tick()) >= phase.idle_nanos() {
                return Some((place, phase.ended()));
            }
        }
        None
    }

    /// The next conversation of a cut that has anything to give.
    fn cut_next(&mut self) -> Option<Flow> {
        let mut place = self.cutting?;
        let around = Surroundings {
            answers: &self.answers,
            stations: &self.stations,
            losses: self.losses,
        };
        while let Some(slot) = self.conversations.get_mut(place as usize) {
            place += 1;
            let Some(conversation) = slot else { continue };
            let (packets, kernel_bytes) = conversation.counted();
            if let Some(flow) = conversation.cut(around) {
                self.cutting = Some(place);
                self.counts.give(packets, kernel_bytes);
                return Some(flow);
            }
        }
        self.cutting = None;
        None
    }

    /// Where the conversation of a packet has its place; a new one where there is none, or where the
    /// one there is over.
    fn place(&mut self, key: FlowKey, side: Side, packet: &Packet<'_>) -> u32 {
        let stamp = self.clock.stamp();
        let known = match self.latest {
            Some((latest, place)) if latest == key => Some(place),
            _ => self.places.get(&key).copied(),
        };
        if let Some(place) = known {
            let conversation = self.conversation_mut(place);
            match conversation.is_over_for(packet, side, stamp) {
                None => {
                    self.latest = Some((key, place));
                    return place;
                }
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

    fn open_tracked(
        &mut self,
        key: FlowKey,
        home: Side,
        counters: &Counters,
        view: &LanView,
    ) -> u32 {
        let (stamp, time) = (self.clock.stamp(), counters.time.max(self.told_until));
        let mut conversation =
            Conversation::open_tracked(key, view, home, time, stamp, self.losses);
        conversation.infer(&self.answers, &self.stations, None, stamp);
        self.take_place(key, conversation)
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
        self.latest = None;
        self.free.push(place);
        let (packets, kernel_bytes) = conversation.counted();
        let around = Surroundings {
            answers: &self.answers,
            stations: &self.stations,
            losses: self.losses,
        };
        if let Some(flow) = conversation.into_flow(ended, around) {
            self.counts.give(packets, kernel_bytes);
            self.ended.push_back(flow);
        }
    }

    fn conversation_mut(&mut self, place: u32) -> &mut Conversation {
        self.conversations[place as usize]
            .as_mut()
            .expect("places are taken")
    }
}

// === impl FlowCounts ===

impl FlowCounts {
    /// A flow is given.
    const fn give(&mut self, packets: u64, kernel_bytes: u64) {
        self.packets_held -= packets;
        self.packets_given += packets;
        self.kernel_bytes_held -= kernel_bytes;
        self.kernel_bytes_given += kernel_bytes;
        self.flows += 1;
    }
}

/// One packet ends two flows at most: the old one between its ends, and one to make room.
const ENDED_MAX: usize = 2;
const DNS_PORT: u16 = 53;
