//! Who lives in the home, as far as one packet can tell.

use crate::packet::{Packet, Segment};
use phonehome_proto::net::Scope;

/// Whether the sender of a packet can be a device of the home. A private address is inside; a public
/// one is when it opens something, as a device does that has a public address of its own (IPv6, or a
/// capture from before the router), and its destination is not private.
pub(super) fn may_live_here(packet: &Packet<'_>, scope: Scope) -> bool {
    match scope {
        Scope::Private => true,
        Scope::Special => packet.source.is_unspecified(),
        Scope::Public | Scope::Documentation => {
            opens(packet) && Scope::of(packet.destination) != Scope::Private
        }
    }
}

/// Whether a packet opens a conversation, as far as one packet can tell.
fn opens(packet: &Packet<'_>) -> bool {
    match packet.segment {
        Segment::Tcp(segment) => segment.flags.opens(),
        Segment::Udp { .. } => {
            packet.destination_port < SERVICE_PORTS_END && packet.source_port >= SERVICE_PORTS_END
        }
    }
}

/// Ports below belong to services (RFC 6335, "system ports").
const SERVICE_PORTS_END: u16 = 1_024;
