//! DTLS ClientHello: the server name in datagrams.
//!
//! Takes one datagram after the other, gives a [`Reading`] of the hello put together from its
//! fragments (RFC 6347, section 4.2; RFC 9147, section 5: an initial hello is the same in both).
//! A second hello, sent after the server asked for a cookie, replaces an unfinished first.

use super::cursor::Cursor;
use super::reassembly::Reassembly;
use super::tls::{self, CLIENT_HELLO, Flavour};
use super::{Findings, HANDSHAKE_BYTES_MAX, Reading};

/// One hello's fragments.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Which message of the handshake, and the length it claims.
    message: Option<(u16, usize)>,
    body: Reassembly,
}

/// One fragment of a ClientHello.
struct Fragment<'a> {
    message: (u16, usize),
    offset: u32,
    bytes: &'a [u8],
}

// === impl Hello ===

impl Default for Hello {
    fn default() -> Self {
        Self {
            message: None,
            body: Reassembly::new(HANDSHAKE_BYTES_MAX),
        }
    }
}

impl Hello {
    /// Reads the records of a datagram. [`Reading::Foreign`] says that it holds no part of a hello.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Reading {
        let mut found = false;
        for fragment in fragments(datagram) {
            found = true;
            if self.message != Some(fragment.message) {
                *self = Self {
                    message: Some(fragment.message),
                    ..Self::default()
                };
            }
            if self
                .body
                .insert(fragment.offset.into(), fragment.bytes)
                .is_err()
            {
                // Too long to hold: what its first bytes say is all there will be.
                return self.read(true);
            }
        }
        if found {
            self.read(false)
        } else {
            Reading::Foreign
        }
    }

    /// What the fragments say so far.
    #[must_use]
    pub fn so_far(&self) -> Reading {
        self.read(false)
    }

    /// How many bytes of memory the fragments occupy.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.body.allocated_bytes()
    }

    fn read(&self, to_the_end: bool) -> Reading {
        let Some((_, length)) = self.message else {
            return Reading::Foreign;
        };
        let body = self.body.bytes_from(0);
        let whole = to_the_end || body.len() >= length;
        if body.is_empty() && !whole {
            return Reading::Partial(Findings::default());
        }
        tls::read_body(&body[..body.len().min(length)], whole, Flavour::Datagram)
    }
}

/// Whether a datagram begins with a DTLS record of any kind, before or after the handshake.
#[must_use]
pub fn is_record(datagram: &[u8]) -> bool {
    let mut cursor = Cursor::new(datagram);
    let (Some(0x14..=0x17), Some(version), Some(_epoch_and_number), Some(length)) =
        (cursor.u8(), cursor.u16(), cursor.array::<8>(), cursor.u16())
    else {
        return false;
    };
    is_version(version) && length > 0 && usize::from(length) <= cursor.rest().len()
}

/// The ClientHello fragments in the plaintext records of a datagram.
fn fragments(datagram: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut cursor = Cursor::new(datagram);
    std::iter::from_fn(move || record(&mut cursor))
        .flat_map(|payload| {
            let mut cursor = Cursor::new(payload);
            std::iter::from_fn(move || fragment(&mut cursor))
        })
        .take(FRAGMENTS_MAX)
}

/// The payload of the next handshake record of epoch 0; other records are no hello's neighbours.
fn record<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let (kind, version, epoch) = (cursor.u8()?, cursor.u16()?, cursor.u16()?);
    let _sequence_number = cursor.take(6)?;
    let payload = cursor.vec16()?;
    (kind == CONTENT_HANDSHAKE && is_version(version) && epoch == 0).then_some(payload)
}

fn fragment<'a>(cursor: &mut Cursor<'a>) -> Option<Fragment<'a>> {
    let (kind, length, number) = (cursor.u8()?, cursor.u24()?, cursor.u16()?);
    let (offset, count) = (cursor.u24()?, cursor.u24()?);
    let bytes = cursor.take(usize::try_from(count).ok()?)?;
    let length = tls::hello_length(length)?;
    let fits = usize::try_from(offset).ok()?.checked_add(bytes.len())? <= length;
    (kind == CLIENT_HELLO && fits).then_some(Fragment {
        message: (number, length),
        offset,
        bytes,
    })
}

const fn is_version(version: u16) -> bool {
    // 1.2, 1.0 (also what 1.3 writes), and OpenSSL's version before the standard.
    matches!(version, 0xfefd | 0xfeff | 0x0100)
}

const CONTENT_HANDSHAKE: u8 = 22;
/// The most fragments read from one datagram; each is work, and hellos take a handful.
const FRAGMENTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::ServerName;
    use crate::name::sample;

    fn body(cookie: &[u8]) -> Vec<u8> {
        let mut body = sample::Hello::naming("relay.example").body();
        body[..2].copy_from_slice(&[0xfe, 0xfd]);
        let cookie_at = 2 + 32 + 1 + sample::SESSION_ID_BYTES;
        body.insert(cookie_at, u8::try_from(cookie.len()).expect("short"));
        body.splice(cookie_at + 1..cookie_at + 1, cookie.iter().copied());
        body
    }

    fn datagram(number: u16, body: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
        let u24 = |n: usize| u32::try_from(n).expect("small").to_be_bytes()[1..].to_vec();
        let part = &body[range.clone()];
        let mut message = vec![CLIENT_HELLO];
        message.extend(u24(body.len()));
        message.extend(number.to_be_bytes());
        message.extend(u24(range.start));
        message.extend(u24(part.len()));
        message.extend(part);
        let mut record = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 1];
        record.extend(u16::try_from(message.len()).expect("small").to_be_bytes());
        record.extend(message);
        record
    }

    fn named(reading: &Reading) -> Option<&str> {
        match reading {
            Reading::Whole(findings) => findings.name.as_ref().map(ServerName::as_str),
            _ => None,
        }
    }

    #[test]
    fn a_hello_in_one_datagram_is_read() {
        let body = body(b"");
        let reading = Hello::default().handle_datagram(&datagram(0, &body, 0..body.len()));
        assert_eq!(named(&reading), Some("relay.example"));
    }

    #[test]
    fn fragments_in_any_order_are_one_hello() {
        let body = body(b"");
        let mut hello = Hello::default();
        let late = hello.handle_datagram(&datagram(0, &body, 200..body.len()));
        assert_eq!(late, Reading::Partial(Findings::default()));
        let reading = hello.handle_datagram(&datagram(0, &body, 0..220));
        assert_eq!(named(&reading), Some("relay.example"));
    }

    #[test]
    fn the_hello_with_a_cookie_replaces_the_first() {
        let (first, second) = (body(b""), body(b"cookie"));
        let mut hello = Hello::default();
        hello.handle_datagram(&datagram(0, &first, 0..100));
        hello.handle_datagram(&datagram(1, &second, 0..100));
        let reading = hello.handle_datagram(&datagram(1, &second, 100..second.len()));
        assert_eq!(named(&reading), Some("relay.example"));
    }

    #[test]
    fn other_datagrams_are_foreign() {
        for bytes in [
            &b""[..],
            b"\x16",
            b"\x16\xfe\xfd",
            &[0; 64],
            b"\x00\x01\x00\x08stun",
        ] {
            assert_eq!(Hello::default().handle_datagram(bytes), Reading::Foreign);
            assert!(!is_record(bytes));
        }
    }
}
