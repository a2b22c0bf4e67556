//! The places a home enrols from: address, block and network.
//!
//! Pure: takes an address and its network, gives what is limited: the IPv4 address or the IPv6 /56 (a
//! household's), the /24 or /48 around it, and the network. Who has many homes has many addresses;
//! who has only many keys has not. None of it is ever written: counters stand under an HMAC whose key
//! is destroyed with the month ([`super::month_keys`]).

use crate::geo::network::Asn;
use std::fmt;
use std::net::IpAddr;

/// Whence an enrolment comes; in memory for as long as it is decided.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Whence {
    /// The client's address; `None` where nobody said.
    pub address: Option<IpAddr>,
    /// The network that announces it.
    pub network: Option<Asn>,
}

/// What is limited: a household's address, a block of them, a network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// One IPv4 address.
    V4([u8; 4]),
    /// An IPv6 /56.
    V6([u8; 7]),
    /// An IPv4 /24.
    V4Block([u8; 3]),
    /// An IPv6 /48.
    V6Block([u8; 6]),
    /// A network.
    Network(Asn),
}

/// New homes that one place may send in this and the last month together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeLimits {
    /// From an IPv4 address or an IPv6 /56.
    pub per_address: u32,
    /// From an IPv4 /24.
    pub per_ipv4_24: u32,
    /// From an IPv6 /48.
    pub per_ipv6_48: u32,
    /// From a network.
    pub per_network: u32,
}

impl Default for HomeLimits {
    fn default() -> Self {
        Self {
            per_address: 2,
            per_ipv4_24: 16,
            per_ipv6_48: 16,
            per_network: 1_000,
        }
    }
}

impl Whence {
    /// The household's place, if it is on the Internet: who speaks on this machine itself is nobody's
    /// household.
    #[must_use]
    pub fn household(&self) -> Option<Place> {
        self.outside().map(|address| match address {
            IpAddr::V4(address) => Place::V4(address.octets()),
            IpAddr::V6(address) => Place::V6(first(&address.octets())),
        })
    }

    /// Every place it comes from, each with how many homes it may send.
    #[must_use]
    pub fn places(&self, limits: &HomeLimits) -> Vec<(Place, u32)> {
        let Some(address) = self.outside() else {
            return Vec::new();
        };
        let mut places: Vec<(Place, u32)> = self
            .household()
            .map(|household| (household, limits.per_address))
            .into_iter()
            .collect();
        places.push(match address {
            IpAddr::V4(address) => (Place::V4Block(first(&address.octets())), limits.per_ipv4_24),
            IpAddr::V6(address) => (Place::V6Block(first(&address.octets())), limits.per_ipv6_48),
        });
        let known = self.network.filter(|network| *network != Asn::UNKNOWN);
        places.extend(known.map(|network| (Place::Network(network), limits.per_network)));
        places
    }

    fn outside(&self) -> Option<IpAddr> {
        let address = self.address.map(|address| address.to_canonical());
        address.filter(|address| !address.is_loopback())
    }
}

impl Place {
    /// What tells it from every other: its kind in one byte, then its own bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let tagged = |kind: u8, bytes: &[u8]| [&[kind][..], bytes].concat();
        match self {
            Self::V4(bytes) => tagged(1, bytes),
            Self::V6(bytes) => tagged(2, bytes),
            Self::V4Block(bytes) => tagged(3, bytes),
            Self::V6Block(bytes) => tagged(4, bytes),
            Self::Network(network) => tagged(5, &network.0.to_be_bytes()),
        }
    }
}

/// The first bytes of an address.
fn first<const N: usize>(octets: &[u8]) -> [u8; N] {
    *octets
        .first_chunk()
        .expect("a prefix is no longer than its address")
}

impl fmt::Debug for Place {
    /// Without the place, which stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place(..)")
    }
}

impl fmt::Debug for Whence {
    /// Without the address, which stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Whence(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn whence(address: &str, network: u32) -> Whence {
        Whence {
            address: Some(address.parse().expect("an address")),
            network: Some(Asn(network)),
        }
    }

    fn places(address: &str) -> Vec<(Place, u32)> {
        whence(address, 64_500).places(&HomeLimits::default())
    }

    #[test]
    fn a_household_a_block_and_a_network_are_limited() {
        let network = (Place::Network(Asn(64_500)), 1_000);
        let v4 = [
            (Place::V4([192, 0, 2, 7]), 2),
            (Place::V4Block([192, 0, 2]), 16),
            network,
        ];
        assert_eq!(places("192.0.2.7"), v4);
        assert_eq!(
            places("::ffff:192.0.2.7"),
            v4,
            "written as IPv6 by a dual stack"
        );
        let v6 = [
            (Place::V6([0x20, 1, 0xd, 0xb8, 0, 7, 0x12]), 2),
            (Place::V6Block([0x20, 1, 0xd, 0xb8, 0, 7]), 16),
            network,
        ];
        assert_eq!(places("2001:db8:7:1234::9"), v6);
        assert_eq!(places("2001:db8:7:12ff:1::"), v6, "the same /56");
        assert_ne!(places("2001:db8:7:1334::9")[0], v6[0]);
    }

    #[test]
    fn who_is_nowhere_is_not_limited() {
        for nowhere in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(places(nowhere), [], "{nowhere}");
            assert_eq!(whence(nowhere, 0).household(), None);
        }
        assert_eq!(Whence::default().places(&HomeLimits::default()), []);
        let unknown = whence("192.0.2.7", 0).places(&HomeLimits::default());
        assert_eq!(unknown.len(), 2, "nobody's network is no network");
    }

    #[test]
    fn no_two_places_share_their_bytes() {
        let all = [
            Place::V4([1, 2, 3, 0]),
            Place::V4Block([1, 2, 3]),
            Place::V6([1, 2, 3, 0, 0, 0, 0]),
            Place::V6Block([1, 2, 3, 0, 0, 0]),
            Place::Network(Asn(0x0102_0300)),
        ];
        let bytes: BTreeSet<_> = all.iter().map(Place::bytes).collect();
        assert_eq!(bytes.len(), all.len());
        assert_eq!(
            format!("{:?} {:?}", all[0], whence("192.0.2.7", 1)),
            "Place(..) Whence(..)"
        );
    }
}
