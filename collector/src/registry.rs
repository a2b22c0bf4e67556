//! The registry: which homes may report, and under which keys.
//!
//! Takes sealed enrolments and invites, gives keys. A home is in once an invite opened the door for
//! it; the invite is spent in the same transaction that takes the home in. Tokens are kept hashed,
//! and which home used which is not kept at all. Enrolment is idempotent: the same enrolment gets
//! the first receipt's bytes again. A home can change its key ([`rotation`]); it keeps its name.

pub mod rotation;

use crate::envelope;
use crate::identity::Identity;
use crate::store::{EnrolAttempt, Enrolled, HomeRow, InviteRow, Store, StoreError};
use phonehome_proto::chance::Chance;
use phonehome_proto::decode;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::time::{Day, Timestamp};

/// An enrolled key and the home it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeKey {
    /// Whose.
    pub home: HomeId,
    /// The key.
    pub key: VerifyingKey,
    /// The last day it may report on, if the home has replaced it; `None` for its current key.
    pub last_day: Option<Day>,
}

/// What a home is told that enrols, rotates its key or withdraws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done; this says so.
    Fresh(SealedBatch),
    /// It was done before; what was said then, again.
    Repeated(SealedBatch),
    /// It is not done.
    Refused(Reject),
}

/// The registry, kept in the store.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
}

/// Days until an invite opens nothing any more.
pub const INVITE_DAYS: i64 = 30;

/// Invites made at once.
pub const INVITES_MAX: u32 = 1_000;

impl Registry {
    /// The registry in `store`.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Makes `count` invites to the collector at `authority` (`HOST:PORT`). The tokens are in the
    /// answer and nowhere else.
    ///
    /// # Errors
    /// When the store fails; then none of them opens anything.
    pub async fn invite(
        &self,
        count: u32,
        authority: &str,
        identity: &Identity,
        chance: &mut impl Chance,
        now: Timestamp,
    ) -> Result<Vec<Invite>, StoreError> {
        let invites: Vec<Invite> = (0..count.min(INVITES_MAX))
            .map(|_| Invite {
                authority: authority.to_owned(),
                collector_key: identity.public(),
                token: chance.bytes(),
            })
            .collect();
        let expires_at = now.plus_seconds(INVITE_DAYS * 86_400);
        let row = |invite: &Invite| InviteRow {
            token_hash: invite.token_hash(),
            expires_at,
        };
        self.store
            .add_invites(invites.iter().map(row).collect())
            .await?;
        Ok(invites)
    }

    /// Takes a home in, if its enrolment is whole and its invite is good.
    ///
    /// # Errors
    /// When the store fails; the home may ask again.
    pub async fn enrol(
        &self,
        sealed: &SealedBatch,
        token: &[u8],
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let (key, invite_hash) = match check(sealed, token, identity.audience()) {
            Ok(checked) => checked,
            Err(reject) => return Ok(Answer::Refused(reject)),
        };
        let payload_hash = Hash::of(&sealed.payload);
        let receipt = identity.receipt(key.home(), PayloadType::Enrol, payload_hash, now);
        let mut packed = Vec::new();
        envelope::pack(&receipt, &mut packed);
        let attempt = EnrolAttempt {
            home: key.home(),
            key: *key.as_bytes(),
            payload_hash,
            invite_hash,
            receipt: packed,
            now,
        };
        Ok(match self.store.enrol(attempt).await? {
            Enrolled::Fresh => Answer::Fresh(receipt),
            Enrolled::Repeated(first) => {
                // One that does not unpack was altered in the file; a new one says the same.
                let first = envelope::unpack(PayloadType::Receipt, &first);
                Answer::Repeated(first.map_or(receipt, |(receipt, _)| receipt))
            }
            Enrolled::InvalidInvite => Answer::Refused(Reject::InvalidInvite),
            Enrolled::Retired => Answer::Refused(Reject::KeyRetired),
            Enrolled::Taken => Answer::Refused(Reject::KeyTaken),
        })
    }

    /// The key in each of these envelopes, in order, as far as it speaks or spoke for a home; `None`
    /// for one that is nobody's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keys(&self, sealed: &[SealedBatch]) -> Result<Vec<Option<HomeKey>>, StoreError> {
        let hashes = sealed
            .iter()
            .map(|sealed| Hash::of(&sealed.public_key))
            .collect();
        let rows = self.store.keys(hashes).await?.into_iter();
        // A row whose key is no key cannot have been written by `enrol`; nothing verifies under it.
        Ok(rows
            .map(|row| {
                let row = row?;
                let key = VerifyingKey::from_bytes(&row.key).ok()?;
                Some(HomeKey {
                    home: row.home,
                    key,
                    last_day: row.last_day,
                })
            })
            .collect())
    }

    /// Every home, in order of its id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn homes(&self) -> Result<Vec<HomeRow>, StoreError> {
        let mut homes: Vec<HomeRow> = Vec::new();
        loop {
            let page = self.store.homes(homes.last().map(|row| row.home)).await?;
            if page.is_empty() {
                return Ok(homes);
            }
            homes.extend(page);
        }
    }
}

/// The key in an envelope of type `expected`, and the payload, if it signed exactly these bytes.
///
/// Whether the key is anybody's is not said by that: an enrolment introduces it, and of others the
/// store asks, in the transaction that does what they want.
///
/// # Errors
/// [`Reject::UnknownType`], [`Reject::TooLarge`], [`Reject::BadSignature`].
pub fn self_signed(
    sealed: &SealedBatch,
    expected: PayloadType,
) -> Result<(VerifyingKey, &[u8]), Reject> {
    if sealed.payload_type != expected.as_str() {
        return Err(Reject::UnknownType);
    }
    if sealed.payload.len() > limits::PAYLOAD_BYTES_MAX {
        return Err(Reject::TooLarge);
    }
    let key = VerifyingKey::from_bytes(&sealed.public_key).map_err(|_| Reject::BadSignature)?;
    let payload = sealed
        .open(expected, &key)
        .map_err(|_| Reject::BadSignature)?;
    Ok((key, payload))
}

/// The key that signed the enrolment and the invite it names, if all of it fits together.
fn check(
    sealed: &SealedBatch,
    token: &[u8],
    audience: Audience,
) -> Result<(VerifyingKey, Hash), Reject> {
    let (key, payload) = self_signed(sealed, PayloadType::Enrol)?;
    let enrolment = decode::enrolment(payload)?;
    if enrolment.audience != audience {
        return Err(Reject::WrongAudience);
    }
    let invite_hash = Hash::of(token);
    if enrolment.invite_hash != invite_hash {
        return Err(Reject::InvalidInvite);
    }
    Ok((key, invite_hash))
}

#[cfg(test)]
mod tests;
