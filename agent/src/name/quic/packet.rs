//! Long headers of QUIC (RFC 8999; RFC 9000, section 17.2), still under header protection.

use super::keys;
use crate::name::cursor::Cursor;

/// The longest connection identifier of every version we read.
const CONNECTION_ID_BYTES_MAX: usize = 20;
/// The most packets read from one datagram; honest ones coalesce three.
const PACKETS_MAX: usize = 16;
/// Packet number and sample that must follow an Initial's header (RFC 9001, section 5.4.2).
const PROTECTED_BYTES_MIN: usize = 4 + 16;

/// A packet with a long header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packet<'a> {
    /// An Initial of a version whose keys are known.
    Initial(Initial<'a>),
    /// Any other: it tells only that this is QUIC.
    Other,
}

/// An Initial packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Initial<'a> {
    pub(super) version: u32,
    pub(super) destination: ConnectionId,
    /// Everything from the first byte to the end the length field gives.
    pub(super) bytes: &'a [u8],
    /// Where the packet number begins.
    pub(super) number_at: usize,
}

/// A connection identifier: up to 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionId {
    bytes: [u8; CONNECTION_ID_BYTES_MAX],
    length: u8,
}

impl ConnectionId {
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut id = Self {
            bytes: [0; CONNECTION_ID_BYTES_MAX],
            length: 0,
        };
        id.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        id.length = u8::try_from(bytes.len()).ok()?;
        Some(id)
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The packets with long headers in a datagram, up to the first that cannot be one.
pub(super) fn packets(datagram: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (packet, after) = packet(rest)?;
        rest = after;
        Some(packet)
    })
    .take(PACKETS_MAX)
}

/// The first packet, and what follows it.
fn packet(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let first = cursor.u8()?;
    let version = cursor.u32()?;
    if first & 0xc0 != 0xc0 {
        return None;
    }
    if !keys::is_known(version) {
        return is_plausible(version).then_some((Packet::Other, &[]));
    }
    let destination = ConnectionId::new(cursor.vec8()?)?;
    let _source = ConnectionId::new(cursor.vec8()?)?;
    let kind = keys::packet_kind(version, first);
    if kind == Kind::Retry {
        return Some((Packet::Other, &[]));
    }
    if kind == Kind::Initial {
        let token_bytes = usize::try_from(cursor.varint()?).ok()?;
        let _token = cursor.take(token_bytes)?;
    }
    let length = usize::try_from(cursor.varint()?).ok()?;
    let number_at = bytes.len() - cursor.rest().len();
    cursor.take(length)?;
    let (bytes, rest) = (&bytes[..number_at + length], cursor.rest());
    if kind == Kind::Initial && length >= PROTECTED_BYTES_MIN {
        Some((
            Packet::Initial(Initial {
                version,
                destination,
                bytes,
                number_at,
            }),
            rest,
        ))
    } else {
        Some((Packet::Other, rest))
    }
}

/// The type of a long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

/// Versions without keys here that are still QUIC: other drafts, Meta's, Google's. Version
/// Negotiation is not among them: it has no mark but zeros, and a client spoke before it.
const fn is_plausible(version: u32) -> bool {
    matches!(
        version.to_be_bytes(),
        [0xff, 0, 0, _] | [0xfa, 0xce, 0xb0, _] | [b'Q' | b'T', b'0', _, _]
    )
}
