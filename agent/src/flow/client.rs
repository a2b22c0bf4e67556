//! Which side of a conversation is the client, as far as that can be told before anybody says so.

use super::{LanView, Packet, Way};
use crate::packet::key::Side;
use phonehome_proto::net::{Scope, Transport};

/// Who opened a connection, as the kernel has it: `home` is the side of the view's client.
pub(super) const fn opener(view: &LanView, home: Side) -> Side {
    match view.up {
        Way::Original => home,
        Way::Reply => home.other(),
    }
}

/// Who the client is when nobody has opened anything.
///
/// Servers listen on low ports, clients use those that systems hand out; a home's router lets
/// nothing in unasked, so that of a private and a public address the private one asked. Where both
/// leave it open: TCP without a SYN was under way before the capture began, so that who is seen
/// first says nothing and the lower port is the server's; UDP has no opening, and who is seen first
/// speaks for itself.
pub(super) fn guess(packet: &Packet<'_>, sender: Side) -> Side {
    let (source, destination) = (packet.source_port, packet.destination_port);
    let is_tcp = packet.transport() == Transport::Tcp;
    let is_served = |port: u16, other: u16| {
        (port < WELL_KNOWN_END && other >= WELL_KNOWN_END)
            || (is_tcp && port < EPHEMERAL_START && other >= EPHEMERAL_START)
    };
    let is_inside = |address| Scope::of(address) == Scope::Private;
    let sender_asks = if is_served(source, destination) != is_served(destination, source) {
        is_served(destination, source)
    } else if is_inside(packet.source) != is_inside(packet.destination) {
        is_inside(packet.source)
    } else {
        !is_tcp || source >= destination
    };
    if sender_asks { sender } else { sender.other() }
}

/// Ports below are assigned to services, and systems let only them listen there.
const WELL_KNOWN_END: u16 = 1_024;
/// Ports from here on are handed out to clients by every common system.
const EPHEMERAL_START: u16 = 32_768;
