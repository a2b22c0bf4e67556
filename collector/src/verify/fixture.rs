//! Small homes and their batches, for the tests of this crate.

use super::{Rules, VerifiedBatch, verify};
use crate::identity::Identity;
use crate::registry::HomeKey;
use crate::store::Standing;
use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage, Source};
use phonehome_proto::census::{Census, PhoneCount};
use phonehome_proto::encode;
use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use phonehome_proto::id::BatchId;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::time::{Day, Timestamp, Week};
use std::collections::BTreeMap;

/// The collector of these tests.
pub(crate) fn identity() -> Identity {
    Identity::new(SigningKey::from_seed(&[0xc0; 32]), Purpose::Exercise)
}

/// The rules it holds batches to.
pub(crate) fn rules() -> Rules {
    Rules::of(&identity().rules())
}

/// The key of home number `home`.
pub(crate) fn key(home: u8) -> SigningKey {
    SigningKey::from_seed(&[home; 32])
}

/// What the registry holds for it.
pub(crate) fn enrolled(home: u8) -> HomeKey {
    let key = key(home).public();
    HomeKey {
        home: key.home(),
        key,
        last_day: None,
        standing: Standing::Admitted { counted_from: None },
    }
}

/// A week far enough from both ends of time.
pub(crate) fn week() -> Week {
    "2026-W46".parse().expect("a week")
}

/// Its Monday.
pub(crate) fn monday() -> Day {
    week().monday()
}

/// When that Monday is over and its week still open.
pub(crate) fn tuesday_noon() -> Timestamp {
    monday().end().plus_seconds(43_200)
}

/// The header of batch number `batch` of a home's Monday.
pub(crate) fn header(home: u8, batch: u8) -> BatchHeader {
    BatchHeader {
        audience: identity().audience(),
        home: key(home).public().home(),
        batch_id: BatchId::new([batch; 16]),
        day: monday(),
        agent_version: AgentVersion {
            major: 0,
            minor: 1,
            patch: 0,
        },
        endpoint_list_version: ENDPOINT_LIST_VERSION,
    }
}

/// A batch that says that one phone was there.
pub(crate) fn payload(header: BatchHeader) -> Vec<u8> {
    payload_of(header, PhoneCount::One)
}

/// A batch that says that so many phones were there.
pub(crate) fn payload_of(header: BatchHeader, phones: PhoneCount) -> Vec<u8> {
    let census = Census {
        rows: BTreeMap::new(),
        unidentified: Some(phones),
    };
    let coverage = Coverage {
        source: Source::File,
        losses: BTreeMap::new(),
    };
    encode::batch(&Batch::new(header, census, coverage, Vec::new()).expect("a batch"))
}

/// The same under its home's seal.
pub(crate) fn sealed(home: u8, header: BatchHeader) -> SealedBatch {
    SealedBatch::seal(PayloadType::Batch, payload(header), &key(home))
}

/// A verified batch of a home's Monday.
pub(crate) fn verified(home: u8, batch: u8, now: Timestamp) -> VerifiedBatch {
    let sealed = sealed(home, header(home, batch));
    verify(sealed, Some(&enrolled(home)), &rules(), now).expect("it verifies")
}
