//! A receipt: a collector's signed word that it holds something, durably.

use crate::id::{Audience, Hash, HomeId};
use crate::seal::PayloadType;
use crate::time::Timestamp;

/// What a collector acknowledges. A repetition gets the first receipt's bytes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The collector.
    pub audience: Audience,
    /// The home it is for.
    pub home: HomeId,
    /// What was received: a batch, an enrolment or a rotation.
    pub payload_type: PayloadType,
    /// SHA-256 of the payload.
    pub payload_hash: Hash,
    /// When it was first received, to the second.
    pub received_at: Timestamp,
    /// Findings, or an exercise.
    pub purpose: crate::manifest::Purpose,
}
