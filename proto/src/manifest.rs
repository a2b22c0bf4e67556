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
    /// What becomes of a home that brings no invite.
    pub enrolment: EnrolmentMode,
}

/// What becomes of a home that brings no invite. One that brings a good one is taken in everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnrolmentMode {
    /// It is refused.
    #[default]
    Invite,
    /// It waits until the collector's operator approves it; until then nothing of it is taken.
    Approval,
    /// It is taken in. What it reports of its first [`crate::limits::PROBATION_DAYS`] days counts in
    /// nothing.
    Open,
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

impl EnrolmentMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Invite, Self::Approval, Self::Open];

    /// The word in config and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Approval => "approval",
            Self::Open => "open",
        }
    }
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
