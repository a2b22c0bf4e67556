//! What was missed, counted once.
//!
//! Stages count what they let go from their beginning on; a day reports what was let go on it. So the
//! sums are looked at again and again, and only what has been added since is new.

use crate::capture::Lost;
use crate::device;
use crate::flow::{self, FlowCounts, Unapplied};
use crate::observe::{ObserveCounts, Withheld};
use crate::packet::PacketCounts;
use crate::run::reading;
use crate::tally::Tally;
use phonehome_proto::batch::Loss;
use std::collections::BTreeMap;

/// Sums as last looked at, and what is new since they were last told.
#[derive(Debug, Default)]
pub(super) struct Missed {
    /// What the source lost.
    lost: Tally<Lost>,
    seen: BTreeMap<Loss, u64>,
    untold: BTreeMap<Loss, u64>,
}

impl Missed {
    /// The source lost something.
    pub(super) fn lost(&mut self, why: Lost, count: u64) {
        self.lost.add(why, count);
    }

    /// Looks at the sums. Gives what is new and not the observer's own, who knows of it already.
    pub(super) fn look(
        &mut self,
        packets: &PacketCounts,
        flows: &FlowCounts,
        devices: &Tally<device::Shed>,
        observed: &ObserveCounts,
    ) -> Vec<(Loss, u64)> {
        let of = |why| self.lost.of(why);
        let interface_gaps = of(Lost::InterfaceGone);
        let counter_gaps = of(Lost::CounterEvents) + of(Lost::CounterUnreadable);
        let sums = [
            (
                Loss::CapturePackets,
                self.lost.total() - interface_gaps - counter_gaps,
            ),
            (Loss::UnreadablePackets, reading::unreadable(packets)),
            (Loss::ShedFlows, flows.shed.of(flow::Shed::FlowEvicted)),
            (Loss::ShedDevices, devices.of(device::Shed::DeviceRefused)),
            (
                Loss::CounterGaps,
                counter_gaps + flows.unapplied.of(Unapplied::TooMany),
            ),
            (Loss::InterfaceGaps, interface_gaps),
            (Loss::ShedObservations, observed.withheld.of(Withheld::Full)),
            (Loss::UndatedFlows, observed.withheld.of(Withheld::Undated)),
        ];
        let mut new = Vec::new();
        for (loss, sum) in sums {
            let before = self.seen.insert(loss, sum).unwrap_or(0);
            let added = sum.saturating_sub(before);
            if added == 0 {
                continue;
            }
            *self.untold.entry(loss).or_default() += added;
            if !matches!(loss, Loss::ShedObservations | Loss::UndatedFlows) {
                new.push((loss, added));
            }
        }
        new
    }

    /// All that was missed since the beginning; what never was is absent.
    pub(super) fn so_far(&self) -> BTreeMap<Loss, u64> {
        let some = self.seen.iter().filter(|(_, count)| **count > 0);
        some.map(|(loss, count)| (*loss, *count)).collect()
    }

    /// What was missed since the last call.
    pub(super) fn take_untold(&mut self) -> BTreeMap<Loss, u64> {
        std::mem::take(&mut self.untold)
    }
}
