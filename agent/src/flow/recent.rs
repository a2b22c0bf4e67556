//! Where the conversations of late have their places.
//!
//! Takes a key's hash, gives the place where its conversation was found last: a guess, which the
//! conversation there bears out or not. Most packets belong to a conversation that others belonged to
//! just before; they are spared the way through the table of all, which no cache holds.

/// A place for each hash that was looked up of late; of two that fall together, the later one.
pub(super) struct Recent(Box<[u32; SLOTS]>);

/// So few that they stay in the processor's cache: 16 KiB.
const SLOTS: usize = 4_096;

// === impl Recent ===

impl Recent {
    pub(super) fn new() -> Self {
        Self(Box::new([0; SLOTS]))
    }

    /// Where to look first. Nothing was ever noted for many a hash: then any place is as good.
    #[inline]
    pub(super) const fn guess(&self, hash: u64) -> u32 {
        self.0[slot(hash)]
    }

    /// Notes where a conversation was found.
    #[inline]
    pub(super) const fn note(&mut self, hash: u64, place: u32) {
        self.0[slot(hash)] = place;
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "below SLOTS")]
const fn slot(hash: u64) -> usize {
    (hash % SLOTS as u64) as usize
}
