//! How conversations end, and flows are given.

use super::super::clock::Tick;
use super::super::conversation::Surroundings;
use super::super::phase::Phase;
use super::super::{Ended, Flow, FlowCounts, Shed, Timestamp};
use super::FlowTable;

// === impl FlowTable ===

impl FlowTable {
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

    /// The next flow that is over; `None` when there is none yet.
    #[inline]
    pub fn poll_expired(&mut self) -> Option<Flow> {
        if self.is_still() { None } else { self.poll() }
    }

    /// Whether there is certainly nothing to give: so it is after nearly every packet.
    #[inline]
    fn is_still(&self) -> bool {
        self.ended.is_empty()
            && self.cutting.is_none()
            && !self.is_finished
            && !self.order.has_new_front()
            && self
                .still_until
                .is_some_and(|until| self.clock.passed() < until)
    }

    fn poll(&mut self) -> Option<Flow> {
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

    /// What ends the conversation whose turn it is, if anything does.
    fn next_ending(&mut self) -> Option<(u32, Ended)> {
        let (passed, stamp) = (self.clock.passed(), self.clock.stamp());
        let mut still_until = Tick::MAX;
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
            let idle_from = conversation.last_tick().plus_nanos(phase.idle_nanos());
            if passed >= idle_from {
                return Some((place, phase.ended()));
            }
            still_until = still_until.min(idle_from);
        }
        self.order.heed_fronts();
        self.still_until = Some(still_until);
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

    /// Makes room: the conversation silent for longest goes, those that matter least first.
    pub(super) fn evict(&mut self) {
        let oldest = Phase::ALL
            .into_iter()
            .find_map(|phase| self.order.front(phase as usize));
        let Some(place) = oldest else { return };
        self.counts.shed.add(Shed::FlowEvicted, 1);
        self.end(place, Ended::Evicted);
    }

    pub(super) fn end(&mut self, place: u32, ended: Ended) {
        let conversation = self.conversations[place as usize]
            .take()
            .expect("places are taken");
        self.hello_bytes -= conversation.hello_bytes();
        self.order.remove(conversation.phase() as usize, place);
        self.places.remove(&conversation.key());
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
