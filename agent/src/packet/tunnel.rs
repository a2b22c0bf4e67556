//! What tunnels carry: the way from a tunnel's header to the packet inside.
//!
//! Each reader checks everything its header fixes, because ports alone prove nothing.

use super::link::{self, Unwrapped, after, be16};
use super::{DEPTH_MAX, Link, Skipped, wifi};

/// What stands behind a tunnel's header.
#[derive(Clone, Copy)]
pub(super) enum Inner<'a> {
    Ip(&'a [u8]),
    Ethernet(&'a [u8]),
    EtherType(u16, &'a [u8]),
    Ppp(&'a [u8]),
    /// An 802.11 frame whose control bytes may be swapped.
    Wifi(&'a [u8]),
}

// === impl Inner ===

impl<'a> Inner<'a> {
    /// Down to the IP packet. A tunnel of frames brings link addresses of its own; a tunnel of
    /// packets keeps those it travelled with.
    pub(super) fn unwrap(self, outer: Link) -> Unwrapped<'a> {
        match self {
            Self::Ip(bytes) => Ok((outer, bytes)),
            Self::Ethernet(bytes) => link::ethernet(bytes, Link::default(), DEPTH_MAX),
            Self::EtherType(kind, bytes) => link::ether_type(kind, bytes, outer, DEPTH_MAX),
            Self::Ppp(bytes) => link::ppp(bytes, outer, DEPTH_MAX),
            Self::Wifi(bytes) => wifi::read_swapped(bytes, Link::default(), DEPTH_MAX),
        }
    }
}

/// RFC 2784 and 2890, and PPTP's version 1 (RFC 2637).
pub(super) fn gre(bytes: &[u8]) -> Result<Inner<'_>, Skipped> {
    let flags = be16(bytes, 0)?;
    let protocol = be16(bytes, 2)?;
    let word = |bit: u16| if flags & bit != 0 { 4 } else { 0 };
    let (checksum_or_routing, key, sequence, acknowledgement) =
        (word(0xc000), word(0x2000), word(0x1000), word(0x0080));
    match flags & 0x0007 {
        0 => {
            let rest = after(bytes, 4 + checksum_or_routing + key + sequence)?;
            Ok(match protocol {
                TRANSPARENT_ETHERNET => Inner::Ethernet(rest),
                // A mirrored port: with sequence numbers there is a header of eight bytes more.
                ERSPAN => Inner::Ethernet(after(rest, if sequence > 0 { 8 } else { 0 })?),
                kind => Inner::EtherType(kind, rest),
            })
        }
        1 if protocol == PPP => Ok(Inner::Ppp(after(bytes, 8 + sequence + acknowledgement)?)),
        _ => Err(Skipped::OtherTransport),
    }
}

/// Whether datagrams to or from this port may be a tunnel's.
#[inline(always)]
pub(super) const fn has_port(port: u16) -> bool {
    matches!(
        port,
        VXLAN | VXLAN_LINUX | GENEVE | TZSP | GTP_USER | CAPWAP_DATA
    )
}

/// What a datagram carries, if it is to or from a tunnel's port and begins as that tunnel does.
pub(super) fn in_udp(source: u16, destination: u16, payload: &[u8]) -> Option<Inner<'_>> {
    match destination {
        VXLAN | VXLAN_LINUX => vxlan(payload),
        GENEVE => geneve(payload),
        TZSP => tzsp(payload),
        _ if source == GTP_USER || destination == GTP_USER => gtp_user(payload),
        _ if source == CAPWAP_DATA || destination == CAPWAP_DATA => capwap(payload),
        _ => None,
    }
}

/// RFC 7348: one flag, everything else reserved but the network's number.
fn vxlan(payload: &[u8]) -> Option<Inner<'_>> {
    match payload {
        [0x08, 0, 0, 0, _, _, _, 0, frame @ ..] => Some(Inner::Ethernet(frame)),
        _ => None,
    }
}

/// RFC 8926: version 0, options counted in words.
fn geneve(payload: &[u8]) -> Option<Inner<'_>> {
    let &[lengths, _, high, low, ..] = payload else {
        return None;
    };
    if lengths >> 6 != 0 {
        return None;
    }
    let rest = payload.get(8 + usize::from(lengths & 0x3f) * 4..)?;
    match u16::from_be_bytes([high, low]) {
        TRANSPARENT_ETHERNET => Some(Inner::Ethernet(rest)),
        kind => Some(Inner::EtherType(kind, rest)),
    }
}

/// 3GPP TS 29.281: version 1, message type 255; optional words, then extension headers.
fn gtp_user(payload: &[u8]) -> Option<Inner<'_>> {
    let &[flags, 0xff, ..] = payload else {
        return None;
    };
    if flags & 0xf0 != 0x30 {
        return None;
    }
    let has_options = flags & 0x07 != 0;
    let mut offset = if has_options { 12 } else { 8 };
    if flags & 0x04 != 0 {
        // Each extension: its length in words, its content, and the next one's type at its end.
        let mut next = *payload.get(11)?;
        for _ in 0..GTP_EXTENSIONS_MAX {
            if next == 0 {
                break;
            }
            let words = usize::from(*payload.get(offset)?).max(1);
            offset += words * 4;
            next = *payload.get(offset - 1)?;
        }
    }
    Some(Inner::Ip(payload.get(offset..)?))
}

/// RFC 5415, section 4.3: one word says how long the header is and what it carries; a fragment's
/// place stands in the second. Only a frame's first fragment can be read.
fn capwap(payload: &[u8]) -> Option<Inner<'_>> {
    let (word, rest) = payload.split_first_chunk()?;
    let word = u32::from_be_bytes(*word);
    let place = u32::from_be_bytes(*rest.first_chunk()?);
    // Version 0, not encrypted.
    if word >> 24 != 0 {
        return None;
    }
    let header_bytes = (word >> 19 & 0x1f) as usize * 4;
    let (is_native, is_fragment) = (word & 0x100 != 0, word & 0x80 != 0);
    if header_bytes < 8 || is_fragment && place & 0xfff8 != 0 {
        return None;
    }
    let frame = payload.get(header_bytes..)?;
    Some(if is_native {
        Inner::Wifi(frame)
    } else {
        Inner::Ethernet(frame)
    })
}

/// TaZmen Sniffer Protocol, what routers mirror packets with: version 1, tags up to an end mark.
fn tzsp(payload: &[u8]) -> Option<Inner<'_>> {
    let [1, 0 | 1, 0, 1, tags @ ..] = payload else {
        return None;
    };
    let mut tags = tags;
    loop {
        tags = match tags {
            [1, frame @ ..] => return Some(Inner::Ethernet(frame)),
            [0, rest @ ..] => rest,
            [_, length, rest @ ..] => rest.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
}

// UDP ports of IANA's registry, and the one Linux used before there was one.
const VXLAN: u16 = 4789;
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const GTP_USER: u16 = 2152;
const CAPWAP_DATA: u16 = 5247;
const TZSP: u16 = 37008;

// EtherTypes that only tunnels carry.
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const ERSPAN: u16 = 0x88be;
const PPP: u16 = 0x880b;

/// More extension headers than the standard defines.
const GTP_EXTENSIONS_MAX: usize = 8;
