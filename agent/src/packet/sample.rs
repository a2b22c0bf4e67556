//! Frames for tests, header by header.

use super::{Link, Packet, Parcel};
use crate::capture::{Frame, LinkType};
use phonehome_proto::time::Timestamp;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A frame of this link type; nothing of it was cut.
pub(crate) fn frame(link: LinkType, bytes: &[u8]) -> Frame<'_> {
    let wire_len_bytes = u32::try_from(bytes.len()).expect("short");
    Frame {
        bytes,
        link,
        wire_len_bytes,
        segment_bytes: None,
        time: Timestamp::from_seconds(1_700_000_000),
    }
}

/// Ethernet from station 1 to station 2.
pub(crate) fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    [
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1].as_slice(),
        &kind.to_be_bytes(),
        rest,
    ]
    .concat()
}

/// IPv4 from 192.0.2.1 to 198.51.100.2.
pub(crate) fn ipv4(protocol: u8, rest: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + rest.len()).expect("short").to_be_bytes();
    let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
    [
        [
            0x45, 0, total[0], total[1], 0, 7, 0x40, 0, 64, protocol, 0, 0,
        ]
        .as_slice(),
        &source.octets(),
        &destination.octets(),
        rest,
    ]
    .concat()
}

/// IPv6 from 2001:db8::1 to 2001:db8::2.
pub(crate) fn ipv6(next: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    let address = |last: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).octets();
    [
        [0x60, 0, 0, 0, length[0], length[1], next, 64].as_slice(),
        &address(1),
        &address(2),
        rest,
    ]
    .concat()
}

/// UDP.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("short");
    [source, destination, length, 0]
        .map(u16::to_be_bytes)
        .concat()
        .into_iter()
        .chain(payload.iter().copied())
        .collect()
}

/// TCP with a SYN's options in front of its payload.
pub(crate) fn tcp(source: u16, destination: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    [
        source.to_be_bytes().as_slice(),
        &destination.to_be_bytes(),
        &1_000_u32.to_be_bytes(),
        &2_000_u32.to_be_bytes(),
        &[0x60, flags, 0, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4],
        payload,
    ]
    .concat()
}

/// All of a packet; addresses on the link print as nothing.
pub(crate) fn told(packet: &Packet<'_>) -> (String, Link) {
    (format!("{packet:?}"), packet.link)
}

/// All of a packet out of a parcel, its frame being elsewhere by then.
pub(crate) fn put_away(packet: &Packet<'_>, frame: &[u8]) -> (String, Link) {
    let elsewhere = [b"...", frame].concat();
    told(&Parcel::of(packet, frame, 3).open(&elsewhere))
}
