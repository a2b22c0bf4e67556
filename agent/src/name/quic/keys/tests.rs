//! Seals what [`super`] opens, so that other tests can play the client.

use super::*;

/// An Initial packet as the client of a connection protects it: `destination` in its header, keys
/// from `connection`, the payload padded to fill the packet.
pub(in crate::name) fn seal(
    version: u32,
    connection: &[u8],
    destination: &[u8],
    number: u16,
    payload: &[u8],
) -> Vec<u8> {
    let keys = Keys::derive(&protections(version)[0], connection);
    let mut payload = payload.to_vec();
    payload.resize(payload.len().max(1100), 0);
    let kind = if version == VERSION_2 { 0b01 } else { 0b00 };
    let mut header = vec![0xc0 | kind << 4 | 1];
    header.extend(version.to_be_bytes());
    header.push(u8::try_from(destination.len()).expect("short"));
    header.extend(destination);
    // No source identifier, and a token of three bytes.
    header.extend([0, 3, 1, 2, 3]);
    let length = 2 + payload.len() + AES_128_GCM.tag_len();
    header.extend((u16::try_from(length).expect("small") | 0x4000).to_be_bytes());
    let number_at = header.len();
    header.extend(number.to_be_bytes());
    let mut nonce = keys.iv;
    nonce[10] ^= header[number_at];
    nonce[11] ^= header[number_at + 1];
    let nonce = Nonce::assume_unique_for_key(nonce);
    keys.packet
        .seal_in_place_append_tag(nonce, Aad::from(header.clone()), &mut payload)
        .expect("the payload is short");
    let sample = &payload[2..18];
    let mask = keys
        .header
        .new_mask(sample)
        .expect("a sample has sixteen bytes");
    header[0] ^= mask[0] & 0x0f;
    header[number_at] ^= mask[1];
    header[number_at + 1] ^= mask[2];
    header.extend(payload);
    header
}

/// RFC 9001, appendix A.1; RFC 9369, appendix A.1.
#[test]
fn keys_are_those_of_the_rfcs() {
    let connection = b"\x83\x94\xc8\xf0\x3e\x51\x57\x08";
    let iv = |protection| Keys::derive(&protection, connection).iv;
    assert_eq!(iv(V1), *b"\xfa\x04\x4b\x2f\x42\xa3\xfd\x3b\x46\xfb\x25\x5c");
    assert_eq!(iv(V2), *b"\x91\xf7\x3e\x23\x51\xd8\xfa\x91\x66\x0e\x90\x9f");
}

#[test]
fn types_of_version_2_are_turned_by_one() {
    let kinds = |version| [0xc0, 0xd0, 0xe0, 0xf0].map(|first| packet_kind(version, first));
    assert_eq!(
        kinds(1),
        [Kind::Initial, Kind::ZeroRtt, Kind::Handshake, Kind::Retry]
    );
    assert_eq!(
        kinds(VERSION_2),
        [Kind::Retry, Kind::Initial, Kind::ZeroRtt, Kind::Handshake]
    );
}
