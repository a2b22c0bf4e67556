//! The manifest: a collector's rules, signed, so that homes can hold it to them.
//!
//! An agent refuses a lower serial than it has seen and stops sending when the manifest expires;
//! its spool goes on. [`ClockStatement`] serves as clock where there is none.

use crate::id::{Audience, Hash};
use crate::seal::{PayloadType, VerifyingKey};
use crate::time::Timestamp;

/// A collector's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The collector.
    pub audience: Audience,
    /// Rises with every change; never falls.
    pub serial: u64,
    /// At most [`crate::limits::MANIFEST_VALID_SECONDS_MAX`] after it was signed.
    pub valid_until: Timestamp,
    /// The key that will follow, once that is decided.
    pub next_key: Option<VerifyingKey>,
    /// Findings, or an exercise.
    pub purpose: Purpose,
    /// The gate's k.
    pub k: u32,
    /// Homes of one network that weigh in the gate, at most.
    pub network_homes_max: u32,
    /// Counts are rounded to multiples of this.
    pub rounding: u32,
    /// The collector's limits.
    pub limits: ManifestLimits,
    /// How long what is kept.
    pub retention: Retention,
    /// Payload types that homes may send.
    pub accepted_types: Vec<PayloadType>,
    /// Versions of the endpoint list that are counted.
    pub endpoint_list_versions: Vec<u32>,
    /// The privacy label in one paragraph, as shown to a volunteer.
    pub privacy_label: String,
}

/// What a collector takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestLimits {
    /// Bytes of one payload.
    pub batch_bytes_max: u32,
    /// Batches in one request.
    pub request_batches_max: u32,
    /// Bytes of one request.
    pub request_bytes_max: u32,
    /// How far a home's clock may run ahead.
    pub skew_seconds_max: u32,
}

/// How long what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days after a week's end at which its batches stop being accepted.
    pub accept_days: u32,
    /// Days after a week's end at which its key and batches are destroyed.
    pub destroy_days: u32,
}

/// What a collector publishes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Findings about real homes.
    Observatory,
    /// An exercise: the homes are synthetic, and everything says so.
    Exercise,
}

/// A collector's word on the time, in answer to a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStatement {
    /// The asker's.
    pub nonce: [u8; 16],
    /// SHA-256 of the manifest's payload that goes with it.
    pub manifest_hash: Hash,
    /// The collector's time, to the second.
    pub time: Timestamp,
}

impl Purpose {
    /// The word in config, manifest and releases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observatory => "observatory",
            Self::Exercise => "exercise",
        }
    }
}
