//! The spool: sealed batches on their way, one file each.
//!
//! Takes [`SealedBatch`]es, keeps them in a folder until the uplink has a receipt for each. It
//! promises that
//! - a batch that was put is on the disk, whole, before [`Spool::put`] returns;
//! - what comes out is byte for byte what went in, or is counted as damaged;
//! - it never holds more than [`SpoolLimits`] allow: the oldest go, counted as [`Lost::Full`];
//! - what went in = what was removed on a final answer + what was lost + what still waits.
//!
//! A file is called by a number that rises with each batch, `0000000042.batch`. It orders a folder
//! and says nothing else: the batch's own id is random, because a spool in memory forgets its
//! numbers when the power goes.

use crate::durable;
use crate::seal::OurKeys;
use crate::seal::file::{self, FILE_BYTES_MAX};
use crate::tally::{Tally, reasons};
use phonehome_proto::seal::{PayloadType, SealedBatch};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How much waits at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Files; one batch each.
    pub files_max: usize,
    /// Bytes of all files together.
    pub bytes_max: u64,
}

/// A folder of waiting batches. Whoever holds it is the only one to write there.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    limits: SpoolLimits,
    waiting: BTreeMap<u64, u64>,
    /// The next batch's; rises also when the last one before it has gone.
    number: u64,
    lost: Tally<Lost>,
}

/// One waiting batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u64);

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Files; one batch each.
    pub batches: usize,
    /// Their bytes.
    pub bytes: u64,
}

reasons! {
    /// Why a batch left the spool without an answer.
    pub enum Lost {
        /// The spool was full and the batch the oldest.
        Full = "spool_full",
        /// The file did not hold what was once written into it.
        Damaged = "spool_damaged",
        /// Its day got its date from a clock that has since proved wrong.
        Misdated = "spool_misdated",
        /// Its day may tell of a device that the household has denied since.
        Denied = "spool_denied",
        /// The household has taken back the list by which it told of an endpoint.
        Unlisted = "spool_unlisted",
    }
}

/// The folder cannot be used. Nothing is lost by it.
#[derive(Debug, Error)]
#[error("the spool in {folder} cannot be used: {source}")]
pub struct SpoolError {
    folder: PathBuf,
    source: io::Error,
}

/// Two months of a busy home; a router's memory hardly notices.
const FILES_MAX: usize = 512;
/// A batch takes a few kilobytes; 512 of them stay below this.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

// The largest batch fits an empty spool, so a batch just put is never the one that is dropped.
const _: () = assert!(FILE_BYTES_MAX as u64 <= BYTES_MAX);
const _: () = assert!(FILES_MAX > 0);

// === impl Spool ===

impl Spool {
    /// The spool in a folder, which is made if need be; what a crash left unfinished is removed.
    ///
    /// # Errors
    /// [`SpoolError`].
    ///
    /// # Panics
    /// When the limits leave no room for one batch.
    pub fn open(folder: &Path, limits: SpoolLimits) -> Result<Self, SpoolError> {
        assert!(limits.files_max > 0, "a spool holds at least one batch");
        assert!(
            limits.bytes_max >= SpoolLimits::BYTES_MIN,
            "the largest batch fits an empty spool"
        );
        let listed = durable::make_folder(folder)
            .and_then(|()| durable::sweep(folder))
            .and_then(|()| list(folder))
            .map_err(|source| SpoolError {
                folder: folder.to_owned(),
                source,
            })?;
        let last = listed.last_key_value().map_or(0, |(number, _)| *number);
        Ok(Self {
            folder: folder.to_owned(),
            limits,
            waiting: listed,
            number: last + 1,
            lost: Tally::new(),
        })
    }

    /// How much waits in a folder, without taking it.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn waiting_in(folder: &Path) -> Result<Waiting, SpoolError> {
        let listed = list(folder).map_err(|source| SpoolError {
            folder: folder.to_owned(),
            source,
        })?;
        Ok(Waiting {
            batches: listed.len(),
            bytes: listed.values().sum(),
        })
    }

    /// The batches that wait in a folder, oldest first, without taking it; damaged ones are left out.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn look(folder: &Path, home: &OurKeys) -> Result<Vec<SealedBatch>, SpoolError> {
        let failed = |source| SpoolError {
            folder: folder.to_owned(),
            source,
        };
        let mut batches = Vec::new();
        for number in list(folder).map_err(failed)?.into_keys() {
            batches.extend(read(&path(folder, Slot(number)), home).map_err(failed)?);
        }
        Ok(batches)
    }

    /// Keeps batches, in their order; where the limits demand it, the oldest go.
    ///
    /// # Errors
    /// [`SpoolError`]: the batch it could not keep and those after it are not kept.
    pub fn put<'a>(
        &mut self,
        batches: impl IntoIterator<Item = &'a SealedBatch>,
    ) -> Result<(), SpoolError> {
        let put = batches
            .into_iter()
            .try_for_each(|sealed| self.place(sealed));
        // Once for all of them: syncing is what takes the time.
        durable::settle(&self.folder).map_err(|source| self.failed(source))?;
        put
    }

    /// The waiting batches, oldest first.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        self.waiting.keys().copied().map(Slot).collect()
    }

    /// The batch in a slot, signed by one of the keys of `home`; `None` when it is damaged, and then it is gone.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn read(&mut self, slot: Slot, home: &OurKeys) -> Result<Option<SealedBatch>, SpoolError> {
        let sealed = read(&path(&self.folder, slot), home).map_err(|source| self.failed(source))?;
        if sealed.is_none() {
            self.remove(slot)?;
            self.lost.add(Lost::Damaged, 1);
        }
        Ok(sealed)
    }

    /// Removes a batch that has its final answer. Should a crash bring it back, it is sent again and
    /// gets the same answer.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn remove(&mut self, slot: Slot) -> Result<(), SpoolError> {
        durable::remove(&path(&self.folder, slot)).map_err(|source| self.failed(source))?;
        self.waiting.remove(&slot.0);
        Ok(())
    }

    /// The batch put last, if it still waits.
    #[must_use]
    pub fn last(&self) -> Option<Slot> {
        self.waiting
            .last_key_value()
            .map(|(number, _)| Slot(*number))
    }

    /// Removes a batch that must not be sent, and counts it.
    ///
    /// # Errors
    /// [`SpoolError`].
    pub fn let_go(&mut self, slot: Slot, why: Lost) -> Result<(), SpoolError> {
        self.remove(slot)?;
        self.lost.add(why, 1);
        Ok(())
    }

    /// How much waits.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        Waiting {
            batches: self.waiting.len(),
            bytes: self.bytes(),
        }
    }

    /// What was lost since the last call.
    pub fn take_lost(&mut self) -> Tally<Lost> {
        std::mem::take(&mut self.lost)
    }

    fn place(&mut self, sealed: &SealedBatch) -> Result<(), SpoolError> {
        let bytes = file::to_bytes(sealed);
        let len = u64::try_from(bytes.len()).expect("a batch is bounded");
        self.make_room(len)?;
        let number = self.number;
        let path = path(&self.folder, Slot(number));
        durable::place(&path, &bytes).map_err(|source| self.failed(source))?;
        self.waiting.insert(number, len);
        self.number += 1;
        Ok(())
    }

    fn make_room(&mut self, len: u64) -> Result<(), SpoolError> {
        while self.waiting.len() >= self.limits.files_max
            || self.bytes() + len > self.limits.bytes_max
        {
            let Some((&oldest, _)) = self.waiting.first_key_value() else {
                return Ok(());
            };
            self.remove(Slot(oldest))?;
            self.lost.add(Lost::Full, 1);
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.waiting.values().sum()
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        SpoolError {
            folder: self.folder.clone(),
            source,
        }
    }
}

impl SpoolLimits {
    /// The largest batch fits an empty spool: fewer bytes make none.
    pub const BYTES_MIN: u64 = FILE_BYTES_MAX as u64;
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self {
            files_max: FILES_MAX,
            bytes_max: BYTES_MAX,
        }
    }
}

fn path(folder: &Path, slot: Slot) -> PathBuf {
    folder.join(format!("{:010}.batch", slot.0))
}

/// Number and bytes of every file that is a spool's; other files are not touched.
fn list(folder: &Path) -> io::Result<BTreeMap<u64, u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries?,
    };
    let mut listed = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".batch"));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            listed.insert(number, entry.metadata()?.len());
        }
    }
    Ok(listed)
}

/// `None` where the file does not hold a batch that `home` signed.
fn read(path: &Path, home: &OurKeys) -> io::Result<Option<SealedBatch>> {
    let bytes = match durable::read(path, FILE_BYTES_MAX as u64) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
        bytes => bytes?,
    };
    let sealed = bytes.and_then(|bytes| file::from_bytes(&bytes).ok());
    Ok(sealed.filter(|sealed| home.open(sealed, PayloadType::Batch).is_ok()))
}

#[cfg(test)]
mod tests;
