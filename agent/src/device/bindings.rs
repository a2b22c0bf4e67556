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
    holders: HashMap<Place, Holder, SeededState>,
}

struct Holder {
    id: DeviceId,
    last: Timestamp,
    /// The device is known by nothing but this address.
    is_identity: bool,
}

// === impl Bindings ===

impl Bindings {
    pub(super) fn new(state: SeededState) -> Self {
        Self {
            holders: HashMap::with_hasher(state),
        }
    }

    /// Who has an address.
    pub(super) fn holder(&self, place: Place) -> Option<DeviceId> {
        self.holders.get(&place).map(|holder| holder.id)
    }

    /// Notes that a device has an address; the latest word counts.
    pub(super) fn bind(
        &mut self,
        place: Place,
        id: DeviceId,
        is_identity: bool,
        now: Timestamp,
        shed: &mut Tally<Shed>,
    ) {
        let holder = Holder {
            id,
            last: now,
            is_identity,
        };
        if let Some(known) = self.holders.get_mut(&place) {
            *known = holder;
            return;
        }
        if self.holders.len() >= BINDINGS_MAX {
            self.make_room(shed);
        }
        self.holders.insert(place, holder);
    }

    /// Forgets the addresses of devices that are gone.
    pub(super) fn retain(&mut self, is_known: impl Fn(DeviceId) -> bool) {
        self.holders.retain(|_, holder| is_known(holder.id));
    }

    /// Moves all times by what the clock was wrong.
    pub(super) fn redate(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        for holder in self.holders.values_mut() {
            holder.last = moved(holder.last);
        }
    }

    fn make_room(&mut self, shed: &mut Tally<Shed>) {
        // Many may be of one moment: the address decides between them.
        let mut oldest: Vec<_> = self
            .holders
            .iter()
            .filter(|(_, holder)| !holder.is_identity)
            .map(|(place, holder)| (holder.last, *place))
            .collect();
        let quarter = (oldest.len() / 4).max(1);
        oldest.select_nth_unstable(quarter - 1);
        for (_, place) in &oldest[..quarter] {
            self.holders.remove(place);
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
        bindings.bind(elsewhere, alone, true, at(0), &mut shed);
        let all = 3 * BINDINGS_MAX;
        for n in 0..all {
            bindings.bind(place(n), phone, false, at(n), &mut shed);
            assert!(bindings.holders.len() <= BINDINGS_MAX);
        }
        assert_eq!(bindings.holder(place(all - 1)), Some(phone));
        assert_eq!(bindings.holder(place(0)), None);
        assert_eq!(bindings.holder(elsewhere), Some(alone));
        let kept = u64::try_from(bindings.holders.len()).expect("small");
        assert_eq!(
            shed.of(Shed::BindingEvicted),
            u64::try_from(all + 1).expect("small") - kept
        );
    }

    #[test]
    fn addresses_of_one_moment_are_not_all_forgotten() {
        let (mut bindings, mut shed) = (nobody(), Tally::new());
        for n in 0..=BINDINGS_MAX {
            bindings.bind(place(n), DeviceId(1), false, at(0), &mut shed);
        }
        assert_eq!(bindings.holders.len(), BINDINGS_MAX * 3 / 4 + 1);
        assert_eq!(bindings.holder(place(BINDINGS_MAX / 4 - 1)), None);
        assert!(bindings.holder(place(BINDINGS_MAX / 4)).is_some());
    }
}
