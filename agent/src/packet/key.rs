//! Who talks to whom: the key of a flow, the same for both directions.
//!
//! Made where packets are read, since whoever puts a packet away for another thread puts its key with it.

use super::Packet;
use crate::capture::{Counters, LanView, Path};
use phonehome_proto::net::Transport;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The IP address.
    pub address: IpAddr,
    /// The TCP or UDP port.
    pub port: u16,
}

/// What all packets of a flow have in common: both ends, in an order of their own, the transport and
/// the VLAN.
///
/// In numbers, not in addresses: a key is made for every packet, and numbers stay in registers.
#[derive(Clone, Copy, Debug, Eq)]
pub struct FlowKey {
    /// The bits of both addresses, each with its upper half first; `[low, high]` as in all pairs.
    addresses: [[u64; 2]; 2],
    ports: [u16; 2],
    /// 0 for none.
    vlan: u16,
    /// The transport's bit, and a bit for each end with an IPv6 address.
    marks: u8,
}

/// One end in numbers, in the order of ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    /// First, because it tells most ends apart.
    port: u16,
    is_v6: bool,
    address: [u64; 2],
}

/// One of a flow's two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that the key names first.
    Low,
    /// The other.
    High,
}

// === impl Endpoint ===

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            address: address.ip(),
            port: address.port(),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&SocketAddr::new(self.address, self.port), f)
    }
}

// === impl FlowKey ===

impl FlowKey {
    /// The key of a packet's flow, and which of the two ends sent it.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet<'_>) -> (Self, Side) {
        let source = End::of(&packet.source, packet.source_port);
        let destination = End::of(&packet.destination, packet.destination_port);
        Self::between(source, destination, packet.transport(), packet.link.vlan)
    }

    /// The key of a connection of the kernel, and which of the two ends is the home's. The kernel
    /// knows no VLAN, and the frames of live sources carry none.
    #[must_use]
    pub fn of_view(view: &LanView, transport: Transport) -> (Self, Side) {
        let [client, server] = [view.client, view.server].map(|end| End::of(&end.ip(), end.port()));
        Self::between(client, server, transport, None)
    }

    /// The key of a connection's opening path, which the home's networks have no say in.
    #[must_use]
    pub fn of_opening(counters: &Counters) -> Self {
        let Path {
            source,
            destination,
        } = counters.original;
        let [source, destination] = [source, destination].map(|end| End::of(&end.ip(), end.port()));
        Self::between(source, destination, counters.transport, None).0
    }

    /// The key of what goes on between two ends, and which side the first one is.
    #[inline]
    fn between(one: End, other: End, transport: Transport, vlan: Option<u16>) -> (Self, Side) {
        // Number by number: to choose between the ends as they lie in memory takes longer than all the rest.
        let is_low = one <= other;
        let pair = |one: u64, other: u64| if is_low { [one, other] } else { [other, one] };
        let [low_upper, high_upper] = pair(one.address[0], other.address[0]);
        let [low_lower, high_lower] = pair(one.address[1], other.address[1]);
        let (ports, is_v6) = if is_low {
            ([one.port, other.port], [one.is_v6, other.is_v6])
        } else {
            ([other.port, one.port], [other.is_v6, one.is_v6])
        };
        let side = if is_low { Side::Low } else { Side::High };
        let mark = |is_set: bool, mark: u8| if is_set { mark } else { 0 };
        let key = Self {
            addresses: [[low_upper, low_lower], [high_upper, high_lower]],
            ports,
            vlan: vlan.unwrap_or(0),
            marks: mark(transport == Transport::Udp, UDP)
                | mark(is_v6[0], V6[0])
                | mark(is_v6[1], V6[1]),
        };
        (key, side)
    }

    /// All but the addresses, in one number.
    #[inline]
    fn rest(&self) -> u64 {
        let [low, high] = self.ports.map(u64::from);
        low << 48 | high << 32 | u64::from(self.vlan) << 8 | u64::from(self.marks)
    }

    /// One of the ends.
    #[inline]
    #[must_use]
    pub fn end(&self, side: Side) -> Endpoint {
        let [upper, lower] = self.addresses[side as usize];
        let address = if self.marks & V6[side as usize] != 0 {
            let bits = u128::from(upper) << 64 | u128::from(lower);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        } else {
            let [.., a, b, c, d] = lower.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        };
        Endpoint {
            address,
            port: self.ports[side as usize],
        }
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        if self.marks & UDP == 0 {
            Transport::Tcp
        } else {
            Transport::Udp
        }
    }

    /// The VLAN, 1 to 4094, where the frames carry one.
    #[must_use]
    pub const fn vlan(&self) -> Option<u16> {
        match self.vlan {
            0 => None,
            vlan => Some(vlan),
        }
    }
}

impl PartialEq for FlowKey {
    /// Number by number, as it was made.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let [[a, b], [c, d]] = self.addresses;
        let [[e, f], [g, h]] = other.addresses;
        self.rest() == other.rest() && a == e && b == f && c == g && d == h
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        for ([upper, lower], v6) in self.addresses.into_iter().zip(V6) {
            if self.marks & v6 != 0 {
                state.write_u64(upper);
            }
            state.write_u64(lower);
        }
        state.write_u64(self.rest());
    }
}

const UDP: u8 = 1;
const V6: [u8; 2] = [1 << 1, 1 << 2];

// === impl End ===

impl End {
    #[inline]
    fn of(address: &IpAddr, port: u16) -> Self {
        let (is_v6, address) = match address {
            IpAddr::V4(v4) => (false, [0, v4.to_bits().into()]),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, lower @ ..] = v6.octets();
                let upper = [a, b, c, d, e, f, g, h];
                (true, [upper, lower].map(u64::from_be_bytes))
            }
        };
        Self {
            port,
            is_v6,
            address,
        }
    }
}

// === impl Side ===

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    proptest! {
        /// Nothing is lost in the numbers, not even which version an address is of, and both
        /// directions have one key.
        #[test]
        fn both_directions_have_one_key_that_tells_both_ends(
            one: SocketAddr,
            other: SocketAddr,
            is_udp: bool,
            vlan in prop::option::of(1_u16..4_095),
        ) {
            let transport = if is_udp { Transport::Udp } else { Transport::Tcp };
            let [first, second] = [one, other].map(|end| End::of(&end.ip(), end.port()));
            let (key, side) = FlowKey::between(first, second, transport, vlan);
            prop_assert_eq!(FlowKey::between(second, first, transport, vlan).0, key);
            let address = |side| SocketAddr::new(key.end(side).address, key.end(side).port);
            let ends = [one, other].map(|end| SocketAddr::new(end.ip(), end.port()));
            prop_assert_eq!([address(side), address(side.other())], ends);
            prop_assert_eq!((key.transport(), key.vlan()), (transport, vlan));
        }
    }

    #[test]
    fn an_address_of_either_version_is_another_end() {
        let v4 = End::of(&Ipv4Addr::LOCALHOST.into(), 1);
        let v6 = End::of(&Ipv6Addr::from_bits(0x7f00_0001).into(), 1);
        assert_eq!(v4.address, v6.address);
        let keys = [v4, v6].map(|end| FlowKey::between(end, v4, Transport::Tcp, None).0);
        assert_ne!(keys[0], keys[1]);
    }
}
