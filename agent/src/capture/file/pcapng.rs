//! Blocks of a pcapng file (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces with
//! clocks of their own, and the three kinds of block that hold a frame.

mod interface;

use super::window::Window;
use super::{BUFFER_BYTES, CaptureError, FRAME_BYTES_MAX, Found, Lost, Step};
use interface::Interface;
use pcap_parser::{
    Block, EnhancedPacketBlock, SimplePacketBlock, UnknownBlock, parse_block_be, parse_block_le,
};
use phonehome_proto::time::Timestamp;

/// The blocks of a file, and what the current section has said so far.
pub(super) struct Blocks {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

/// What a block's first bytes say.
struct Head {
    kind: u32,
    bytes: u32,
}

pub(super) const SECTION_HEADER_BYTES_MIN: usize = 28;

/// Whether these bytes begin a section, and so a pcapng file.
pub(super) fn begins_section(bytes: &[u8]) -> bool {
    bytes.starts_with(&SECTION_HEADER.to_be_bytes())
}

// === impl Blocks ===

impl Blocks {
    pub(super) fn open(window: &mut Window) -> Result<Self, CaptureError> {
        let mut blocks = Self {
            big_endian: false,
            interfaces: Vec::new(),
        };
        if window.data().len() < SECTION_HEADER_BYTES_MIN {
            return Err(CaptureError::HeaderCut);
        }
        blocks.big_endian = byte_order(window.data()).ok_or(CaptureError::NotACapture)?;
        Ok(blocks)
    }

    pub(super) fn step(&mut self, window: &mut Window) -> Step {
        if !window.want(1) {
            return Step::End;
        }
        window.want(BLOCK_BYTES_MIN);
        let Some(head) = self.head(window, 0) else {
            window.consume(window.data().len());
            return Step::Lost(Lost::Cut);
        };
        if !head.is_likely() {
            self.resync(window);
            return Step::Lost(Lost::Corrupt);
        }
        let block_bytes = head.bytes as usize;
        if block_bytes > BLOCK_BYTES_MAX {
            // Long tables of names or keys: nothing in them is wanted.
            let is_skipped = window.skip(u64::from(head.bytes));
            return if is_skipped {
                Step::Passed
            } else {
                Step::Lost(Lost::Cut)
            };
        }
        if !window.want(block_bytes) {
            let others_follow = self.resync(window);
            return Step::Lost(if others_follow {
                Lost::Corrupt
            } else {
                Lost::Cut
            });
        }
        if !head.is_known() && !self.is_framed(window, 0, &head) {
            self.resync(window);
            return Step::Lost(Lost::Corrupt);
        }
        let step = self.block(&window.data()[..block_bytes]);
        match step {
            // The frame stays in the window until the next is asked for.
            Step::Frame(_) => {}
            // Its end does not repeat its length: no telling where the next begins.
            Step::Lost(Lost::Corrupt) if !self.is_framed(window, 0, &head) => {
                self.resync(window);
            }
            _ => window.consume(block_bytes),
        }
        step
    }

    /// Reads one whole block.
    fn block(&mut self, bytes: &[u8]) -> Step {
        if begins_section(bytes)
            && let Some(big_endian) = byte_order(bytes)
        {
            self.big_endian = big_endian;
        }
        let parse = if self.big_endian {
            parse_block_be
        } else {
            parse_block_le
        };
        let Ok((_, block)) = parse(bytes) else {
            return Step::Lost(Lost::Corrupt);
        };
        let found = match &block {
            Block::SectionHeader(_) => {
                self.interfaces.clear();
                return Step::Passed;
            }
            Block::InterfaceDescription(description) => {
                if self.interfaces.len() < INTERFACES_MAX {
                    self.interfaces
                        .push(Interface::read(description, self.big_endian));
                }
                return Step::Passed;
            }
            Block::EnhancedPacket(packet) => self.enhanced(packet),
            Block::SimplePacket(packet) => self.simple(packet),
            Block::Unknown(block) if self.is_old_packet(block) => self.old(block),
            _ => return Step::Passed,
        };
        found.map_or_else(Step::Lost, Step::Frame)
    }

    fn enhanced(&self, packet: &EnhancedPacketBlock<'_>) -> Result<Found, Lost> {
        let interface = self.interface(packet.if_id)?;
        if packet.caplen > FRAME_BYTES_MAX {
            return Err(Lost::Oversized);
        }
        Ok(Found {
            record_bytes: packet.block_len1 as usize,
            start: PACKET_START_BYTES,
            captured_bytes: packet.caplen as usize,
            link: interface.link,
            wire_len_bytes: packet.origlen,
            time: interface.time(packet.ts_high, packet.ts_low),
        })
    }

    /// The simple block has neither interface nor time nor captured length: they are the first
    /// interface's, unknown, and as long as its snapshot length allows.
    fn simple(&self, packet: &SimplePacketBlock<'_>) -> Result<Found, Lost> {
        let interface = self.interface(0)?;
        let snap_bytes = if interface.snap_bytes == 0 {
            u32::MAX
        } else {
            interface.snap_bytes
        };
        let captured_bytes = (packet.origlen.min(snap_bytes) as usize).min(packet.data.len());
        if captured_bytes > FRAME_BYTES_MAX as usize {
            return Err(Lost::Oversized);
        }
        Ok(Found {
            record_bytes: packet.block_len1 as usize,
            start: SIMPLE_PACKET_START_BYTES,
            captured_bytes,
            link: interface.link,
            wire_len_bytes: packet.origlen,
            time: Timestamp::from_nanos(0),
        })
    }

    /// The packet block that the enhanced one replaced; `pcap-parser` leaves it unread.
    fn old(&self, block: &UnknownBlock<'_>) -> Result<Found, Lost> {
        let field = |at: usize| -> Result<u32, Lost> {
            let bytes = block.data.get(at..at + 4).ok_or(Lost::Corrupt)?;
            Ok(self.u32(bytes.try_into().expect("four bytes were taken")))
        };
        let interface_and_drops = block.data.get(..2).ok_or(Lost::Corrupt)?;
        let interface = self.interface(u32::from(
            self.u16([interface_and_drops[0], interface_and_drops[1]]),
        ))?;
        let (captured_bytes, wire_len_bytes) = (field(12)?, field(16)?);
        let space_bytes = block.data.len().saturating_sub(20);
        if captured_bytes as usize > space_bytes {
            return Err(Lost::Corrupt);
        }
        if captured_bytes > FRAME_BYTES_MAX {
            return Err(Lost::Oversized);
        }
        Ok(Found {
            record_bytes: block.block_len1 as usize,
            start: PACKET_START_BYTES,
            captured_bytes: captured_bytes as usize,
            link: interface.link,
            wire_len_bytes,
            time: interface.time(field(4)?, field(8)?),
        })
    }

    fn is_old_packet(&self, block: &UnknownBlock<'_>) -> bool {
        // The parser reads this one field in little-endian whatever the section's order is.
        self.u32(block.block_type.to_le_bytes()) == OLD_PACKET
    }

    fn interface(&self, id: u32) -> Result<&Interface, Lost> {
        self.interfaces
            .get(id as usize)
            .ok_or(Lost::UnknownInterface)
    }

    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    /// The first bytes of the block at `offset` in the window, if there are enough.
    fn head(&self, window: &Window, offset: usize) -> Option<Head> {
        let bytes = window.data().get(offset..offset + BLOCK_BYTES_MIN)?;
        let big_endian = if begins_section(bytes) {
            byte_order(bytes)?
        } else {
            self.big_endian
        };
        let field = |at: usize| {
            let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            if big_endian {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        Some(Head {
            kind: field(0),
            bytes: field(4),
        })
    }

    /// Whether the block at `offset` is whole in the window and repeats its length at its end.
    fn is_framed(&self, window: &Window, offset: usize, head: &Head) -> bool {
        let end = offset + head.bytes as usize;
        let (start, tail) = (
            window.data().get(offset + 4..offset + 8),
            window.data().get(end - 4..end),
        );
        start.is_some() && start == tail
    }

    /// Moves the window ahead to the next place where a whole block stands; says whether there is
    /// one.
    fn resync(&self, window: &mut Window) -> bool {
        loop {
            for offset in 1..=RESYNC_BYTES {
                if !window.want(offset + BLOCK_BYTES_MIN) {
                    window.consume(window.data().len());
                    return false;
                }
                let Some(head) = self.head(window, offset) else {
                    continue;
                };
                let is_likely = head.is_known() && head.is_likely();
                if !is_likely || head.bytes as usize > BLOCK_BYTES_MAX {
                    continue;
                }
                window.want(offset + head.bytes as usize);
                if self.is_framed(window, offset, &head) {
                    window.consume(offset);
                    return true;
                }
            }
            window.consume(RESYNC_BYTES);
        }
    }
}

// === impl Head ===

impl Head {
    /// Whether a block of this kind can have this length.
    const fn is_likely(&self) -> bool {
        let bytes = self.bytes as usize;
        let bytes_max = match self.kind {
            OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => BLOCK_BYTES_MAX,
            _ if self.is_known() => TABLE_BYTES_MAX,
            _ => BLOCK_BYTES_MAX,
        };
        bytes >= BLOCK_BYTES_MIN && bytes <= bytes_max && bytes.is_multiple_of(4)
    }

    /// Whether it is of a kind that files in the wild hold; readers must pass over all others.
    const fn is_known(&self) -> bool {
        matches!(self.kind, SECTION_HEADER | 1..=0x0c | 0x0bad | 0x4000_0bad)
    }
}

/// The byte order a section header announces: big-endian or not; `None` when it announces neither.
fn byte_order(section_header: &[u8]) -> Option<bool> {
    match section_header.get(8..12)? {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(true),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(false),
        _ => None,
    }
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, length, length again.
const BLOCK_BYTES_MIN: usize = 12;
/// Longer blocks are passed over unread. A frame with room for its options fits.
const BLOCK_BYTES_MAX: usize = BUFFER_BYTES - RESYNC_BYTES - BLOCK_BYTES_MIN;
/// No table is longer; a longer one is a wrong length, and would pass over the rest of the file.
const TABLE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Where the frame begins in an enhanced and in an old packet block.
const PACKET_START_BYTES: usize = 28;
const SIMPLE_PACKET_START_BYTES: usize = 12;

/// Interfaces of one section; the frames of further ones are lost, and counted so.
const INTERFACES_MAX: usize = 1_024;

/// How far the search for the next block goes before it lets go of what it has passed.
const RESYNC_BYTES: usize = 64 * 1024;

const _: () = assert!(BLOCK_BYTES_MAX > FRAME_BYTES_MAX as usize + 4_096);
