//! Who has which address now, per VLAN.
//!
//! Phones take up a new IPv6 address every day and never say when they leave an old one. So a full
//! table lets those go that were silent for longest, a quarter at once, and counts them; but never the
//! address that is all a device is known by.

use super::{BINDINGS_MAX, DeviceId, Shed};
use crate::hash::SeededState;
use crate::tally::Tally;
use phonehome_proto::time::Timestamp;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

/// An address in a VLAN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) vlan: Option<u16>,
    pub(super) address: IpAddr,
}

/// The holders of addresses.
pub(super) struct Bindings {
    slots: HashMap<Place, Slot, SeededState>,
    /// By slot; a slot that was forgotten is free.
    holders: Vec<Option<Holder>>,
    free: Vec<Slot>,
}

/// Where an address has its entry, as long as it is not forgotten: who sends from one address again and
/// again is not looked for every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u16);

/// Who has an address.
#[derive(Clone, Copy)]
pub(super) struct Holder {
    pub(super) place: Place,
    pub(super) id: DeviceId,
    pub(super) last: Timestamp,
    /// The device is known by nothing but this address.
    pub(super) is_identity: bool,
}

// === impl Bindings ===

impl Bindings {
    pub(super) fn new(state: SeededState) -> Self {
        Self {
            slots: HashMap::with_hasher(state),
            holders: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Who has an address.
    pub(super) fn holder(&self, place: Place) -> Option<DeviceId> {
        let slot = self.slots.get(&place)?;
        self.holders[usize::from(slot.0)].map(|holder| holder.id)
    }

    /// Notes that a device has an address; the latest word counts. `likely` is the slot it had last, if
    /// it has one; gives the one it has now.
    #[inline]
    pub(super) fn bind(
        &mut self,
        likely: Option<Slot>,
        holder: Holder,
        shed: &mut Tally<Shed>,
    ) -> Slot {
        if let Some(slot) = likely
            && let Some(known) = &mut self.holders[usize::from(slot.0)]
            && known.place == holder.place
        {
            known.id = holder.id;
            known.last = holder.last;
            known.is_identity = holder.is_identity;
            return slot;
        }
        self.find_slot(holder, shed)
    }

    fn find_slot(&mut self, holder: Holder, shed: &mut Tally<Shed>) -> Slot {
        if let Some(&slot) = self.slots.get(&holder.place) {
            self.holders[usize::from(slot.0)] = Some(holder);
            return slot;
        }
        if self.slots.len() >= BINDINGS_MAX {
            self.make_room(shed);
        }
        let slot = if let Some(slot) = self.free.pop() {
            self.holders[usize::from(slot.0)] = Some(holder);
            slot
        } else {
            self.holders.push(Some(holder));
            Slot(u16::try_from(self.holders.len() - 1).expect("BINDINGS_MAX is below"))
        };
        self.slots.insert(holder.place, slot);
        slot
    }

    /// Forgets the addresses of devices that are gone.
    pub(super) fn retain(&mut self, is_known: impl Fn(DeviceId) -> bool) {
        let is_gone = |holder: &&Holder| !is_known(holder.id);
        let gone: Vec<_> = self.held().filter(is_gone).map(|held| held.place).collect();
        for place in gone {
            self.forget(place);
        }
    }

    /// Moves all times by what the clock was wrong.
    pub(super) fn redate(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        for holder in self.holders.iter_mut().flatten() {
            holder.last = moved(holder.last);
        }
    }

    fn held(&self) -> impl Iterator<Item = &Holder> {
        self.holders.iter().flatten()
    }

    fn forget(&mut self, place: Place) {
        if let Some(slot) = self.slots.remove(&place) {
            self.holders[usize::from(slot.0)] = None;
            self.free.push(slot);
        }
    }

    fn make_room(&mut self, shed: &mut Tally<Shed>) {
        // Many may be of one moment: the address decides between them.
        let mut oldest: Vec<_> = self
            .held()
            .filter(|holder| !holder.is_identity)
            .map(|holder| (holder.last, holder.place))
            .collect();
        let quarter = (oldest.len() / 4).max(1);
        oldest.select_nth_unstable(quarter - 1);
        for (_, place) in &oldest[..quarter] {
            self.forget(*place);
            shed.add(Shed::BindingEvicted, 1);
        }
    }
}

// === impl Place ===

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let vlan = self.vlan.map_or(0, |vlan| u64::from(vlan) + 1) << 32;
        match self.address {
            IpAddr::V4(v4) => state.write_u64(vlan | u64::from(v4.to_bits())),
            IpAddr::V6(v6) => {
                state.write_u64(vlan);
                state.write(&v6.octets());
            }
        }
    }
}

// So many addresses are never identities all: there is always one that can go.
const _: () = assert!(BINDINGS_MAX > super::DEVICES_MAX);

// Slots are u16.
const _: () = assert!(BINDINGS_MAX <= u16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn place(n: usize) -> Place {
        let n = u128::try_from(n).expect("small");
        Place {
            vlan: None,
            address: IpAddr::V6((0x2001_0db8 << 96 | n).into()),
        }
    }

    fn nobody() -> Bindings {
        Bindings::new(SeededState::new(7))
    }

    /// Without the slot, or with that of another address: nothing depends on it.
    fn bind(
        bindings: &mut Bindings,
        held: (Place, DeviceId),
        last: Timestamp,
        shed: &mut Tally<Shed>,
    ) {
        let (place, id) = held;
        let holder = Holder {
            place,
            id,
            last,
            is_identity: place.vlan.is_some(),
        };
        let likely = bindings.slots.values().next().copied();
        let slot = bindings.bind(likely, holder, shed);
        assert_eq!(bindings.bind(Some(slot), holder, shed), slot);
    }

    fn at(seconds: usize) -> Timestamp {
        Timestamp::from_seconds(i64::try_from(seconds).expect("small"))
    }

    #[test]
    fn months_of_new_addresses_push_out_the_oldest() {
        let (mut bindings, mut shed) = (nobody(), Tally::new());
        let (phone, alone) = (DeviceId(1), DeviceId(2));
        let elsewhere = Place {
            vlan: Some(9),
            ..place(0)
        };
        bind(&mut bindings, (elsewhere, alone), at(0), &mut shed);
        let all = 3 * BINDINGS_MAX;
        for n in 0..all {
            bind(&mut bindings, (place(n), phone), at(n), &mut shed);
            assert!(bindings.holders.len() <= BINDINGS_MAX);
        }
        assert_eq!(bindings.holder(place(all - 1)), Some(phone));
        assert_eq!(bindings.holder(place(0)), None);
        assert_eq!(bindings.holder(elsewhere), Some(alone));
        let kept = u64::try_from(bindings.slots.len()).expect("small");
        assert_eq!(
            shed.of(Shed::BindingEvicted),
            u64::try_from(all + 1).expect("small") - kept
        );
    }

    #[test]
    fn addresses_of_one_moment_are_not_all_forgotten() {
        let (mut bindings, mut shed) = (nobody(), Tally::new());
        for n in 0..=BINDINGS_MAX {
            bind(&mut bindings, (place(n), DeviceId(1)), at(0), &mut shed);
        }
        assert_eq!(bindings.slots.len(), BINDINGS_MAX * 3 / 4 + 1);
        assert_eq!(bindings.holder(place(BINDINGS_MAX / 4 - 1)), None);
        assert!(bindings.holder(place(BINDINGS_MAX / 4)).is_some());
    }
}
