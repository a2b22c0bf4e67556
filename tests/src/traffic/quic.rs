//! QUIC version 1 Initial packets, really encrypted (RFC 9000, section 17.2.2; RFC 9001, section 5).
//!
//! The other half of what an observer does: the keys come from the connection id, which everybody on
//! the path can read.

use phonehome_proto::chance::Chance;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey, quic};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};

/// Bytes of a datagram that carries an Initial: the least a client may send.
pub const DATAGRAM_BYTES: usize = 1_200;

/// Crypto bytes one datagram of ours can carry beside its headers.
const CRYPTO_BYTES_MAX: usize = 1_100;

/// Which end sends; each has keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The phone.
    Client,
    /// The server.
    Server,
}

/// The datagrams that carry `handshake`, as many as it needs, each with one Initial packet.
#[must_use]
pub fn initials(
    side: Side,
    connection: [u8; 8],
    handshake: &[u8],
    chance: &mut impl Chance,
) -> Vec<Vec<u8>> {
    let keys = Keys::new(side, connection);
    handshake
        .chunks(CRYPTO_BYTES_MAX)
        .enumerate()
        .map(|(number, piece)| {
            let number = u8::try_from(number).expect("a hello takes few datagrams");
            keys.initial(number, usize::from(number) * CRYPTO_BYTES_MAX, piece)
        })
        .map(|mut datagram| {
            debug_assert!(datagram.len() <= DATAGRAM_BYTES);
            // A server's answer goes on with Handshake packets nobody outside can read.
            if side == Side::Server {
                let mut rest = vec![0; DATAGRAM_BYTES - datagram.len()];
                chance.fill(&mut rest);
                if let Some(first) = rest.first_mut() {
                    // Long header, type Handshake.
                    *first = 0xe0;
                }
                datagram.append(&mut rest);
            }
            datagram
        })
        .collect()
}

/// The beginning of a packet under the final keys: short header, connection id, noise.
#[must_use]
pub fn one_rtt(connection: [u8; 8], chance: &mut impl Chance) -> Vec<u8> {
    let mut bytes = vec![0x40];
    bytes.extend(connection);
    let mut noise = [0; 32];
    chance.fill(&mut noise);
    bytes.extend(noise);
    bytes
}

struct Keys {
    side: Side,
    connection: [u8; 8],
    seal: LessSafeKey,
    iv: [u8; 12],
    mask: quic::HeaderProtectionKey,
}

/// A length HKDF shall give.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl Keys {
    fn new(side: Side, connection: [u8; 8]) -> Self {
        let initial = Salt::new(HKDF_SHA256, &SALT_V1).extract(&connection);
        let label: &[u8] = if side == Side::Client {
            b"client in"
        } else {
            b"server in"
        };
        let secret = expand::<32>(&initial, label);
        let secret = ring::hkdf::Prk::new_less_safe(HKDF_SHA256, &secret);
        let key = UnboundKey::new(&AES_128_GCM, &expand::<16>(&secret, b"quic key"));
        let mask =
            quic::HeaderProtectionKey::new(&quic::AES_128, &expand::<16>(&secret, b"quic hp"));
        Self {
            side,
            connection,
            seal: LessSafeKey::new(key.expect("AES-128 takes 16 bytes")),
            iv: expand(&secret, b"quic iv"),
            mask: mask.expect("AES-128 takes 16 bytes"),
        }
    }

    /// One Initial packet: a client's padded to the whole datagram.
    fn initial(&self, number: u8, offset: usize, piece: &[u8]) -> Vec<u8> {
        let mut frames = vec![0x06];
        frames.extend(varint(offset));
        frames.extend(varint(piece.len()));
        frames.extend(piece);

        // Long header, Initial, a packet number of two bytes.
        let mut header = vec![0xc1, 0, 0, 0, 1];
        let (to, from): (&[u8], &[u8]) = match self.side {
            Side::Client => (&self.connection, &[]),
            Side::Server => (&[], &self.connection),
        };
        for id in [to, from] {
            header.push(u8::try_from(id.len()).expect("ids have eight bytes or none"));
            header.extend(id);
        }
        header.push(0);
        if self.side == Side::Client {
            frames.resize(DATAGRAM_BYTES - header.len() - 4 - TAG_BYTES, 0);
        }
        header.extend(varint(2 + frames.len() + TAG_BYTES));
        let number_at = header.len();
        header.extend([0, number]);

        let mut nonce = self.iv;
        nonce[11] ^= number;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.seal
            .seal_in_place_append_tag(nonce, Aad::from(&header), &mut frames)
            .expect("an Initial is far below the cipher's limit");
        let mut packet = header;
        packet.extend(frames);

        // Header protection: a mask from the cipher text, four bytes after the number's start.
        let sample = &packet[number_at + 4..number_at + 20];
        let mask = self.mask.new_mask(sample).expect("a sample has 16 bytes");
        packet[0] ^= mask[0] & 0x0f;
        packet[number_at] ^= mask[1];
        packet[number_at + 1] ^= mask[2];
        packet
    }
}

/// HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446, section 7.1).
fn expand<const N: usize>(secret: &ring::hkdf::Prk, label: &[u8]) -> [u8; N] {
    let length = u16::try_from(N).expect("a key is short").to_be_bytes();
    let label_bytes = [u8::try_from(6 + label.len()).expect("a label is short")];
    let info: [&[u8]; 5] = [&length, &label_bytes, b"tls13 ", label, &[0]];
    let mut bytes = [0; N];
    secret
        .expand(&info, Bytes(N))
        .and_then(|okm| okm.fill(&mut bytes))
        .expect("a key is far below HKDF's limit");
    bytes
}

/// A number of two bytes (RFC 9000, section 16).
fn varint(value: usize) -> [u8; 2] {
    assert!(value < 0x4000, "two bytes hold 14 bits");
    (u16::try_from(value).expect("below 0x4000") | 0x4000).to_be_bytes()
}

const TAG_BYTES: usize = 16;

/// RFC 9001, section 5.2.
const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::id::to_hex;

    #[test]
    fn keys_are_those_of_the_rfc() {
        // RFC 9001, appendix A.1.
        let connection = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        assert_eq!(
            to_hex(&Keys::new(Side::Client, connection).iv),
            "fa044b2f42a3fd3b46fb255c"
        );
        assert_eq!(
            to_hex(&Keys::new(Side::Server, connection).iv),
            "0ac1493ca1905853b0bba03e"
        );
    }
}
