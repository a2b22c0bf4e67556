//! Records of a pcap file (draft-ietf-opsawg-pcap), of either byte order, with microseconds or
//! nanoseconds, and of Kuznetzov's modified format.

use super::window::Window;
use super::{CaptureError, FRAME_BYTES_MAX, Found, LinkType, Lost, Step};
use pcap_parser::{PcapHeader, nom, parse_pcap_header};
use phonehome_proto::time::Timestamp;

/// The records behind a file header.
pub(super) struct Records {
    header_bytes: usize,
    big_endian: bool,
    link: LinkType,
    nanos_per_tick: u32,
    ticks_per_second: u32,
    /// When the last good record was made, in seconds: behind a gap, one far from it is not next.
    last_seconds: Option<u32>,
}

/// What a record's header says.
#[derive(Clone, Copy)]
struct Head {
    seconds: u32,
    ticks: u32,
    captured_bytes: u32,
    wire_len_bytes: u32,
}

// === impl Records ===

impl Records {
    pub(super) fn open(window: &mut Window) -> Result<Self, CaptureError> {
        window.want(FILE_HEADER_BYTES);
        let header = match parse_pcap_header(window.data()) {
            Ok((_, header)) => header,
            Err(nom::Err::Incomplete(_)) => return Err(CaptureError::HeaderCut),
            Err(_) => return Err(CaptureError::NotACapture),
        };
        window.consume(FILE_HEADER_BYTES);
        let modified = header.is_modified_format();
        let nanos_per_tick = if header.is_nanosecond_precision() {
            1
        } else {
            1_000
        };
        Ok(Self {
            header_bytes: if modified {
                MODIFIED_HEADER_BYTES
            } else {
                RECORD_HEADER_BYTES
            },
            big_endian: header.is_bigendian(),
            link: link_type(&header),
            nanos_per_tick,
            ticks_per_second: 1_000_000_000 / nanos_per_tick,
            last_seconds: None,
        })
    }

    #[inline(always)]
    pub(super) fn step(&mut self, window: &mut Window) -> Step {
        if !window.want(1) {
            return Step::End;
        }
        window.want(self.header_bytes);
        let Some(head) = self.head(window, 0) else {
            window.consume(window.data().len());
            return Step::Lost(Lost::Cut);
        };
        let record_bytes = self.header_bytes + head.captured_bytes as usize;
        if head.captured_bytes > FRAME_BYTES_MAX {
            self.resync(window);
            return Step::Lost(Lost::Corrupt);
        }
        if !window.want(record_bytes) {
            // Either the file was cut here, or this length is wrong and good records follow.
            let others_follow = self.resync(window);
            return Step::Lost(if others_follow {
                Lost::Corrupt
            } else {
                Lost::Cut
            });
        }
        // Clocks do jump, and some writers are careless; a record out of place does it too.
        let is_trusted = self.is_likely(&head) || self.is_followed(window, record_bytes, &head);
        if !is_trusted {
            self.resync(window);
            return Step::Lost(Lost::Corrupt);
        }
        self.last_seconds = Some(head.seconds);
        Step::Frame(Found {
            record_bytes,
            start: self.header_bytes,
            captured_bytes: head.captured_bytes as usize,
            link: self.link,
            wire_len_bytes: head.wire_len_bytes,
            time: Timestamp::from_nanos(
                i64::from(head.seconds) * 1_000_000_000
                    + i64::from(head.ticks) * i64::from(self.nanos_per_tick),
            ),
        })
    }

    /// The record header at `offset` in the window, if it is whole.
    #[inline(always)]
    fn head(&self, window: &Window, offset: usize) -> Option<Head> {
        let header = window.data().get(offset..offset + self.header_bytes)?;
        let fields: &[u8; RECORD_HEADER_BYTES] = header.first_chunk()?;
        let field = |at: usize| {
            let bytes = [fields[at], fields[at + 1], fields[at + 2], fields[at + 3]];
            if self.big_endian {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        Some(Head {
            seconds: field(0),
            ticks: field(4),
            captured_bytes: field(8),
            wire_len_bytes: field(12),
        })
    }

    /// Moves the window ahead to the next place where records follow each other; says whether there
    /// is one.
    #[cold]
    fn resync(&self, window: &mut Window) -> bool {
        loop {
            for offset in 1..=RESYNC_BYTES {
                if !window.want(offset + self.header_bytes) {
                    window.consume(window.data().len());
                    return false;
                }
                if self.records_follow(window, offset) {
                    window.consume(offset);
                    return true;
                }
            }
            window.consume(RESYNC_BYTES);
        }
    }

    /// Whether a likely record stands at `offset`, and behind it another one or the file's end.
    fn records_follow(&self, window: &mut Window, offset: usize) -> bool {
        self.head(window, offset).is_some_and(|head| {
            let next = offset + self.header_bytes + head.captured_bytes as usize;
            self.is_likely(&head) && self.is_followed(window, next, &head)
        })
    }

    /// Whether what stands at `next` bears out that `head` is a record's: another record of about the
    /// same time, or the file's end.
    fn is_followed(&self, window: &mut Window, next: usize, head: &Head) -> bool {
        window.want(next + self.header_bytes);
        self.head(window, next).map_or_else(
            || window.data().len() >= next,
            |next| next.captured_bytes <= FRAME_BYTES_MAX && is_near(next.seconds, head.seconds),
        )
    }

    /// Whether a record can begin so, being next to the last good one.
    fn is_likely(&self, head: &Head) -> bool {
        (1..=FRAME_BYTES_MAX).contains(&head.captured_bytes)
            && (head.captured_bytes..=FRAME_BYTES_MAX).contains(&head.wire_len_bytes)
            && head.ticks < self.ticks_per_second
            && self
                .last_seconds
                .is_none_or(|last| is_near(head.seconds, last))
    }
}

fn is_near(seconds: u32, others: u32) -> bool {
    seconds.abs_diff(others) <= NEAR_SECONDS_MAX
}

/// The lower half of the field; the upper says whether frames end in a checksum, and that shows in
/// the IP lengths.
fn link_type(header: &PcapHeader) -> LinkType {
    let [low, high, ..] = header.network.0.to_le_bytes();
    LinkType(u16::from_le_bytes([low, high]))
}

const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;
const MODIFIED_HEADER_BYTES: usize = 24;

/// How far the search for the next record goes before it lets go of what it has passed.
const RESYNC_BYTES: usize = 64 * 1024;
/// Captures pause over nights and weekends.
const NEAR_SECONDS_MAX: u32 = 7 * 86_400;
