//! The memory a ring shares with the kernel.
//!
//! A mapping consists of blocks, each owned by one side at a time, as its status word says. The
//! kernel writes to the blocks that are its own and to nothing else, so that the bytes of a block
//! held here stand still until [`Mapping::give_back`].

#![allow(
    unsafe_code,
    reason = "the kernel's ring is shared memory: it is mapped, and its status words are atomics"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

/// How a ring's memory is cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) block_bytes: usize,
    pub(super) blocks: usize,
}

/// A ring's memory.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    shape: Shape,
    /// The block that is, or comes, next.
    current: usize,
    /// Whether the current block was found to be ours and was not given back since.
    is_ours: bool,
}

// SAFETY: the memory belongs to the mapping alone, and nothing in it is bound to a thread; the kernel
// does not care which thread reads.
unsafe impl Send for Mapping {}

// === impl Shape ===

impl Shape {
    /// The smallest shape of at least these sizes whose blocks are whole pages, as the kernel wants.
    pub(super) fn at_least(block_bytes: usize, blocks: usize) -> Self {
        // SAFETY: sysconf reads a constant of the running system.
        let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page_bytes = usize::try_from(page_bytes).expect("every system has pages");
        Self {
            block_bytes: block_bytes.next_multiple_of(page_bytes),
            blocks,
        }
    }

    pub(super) const fn bytes(self) -> usize {
        self.block_bytes * self.blocks
    }
}

// === impl Mapping ===

impl Mapping {
    /// Maps the ring that was asked for on this socket with the same shape.
    pub(super) fn new(socket: BorrowedFd<'_>, shape: Shape) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                shape.bytes(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: NonNull::new(start.cast()).expect("mmap gives no null pointer"),
            shape,
            current: 0,
            is_ours: false,
        })
    }

    /// Whether the kernel has handed the current block over.
    pub(super) fn is_ready(&mut self) -> bool {
        self.is_ours |= self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0;
        self.is_ours
    }

    /// The current block; empty unless it was found ready.
    pub(super) fn block(&self) -> &[u8] {
        // SAFETY: the length is that of a block, or nothing; the block lies within the mapping, which
        // lives as long as `self`. It is ours, so the kernel writes nothing to it, and `&self` keeps
        // others from it.
        unsafe { slice::from_raw_parts(self.current_block(), self.ours_bytes()) }
    }

    /// The current block, to be changed; empty unless it was found ready.
    pub(super) fn block_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `block`, and `&mut self` makes this the only reference.
        unsafe { slice::from_raw_parts_mut(self.current_block(), self.ours_bytes()) }
    }

    /// Gives the current block back to the kernel, and goes on to the next.
    pub(super) fn give_back(&mut self) {
        assert!(self.is_ours, "only what was handed over can be given back");
        self.is_ours = false;
        self.status()
            .store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.current = (self.current + 1) % self.shape.blocks;
    }

    const fn ours_bytes(&self) -> usize {
        if self.is_ours {
            self.shape.block_bytes
        } else {
            0
        }
    }

    fn current_block(&self) -> *mut u8 {
        let offset = self.current * self.shape.block_bytes;
        // SAFETY: `current` is below the number of blocks, so this stays within the mapping.
        unsafe { self.start.add(offset) }.as_ptr()
    }

    fn status(&self) -> &AtomicU32 {
        let offset = std::mem::offset_of!(libc::tpacket_block_desc, hdr)
            + std::mem::offset_of!(libc::tpacket_hdr_v1, block_status);
        // SAFETY: the word lies within the block's header, aligned because blocks begin at pages; the
        // kernel reads and writes it as one word, and here nothing else refers to it while it is the
        // kernel's: `block` gives an empty slice then.
        unsafe { AtomicU32::from_ptr(self.current_block().add(offset).cast()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this address and length, and no reference outlives it.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.shape.bytes()) };
        debug_assert_eq!(result, 0, "a mapping of our own can be unmapped");
    }
}
