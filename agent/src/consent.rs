//! Consent: what the household agreed to, and the gates that stay shut without it.
//!
//! Takes the text compiled into this agent and the home's key; gives a signed record of what was
//! agreed to and when. The record binds the text's hash: when a new agent comes with another text,
//! the old consent has lapsed and is asked for again. The record stays at home; only its hash is
//! ever sent, inside the enrolment.

mod gates;

pub use gates::{Gates, MaySend, Shut};

use crate::seal::OurKeys;
use phonehome_proto::consent::{Consent, ConsentScope};
use phonehome_proto::id::Hash;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::time::Timestamp;
use phonehome_proto::{decode, encode};
use thiserror::Error;

/// The text a household agrees to. Its first line states its version.
pub const TEXT: &str = include_str!("../data/consent.txt");

/// A consent in force: signed by this home, to the text this agent shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    consent: Consent,
    hash: Hash,
}

/// Why a record is no consent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotGiven {
    /// It was given to another text.
    #[error("the consent was given to an earlier text")]
    OtherText,
    /// None of this home's keys signed it, or it cannot be read.
    #[error("the consent record is not signed with this home's key")]
    NotOurs,
}

/// The consent, given now, signed by the home.
#[must_use]
pub fn grant(now: Timestamp, key: &SigningKey) -> SealedBatch {
    let consent = Consent {
        text_hash: text_hash(),
        given_at: Timestamp::from_seconds(now.seconds()),
        scope: ConsentScope::ListedEndpoints,
    };
    SealedBatch::seal(PayloadType::Consent, encode::consent(&consent), key)
}

/// SHA-256 of [`TEXT`].
#[must_use]
pub fn text_hash() -> Hash {
    Hash::of(TEXT.as_bytes())
}

impl Given {
    /// The consent a record holds, if it is in force for the home with these keys. One that was
    /// signed with a key the home has replaced since is in force: it was the same household.
    ///
    /// # Errors
    /// [`NotGiven`].
    pub fn verify(record: &SealedBatch, home: &OurKeys) -> Result<Self, NotGiven> {
        let payload = home
            .open(record, PayloadType::Consent)
            .map_err(|_| NotGiven::NotOurs)?;
        let consent = decode::consent(payload).map_err(|_| NotGiven::NotOurs)?;
        if consent.text_hash != text_hash() {
            return Err(NotGiven::OtherText);
        }
        Ok(Self {
            consent,
            hash: Hash::of(payload),
        })
    }

    /// What was agreed to, and when.
    #[must_use]
    pub const fn consent(&self) -> &Consent {
        &self.consent
    }

    /// What the enrolment names: SHA-256 of the record's payload.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_binds_text_time_and_key() {
        let key = SigningKey::from_seed(&[1; 32]);
        let record = grant(Timestamp::from_nanos(1_700_000_000_999_999_999), &key);
        let given = Given::verify(&record, &key.public().into()).expect("just given");
        assert_eq!(given.consent().given_at.seconds(), 1_700_000_000);
        assert_eq!(given.hash(), Hash::of(&record.payload));

        let other = SigningKey::from_seed(&[2; 32]).public();
        let theirs = Given::verify(&record, &other.into());
        assert_eq!(theirs, Err(NotGiven::NotOurs));
        let older = Consent {
            text_hash: Hash::of(b"an earlier text"),
            ..*given.consent()
        };
        let older = SealedBatch::seal(PayloadType::Consent, encode::consent(&older), &key);
        assert_eq!(
            Given::verify(&older, &key.public().into()),
            Err(NotGiven::OtherText)
        );
    }

    #[test]
    fn the_text_says_its_version_and_keeps_its_width() {
        assert!(
            TEXT.lines()
                .next()
                .is_some_and(|line| line.ends_with("(consent text, version 1)"))
        );
        assert!(TEXT.lines().all(|line| line.len() <= 90 && line.is_ascii()));
    }

    #[test]
    fn the_text_states_the_limits_in_force() {
        use phonehome_proto::limits;
        assert_eq!(limits::GATE_HOMES_MIN, 10);
        assert_eq!(limits::NETWORK_HOMES_MAX, 4);
        assert_eq!(limits::ROUNDING, 5);
        assert_eq!(limits::WEEK_DESTROY_SECONDS, 7 * 86_400);
        assert_eq!(limits::BATCH_LIFE_SECONDS_MAX, 14 * 86_400);
        let words = TEXT.split_whitespace().collect::<Vec<_>>().join(" ");
        for promise in [
            "at least 10 homes, counting at most four of one network, rounded to 5",
            "until seven days after the end of their week",
            "No message is kept longer than 14 days",
        ] {
            assert!(words.contains(promise), "{promise}");
        }
    }
}
