//! A capture file in the making.
//!
//! Takes frames in any order, gives a classic pcap file (microseconds, Ethernet) sorted by time.
//! A frame may be longer on the wire than in the file, as a capture with a snapshot length has it;
//! the file says both lengths.

use super::frame::Frame;
use phonehome_proto::time::Timestamp;
use std::io::{self, Write};

/// Frames with their times, not yet written.
#[derive(Debug, Default)]
pub struct Recording {
    frames: Vec<(Timestamp, Frame)>,
}

impl Recording {
    /// Notes a frame seen at `at`.
    pub fn push(&mut self, at: Timestamp, frame: Frame) {
        self.frames.push((at, frame));
    }

    /// How many frames were noted.
    #[must_use]
    pub const fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Writes the whole file, frames of one moment in the order they were noted.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(mut self, mut out: impl Write) -> io::Result<()> {
        // Stable: a SYN stays before what was noted after it.
        self.frames.sort_by_key(|(at, _)| *at);
        out.write_all(&FILE_HEADER)?;
        for (at, frame) in &self.frames {
            let seconds = u32::try_from(at.seconds()).expect("exercises play before 2106");
            let micros = at.nanos().rem_euclid(1_000_000_000) / 1_000;
            let captured = u32::try_from(frame.bytes.len()).expect("a frame is below 64 KiB");
            out.write_all(&seconds.to_le_bytes())?;
            out.write_all(
                &u32::try_from(micros)
                    .expect("below a million")
                    .to_le_bytes(),
            )?;
            out.write_all(&captured.to_le_bytes())?;
            out.write_all(&frame.wire_bytes.to_le_bytes())?;
            out.write_all(&frame.bytes)?;
        }
        out.flush()
    }
}

/// Magic number, version 2.4, no zone, no accuracy, snapshot length 65,535, link type 1 (Ethernet).
const FILE_HEADER: [u8; 24] = [
    0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0,
];
