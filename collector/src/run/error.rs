//! Why the collector cannot run, or go on: one sentence each, and the exit code it ends with.

use super::readers::certificate::CertificateError;
use crate::backup::BackupError;
use crate::config::ConfigError;
use crate::geo::atlas::Older;
use crate::geo::country::NotADatabase;
use crate::intake::tls::TlsError;
use crate::ledger::LedgerError;
use crate::publish::PublishError;
use crate::registry::RegistryError;
use crate::revocation::RevocationError;
use crate::secret_file::SecretFileError;
use crate::store::StoreError;
use crate::store::moving::MoveError;
use crate::store::postgres::NotAServer;
use crate::weeks::WeeksError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Why the collector cannot run, or go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The identity's key file cannot be used.
    #[error(transparent)]
    Identity(#[from] SecretFileError),
    /// A key under which places are counted cannot be used or destroyed.
    #[error(transparent)]
    MonthKey(SecretFileError),
    /// Homes cannot be taken out.
    #[error("no home was revoked: {0}")]
    Revocation(RevocationError),
    /// There is an identity but no database: homes would be told that nobody knows them.
    #[error(
        "there is no database at {}, but the identity {} exists: restore the database, or move the \
         identity away to begin anew",
        database.display(), identity.display()
    )]
    LostDatabase {
        /// Where the database should be.
        database: PathBuf,
        /// The key file that says this collector is not new.
        identity: PathBuf,
    },
    /// The database belongs to another identity or purpose.
    #[error("the database belongs to another collector, or to one with another purpose")]
    OtherCollector,
    /// What was named as a server is none.
    #[error("the server cannot be used: {0}")]
    Server(#[from] NotAServer),
    /// The store was not moved, and is where it was.
    #[error("the store stays where it was: {0}")]
    Move(#[from] MoveError),
    /// The store that was to be moved is on a server already.
    #[error("the store is on a server already: 'store.url' of the configuration says so")]
    OnServer,
    /// The server would forget what it acknowledged.
    #[error(
        "the database server has '{0}' off: what it acknowledges would not survive a power cut, so \
         nothing may be acknowledged to homes"
    )]
    Fragile(&'static str),
    /// The ledger's copy cannot be used, or the database is older than it.
    #[error(transparent)]
    Ledger(LedgerError),
    /// A backup cannot be written, or is none that can be restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// There is a database where one is to be restored.
    #[error("there is a database at {} already: move it away first", .0.display())]
    NotEmpty(PathBuf),
    /// The ledger at hand does not say what happened since a backup.
    #[error("{0}")]
    NotCurrent(String),
    /// The store cannot be opened, or failed.
    #[error("{0}")]
    Store(Arc<StoreError>),
    /// A folder cannot be made.
    #[error("the folder {} cannot be made: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folders of database and keys lie within each other by way of links.
    #[error(
        "'keys_dir' and 'data_dir' lead to {} and {}, of which one lies within the other",
        keys.display(), data.display()
    )]
    Nested {
        /// Where `data_dir` leads.
        data: PathBuf,
        /// Where `keys_dir` leads.
        keys: PathBuf,
    },
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A country database is none.
    #[error("{} is {source}", path.display())]
    Geo {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: NotADatabase,
    },
    /// An installed table, or the list of them, is not what was installed.
    #[error("{} is not as it was installed: install it again with 'geo update'", path.display())]
    Altered {
        /// Which.
        path: PathBuf,
    },
    /// A database's file is named like nothing that can stand on a release.
    #[error(
        "{} cannot be installed: its name must be up to 64 letters, digits, '-', '_' and '.'",
        path.display()
    )]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// As many databases as there may be are installed.
    #[error("more than {0} country databases cannot be installed")]
    TooManyDatabases(usize),
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A country database is older than the one in use.
    #[error(transparent)]
    Older(#[from] Older),
    /// An address cannot be listened on.
    #[error("'{key}' cannot listen on {address}: {source}")]
    Listen {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A week cannot be moved on, or a release cannot be read.
    #[error(transparent)]
    Weeks(WeeksError),
    /// Releases cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What readers' TLS is to be certified with cannot be used.
    #[error("readers' certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// A server ended by itself.
    #[error("the server for {0} ended: {1}")]
    Ended(&'static str, String),
}

impl RunError {
    /// The exit code: 64 bad configuration, 65 bad input, 69 unavailable, 70 our bug.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Certificate(_)
            | Self::Nested { .. }
            | Self::Server(_)
            | Self::OnServer => 64,
            Self::Backup(
                BackupError::NotWhole(_)
                | BackupError::Foreign(_)
                | BackupError::OtherPurpose(_)
                | BackupError::Altered(_)
                | BackupError::Newer { .. },
            )
            | Self::Geo { .. }
            | Self::Older(_)
            | Self::Altered { .. }
            | Self::Name { .. }
            | Self::TooManyDatabases(_) => 65,
            Self::Tls(_) | Self::Ended(..) => 70,
            Self::Backup(BackupError::Taken(_) | BackupError::Io { .. })
            | Self::Identity(_)
            | Self::MonthKey(_)
            | Self::Revocation(_)
            | Self::LostDatabase { .. }
            | Self::OtherCollector
            | Self::Ledger(_)
            | Self::NotEmpty(_)
            | Self::NotCurrent(_)
            | Self::Fragile(_)
            | Self::Move(_)
            | Self::Store(_)
            | Self::Folder { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. }
            | Self::Listen { .. }
            | Self::Weeks(_)
            | Self::Publish(_) => 69,
        }
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<RegistryError> for RunError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Store(error) => error.into(),
            RegistryError::Key(error) => Self::MonthKey(error),
        }
    }
}

impl From<LedgerError> for RunError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            error => Self::Ledger(error),
        }
    }
}

impl From<WeeksError> for RunError {
    fn from(error: WeeksError) -> Self {
        match error {
            WeeksError::Store(error) => error.into(),
            error => Self::Weeks(error),
        }
    }
}
