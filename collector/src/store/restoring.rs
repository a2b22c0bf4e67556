//! Copies of the embedded database, and copies that came back. A server is backed up by its own means.

use super::{CaughtUp, Since, Snapshot, Store, StoreError};
use std::path::PathBuf;

impl Store {
    /// Writes the database as it is now, without what is deleted in it, to the empty file at `to`; goes on
    /// taking changes meanwhile. Gives its schema and the last link of the ledger in it.
    ///
    /// # Errors
    /// When the engine fails, or it is a server.
    pub async fn snapshot(&self, to: PathBuf) -> Result<Snapshot, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.snapshot(to).await,
            Self::Postgres(_) => Err(StoreError::OnServer),
        }
    }

    /// Brings a database that was restored up to what happened since, past recovery from the file, all of
    /// it or nothing. `None` if the links do not go on where its ledger ends.
    ///
    /// # Errors
    /// When the engine fails, or it is a server.
    pub async fn catch_up(&self, since: Since) -> Result<Option<CaughtUp>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.catch_up(since).await,
            Self::Postgres(_) => Err(StoreError::OnServer),
        }
    }
}
