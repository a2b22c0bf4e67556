//! TLS ClientHello: the server name, and whether an ECH extension stands beside it.
//!
//! Takes the bytes of a stream from where a hello may begin, gives a [`Reading`]. Records and
//! messages are those of TLS 1.0 to 1.3 (RFC 8446, sections 4 and 5; RFC 6066, section 3): one hello
//! may lie in many records, and records end anywhere. A hello in the clothes of SSL 2.0 (RFC 5246,
//! appendix E.2) is understood, and names nobody. A hello that broke off says what its whole
//! extensions say.

use super::cursor::Cursor;
use super::{Findings, Reading, ServerName};
use std::borrow::Cow;

/// Which of the two protocols a hello belongs to: the datagram one has a field more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// TLS, and TLS inside QUIC.
    Stream,
    /// DTLS: a cookie follows the session identifier.
    Datagram,
}

/// Content type and version of a TLS record that is not a ClientHello, as far as needed to say that
/// a stream is TLS which has already begun.
///
/// True for change cipher spec, alert, handshake and application data of any version.
#[must_use]
pub fn is_record(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    let (Some(0x14..=0x17), Some([3, 0..=4]), Some(length)) =
        (cursor.u8(), cursor.array(), cursor.u16())
    else {
        return false;
    };
    (1..=RECORD_BYTES_MAX).contains(&length)
}

/// Reads a ClientHello from the first byte of its first record.
#[must_use]
pub fn read(stream: &[u8]) -> Reading {
    match stream.first() {
        None => Reading::Partial(Findings::default()),
        Some(&CONTENT_HANDSHAKE) => match gather(stream) {
            Some(message) => read_message(&message),
            None => Reading::Foreign,
        },
        Some(0x80..) => read_ssl2(stream),
        Some(_) => Reading::Foreign,
    }
}

/// Reads a ClientHello from the first byte of the handshake message: what QUIC carries in CRYPTO
/// frames, without records.
#[must_use]
pub fn read_message(message: &[u8]) -> Reading {
    let mut cursor = Cursor::new(message);
    let Some(kind) = cursor.u8() else {
        return Reading::Partial(Findings::default());
    };
    if kind != CLIENT_HELLO {
        return Reading::Foreign;
    }
    let Some(length) = cursor.u24() else {
        return Reading::Partial(Findings::default());
    };
    let Some(length) = hello_length(length) else {
        return Reading::Foreign;
    };
    let rest = cursor.rest();
    let whole = rest.len() >= length;
    read_body(
        if whole { &rest[..length] } else { rest },
        whole,
        Flavour::Stream,
    )
}

/// The length of a hello's body, if any hello has that length.
pub(super) fn hello_length(length: u32) -> Option<usize> {
    let length = usize::try_from(length).ok()?;
    (HELLO_BYTES_MIN..=HELLO_BYTES_MAX)
        .contains(&length)
        .then_some(length)
}

/// Reads the body of a ClientHello; `whole` when its last byte is there.
pub(super) fn read_body(body: &[u8], whole: bool, flavour: Flavour) -> Reading {
    let mut findings = Findings::default();
    match walk(body, flavour, &mut findings) {
        Walk::Foreign => Reading::Foreign,
        // A hello without extensions ends where one with extensions goes on.
        Walk::Done | Walk::Short if !whole => Reading::Partial(findings),
        Walk::Done => Reading::Whole(findings),
        // All bytes are there and their lengths contradict each other: what was read stands, and
        // that nothing was read is not the client's silence.
        Walk::Short => {
            findings.name_refused |= findings.name.is_none();
            Reading::Whole(findings)
        }
    }
}

/// How far a walk through a hello came.
enum Walk {
    /// To its end.
    Done,
    /// To the end of the bytes, which is not the hello's.
    Short,
    /// To something no hello holds.
    Foreign,
}

fn walk(body: &[u8], flavour: Flavour, findings: &mut Findings) -> Walk {
    let mut cursor = Cursor::new(body);
    match (flavour, body) {
        (_, []) => return Walk::Short,
        (Flavour::Stream, [3] | [3, 0..=4, ..]) => {}
        // DTLS counts down from 254, and OpenSSL's first attempt said 1.0.
        (Flavour::Datagram, [0xfe] | [0xfe, 0xfc..=0xff, ..] | [1] | [1, 0, ..]) => {}
        _ => return Walk::Foreign,
    }
    let Some(_version_and_random) = cursor.take(34) else {
        return Walk::Short;
    };
    if cursor
        .rest()
        .first()
        .is_some_and(|length| *length > SESSION_ID_BYTES_MAX)
    {
        return Walk::Foreign;
    }
    match walk_fields(&mut cursor, flavour, findings) {
        Some(()) => Walk::Done,
        None => Walk::Short,
    }
}

/// Everything after the random; `None` when the bytes run out.
fn walk_fields(cursor: &mut Cursor<'_>, flavour: Flavour, findings: &mut Findings) -> Option<()> {
    let _session_id = cursor.vec8()?;
    if flavour == Flavour::Datagram {
        let _cookie = cursor.vec8()?;
    }
    let _cipher_suites = cursor.vec16()?;
    let _compression_methods = cursor.vec8()?;
    if cursor.is_empty() {
        // Before TLS 1.3 a hello may end here.
        return Some(());
    }
    let listed_bytes = usize::from(cursor.u16()?);
    let at_hand = cursor.rest();
    let mut extensions = Cursor::new(&at_hand[..listed_bytes.min(at_hand.len())]);
    while !extensions.is_empty() {
        let (kind, data) = (extensions.u16()?, extensions.vec16()?);
        match kind {
            EXTENSION_SERVER_NAME if findings.name.is_none() => match server_name(data) {
                Some(name) => findings.name = Some(name),
                // An empty extension is how servers answer; from a client it says nothing.
                None => findings.name_refused |= !data.is_empty(),
            },
            EXTENSION_ECH => findings.ech = true,
            _ => {}
        }
    }
    (at_hand.len() >= listed_bytes).then_some(())
}

/// The first host name of a server name list.
fn server_name(data: &[u8]) -> Option<ServerName> {
    let mut list = Cursor::new(Cursor::new(data).vec16()?);
    loop {
        let (kind, name) = (list.u8()?, list.vec16()?);
        if kind == NAME_TYPE_HOST {
            return ServerName::parse(name);
        }
    }
}

/// The handshake bytes of the records at the front of a stream, up to the end of the first message
/// or of the bytes; `None` when the stream cannot begin with a ClientHello.
fn gather(stream: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut message = Cow::Borrowed(&[][..]);
    let mut cursor = Cursor::new(stream);
    loop {
        let wanted = message_bytes(&message);
        if cursor.is_empty() || wanted.is_some_and(|wanted| message.len() >= wanted) {
            return Some(message);
        }
        let (kind, version) = (cursor.u8(), cursor.take(cursor.rest().len().min(2)));
        let right =
            kind == Some(CONTENT_HANDSHAKE) && matches!(version, Some([] | [3] | [3, 0..=4]));
        if !right {
            return None;
        }
        let Some(length) = cursor.u16() else {
            return Some(message);
        };
        if !(1..=RECORD_BYTES_MAX).contains(&length) {
            return None;
        }
        let fragment = cursor
            .take(cursor.rest().len().min(length.into()))
            .expect("at most the rest");
        if message.is_empty() {
            message = Cow::Borrowed(fragment);
        } else {
            message.to_mut().extend_from_slice(fragment);
        }
    }
}

/// How long the message that begins here is with its header, once that can be told.
fn message_bytes(message: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(message);
    let _kind = cursor.u8()?;
    Some(4 + usize::try_from(cursor.u24()?).ok()?)
}

/// A hello that old clients sent to servers of any age. It has no place for a name.
fn read_ssl2(stream: &[u8]) -> Reading {
    let mut cursor = Cursor::new(stream);
    match fields_of_ssl2(&mut cursor) {
        Some(true) => Reading::Whole(Findings::default()),
        Some(false) => Reading::Foreign,
        // Foreign as soon as the message type or the version is not a hello's.
        None => match stream.get(2..) {
            None | Some([] | [CLIENT_HELLO] | [CLIENT_HELLO, 3, ..]) => {
                Reading::Partial(Findings::default())
            }
            Some(_) => Reading::Foreign,
        },
    }
}

/// Whether the lengths of such a hello agree with each other; `None` when the bytes run out.
fn fields_of_ssl2(cursor: &mut Cursor<'_>) -> Option<bool> {
    let length = cursor.u16()? & 0x7fff;
    let (kind, [major, minor]) = (cursor.u8()?, cursor.array()?);
    let (ciphers, session_id, challenge) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
    let sum = 9_u32 + u32::from(ciphers) + u32::from(session_id) + u32::from(challenge);
    Some(
        kind == CLIENT_HELLO
            && major == 3
            && minor <= 4
            && ciphers > 0
            && ciphers % 3 == 0
            && matches!(session_id, 0 | 16)
            && matches!(challenge, 16..=32)
            && sum == u32::from(length),
    )
}

const CONTENT_HANDSHAKE: u8 = 22;
pub(super) const CLIENT_HELLO: u8 = 1;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_ECH: u16 = 0xfe0d;
const NAME_TYPE_HOST: u8 = 0;
const SESSION_ID_BYTES_MAX: u8 = 32;
/// RFC 5246, section 6.2.3: 2^14 and what encryption may add; RFC 8446 allows less.
const RECORD_BYTES_MAX: u16 = (1 << 14) + 2048;
/// Version, random, empty session identifier, one cipher suite, one compression method.
const HELLO_BYTES_MIN: usize = 41;
/// The fields of a hello cannot hold more than its extensions' two-byte length and about as much
/// again of cipher suites; what claims more is no hello.
const HELLO_BYTES_MAX: usize = 1 << 17;

#[cfg(test)]
mod tests;
