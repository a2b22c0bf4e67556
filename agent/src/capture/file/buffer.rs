//! Memory that a stretch of a file lies in, and stays in while the file is read on.

use super::BUFFER_BYTES;

/// [`BUFFER_BYTES`] of a file, or fewer where they are not filled: those are never the agent's memory.
pub struct Buffer(Box<[u8]>);

// === impl Buffer ===

impl Buffer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(vec![0; BUFFER_BYTES].into_boxed_slice())
    }

    /// All of it, whatever it was filled with last.
    #[must_use]
    #[inline]
    pub const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The memory, until another is put in its place.
    pub(super) fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }

    #[inline]
    pub(super) const fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}
