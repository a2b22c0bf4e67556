//! Rotations, withdrawals and erasures at the wire's boundary.

use super::{golden, more, sample_key, sample_receipt};
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::reject::Reject;
use phonehome_proto::rotation::{Rotation, RotationFacts};
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::time::{Day, Timestamp};
use phonehome_proto::withdrawal::{Erasure, Withdrawal};
use phonehome_proto::{decode, encode, v1};
use proptest::prelude::*;

/// To the key of seed 32 x 0x44.
fn sample_rotation() -> Rotation {
    let new = SigningKey::from_seed(&[0x44; 32]);
    rotation(&new, sample_receipt().audience)
}

fn rotation(new: &SigningKey, audience: Audience) -> Rotation {
    let facts = RotationFacts {
        audience,
        home: sample_key().public().home(),
        new_key: new.public(),
    };
    let proof = new.sign(PayloadType::Rotate, &encode::rotation_facts(&facts));
    Rotation { facts, proof }
}

fn sample_withdrawal() -> Withdrawal {
    Withdrawal {
        audience: sample_receipt().audience,
        home: sample_receipt().home,
        nonce: [0x55; 16],
    }
}

fn sample_erasure() -> Erasure {
    Erasure {
        audience: sample_receipt().audience,
        home: sample_receipt().home,
        withdrawal_hash: Hash::of(&encode::withdrawal(&sample_withdrawal())),
        erased_at: Timestamp::from_seconds(1_794_700_000),
        batches: 9,
        weeks: vec!["2026-W45", "2026-W46"]
            .into_iter()
            .map(|week| week.parse().expect("a week"))
            .collect(),
        purpose: Purpose::Exercise,
    }
}

#[test]
fn golden_bytes_decode_and_encode_the_same() {
    let bytes = encode::rotation(&sample_rotation());
    let stored = golden("rotation.bin", &bytes);
    assert_eq!(decode::rotation(&stored), Ok(sample_rotation()));
    assert_eq!(stored, bytes);

    let bytes = encode::withdrawal(&sample_withdrawal());
    let stored = golden("withdrawal.bin", &bytes);
    assert_eq!(decode::withdrawal(&stored), Ok(sample_withdrawal()));
    assert_eq!(stored, bytes);

    let bytes = encode::erasure(&sample_erasure());
    assert_eq!(
        decode::erasure(&golden("erasure.bin", &bytes)),
        Ok(sample_erasure())
    );
}

#[test]
fn an_unknown_field_is_ignored_of_a_collector_and_refused_of_a_home() {
    assert_eq!(
        decode::erasure(&more(encode::erasure(&sample_erasure()))),
        Ok(sample_erasure())
    );
    let rotation = more(encode::rotation(&sample_rotation()));
    assert_eq!(decode::rotation(&rotation), Err(Reject::NotCanonical));
    let withdrawal = more(encode::withdrawal(&sample_withdrawal()));
    assert_eq!(decode::withdrawal(&withdrawal), Err(Reject::NotCanonical));
}

/// Neither of a rotation's two signatures passes for the other, or for one about something else.
#[test]
fn a_rotation_is_proven_by_its_own_key_about_itself() {
    let whole = sample_rotation();
    let (old, new) = (sample_key(), SigningKey::from_seed(&[0x44; 32]));
    let judge = |rotation: &Rotation| decode::rotation(&encode::rotation(rotation)).err();
    assert_eq!(judge(&whole), None);

    let facts = encode::rotation_facts(&whole.facts);
    let elsewhere = rotation(&new, Audience::new([6; 32]));
    let proofs = [
        old.sign(PayloadType::Rotate, &facts),
        new.sign(PayloadType::Withdraw, &facts),
        new.sign(PayloadType::Rotate, &encode::rotation(&whole)),
        elsewhere.proof,
        [0; 64],
    ];
    for proof in proofs {
        let forged = Rotation { proof, ..whole };
        assert_eq!(judge(&forged), Some(Reject::BadSignature));
    }
    // The proof, offered as the signature of an envelope of its own, seals no rotation.
    let envelope = SealedBatch {
        payload_type: PayloadType::Rotate.as_str().to_owned(),
        payload: facts,
        public_key: new.public().as_bytes().to_vec(),
        signature: whole.proof.to_vec(),
    };
    let payload = envelope.open(PayloadType::Rotate, &new.public());
    let payload = payload.expect("it is a signature of the new key");
    assert_eq!(decode::rotation(payload), Err(Reject::Malformed));
}

proptest! {
    #[test]
    fn an_altered_rotation_is_none(at: prop::sample::Index, bit in 0..8_u32, cut: bool) {
        let mut payload = encode::rotation(&sample_rotation());
        let at = at.index(payload.len());
        if cut { payload.truncate(at) } else { payload[at] ^= 1 << bit }
        prop_assert!(decode::rotation(&payload).is_err());
    }

    #[test]
    fn withdrawals_and_erasures_decode_to_the_same(
        ids: ([u8; 32], [u8; 32], [u8; 16]),
        batches: u32,
        days in proptest::collection::btree_set(4_u32..84_000, 0..9),
        seconds in 0_i64..7_000_000_000,
    ) {
        let (audience, home) = (Audience::new(ids.0), HomeId::new(ids.1));
        let withdrawal = Withdrawal { audience, home, nonce: ids.2 };
        let payload = encode::withdrawal(&withdrawal);
        prop_assert_eq!(decode::withdrawal(&payload), Ok(withdrawal));
        let weeks = days.into_iter().map(|day| Day::new(day).expect("in range").week()).collect();
        let erasure = Erasure {
            withdrawal_hash: Hash::of(&payload),
            erased_at: Timestamp::from_seconds(seconds),
            weeks,
            batches,
            audience,
            home,
            purpose: Purpose::Observatory,
        };
        prop_assert_eq!(decode::erasure(&encode::erasure(&erasure)), Ok(erasure));
    }
}

#[test]
fn a_week_begins_on_a_monday_also_in_an_erasure() {
    let bytes = encode::erasure(&sample_erasure());
    let mut message: v1::Erasure = prost::Message::decode(&bytes[..]).expect("an erasure");
    message.weeks[0] += 1;
    let bytes = prost::Message::encode_to_vec(&message);
    assert_eq!(decode::erasure(&bytes), Err(decode::Unreadable));
}
