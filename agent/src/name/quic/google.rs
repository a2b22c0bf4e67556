//! Google's QUIC before TLS: retired by its makers, still spoken by old phones.
//!
//! Until Q046 a client's first packet is not encrypted at all, in Q050 it is an Initial like any
//! other; in both the hello is a CHLO message, a list of tags with values ("QUIC Crypto", revision
//! of 2016-12-06, and "QUIC Wire Layout Specification" of the same time, both by its makers).
//! Only a CHLO that fills one packet is read: clients pad theirs so that it does.

use crate::name::cursor::Cursor;
use crate::name::{Findings, Reading, ServerName};

/// The hello in a client's first packet of a version without encryption; `None` for other packets.
pub(super) fn plain_hello(datagram: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(datagram);
    let first = cursor.u8()?;
    let (version, number_bytes) = if first & LONG_HEADER == LONG_HEADER {
        let version = plain_version(cursor.array()?)?;
        let lengths = cursor.u8()?;
        let _destination = cursor.take(connection_id_bytes(lengths >> 4))?;
        let _source = cursor.take(connection_id_bytes(lengths & 0x0f))?;
        if version < FIRST_WITH_LONG_HEADER {
            return None;
        }
        (version, usize::from(first & 0x03) + 1)
    } else {
        if first & 0xcb != PUBLIC_VERSION | PUBLIC_CONNECTION_ID {
            return None;
        }
        let _connection_id = cursor.take(8)?;
        (
            plain_version(cursor.array()?)?,
            [1, 2, 4, 6][usize::from(first >> 4 & 0x03)],
        )
    };
    let _number_and_hash = cursor.take(number_bytes + HASH_BYTES)?;
    if version < FIRST_WITHOUT_PRIVATE_FLAGS {
        cursor.u8()?;
    }
    stream_frame(&mut cursor)
}

/// Reads a CHLO message: its tags stand in front of all values, each with the end of its value.
pub(super) fn read_message(message: &[u8]) -> Reading {
    if message.len() < 4 && MESSAGE_CHLO.starts_with(message) {
        return Reading::Partial(Findings::default());
    }
    if !message.starts_with(MESSAGE_CHLO) {
        return Reading::Foreign;
    }
    match server_name(&message[4..]) {
        Some(value) => {
            let name = ServerName::parse(value);
            let name_refused = name.is_none() && !value.is_empty();
            Reading::Whole(Findings {
                name,
                name_refused,
                ..Findings::default()
            })
        }
        None => Reading::Partial(Findings::default()),
    }
}

/// The value of the server name tag, empty when there is none; `None` when the bytes run out.
fn server_name(tags: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(tags);
    let count = usize::from(u16::from_le_bytes(cursor.array()?));
    let _padding = cursor.u16()?;
    let mut entries = Cursor::new(cursor.take(count.checked_mul(8)?)?);
    let mut start = 0;
    while !entries.is_empty() {
        let (tag, end) = (
            entries.array::<4>()?,
            entries.array().map(u32::from_le_bytes)?,
        );
        let end = usize::try_from(end).ok()?;
        if tag == *TAG_SERVER_NAME {
            return cursor.rest().get(start..end);
        }
        start = end;
    }
    Some(&[])
}

/// The data of the first frame, if it is a hello on the stream of the handshake: the client's first,
/// or the one it sends once it knows what the server wants.
fn stream_frame<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let kind = cursor.u8()?;
    let one_byte_of_stream = kind & 0x03 == 0;
    if kind & FRAME_STREAM == 0 || !one_byte_of_stream || cursor.u8()? != HANDSHAKE_STREAM {
        return None;
    }
    let offset_bytes = match usize::from(kind >> 2 & 0x07) {
        0 => 0,
        bits => bits + 1,
    };
    // The byte order of the length changed with the versions; the hello's own tags say where it ends.
    let length_bytes = if kind & 0x20 == 0 { 0 } else { 2 };
    let _offset_and_length = cursor.take(offset_bytes + length_bytes)?;
    cursor
        .rest()
        .starts_with(MESSAGE_CHLO)
        .then_some(cursor.rest())
}

/// The number of a version whose first packet is not encrypted: up to `Q046`.
fn plain_version(name: [u8; 4]) -> Option<u8> {
    let [b'Q', b'0', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = name else {
        return None;
    };
    let number = (tens - b'0') * 10 + (ones - b'0');
    (number <= LAST_WITHOUT_ENCRYPTION).then_some(number)
}

/// A length in half a byte: none, or 4 to 18.
fn connection_id_bytes(nibble: u8) -> usize {
    if nibble == 0 {
        0
    } else {
        usize::from(nibble) + 3
    }
}

const LONG_HEADER: u8 = 0xc0;
const PUBLIC_VERSION: u8 = 0x01;
const PUBLIC_CONNECTION_ID: u8 = 0x08;
const LAST_WITHOUT_ENCRYPTION: u8 = 46;
const FIRST_WITH_LONG_HEADER: u8 = 44;
const FIRST_WITHOUT_PRIVATE_FLAGS: u8 = 34;
/// What stands in the place of an authentication tag.
const HASH_BYTES: usize = 12;
const FRAME_STREAM: u8 = 0x80;
const HANDSHAKE_STREAM: u8 = 1;
const MESSAGE_CHLO: &[u8] = b"CHLO";
const TAG_SERVER_NAME: &[u8; 4] = b"SNI\0";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chlo(name: &[u8]) -> Vec<u8> {
        let end = |bytes: usize| u32::try_from(bytes).expect("small").to_le_bytes();
        [
            &b"CHLO\x03\0\0\0PAD\0"[..],
            &end(900),
            b"SNI\0",
            &end(900 + name.len()),
            b"VER\0",
            &end(904 + name.len()),
            &[b'-'; 900],
            name,
            b"Q043",
        ]
        .concat()
    }

    fn packet(header: &[u8], flags: &[u8], name: &[u8]) -> Vec<u8> {
        // A second hello: an offset of two bytes stands before the length.
        let frame: &[u8] = &[0xa4, HANDSHAKE_STREAM, 0x04, 0x00, 0x04, 0x00];
        [header, &[0x77; HASH_BYTES], flags, frame, &chlo(name)].concat()
    }

    fn name(datagram: &[u8]) -> Option<String> {
        match read_message(plain_hello(datagram)?) {
            Reading::Whole(findings) => findings.name.map(|name| name.to_string()),
            _ => None,
        }
    }

    #[test]
    fn the_name_of_an_unencrypted_hello_is_read() {
        for (header, flags) in [
            (&b"\x09conn-id.Q043\x01"[..], &b""[..]),
            (b"\x19conn-id.Q039\0\x01", b""),
            (b"\x0dconn-id.Q025\x01", b"\x01"),
            (b"\xc3Q046\x50conn-id.\0\0\0\x01", b""),
        ] {
            let datagram = packet(header, flags, b"www.example.com");
            assert_eq!(
                name(&datagram).as_deref(),
                Some("www.example.com"),
                "{header:?}"
            );
            assert_eq!(name(&datagram[..900]), None, "the name was cut off");
        }
    }

    #[test]
    fn other_packets_are_left_alone() {
        for header in [
            &b"\x08conn-id.Q043\x01"[..],
            b"\x09conn-id.Q050\x01",
            b"\x09conn-id.T051\x01",
            b"\xc3Q043\x50conn-id.\0\0\0\x01",
        ] {
            assert_eq!(
                plain_hello(&packet(header, b"", b"www.example.com")),
                None,
                "{header:?}"
            );
        }
    }

    #[test]
    fn a_hello_without_the_tag_names_nobody() {
        let mut message = chlo(b"www.example.com");
        let at = message
            .windows(4)
            .position(|tag| tag == TAG_SERVER_NAME)
            .expect("the tag");
        message[at] = b'X';
        assert_eq!(read_message(&message), Reading::Whole(Findings::default()));
        assert_eq!(read_message(b"REJ\0"), Reading::Foreign);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = plain_hello(&bytes);
            let _ = plain_hello(&[b"\x09conn-id.Q043\x01", &bytes[..]].concat());
            let _ = read_message(&[MESSAGE_CHLO, &bytes[..]].concat());
        }
    }
}
