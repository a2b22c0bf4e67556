//! Ethernet frames with IP and UDP or TCP inside, checksums included.
//!
//! A [`Frame`] may be cut: bulk data keeps its true lengths in every header, but only the first
//! [`SNAP_BYTES`] of the frame are held. What is cut off is zeros, so that checksums hold even for
//! bytes that are not there.

use std::net::{IpAddr, SocketAddr};

/// Bytes kept of a frame that carries bulk data.
pub const SNAP_BYTES: usize = 128;

/// A MAC address.
pub type Mac = [u8; 6];

/// A frame as captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the capture holds.
    pub bytes: Vec<u8>,
    /// How long it was on the wire.
    pub wire_bytes: u32,
}

/// Who hands a frame to whom on the LAN.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Source.
    pub from: Mac,
    /// Destination.
    pub to: Mac,
}

/// What a TCP segment says beside its addresses.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledge: u32,
    /// `SYN`, `ACK` and the like, as bits.
    pub flags: u8,
    /// Data, or the beginning of it.
    pub data: &'a [u8],
    /// Data on the wire: `data` and then zeros.
    pub data_bytes: usize,
}

/// TCP's flag bits (RFC 9293, section 3.1).
pub mod flag {
    /// Last data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise.
    pub const SYN: u8 = 0x02;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

impl Link {
    /// The way back.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            from: self.to,
            to: self.from,
        }
    }
}

/// A whole UDP datagram.
#[must_use]
pub fn udp(link: Link, from: SocketAddr, to: SocketAddr, data: &[u8]) -> Frame {
    udp_cut(link, from, to, data, data.len())
}

/// A UDP datagram of `data_bytes`, of which `data` is the beginning.
#[must_use]
pub fn udp_cut(
    link: Link,
    from: SocketAddr,
    to: SocketAddr,
    data: &[u8],
    data_bytes: usize,
) -> Frame {
    let length = u16_of(8 + data_bytes);
    let mut message = Vec::with_capacity(8 + data.len());
    message.extend(from.port().to_be_bytes());
    message.extend(to.port().to_be_bytes());
    message.extend(length.to_be_bytes());
    message.extend([0, 0]);
    message.extend(data);
    let sum = checksum(from.ip(), to.ip(), UDP, length, &message);
    // Zero would mean "no checksum" (RFC 768).
    let sum = if sum == 0 { 0xffff } else { sum };
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    packet(link, from.ip(), to.ip(), UDP, &message, usize::from(length))
}

/// A TCP segment. A SYN carries the options of a phone: maximum segment size and window scale.
#[must_use]
pub fn tcp(link: Link, from: SocketAddr, to: SocketAddr, segment: Segment<'_>) -> Frame {
    let options: &[u8] = if segment.flags & flag::SYN == 0 {
        &[]
    } else {
        &[2, 4, 0x05, 0xb4, 1, 3, 3, 8]
    };
    let header_bytes = 20 + options.len();
    let mut message = Vec::with_capacity(header_bytes + segment.data.len());
    message.extend(from.port().to_be_bytes());
    message.extend(to.port().to_be_bytes());
    message.extend(segment.sequence.to_be_bytes());
    message.extend(segment.acknowledge.to_be_bytes());
    message.push(u8::try_from(header_bytes / 4 * 16).expect("a TCP header has at most 60 bytes"));
    message.push(segment.flags);
    message.extend([0xff, 0xff, 0, 0, 0, 0]);
    message.extend(options);
    message.extend(segment.data);
    let length = u16_of(header_bytes + segment.data_bytes);
    let sum = checksum(from.ip(), to.ip(), TCP, length, &message);
    message[16..18].copy_from_slice(&sum.to_be_bytes());
    packet(link, from.ip(), to.ip(), TCP, &message, usize::from(length))
}

const TCP: u8 = 6;
const UDP: u8 = 17;

/// An IP packet with `message` as the beginning of a payload of `message_bytes`, in Ethernet.
fn packet(
    link: Link,
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    message: &[u8],
    message_bytes: usize,
) -> Frame {
    let mut bytes = Vec::with_capacity(14 + 40 + message.len());
    bytes.extend(link.to);
    bytes.extend(link.from);
    let ip_bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            bytes.extend([0x08, 0x00]);
            let start = bytes.len();
            bytes.extend([0x45, 0]);
            bytes.extend(u16_of(20 + message_bytes).to_be_bytes());
            // Identification zero and "do not fragment", as phones send.
            bytes.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
            let sum = !fold(sum_of(&bytes[start..]));
            bytes[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
            20
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend(u16_of(message_bytes).to_be_bytes());
            bytes.extend([protocol, 64]);
            bytes.extend(from.octets());
            bytes.extend(to.octets());
            40
        }
        _ => unreachable!("both ends of a packet speak the same IP"),
    };
    bytes.extend(message);
    let wire_bytes = 14 + ip_bytes + message_bytes;
    if message.len() < message_bytes {
        bytes.resize(bytes.len().max(SNAP_BYTES.min(wire_bytes)), 0);
    }
    Frame {
        bytes,
        wire_bytes: u32::try_from(wire_bytes).expect("a frame is below 64 KiB"),
    }
}

/// The Internet checksum over pseudo-header and message (RFC 9293, section 3.1; RFC 8200, 8.1).
fn checksum(from: IpAddr, to: IpAddr, protocol: u8, length: u16, message: &[u8]) -> u16 {
    let addresses = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => sum_of(&from.octets()) + sum_of(&to.octets()),
        (IpAddr::V6(from), IpAddr::V6(to)) => sum_of(&from.octets()) + sum_of(&to.octets()),
        _ => unreachable!("both ends of a packet speak the same IP"),
    };
    !fold(addresses + u32::from(protocol) + u32::from(length) + sum_of(message))
}

fn sum_of(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| {
            u32::from(u16::from_be_bytes([
                pair[0],
                pair.get(1).copied().unwrap_or(0),
            ]))
        })
        .sum()
}

fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    u16::try_from(sum).expect("folded twice, a sum of 64 KiB fits 16 bits")
}

fn u16_of(length: usize) -> u16 {
    u16::try_from(length).expect("a packet is below 64 KiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link {
        from: [2, 0, 0, 0, 0, 1],
        to: [2, 0, 0, 0, 0, 2],
    };

    #[test]
    fn checksums_add_up_to_all_ones() {
        let ends = ("192.168.1.2:40000", "203.0.113.9:443");
        let (from, to): (SocketAddr, SocketAddr) = (
            ends.0.parse().expect("an address"),
            ends.1.parse().expect("an address"),
        );
        let segment = Segment {
            sequence: 9,
            acknowledge: 7,
            flags: flag::ACK,
            data: b"odd",
            data_bytes: 3,
        };
        let frame = tcp(LINK, from, to, segment);
        assert_eq!(frame.wire_bytes, 14 + 20 + 20 + 3);
        assert_eq!(fold(sum_of(&frame.bytes[14..34])), 0xffff);
        assert_eq!(checksum(from.ip(), to.ip(), TCP, 23, &frame.bytes[34..]), 0);
    }

    #[test]
    fn a_cut_frame_tells_its_true_length() {
        let (from, to) = ("[2001:db8::1]:1".parse(), "[2001:db8::2]:2".parse());
        let frame = udp_cut(
            LINK,
            from.expect("an address"),
            to.expect("an address"),
            &[1; 20],
            1_200,
        );
        assert_eq!(
            (frame.bytes.len(), frame.wire_bytes),
            (SNAP_BYTES, 14 + 40 + 8 + 1_200)
        );
        assert_eq!(frame.bytes[18..20], (1_208u16).to_be_bytes());
    }
}
