//! The fields of a message in its canonical form, read where they stand.
//!
//! Canonical as homes' payloads are: fields in the order of their numbers, each at most once, defaults
//! absent, numbers in as few bytes as they can have. So whoever asks for the fields of a message in order,
//! and finds nothing behind the last, has read the only spelling that message has. What is spelled in
//! any other way is no answer here: every method gives `None` for it. Nothing is copied.
//!
//! For messages whose fields have numbers up to 15, so that a field's key is one byte.

/// The bytes of a message that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

/// The low bits of a key: a number follows.
const VARINT: u8 = 0;

/// The low bits of a key: a length follows, and as many bytes.
const BYTES: u8 = 2;

/// Fields of larger numbers have longer keys.
const FIELD_MAX: u8 = 15;

impl<'a> Fields<'a> {
    /// A message that begins here.
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// How many bytes stand before the first field `field`, or the end; whatever they say, and in
    /// whatever order.
    pub(super) fn length_before(mut self, field: u8) -> Option<usize> {
        let whole = self.0.len();
        while let Some(&key) = self.0.first()
            && key != tag(field, BYTES)
        {
            self.0 = &self.0[1..];
            match key % 8 {
                VARINT => drop(self.varint()?),
                BYTES => drop(self.run()?),
                _ => return None,
            }
        }
        Some(whole - self.0.len())
    }

    /// The number in field `field`; 0 if it is absent.
    #[inline]
    pub(super) fn number(&mut self, field: u8) -> Option<u32> {
        if !self.is_next(field, VARINT) {
            return Some(0);
        }
        self.varint().filter(|&number| number != 0)
    }

    /// The number of a value of an enum in field `field`; 0 if it is absent. None is negative.
    #[inline]
    pub(super) fn choice(&mut self, field: u8) -> Option<i32> {
        self.number(field)?.try_into().ok()
    }

    /// The bytes in field `field`; none if it is absent.
    #[inline]
    pub(super) fn bytes(&mut self, field: u8) -> Option<&'a [u8]> {
        if !self.is_next(field, BYTES) {
            return Some(&[]);
        }
        self.run().filter(|bytes| !bytes.is_empty())
    }

    /// The next of the messages in the repeated field `field`; `Some(None)` behind the last.
    #[inline]
    pub(super) fn next_message(&mut self, field: u8) -> Option<Option<Self>> {
        if !self.is_next(field, BYTES) {
            return Some(None);
        }
        self.run().map(|message| Some(Self(message)))
    }

    /// Nothing follows.
    #[inline]
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// Steps over a key if it is this one.
    #[inline]
    fn is_next(&mut self, field: u8, kind: u8) -> bool {
        match self.0.split_first() {
            Some((&key, rest)) if key == tag(field, kind) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// A number below 2^32, in as few bytes as it can have.
    #[inline]
    fn varint(&mut self) -> Option<u32> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        if first < 0x80 {
            return Some(first.into());
        }
        let mut number = u64::from(first & 0x7f);
        for shift in [7, 14, 21, 28] {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // A last byte of zero says nothing that its absence would not.
                return u32::try_from(number).ok().filter(|_| byte != 0);
            }
        }
        None
    }

    /// A length, and so many bytes.
    #[inline]
    fn run(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[inline]
const fn tag(field: u8, kind: u8) -> u8 {
    debug_assert!(field >= 1 && field <= FIELD_MAX, "a key is one byte");
    field * 8 + kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::encoding::{WireType, encode_key, encode_varint};

    fn field(number: u32, value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_key(number, WireType::Varint, &mut bytes);
        encode_varint(value, &mut bytes);
        bytes
    }

    #[test]
    fn only_the_shortest_spelling_of_a_number_is_read() {
        let read = |bytes: &[u8]| Fields::of(bytes).number(3);
        assert_eq!(read(&[]), Some(0), "absent");
        assert_eq!(read(&[4 * 8, 1]), Some(0), "another field");
        assert_eq!(read(&[3 * 8, 1]), Some(1));
        assert_eq!(read(&[3 * 8, 0x80, 1]), Some(128));
        assert_eq!(read(&[3 * 8, 0]), None, "a default");
        assert_eq!(read(&[3 * 8]), None, "cut off");
        assert_eq!(read(&[3 * 8, 0x81, 0]), None, "one byte would do");
        assert_eq!(read(&[3 * 8, 0x81, 0x80, 0x80, 0x80, 0]), None);
        assert_eq!(read(&[3 * 8, 0xff, 0xff, 0xff, 0xff, 0x0f]), Some(u32::MAX));
        assert_eq!(
            read(&[3 * 8, 0xff, 0xff, 0xff, 0xff, 0x1f]),
            None,
            "2^33 - 1"
        );
        assert_eq!(read(&[3 * 8, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), None);
    }

    #[test]
    fn bytes_end_where_their_length_says() {
        let read = |bytes: &'static [u8]| {
            let mut fields = Fields::of(bytes);
            Some((fields.bytes(2)?, fields.0))
        };
        assert_eq!(read(&[]), Some((&[][..], &[][..])));
        assert_eq!(read(&[2 * 8 + 2, 1, 7, 9]), Some((&[7][..], &[9][..])));
        assert_eq!(read(&[2 * 8 + 2, 0, 9]), None, "a default");
        assert_eq!(read(&[2 * 8 + 2, 2, 7]), None, "cut off");
        assert_eq!(
            read(&[2 * 8, 2]),
            Some((&[][..], &[2 * 8, 2][..])),
            "a number"
        );
        let message = Fields::of(&[2 * 8 + 2, 0])
            .next_message(2)
            .expect("readable");
        assert!(
            message.is_some_and(|message| message.end().is_some()),
            "says nothing, and is there"
        );
    }

    #[test]
    fn what_stands_before_a_field_is_measured_whatever_it_is() {
        let before = |bytes: &[u8]| Fields::of(bytes).length_before(9);
        assert_eq!(before(&[]), Some(0));
        assert_eq!(before(&[7 * 8, 1, 2 * 8 + 2, 1, 0x4a, 0x4a, 0]), Some(5));
        assert_eq!(before(&[7 * 8, 1]), Some(2), "it does not follow");
        assert_eq!(before(&[9 * 8, 1, 0x4a]), Some(2), "of another kind");
        assert_eq!(
            before(&[7 * 8 + 5, 0, 0, 0, 0, 0x4a]),
            None,
            "no message of ours"
        );
    }

    proptest! {
        #[test]
        fn every_number_is_read_as_it_is_written(number: u64, field_number in 1_u8..=15) {
            let bytes = field(field_number.into(), number);
            let read = Fields::of(&bytes).number(field_number);
            prop_assert_eq!(read, u32::try_from(number).ok().filter(|&number| number > 0));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, field in 1_u8..=15) {
            let _ = Fields::of(&bytes).length_before(field);
            let mut fields = Fields::of(&bytes);
            let _ = (fields.choice(field), fields.bytes(field), fields.next_message(field));
        }
    }
}
