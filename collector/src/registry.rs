//! The registry: which homes may report, and under which keys.
//!
//! Takes sealed enrolments and invites, gives keys. An invite takes a home in; what becomes of one that
//! brings none is the collector's [`EnrolmentMode`]. The invite is used in the same transaction that
//! takes the home in. Tokens are kept hashed, and which home used which is not kept at all. Enrolment is
//! idempotent: the same enrolment gets the first receipt's bytes again. A home can change its key
//! ([`rotation`]); it keeps its name.
//!
//! Who comes in is limited by where it comes from ([`place`]), under names that are gone with the next
//! month ([`month_keys`]); how much one asks and sends, in memory only ([`window`]).

pub mod barred;
pub mod month_keys;
pub mod place;
pub mod rotation;
pub mod window;

use crate::envelope;
use crate::identity::Identity;
use crate::secret_file::SecretFileError;
use crate::store::{
    EnrolAttempt, Enrolled, ForgetAttempt, Forgotten, HomeRow, InviteRow, Standing, Store,
    StoreError,
};
use barred::Barred;
use month_keys::{MonthKeys, months};
use phonehome_proto::chance::Chance;
use phonehome_proto::decode;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::limits;
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::time::{Day, Timestamp};
use place::{HomeLimits, Place, Whence};
use std::sync::Arc;
use thiserror::Error;
use window::{Cost, Spent, Window};

/// An enrolled key and the home it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeKey {
    /// Whose.
    pub home: HomeId,
    /// The key.
    pub key: VerifyingKey,
    /// The last day it may report on, if the home has replaced it; `None` for its current key.
    pub last_day: Option<Day>,
    /// Where the home stands.
    pub standing: Standing,
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

/// Why an enrolment was not decided. It may be sent again.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The month's key cannot be used.
    #[error(transparent)]
    Key(#[from] SecretFileError),
}

/// What one place and one home may ask of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// New homes by where they come from.
    pub homes: HomeLimits,
    /// Enrolments tried from one address, or /56, in an hour.
    pub attempts_per_hour: u32,
    /// Batches one home sends in a UTC day, and their payloads' bytes; repetitions cost the same.
    pub home_day: Cost,
}

/// Invites to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteOrder {
    /// How many, at most [`INVITES_MAX`].
    pub count: u32,
    /// Homes that each lets in, at most [`INVITE_USES_MAX`].
    pub uses: u32,
    /// Days until it opens nothing any more, at most [`INVITE_DAYS_MAX`].
    pub days: u32,
}

/// The registry, kept in the store. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
    months: MonthKeys,
    limits: Limits,
    barred: Barred,
    attempts: Arc<Window<Place>>,
    spending: Arc<Window<HomeId>>,
}

/// Invites made at once.
pub const INVITES_MAX: u32 = 1_000;

/// Homes that one invite lets in.
pub const INVITE_USES_MAX: u32 = 1_000;

/// Days that an invite lasts, at most.
pub const INVITE_DAYS_MAX: u32 = 365;

/// Addresses whose attempts are watched at a time, about 5 MiB; those of more go unwatched, counted.
pub const WATCHED_ADDRESSES_MAX: usize = 65_536;

/// Homes whose spending is watched at a time, about 20 MiB; that of more goes unwatched, counted. What
/// one of them can leave behind is bounded all the same, by [`crate::store::HOME_WEEK_BATCHES_MAX`].
pub const WATCHED_HOMES_MAX: usize = 262_144;

const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;

impl Default for Limits {
    fn default() -> Self {
        Self {
            homes: HomeLimits::default(),
            attempts_per_hour: 20,
            home_day: Cost {
                items: 4_096,
                bytes: 128 * 1024 * 1024,
            },
        }
    }
}

impl Default for InviteOrder {
    fn default() -> Self {
        Self {
            count: 1,
            uses: 1,
            days: 30,
        }
    }
}

impl Registry {
    /// The registry in `store`, which counts places under `months`.
    #[must_use]
    pub fn new(store: Store, months: MonthKeys, limits: Limits) -> Self {
        let attempts = Cost {
            items: limits.attempts_per_hour.into(),
            bytes: 0,
        };
        Self {
            store,
            months,
            limits,
            barred: Barred::default(),
            attempts: Arc::new(Window::new(HOUR_SECONDS, WATCHED_ADDRESSES_MAX, attempts)),
            spending: Arc::new(Window::new(DAY_SECONDS, WATCHED_HOMES_MAX, limits.home_day)),
        }
    }

    /// The same registry, which refuses these homes though the store does not know them: they were revoked,
    /// and a database from before they came was put back since.
    #[must_use]
    pub fn barring(self, barred: Barred) -> Self {
        Self { barred, ..self }
    }

    /// Makes invites to the collector at `authority` (`HOST:PORT`). The tokens are in the answer and
    /// nowhere else.
    ///
    /// # Errors
    /// When the store fails; then none of them opens anything.
    pub async fn invite(
        &self,
        order: InviteOrder,
        authority: &str,
        identity: &Identity,
        chance: &mut impl Chance,
        now: Timestamp,
    ) -> Result<Vec<Invite>, StoreError> {
        let invites: Vec<Invite> = (0..order.count.min(INVITES_MAX))
            .map(|_| Invite {
                authority: authority.to_owned(),
                collector_key: identity.public(),
                token: Some(chance.bytes()),
            })
            .collect();
        let days = i64::from(order.days.min(INVITE_DAYS_MAX));
        let expires_at = now.plus_seconds(days * DAY_SECONDS);
        let row = |invite: &Invite| InviteRow {
            token_hash: invite.token_hash(),
            expires_at,
            uses: order.uses.clamp(1, INVITE_USES_MAX),
        };
        self.store
            .add_invites(invites.iter().map(row).collect())
            .await?;
        Ok(invites)
    }

    /// Whether one more enrolment may be tried from there; it counts, whatever becomes of it.
    #[must_use]
    pub fn attempt(&self, whence: &Whence, now: Timestamp) -> Spent {
        let one = Cost { items: 1, bytes: 0 };
        let household = whence.household();
        household.map_or(Spent::Fits, |place| self.attempts.spend(place, one, now))
    }

    /// Whether a home may send so many bytes in one more batch; if it may, they are spent.
    #[must_use]
    pub fn spend(&self, home: HomeId, bytes: usize, now: Timestamp) -> Spent {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.spending.spend(home, Cost { items: 1, bytes }, now)
    }

    /// Whether a home has nothing left to send today.
    #[must_use]
    pub fn has_spent(&self, home: HomeId, now: Timestamp) -> bool {
        self.spending.has_spent(&home, now)
    }

    /// Enrolments and batches that found no room to be watched, since this was last asked.
    #[must_use]
    pub fn take_unwatched(&self) -> [usize; 2] {
        [
            self.attempts.take_unwatched(),
            self.spending.take_unwatched(),
        ]
    }

    /// Takes a home in, if its enrolment is whole, and its invite good or not needed.
    ///
    /// # Errors
    /// When store or key fail; the home may ask again.
    pub async fn enrol(
        &self,
        sealed: &SealedBatch,
        token: &[u8],
        whence: &Whence,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Answer, RegistryError> {
        let (key, invite_hash) = match check(sealed, token, identity.audience()) {
            Ok(checked) => checked,
            Err(reject) => return Ok(Answer::Refused(reject)),
        };
        if self.barred.holds(key.home(), identity) {
            return Ok(Answer::Refused(Reject::Revoked));
        }
        let payload_hash = Hash::of(&sealed.payload);
        let receipt = identity.receipt(key.home(), PayloadType::Enrol, payload_hash, now);
        let mut packed = Vec::new();
        envelope::pack(&receipt, &mut packed);
        let attempt = EnrolAttempt {
            home: key.home(),
            key: *key.as_bytes(),
            payload_hash,
            invite_hash,
            uninvited: uninvited(identity.enrolment(), now),
            crowds: self.months.crowds(whence, &self.limits.homes, now)?,
            months: months(now),
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
            Enrolled::Crowded => Answer::Refused(Reject::TooMany),
            Enrolled::Retired => Answer::Refused(Reject::KeyRetired),
            Enrolled::Taken => Answer::Refused(Reject::KeyTaken),
            Enrolled::Revoked => Answer::Refused(Reject::Revoked),
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
                    standing: row.standing,
                })
            })
            .collect())
    }

    /// The next homes after `after`, in order of their ids; none where the last is behind.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn homes(&self, after: Option<HomeId>) -> Result<Vec<HomeRow>, StoreError> {
        self.store.homes(after).await
    }

    /// Forgets what has outlived its time: keys that homes have replaced, once the weeks they could
    /// report on are final, what was kept for homes that withdrew, invites, homes that nobody approved,
    /// and what was counted of places before the last month, with the keys it was counted under.
    ///
    /// # Errors
    /// When store or key files fail; it is tried again with the next call.
    pub async fn forget(&self, now: Timestamp) -> Result<Forgotten, RegistryError> {
        let day = |ago: i64| now.plus_seconds(-ago).day().unwrap_or_else(first_day);
        let [_, last_month] = months(now);
        // The keys first: without them the counters say nothing.
        self.months.destroy_old(now)?;
        let attempt = ForgetAttempt {
            // Its week and those before ended seven days ago.
            keys_before: day(limits::BATCH_LIFE_SECONDS_MAX).week().next().monday(),
            places_before: last_month,
            pending_before: day(limits::PENDING_SECONDS),
            now,
        };
        Ok(self.store.forget(attempt).await?)
    }
}

/// How a home stands that brings no invite.
fn uninvited(mode: EnrolmentMode, now: Timestamp) -> Option<Standing> {
    match mode {
        EnrolmentMode::Invite => None,
        EnrolmentMode::Approval => Some(Standing::Pending),
        EnrolmentMode::Open => {
            let today = now.day().unwrap_or(Day::LAST);
            let first = today.plus(limits::PROBATION_DAYS).min(Day::LAST);
            Some(Standing::Admitted {
                counted_from: Some(first),
            })
        }
    }
}

fn first_day() -> Day {
    Day::new(0).expect("1970-01-01 is a day")
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

/// The key that signed the enrolment and the invite it names, if any, where all of it fits together.
fn check(
    sealed: &SealedBatch,
    token: &[u8],
    audience: Audience,
) -> Result<(VerifyingKey, Option<Hash>), Reject> {
    let (key, payload) = self_signed(sealed, PayloadType::Enrol)?;
    let enrolment = decode::enrolment(payload)?;
    if enrolment.audience != audience {
        return Err(Reject::WrongAudience);
    }
    let invite_hash = Hash::of(token);
    if enrolment.invite_hash != invite_hash {
        return Err(Reject::InvalidInvite);
    }
    Ok((key, (!token.is_empty()).then_some(invite_hash)))
}

#[cfg(test)]
mod tests;
