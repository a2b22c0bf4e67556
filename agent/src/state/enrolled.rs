//! The collector that took this home in.

use super::{Claim, State, StateError};
use crate::uplink::CollectorUrl;
use phonehome_proto::decode;
use phonehome_proto::id::{HomeId, from_hex, to_hex};
use phonehome_proto::seal::{SealedBatch, VerifyingKey};
use serde::{Deserialize, Serialize};

/// An enrolment, and whom it binds this home to.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// Where the collector was when it took this home in.
    pub url: CollectorUrl,
    /// The key all of its words are verified with.
    pub collector: VerifyingKey,
    /// Its receipt for the enrolment.
    pub receipt: SealedBatch,
}

/// `collector.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    url: String,
    key: String,
    receipt: ReceiptRecord,
}

/// An envelope in hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptRecord {
    payload_type: String,
    payload: String,
    public_key: String,
    signature: String,
}

pub(super) const COLLECTOR: &str = "collector.json";

impl Enrolled {
    /// What the collector calls this home: SHA-256 of the first key it took. `None` if the receipt is
    /// none, which no collector's was when it was kept.
    #[must_use]
    pub fn home(&self) -> Option<HomeId> {
        let receipt = decode::receipt(&self.receipt.payload);
        receipt.ok().map(|receipt| receipt.home)
    }
}

impl State {
    /// The collector that took this home in, if one did.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn enrolled(&self) -> Result<Option<Enrolled>, StateError> {
        let Some(record) = self.json::<Record>(COLLECTOR)? else {
            return Ok(None);
        };
        let wrong = |what| self.damaged(COLLECTOR, 1, what);
        let hex =
            |digits: &str| from_hex(digits).ok_or_else(|| wrong("a field is not hexadecimal"));
        let key = VerifyingKey::from_bytes(&hex(&record.key)?);
        Ok(Some(Enrolled {
            url: record
                .url
                .parse()
                .map_err(|_| wrong("'url' is no collector's address"))?,
            collector: key.map_err(|_| wrong("'key' is no Ed25519 public key"))?,
            receipt: SealedBatch {
                payload: hex(&record.receipt.payload)?,
                public_key: hex(&record.receipt.public_key)?,
                signature: hex(&record.receipt.signature)?,
                payload_type: record.receipt.payload_type,
            },
        }))
    }
}

impl Claim {
    /// Keeps the collector that took this home in.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn set_enrolled(&self, enrolled: &Enrolled) -> Result<(), StateError> {
        let receipt = &enrolled.receipt;
        let record = Record {
            url: enrolled.url.to_string(),
            key: to_hex(enrolled.collector.as_bytes()),
            receipt: ReceiptRecord {
                payload_type: receipt.payload_type.clone(),
                payload: to_hex(&receipt.payload),
                public_key: to_hex(&receipt.public_key),
                signature: to_hex(&receipt.signature),
            },
        };
        self.write_json(COLLECTOR, &record)
    }
}
