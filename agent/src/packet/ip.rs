//! IP and transport headers, and the way into tunnels.

use super::link::{after, be16};
use super::tunnel::{self, Inner};
use super::{Link, Packet, Segment, Skipped, TcpFlags, TcpSegment};
use crate::capture::Frame;
use phonehome_proto::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

/// What an IP header says; IPv6 extension headers are read and left behind.
struct Header<'a> {
    source: IpAddr,
    destination: IpAddr,
    /// Length of the packet, this header included.
    total_bytes: u32,
    /// Length of this header and of its extensions.
    header_bytes: u32,
    protocol: u8,
    /// What was captured of the packet behind the header, without the link layer's padding.
    payload: &'a [u8],
}

/// What a frame says of a packet that its headers do not.
#[derive(Clone, Copy)]
struct Around {
    time: Timestamp,
    /// On the wire behind what was captured. It matters only where the header leaves the length to
    /// the network card (segmentation offload writes 0) or to a jumbo option.
    uncaptured_bytes: u32,
    /// Of each merged segment but the last.
    segment_bytes: Option<NonZeroU16>,
}

/// Reads the IP packet, or the one inside it, that a frame holds in `bytes`.
pub(super) fn read<'a>(
    frame: &Frame<'a>,
    link: Link,
    bytes: &'a [u8],
) -> Result<Packet<'a>, Skipped> {
    layer(Around::of(frame), link, bytes, TUNNELS_MAX)
}

/// Reads an IP packet that is TCP or UDP and certainly no tunnel's; `None` where that is not so.
#[inline(always)]
pub(super) fn plain<'a>(frame: &Frame<'a>, link: Link, bytes: &'a [u8]) -> Option<Packet<'a>> {
    let around = Around::of(frame);
    let header = Header::read(bytes, around.uncaptured_bytes).ok()?;
    let (segment, segment_header_bytes) = match header.protocol {
        TCP => header.tcp().ok()?,
        UDP => header.udp().ok()?,
        _ => return None,
    };
    let ports = [be16(header.payload, 0).ok()?, be16(header.payload, 2).ok()?];
    let may_be_tunnel = header.protocol == UDP && ports.into_iter().any(tunnel::has_port);
    (!may_be_tunnel).then(|| header.packet(around, link, ports, segment, segment_header_bytes))
}

/// Reads one IP packet, and the one inside it if it is a tunnel's.
fn layer<'a>(
    around: Around,
    link: Link,
    bytes: &'a [u8],
    tunnels_left: u8,
) -> Result<Packet<'a>, Skipped> {
    let header = Header::read(bytes, around.uncaptured_bytes)?;
    let (segment, segment_header_bytes) = match header.protocol {
        TCP => header.tcp()?,
        UDP => header.udp()?,
        other => return descend(around, link, header.tunnelled(other)?, tunnels_left),
    };
    let ports = [be16(header.payload, 0)?, be16(header.payload, 2)?];
    if let Segment::Udp { payload } = segment
        && let Some(inner) = tunnel::in_udp(ports[0], ports[1], payload)
    {
        match descend(around, link, inner, tunnels_left) {
            // A port alone proves no tunnel: what does not read as one is what it was.
            Err(Skipped::Cut | Skipped::BadIp | Skipped::NotIp | Skipped::TooDeep) => {}
            inner => return inner,
        }
    }
    Ok(header.packet(around, link, ports, segment, segment_header_bytes))
}

/// Reads the packet inside a tunnel.
fn descend<'a>(
    around: Around,
    link: Link,
    inner: Inner<'a>,
    tunnels_left: u8,
) -> Result<Packet<'a>, Skipped> {
    let (link, bytes) = inner.unwrap(link)?;
    let tunnels_left = tunnels_left.checked_sub(1).ok_or(Skipped::TooDeep)?;
    let around = Around {
        uncaptured_bytes: 0,
        ..around
    };
    layer(around, link, bytes, tunnels_left)
}

// === impl Around ===

impl Around {
    #[inline(always)]
    fn of(frame: &Frame<'_>) -> Self {
        let captured_bytes = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        Self {
            time: frame.time,
            uncaptured_bytes: frame.wire_len_bytes.saturating_sub(captured_bytes),
            segment_bytes: frame.segment_bytes,
        }
    }
}

// === impl Header ===

impl<'a> Header<'a> {
    #[inline(always)]
    fn read(bytes: &'a [u8], uncaptured_bytes: u32) -> Result<Self, Skipped> {
        match bytes.first().ok_or(Skipped::Cut)? >> 4 {
            4 => Self::read_v4(bytes, uncaptured_bytes),
            6 => Self::read_v6(bytes, uncaptured_bytes),
            _ => Err(Skipped::BadIp),
        }
    }

    #[inline(always)]
    fn read_v4(bytes: &'a [u8], uncaptured_bytes: u32) -> Result<Self, Skipped> {
        let fixed: &[u8; 20] = bytes.first_chunk().ok_or(Skipped::Cut)?;
        let header_bytes = usize::from(fixed[0] & 0x0f) * 4;
        let total_bytes = match u16::from_be_bytes([fixed[2], fixed[3]]) {
            0 => on_wire(bytes, uncaptured_bytes),
            total => total.into(),
        };
        if header_bytes < fixed.len() || (total_bytes as usize) < header_bytes {
            return Err(Skipped::BadIp);
        }
        if u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff != 0 {
            return Err(Skipped::LaterFragment);
        }
        let address = |at: usize| {
            IpAddr::V4(Ipv4Addr::new(
                fixed[at],
                fixed[at + 1],
                fixed[at + 2],
                fixed[at + 3],
            ))
        };
        Ok(Self {
            source: address(12),
            destination: address(16),
            total_bytes,
            header_bytes: u32::from(fixed[0] & 0x0f) * 4,
            protocol: fixed[9],
            payload: after(within(bytes, total_bytes), header_bytes)?,
        })
    }

    #[inline(always)]
    fn read_v6(bytes: &'a [u8], uncaptured_bytes: u32) -> Result<Self, Skipped> {
        let fixed: &[u8; 40] = bytes.first_chunk().ok_or(Skipped::Cut)?;
        let total_bytes = match u16::from_be_bytes([fixed[4], fixed[5]]) {
            0 => on_wire(bytes, uncaptured_bytes),
            payload => u32::from(payload) + 40,
        };
        let address = |at: usize| {
            let octets: [u8; 16] = fixed[at..at + 16].try_into().expect("sixteen bytes");
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let captured = within(bytes, total_bytes);
        let (protocol, payload) = match fixed[6] {
            transport @ (TCP | UDP) => (transport, &captured[40..]),
            next => past_extensions(next, &captured[40..])?,
        };
        let header_bytes = captured.len() - payload.len();
        Ok(Self {
            source: address(8),
            destination: address(24),
            total_bytes,
            header_bytes: u32::try_from(header_bytes).expect("a few extensions of 2 KiB at most"),
            protocol,
            payload,
        })
    }

    /// The TCP segment, and the length of its header.
    #[inline(always)]
    fn tcp(&self) -> Result<(Segment<'a>, usize), Skipped> {
        let fixed: &[u8; 20] = self.payload.first_chunk().ok_or(Skipped::Cut)?;
        let header_bytes = usize::from(fixed[12] >> 4) * 4;
        if header_bytes < fixed.len() {
            return Err(Skipped::BadTransport);
        }
        let number = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        // Options may be cut off; then so is the payload.
        let payload = self.payload.get(header_bytes..).unwrap_or_default();
        let segment = TcpSegment {
            seq: number(4),
            ack: number(8),
            flags: TcpFlags(fixed[13]),
            options: &self.payload[fixed.len()..header_bytes.min(self.payload.len())],
            payload,
            head: TcpSegment::head_of(payload),
        };
        Ok((Segment::Tcp(segment), header_bytes))
    }

    /// The UDP datagram, and the length of its header.
    #[inline(always)]
    fn udp(&self) -> Result<(Segment<'a>, usize), Skipped> {
        let captured = after(self.payload, UDP_HEADER_BYTES)?;
        let payload = match usize::from(be16(self.payload, 4)?) {
            // Jumbograms and segmentation offload leave the length to IP.
            0 => captured,
            length => {
                let payload_bytes = length
                    .checked_sub(UDP_HEADER_BYTES)
                    .ok_or(Skipped::BadTransport)?;
                &captured[..payload_bytes.min(captured.len())]
            }
        };
        Ok((Segment::Udp { payload }, UDP_HEADER_BYTES))
    }

    /// The packet; its segment's own header has so many bytes.
    #[inline(always)]
    fn packet(
        &self,
        around: Around,
        link: Link,
        ports: [u16; 2],
        segment: Segment<'a>,
        segment_header_bytes: usize,
    ) -> Packet<'a> {
        let (ip_bytes, wire_packets) = self.on_wire(around.segment_bytes, segment_header_bytes);
        Packet {
            time: around.time,
            link,
            source: self.source,
            destination: self.destination,
            source_port: ports[0],
            destination_port: ports[1],
            ip_bytes,
            wire_packets,
            segment,
        }
    }

    /// What a packet of another protocol carries, if it is a tunnel's.
    fn tunnelled(&self, protocol: u8) -> Result<Inner<'a>, Skipped> {
        match protocol {
            IPV4_IN_IP | IPV6_IN_IP => Ok(Inner::Ip(self.payload)),
            GRE => tunnel::gre(self.payload),
            MPLS_IN_IP => Ok(Inner::EtherType(0x8847, self.payload)),
            ICMP | ICMP_V6 => Err(Skipped::Icmp),
            _ => Err(Skipped::OtherTransport),
        }
    }

    /// The bytes and packets that passed on the wire, where the kernel may have merged several; the
    /// segment's own header has so many bytes.
    #[inline(always)]
    fn on_wire(
        &self,
        segment_bytes: Option<NonZeroU16>,
        segment_header_bytes: usize,
    ) -> (u32, u32) {
        let Some(segment_bytes) = segment_bytes else {
            return (self.total_bytes, 1);
        };
        let segment_header_bytes = u32::try_from(segment_header_bytes).expect("at most 60");
        let headers_bytes = self.header_bytes + segment_header_bytes;
        let payload_bytes = self.total_bytes.saturating_sub(headers_bytes);
        let wire_packets = payload_bytes.div_ceil(segment_bytes.get().into()).max(1);
        let left_out_bytes = headers_bytes.saturating_mul(wire_packets - 1);
        (
            self.total_bytes.saturating_add(left_out_bytes),
            wire_packets,
        )
    }
}

/// Passes the extension headers of RFC 8200 and gives the transport protocol and what follows.
fn past_extensions(mut next: u8, mut rest: &[u8]) -> Result<(u8, &[u8]), Skipped> {
    for _ in 0..EXTENSIONS_MAX {
        let units = || rest.get(1).copied().map(usize::from).ok_or(Skipped::Cut);
        let length_bytes = match next {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 => (units()? + 1) * 8,
            AUTHENTICATION => (units()? + 2) * 4,
            FRAGMENT => {
                if be16(rest, 2)? & 0xfff8 != 0 {
                    return Err(Skipped::LaterFragment);
                }
                8
            }
            _ => return Ok((next, rest)),
        };
        next = *rest.first().ok_or(Skipped::Cut)?;
        rest = after(rest, length_bytes)?;
    }
    Err(Skipped::TooDeep)
}

/// The packet without the padding that short Ethernet frames end in.
fn within(bytes: &[u8], total_bytes: u32) -> &[u8] {
    &bytes[..bytes.len().min(total_bytes as usize)]
}

fn on_wire(bytes: &[u8], uncaptured_bytes: u32) -> u32 {
    u32::try_from(bytes.len())
        .unwrap_or(u32::MAX)
        .saturating_add(uncaptured_bytes)
}

const UDP_HEADER_BYTES: usize = 8;

/// Tunnels inside each other.
const TUNNELS_MAX: u8 = 3;
/// RFC 8200 names no limit; real packets have two or three.
const EXTENSIONS_MAX: usize = 8;

// Protocol numbers of IANA's registry.
const HOP_BY_HOP: u8 = 0;
const ICMP: u8 = 1;
const IPV4_IN_IP: u8 = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6_IN_IP: u8 = 41;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const GRE: u8 = 47;
const AUTHENTICATION: u8 = 51;
const ICMP_V6: u8 = 58;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const MPLS_IN_IP: u8 = 137;
const HIP: u8 = 139;
const SHIM6: u8 = 140;
