//! Where things stand on a collector's disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where things stand on a collector's disk.
#[derive(Clone, Debug)]
pub struct Places {
    folder: PathBuf,
}

impl Places {
    /// A disk in this folder, which is made.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn make(folder: PathBuf) -> io::Result<Self> {
        let places = Self { folder };
        fs::create_dir_all(places.data())?;
        fs::create_dir_all(places.keys())?;
        Ok(places)
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data().join("collector.db")
    }

    /// The folder of the key files.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// The ledger's copy.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.folder.join("identity.ledger")
    }

    /// The folder of what is published.
    #[must_use]
    pub fn published(&self) -> PathBuf {
        self.folder.join("published")
    }

    /// Takes over from another disk what no power cut touches: nothing of it is being written when the
    /// power fails.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn inherit(&self, other: &Self) -> io::Result<()> {
        let identity = "identity.key";
        fs::copy(other.folder.join(identity), self.folder.join(identity))?;
        let installed = other.data().join("atlas");
        if installed.exists() {
            fs::rename(installed, self.data().join("atlas"))?;
        }
        Ok(())
    }

    /// Loses the database.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn lose_database(&self) -> io::Result<()> {
        for path in [
            self.database(),
            self.log(),
            self.data().join("collector.db-shm"),
        ] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes all of it.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.folder)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.data().join("collector.db-wal")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}
