//! What must be remembered of a batch while it waits, beside its bytes.
//!
//! Two things: by which clock its day got its date, until the collector's time has proved that clock;
//! and which lost batches it tells of, so that they are told anew should it be lost itself. After a
//! restart the first is forgotten, and the batches are taken to be proved; the second stands in the
//! batches, rounded to a step.

use crate::run::endpoints::Present;
use crate::seal::OurKeys;
use crate::spool::{Slot, Spool, SpoolError};
use phonehome_proto::batch::Loss;
use phonehome_proto::id::Hash;
use phonehome_proto::limits;
use phonehome_proto::seal::SealedBatch;
use std::collections::BTreeMap;

/// A batch on its way into the spool.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) sealed: SealedBatch,
    /// Home time less time since boot when its day was closed.
    pub(super) offset_nanos: i64,
    /// How many lost batches it tells of.
    pub(super) dropped: u64,
}

/// Notes on waiting batches.
#[derive(Debug, Default)]
pub(super) struct Parcels {
    /// Home time less time since boot when the day was closed, of batches not proved yet.
    unproved: BTreeMap<Slot, i64>,
    /// Lost batches told of, by payload: the answer to a batch names no slot.
    reports: BTreeMap<Hash, (Slot, u64)>,
}

impl Parcels {
    /// Finds the batches that tell of lost ones.
    pub(super) fn find_reports(
        &mut self,
        spool: &mut Spool,
        home: &OurKeys,
        present: &Present,
    ) -> Result<(), SpoolError> {
        for slot in spool.slots() {
            let Some(sealed) = spool.read(slot, home)? else {
                continue;
            };
            let Ok(batch) = present.batch(&sealed) else {
                continue;
            };
            if let Some(dropped) = batch.coverage().losses.get(&Loss::DroppedBatches) {
                let report = (slot, dropped.floor());
                self.reports.insert(Hash::of(&sealed.payload), report);
            }
        }
        Ok(())
    }

    /// A batch is in the spool.
    pub(super) fn placed(&mut self, slot: Slot, parcel: &Parcel) {
        self.unproved.insert(slot, parcel.offset_nanos);
        if parcel.dropped > 0 {
            let hash = Hash::of(&parcel.sealed.payload);
            self.reports.insert(hash, (slot, parcel.dropped));
        }
    }

    /// The collector holds these: what they tell of is told.
    pub(super) fn held<'a>(&mut self, payloads: impl Iterator<Item = &'a Hash>) {
        for payload in payloads {
            self.reports.remove(payload);
        }
    }

    /// Forgets all but these slots. Gives how many lost batches are to be told of again.
    pub(super) fn retain(&mut self, slots: &[Slot]) -> u64 {
        let waits = |slot: &Slot| slots.binary_search(slot).is_ok();
        self.unproved.retain(|slot, _| waits(slot));
        let mut again: u64 = 0;
        self.reports.retain(|_, (slot, count)| {
            let waits = waits(slot);
            again = again.saturating_add(if waits { 0 } else { *count });
            waits
        });
        again
    }

    /// The collector's time agrees with home time at this offset: the batches whose date came from
    /// another clock, and all others are proved.
    pub(super) fn prove(&mut self, offset_nanos: i64) -> Vec<Slot> {
        let is_wrong = |by: &i64| {
            let off = by.saturating_sub(offset_nanos).saturating_abs();
            off > limits::SKEW_SECONDS_MAX * 1_000_000_000
        };
        std::mem::take(&mut self.unproved)
            .into_iter()
            .filter(|(_, by)| is_wrong(by))
            .map(|(slot, _)| slot)
            .collect()
    }
}
