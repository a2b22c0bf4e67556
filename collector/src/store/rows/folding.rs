//! The nouns of folding: a closed week's work in parts, each taken by one collector at a time.

use phonehome_proto::time::{Timestamp, Week};

/// One reading of a week, homes and all, as it stood at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fold {
    /// Which week.
    pub week: Week,
    /// How often a home had been erased from it. After another erasure nothing that was found before
    /// counts.
    pub erasures: u32,
    /// Which pass over its homes.
    pub pass: u8,
}

/// Who works, and how long others wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// A name drawn by chance, of one collector's life.
    pub holder: [u8; 16],
    /// From then on the part is anybody's, unless it is done.
    pub until: Timestamp,
}

/// What became of a wish for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    /// This part is the asker's.
    Part(u16),
    /// Others work on all that is left.
    Busy,
    /// Every part is done.
    Done,
    /// The week is not closed, or a home was erased from it since: look again.
    Outdated,
}

/// Parts of one pass, at most.
pub const PARTS_MAX: u16 = 4_096;

/// What was found in a part, sealed, has at most so many bytes: three times what the largest survey has.
pub const PART_BYTES_MAX: usize = 32 * 1024 * 1024;
