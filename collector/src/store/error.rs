//! Why a store did not do what was asked: one sentence each.

use std::error::Error;
use std::path::PathBuf;
use thiserror::Error;

/// Why the store did not do what was asked. Nothing was changed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no database where one is expected.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// The server is there, and holds no collector's tables.
    #[error("the database on the server holds no collector's tables yet")]
    Unmade,
    /// The store has moved from this file to a server.
    #[error(
        "the store that was in this file has moved to {0}: name that in [store] of the configuration"
    )]
    Moved(String),
    /// A store is being moved to this server.
    #[error(
        "a store is being moved to this server and is not whole yet: 'migrate' again to finish it"
    )]
    Unfinished,
    /// A file that says how to get in cannot be used.
    #[error("{} cannot be used: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The server cannot be used now; the same call may succeed later. Whether it was carried out is
    /// known only to the server, and shows then.
    #[error("the database cannot be used now, in '{transaction}': {source}")]
    Unavailable {
        /// The transaction's name.
        transaction: &'static str,
        /// What stands in the way.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No room is left.
    #[error("the database cannot be written: the disk is full")]
    Full,
    /// The database was written by a newer version of this program.
    #[error("the database has schema {found}, and this version knows only up to {known}")]
    Newer {
        /// What the file says.
        found: u32,
        /// The newest this program can read.
        known: u32,
    },
    /// The engine failed.
    #[error("the database failed in '{transaction}': {source}")]
    Engine {
        /// The transaction's name.
        transaction: &'static str,
        /// What the engine said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A server is backed up by its own means.
    #[error(
        "the database is on a server: back it up and restore it with the server's own programs"
    )]
    OnServer,
    /// The engine has stopped.
    #[error("the database is closed")]
    Stopped,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's doing: the server is away, or
    /// another takes its place.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
