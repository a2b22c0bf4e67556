//! The frames an Initial may hold (RFC 9000, section 12.4).

use crate::name::cursor::Cursor;

/// A stretch of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CryptoFrame<'a> {
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
}

/// The CRYPTO frames of a payload, up to its end or the first frame that does not belong there.
pub(super) fn crypto_frames(payload: &[u8]) -> impl Iterator<Item = CryptoFrame<'_>> {
    let mut cursor = Cursor::new(payload);
    std::iter::from_fn(move || next_crypto(&mut cursor))
}

fn next_crypto<'a>(cursor: &mut Cursor<'a>) -> Option<CryptoFrame<'a>> {
    loop {
        match cursor.varint()? {
            PADDING | PING => {}
            ACK => skip_ack(cursor, 0)?,
            ACK_ECN => skip_ack(cursor, 3)?,
            CRYPTO => {
                let offset = cursor.varint()?;
                let length = usize::try_from(cursor.varint()?).ok()?;
                return Some(CryptoFrame {
                    offset,
                    bytes: cursor.take(length)?,
                });
            }
            _ => return None,
        }
    }
}

/// Section 19.3: largest acknowledged, delay, ranges; then the ECN counts.
fn skip_ack(cursor: &mut Cursor<'_>, ecn_counts: u64) -> Option<()> {
    let (_largest, _delay, ranges) = (cursor.varint()?, cursor.varint()?, cursor.varint()?);
    // The first range is one number, every further one two. Each takes a byte or more, so the
    // payload's end bounds the loop.
    let numbers = ranges.checked_mul(2)?.checked_add(1 + ecn_counts)?;
    for _ in 0..numbers {
        cursor.varint()?;
    }
    Some(())
}

const PADDING: u64 = 0x00;
const PING: u64 = 0x01;
const ACK: u64 = 0x02;
const ACK_ECN: u64 = 0x03;
const CRYPTO: u64 = 0x06;
