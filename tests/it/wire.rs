//! The wire: golden bytes decode for ever, and there is one way to write what they say.

use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::{decode, encode, status, v1};
use phonehome_tests::golden::root;
use prost::Message;
use std::fs;

fn golden(name: &str) -> Vec<u8> {
    let path = root().join("proto/golden/v1").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a payload says, written again.
type Again = fn(&[u8]) -> Option<Vec<u8>>;

const HOMES: [(&str, Again); 5] = [
    ("batch.bin", |bytes| {
        decode::batch(bytes).ok().map(|x| encode::batch(&x))
    }),
    ("enrolment.bin", |bytes| {
        decode::enrolment(bytes).ok().map(|x| encode::enrolment(&x))
    }),
    ("rotation.bin", |bytes| {
        decode::rotation(bytes).ok().map(|x| encode::rotation(&x))
    }),
    ("withdrawal.bin", |bytes| {
        decode::withdrawal(bytes)
            .ok()
            .map(|x| encode::withdrawal(&x))
    }),
    ("consent.bin", |bytes| {
        decode::consent(bytes).ok().map(|x| encode::consent(&x))
    }),
];

const COLLECTORS: [(&str, Again); 4] = [
    ("manifest.bin", |bytes| {
        decode::manifest(bytes).ok().map(|x| encode::manifest(&x))
    }),
    ("clock.bin", |bytes| {
        decode::clock(bytes).ok().map(|x| encode::clock(&x))
    }),
    ("receipt.bin", |bytes| {
        decode::receipt(bytes).ok().map(|x| encode::receipt(&x))
    }),
    ("erasure.bin", |bytes| {
        decode::erasure(bytes).ok().map(|x| encode::erasure(&x))
    }),
];

/// A field no version knows: number 1,000, a varint.
const UNKNOWN_FIELD: [u8; 3] = [0xc0, 0x3e, 0x01];

#[test]
fn every_golden_file_is_tried() {
    let mut files: Vec<_> = fs::read_dir(root().join("proto/golden/v1"))
        .expect("the golden folder")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.ends_with(".bin"))
        .collect();
    files.sort();
    let mut tried: Vec<_> = HOMES
        .iter()
        .chain(&COLLECTORS)
        .map(|(name, _)| *name)
        .collect();
    tried.extend([
        "endpoint-list.bin",
        "sealed-batch.bin",
        "sealed-endpoint-list.bin",
    ]);
    tried.sort_unstable();
    assert_eq!(files, tried);
}

#[test]
fn golden_payloads_decode_and_encode_to_themselves() {
    for (name, again) in HOMES.iter().chain(&COLLECTORS) {
        let bytes = golden(name);
        assert_eq!(again(&bytes).as_ref(), Some(&bytes), "{name}");
    }
}

#[test]
fn a_homes_payload_has_one_form_only() {
    for (name, again) in &HOMES {
        let bytes = golden(name);
        assert_eq!(
            again(&[&bytes[..], &UNKNOWN_FIELD].concat()),
            None,
            "{name}: unknown field"
        );
        assert_eq!(again(&bytes.repeat(2)), None, "{name}: every field twice");
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            // Other bytes may say something else, but never the same, and never in another form.
            let same = again(&altered).is_none_or(|written| written == altered);
            assert!(same, "{name}: bit {bit}");
        }
    }
}

#[test]
fn a_collectors_payload_may_say_more_than_an_agent_knows() {
    for (name, again) in &COLLECTORS {
        let bytes = golden(name);
        let newer = [&bytes[..], &UNKNOWN_FIELD].concat();
        assert_eq!(again(&newer).as_ref(), Some(&bytes), "{name}");
    }
}

/// What the project signs has one form only, too, and only its own key opens it.
#[test]
fn the_golden_list_is_canonical_and_signed() {
    let list = golden("endpoint-list.bin");
    let again = |bytes: &[u8]| {
        let read = decode::endpoint_list(bytes, &|_| false).ok();
        read.map(|list| encode::endpoint_list(&list))
    };
    assert_eq!(again(&list).as_ref(), Some(&list));
    assert_eq!(again(&[&list[..], &UNKNOWN_FIELD].concat()), None);
    let sealed = decode::envelope(&golden("sealed-endpoint-list.bin")).expect("an envelope");
    let key = VerifyingKey::from_bytes(&sealed.public_key).expect("a key");
    assert_eq!(sealed.open(PayloadType::Endpoints, &key), Ok(&list[..]));
    assert!(sealed.open(PayloadType::Manifest, &key).is_err());
}

#[test]
fn the_golden_envelope_opens_with_its_key_and_no_other() {
    let bytes = golden("sealed-batch.bin");
    let wire = v1::SealedBatch::decode(&bytes[..]).expect("an envelope");
    assert_eq!(wire.encode_to_vec(), bytes);
    let sealed: SealedBatch = status::envelope_from_wire(wire);
    let key = VerifyingKey::from_bytes(&sealed.public_key).expect("a key");
    assert_eq!(
        sealed.open(PayloadType::Batch, &key),
        Ok(&golden("batch.bin")[..])
    );
    let mut altered = sealed;
    altered.signature[0] ^= 1;
    assert!(altered.open(PayloadType::Batch, &key).is_err());
}
