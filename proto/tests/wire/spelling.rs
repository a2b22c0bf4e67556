//! A batch has one spelling. The two readers of batches agree on everything else that says the same, or
//! nearly the same: one defines what is canonical, the other reads it in one pass.

use super::{any_batch, sample_batch};
use phonehome_proto::batch::Batch;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::reject::Reject;
use phonehome_proto::{decode, encode};
use proptest::prelude::*;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// The field of a batch that holds its observations.
const OBSERVATIONS: u32 = 9;

/// The field of a batch that holds its census.
const CENSUS: u32 = 7;

/// One field, with the bytes that a number takes beyond those it needs.
#[derive(Clone, Debug)]
struct Field {
    number: u32,
    value: Value,
    wasted_bytes: usize,
}

#[derive(Clone, Debug)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// What is done to the fields of a message.
#[derive(Clone, Debug)]
enum Change {
    Swap(usize, usize),
    Repeat(usize),
    Drop(usize),
    Set(usize, u64),
    Waste(usize, usize),
    Add(u32, u64),
    Cut(usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    let number = || prop_oneof![0..40_u64, any::<u64>(), any::<u32>().prop_map(u64::from)];
    let at = || any::<usize>();
    prop_oneof![
        (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
        at().prop_map(Change::Repeat),
        at().prop_map(Change::Drop),
        (at(), number()).prop_map(|(at, number)| Change::Set(at, number)),
        (at(), 1..10_usize).prop_map(|(at, wasted)| Change::Waste(at, wasted)),
        (1..20_u32, number()).prop_map(|(field, number)| Change::Add(field, number)),
        at().prop_map(Change::Cut),
    ]
}

/// The fields of a message; `None` if an earlier change has left none that can be read.
fn read(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (number, kind) = decode_key(&mut bytes).ok()?;
        let varint = decode_varint(&mut bytes).ok()?;
        let value = match kind {
            WireType::Varint => Value::Number(varint),
            _ => {
                let (value, rest) = bytes.split_at_checked(varint.try_into().ok()?)?;
                bytes = rest;
                Value::Bytes(value.to_vec())
            }
        };
        fields.push(Field {
            number,
            value,
            wasted_bytes: 0,
        });
    }
    Some(fields)
}

fn write(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        let (kind, number) = match &field.value {
            Value::Number(number) => (WireType::Varint, *number),
            Value::Bytes(value) => (WireType::LengthDelimited, value.len() as u64),
        };
        encode_key(field.number, kind, &mut bytes);
        encode_varint(number, &mut bytes);
        for _ in 0..field.wasted_bytes {
            *bytes.last_mut().expect("a number takes a byte") |= 0x80;
            bytes.push(0);
        }
        if let Value::Bytes(value) = &field.value {
            bytes.extend_from_slice(value);
        }
    }
    bytes
}

fn change(fields: &mut Vec<Field>, change: &Change) {
    if let Change::Add(number, value) = change {
        let value = Value::Number(*value);
        fields.push(Field {
            number: *number,
            value,
            wasted_bytes: 0,
        });
        return;
    }
    if fields.is_empty() {
        return;
    }
    match change {
        Change::Swap(one, other) => {
            let (one, other) = (one % fields.len(), other % fields.len());
            fields.swap(one, other);
        }
        Change::Repeat(at) => {
            let at = at % fields.len();
            fields.insert(at, fields[at].clone());
        }
        Change::Drop(at) => drop(fields.remove(at % fields.len())),
        Change::Set(at, number) => {
            let at = at % fields.len();
            fields[at].value = match &fields[at].value {
                Value::Number(_) => Value::Number(*number),
                // As many bytes as an address prefix may have, and some more.
                Value::Bytes(bytes) => {
                    let length = usize::try_from(number % 8).expect("small");
                    Value::Bytes(bytes.iter().copied().cycle().take(length).collect())
                }
            };
        }
        Change::Waste(at, wasted) => {
            let at = at % fields.len();
            fields[at].wasted_bytes = *wasted;
        }
        Change::Cut(at) => fields.truncate(at % fields.len()),
        Change::Add(..) => {}
    }
}

/// Changes the batch itself, or one of the messages in it.
fn respell(payload: &[u8], within: Option<u32>, which: usize, how: &Change) -> Option<Vec<u8>> {
    let mut fields = read(payload)?;
    if let Some(within) = within {
        let mut inner: Vec<&mut Field> = fields.iter_mut().filter(|f| f.number == within).collect();
        if inner.is_empty() {
            return None;
        }
        let Value::Bytes(bytes) = &mut inner.swap_remove(which % inner.len()).value else {
            return None;
        };
        let mut message = read(bytes)?;
        change(&mut message, how);
        *bytes = write(&message);
    } else {
        change(&mut fields, how);
    }
    Some(write(&fields))
}

/// What both readers say, which must be the same.
fn read_twice(payload: &[u8]) -> Result<Batch, Reject> {
    let endpoint = &EndpointId::from_number;
    let anew = decode::batch_anew(payload, endpoint);
    let at_once = decode::batch_at_once(payload, endpoint);
    assert_eq!(at_once, anew.clone().ok(), "{payload:02x?}");
    assert_eq!(decode::batch(payload), anew);
    anew
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_at_once(batch in any_batch()) {
        prop_assert_eq!(read_twice(&encode::batch(&batch)), Ok(batch));
    }

    #[test]
    fn another_spelling_is_another_batch_or_none(
        batch in any_batch(),
        changes in proptest::collection::vec(
            (proptest::option::of(prop_oneof![Just(OBSERVATIONS), Just(CENSUS), 1..9_u32]), any::<usize>(), any_change()),
            1..3,
        ),
    ) {
        let canonical = encode::batch(&batch);
        let mut payload = canonical.clone();
        for (within, which, how) in &changes {
            // What is no message inside is left alone.
            let within = within.filter(|field| [5, CENSUS, 8, OBSERVATIONS].contains(field));
            payload = respell(&payload, within, *which, how).unwrap_or(payload);
        }
        match read_twice(&payload) {
            Ok(read) if payload == canonical => prop_assert_eq!(read, batch),
            Ok(read) => {
                prop_assert_eq!(encode::batch(&read), payload);
                prop_assert_ne!(read, batch);
            }
            Err(_) => prop_assert_ne!(payload, canonical),
        }
    }

    #[test]
    fn altered_bytes_are_read_alike(
        batch in any_batch(),
        altered in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end: Option<prop::sample::Index>,
    ) {
        let mut payload = encode::batch(&batch);
        for (at, byte) in altered {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        if let Some(end) = end {
            payload.truncate(end.index(payload.len()));
        }
        let _ = read_twice(&payload);
    }

    #[test]
    fn arbitrary_bytes_are_read_alike(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_twice(&bytes);
    }
}

/// Each of these says what the sample says, in bytes that it would not be written with.
#[test]
fn every_waste_is_refused() {
    let canonical = encode::batch(&sample_batch());
    assert!(read_twice(&canonical).is_ok());
    for field in [None, Some(5), Some(CENSUS), Some(8), Some(OBSERVATIONS)] {
        let fields = match field {
            None => read(&canonical).expect("encoded").len(),
            Some(_) => 12,
        };
        for place in 0..fields {
            for how in [Change::Waste(place, 1), Change::Repeat(place)] {
                let payload = respell(&canonical, field, 0, &how).expect("the sample has it");
                if payload != canonical {
                    assert!(read_twice(&payload).is_err(), "{field:?}, {how:?}");
                }
            }
        }
    }
}

/// Every field of the sample and of the messages in it, with every number that may mean something there,
/// and some that never do.
#[test]
fn every_number_is_read_alike() {
    let canonical = encode::batch(&sample_batch());
    let large = [
        127,
        128,
        300,
        65_535,
        65_536,
        1 << 31,
        1 << 32,
        (1 << 32) + 1,
        u64::MAX,
    ];
    for field in [None, Some(5), Some(CENSUS), Some(8), Some(OBSERVATIONS)] {
        for place in 0..12 {
            for number in (0..64).chain(large) {
                let how = Change::Set(place, number);
                let payload = respell(&canonical, field, 0, &how).expect("the sample has it");
                let _ = read_twice(&payload);
            }
        }
    }
}

/// A number of samples that nobody knows, beside no round trip: nothing is said by it.
#[test]
fn what_says_nothing_is_refused() {
    let canonical = encode::batch(&sample_batch());
    let mut fields = read(&canonical).expect("encoded");
    let last = fields.last_mut().expect("an observation");
    let Value::Bytes(bytes) = &mut last.value else {
        panic!("an observation is a message");
    };
    let mut observation = read(bytes).expect("encoded");
    observation.retain(|field| field.number != 11);
    observation.last_mut().expect("samples").value = Value::Number(7);
    *bytes = write(&observation);
    assert_eq!(read_twice(&write(&fields)), Err(Reject::NotCanonical));
}
