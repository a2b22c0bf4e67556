//! What became of this home's batches, since its state folder was made.
//!
//! Sealed = accepted + each loss of the spool and each refusal + what waits in the spool. What
//! waits is not written down twice: the spool knows.

use super::{Claim, State, StateError};
use crate::spool::Lost;
use crate::tally::Tally;
use crate::uplink::{Refusal, Submitted};
use phonehome_proto::batch::Loss;
use phonehome_proto::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Batches for which there is a receipt.
    pub accepted: u64,
    /// When the collector took the last of them, by its clock.
    pub last_accepted: Option<Timestamp>,
    losses: BTreeMap<String, u64>,
    dropped_unreported: u64,
}

/// A way for something to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Batches that the spool let go.
    Spool(Lost),
    /// Batches that the collector will never take.
    Refused(Refusal),
    /// What was missed while watching.
    Missed(Loss),
}

/// `ledger.json`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    accepted: u64,
    last_accepted_seconds: Option<i64>,
    losses: BTreeMap<String, u64>,
    dropped_unreported: u64,
}

pub(super) const LEDGER: &str = "ledger.json";

impl Gone {
    /// The word in `status`.
    fn word(self) -> String {
        match self {
            Self::Spool(lost) => lost.as_str().to_owned(),
            Self::Refused(refusal) => format!("refused_{}", refusal.as_str()),
            Self::Missed(loss) => loss.as_str().to_owned(),
        }
    }
}

impl Ledger {
    /// Counts a loss.
    pub fn add(&mut self, gone: Gone, count: u64) {
        if count > 0 {
            let total = self.losses.entry(gone.word()).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// Counts what a spool lost; the next day's coverage will report it.
    pub fn add_spool(&mut self, lost: &Tally<Lost>) {
        for (reason, count) in lost.nonzero() {
            self.add(Gone::Spool(reason), count);
            self.dropped_unreported = self.dropped_unreported.saturating_add(count);
        }
    }

    /// Batches the spool lost that no coverage has reported yet.
    #[must_use]
    pub const fn dropped_unreported(&self) -> u64 {
        self.dropped_unreported
    }

    /// Batches were lost that had reported these: they are to be reported again.
    pub const fn report_again(&mut self, count: u64) {
        self.dropped_unreported = self.dropped_unreported.saturating_add(count);
    }

    /// Counts what a collector said of the batches that were sent.
    pub fn add_submitted(&mut self, submitted: &Submitted) {
        for held in &submitted.held {
            self.accepted += 1;
            self.last_accepted = self.last_accepted.max(Some(held.receipt().received_at));
        }
        for (_, refusal) in &submitted.refused {
            if refusal.is_final() {
                self.add(Gone::Refused(*refusal), 1);
            }
        }
    }

    /// A coverage has reported them.
    pub const fn dropped_reported(&mut self) {
        self.dropped_unreported = 0;
    }

    /// Every loss that occurred, by its word.
    #[must_use]
    pub const fn losses(&self) -> &BTreeMap<String, u64> {
        &self.losses
    }
}

impl State {
    /// The counts so far.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn ledger(&self) -> Result<Ledger, StateError> {
        let record: Record = self.json(LEDGER)?.unwrap_or_default();
        Ok(Ledger {
            accepted: record.accepted,
            last_accepted: record.last_accepted_seconds.map(Timestamp::from_seconds),
            losses: record.losses,
            dropped_unreported: record.dropped_unreported,
        })
    }
}

impl Claim {
    /// Keeps the counts; those that did not change are kept already.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn set_ledger(&self, ledger: &Ledger) -> Result<(), StateError> {
        if self.state.ledger()? == *ledger {
            return Ok(());
        }
        let record = Record {
            accepted: ledger.accepted,
            last_accepted_seconds: ledger.last_accepted.map(Timestamp::seconds),
            losses: ledger.losses.clone(),
            dropped_unreported: ledger.dropped_unreported,
        };
        self.write_json(LEDGER, &record)
    }
}
