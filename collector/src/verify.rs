//! SealedBatch -> VerifiedBatch: trust begins here.
//!
//! Takes untrusted bytes, the key the registry holds for them and `now`; gives a [`VerifiedBatch`]
//! or the reason why not. The order is the promise: type, size, key, signature, and only then is a
//! byte parsed. Pure: no clock, disk or network.
//!
//! The week's clock is read here but asked later: a repetition of something held gets its receipt
//! again even when the week is closed, and only the journal knows repetitions. So a verified batch
//! carries its [`Timeliness`] along.

use crate::registry::HomeKey;
use crate::store::Standing;
use phonehome_proto::batch::Batch;
use phonehome_proto::decode;
use phonehome_proto::id::{Audience, HomeId};
use phonehome_proto::limits;
use phonehome_proto::manifest::Manifest;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealBroken, SealedBatch};
use phonehome_proto::time::{Day, Timestamp, Week};

/// A batch whose home signed exactly these bytes for this collector. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBatch {
    sealed: SealedBatch,
    batch: Batch,
    timeliness: Timeliness,
    is_on_probation: bool,
}

/// Whether a batch's week takes it, on the week's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeliness {
    /// Its day is over and its week is open.
    InTime,
    /// Its day is not over, skew allowed.
    TooEarly,
    /// Its week is closed.
    TooLate,
}

/// What a collector holds batches to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The collector.
    pub audience: Audience,
    /// The endpoint lists it counts.
    pub endpoint_list_versions: Vec<u32>,
}

impl Rules {
    /// The rules a manifest announces.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let endpoint_list_versions = manifest.endpoint_list_versions.clone();
        Self {
            audience: manifest.audience,
            endpoint_list_versions,
        }
    }
}

/// The batch in `sealed`, if `enrolled`, the key the registry holds for the envelope's, signed it
/// and it keeps every rule.
///
/// # Errors
/// The first [`Reject`] that applies, in the order of the checks.
pub fn verify(
    sealed: SealedBatch,
    enrolled: Option<&HomeKey>,
    rules: &Rules,
    now: Timestamp,
) -> Result<VerifiedBatch, Reject> {
    if sealed.payload_type != PayloadType::Batch.as_str() {
        return Err(Reject::UnknownType);
    }
    if sealed.payload.len() > limits::PAYLOAD_BYTES_MAX {
        return Err(Reject::TooLarge);
    }
    let HomeKey {
        home,
        key,
        last_day,
        standing,
    } = enrolled.ok_or(Reject::UnknownKey)?;
    let payload = sealed
        .open(PayloadType::Batch, key)
        .map_err(|broken| match broken {
            SealBroken::OtherType => Reject::UnknownType,
            SealBroken::OtherKey => Reject::UnknownKey,
            SealBroken::BadSignature => Reject::BadSignature,
        })?;
    let counted_from = match standing {
        Standing::Admitted { counted_from } => *counted_from,
        Standing::Pending => return Err(Reject::NotApproved),
        Standing::Revoked => return Err(Reject::Revoked),
    };
    let batch = decode::batch(payload)?;
    let header = batch.header();
    if header.audience != rules.audience {
        return Err(Reject::WrongAudience);
    }
    if header.home != *home {
        return Err(Reject::WrongHome);
    }
    // What was sealed before the key was replaced is never sealed again.
    if last_day.is_some_and(|last| header.day > last) {
        return Err(Reject::KeyRetired);
    }
    if !rules
        .endpoint_list_versions
        .contains(&header.endpoint_list_version)
    {
        return Err(Reject::UnknownList);
    }
    let timeliness = Timeliness::of(header.day, now);
    // The day decides, not the moment it is told: sent late or again, it is the same day.
    let is_on_probation = counted_from.is_some_and(|first| header.day < first);
    Ok(VerifiedBatch {
        sealed,
        batch,
        timeliness,
        is_on_probation,
    })
}

impl VerifiedBatch {
    /// The exact bytes the home signed.
    #[must_use]
    pub const fn sealed(&self) -> &SealedBatch {
        &self.sealed
    }

    /// What they say.
    #[must_use]
    pub const fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Whose it is.
    #[must_use]
    pub const fn home(&self) -> HomeId {
        self.batch.header().home
    }

    /// The week it counts in.
    #[must_use]
    pub const fn week(&self) -> Week {
        self.batch.header().day.week()
    }

    /// Whether that week takes it.
    #[must_use]
    pub const fn timeliness(&self) -> Timeliness {
        self.timeliness
    }

    /// Whether its home was on probation on its day: then it is held, and counts in nothing.
    #[must_use]
    pub const fn is_on_probation(&self) -> bool {
        self.is_on_probation
    }
}

impl Timeliness {
    /// What the week's clock says about `day` at `now`: a day is ripe when it is over, give or take
    /// [`limits::SKEW_SECONDS_MAX`]; its week takes it until [`limits::WEEK_ACCEPT_SECONDS`] after
    /// the week's end.
    #[must_use]
    pub fn of(day: Day, now: Timestamp) -> Self {
        if now.plus_seconds(limits::SKEW_SECONDS_MAX) < day.end() {
            Self::TooEarly
        } else if now >= day.week().end().plus_seconds(limits::WEEK_ACCEPT_SECONDS) {
            Self::TooLate
        } else {
            Self::InTime
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
