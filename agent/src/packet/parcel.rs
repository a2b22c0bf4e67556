//! A packet that can be put away: what it borrows is told by its place.
//!
//! Takes a [`Packet`] and the place of its frame in some memory, gives it back for the same memory: so
//! packets can stand in a row beside the bytes they were read from, and go with them to another thread.

use super::{Link, Packet, Segment, TcpFlags, TcpSegment};
use phonehome_proto::time::Timestamp;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A packet without the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    time: Timestamp,
    link: Link,
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
    ip_bytes: u32,
    wire_packets: u32,
    segment: Placed,
}

/// An IP address in numbers, which are written and read whole.
#[derive(Clone, Copy, Debug)]
enum Address {
    V4(u32),
    V6([u64; 2]),
}

/// A [`Segment`] whose parts are told by their places.
#[derive(Clone, Copy, Debug)]
enum Placed {
    Tcp {
        seq: u32,
        ack: u32,
        flags: TcpFlags,
        options: Place,
        payload: Place,
    },
    Udp {
        payload: Place,
    },
}

/// Where in the memory a slice lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    bytes: u32,
}

// Hundreds wait for whoever takes them up, and each is written and read once: two lines of a cache.
const _: () = assert!(size_of::<Parcel>() <= 128);

// === impl Parcel ===

impl Parcel {
    /// Puts a packet away that was read from `frame`, which begins at `at` in the memory.
    ///
    /// # Panics
    ///
    /// When it was read from elsewhere, or lies beyond 4 GiB.
    #[inline(always)]
    #[must_use]
    pub fn of(packet: &Packet<'_>, frame: &[u8], at: usize) -> Self {
        let segment = match &packet.segment {
            Segment::Tcp(segment) => Placed::Tcp {
                seq: segment.seq,
                ack: segment.ack,
                flags: segment.flags,
                options: Place::of(segment.options, frame, at),
                payload: Place::of(segment.payload, frame, at),
            },
            Segment::Udp { payload } => Placed::Udp {
                payload: Place::of(payload, frame, at),
            },
        };
        Self {
            time: packet.time,
            link: packet.link,
            source: Address::of(packet.source),
            destination: Address::of(packet.destination),
            source_port: packet.source_port,
            destination_port: packet.destination_port,
            ip_bytes: packet.ip_bytes,
            wire_packets: packet.wire_packets,
            segment,
        }
    }

    /// The packet again; `memory` is that which it was read from.
    ///
    /// # Panics
    ///
    /// When the memory is another and shorter one.
    #[inline]
    #[must_use]
    pub fn open<'a>(&self, memory: &'a [u8]) -> Packet<'a> {
        let segment = match &self.segment {
            Placed::Tcp {
                seq,
                ack,
                flags,
                options,
                payload,
            } => Segment::Tcp(TcpSegment {
                seq: *seq,
                ack: *ack,
                flags: *flags,
                options: options.within(memory),
                payload: payload.within(memory),
            }),
            Placed::Udp { payload } => Segment::Udp {
                payload: payload.within(memory),
            },
        };
        Packet {
            time: self.time,
            link: self.link,
            source: self.source.ip(),
            destination: self.destination.ip(),
            source_port: self.source_port,
            destination_port: self.destination_port,
            ip_bytes: self.ip_bytes,
            wire_packets: self.wire_packets,
            segment,
        }
    }
}

// === impl Address ===

impl Address {
    #[inline(always)]
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, lower @ ..] = v6.octets();
                let upper = [a, b, c, d, e, f, g, h];
                Self::V6([upper, lower].map(u64::from_be_bytes))
            }
        }
    }

    #[inline(always)]
    fn ip(self) -> IpAddr {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).into(),
            Self::V6([upper, lower]) => {
                Ipv6Addr::from_bits(u128::from(upper) << 64 | u128::from(lower)).into()
            }
        }
    }
}

// === impl Place ===

impl Place {
    #[inline]
    fn of(slice: &[u8], frame: &[u8], at: usize) -> Self {
        // What is empty may lie anywhere.
        if slice.is_empty() {
            return Self { start: 0, bytes: 0 };
        }
        let before = slice.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
        assert!(
            before <= frame.len() && slice.len() <= frame.len() - before,
            "a packet read from the frame"
        );
        let number = |bytes| u32::try_from(bytes).expect("memory below 4 GiB");
        Self {
            start: number(at + before),
            bytes: number(slice.len()),
        }
    }

    #[inline]
    fn within(self, memory: &[u8]) -> &[u8] {
        &memory[self.start as usize..][..self.bytes as usize]
    }
}
