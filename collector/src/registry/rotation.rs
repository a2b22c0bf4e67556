//! A home's next key.
//!
//! Takes sealed rotations, signed by the key a home has and by the key it is to have. The replaced
//! key goes on verifying batches of days up to that one: they were sealed before, and are never
//! sealed again.

use super::{Answer, Registry, self_signed};
use crate::envelope;
use crate::identity::Identity;
use crate::store::{NotItsKey, RotateAttempt, Rotated, StoreError};
use phonehome_proto::decode;
use phonehome_proto::id::{Audience, Hash};
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::rotation::RotationFacts;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::time::{Day, Timestamp};

impl Registry {
    /// Puts a home under another key, if both keys agree.
    ///
    /// # Errors
    /// When the store fails; the home may ask again.
    pub async fn rotate(
        &self,
        sealed: &SealedBatch,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let (key, facts) = match check(sealed, identity.audience()) {
            Ok(checked) => checked,
            Err(reject) => return Ok(Answer::Refused(reject)),
        };
        let payload_hash = Hash::of(&sealed.payload);
        let receipt = identity.receipt(facts.home, PayloadType::Rotate, payload_hash, now);
        let mut packed = Vec::new();
        envelope::pack(&receipt, &mut packed);
        let attempt = RotateAttempt {
            home: facts.home,
            key: *key.as_bytes(),
            new_key: *facts.new_key.as_bytes(),
            payload_hash,
            receipt: packed,
            last_day: last_day(now),
        };
        Ok(match self.store.rotate(attempt).await? {
            Rotated::Fresh => Answer::Fresh(receipt),
            Rotated::Repeated(first) => {
                // One that does not unpack was altered in the file; a new one says the same.
                let first = envelope::unpack(PayloadType::Receipt, &first);
                Answer::Repeated(first.map_or(receipt, |(receipt, _)| receipt))
            }
            Rotated::Refused(why) => Answer::Refused(why.into()),
            Rotated::Taken => Answer::Refused(Reject::KeyTaken),
            Rotated::Full => Answer::Refused(Reject::TooMany),
        })
    }
}

/// The last day that a key replaced at `now` may report on: the home's clock may run ahead.
fn last_day(now: Timestamp) -> Day {
    let day = now.plus_seconds(limits::SKEW_SECONDS_MAX).day();
    day.filter(|day| *day <= Day::LAST).unwrap_or(Day::LAST)
}

/// The key that signed the rotation, and what it says, if all of it fits together.
fn check(
    sealed: &SealedBatch,
    audience: Audience,
) -> Result<(VerifyingKey, RotationFacts), Reject> {
    let (key, payload) = self_signed(sealed, PayloadType::Rotate)?;
    let facts = decode::rotation(payload)?.facts;
    if facts.audience == audience {
        Ok((key, facts))
    } else {
        Err(Reject::WrongAudience)
    }
}

impl From<NotItsKey> for Reject {
    fn from(why: NotItsKey) -> Self {
        match why {
            NotItsKey::Unknown => Self::UnknownKey,
            NotItsKey::OtherHome => Self::WrongHome,
            NotItsKey::Retired => Self::KeyRetired,
            NotItsKey::Revoked => Self::Revoked,
        }
    }
}
