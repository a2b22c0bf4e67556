//! The closed list of refusals.
//!
//! One list is the wire code, the counter's label and the manual's entry (`proto/README.md`). A
//! refusal is a value: it is counted and told, never logged as an error.

/// Why a collector does not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// The envelope's payload type is not one this call takes.
    UnknownType,
    /// The payload is larger than [`crate::limits::PAYLOAD_BYTES_MAX`].
    TooLarge,
    /// The signature does not fit bytes, type and key.
    BadSignature,
    /// No home is enrolled under this key.
    UnknownKey,
    /// The payload is not a message of its type, or breaks one of its rules.
    Malformed,
    /// Decoding and encoding again gives other bytes: unknown fields, another order, waste.
    NotCanonical,
    /// The payload is meant for another collector.
    WrongAudience,
    /// The payload names another home than its key's.
    WrongHome,
    /// The batch's day is not over yet.
    TooEarly,
    /// The batch's week is closed.
    TooLate,
    /// The batch id was used before, with other bytes.
    Conflict,
    /// The endpoint list it refers to is not counted.
    UnknownList,
    /// The invite's token is wrong, spent or expired, or there is none where homes need one.
    InvalidInvite,
    /// More than a collector takes of one home, from one place, or in one request: see the manual's
    /// limits.
    TooMany,
    /// The key was replaced: it signs nothing of later days, and only batches of earlier ones.
    KeyRetired,
    /// The key that is to speak for a home speaks, or spoke, for one already.
    KeyTaken,
    /// The home is enrolled, and the collector's operator has not approved it yet.
    NotApproved,
    /// The collector's operator has taken the home out, for good.
    Revoked,
}

impl Reject {
    /// Every refusal, in wire order.
    pub const ALL: [Self; 18] = [
        Self::UnknownType,
        Self::TooLarge,
        Self::BadSignature,
        Self::UnknownKey,
        Self::Malformed,
        Self::NotCanonical,
        Self::WrongAudience,
        Self::WrongHome,
        Self::TooEarly,
        Self::TooLate,
        Self::Conflict,
        Self::UnknownList,
        Self::InvalidInvite,
        Self::TooMany,
        Self::KeyRetired,
        Self::KeyTaken,
        Self::NotApproved,
        Self::Revoked,
    ];

    /// Whether sending the same bytes again can never help; an agent then deletes them and counts.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            // A registry can be mended, an operator make up their mind, and time passes.
            Self::TooEarly | Self::TooMany | Self::UnknownKey | Self::NotApproved => false,
            Self::UnknownType
            | Self::TooLarge
            | Self::BadSignature
            | Self::Malformed
            | Self::NotCanonical
            | Self::WrongAudience
            | Self::WrongHome
            | Self::TooLate
            | Self::Conflict
            | Self::UnknownList
            | Self::InvalidInvite
            | Self::KeyRetired
            | Self::KeyTaken
            | Self::Revoked => true,
        }
    }

    /// The counter's label and the manual's entry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownType => "unknown_type",
            Self::TooLarge => "too_large",
            Self::BadSignature => "bad_signature",
            Self::UnknownKey => "unknown_key",
            Self::Malformed => "malformed",
            Self::NotCanonical => "not_canonical",
            Self::WrongAudience => "wrong_audience",
            Self::WrongHome => "wrong_home",
            Self::TooEarly => "too_early",
            Self::TooLate => "too_late",
            Self::Conflict => "conflict",
            Self::UnknownList => "unknown_list",
            Self::InvalidInvite => "invalid_invite",
            Self::TooMany => "too_many",
            Self::KeyRetired => "key_retired",
            Self::KeyTaken => "key_taken",
            Self::NotApproved => "not_approved",
            Self::Revoked => "revoked",
        }
    }

    /// One sentence for whoever reads the agent's output.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownType => "the collector does not take this kind of payload",
            Self::TooLarge => "the payload is larger than the collector takes",
            Self::BadSignature => "the signature does not fit",
            Self::UnknownKey => "the collector knows no home with this key",
            Self::Malformed => "the collector cannot read the payload",
            Self::NotCanonical => "the payload is not in its one canonical form",
            Self::WrongAudience => "the payload is meant for another collector",
            Self::WrongHome => "the payload names another home than its key's",
            Self::TooEarly => "the day is not over yet",
            Self::TooLate => "the day's week is closed",
            Self::Conflict => "the batch id was used before, with other bytes",
            Self::UnknownList => "the collector does not count this endpoint list",
            Self::InvalidInvite => "the invite is wrong, spent or expired",
            Self::TooMany => {
                "that is more than the collector takes of one home, or from one place, for now"
            }
            Self::KeyRetired => "the home has replaced the key that signed it",
            Self::KeyTaken => "the new key speaks, or spoke, for a home already",
            Self::NotApproved => "the collector's operator has not approved this home yet",
            Self::Revoked => "the collector's operator has taken this home out for good",
        }
    }
}
