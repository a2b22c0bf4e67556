//! IP and transport headers, and the way into tunnels.

use super::link::{after, be16};
use super::tunnel::{self, Inner};
use super::{Link, Packet, Segment, Skipped, TcpFlags, TcpSegment};
use phonehome_proto::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an IP header says; IPv6 extension headers are read and left behind.
struct Header<'a> {
    source: IpAddr,
    destination: IpAddr,
    /// Length of the packet, this header included.
    total_bytes: u32,
    protocol: u8,
    /// What was captured of the packet behind the header, without the link layer's padding.
    payload: &'a [u8],
}

/// Reads an IP packet, or the one inside it.
///
/// `uncaptured_bytes` were on the wire behind `bytes`. They matter only where the header leaves the
/// length to the network card (segmentation offload writes 0) or to a jumbo option.
pub(super) fn read(
    time: Timestamp,
    link: Link,
    bytes: &[u8],
    uncaptured_bytes: u32,
) -> Result<Packet<'_>, Skipped> {
    layer(time, link, bytes, uncaptured_bytes, IP_LAYERS_MAX)
}

fn layer<'a>(
    time: Timestamp,
    link: Link,
    bytes: &'a [u8],
    uncaptured_bytes: u32,
    layers_left: u8,
) -> Result<Packet<'a>, Skipped> {
    let layers_left = layers_left.checked_sub(1).ok_or(Skipped::TooDeep)?;
    let header = Header::read(bytes, uncaptured_bytes)?;
    let descend = |inner: Inner<'a>| {
        let (link, bytes) = inner.unwrap(link)?;
        layer(time, link, bytes, 0, layers_left)
    };
    match header.protocol {
        TCP => header.tcp(time, link),
        UDP => {
            let outer = header.udp(time, link)?;
            let Some(inner) = tunnel::in_udp(&outer) else {
                return Ok(outer);
            };
            match descend(inner) {
                // A port alone proves no tunnel: what does not read as one is what it was.
                Err(Skipped::Cut | Skipped::BadIp | Skipped::NotIp | Skipped::TooDeep) => Ok(outer),
                inner => inner,
            }
        }
        IPV4_IN_IP | IPV6_IN_IP => descend(Inner::Ip(header.payload)),
        GRE => descend(tunnel::gre(header.payload)?),
        MPLS_IN_IP => descend(Inner::EtherType(0x8847, header.payload)),
        ICMP | ICMP_V6 => Err(Skipped::Icmp),
        _ => Err(Skipped::OtherTransport),
    }
}

// === impl Header ===

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8], uncaptured_bytes: u32) -> Result<Self, Skipped> {
        match bytes.first().ok_or(Skipped::Cut)? >> 4 {
            4 => Self::read_v4(bytes, uncaptured_bytes),
            6 => Self::read_v6(bytes, uncaptured_bytes),
            _ => Err(Skipped::BadIp),
        }
    }

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
            protocol: fixed[9],
            payload: after(within(bytes, total_bytes), header_bytes)?,
        })
    }

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
        let (protocol, payload) = past_extensions(fixed[6], &within(bytes, total_bytes)[40..])?;
        Ok(Self {
            source: address(8),
            destination: address(24),
            total_bytes,
            protocol,
            payload,
        })
    }

    fn tcp(&self, time: Timestamp, link: Link) -> Result<Packet<'a>, Skipped> {
        let fixed: &[u8; 20] = self.payload.first_chunk().ok_or(Skipped::Cut)?;
        let header_bytes = usize::from(fixed[12] >> 4) * 4;
        if header_bytes < fixed.len() {
            return Err(Skipped::BadTransport);
        }
        let number = |at: usize| {
            u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let segment = TcpSegment {
            seq: number(4),
            ack: number(8),
            flags: TcpFlags(fixed[13]),
            // Options may be cut off; then so is the payload.
            payload: self.payload.get(header_bytes..).unwrap_or_default(),
        };
        self.packet(time, link, Segment::Tcp(segment))
    }

    fn udp(&self, time: Timestamp, link: Link) -> Result<Packet<'a>, Skipped> {
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
        self.packet(time, link, Segment::Udp { payload })
    }

    fn packet(
        &self,
        time: Timestamp,
        link: Link,
        segment: Segment<'a>,
    ) -> Result<Packet<'a>, Skipped> {
        Ok(Packet {
            time,
            link,
            source: self.source,
            destination: self.destination,
            source_port: be16(self.payload, 0)?,
            destination_port: be16(self.payload, 2)?,
            ip_bytes: self.total_bytes,
            segment,
        })
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

/// The outermost IP header and three tunnels inside each other.
const IP_LAYERS_MAX: u8 = 4;
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
