//! The part of a file that is in memory: a buffer of fixed size that moves forwards.
//!
//! Where it must move, what is left of it goes to the beginning: of the same buffer, or, if a
//! [spare](Window::lend) one was lent, of that; then the old one can be [taken](Window::leave), and
//! everything in it has stayed where it was.

use super::{BUFFER_BYTES, Buffer};
use std::io::{self, Read};

/// So many bytes are asked of the file at a time, always behind what is left of those before: the
/// larger part of the buffer is only touched where large records need it, and what is used stays in
/// the processor's cache.
const READ_BYTES: usize = 64 * 1024;

/// Where another buffer is lent, no more of one is filled than this, but for a record that is larger:
/// what goes to another thread and comes back is to be in a cache still.
const STRETCH_BYTES: usize = 256 * 1024;

pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Buffer,
    start: usize,
    end: usize,
    exhausted: bool,
    error: Option<io::Error>,
    beside: Beside,
}

/// The buffer beside the one in use.
enum Beside {
    Nothing,
    /// To go on in.
    Spare(Buffer),
    /// That was gone on from.
    Left(Buffer),
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            buffer: Buffer::new(),
            start: 0,
            end: 0,
            exhausted: false,
            error: None,
            beside: Beside::Nothing,
        }
    }

    /// Lends a buffer to go on in: what is in memory now will stay where it is.
    pub(super) fn lend(&mut self, spare: Buffer) {
        self.beside = Beside::Spare(spare);
    }

    /// Whether the buffer lent is in use.
    #[inline]
    pub(super) const fn has_left(&self) -> bool {
        matches!(self.beside, Beside::Left(_))
    }

    /// The buffer that was in use when the other was lent; goes on in that one now, if it has not yet.
    pub(super) fn leave(&mut self) -> Buffer {
        self.move_on();
        match std::mem::replace(&mut self.beside, Beside::Nothing) {
            Beside::Left(left) => left,
            Beside::Nothing | Beside::Spare(_) => unreachable!("one was lent"),
        }
    }

    /// How far into its buffer [`Window::data`] begins.
    #[inline]
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// What is in memory and not consumed.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.buffer.bytes()[self.start..self.end]
    }

    /// Reads on until `count` bytes are there; fewer only where the file ends or fails.
    /// Says whether they are there.
    #[inline]
    pub(super) fn want(&mut self, count: usize) -> bool {
        self.end - self.start >= count || self.read_up_to(count)
    }

    #[cold]
    fn read_up_to(&mut self, count: usize) -> bool {
        assert!(
            count <= BUFFER_BYTES,
            "asked for {count} bytes of a window of {BUFFER_BYTES}"
        );
        while self.data().len() < count && !self.exhausted {
            let has_room = self.end + READ_BYTES <= STRETCH_BYTES;
            if self.start > 0 && !(self.may_fill_up() && has_room) {
                self.move_on();
            }
            let space_end = BUFFER_BYTES.min(self.end + READ_BYTES);
            let space = &mut self.buffer.bytes_mut()[self.end..space_end];
            match self.reader.read(space) {
                Ok(0) => self.exhausted = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.exhausted = true;
                    self.error = Some(error);
                }
            }
        }
        self.data().len() >= count
    }

    /// Whether what was consumed is still wanted in its place.
    const fn may_fill_up(&self) -> bool {
        matches!(self.beside, Beside::Spare(_))
    }

    /// Puts what is left at the beginning of a buffer, and so makes room behind it.
    fn move_on(&mut self) {
        match std::mem::replace(&mut self.beside, Beside::Nothing) {
            Beside::Spare(mut next) => {
                next.bytes_mut()[..self.end - self.start].copy_from_slice(self.data());
                self.beside = Beside::Left(std::mem::replace(&mut self.buffer, next));
            }
            other => {
                self.beside = other;
                let kept = self.start..self.end;
                self.buffer.bytes_mut().copy_within(kept, 0);
            }
        }
        self.end -= self.start;
        self.start = 0;
    }

    /// Lets go of the first `count` bytes, at most of all that are in memory.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Lets go of the next `count` bytes of the file, in memory or not; says whether there were so
    /// many.
    pub(super) fn skip(&mut self, mut count: u64) -> bool {
        while count > 0 && self.want(1) {
            let step = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .min(self.data().len());
            self.consume(step);
            count -= step as u64;
        }
        count == 0
    }

    /// The error that ended the reading, once.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }
}
