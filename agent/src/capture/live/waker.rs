//! Calls a source back from its wait, out of another thread.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The source's end.
#[derive(Debug)]
pub(super) struct Bell {
    line: Arc<Line>,
}

/// Wakes a source; any thread may hold one.
#[derive(Clone, Debug)]
pub struct Waker {
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    /// Readable once somebody called: it ends a wait. The flags say what for.
    eventfd: OwnedFd,
    is_called: AtomicBool,
    is_stopped: AtomicBool,
}

// === impl Bell ===

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            line: Arc::new(Line {
                eventfd,
                is_called: AtomicBool::new(false),
                is_stopped: AtomicBool::new(false),
            }),
        })
    }

    pub(super) fn waker(&self) -> Waker {
        Waker {
            line: Arc::clone(&self.line),
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.line.is_stopped.load(Ordering::Acquire)
    }

    /// Whether somebody called since this was last asked.
    pub(super) fn take_call(&self) -> bool {
        self.line.is_called.swap(false, Ordering::AcqRel)
    }

    /// Ends the ringing, not the call.
    pub(super) fn quieten(&self) {
        // Nothing to read means that nobody rang.
        let _ = rustix::io::read(&self.line.eventfd, &mut [0; 8]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.eventfd.as_fd()
    }
}

// === impl Waker ===

impl Waker {
    /// Makes the source say `Event::Idle` at once.
    pub fn wake(&self) {
        self.line.is_called.store(true, Ordering::Release);
        self.line.ring();
    }

    /// Makes the source say `Event::End`, from now on.
    pub fn stop(&self) {
        self.line.is_stopped.store(true, Ordering::Release);
        self.line.ring();
    }
}

// === impl Line ===

impl Line {
    fn ring(&self) {
        // It can only fail when it rings already, 2^64 times over.
        let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
    }
}
