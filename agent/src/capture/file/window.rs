//! The part of a file that is in memory: a buffer of fixed size that moves forwards.

use super::BUFFER_BYTES;
use std::io::{self, Read};

/// So many bytes are asked of the file at a time, always behind what is left of those before: the
/// larger part of the buffer is only touched where large records need it, and what is used stays in
/// the processor's cache.
const READ_BYTES: usize = 64 * 1024;

pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    exhausted: bool,
    error: Option<io::Error>,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        let bytes = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self {
            reader,
            bytes,
            start: 0,
            end: 0,
            exhausted: false,
            error: None,
        }
    }

    /// What is in memory and not consumed.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
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
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let space_end = BUFFER_BYTES.min(self.end + READ_BYTES);
            match self.reader.read(&mut self.bytes[self.end..space_end]) {
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
