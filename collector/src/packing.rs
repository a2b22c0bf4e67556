//! Values at rest, each in one way only.
//!
//! Takes values, gives bytes, and back. Numbers are LEB128 in their shortest form, maps are a count and
//! then entries by ascending key, and nothing names a field: equal values have equal bytes, and bytes
//! that are not exactly what packing gives unpack to nothing. Counters of half a week are kept so for
//! some minutes, by collectors of one version; it is no format for anybody else.

use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::scale::{Magnitude, RttStep};
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// A value that packs.
pub trait Packed: Sized {
    /// Appends it to `out`.
    fn pack(&self, out: &mut Vec<u8>);

    /// The value at the front of `from`, which is moved past it; `None` if there is none.
    fn unpack(from: &mut &[u8]) -> Option<Self>;
}

/// The value that is the whole of `bytes`.
#[must_use]
pub fn unpack_all<T: Packed>(mut bytes: &[u8]) -> Option<T> {
    let value = T::unpack(&mut bytes)?;
    bytes.is_empty().then_some(value)
}

/// The next `N` bytes.
pub fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*bytes)
}

// === numbers ===

/// Bits of a number that one byte holds.
const BITS: u32 = 7;
/// Says that another byte follows.
const MORE: u8 = 1 << BITS;

impl Packed for u64 {
    fn pack(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= Self::from(MORE) {
            let [low, ..] = rest.to_le_bytes();
            out.push(low | MORE);
            rest >>= BITS;
        }
        let [last, ..] = rest.to_le_bytes();
        out.push(last);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let mut number = 0;
        for shift in (0..Self::BITS).step_by(BITS as usize) {
            let [byte] = take(from)?;
            let bits = Self::from(byte & (MORE - 1));
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return None;
            }
            number |= shifted;
            if byte & MORE == 0 {
                // A last byte without bits would be a second way to say the same.
                return (byte != 0 || shift == 0).then_some(number);
            }
        }
        None
    }
}

impl Packed for u32 {
    fn pack(&self, out: &mut Vec<u8>) {
        u64::from(*self).pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        u64::unpack(from)?.try_into().ok()
    }
}

// === several ===

impl<A: Packed, B: Packed> Packed for (A, B) {
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some((A::unpack(from)?, B::unpack(from)?))
    }
}

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        self.iter().for_each(|value| value.pack(out));
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        match take(from)? {
            [0] => Some(None),
            [1] => T::unpack(from).map(Some),
            _ => None,
        }
    }
}

impl<K: Packed + Ord, V: Packed> Packed for BTreeMap<K, V> {
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u64).pack(out);
        for (key, value) in self {
            key.pack(out);
            value.pack(out);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let mut map = Self::new();
        // However many are announced, each is made of bytes that are there.
        for _ in 0..u64::unpack(from)? {
            let (key, value) = <(K, V)>::unpack(from)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return None;
            }
            map.insert(key, value);
        }
        Some(map)
    }
}

// === nouns ===

impl Packed for Country {
    fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_str().as_bytes());
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::new(take(from)?)
    }
}

impl Packed for Prefix {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(bytes) => {
                out.push(4);
                out.extend_from_slice(bytes);
            }
            Self::V6(bytes) => {
                out.push(6);
                out.extend_from_slice(bytes);
            }
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        match take(from)? {
            [4] => take(from).map(Self::V4),
            [6] => take(from).map(Self::V6),
            _ => None,
        }
    }
}

impl Packed for Vendor {
    fn pack(&self, out: &mut Vec<u8>) {
        self.number().pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::from_number(u32::unpack(from)?)
    }
}

impl Packed for EndpointId {
    fn pack(&self, out: &mut Vec<u8>) {
        self.number().pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::from_number(u32::unpack(from)?)
    }
}

impl Packed for Magnitude {
    fn pack(&self, out: &mut Vec<u8>) {
        self.number().pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::from_number(u32::unpack(from)?)
    }
}

impl Packed for RttStep {
    fn pack(&self, out: &mut Vec<u8>) {
        self.ms().pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::from_ms(u32::unpack(from)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(value: &impl Packed) -> Vec<u8> {
        let mut out = Vec::new();
        value.pack(&mut out);
        out
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(map: BTreeMap<u64, (u32, Option<u64>)>) {
            prop_assert_eq!(unpack_all(&packed(&map)), Some(map));
        }

        /// Nothing but what packing gives is taken: whatever unpacks packs to the same bytes.
        #[test]
        fn a_value_has_one_form(bytes in prop::collection::vec(0_u8..4, 0..24)) {
            if let Some(map) = unpack_all::<BTreeMap<u32, Option<u64>>>(&bytes) {
                prop_assert_eq!(packed(&map), bytes);
            }
        }

        #[test]
        fn a_number_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Some(number) = unpack_all::<u64>(&bytes) {
                prop_assert_eq!(packed(&number), bytes);
            }
        }
    }

    #[test]
    fn longer_forms_and_false_nouns_are_refused() {
        assert_eq!(unpack_all(&[0x80, 0x00]), None::<u64>);
        assert_eq!(unpack_all(&packed(&u64::MAX)), Some(u64::MAX));
        let mut beyond = [0xff; 10];
        beyond[9] = 2;
        assert_eq!(unpack_all(&beyond), None::<u64>);
        assert_eq!(unpack_all(&packed(&(1_u64 << 32))), None::<u32>);
        // Descending keys, and the same twice.
        assert_eq!(unpack_all(&[2, 1, 0, 0, 0]), None::<BTreeMap<u32, u32>>);
        assert_eq!(unpack_all(&[2, 1, 0, 1, 0]), None::<BTreeMap<u32, u32>>);
        assert!(unpack_all::<BTreeMap<u32, u32>>(&[2, 0, 0, 1, 0]).is_some());
        assert_eq!(unpack_all(b"de"), None::<Country>);
        assert_eq!(unpack_all(&[5, 1, 2, 3]), None::<Prefix>);
        assert_eq!(
            unpack_all(&[4, 1, 2, 3, 4]),
            None::<Prefix>,
            "one byte more"
        );
    }
}
