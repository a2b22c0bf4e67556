//! The nouns of backups: what a copy of the database holds, and what happened since.

use super::{HomeToken, LedgerRow, ReleaseRow};
use phonehome_proto::id::HomeId;
use phonehome_proto::time::Week;

/// A copy of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its schema.
    pub schema: u32,
    /// The last link of the ledger in it.
    pub last: Option<LedgerRow>,
}

/// What happened since a database was backed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// The links of the ledger that it lacks, oldest first.
    pub links: Vec<LedgerRow>,
    /// Homes that were erased, each with what it stands for in every week whose rows can be read.
    pub erased: Vec<(HomeId, Vec<(Week, HomeToken)>)>,
    /// Homes that were revoked, and not erased later: the same.
    pub revoked: Vec<(HomeId, Vec<(Week, HomeToken)>)>,
    /// Weeks that take no more.
    pub closed: Vec<Week>,
    /// Weeks that were released, if only once.
    pub released: Vec<Week>,
    /// Weeks whose rows nobody can read any more.
    pub destroyed: Vec<Week>,
    /// Releases that were published.
    pub releases: Vec<ReleaseRow>,
    /// Rules are shown under this serial at least.
    pub serial_min: u64,
}

/// What bringing a database up to date did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Homes that were in it and are erased.
    pub homes: usize,
    /// Their batches.
    pub batches: usize,
    /// Homes that were in it and are revoked.
    pub revoked: usize,
    /// Their batches.
    pub revoked_batches: usize,
    /// Batches of weeks that nobody can read any more.
    pub unreadable: usize,
}
