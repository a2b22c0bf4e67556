//! The wire at its boundary: golden bytes, canonical form, and bytes nobody should send.
//!
//! What homes say about themselves, rather than about a day, is in `wire/membership.rs`; what the project
//! says, in `wire/endpoints.rs`; every way to spell a batch that is not its canonical one, in
//! `wire/spelling.rs`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p phonehome-proto` rewrites the golden files; until v1 is
//! frozen that needs a decision record, afterwards it is forbidden.

#[path = "wire/endpoints.rs"]
mod endpoints;
#[path = "wire/membership.rs"]
mod membership;
#[path = "wire/spelling.rs"]
mod spelling;

use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage, Loss, NotABatch, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::consent::{Consent, ConsentScope};
use phonehome_proto::endpoint::{ENDPOINT_LIST_VERSION, EndpointId};
use phonehome_proto::enrolment::Enrolment;
use phonehome_proto::id::{Audience, BatchId, Hash, HomeId};
use phonehome_proto::limits;
use phonehome_proto::manifest::{
    ClockStatement, EnrolmentMode, Manifest, ManifestLimits, Purpose, Retention,
};
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Rtt, RttSamples, Service, VolumeTrust,
};
use phonehome_proto::receipt::Receipt;
use phonehome_proto::reject::Reject;
use phonehome_proto::scale::{Magnitude, RTT_STEPS_MS, RttStep};
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey, VerifyingKey};
use phonehome_proto::time::{Day, Timestamp};
use phonehome_proto::vendor::Vendor;
use phonehome_proto::{decode, encode, status, v1};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

// === any batch a home can make ===

prop_compose! {
    fn any_key()(
        vendor in select(Vendor::all().collect::<Vec<_>>()),
        basis in select(vec![Basis::Declared, Basis::Decisive, Basis::Inferred, Basis::Circular]),
        endpoint in select(EndpointId::all().collect::<Vec<_>>()),
        v4: bool,
        service in select(vec![Service::Tls, Service::Quic, Service::Http, Service::Dns, Service::Other]),
        named_by in select(vec![NamedBy::Sni, NamedBy::Quic, NamedBy::Dns, NamedBy::Http, NamedBy::Ech]),
        net: [u8; 4],
    ) -> ObservationKey {
        let prefix = if v4 { Prefix::V4([8, net[0], net[1]]) } else { Prefix::V6([0x24, 0, net[0], net[1], net[2], net[3]]) };
        let destination = if endpoint.edge().is_some() { Destination::Edge } else { Destination::Prefix(prefix) };
        ObservationKey { vendor, basis, endpoint, destination, service, named_by }
    }
}

prop_compose! {
    fn any_observation()(
        key in any_key(),
        connections in 1_u64..1_000_000,
        up: u64,
        down: u64,
        exact: bool,
        rtt in proptest::option::of((select(RTT_STEPS_MS.to_vec()), any::<bool>())),
    ) -> Observation {
        let rtt = rtt.filter(|_| key.destination != Destination::Edge).map(|(ms, many)| Rtt {
            min: RttStep::from_ms(ms.into()).expect("a step of the scale"),
            samples: if many { RttSamples::FiveOrMore } else { RttSamples::OneToFour },
        });
        let trust = if exact { VolumeTrust::Exact } else { VolumeTrust::LowerBound };
        Observation::new(key, [connections, up, down].map(Magnitude::of), trust, rtt)
            .expect("the strategy keeps the rules")
    }
}

prop_compose! {
    fn any_batch()(
        observations in proptest::collection::vec(any_observation(), 0..40),
        ids: ([u8; 32], [u8; 32], [u8; 16]),
        day in 0..=Day::LAST.number(),
        versions: (u16, u16, u16, u32),
        lost in proptest::collection::btree_map(select(Loss::ALL.to_vec()), 1_u64.., 0..5),
        phones in 1_usize..4,
    ) -> Batch {
        let mut seen = BTreeSet::new();
        let observations: Vec<_> = observations.into_iter().filter(|o| seen.insert(*o.key())).collect();
        let phones = PhoneCount::of(phones).expect("at least one");
        let row = CensusRow { phones, unnamed: UnnamedShare::From10To50 };
        let rows = observations.iter().map(|o| ((o.key().vendor, o.key().basis), row)).collect();
        let header = BatchHeader {
            audience: Audience::new(ids.0),
            home: HomeId::new(ids.1),
            batch_id: BatchId::new(ids.2),
            day: Day::new(day).expect("in range"),
            agent_version: AgentVersion { major: versions.0, minor: versions.1, patch: versions.2 },
            endpoint_list_version: versions.3,
        };
        let losses = lost.into_iter().map(|(loss, n)| (loss, Magnitude::of(n))).collect();
        let coverage = Coverage { source: Source::Tap, losses };
        let census = Census { rows, unidentified: Some(phones) };
        Batch::new(header, census, coverage, observations).expect("the strategy keeps the rules")
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(batch in any_batch()) {
        let payload = encode::batch(&batch);
        prop_assert!(payload.len() <= limits::PAYLOAD_BYTES_MAX);
        prop_assert_eq!(decode::batch(&payload), Ok(batch));
    }

    /// Whatever is accepted is exactly what encoding gives: no second spelling exists.
    #[test]
    fn an_altered_payload_is_another_batch_or_none(
        batch in any_batch(),
        at: prop::sample::Index,
        byte: u8,
        cut: bool,
    ) {
        let mut payload = encode::batch(&batch);
        let at = at.index(payload.len());
        if cut { payload.truncate(at) } else { payload[at] = byte }
        if let Ok(other) = decode::batch(&payload) {
            prop_assert_eq!(encode::batch(&other), payload);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode::batch(&bytes);
        let _ = decode::enrolment(&bytes);
        let _ = decode::rotation(&bytes);
        let _ = decode::withdrawal(&bytes);
        let _ = decode::erasure(&bytes);
        let _ = decode::consent(&bytes);
        let _ = decode::manifest(&bytes);
        let _ = decode::clock(&bytes);
        let _ = decode::receipt(&bytes);
    }

    /// An unknown field, in any place that keeps protobuf's own rules, is refused.
    #[test]
    fn unknown_fields_are_refused(batch in any_batch(), field in 10_u32..2_000, value: u8) {
        let mut payload = encode::batch(&batch);
        let key = prost::encoding::WireType::Varint;
        prost::encoding::encode_key(field, key, &mut payload);
        payload.push(value & 0x7f);
        prop_assert_eq!(decode::batch(&payload), Err(Reject::NotCanonical));
    }
}

// === golden bytes ===

fn sample_key() -> SigningKey {
    SigningKey::from_seed(&[0x11; 32])
}

fn sample_observation(endpoint: &str, prefix: Prefix, rtt_ms: u32) -> Observation {
    let key = ObservationKey {
        vendor: Vendor::from_id("xiaomi").expect("listed"),
        basis: Basis::Declared,
        endpoint: EndpointId::of_name(endpoint).expect("listed"),
        destination: Destination::Prefix(prefix),
        service: Service::Tls,
        named_by: NamedBy::Sni,
    };
    let rtt = Rtt {
        min: RttStep::from_ms(rtt_ms).expect("a step"),
        samples: RttSamples::FiveOrMore,
    };
    let volumes = [12, 4_096, 70_000].map(Magnitude::of);
    Observation::new(key, volumes, VolumeTrust::Exact, Some(rtt)).expect("keeps the rules")
}

fn sample_batch() -> Batch {
    let xiaomi = Vendor::from_id("xiaomi").expect("listed");
    let header = BatchHeader {
        audience: SigningKey::from_seed(&[0x22; 32]).public().audience(),
        home: sample_key().public().home(),
        batch_id: BatchId::new([0x33; 16]),
        day: Day::new(20_770).expect("in range"),
        agent_version: AgentVersion {
            major: 0,
            minor: 1,
            patch: 0,
        },
        endpoint_list_version: 1,
    };
    let row = CensusRow {
        phones: PhoneCount::Two,
        unnamed: UnnamedShare::Below10,
    };
    let census = Census {
        rows: BTreeMap::from([((xiaomi, Basis::Declared), row)]),
        unidentified: Some(PhoneCount::One),
    };
    let coverage = Coverage {
        source: Source::File,
        losses: BTreeMap::from([(Loss::UnreadablePackets, Magnitude::of(7))]),
    };
    let observations = vec![
        sample_observation("sa.api.intl.miui.com", Prefix::V4([161, 117, 71]), 120),
        sample_observation(
            "sa.api.intl.miui.com",
            Prefix::V6([0x24, 0x08, 0x40, 0, 0x10, 0]),
            150,
        ),
    ];
    Batch::new(header, census, coverage, observations).expect("keeps the rules")
}

fn sample_manifest() -> Manifest {
    Manifest {
        audience: SigningKey::from_seed(&[0x22; 32]).public().audience(),
        serial: 3,
        valid_until: Timestamp::from_seconds(1_795_000_000),
        next_key: None,
        purpose: Purpose::Exercise,
        k: limits::GATE_HOMES_MIN,
        network_homes_max: limits::NETWORK_HOMES_MAX,
        rounding: limits::ROUNDING,
        limits: ManifestLimits {
            batch_bytes_max: 262_144,
            request_batches_max: 64,
            request_bytes_max: 4_194_304,
            skew_seconds_max: 300,
        },
        retention: Retention {
            accept_days: 4,
            destroy_days: 7,
        },
        accepted_types: vec![
            PayloadType::Batch,
            PayloadType::Enrol,
            PayloadType::Rotate,
            PayloadType::Withdraw,
        ],
        endpoint_list_versions: vec![1],
        privacy_label: "Weeks, not moments; shares, not homes.".to_owned(),
        enrolment: EnrolmentMode::Approval,
    }
}

fn sample_receipt() -> Receipt {
    Receipt {
        audience: SigningKey::from_seed(&[0x22; 32]).public().audience(),
        home: sample_key().public().home(),
        payload_type: PayloadType::Batch,
        payload_hash: Hash::of(&encode::batch(&sample_batch())),
        received_at: Timestamp::from_seconds(1_794_600_000),
        purpose: Purpose::Exercise,
    }
}

fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden/v1")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, bytes).expect("the golden folder can be written");
    }
    std::fs::read(&path).expect("the golden file is there")
}

#[test]
fn golden_bytes_decode_and_encode_the_same() {
    let batch = encode::batch(&sample_batch());
    assert_eq!(golden("batch.bin", &batch), batch);
    assert_eq!(decode::batch(&batch), Ok(sample_batch()));

    let sealed = SealedBatch::seal(PayloadType::Batch, batch, &sample_key());
    let wire = prost::Message::encode_to_vec(&status::envelope_to_wire(sealed));
    let stored = golden("sealed-batch.bin", &wire);
    assert_eq!(stored, wire);
    let message: v1::SealedBatch = prost::Message::decode(&stored[..]).expect("an envelope");
    let opened = status::envelope_from_wire(message);
    let key = VerifyingKey::from_bytes(&opened.public_key).expect("a key");
    let payload = opened.open(PayloadType::Batch, &key).expect("signed");
    assert_eq!(decode::batch(payload), Ok(sample_batch()));

    let enrolment = Enrolment {
        audience: sample_manifest().audience,
        invite_hash: Hash::of(&[9; 16]),
        consent_hash: Hash::of(b"consent"),
    };
    let bytes = encode::enrolment(&enrolment);
    assert_eq!(
        decode::enrolment(&golden("enrolment.bin", &bytes)),
        Ok(enrolment)
    );

    let consent = Consent {
        text_hash: Hash::of(b"text"),
        given_at: Timestamp::from_seconds(1_794_000_000),
        scope: ConsentScope::ListedEndpoints,
    };
    let bytes = encode::consent(&consent);
    assert_eq!(decode::consent(&golden("consent.bin", &bytes)), Ok(consent));

    let manifest = encode::manifest(&sample_manifest());
    assert_eq!(
        decode::manifest(&golden("manifest.bin", &manifest)),
        Ok(sample_manifest())
    );

    let clock = ClockStatement {
        nonce: [5; 16],
        manifest_hash: Hash::of(&manifest),
        time: Timestamp::from_seconds(1_794_600_000),
    };
    let bytes = encode::clock(&clock);
    assert_eq!(decode::clock(&golden("clock.bin", &bytes)), Ok(clock));

    let bytes = encode::receipt(&sample_receipt());
    assert_eq!(
        decode::receipt(&golden("receipt.bin", &bytes)),
        Ok(sample_receipt())
    );
}

// === rules ===

/// The same message, and a field nobody knows.
fn more(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend([0xf8, 0x07, 1]); // field 127, varint 1
    bytes
}

#[test]
fn collectors_may_say_more_homes_may_not() {
    assert_eq!(
        decode::manifest(&more(encode::manifest(&sample_manifest()))),
        Ok(sample_manifest())
    );
    assert_eq!(
        decode::receipt(&more(encode::receipt(&sample_receipt()))),
        Ok(sample_receipt())
    );
    assert_eq!(
        decode::batch(&more(encode::batch(&sample_batch()))),
        Err(Reject::NotCanonical)
    );
}

#[test]
fn other_spellings_of_the_same_batch_are_refused() {
    let batch = encode::batch(&sample_batch());
    // The last field first: protobuf would read it the same.
    let mut message: v1::Batch = prost::Message::decode(&batch[..]).expect("a batch");
    message.observations.swap(0, 1);
    let swapped = prost::Message::encode_to_vec(&message);
    assert_eq!(decode::batch(&swapped), Err(Reject::NotCanonical));
    let mut twice = batch.clone();
    twice.extend_from_slice(&batch);
    assert!(decode::batch(&twice).is_err());
    assert_eq!(
        decode::batch(&vec![0; limits::PAYLOAD_BYTES_MAX + 1]),
        Err(Reject::TooLarge)
    );
}

#[test]
fn numbers_off_the_lists_are_malformed() {
    let batch = encode::batch(&sample_batch());
    let message: v1::Batch = prost::Message::decode(&batch[..]).expect("a batch");
    let refused = |alter: &dyn Fn(&mut v1::Batch)| {
        let mut altered = message.clone();
        alter(&mut altered);
        assert_eq!(
            decode::batch(&prost::Message::encode_to_vec(&altered)),
            Err(Reject::Malformed)
        );
    };
    refused(&|b| b.observations[0].vendor = 0);
    refused(&|b| b.observations[0].vendor = 200);
    refused(&|b| b.observations[0].endpoint = 65_535);
    refused(&|b| b.observations[0].basis = 9);
    refused(&|b| b.observations[0].connections = 0);
    refused(&|b| b.observations[0].bytes_up = 38);
    refused(&|b| b.observations[0].rtt_min_ms = 7);
    refused(&|b| b.observations[0].rtt_min_ms = 0);
    refused(&|b| b.observations[0].prefix = vec![192, 168, 1]);
    refused(&|b| b.observations[0].prefix = vec![8, 8, 8, 8]);
    refused(&|b| b.observations[0].prefix = vec![]);
    refused(&|b| b.day = Day::LAST.number() + 1);
    refused(&|b| b.home = vec![1; 31]);
    refused(&|b| b.census = None);
    refused(&|b| b.census = Some(v1::Census::default()));
    refused(&|b| {
        let first = b.observations[0].clone();
        b.observations.push(first);
    });
}

#[test]
fn a_batch_has_a_bound() {
    let sample = sample_batch();
    let many: Vec<_> = (0..=limits::BATCH_OBSERVATIONS_MAX)
        .map(|n| {
            let [_, _, high, low] = u32::try_from(n).expect("small").to_be_bytes();
            sample_observation("sa.api.intl.miui.com", Prefix::V4([8, high, low]), 5)
        })
        .collect();
    let make = |n: usize| {
        let (header, census) = (sample.header().clone(), sample.census().clone());
        Batch::new(
            header,
            census,
            sample.coverage().clone(),
            many[..n].to_vec(),
        )
    };
    let full = make(limits::BATCH_OBSERVATIONS_MAX).expect("just fits");
    assert!(encode::batch(&full).len() <= limits::PAYLOAD_BYTES_MAX);
    assert_eq!(
        make(limits::BATCH_OBSERVATIONS_MAX + 1),
        Err(NotABatch::TooManyObservations)
    );
    let _ = ENDPOINT_LIST_VERSION;
}

/// A loss says its number on the wire, and every loss has one.
#[test]
fn every_loss_survives_the_wire() {
    let known = (1..).map_while(|n| v1::Loss::try_from(n).ok()).count();
    assert_eq!(known, Loss::ALL.len());
    let sample = sample_batch();
    let losses = Loss::ALL.map(|loss| (loss, Magnitude::of(1)));
    let coverage = Coverage {
        source: Source::ConntrackAndTap,
        losses: BTreeMap::from(losses),
    };
    let (header, census) = (sample.header().clone(), sample.census().clone());
    let batch = Batch::new(header, census, coverage, sample.observations().to_vec());
    let batch = batch.expect("keeps the rules");
    assert_eq!(decode::batch(&encode::batch(&batch)), Ok(batch));
}
