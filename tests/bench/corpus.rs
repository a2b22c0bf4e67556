//! The large capture that is measured on.
//!
//! The Ethernet frames of the real captures, where they are on this machine, else those of a synthetic
//! home, again and again until there are [`PACKETS_MIN`], half a millisecond apart.

use anyhow::{Result, ensure};
use phonehome_agent::capture::file::FileSource;
use phonehome_agent::capture::{Event, LinkType};
use phonehome_proto::time::Day;
use phonehome_tests::captures;
use phonehome_tests::traffic::{day, population};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// As many as the file has that ndpiReader's memory was first measured on.
pub(crate) const PACKETS_MIN: u64 = 816_000;

const APART: Duration = Duration::from_micros(500);
const START_SECONDS: u64 = 1_700_000_000;

/// A large capture.
pub(crate) struct Corpus {
    pub(crate) path: PathBuf,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

struct Frame {
    bytes: Vec<u8>,
    wire_len_bytes: u32,
}

/// Writes the capture into `folder`.
pub(crate) fn write(folder: &Path) -> Result<Corpus> {
    let files = match captures::files("measuring real traffic") {
        Some(files) => files,
        None => vec![synthetic(folder)?],
    };
    let mut frames = Vec::new();
    for file in &files {
        take_frames(file, &mut frames);
    }
    ensure!(!frames.is_empty(), "no capture holds Ethernet frames");
    let path = folder.join("large.pcap");
    let mut out = BufWriter::new(File::create(&path)?);
    // Magic, version 2.4, no zone, no accuracy, snapshot length, Ethernet.
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0xffff, 1_u32] {
        out.write_all(&word.to_le_bytes())?;
    }
    let mut packets = 0;
    while packets < PACKETS_MIN {
        for frame in &frames {
            let time = Duration::from_secs(START_SECONDS) + APART * u32::try_from(packets)?;
            let header = [
                u32::try_from(time.as_secs())?,
                time.subsec_micros(),
                u32::try_from(frame.bytes.len())?,
                frame.wire_len_bytes,
            ];
            for word in header {
                out.write_all(&word.to_le_bytes())?;
            }
            out.write_all(&frame.bytes)?;
            packets += 1;
        }
    }
    out.into_inner()?.sync_all()?;
    let bytes = std::fs::metadata(&path)?.len();
    Ok(Corpus {
        path,
        packets,
        bytes,
    })
}

/// Files that cannot be read are no captures; some are there to be refused.
fn take_frames(file: &Path, frames: &mut Vec<Frame>) {
    let Ok(mut source) = FileSource::open(file) else {
        return;
    };
    loop {
        match source.next() {
            Event::Frame(frame) if frame.link == LinkType::ETHERNET => frames.push(Frame {
                bytes: frame.bytes.to_vec(),
                wire_len_bytes: frame.wire_len_bytes,
            }),
            Event::End => return,
            _ => {}
        }
    }
}

/// A home's day, most of it headers: the bulk of its data is cut off.
fn synthetic(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("synthetic.pcap");
    let homes = population::homes(1, 1);
    let day = Day::new(19_000).expect("a day of 2022");
    day::write(&homes[0], &[day], day::Pace::USUAL, &path)?;
    Ok(path)
}
