//! What the kernel says of connections, put beside what the tap has seen of them.

use super::super::connections::Difference;
use super::super::conversation::Conversation;
use super::super::kernel::Relation;
use super::super::{Counters, Ended, LanView, Moment, Offload, Timestamp, Unapplied, Way};
use super::FlowTable;
use crate::packet::key::{FlowKey, Side};
use std::hash::BuildHasher;

// === impl FlowTable ===

impl FlowTable {
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
}
