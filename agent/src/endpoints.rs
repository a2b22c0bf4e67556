//! Endpoint lists that came after this program: whose signature counts, and what a list must be besides.
//!
//! Takes a sealed list as it was read from a file, gives a [`Later`] list to look names up in, or the
//! one sentence why not. Promises:
//!
//! 1. Only a key compiled into this program opens a list: a release key of the project. Whoever holds
//!    another, a collector's or this home's own, holds nothing. The keys are given to [`Shelf::new`], so
//!    that tests have theirs; no flag, variable or file adds one.
//! 2. What is opened keeps every rule that the build holds its own list to, and gives no id of that list
//!    another meaning. Of public suffixes it knows what [`crate::lists`] knows.
//! 3. Memory is bounded: a list is kept for the life of the process, and once however often it is opened;
//!    there are [`LISTS_MAX`] at most.
//!
//! Whether the household wants a list is decided elsewhere.

use crate::lists::is_public_suffix;
use phonehome_proto::decode::{self, ListRefused};
use phonehome_proto::endpoint::EndpointList;
use phonehome_proto::endpoint::later::CannotFollow;
use phonehome_proto::id::Hash;
use phonehome_proto::release_key;
use phonehome_proto::seal::{PayloadType, SealBroken, SealedBatch, VerifyingKey};
use phonehome_proto::time::Day;
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// Lists that one process opens. A household loads one in a year; a daemon that has seen so many says so,
/// and takes up the next when it is started anew.
pub const LISTS_MAX: usize = 8;

/// A list that a release key signed.
#[derive(Clone, Copy, Debug)]
pub struct Later {
    /// The list.
    pub list: &'static EndpointList,
    /// The day it was made.
    pub made: Day,
    /// The key that signed it.
    pub key: VerifyingKey,
}

/// The lists opened in the life of this process, and the keys that open them.
#[derive(Debug)]
pub struct Shelf {
    keys: Vec<VerifyingKey>,
    opened: Mutex<Vec<(Hash, Later)>>,
}

/// Why a list is not opened.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotOpened {
    /// There is no key that could have signed it.
    #[error("this agent knows no release key yet, so that it takes no endpoint list but its own")]
    NoKeys,
    /// It is something else.
    #[error("what is signed is no endpoint list")]
    OtherType,
    /// Somebody else signed it.
    #[error("the list is not signed with a release key of the project")]
    NotAReleaseKey,
    /// It was changed after it was signed.
    #[error("the list is not what the release key signed")]
    BadSignature,
    /// The project signed what no list may be.
    #[error("the list is signed, and refused all the same: {0}")]
    Refused(#[from] ListRefused),
    /// The project signed what contradicts its own list.
    #[error("the list is signed, and refused all the same: {0}")]
    Contradicts(#[from] CannotFollow),
    /// There is no room for another.
    #[error("{LISTS_MAX} lists were opened since the agent was started; start it anew for another")]
    Full,
}

impl Shelf {
    /// An empty one; these keys may sign.
    #[must_use]
    pub const fn new(keys: Vec<VerifyingKey>) -> Self {
        Self {
            keys,
            opened: Mutex::new(Vec::new()),
        }
    }

    /// The list in an envelope.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(&self, sealed: &SealedBatch) -> Result<Later, NotOpened> {
        if self.keys.is_empty() {
            return Err(NotOpened::NoKeys);
        }
        if sealed.payload_type != PayloadType::Endpoints.as_str() {
            return Err(NotOpened::OtherType);
        }
        let mut keys = self.keys.iter();
        let key = keys
            .find(|key| sealed.public_key == key.as_bytes())
            .ok_or(NotOpened::NotAReleaseKey)?;
        let payload = sealed
            .open(PayloadType::Endpoints, key)
            .map_err(|broken| match broken {
                SealBroken::OtherType => NotOpened::OtherType,
                SealBroken::OtherKey => NotOpened::NotAReleaseKey,
                SealBroken::BadSignature => NotOpened::BadSignature,
            })?;
        let hash = Hash::of(payload);
        // Nothing is left half done by whoever panicked with it.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, later)) = opened.iter().find(|(known, _)| *known == hash) {
            return Ok(Later {
                key: *key,
                ..*later
            });
        }
        let list = decode::endpoint_list(payload, &is_public_suffix)?;
        list.keeps_meanings(EndpointList::compiled_in())?;
        if opened.len() >= LISTS_MAX {
            return Err(NotOpened::Full);
        }
        let later = Later {
            list: list.for_life(),
            made: list.made(),
            key: *key,
        };
        opened.push((hash, later));
        Ok(later)
    }
}

impl Default for Shelf {
    /// With the keys that are compiled in.
    fn default() -> Self {
        Self::new(release_key::compiled_in())
    }
}

#[cfg(test)]
pub(crate) mod tests;
