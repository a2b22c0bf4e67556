//! Which addresses are one device's: by the station on the link that sends for them.
//!
//! A phone asks DNS over IPv4 and then connects over IPv6. What it was told is its own under all its
//! addresses, and nobody else's; so addresses count as one device's only where there is no doubt.
//! A station speaks for itself, and not for others behind it, as long as it shows within a day
//!
//! - one private IPv4 address at most, and no other,
//! - IPv6 addresses in one public /64 and one unique local /64 at most,
//! - and not more of these than one device holds at a time.
//!
//! Routers, repeaters and whatever else forwards for others show more, and are given up for a day;
//! then each address stands for itself again. Bounded by [`STATIONS_MAX`] and [`ADDRESSES_MAX`].

use super::clock::Tick;
use crate::hash::SeededState;
use crate::packet::MacAddr;
use phonehome_proto::net::Scope;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// The stations of all links.
pub(super) struct Stations {
    by_mac: HashMap<MacAddr, Station, SeededState>,
}

#[derive(Default)]
struct Station {
    addresses: Vec<(IpAddr, Tick)>,
    /// Until then it speaks for several.
    crowd_until: Tick,
    last: Tick,
}

/// Stations remembered; past it, the one silent for longest goes.
const STATIONS_MAX: usize = 512;

/// Addresses of one station; a phone holds its IPv4 address, a link-local one, and some temporary
/// ones. More are a crowd's.
const ADDRESSES_MAX: usize = 12;

const DAY_SECONDS: u64 = 86_400;

// === impl Stations ===

impl Stations {
    pub(super) fn new(state: SeededState) -> Self {
        Self {
            by_mac: HashMap::with_hasher(state),
        }
    }

    /// Notes that a station sends or receives for an address.
    pub(super) fn see(&mut self, mac: Option<MacAddr>, address: IpAddr, now: Tick) {
        let Some(mac) = mac.filter(|mac| mac.is_station()) else {
            return;
        };
        if Scope::of(address) == Scope::Special {
            return;
        }
        if self.by_mac.len() >= STATIONS_MAX && !self.by_mac.contains_key(&mac) {
            self.forget_oldest();
        }
        self.by_mac.entry(mac).or_default().see(address, now);
    }

    /// Every address of the device that has this one, itself first. `mac` is its station, where that
    /// is known.
    pub(super) fn addresses(
        &self,
        address: IpAddr,
        mac: Option<MacAddr>,
        now: Tick,
    ) -> impl Iterator<Item = IpAddr> {
        let station = match mac.filter(|mac| mac.is_station()) {
            Some(mac) => self.by_mac.get(&mac),
            None => self.holder(address),
        };
        let others = station
            .filter(|station| station.is_one_device(now) && station.seen(address).is_some())
            .map_or(&[][..], |station| station.addresses.as_slice());
        let others = others.iter().map(|(other, _)| *other);
        std::iter::once(address).chain(others.filter(move |other| *other != address))
    }

    /// The station that showed an address last.
    fn holder(&self, address: IpAddr) -> Option<&Station> {
        let seen = |station: &Station| station.seen(address);
        self.by_mac
            .values()
            .filter(|station| seen(station).is_some())
            .max_by_key(|station| seen(station))
    }

    fn forget_oldest(&mut self) {
        let oldest = self.by_mac.iter().min_by_key(|(_, station)| station.last);
        if let Some(mac) = oldest.map(|(mac, _)| *mac) {
            self.by_mac.remove(&mac);
        }
    }
}

// === impl Station ===

impl Station {
    fn see(&mut self, address: IpAddr, now: Tick) {
        self.last = self.last.max(now);
        if let Some((_, seen)) = self.addresses.iter_mut().find(|(a, _)| *a == address) {
            *seen = now.max(*seen);
            return;
        }
        let is_recent = |seen: Tick| now < seen.plus_seconds(DAY_SECONDS);
        self.addresses.retain(|(_, seen)| is_recent(*seen));
        if self.addresses.len() >= ADDRESSES_MAX {
            // Below, what is left says no more than that they are many.
            self.addresses.remove(0);
            self.crowd_until = now.plus_seconds(DAY_SECONDS);
        }
        if self.addresses.capacity() == 0 {
            self.addresses.reserve_exact(FEW);
        }
        self.addresses.push((address, now));
        if !self.is_coherent() {
            self.crowd_until = now.plus_seconds(DAY_SECONDS);
        }
    }

    fn seen(&self, address: IpAddr) -> Option<Tick> {
        let own = self.addresses.iter().find(|(own, _)| *own == address);
        own.map(|(_, seen)| *seen)
    }

    fn is_one_device(&self, now: Tick) -> bool {
        self.crowd_until <= now
    }

    /// Whether all its addresses can be one device's.
    fn is_coherent(&self) -> bool {
        let mut v4 = None;
        let mut networks = [None; 2];
        self.addresses.iter().all(|(address, _)| match address {
            IpAddr::V4(v4_address) => {
                Scope::of(*address) == Scope::Private
                    && *v4.get_or_insert(*v4_address) == *v4_address
            }
            IpAddr::V6(v6) if is_link_local(*v6) => true,
            IpAddr::V6(v6) => {
                let is_local = Scope::of(*address) == Scope::Private;
                let network = v6.to_bits() >> 64;
                *networks[usize::from(is_local)].get_or_insert(network) == network
            }
        })
    }
}

const fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

/// What most devices have.
const FEW: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// How many addresses the device of the first has, once a station showed all of them.
    fn united(texts: &[&str]) -> usize {
        let mut stations = Stations::new(SeededState::new(7));
        let now = Tick::default();
        for text in texts {
            stations.see(Some(PHONE), address(text), now);
        }
        let by_station = stations
            .addresses(address(texts[0]), Some(PHONE), now)
            .count();
        let by_address = stations.addresses(address(texts[0]), None, now).count();
        assert_eq!(by_station, by_address);
        by_station
    }

    #[test]
    fn one_devices_addresses_are_united() {
        let own = [
            "192.168.1.7",
            "fe80::7",
            "2001:db8:1::7",
            "2001:db8:1::abcd",
            "fd00:1::7",
        ];
        assert_eq!(united(&own), 5);
        assert_eq!(united(&["2001:db8:1::7", "0.0.0.0", "224.0.0.251"]), 1);
    }

    #[test]
    fn whoever_speaks_for_others_unites_nobody() {
        for crowd in [
            ["192.168.1.7", "192.168.1.8"],
            ["192.168.1.7", "203.0.113.9"],
            ["8.8.8.8", "2001:db8:1::7"],
            ["2001:db8:1::7", "2001:db8:1:1::8"],
            ["fd00:1::7", "fd00:2::7"],
        ] {
            assert_eq!(united(&crowd), 1, "{crowd:?}");
        }
        let many: Vec<_> = (0..=ADDRESSES_MAX)
            .map(|n| format!("2001:db8:1::{n:x}"))
            .collect();
        let many: Vec<_> = many.iter().rev().map(String::as_str).collect();
        assert_eq!(united(&many), 1);
    }

    #[test]
    fn an_address_changed_long_ago_is_forgotten() {
        let mut stations = Stations::new(SeededState::new(7));
        let at = |days: u64| Tick::default().plus_seconds(days * DAY_SECONDS);
        stations.see(Some(PHONE), address("192.168.1.7"), at(0));
        stations.see(Some(PHONE), address("192.168.1.8"), at(2));
        stations.see(Some(PHONE), address("2001:db8:1::7"), at(2));
        let own: Vec<_> = stations
            .addresses(address("2001:db8:1::7"), None, at(2))
            .collect();
        assert_eq!(own, [address("2001:db8:1::7"), address("192.168.1.8")]);
    }

    #[test]
    fn stations_are_bounded() {
        let mut stations = Stations::new(SeededState::new(7));
        for n in 0..=u32::try_from(STATIONS_MAX).expect("small") {
            let [.., a, b] = n.to_be_bytes();
            let mac = MacAddr::new([2, 0, 0, 0, a, b]);
            let now = Tick::default().plus_seconds(n.into());
            stations.see(Some(mac), address("192.168.1.7"), now);
        }
        assert_eq!(stations.by_mac.len(), STATIONS_MAX);
        let first = MacAddr::new([2, 0, 0, 0, 0, 0]);
        assert!(!stations.by_mac.contains_key(&first));
    }
}
