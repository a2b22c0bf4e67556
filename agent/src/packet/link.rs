//! Link-layer headers, down to the IP packet.
//!
//! Each function takes what is left of the frame and what is known so far, and gives the same one
//! header further in. The depth is bounded by [`DEPTH_MAX`].

use super::{DEPTH_MAX, Link, MacAddr, Skipped, wifi};
use crate::capture::LinkType;

/// What the link layer said, and the bytes behind it: IP, of the version they themselves say.
pub(super) type Unwrapped<'a> = Result<(Link, &'a [u8]), Skipped>;

/// An Ethernet header with IP behind it; `None` where there is another, or more than that.
#[inline(always)]
pub(super) fn plain(kind: LinkType, bytes: &[u8]) -> Option<(Link, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<14>()?;
    let is_ip = matches!([header[12], header[13]], [0x08, 0x00] | [0x86, 0xdd]);
    let link = Link {
        destination: MacAddr::read(header),
        source: MacAddr::read(&header[6..]),
        vlan: None,
    };
    (kind == LinkType::ETHERNET && is_ip).then_some((link, rest))
}

/// Reads the link-layer headers a capture of this type begins with.
pub(super) fn read(kind: LinkType, bytes: &[u8]) -> Unwrapped<'_> {
    let link = Link::default();
    match kind {
        LinkType::ETHERNET => ethernet(bytes, link, DEPTH_MAX),
        LinkType::RAW
        | LinkType::RAW_BSD
        | LinkType::RAW_OPENBSD
        | LinkType::IPV4
        | LinkType::IPV6 => Ok((link, bytes)),
        LinkType::LINUX_SLL => linux_cooked(bytes),
        LinkType::LINUX_SLL2 => linux_cooked_2(bytes),
        LinkType::NULL | LinkType::LOOP => bsd_loopback(bytes),
        LinkType::PPP | LinkType::PPP_HDLC => ppp(bytes, link, DEPTH_MAX),
        LinkType::PPP_WITH_DIR => ppp(after(bytes, 1)?, link, DEPTH_MAX),
        LinkType::PPP_ETHER => pppoe(bytes, link, DEPTH_MAX),
        LinkType::C_HDLC => ether_type(be16(bytes, 2)?, after(bytes, 4)?, link, DEPTH_MAX),
        LinkType::MPLS => mpls(bytes, link, DEPTH_MAX),
        LinkType::IEEE802_11 => wifi::read(bytes, link, DEPTH_MAX),
        LinkType::IEEE802_11_RADIOTAP => {
            // Version, padding, then the header's own length in little-endian.
            let length = be16(bytes, 2)?.swap_bytes();
            wifi::read(after(bytes, length.into())?, link, DEPTH_MAX)
        }
        _ => Err(Skipped::UnknownLink),
    }
}

/// Ethernet II or IEEE 802.3.
pub(super) fn ethernet(bytes: &[u8], mut link: Link, depth: u8) -> Unwrapped<'_> {
    let kind = be16(bytes, 12)?;
    link.destination = MacAddr::read(bytes);
    link.source = MacAddr::read(&bytes[6..]);
    ether_type(kind, &bytes[14..], link, depth)
}

/// What stands behind an EtherType; values up to 1500 are lengths of an 802.2 frame.
pub(super) fn ether_type(kind: u16, rest: &[u8], mut link: Link, depth: u8) -> Unwrapped<'_> {
    let depth = depth.checked_sub(1).ok_or(Skipped::TooDeep)?;
    match kind {
        0x0800 | 0x86dd => Ok((link, rest)),
        // 802.1Q, 802.1ad, and what came before 802.1ad.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
            let vlan = be16(rest, 0)? & 0x0fff;
            // VLAN 0 says only a priority.
            if vlan != 0 {
                link.vlan = Some(vlan);
            }
            ether_type(be16(rest, 2)?, after(rest, 4)?, link, depth)
        }
        0x8847 | 0x8848 => mpls(rest, link, depth),
        0x8864 => pppoe(rest, link, depth),
        0x880b => ppp(rest, link, depth),
        // 802.1ah: a service tag, then the customer's whole frame.
        0x88e7 => ethernet(after(rest, 4)?, link, depth),
        0..=1500 => llc(rest, link, depth),
        _ => Err(Skipped::NotIp),
    }
}

/// IEEE 802.2 with SNAP, which carries an EtherType.
pub(super) fn llc(bytes: &[u8], link: Link, depth: u8) -> Unwrapped<'_> {
    match bytes {
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low, rest @ ..] => {
            ether_type(u16::from_be_bytes([*high, *low]), rest, link, depth)
        }
        [0xaa, ..] if bytes.len() < 8 => Err(Skipped::Cut),
        _ => Err(Skipped::NotIp),
    }
}

/// RFC 3032: labels of four bytes, the last one marked; nothing says what follows but its first
/// four bits.
fn mpls(bytes: &[u8], link: Link, depth: u8) -> Unwrapped<'_> {
    let depth = depth.checked_sub(1).ok_or(Skipped::TooDeep)?;
    let last = bytes
        .chunks_exact(4)
        .take(MPLS_LABELS_MAX)
        .position(|label| label[2] & 0x01 != 0)
        .ok_or(Skipped::Cut)?;
    let rest = after(bytes, (last + 1) * 4)?;
    match rest.first().ok_or(Skipped::Cut)? >> 4 {
        4 | 6 => Ok((link, rest)),
        // RFC 4385: a control word before an Ethernet frame.
        0 => ethernet(after(rest, 4)?, link, depth),
        _ => Err(Skipped::NotIp),
    }
}

/// RFC 2516: version and type, code 0 for data, session, length.
fn pppoe(bytes: &[u8], link: Link, depth: u8) -> Unwrapped<'_> {
    if be16(bytes, 0)? != 0x1100 {
        return Err(Skipped::NotIp);
    }
    ppp(after(bytes, 6)?, link, depth)
}

/// RFC 1661 and 1662: framing bytes may be absent, and the protocol may be one byte.
pub(super) fn ppp(bytes: &[u8], link: Link, depth: u8) -> Unwrapped<'_> {
    let depth = depth.checked_sub(1).ok_or(Skipped::TooDeep)?;
    let bytes = match bytes {
        [0xff, 0x03, rest @ ..] => rest,
        // Cisco's HDLC: unicast or broadcast, zero, EtherType.
        [0x0f | 0x8f, 0x00, high, low, rest @ ..] => {
            return ether_type(u16::from_be_bytes([*high, *low]), rest, link, depth);
        }
        _ => bytes,
    };
    let (protocol, rest) = match bytes {
        [protocol, rest @ ..] if protocol & 0x01 != 0 => (u16::from(*protocol), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => return Err(Skipped::Cut),
    };
    match protocol {
        0x0021 | 0x0057 => Ok((link, rest)),
        0x0281 | 0x0283 => mpls(rest, link, depth),
        _ => Err(Skipped::NotIp),
    }
}

/// DLT_NULL and DLT_LOOP: an address family, in the order of whichever machine captured it.
fn bsd_loopback(bytes: &[u8]) -> Unwrapped<'_> {
    let family = bytes.first_chunk().ok_or(Skipped::Cut)?;
    let (big, little) = (u32::from_be_bytes(*family), u32::from_le_bytes(*family));
    match big.min(little) {
        // AF_INET everywhere; AF_INET6 on Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS.
        2 | 10 | 23 | 24 | 28 | 30 => Ok((Link::default(), &bytes[4..])),
        _ => Err(Skipped::NotIp),
    }
}

/// LINKTYPE_LINUX_SLL: packet type, hardware type, address length, address, protocol.
fn linux_cooked(bytes: &[u8]) -> Unwrapped<'_> {
    let protocol = be16(bytes, 14)?;
    let source = if be16(bytes, 4)? == 6 {
        MacAddr::read(&bytes[6..])
    } else {
        None
    };
    let link = Link {
        source,
        ..Link::default()
    };
    cooked_protocol(protocol, &bytes[16..], link)
}

/// LINKTYPE_LINUX_SLL2: protocol, interface, hardware type, packet type, address length, address.
fn linux_cooked_2(bytes: &[u8]) -> Unwrapped<'_> {
    let rest = after(bytes, 20)?;
    let source = if bytes[11] == 6 {
        MacAddr::read(&bytes[12..])
    } else {
        None
    };
    let link = Link {
        source,
        ..Link::default()
    };
    cooked_protocol(be16(bytes, 0)?, rest, link)
}

fn cooked_protocol(protocol: u16, rest: &[u8], link: Link) -> Unwrapped<'_> {
    match protocol {
        0x0004 => llc(rest, link, DEPTH_MAX),
        // Other small numbers are Linux's own, not lengths.
        0..=1500 => Err(Skipped::NotIp),
        _ => ether_type(protocol, rest, link, DEPTH_MAX),
    }
}

/// The big-endian number at `offset`.
#[inline]
pub(super) fn be16(bytes: &[u8], offset: usize) -> Result<u16, Skipped> {
    let bytes = bytes
        .get(offset..)
        .and_then(<[u8]>::first_chunk)
        .ok_or(Skipped::Cut)?;
    Ok(u16::from_be_bytes(*bytes))
}

/// What follows the first `count` bytes.
#[inline]
pub(super) fn after(bytes: &[u8], count: usize) -> Result<&[u8], Skipped> {
    bytes.get(count..).ok_or(Skipped::Cut)
}

/// More labels than any network stacks.
const MPLS_LABELS_MAX: usize = 16;
