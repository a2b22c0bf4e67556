//! Capture: where frames and counters come from.
//!
//! Takes a source, gives [`Event`]s one at a time, each borrowing from the source until the next is
//! asked for: a [`Frame`] is never owned, so it can never be kept. What a source could not give is
//! an event too, with its reason, so that nothing is lost unseen.
//!
//! Promises: memory stays within the source's fixed buffer whatever the input says; arbitrary bytes
//! give events, never a panic; after [`Event::End`] nothing but `End` follows.

pub mod clock;
pub mod connection;
pub mod conntrack;
pub mod file;
pub mod filter;
pub mod lan;
mod link_type;
pub mod live;
pub mod netlink;
pub mod ring;

pub use connection::{
    ConnectionKey, ConnectionStatus, Counted, Counters, LanView, Moment, Offload, Path, Way,
};
pub use link_type::LinkType;

use crate::tally::{Tally, reasons};
use phonehome_proto::time::Timestamp;
use std::io;
use std::num::NonZeroU16;
use std::time::Duration;
use thiserror::Error;

/// Whatever gives events: a file, a router's interfaces, or what a test has written down.
pub trait Source {
    /// The next event. A live source waits for one as long as `patience` says and then gives
    /// [`Event::Idle`]; a file never waits.
    fn next(&mut self, patience: Duration) -> Event<'_>;
}

/// What a source has to say next.
#[derive(Debug)]
pub enum Event<'a> {
    /// A frame was seen.
    Frame(Frame<'a>),
    /// The kernel's connection table has this to say of one connection.
    Counters(Counters),
    /// A whole reading of the connection table is over: a connection known before that it did not
    /// show is gone, and what it counted last was not seen.
    Swept,
    /// At least `count` frames are missing here.
    Lost {
        /// How many, as far as can be told.
        count: u64,
        /// For what reason.
        why: Lost,
    },
    /// Nothing was seen for as long as one was willing to wait.
    Idle,
    /// There is no more.
    End,
}

/// One frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The captured bytes, from the link layer's header on; fewer than on the wire when the capture
    /// was cut to a snapshot length.
    pub bytes: &'a [u8],
    /// What header they begin with.
    pub link: LinkType,
    /// The frame's length on the wire.
    pub wire_len_bytes: u32,
    /// Payload bytes of each of its segments but the last, where the kernel gives several packets of the
    /// wire as one frame and says so: their headers stand in it once. Files do not say.
    pub segment_bytes: Option<NonZeroU16>,
    /// When it was seen, by the wall clock of whoever captured it. May jump either way.
    pub time: Timestamp,
}

reasons! {
    /// Why frames are missing.
    pub enum Lost {
        /// The file ends in the middle of a record.
        Cut = "cut",
        /// Bytes that are no record were passed over to the next that is one.
        Corrupt = "corrupt",
        /// A record is longer than any frame can be.
        Oversized = "oversized",
        /// A frame names an interface that the file does not describe.
        UnknownInterface = "unknown_interface",
        /// The file could not be read on.
        ReadFailed = "read_failed",
        /// The kernel dropped frames, because the ring was full.
        RingFull = "ring_full",
        /// The kernel dropped connection events, because the socket's buffer was full: one count for
        /// each time it said so, since nobody knows how many.
        CounterEvents = "counter_events",
        /// A message of the kernel about a connection could not be read.
        CounterUnreadable = "counter_unreadable",
        /// An interface went away, and with it whatever passed it until it was back: one count for
        /// each time.
        InterfaceGone = "interface_gone",
    }
}

/// What a source has given so far.
#[derive(Clone, Debug, Default)]
pub struct CaptureCounts {
    /// Frames given.
    pub frames: u64,
    /// Frames that could not be given.
    pub lost: Tally<Lost>,
}

/// Why nothing at all can be read from a capture.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file cannot be opened or its first bytes cannot be read.
    #[error(transparent)]
    Unreadable(io::Error),
    /// It holds no byte.
    #[error("it is empty")]
    Empty,
    /// It begins like no capture file known.
    #[error("it is neither a pcap nor a pcapng file")]
    NotACapture,
    /// It begins like a capture file but ends within its header.
    #[error("it ends within its file header")]
    HeaderCut,
}
