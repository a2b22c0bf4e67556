//! A packet that can be put away: what it borrows is told by its place.
//!
//! Takes a [`Packet`] and the place of its frame in some memory, gives it back for the same memory: so
//! packets can stand in a row beside the bytes they were read from, and go with them to another thread.

use super::key::{FlowKey, Side};
use super::{Link, Packet, Segment, TcpFlags, TcpSegment};
use phonehome_proto::time::Timestamp;

/// A packet without the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    time: Timestamp,
    link: Link,
    key: FlowKey,
    sender: Side,
    ip_bytes: u32,
    wire_packets: u32,
    segment: Placed,
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
        head: [u8; 4],
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
                head: segment.head,
            },
            Segment::Udp { payload } => Placed::Udp {
                payload: Place::of(payload, frame, at),
            },
        };
        let (key, sender) = FlowKey::of(packet);
        Self {
            time: packet.time,
            link: packet.link,
            key,
            sender,
            ip_bytes: packet.ip_bytes,
            wire_packets: packet.wire_packets,
            segment,
        }
    }

    /// The packet's flow, and the end that sent it.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> (FlowKey, Side) {
        (self.key, self.sender)
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
                head,
            } => Segment::Tcp(TcpSegment {
                seq: *seq,
                ack: *ack,
                flags: *flags,
                options: options.within(memory),
                payload: payload.within(memory),
                head: *head,
            }),
            Placed::Udp { payload } => Segment::Udp {
                payload: payload.within(memory),
            },
        };
        let [source, destination] =
            [self.sender, self.sender.other()].map(|side| self.key.end(side));
        Packet {
            time: self.time,
            link: self.link,
            source: source.address,
            destination: destination.address,
            source_port: source.port,
            destination_port: destination.port,
            ip_bytes: self.ip_bytes,
            wire_packets: self.wire_packets,
            segment,
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
