use super::fixture::*;
use super::*;
use phonehome_proto::id::{Audience, HomeId};
use phonehome_proto::seal::SealedBatch;
use proptest::prelude::*;

fn verdict(sealed: SealedBatch, key: Option<&HomeKey>) -> Result<Timeliness, Reject> {
    verify(sealed, key, &rules(), tuesday_noon()).map(|batch| batch.timeliness())
}

/// A payload of home 1, signed well, whatever it says.
fn signed(payload: Vec<u8>) -> SealedBatch {
    SealedBatch::seal(PayloadType::Batch, payload, &key(1))
}

#[test]
fn a_whole_batch_is_verified() {
    let batch = verified(1, 7, tuesday_noon());
    assert_eq!(batch.home(), key(1).public().home());
    assert_eq!(batch.week(), week());
    assert_eq!(batch.timeliness(), Timeliness::InTime);
    assert_eq!(batch.sealed(), &sealed(1, header(1, 7)));
}

#[test]
fn every_refusal_has_its_batch() {
    let good = sealed(1, header(1, 7));
    let mine = enrolled(1);
    let check = |sealed: SealedBatch, reject| {
        assert_eq!(verdict(sealed, Some(&mine)), Err(reject), "{reject:?}");
    };

    let payload_type = PayloadType::Enrol.as_str().to_owned();
    check(
        SealedBatch {
            payload_type,
            ..good.clone()
        },
        Reject::UnknownType,
    );
    check(
        signed(vec![0; limits::PAYLOAD_BYTES_MAX + 1]),
        Reject::TooLarge,
    );
    assert_eq!(verdict(good.clone(), None), Err(Reject::UnknownKey));
    // The registry's key decides, not the envelope's.
    assert_eq!(
        verdict(good.clone(), Some(&enrolled(2))),
        Err(Reject::UnknownKey)
    );

    let mut altered = good.clone();
    altered.payload[0] ^= 1;
    check(altered, Reject::BadSignature);
    check(
        SealedBatch {
            signature: vec![0; 64],
            ..good.clone()
        },
        Reject::BadSignature,
    );
    check(
        SealedBatch {
            signature: Vec::new(),
            ..good.clone()
        },
        Reject::BadSignature,
    );
    let forged = SealedBatch::seal(PayloadType::Batch, good.payload.clone(), &key(2));
    check(
        SealedBatch {
            public_key: good.public_key,
            ..forged
        },
        Reject::BadSignature,
    );

    check(signed(vec![0xff]), Reject::Malformed);
    check(signed(Vec::new()), Reject::Malformed);
    let trailing = [payload(header(1, 7)), vec![0xf8, 0x7f, 1]].concat();
    check(signed(trailing), Reject::NotCanonical);

    let mut elsewhere = header(1, 7);
    elsewhere.audience = Audience::new([9; 32]);
    check(sealed(1, elsewhere), Reject::WrongAudience);
    let mut other = header(1, 7);
    other.home = HomeId::new([9; 32]);
    check(sealed(1, other), Reject::WrongHome);
    let mut list = header(1, 7);
    list.endpoint_list_version += 1;
    check(sealed(1, list), Reject::UnknownList);
}

#[test]
fn a_replaced_key_signs_for_its_days_only() {
    let sealed = sealed(1, header(1, 7));
    for (last_day, expected) in [
        (monday().previous(), Err(Reject::KeyRetired)),
        (monday(), Ok(Timeliness::InTime)),
        (monday().plus(1), Ok(Timeliness::InTime)),
    ] {
        let replaced = HomeKey {
            last_day: Some(last_day),
            ..enrolled(1)
        };
        assert_eq!(verdict(sealed.clone(), Some(&replaced)), expected);
    }
}

#[test]
fn where_a_home_stands_decides_once_it_has_signed() {
    let trial = |first| Standing::Admitted {
        counted_from: Some(first),
    };
    let of = |standing| HomeKey {
        standing,
        ..enrolled(1)
    };
    for (standing, reject) in [
        (Standing::Pending, Reject::NotApproved),
        (Standing::Revoked, Reject::Revoked),
    ] {
        // Also of what could not be read: who may not report is told so and no more.
        for sealed in [sealed(1, header(1, 7)), signed(vec![0xff])] {
            assert_eq!(verdict(sealed, Some(&of(standing))), Err(reject));
        }
        let mut forged = sealed(1, header(1, 7));
        forged.signature[5] ^= 1;
        let verdict = verdict(forged, Some(&of(standing)));
        assert_eq!(
            verdict,
            Err(Reject::BadSignature),
            "strangers learn nothing"
        );
    }
    for (first, expected) in [
        (monday().previous(), false),
        (monday(), false),
        (monday().plus(1), true),
    ] {
        let sealed = sealed(1, header(1, 7));
        let verified = verify(sealed, Some(&of(trial(first))), &rules(), tuesday_noon());
        assert_eq!(verified.map(|batch| batch.is_on_probation()), Ok(expected));
    }
}

#[test]
fn nothing_is_parsed_before_the_signature_is_checked() {
    // Unreadable bytes under a bad signature are a bad signature, not malformed.
    let mut sealed = signed(vec![0xff]);
    sealed.signature[5] ^= 1;
    assert_eq!(
        verdict(sealed, Some(&enrolled(1))),
        Err(Reject::BadSignature)
    );
}

#[test]
fn the_weeks_clock_has_two_edges() {
    let (day, sunday) = (monday(), week().days().last().expect("seven days"));
    let early = day.end().plus_seconds(-limits::SKEW_SECONDS_MAX);
    assert_eq!(
        Timeliness::of(day, early.plus_seconds(-1)),
        Timeliness::TooEarly
    );
    assert_eq!(Timeliness::of(day, early), Timeliness::InTime);
    let late = week().end().plus_seconds(limits::WEEK_ACCEPT_SECONDS);
    for day in [day, sunday] {
        assert_eq!(
            Timeliness::of(day, late.plus_seconds(-1)),
            Timeliness::InTime
        );
        assert_eq!(Timeliness::of(day, late), Timeliness::TooLate);
    }
}

proptest! {
    #[test]
    fn one_changed_bit_is_enough(byte: prop::sample::Index, bit in 0..8_u32) {
        let mut sealed = sealed(1, header(1, 7));
        let at = byte.index(sealed.payload.len());
        sealed.payload[at] ^= 1_u8 << bit;
        prop_assert_eq!(verdict(sealed, Some(&enrolled(1))), Err(Reject::BadSignature));
    }

    #[test]
    fn no_signed_bytes_break_it(bytes: Vec<u8>) {
        let _ = verdict(signed(bytes), Some(&enrolled(1)));
    }
}
