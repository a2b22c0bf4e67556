//! A collector's rules, verified.
//!
//! Takes the two envelopes of a manifest's answer, gives [`Rules`], or the reason not to send.
//! Pure. The manifest must be signed with the pinned key, be meant for its audience, not be older
//! than one seen before, not have expired, and be no weaker than what the household consented to;
//! the collector's word on the time must answer our nonce and name this manifest. That word is the
//! clock by which all of this is judged: a router may have none.

use phonehome_proto::decode;
use phonehome_proto::id::Hash;
use phonehome_proto::limits;
use phonehome_proto::manifest::{Manifest, Purpose};
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::time::Timestamp;
use thiserror::Error;

/// Rules to send by. Holding one is the proof that they were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    manifest: Manifest,
    sealed: SealedBatch,
    time: Timestamp,
}

/// Why a collector's rules are not followed, and so nothing is sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RulesRefused {
    /// A signature is missing, or of another key.
    #[error("the collector's rules are not signed with the key of your collector")]
    NotSigned,
    /// They cannot be read.
    #[error("the collector's rules cannot be read")]
    Unreadable,
    /// They are another collector's.
    #[error("the collector's rules are those of another collector")]
    WrongAudience,
    /// The word on the time answers another question.
    #[error("the collector's word on the time is not an answer to our question")]
    NotOurAnswer,
    /// They are older than rules seen before.
    #[error("the collector shows rules with serial {serial}, after having shown {seen}")]
    Older {
        /// Now.
        serial: u64,
        /// Before.
        seen: u64,
    },
    /// Their time is over.
    #[error("the collector's rules expired at {0}; the batches wait until it shows new ones")]
    Expired(Timestamp),
    /// They would be valid for longer than rules may be.
    #[error("the collector's rules are valid for longer than 14 days")]
    ValidTooLong,
    /// They promise less than the consent text does.
    #[error("the collector's rules promise less than you consented to: {0}")]
    Weaker(&'static str),
    /// They do not take what this agent makes.
    #[error("the collector no longer takes what this version of the agent sends; update the agent")]
    AgentTooOld,
}

impl Rules {
    /// The rules in a manifest's answer to `nonce`, if they may be followed.
    ///
    /// `serial_seen` is the highest serial seen before; `lists` are the versions of the endpoint lists that
    /// the home could go by.
    ///
    /// # Errors
    /// [`RulesRefused`].
    pub fn verify(
        (manifest, clock): (SealedBatch, &SealedBatch),
        key: &VerifyingKey,
        nonce: &[u8; 16],
        (serial_seen, lists): (Option<u64>, &[u32]),
    ) -> Result<Self, RulesRefused> {
        let time = time(clock, &manifest, key, nonce)?;
        let sealed = manifest;
        let payload = sealed
            .open(PayloadType::Manifest, key)
            .map_err(|_| RulesRefused::NotSigned)?;
        let manifest = decode::manifest(payload).map_err(|_| RulesRefused::Unreadable)?;
        if manifest.audience != key.audience() {
            return Err(RulesRefused::WrongAudience);
        }
        if let Some(seen) = serial_seen.filter(|&seen| manifest.serial < seen) {
            return Err(RulesRefused::Older {
                serial: manifest.serial,
                seen,
            });
        }
        if manifest.valid_until <= time {
            return Err(RulesRefused::Expired(manifest.valid_until));
        }
        if manifest.valid_until > time.plus_seconds(limits::MANIFEST_VALID_SECONDS_MAX) {
            return Err(RulesRefused::ValidTooLong);
        }
        if let Some(what) = weaker_than_consent(&manifest) {
            return Err(RulesRefused::Weaker(what));
        }
        if !manifest.accepted_types.contains(&PayloadType::Batch)
            || !lists
                .iter()
                .any(|list| manifest.endpoint_list_versions.contains(list))
        {
            return Err(RulesRefused::AgentTooOld);
        }
        Ok(Self {
            manifest,
            sealed,
            time,
        })
    }

    /// The serial of a manifest kept from before, signed with `key`.
    #[must_use]
    pub fn serial_of(sealed: &SealedBatch, key: &VerifyingKey) -> Option<u64> {
        let payload = sealed.open(PayloadType::Manifest, key).ok()?;
        decode::manifest(payload)
            .ok()
            .map(|manifest| manifest.serial)
    }

    /// What a collector publishes for, by a manifest kept from before, signed with `key`.
    #[must_use]
    pub fn purpose_of(sealed: &SealedBatch, key: &VerifyingKey) -> Option<Purpose> {
        let payload = sealed.open(PayloadType::Manifest, key).ok()?;
        decode::manifest(payload)
            .ok()
            .map(|manifest| manifest.purpose)
    }

    /// The versions of the endpoint list that a collector counts, by a manifest kept from before, signed
    /// with `key`.
    #[must_use]
    pub fn lists_of(sealed: &SealedBatch, key: &VerifyingKey) -> Option<Vec<u32>> {
        let payload = sealed.open(PayloadType::Manifest, key).ok()?;
        decode::manifest(payload)
            .ok()
            .map(|manifest| manifest.endpoint_list_versions)
    }

    /// The rules.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The rules as they were signed, to be kept.
    #[must_use]
    pub const fn sealed(&self) -> &SealedBatch {
        &self.sealed
    }

    /// The collector's time.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// What the collector publishes for: findings, or an exercise with synthetic homes.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.manifest.purpose
    }

    /// Batches and bytes of one request: the collector's limits or ours, whichever is narrower.
    #[must_use]
    pub(super) fn request_limits(&self) -> (usize, usize) {
        let narrower =
            |theirs: u32, ours: usize| usize::try_from(theirs).map_or(ours, |n| n.min(ours));
        let limits = &self.manifest.limits;
        (
            narrower(limits.request_batches_max, limits::REQUEST_BATCHES_MAX).max(1),
            narrower(limits.request_bytes_max, limits::REQUEST_BYTES_MAX),
        )
    }
}

/// The consent text states these numbers; the first that a manifest falls short of.
fn weaker_than_consent(manifest: &Manifest) -> Option<&'static str> {
    const ACCEPT_DAYS: i64 = limits::WEEK_ACCEPT_SECONDS / 86_400;
    const DESTROY_DAYS: i64 = limits::WEEK_DESTROY_SECONDS / 86_400;
    let retention = &manifest.retention;
    if manifest.k < limits::GATE_HOMES_MIN {
        Some("numbers of fewer homes would be published")
    } else if manifest.network_homes_max > limits::NETWORK_HOMES_MAX {
        Some("homes of fewer networks would suffice for a number")
    } else if manifest.rounding < limits::ROUNDING {
        Some("numbers would be rounded less")
    } else if i64::from(retention.accept_days) > ACCEPT_DAYS
        || i64::from(retention.destroy_days) > DESTROY_DAYS
    {
        Some("batches would be kept for longer")
    } else {
        None
    }
}

/// The collector's time, if it was said in answer to `nonce` and beside this manifest.
fn time(
    clock: &SealedBatch,
    manifest: &SealedBatch,
    key: &VerifyingKey,
    nonce: &[u8; 16],
) -> Result<Timestamp, RulesRefused> {
    let payload = clock
        .open(PayloadType::Clock, key)
        .map_err(|_| RulesRefused::NotSigned)?;
    let statement = decode::clock(payload).map_err(|_| RulesRefused::Unreadable)?;
    if statement.nonce != *nonce || statement.manifest_hash != Hash::of(&manifest.payload) {
        return Err(RulesRefused::NotOurAnswer);
    }
    Ok(statement.time)
}
