//! Withdrawal: a home's word that it leaves, and the collector's that it has forgotten.

use crate::id::{Audience, Hash, HomeId};
use crate::manifest::Purpose;
use crate::time::{Timestamp, Week};

/// A home's wish to be forgotten, signed with its current key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The collector it is meant for.
    pub audience: Audience,
    /// The home that leaves.
    pub home: HomeId,
    /// Random, so that the payload's hash, which is all a collector keeps of it, tells nothing of the
    /// home to whoever does not hold the payload.
    pub nonce: [u8; 16],
}

/// A collector's signed receipt for a [`Withdrawal`]. A repetition gets the same bytes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The collector.
    pub audience: Audience,
    /// The home that was forgotten.
    pub home: HomeId,
    /// SHA-256 of the withdrawal's payload.
    pub withdrawal_hash: Hash,
    /// When it was done, to the second.
    pub erased_at: Timestamp,
    /// Batches that were erased.
    pub batches: u32,
    /// The weeks they were of, none of them final, oldest first.
    pub weeks: Vec<Week>,
    /// Findings, or an exercise.
    pub purpose: Purpose,
}
