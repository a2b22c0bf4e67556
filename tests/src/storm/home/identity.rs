//! Who takes part: a home as the collector knows it, and what it has sealed.

use super::super::report::{self, Cell};
use anyhow::{Context, Result};
use phonehome_agent::consent::{Gates, Given, MaySend};
use phonehome_agent::seal::{self, OurKeys};
use phonehome_agent::spool::{Spool, SpoolLimits};
use phonehome_proto::batch::{AgentVersion, BatchHeader};
use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use phonehome_proto::id::{Audience, BatchId, HomeId};
use phonehome_proto::seal::{SealedBatch, SigningKey, VerifyingKey};
use phonehome_proto::time::Day;
use std::path::PathBuf;

/// A home as the collector knows it: it ends with a withdrawal, and whoever joins later is another.
pub struct Identity {
    /// Among all that ever were.
    pub number: usize,
    /// What it is called.
    pub id: HomeId,
    /// Whether it knows that the collector has taken it in.
    pub is_in: bool,
    /// What became of its batches.
    pub account: Account,
    pub(super) key: SigningKey,
    pub(super) next: Option<SigningKey>,
    pub(super) former: Vec<VerifyingKey>,
    pub(super) given: Given,
    pub(super) enrolment: SealedBatch,
    pub(super) token: Option<[u8; 16]>,
    pub(super) withdrawal: Option<SealedBatch>,
    /// The highest serial of the collector's rules that it was shown.
    pub(super) serial_seen: Option<u64>,
    /// The first day that is not sealed yet.
    pub(super) unsealed: Day,
    pub(super) spool: Spool,
    pub(super) folder: PathBuf,
    pub(super) limits: SpoolLimits,
}

/// What became of the batches of a home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Sealed and put into the spool.
    pub sealed: u64,
    /// For which there is a receipt.
    pub held: u64,
    /// Refused for good.
    pub refused: u64,
    /// Lost by the spool, or deleted when the home left.
    pub lost: u64,
}

/// A batch that was sealed, and what it says.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its bytes.
    pub sealed: SealedBatch,
    /// Whose it is.
    pub home: HomeId,
    /// The number of that home among all that ever were.
    pub identity: usize,
    /// Its name.
    pub batch_id: BatchId,
    /// What it tells of.
    pub day: Day,
    /// What only it tells of.
    pub cell: Cell,
    /// Whether its signature does not fit.
    pub is_forged: bool,
}

// === impl Identity ===

impl Identity {
    pub(super) fn seal(
        &self,
        audience: Audience,
        batch_id: BatchId,
        day: Day,
        part: u8,
        agent_version: AgentVersion,
    ) -> Fact {
        let header = BatchHeader {
            audience,
            home: self.id,
            batch_id,
            day,
            agent_version,
            endpoint_list_version: ENDPOINT_LIST_VERSION,
        };
        let cell = report::cell(self.number, day, part);
        Fact {
            sealed: seal::seal(&report::batch(header, cell), &self.key),
            home: self.id,
            identity: self.number,
            batch_id,
            day,
            cell,
            is_forged: false,
        }
    }

    pub(super) fn ours(&self) -> OurKeys {
        let next = self.next.as_ref().map(SigningKey::public);
        OurKeys::new(self.id, (self.key.public(), next), self.former.clone())
    }

    pub(super) fn may_send(&self) -> MaySend {
        let gates = Gates {
            consent: Some(self.given),
            devices_allowed: 1,
            sending: true,
            enrolled: self.is_in,
        };
        gates.pass().expect("all of them stand open")
    }

    /// Sets down what the spool had to let go.
    pub(super) fn note_lost(&mut self) {
        self.account.lost += self.spool.take_lost().total();
    }
}

impl Fact {
    /// The same with one bit changed on its way.
    ///
    /// # Errors
    /// Never: a batch has bytes.
    pub fn forged(&self) -> Result<Self> {
        let mut forged = self.clone();
        let last = forged.sealed.payload.last_mut();
        *last.context("a batch has bytes")? ^= 1;
        forged.is_forged = true;
        Ok(forged)
    }
}
