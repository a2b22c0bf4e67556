//! Frames out of a capture file: pcap and pcapng, damaged ones too.
//!
//! The file is read once, forwards, through a buffer of [`BUFFER_BYTES`], or, where frames are to stay for a
//! while, through [several that take turns](FileSource::fill); mapped pages would count as the agent's
//! memory, so nothing is mapped. `pcap-parser` reads the headers and blocks; this
//! module decides what happens when they are wrong:
//!
//! - a record that cannot be one, or that the rest of the file contradicts, is passed over up to the
//!   next place where records follow each other again: one [`Lost::Corrupt`] for each such gap;
//! - a record the file ends in is one [`Lost::Cut`];
//! - only when the file's own header cannot be read does [`FileSource::open`] fail.

mod buffer;
mod pcap;
mod pcapng;
mod window;

pub use buffer::Buffer;

use super::{CaptureCounts, CaptureError, Event, Frame, LinkType, Lost};
use phonehome_proto::time::Timestamp;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use window::Window;

/// Reads one capture file from its beginning to its end.
pub struct FileSource {
    window: Window,
    format: Format,
    /// Bytes of the record given last; they leave the window when the next is asked for.
    given_bytes: usize,
    /// The frame that was found when [`FileSource::fill`] had gone on to the next buffer.
    ahead: Option<Found>,
    counts: CaptureCounts,
}

/// Which kind of file, and what its headers said.
enum Format {
    Pcap(pcap::Records),
    PcapNg(pcapng::Blocks),
}

/// What reading one record came to.
enum Step {
    /// A frame, still in the window.
    Frame(Found),
    /// A frame that is lost; the window already stands behind it.
    Lost(Lost),
    /// Something that is not about frames; the window already stands behind it.
    Passed,
    End,
}

/// Where in the window a frame stands, and what its record says.
struct Found {
    /// The record's own length, headers and padding included.
    record_bytes: usize,
    /// Where the frame's bytes begin, and how many there are.
    start: usize,
    captured_bytes: usize,
    link: LinkType,
    wire_len_bytes: u32,
    time: Timestamp,
}

// === impl FileSource ===

impl FileSource {
    /// Opens the capture file at `path`.
    ///
    /// # Errors
    ///
    /// A [`CaptureError`] when nothing at all can be read from it.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = File::open(path).map_err(CaptureError::Unreadable)?;
        Self::read(Box::new(file))
    }

    /// Reads a capture from anything that gives bytes.
    ///
    /// # Errors
    ///
    /// A [`CaptureError`] when nothing at all can be read from it.
    pub fn read(reader: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let mut window = Window::new(reader);
        window.want(pcapng::SECTION_HEADER_BYTES_MIN);
        if let Some(error) = window.take_error() {
            return Err(CaptureError::Unreadable(error));
        }
        if window.data().is_empty() {
            return Err(CaptureError::Empty);
        }
        let format = if pcapng::begins_section(window.data()) {
            Format::PcapNg(pcapng::Blocks::open(&mut window)?)
        } else {
            Format::Pcap(pcap::Records::open(&mut window)?)
        };
        Ok(Self {
            window,
            format,
            given_bytes: 0,
            ahead: None,
            counts: CaptureCounts::default(),
        })
    }

    /// The next event; for ever [`Event::End`] once the file is at its end.
    #[allow(
        clippy::should_implement_trait,
        reason = "each event borrows from the source"
    )]
    pub fn next(&mut self) -> Event<'_> {
        match self.ahead.take().map_or_else(|| self.step(), Step::Frame) {
            Step::Frame(found) => Event::Frame(found.frame(self.window.data())),
            Step::Lost(why) => Event::Lost { count: 1, why },
            Step::Passed | Step::End => Event::End,
        }
    }

    /// Reads on into `buffer` until it is full or the file is at its end, and says whether there may be
    /// more. `look` is shown each frame with its place in the buffer, where it stays. What could not be
    /// given stands in [`FileSource::counts`] only.
    pub fn fill(&mut self, buffer: &mut Buffer, mut look: impl FnMut(&Frame<'_>, usize)) -> bool {
        self.window.lend(buffer.take());
        let mut found = self.ahead.take();
        let may_go_on = loop {
            match found.take().map_or_else(|| self.step(), Step::Frame) {
                Step::Frame(found) if self.window.has_left() => {
                    self.ahead = Some(found);
                    break true;
                }
                Step::Frame(found) => {
                    let frame = found.frame(self.window.data());
                    look(&frame, self.window.start() + found.start);
                }
                Step::Lost(_) | Step::Passed => {}
                Step::End => break false,
            }
        };
        *buffer = self.window.leave();
        may_go_on
    }

    /// What the next record is: a frame, one that is lost, or the end. In one piece with its callers, as is
    /// all that is done with nearly every record: what it found stays in registers.
    #[inline(always)]
    fn step(&mut self) -> Step {
        loop {
            self.window.consume(std::mem::take(&mut self.given_bytes));
            let step = match &mut self.format {
                Format::Pcap(records) => records.step(&mut self.window),
                Format::PcapNg(blocks) => blocks.step(&mut self.window),
            };
            match step {
                Step::Frame(found) => {
                    self.given_bytes = found.record_bytes;
                    self.counts.frames += 1;
                    return Step::Frame(found);
                }
                Step::Lost(why) => return self.lost(why),
                Step::Passed => {}
                // A disk that fails looks like a file that ends, until one asks.
                Step::End if self.window.take_error().is_some() => {
                    return self.lost(Lost::ReadFailed);
                }
                Step::End => return Step::End,
            }
        }
    }

    #[cold]
    fn lost(&mut self, why: Lost) -> Step {
        self.counts.lost.add(why, 1);
        Step::Lost(why)
    }

    /// What it has given so far.
    #[must_use]
    pub const fn counts(&self) -> &CaptureCounts {
        &self.counts
    }
}

// === impl Found ===

impl Found {
    /// The frame, in the bytes that its record begins.
    #[inline(always)]
    fn frame<'a>(&self, record: &'a [u8]) -> Frame<'a> {
        Frame {
            bytes: &record[self.start..][..self.captured_bytes],
            link: self.link,
            wire_len_bytes: self.wire_len_bytes,
            segment_bytes: None,
            time: self.time,
        }
    }
}

/// The most bytes of a file held at a time.
pub const BUFFER_BYTES: usize = 512 * 1024;

/// No frame is longer: libpcap's own limit, `MAXIMUM_SNAPLEN`.
const FRAME_BYTES_MAX: u32 = 256 * 1024;

// A record with its headers and padding, and the header after it, must fit at once.
const _: () = assert!(FRAME_BYTES_MAX as usize + 64 * 1024 < BUFFER_BYTES);

#[cfg(test)]
mod tests;
