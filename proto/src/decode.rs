//! Payload bytes -> nouns: every check that protobuf cannot express.
//!
//! Homes' payloads ([`batch`], [`enrolment`], [`rotation`], [`withdrawal`], [`consent`]) are canonical: they are accepted only if
//! encoding what was decoded gives the same bytes, which refuses unknown fields, another order,
//! explicit defaults and trailing bytes alike. Collectors' payloads ([`manifest`], [`clock`],
//! [`receipt`], [`erasure`]) ignore fields they do not know. The project's, [`endpoint_list`], are canonical too. Nothing here panics, whatever the bytes.

mod batch;
mod endpoints;
mod fields;

pub use batch::{batch, batch_anew, batch_at_once, batch_by};
pub use endpoints::{ListRefused, endpoint_list};

use crate::consent::{Consent, ConsentScope};
use crate::encode;
use crate::enrolment::Enrolment;
use crate::id::{Audience, Hash, HomeId};
use crate::limits;
use crate::manifest::{
    ClockStatement, EnrolmentMode, Manifest, ManifestLimits, Purpose, Retention,
};
use crate::receipt::Receipt;
use crate::reject::Reject;
use crate::rotation::{Rotation, RotationFacts};
use crate::seal::{PayloadType, SealedBatch, VerifyingKey};
use crate::status;
use crate::time::{Day, Timestamp};
use crate::v1;
use crate::withdrawal::{Erasure, Withdrawal};
use prost::Message;
use thiserror::Error;

/// A collector's payload, or an envelope, that cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the collector's answer cannot be read")]
pub struct Unreadable;

/// The envelope in a file or a message, nothing in it verified. Fields it does not know are ignored:
/// nobody signed them.
///
/// # Errors
/// [`Unreadable`].
pub fn envelope(bytes: &[u8]) -> Result<SealedBatch, Unreadable> {
    let message = v1::SealedBatch::decode(bytes).map_err(|_| Unreadable)?;
    Ok(status::envelope_from_wire(message))
}

/// The enrolment in a payload.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Malformed`] or [`Reject::NotCanonical`].
pub fn enrolment(payload: &[u8]) -> Result<Enrolment, Reject> {
    canonical(
        payload,
        |message: v1::Enrolment| {
            Some(Enrolment {
                audience: Audience::from_slice(&message.audience)?,
                invite_hash: Hash::from_slice(&message.invite_hash)?,
                consent_hash: Hash::from_slice(&message.consent_hash)?,
            })
        },
        encode::enrolment,
    )
}

/// The rotation in a payload, its new key's proof checked.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Malformed`], [`Reject::NotCanonical`]; [`Reject::BadSignature`] if
/// the proof does not fit.
pub fn rotation(payload: &[u8]) -> Result<Rotation, Reject> {
    let read = |message: v1::Rotation| {
        Some(Rotation {
            facts: RotationFacts {
                audience: Audience::from_slice(&message.audience)?,
                home: HomeId::from_slice(&message.home)?,
                new_key: VerifyingKey::from_bytes(&message.new_key).ok()?,
            },
            proof: message.proof.try_into().ok()?,
        })
    };
    let rotation = canonical(payload, read, encode::rotation)?;
    let facts = encode::rotation_facts(&rotation.facts);
    let new_key = &rotation.facts.new_key;
    let proven = new_key.verify(PayloadType::Rotate, &facts, &rotation.proof);
    proven.map_err(|_| Reject::BadSignature)?;
    Ok(rotation)
}

/// The withdrawal in a payload.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Malformed`] or [`Reject::NotCanonical`].
pub fn withdrawal(payload: &[u8]) -> Result<Withdrawal, Reject> {
    let read = |message: v1::Withdrawal| {
        Some(Withdrawal {
            audience: Audience::from_slice(&message.audience)?,
            home: HomeId::from_slice(&message.home)?,
            nonce: message.nonce.try_into().ok()?,
        })
    };
    canonical(payload, read, encode::withdrawal)
}

/// The consent in a payload.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Malformed`] or [`Reject::NotCanonical`].
pub fn consent(payload: &[u8]) -> Result<Consent, Reject> {
    canonical(
        payload,
        |message: v1::Consent| {
            Some(Consent {
                text_hash: Hash::from_slice(&message.text_hash)?,
                given_at: timestamp(message.given_at_seconds)?,
                scope: match message.scope() {
                    v1::ConsentScope::ListedEndpoints => ConsentScope::ListedEndpoints,
                    v1::ConsentScope::Unspecified => return None,
                },
            })
        },
        encode::consent,
    )
}

/// The manifest in a payload. Payload types it does not know are left out.
///
/// # Errors
/// [`Unreadable`].
pub fn manifest(payload: &[u8]) -> Result<Manifest, Unreadable> {
    let read = |message: v1::Manifest| {
        if message.privacy_label.len() > limits::PRIVACY_LABEL_BYTES_MAX
            || message.endpoint_list_versions.len() > limits::ENDPOINT_LIST_VERSIONS_MAX
        {
            return None;
        }
        Some(Manifest {
            audience: Audience::from_slice(&message.audience)?,
            serial: message.serial,
            valid_until: timestamp(message.valid_until_seconds)?,
            next_key: match message.next_key.as_slice() {
                [] => None,
                bytes => Some(VerifyingKey::from_bytes(bytes).ok()?),
            },
            purpose: purpose(message.purpose())?,
            enrolment: match message.enrolment() {
                v1::EnrolmentMode::Approval => EnrolmentMode::Approval,
                v1::EnrolmentMode::Open => EnrolmentMode::Open,
                // One that is not known here takes nobody in without an invite, as far as one can tell.
                v1::EnrolmentMode::Invite | v1::EnrolmentMode::Unspecified => EnrolmentMode::Invite,
            },
            k: message.k,
            network_homes_max: message.network_homes_max,
            rounding: message.rounding,
            limits: ManifestLimits {
                batch_bytes_max: message.batch_bytes_max,
                request_batches_max: message.request_batches_max,
                request_bytes_max: message.request_bytes_max,
                skew_seconds_max: message.skew_seconds_max,
            },
            retention: Retention {
                accept_days: message.accept_days,
                destroy_days: message.destroy_days,
            },
            accepted_types: message
                .accepted_types
                .iter()
                .filter_map(|t| payload_type(t))
                .collect(),
            endpoint_list_versions: message.endpoint_list_versions,
            privacy_label: message.privacy_label,
        })
    };
    lenient(payload, read)
}

/// The clock statement in a payload.
///
/// # Errors
/// [`Unreadable`].
pub fn clock(payload: &[u8]) -> Result<ClockStatement, Unreadable> {
    lenient(payload, |message: v1::ClockStatement| {
        Some(ClockStatement {
            nonce: message.nonce.try_into().ok()?,
            manifest_hash: Hash::from_slice(&message.manifest_hash)?,
            time: timestamp(message.time_seconds)?,
        })
    })
}

/// The receipt in a payload.
///
/// # Errors
/// [`Unreadable`].
pub fn receipt(payload: &[u8]) -> Result<Receipt, Unreadable> {
    lenient(payload, |message: v1::Receipt| {
        Some(Receipt {
            audience: Audience::from_slice(&message.audience)?,
            home: HomeId::from_slice(&message.home)?,
            payload_type: payload_type(&message.payload_type)?,
            payload_hash: Hash::from_slice(&message.payload_hash)?,
            received_at: timestamp(message.received_at_seconds)?,
            purpose: purpose(message.purpose())?,
        })
    })
}

/// The erasure in a payload.
///
/// # Errors
/// [`Unreadable`].
pub fn erasure(payload: &[u8]) -> Result<Erasure, Unreadable> {
    let read = |message: v1::Erasure| {
        let weeks = message.weeks.iter().map(|monday| {
            let day = Day::new(*monday)?;
            (day.week().monday() == day).then_some(day.week())
        });
        Some(Erasure {
            audience: Audience::from_slice(&message.audience)?,
            home: HomeId::from_slice(&message.home)?,
            withdrawal_hash: Hash::from_slice(&message.withdrawal_hash)?,
            erased_at: timestamp(message.erased_at_seconds)?,
            batches: message.batches,
            weeks: weeks.collect::<Option<_>>()?,
            purpose: purpose(message.purpose())?,
        })
    };
    lenient(payload, read)
}

// === the two ways to read ===

fn canonical<M: Message + Default, T>(
    payload: &[u8],
    read: impl Fn(M) -> Option<T>,
    write: impl Fn(&T) -> Vec<u8>,
) -> Result<T, Reject> {
    if payload.len() > limits::PAYLOAD_BYTES_MAX {
        return Err(Reject::TooLarge);
    }
    let message = M::decode(payload).map_err(|_| Reject::Malformed)?;
    match read(message) {
        // Unknown fields, sorts, repetitions and waste show in what the noun says.
        Some(noun) if write(&noun) == payload => Ok(noun),
        Some(_) => Err(Reject::NotCanonical),
        // What is not canonical may look malformed without being so.
        None => match M::decode(payload) {
            Ok(message) if message.encode_to_vec() == payload => Err(Reject::Malformed),
            _ => Err(Reject::NotCanonical),
        },
    }
}

fn lenient<M: Message + Default, T>(
    payload: &[u8],
    read: impl Fn(M) -> Option<T>,
) -> Result<T, Unreadable> {
    if payload.len() > limits::PAYLOAD_BYTES_MAX {
        return Err(Unreadable);
    }
    M::decode(payload).ok().and_then(read).ok_or(Unreadable)
}

// === fields ===

fn purpose(purpose: v1::Purpose) -> Option<Purpose> {
    match purpose {
        v1::Purpose::Observatory => Some(Purpose::Observatory),
        v1::Purpose::Exercise => Some(Purpose::Exercise),
        v1::Purpose::Unspecified => None,
    }
}

fn payload_type(text: &str) -> Option<PayloadType> {
    PayloadType::ALL
        .into_iter()
        .find(|payload_type| payload_type.as_str() == text)
}

/// Seconds of the years 1970 to 2199; outside them nothing was ever signed.
fn timestamp(seconds: u64) -> Option<Timestamp> {
    let end = u64::try_from(Day::LAST.end().seconds()).ok()?;
    (seconds < end)
        .then(|| i64::try_from(seconds).ok().map(Timestamp::from_seconds))
        .flatten()
}
