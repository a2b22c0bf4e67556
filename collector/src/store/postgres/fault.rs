//! What can go wrong in a transaction, and what follows from it.
//!
//! Three kinds: it lost a race and may begin again at once, nothing having changed; the server cannot
//! be used now, and whoever asked comes back; the engine failed. A commit without an answer is of the
//! second kind: it may stand or not, and asked again the store finds out which.

use crate::store::StoreError;
use std::fmt;
use tokio_postgres::error::SqlState;

/// Why a transaction gave no value.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the line to it.
    Postgres(tokio_postgres::Error),
    /// Another collector was faster; nothing was changed.
    Raced,
    /// The commit was sent, and nobody knows whether it stands.
    Unsure(&'static str),
    /// A stored value breaks the schema's promise: the database was changed by other hands.
    Damaged(&'static str),
    /// The store's own word.
    Store(StoreError),
}

/// What a server said, without the values it said it about: those may be a home's.
#[derive(Debug)]
struct Said(String);

impl Fault {
    /// Whether the whole transaction may begin again at once.
    pub(super) fn begins_again(&self) -> bool {
        match self {
            Self::Raced => true,
            Self::Postgres(error) => match error.code() {
                Some(code) => {
                    *code == SqlState::T_R_SERIALIZATION_FAILURE
                        || *code == SqlState::T_R_DEADLOCK_DETECTED
                }
                // A session that was idle when its server went: nothing was committed in it.
                None => error.is_closed(),
            },
            Self::Unsure(_) | Self::Damaged(_) | Self::Store(_) => false,
        }
    }

    /// The store's word for it.
    pub(super) fn into_error(self, transaction: &'static str) -> StoreError {
        let unavailable = |source: String| StoreError::Unavailable {
            transaction,
            source: Said(source).into(),
        };
        match self {
            Self::Store(error) => error,
            Self::Raced => unavailable("other collectors were faster each time".to_owned()),
            Self::Unsure(why) => unavailable(format!("whether it was committed is unknown: {why}")),
            Self::Damaged(what) => StoreError::Engine {
                transaction,
                source: what.into(),
            },
            Self::Postgres(error) => match error.code() {
                Some(code) if *code == SqlState::DISK_FULL => StoreError::Full,
                Some(code) if passes(code) => unavailable(said(&error)),
                Some(_) => StoreError::Engine {
                    transaction,
                    source: Said(said(&error)).into(),
                },
                // Without a code it is the line, or a value that is not of the column's type.
                None if is_conversion(&error) => StoreError::Engine {
                    transaction,
                    source: Said(said(&error)).into(),
                },
                None => unavailable(said(&error)),
            },
        }
    }
}

/// Whether this is over when the server is well again, or another took its place.
fn passes(code: &SqlState) -> bool {
    // Connection, resources, and what operators do to servers.
    let classes = ["08", "53", "57", "58"];
    let codes = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    classes.iter().any(|class| code.code().starts_with(class)) || codes.contains(code)
}

/// Whether what the server says with this code is about itself. Of the others, "invalid input syntax for
/// type ...: ..." quotes the value, a trigger of somebody's may quote anything, and who is not let in is told
/// from which address.
fn is_about_the_server(code: &SqlState) -> bool {
    let classes = [
        "08", "0A", "25", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX",
    ];
    classes.iter().any(|class| code.code().starts_with(class))
}

fn is_conversion(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    text.starts_with("error serializing") || text.starts_with("error deserializing")
}

/// The server's sentence and its code, or only the code where the sentence is about values. Its details, hints
/// and contexts hold the values of rows, and stay away.
fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) if is_about_the_server(said.code()) => {
            format!("{} ({})", said.message(), said.code().code())
        }
        Some(said) => format!("the server refuses it ({})", said.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}
