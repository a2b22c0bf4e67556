//! Nouns <-> the unsigned wrappers of gRPC, exhaustive both ways.
//!
//! Overload is `UNAVAILABLE` with `RetryInfo`, never a bare `RESOURCE_EXHAUSTED`, which the world
//! takes for "do not retry" (OpenTelemetry protocol, "Throttling").

use crate::reject::Reject;
use crate::seal::SealedBatch;
use crate::v1;
use prost::Message;
use tonic::{Code, Status};

/// What became of one sealed payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is held, durably; the envelope is the collector's receipt.
    Receipt(SealedBatch),
    /// It is not taken, and this is why.
    Refused(Reject),
    /// It is not taken, for a reason this version does not know.
    RefusedUnknown {
        /// The same bytes will never be taken.
        is_final: bool,
    },
}

/// An envelope for the wire.
#[must_use]
pub fn envelope_to_wire(sealed: SealedBatch) -> v1::SealedBatch {
    v1::SealedBatch {
        payload_type: sealed.payload_type,
        payload: sealed.payload,
        public_key: sealed.public_key,
        signature: sealed.signature,
    }
}

/// An envelope from the wire. Nothing in it is verified.
#[must_use]
pub fn envelope_from_wire(message: v1::SealedBatch) -> SealedBatch {
    SealedBatch {
        payload_type: message.payload_type,
        payload: message.payload,
        public_key: message.public_key,
        signature: message.signature,
    }
}

/// An outcome for the wire.
#[must_use]
pub fn outcome_to_wire(outcome: Outcome) -> v1::Outcome {
    let refusal = |reason, is_final| {
        v1::outcome::Outcome::Refusal(v1::Refusal {
            reason,
            r#final: is_final,
        })
    };
    v1::Outcome {
        outcome: Some(match outcome {
            Outcome::Receipt(sealed) => v1::outcome::Outcome::Receipt(envelope_to_wire(sealed)),
            Outcome::Refused(reject) => refusal(reject_to_wire(reject).into(), reject.is_final()),
            Outcome::RefusedUnknown { is_final } => refusal(0, is_final),
        }),
    }
}

/// An outcome from the wire; `None` where the answer is empty.
#[must_use]
pub fn outcome_from_wire(message: v1::Outcome) -> Option<Outcome> {
    Some(match message.outcome? {
        v1::outcome::Outcome::Receipt(sealed) => Outcome::Receipt(envelope_from_wire(sealed)),
        v1::outcome::Outcome::Refusal(refusal) => match reject_from_wire(refusal.reason()) {
            Some(reject) => Outcome::Refused(reject),
            None => Outcome::RefusedUnknown {
                is_final: refusal.r#final,
            },
        },
    })
}

/// The wire code of a refusal.
#[must_use]
pub const fn reject_to_wire(reject: Reject) -> v1::Reject {
    match reject {
        Reject::UnknownType => v1::Reject::UnknownType,
        Reject::TooLarge => v1::Reject::TooLarge,
        Reject::BadSignature => v1::Reject::BadSignature,
        Reject::UnknownKey => v1::Reject::UnknownKey,
        Reject::Malformed => v1::Reject::Malformed,
        Reject::NotCanonical => v1::Reject::NotCanonical,
        Reject::WrongAudience => v1::Reject::WrongAudience,
        Reject::WrongHome => v1::Reject::WrongHome,
        Reject::TooEarly => v1::Reject::TooEarly,
        Reject::TooLate => v1::Reject::TooLate,
        Reject::Conflict => v1::Reject::Conflict,
        Reject::UnknownList => v1::Reject::UnknownList,
        Reject::InvalidInvite => v1::Reject::InvalidInvite,
        Reject::TooMany => v1::Reject::TooMany,
        Reject::KeyRetired => v1::Reject::KeyRetired,
        Reject::KeyTaken => v1::Reject::KeyTaken,
        Reject::NotApproved => v1::Reject::NotApproved,
        Reject::Revoked => v1::Reject::Revoked,
    }
}

/// The refusal behind a wire code; `None` for one that is newer than this version.
#[must_use]
pub const fn reject_from_wire(code: v1::Reject) -> Option<Reject> {
    Some(match code {
        v1::Reject::Unspecified => return None,
        v1::Reject::UnknownType => Reject::UnknownType,
        v1::Reject::TooLarge => Reject::TooLarge,
        v1::Reject::BadSignature => Reject::BadSignature,
        v1::Reject::UnknownKey => Reject::UnknownKey,
        v1::Reject::Malformed => Reject::Malformed,
        v1::Reject::NotCanonical => Reject::NotCanonical,
        v1::Reject::WrongAudience => Reject::WrongAudience,
        v1::Reject::WrongHome => Reject::WrongHome,
        v1::Reject::TooEarly => Reject::TooEarly,
        v1::Reject::TooLate => Reject::TooLate,
        v1::Reject::Conflict => Reject::Conflict,
        v1::Reject::UnknownList => Reject::UnknownList,
        v1::Reject::InvalidInvite => Reject::InvalidInvite,
        v1::Reject::TooMany => Reject::TooMany,
        v1::Reject::KeyRetired => Reject::KeyRetired,
        v1::Reject::KeyTaken => Reject::KeyTaken,
        v1::Reject::NotApproved => Reject::NotApproved,
        v1::Reject::Revoked => Reject::Revoked,
    })
}

// === overload ===

/// `google.rpc.Status`, as far as overload needs it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`, whose one field is a `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const RETRY_INFO_URL: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// "Come back in so many seconds": `UNAVAILABLE` with `RetryInfo`.
#[must_use]
pub fn overloaded(retry_seconds: u32) -> Status {
    let message = "the collector is busy; try again later";
    let delay = Duration {
        seconds: retry_seconds.into(),
        nanos: 0,
    };
    let details = RpcStatus {
        code: Code::Unavailable.into(),
        message: message.to_owned(),
        details: vec![Any {
            type_url: RETRY_INFO_URL.to_owned(),
            value: RetryInfo {
                retry_delay: Some(delay),
            }
            .encode_to_vec(),
        }],
    };
    Status::with_details(Code::Unavailable, message, details.encode_to_vec().into())
}

/// The seconds a busy collector asks to wait; `None` where it does not say.
#[must_use]
pub fn retry_after_seconds(status: &Status) -> Option<u64> {
    let details = RpcStatus::decode(status.details()).ok()?.details;
    let info = details
        .into_iter()
        .find(|any| any.type_url == RETRY_INFO_URL)?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    u64::try_from(delay.seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_survives_the_wire() {
        for reject in Reject::ALL {
            let outcome = Outcome::Refused(reject);
            assert_eq!(
                outcome_from_wire(outcome_to_wire(outcome.clone())),
                Some(outcome)
            );
        }
        // The wire has no refusal that the noun lacks.
        let known = (1..).map_while(|n| v1::Reject::try_from(n).ok()).count();
        assert_eq!(known, Reject::ALL.len());
    }

    #[test]
    fn overload_says_when_to_come_back() {
        let status = overloaded(30);
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(retry_after_seconds(&status), Some(30));
        assert_eq!(retry_after_seconds(&Status::unavailable("gone")), None);
    }
}
