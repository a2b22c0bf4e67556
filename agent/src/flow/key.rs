//! Who talks to whom: the key of a flow, the same for both directions.

use crate::capture::LanView;
use crate::packet::Packet;
use phonehome_proto::net::Transport;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowKey {
    low: Endpoint,
    high: Endpoint,
    transport: Transport,
    vlan: Option<u16>,
}

/// One of a flow's two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Low,
    High,
}

// === impl Endpoint ===

impl Endpoint {
    fn hash_words(self, state: &mut impl Hasher) {
        match self.address {
            IpAddr::V4(address) => {
                state.write_u64(u64::from(address.to_bits()) << 16 | u64::from(self.port));
            }
            IpAddr::V6(address) => {
                let octets = address.octets();
                for half in octets.chunks_exact(8) {
                    state.write_u64(u64::from_ne_bytes(half.try_into().expect("eight bytes")));
                }
                state.write_u64(self.port.into());
            }
        }
    }
}

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
    pub(super) fn of(packet: &Packet<'_>) -> (Self, Side) {
        let source = Endpoint {
            address: packet.source,
            port: packet.source_port,
        };
        let destination = Endpoint {
            address: packet.destination,
            port: packet.destination_port,
        };
        Self::between(source, destination, packet.transport(), packet.link.vlan)
    }

    /// The key of a connection of the kernel, and which of the two ends is the home's. The kernel
    /// knows no VLAN, and the frames of live sources carry none.
    pub(super) fn of_view(view: &LanView, transport: Transport) -> (Self, Side) {
        Self::between(view.client.into(), view.server.into(), transport, None)
    }

    /// The key of what goes on between two ends, and which side the first one is.
    fn between(
        one: Endpoint,
        other: Endpoint,
        transport: Transport,
        vlan: Option<u16>,
    ) -> (Self, Side) {
        let (low, high, side) = if one <= other {
            (one, other, Side::Low)
        } else {
            (other, one, Side::High)
        };
        let key = Self {
            low,
            high,
            transport,
            vlan,
        };
        (key, side)
    }

    pub(super) const fn end(&self, side: Side) -> Endpoint {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }

    pub(super) const fn transport(&self) -> Transport {
        self.transport
    }

    pub(super) const fn vlan(&self) -> Option<u16> {
        self.vlan
    }
}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.low.hash_words(state);
        self.high.hash_words(state);
        let vlan = self.vlan.map_or(0, |vlan| u64::from(vlan) + 1);
        state.write_u64(vlan << 1 | u64::from(self.transport == Transport::Udp));
    }
}

// === impl Side ===

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}
