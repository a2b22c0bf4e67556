//! The committed tables: zstd, and columns of LEB128 numbers inside.
//!
//! They are compiled in, so a damaged one is a bug of the build and not an input; still every read
//! is bounded and says what is wrong, because a test reads them broken.

use std::io::Read;
use thiserror::Error;

/// Bytes a table may have once unpacked; the largest has 8.2 million.
const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A table that is not what its name says.
#[derive(Debug, Error)]
pub(super) enum Damaged {
    /// Not zstd, or cut short.
    #[error("the table does not unpack: {0}")]
    Packing(String),
    /// Longer than any table is.
    #[error("the table unpacks to more than {UNPACKED_BYTES_MAX} bytes")]
    TooLong,
    /// Not the format its reader expects.
    #[error("the table is not in the format expected: {0}")]
    Format(&'static str),
}

/// Unpacks a zstd frame.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, Damaged> {
    let failed = |error: &dyn std::fmt::Display| Damaged::Packing(error.to_string());
    let decoder =
        ruzstd::decoding::StreamingDecoder::new(packed).map_err(|error| failed(&error))?;
    let mut out = Vec::new();
    let read = decoder.take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut out);
    let read = read.map_err(|error| failed(&error))?;
    if read as u64 > UNPACKED_BYTES_MAX {
        Err(Damaged::TooLong)
    } else {
        Ok(out)
    }
}

/// Reads a table from its front.
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// A table that begins with `magic`, past it.
    pub(super) fn new(table: &'a [u8], magic: &[u8]) -> Result<Self, Damaged> {
        table
            .strip_prefix(magic)
            .map(Self)
            .ok_or(Damaged::Format("another magic"))
    }

    /// The next `len` bytes.
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (bytes, rest) = self
            .0
            .split_at_checked(len)
            .ok_or(Damaged::Format("too short"))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The bytes before the next line feed, which is skipped.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Damaged> {
        let end = self.0.iter().position(|&byte| byte == b'\n');
        let line = self.bytes(end.ok_or(Damaged::Format("a line without end"))?)?;
        self.bytes(1)?;
        Ok(line)
    }

    /// The next LEB128 number.
    pub(super) fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(Damaged::Format("too short"))?;
            self.0 = rest;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(Damaged::Format("a number too long"))
    }

    /// How many rows follow: a number no larger than the bytes that are left.
    pub(super) fn count(&mut self) -> Result<usize, Damaged> {
        let count = self.number()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.0.len() => Ok(count),
            _ => Err(Damaged::Format("more rows than bytes")),
        }
    }

    /// `count` numbers, each written as the step from the one before.
    pub(super) fn steps(&mut self, count: usize) -> Result<Vec<u64>, Damaged> {
        let mut last = 0_u64;
        (0..count)
            .map(|_| {
                last = last
                    .checked_add(self.number()?)
                    .ok_or(Damaged::Format("steps overflow"))?;
                Ok(last)
            })
            .collect()
    }

    /// The next little-endian `u16`.
    pub(super) fn u16(&mut self) -> Result<u16, Damaged> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Damaged> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Damaged::Format("bytes left over"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_steps() {
        let mut cursor = Cursor::new(b"M\x05\x80\x01\x00\x01", b"M").expect("the magic is there");
        assert_eq!(cursor.steps(3).expect("three numbers"), [5, 133, 133]);
        assert_eq!(cursor.number().expect("one more"), 1);
        assert!(cursor.number().is_err(), "past the end");
        assert!(Cursor::new(b"X", b"M").is_err());
        assert!(Cursor(&[0xff; 12]).number().is_err(), "longer than 64 bits");
        assert!(Cursor(&[9, 1]).count().is_err(), "nine rows in one byte");
    }

    /// A zstd frame (RFC 8878) of so many blocks, each 128 KiB of the same byte in four bytes.
    fn bomb(blocks: u32) -> Vec<u8> {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
        for block in 1..=blocks {
            let header = (128 * 1024) << 3 | 1 << 1 | u32::from(block == blocks);
            frame.extend(&header.to_le_bytes()[..3]);
            frame.push(7);
        }
        frame
    }

    #[test]
    fn what_unpacks_too_large_is_refused() {
        assert_eq!(unpack(&bomb(2)).expect("256 KiB").len(), 256 * 1024);
        assert!(matches!(unpack(&bomb(513)), Err(Damaged::TooLong)));
        assert!(matches!(unpack(&bomb(2)[..12]), Err(Damaged::Packing(_))));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>, ask in 0_usize..40) {
            let _ = unpack(&bytes);
            let mut cursor = Cursor(&bytes);
            let _ = cursor.count();
            let _ = cursor.steps(ask);
            let _ = cursor.line();
            let _ = cursor.u16();
        }
    }
}
