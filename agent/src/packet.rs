//! Packets: what the headers of a frame say.
//!
//! Takes a [`Frame`], gives a [`Packet`] or the reason there is none. Reads link-layer headers, the
//! IP header, tunnels, and the TCP or UDP header; what lies behind them is borrowed from the frame
//! and dies with it. DNS, DHCP and mDNS messages are read only when asked for, by the methods of
//! [`Packet`].
//!
//! Promises: [`read`] is a pure function of the frame, total on arbitrary bytes, and allocates
//! nothing; every frame gives exactly one packet or one [`Skipped`].
//!
//! **Tunnels.** Inside IP-in-IP, GRE, VXLAN, Geneve, GTP-U, CAPWAP and TZSP the inner packet is *the*
//! packet: its addresses, its IP length and, where the tunnel carries Ethernet or 802.11, its link
//! addresses. The outer headers are the tunnel's business and are counted nowhere.

pub mod dhcp;
pub mod dns;
mod ip;
pub mod key;
mod link;
mod mac;
pub mod mdns;
pub mod offer;
mod parcel;
#[cfg(test)]
pub(crate) mod sample;
mod tunnel;
mod wifi;

pub use mac::MacAddr;
pub use parcel::Parcel;

use crate::capture::Frame;
use crate::tally::{Tally, reasons};
use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use std::net::IpAddr;

/// The headers of one frame, and the transport's payload while the frame lives.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When the frame was seen.
    pub time: Timestamp,
    /// Who sent it to whom on the link.
    pub link: Link,
    /// The sender's IP address.
    pub source: IpAddr,
    /// The receiver's IP address.
    pub destination: IpAddr,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// The packet's length at the IP layer, headers included, however little of it was captured; of
    /// merged segments, the sum.
    pub ip_bytes: u32,
    /// How many packets it was on the wire: more than one where the kernel said that it merged them.
    pub wire_packets: u32,
    /// The transport and what it carries.
    pub segment: Segment<'a>,
}

/// What the link layer says about a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The station that sent it, where the link layer has addresses.
    pub source: Option<MacAddr>,
    /// The station it was sent to.
    pub destination: Option<MacAddr>,
    /// The innermost 802.1Q tag's VLAN, 1 to 4094.
    pub vlan: Option<u16>,
}

/// A transport header and the captured part of its payload.
#[derive(Clone, Copy, Debug)]
pub enum Segment<'a> {
    /// RFC 9293.
    Tcp(TcpSegment<'a>),
    /// RFC 768.
    Udp {
        /// The datagram, as far as it was captured.
        payload: &'a [u8],
    },
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// Sequence number of the first payload byte, or of the SYN.
    pub seq: u32,
    /// The next sequence number expected from the other side; means nothing without ACK.
    pub ack: u32,
    /// The control bits.
    pub flags: TcpFlags,
    /// The options, as far as they were captured.
    pub options: &'a [u8],
    /// The payload, as far as it was captured.
    pub payload: &'a [u8],
    /// How the payload begins; zeros behind its end. Whoever asks no more need not fetch it from memory.
    pub head: [u8; 4],
}

/// The control bits of a TCP header that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(u8);

reasons! {
    /// Why a frame gives no packet.
    pub enum Skipped {
        /// A link layer that is not read.
        UnknownLink = "unknown_link",
        /// It carries no IP: ARP, LLDP, a Wi-Fi beacon.
        NotIp = "not_ip",
        /// It is encrypted below IP: Wi-Fi data frames without their keys.
        EncryptedLink = "encrypted_link",
        /// It was cut before the end of its headers.
        Cut = "cut",
        /// An IP header that contradicts itself.
        BadIp = "bad_ip",
        /// A fragment other than the first: no ports, and its bytes cannot be told to a flow.
        LaterFragment = "later_fragment",
        /// ICMP or ICMPv6.
        Icmp = "icmp",
        /// A transport that is neither TCP, UDP nor ICMP.
        OtherTransport = "other_transport",
        /// A TCP or UDP header that contradicts itself.
        BadTransport = "bad_transport",
        /// More headers inside each other than any real network makes.
        TooDeep = "too_deep",
    }
}

/// What became of frames: `frames = packets + skipped.total()`.
#[derive(Clone, Debug, Default)]
pub struct PacketCounts {
    /// Frames read.
    pub frames: u64,
    /// Frames that gave a packet.
    pub packets: u64,
    /// Frames that gave none.
    pub skipped: Tally<Skipped>,
}

/// Reads the headers of a frame.
///
/// # Errors
///
/// [`Skipped`] when there is no packet in it.
#[inline]
pub fn read<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, Skipped> {
    plain(frame).map_or_else(|| read_any(frame), Ok)
}

/// Reads the headers of a frame that nearly every frame has: Ethernet, IP, TCP or UDP. What it gives,
/// [`read`] gives too; where it gives nothing, that one has still to be asked.
///
/// In one piece with its callers: moving a packet about would take longer than reading it.
#[inline(always)]
#[must_use]
pub fn plain<'a>(frame: &Frame<'a>) -> Option<Packet<'a>> {
    let (link, network) = link::plain(frame.link, frame.bytes)?;
    ip::plain(frame, link, network)
}

#[inline(never)]
fn read_any<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, Skipped> {
    let (link, network) = link::read(frame.link, frame.bytes)?;
    ip::read(frame, link, network)
}

// === impl Packet ===

impl<'a> Packet<'a> {
    /// Which transport it belongs to.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match self.segment {
            Segment::Tcp(_) => Transport::Tcp,
            Segment::Udp { .. } => Transport::Udp,
        }
    }

    /// The transport's payload, as far as it was captured.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        match self.segment {
            Segment::Tcp(segment) => segment.payload,
            Segment::Udp { payload } => payload,
        }
    }

    /// The DNS message it carries, if it is one to or from port 53. Over TCP, messages that lie
    /// across segments are not read.
    #[must_use]
    pub fn dns(&self) -> Option<dns::Message> {
        if !self.touches_port(53) {
            return None;
        }
        match self.segment {
            Segment::Udp { payload } => dns::read(payload),
            Segment::Tcp(segment) => dns::read_framed(segment.payload),
        }
    }

    /// The name it asks DNS for, if it is to port 53 and asks.
    #[must_use]
    #[inline]
    pub fn dns_question(&self) -> Option<dns::DnsName> {
        if self.destination_port != 53 {
            return None;
        }
        match self.segment {
            Segment::Udp { payload } => dns::question(payload),
            Segment::Tcp(_) => self.dns()?.question,
        }
    }

    /// The DHCPv4 message it carries, if it is one.
    #[must_use]
    pub fn dhcp(&self) -> Option<dhcp::Message<'a>> {
        match self.segment {
            Segment::Udp { payload } if self.touches_port(67) => dhcp::read(payload),
            _ => None,
        }
    }

    /// The mDNS message it carries, if it is one.
    #[must_use]
    pub fn mdns(&self) -> Option<mdns::Message> {
        match self.segment {
            Segment::Udp { payload } if self.source_port == 5353 => mdns::read(payload),
            _ => None,
        }
    }

    const fn touches_port(&self, port: u16) -> bool {
        self.source_port == port || self.destination_port == port
    }
}

// === impl TcpFlags ===

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// First of a connection.
    pub const SYN: Self = Self(0x02);
    /// The connection is broken off.
    pub const RST: Self = Self(0x04);
    /// The acknowledgement number means something.
    pub const ACK: Self = Self(0x10);

    /// The bits as they stand in a header.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether all bits of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether this opens a connection: SYN and not ACK.
    #[must_use]
    pub const fn opens(self) -> bool {
        self.has(Self::SYN) && !self.has(Self::ACK)
    }

    /// Whether this accepts a connection: SYN and ACK.
    #[must_use]
    pub const fn accepts(self) -> bool {
        self.has(Self::SYN) && self.has(Self::ACK)
    }
}

// === impl TcpSegment ===

impl TcpSegment<'_> {
    /// How a payload begins.
    #[inline(always)]
    #[must_use]
    pub const fn head_of(payload: &[u8]) -> [u8; 4] {
        match *payload {
            [a, b, c, d, ..] => [a, b, c, d],
            [a, b, c] => [a, b, c, 0],
            [a, b] => [a, b, 0, 0],
            [a] => [a, 0, 0, 0],
            [] => [0; 4],
        }
    }
}

// === impl PacketCounts ===

impl PacketCounts {
    /// Reads a frame and counts what became of it.
    pub fn read<'a>(&mut self, frame: &Frame<'a>) -> Option<Packet<'a>> {
        let read = read(frame);
        self.count(&read);
        read.ok()
    }

    /// Counts what became of a frame.
    #[inline]
    pub fn count(&mut self, read: &Result<Packet<'_>, Skipped>) {
        self.frames += 1;
        match read {
            Ok(_) => self.packets += 1,
            Err(why) => self.skipped.add(*why, 1),
        }
    }
}

/// Headers inside each other, link-layer tags and tunnels alike; more is [`Skipped::TooDeep`].
const DEPTH_MAX: u8 = 12;

#[cfg(test)]
mod tests;
