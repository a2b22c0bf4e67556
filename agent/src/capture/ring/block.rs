//! What stands in a block of the ring, byte by byte.
//!
//! Takes the bytes of a block the kernel has handed over, gives its packets one by one, as offsets:
//! headers are read where `linux/if_packet.h` puts them, and nothing is trusted that could lead out
//! of the block. Pure.
//!
//! ```text
//! block:   version, offset to private  | status, packets, offset to the first packet, ...
//! packet:  offset to the next, seconds, nanoseconds, captured, on the wire, status, mac, net, ...
//!          sockaddr_ll, up to 16 bytes behind the header's end
//!          ... if asked for, `struct virtio_net_hdr`: flags, kind of segments, header's length, bytes of
//!              each segment, ...
//!          ... the frame, `mac` bytes behind the packet's beginning
//! ```

use crate::capture::LinkType;
use libc::{sockaddr_ll, tpacket_block_desc, tpacket_hdr_v1, tpacket3_hdr};
use phonehome_proto::time::Timestamp;
use std::mem::offset_of;
use std::num::NonZeroU16;
use std::ops::Range;

/// Where the next packet of a block is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    at: usize,
    left: u32,
    tells_segments: bool,
}

/// A packet in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its bytes stand in the block.
    pub(super) bytes: Range<usize>,
    /// Its length when it passed the interface.
    pub(super) wire_len_bytes: u32,
    /// Payload bytes of each segment but the last, where the kernel says that it is several.
    pub(super) segment_bytes: Option<NonZeroU16>,
    /// When, by the kernel's wall clock.
    pub(super) time: Timestamp,
    /// The kernel took a VLAN tag out of it.
    pub(super) is_tagged: bool,
    /// What it begins with; `None` for a kind of interface that cannot be read.
    pub(super) link: Option<LinkType>,
}

/// A block that contradicts itself; the rest of it is unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// How many packets are lost with it.
    pub(super) packets: u32,
}

// === impl Cursor ===

impl Cursor {
    /// Stands before the first packet of a block; `tells_segments` if the kernel was asked to say so
    /// before each.
    pub(super) fn new(block: &[u8], tells_segments: bool) -> Self {
        const HEADER: usize = offset_of!(tpacket_block_desc, hdr);
        let field = |offset: usize| number(block, HEADER + offset).unwrap_or(0);
        Self {
            at: field(offset_of!(tpacket_hdr_v1, offset_to_first_pkt)) as usize,
            left: field(offset_of!(tpacket_hdr_v1, num_pkts)),
            tells_segments,
        }
    }

    /// The next packet; `None` when there is none left.
    pub(super) fn next(&mut self, block: &[u8]) -> Option<Result<Entry, Broken>> {
        let left = self.left.checked_sub(1)?;
        let entry = self.read(block).ok_or(Broken { packets: self.left });
        self.left = match entry {
            Ok(_) => left,
            Err(_) => 0,
        };
        Some(entry)
    }

    fn read(&mut self, block: &[u8]) -> Option<Entry> {
        let packet = block.get(self.at..)?;
        let field = |offset: usize| number(packet, offset);
        let mac = half(packet, offset_of!(tpacket3_hdr, tp_mac))?;
        let captured = field(offset_of!(tpacket3_hdr, tp_snaplen))? as usize;
        let start = self.at + usize::from(mac);
        let end = start
            .checked_add(captured)
            .filter(|end| *end <= block.len())?;
        let entry = Entry {
            bytes: start..end,
            wire_len_bytes: field(offset_of!(tpacket3_hdr, tp_len))?,
            segment_bytes: self
                .tells_segments
                .then(|| segment_bytes(block, start))
                .flatten(),
            time: time(
                field(offset_of!(tpacket3_hdr, tp_sec))?,
                field(offset_of!(tpacket3_hdr, tp_nsec))?,
            ),
            is_tagged: field(offset_of!(tpacket3_hdr, tp_status))? & libc::TP_STATUS_VLAN_VALID
                != 0,
            link: half(packet, ADDRESS + offset_of!(sockaddr_ll, sll_hatype)).and_then(link_type),
        };
        // 0 behind the last packet.
        let step = field(offset_of!(tpacket3_hdr, tp_next_offset))? as usize;
        self.at = self.at.checked_add(step)?;
        Some(entry)
    }
}

/// The link type of an interface's `ARPHRD_` number; `None` for those that cannot be read.
///
/// What tunnels and cellular modems carry behind no header of their own is IP.
pub(super) const fn link_type(hardware: u16) -> Option<LinkType> {
    match hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Some(LinkType::ETHERNET),
        libc::ARPHRD_NONE | libc::ARPHRD_PPP | ARPHRD_RAWIP => Some(LinkType::RAW),
        _ => None,
    }
}

/// Takes an 802.1Q or 802.1ad tag out of an Ethernet frame, by moving the addresses over it; gives
/// whether there was one: the frame begins [`TAG_BYTES`] later then.
///
/// The kernel does so with every frame that arrives, but not with all that leave: both directions of
/// a conversation must look alike.
pub(super) fn untag(frame: &mut [u8]) -> bool {
    const ADDRESSES: usize = 12;
    let Some([0x81, 0x00] | [0x88, 0xa8]) = frame.get(ADDRESSES..ADDRESSES + 2) else {
        return false;
    };
    let tag_bytes = usize::from(TAG_BYTES);
    if frame.len() < ADDRESSES + tag_bytes + 2 {
        return false;
    }
    frame.copy_within(..ADDRESSES, tag_bytes);
    true
}

/// What stands before a frame of its segments; `None` where it is one.
fn segment_bytes(block: &[u8], frame: usize) -> Option<NonZeroU16> {
    let header = block.get(frame.checked_sub(SEGMENTS_BYTES)?..)?;
    let kind = *header.get(SEGMENTS_KIND)?;
    let size = half(header, SEGMENT_SIZE)?;
    NonZeroU16::new(size).filter(|_| kind != ONE_SEGMENT)
}

/// The kernel gives seconds in 32 bits; they end in 2106.
fn time(seconds: u32, nanos: u32) -> Timestamp {
    Timestamp::from_nanos(i64::from(seconds) * 1_000_000_000 + i64::from(nanos))
}

fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

/// `TPACKET_ALIGN(sizeof(struct tpacket3_hdr))`: where the packet's `sockaddr_ll` stands.
const ADDRESS: usize = size_of::<tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);

// `struct virtio_net_hdr` (linux/virtio_net.h), in the byte order of the machine.
/// Its length.
const SEGMENTS_BYTES: usize = 10;
/// Where it says of what kind the segments are.
const SEGMENTS_KIND: usize = 1;
/// Where it says how long they are.
const SEGMENT_SIZE: usize = 4;
/// `VIRTIO_NET_HDR_GSO_NONE`.
const ONE_SEGMENT: u8 = 0;

/// An 802.1Q tag.
pub(super) const TAG_BYTES: u8 = 4;

/// What the kernel calls interfaces that carry bare IP: cellular modems (linux/if_arp.h).
const ARPHRD_RAWIP: u16 = 519;

#[cfg(test)]
mod tests;
