//! The packet ring of one interface: AF_PACKET, TPACKET_V3.
//!
//! Takes what an interface sends and receives, as far as a filter lets it through, gives it frame by
//! frame out of the memory the kernel put it into: nothing is copied, and a block of frames goes back
//! to the kernel when the last of them has been looked at. A socket is opened while the process is
//! privileged and hears nothing yet; [`Ring::bind`] needs no privilege and may be repeated, so that an
//! interface that vanished and returned can be heard again.
//!
//! Promises:
//! 1. No unfiltered frame ever enters: the filter is shut before a socket is bound, and opened for
//!    the interface's link type after.
//! 2. Frames the kernel had no room for are counted: see [`Ring::take_lost`].
//! 3. Both directions are heard. A packet that is routed through a LAN's interface passes it once.
//! 4. A frame carries no outermost VLAN tag: the kernel takes it out of what arrives, this module out
//!    of what leaves.
//! 5. Where volumes are read from frames, a frame says of how many segments it is, on every kernel that
//!    can tell of all kinds.
//! 6. Memory: nothing until first bound, then [`BLOCK_BYTES`] times the blocks of its mode.
//!
//! The interface is not made promiscuous: a router is who its hosts talk to.

mod block;
mod mapping;
mod socket;

use super::filter::{Mode, Program, SNAP_BYTES};
use super::{Frame, LinkType};
use block::{Cursor, Entry, TAG_BYTES};
use mapping::{Mapping, Shape};
use socket::PacketSocket;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use thiserror::Error;

/// A packet ring.
#[derive(Debug)]
pub struct Ring {
    // Unmapped before the socket is closed.
    memory: Option<Memory>,
    socket: PacketSocket,
    size: Size,
    /// Where it is bound, unless it was unbound or the interface is gone.
    ifindex: Option<u32>,
    /// Frames with a VLAN tag are not the home's.
    passes_over_tagged: bool,
    lost: u64,
    frozen: u64,
}

/// How much a ring holds where everything passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For a network of guests or things.
    Small,
    /// For the home's own.
    Large,
}

/// The ring's memory, and how far it has been read.
#[derive(Debug)]
struct Memory {
    mapping: Mapping,
    shape: Shape,
    /// The kernel says of each packet whether it is several segments.
    tells_segments: bool,
    /// Within the current block, once it is ours.
    cursor: Option<Cursor>,
    frame: Option<(Entry, LinkType)>,
}

/// Why an interface cannot be heard.
#[derive(Debug, Error)]
pub enum RingError {
    /// The process may not open packet sockets.
    #[error("opening a packet socket needs the capability CAP_NET_RAW")]
    NotPermitted,
    /// The kernel has no packet sockets, or no room for another.
    #[error("no packet socket could be opened: {0}")]
    NotOpened(#[source] io::Error),
    /// The interface is not there any more.
    #[error("the interface is gone")]
    Gone,
    /// It carries something other than Ethernet or bare IP.
    #[error(
        "the interface carries neither Ethernet nor bare IP (ARPHRD type {hardware}) and cannot be read"
    )]
    UnknownLink {
        /// The kernel's number for what it carries.
        hardware: u16,
    },
    /// The kernel refused something else.
    #[error("the interface cannot be listened to: {0}")]
    Refused(#[source] io::Error),
}

// === impl Ring ===

impl Ring {
    /// Opens a ring that hears nothing yet. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// [`RingError::NotPermitted`] without it, [`RingError::NotOpened`] when the kernel has none to give.
    pub fn open(size: Size) -> Result<Self, RingError> {
        let socket = PacketSocket::open().map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => RingError::NotPermitted,
            _ => RingError::NotOpened(error),
        })?;
        Ok(Self {
            memory: None,
            socket,
            size,
            ifindex: None,
            passes_over_tagged: false,
            lost: 0,
            frozen: 0,
        })
    }

    /// Whether frames with a VLAN tag are passed over from now on, because they are somebody else's.
    pub const fn pass_over_tagged(&mut self, is_wanted: bool) {
        self.passes_over_tagged = is_wanted;
    }

    /// Hears an interface, and no other any more. Needs no privilege.
    ///
    /// # Errors
    /// A [`RingError`]; the ring hears nothing then.
    pub fn bind(&mut self, ifindex: u32, mode: Mode) -> Result<LinkType, RingError> {
        self.ifindex = None;
        let bound = self.try_bind(ifindex, mode);
        if bound.is_err() {
            // What is left of it hears nothing: the filter is shut.
            self.memory = None;
        }
        bound
    }

    fn try_bind(&mut self, ifindex: u32, mode: Mode) -> Result<LinkType, RingError> {
        let kernel_index = i32::try_from(ifindex).map_err(|_| RingError::Gone)?;
        self.shut()?;
        self.map(mode).map_err(RingError::Refused)?;
        // An interface that went away before leaves its error behind.
        let _ = self.socket.take_error();
        self.socket
            .bind(kernel_index, EVERY_ETHER_TYPE)
            .map_err(refusal)?;
        let bound = self.socket.bound().map_err(RingError::Refused)?;
        if bound.ifindex != kernel_index {
            return Err(RingError::Gone);
        }
        let hardware = bound.hardware;
        let link = block::link_type(hardware).ok_or(RingError::UnknownLink { hardware })?;
        let program = Program::new(link, mode).ok_or(RingError::UnknownLink { hardware })?;
        self.socket.attach(&program).map_err(RingError::Refused)?;
        self.ifindex = Some(ifindex);
        Ok(link)
    }

    /// Hears nothing any more and gives its memory back; what has not been read is gone.
    ///
    /// # Errors
    /// [`RingError::Refused`].
    pub fn unbind(&mut self) -> Result<(), RingError> {
        let bound = self.ifindex.take();
        self.shut()?;
        if let Some(ifindex) = bound.and_then(|ifindex| i32::try_from(ifindex).ok()) {
            // A packet socket cannot be unbound; bound to what nobody sends it costs nothing.
            match self.socket.bind(ifindex, NO_ETHER_TYPE).map_err(refusal) {
                Ok(()) | Err(RingError::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        self.count_losses();
        self.unmap().map_err(RingError::Refused)
    }

    /// Where it is bound.
    #[must_use]
    pub const fn ifindex(&self) -> Option<u32> {
        self.ifindex
    }

    /// Goes on to the next frame; says whether there is one. The frame before it is done with.
    pub fn advance(&mut self) -> bool {
        loop {
            let Some(memory) = &mut self.memory else {
                return false;
            };
            memory.frame = None;
            if memory.cursor.is_none() {
                if !memory.mapping.is_ready() {
                    return false;
                }
                memory.cursor = Some(Cursor::new(memory.mapping.block(), memory.tells_segments));
            }
            let cursor = memory.cursor.as_mut().expect("just put there");
            match cursor.next(memory.mapping.block()) {
                Some(Ok(entry)) => {
                    if memory.show(entry, self.passes_over_tagged) {
                        return true;
                    }
                }
                Some(Err(broken)) => self.lost += u64::from(broken.packets),
                None => {
                    memory.cursor = None;
                    memory.mapping.give_back();
                    self.count_losses();
                }
            }
        }
    }

    /// The frame [`Ring::advance`] went on to.
    #[must_use]
    pub fn frame(&self) -> Option<Frame<'_>> {
        let memory = self.memory.as_ref()?;
        let (entry, link) = memory.frame.as_ref()?;
        Some(Frame {
            bytes: &memory.mapping.block()[entry.bytes.clone()],
            link: *link,
            wire_len_bytes: entry.wire_len_bytes,
            segment_bytes: entry.segment_bytes,
            time: entry.time,
        })
    }

    /// Frames the kernel dropped since this was last asked, because the ring was full. Its own count
    /// is read whenever a block is given back, so that it is whole once there is nothing more to read.
    pub const fn take_lost(&mut self) -> u64 {
        std::mem::replace(&mut self.lost, 0)
    }

    /// How often the kernel found the ring full and stood still, so far.
    #[must_use]
    pub const fn frozen(&self) -> u64 {
        self.frozen
    }

    /// To be called when `poll(2)` says that something is wrong; says whether the interface is gone.
    /// One that is only down stays bound, and is heard again when it is up.
    pub fn check(&mut self) -> bool {
        let Some(ifindex) = self.ifindex else {
            return false;
        };
        // ENETDOWN for both; asking ends poll's insistence.
        let _ = self.socket.take_error();
        let is_there = self
            .socket
            .bound()
            .is_ok_and(|bound| u32::try_from(bound.ifindex) == Ok(ifindex));
        if !is_there {
            self.ifindex = None;
        }
        !is_there
    }

    fn shut(&self) -> Result<(), RingError> {
        self.socket
            .attach(&Program::nothing())
            .map_err(RingError::Refused)
    }

    /// Makes the memory, or keeps the one there is, with all that is unread in it.
    fn map(&mut self, mode: Mode) -> io::Result<()> {
        let shape = Shape::at_least(BLOCK_BYTES, blocks(mode, self.size));
        if self
            .memory
            .as_ref()
            .is_some_and(|memory| memory.shape == shape)
        {
            return Ok(());
        }
        self.unmap()?;
        // Volumes are read from frames only where all of them pass.
        let tells_segments = self.socket.tell_segments(mode == Mode::Everything);
        self.socket.set_ring(shape, BLOCK_MILLIS_MAX)?;
        let mapping = Mapping::new(self.socket.as_fd(), shape)?;
        self.memory = Some(Memory {
            mapping,
            shape,
            tells_segments,
            cursor: None,
            frame: None,
        });
        Ok(())
    }

    fn unmap(&mut self) -> io::Result<()> {
        self.memory = None;
        let none = Shape {
            block_bytes: 0,
            blocks: 0,
        };
        self.socket.set_ring(none, 0)
    }

    fn count_losses(&mut self) {
        if let Ok(statistics) = self.socket.statistics() {
            self.lost += u64::from(statistics.dropped);
            self.frozen += u64::from(statistics.frozen);
        }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

// === impl Memory ===

impl Memory {
    /// Makes an entry the current frame; says whether it can be read and is wanted.
    fn show(&mut self, mut entry: Entry, passes_over_tagged: bool) -> bool {
        let Some(link) = entry.link else {
            return false;
        };
        let mut is_tagged = entry.is_tagged;
        if link == LinkType::ETHERNET {
            let frame = &mut self.mapping.block_mut()[entry.bytes.clone()];
            if block::untag(frame) {
                is_tagged = true;
                entry.bytes.start += usize::from(TAG_BYTES);
                entry.wire_len_bytes = entry.wire_len_bytes.saturating_sub(TAG_BYTES.into());
            }
        }
        if is_tagged && passes_over_tagged {
            return false;
        }
        self.frame = Some((entry, link));
        true
    }
}

/// Tells an interface that is not there from other refusals.
fn refusal(error: io::Error) -> RingError {
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => RingError::Gone,
        _ => RingError::Refused(error),
    }
}

/// How many blocks a ring has. Where everything passes, more of it comes while nobody looks; two large
/// and six small such rings, with a full house beside them, leave the daemon below its 10 MiB.
const fn blocks(mode: Mode, size: Size) -> usize {
    match (mode, size) {
        (Mode::Names, _) => 4,
        (Mode::Everything, Size::Small) => 5,
        (Mode::Everything, Size::Large) => 16,
    }
}

/// The bytes of a block: where a page is larger, a page.
pub const BLOCK_BYTES: usize = 32 * 1024;

/// How long a frame may wait in a block that is not full.
const BLOCK_MILLIS_MAX: u32 = 100;

/// `ETH_P_ALL`, both directions.
const EVERY_ETHER_TYPE: u16 = 0x0003;
/// Reserved by IEEE: no frame has it.
const NO_ETHER_TYPE: u16 = 0xffff;

// A frame and its headers fit into a block, or the kernel would cut it further.
const _: () = assert!(SNAP_BYTES as usize + 1024 <= BLOCK_BYTES);

#[cfg(test)]
pub(in crate::capture) mod tests;
