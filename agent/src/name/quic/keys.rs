//! Initial keys (RFC 9001, section 5.2; RFC 9369, section 3) and what they open.

use super::packet::{Initial, Kind};
use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{aead, hkdf};

/// The keys a client protects its Initial packets with.
struct Keys {
    packet: LessSafeKey,
    header: HeaderProtectionKey,
    iv: [u8; aead::NONCE_LEN],
}

/// What differs between versions: the salt of the keys, and the labels they are derived with.
struct Protection {
    salt: [u8; 20],
    labels: &'static Labels,
}

struct Labels {
    key: &'static [u8],
    iv: &'static [u8],
    header: &'static [u8],
}

/// Whether this version's Initial packets can be opened.
pub(super) const fn is_known(version: u32) -> bool {
    !protections(version).is_empty()
}

/// The payload of an Initial packet that the client of this connection protected.
pub(super) fn open(initial: &Initial<'_>, connection: &[u8]) -> Option<Vec<u8>> {
    protections(initial.version)
        .iter()
        .find_map(|protection| Keys::derive(protection, connection).open(initial))
}

/// The type of a long header of a known version; version 2 turns the numbers by one.
pub(super) const fn packet_kind(version: u32, first: u8) -> Kind {
    let number = (first >> 4) & 3;
    let turned = if version == VERSION_2 {
        number.wrapping_sub(1) & 3
    } else {
        number
    };
    match turned {
        0 => Kind::Initial,
        1 => Kind::ZeroRtt,
        2 => Kind::Handshake,
        _ => Kind::Retry,
    }
}

/// The protections a version may use, published ones only; none when it is not known.
const fn protections(version: u32) -> &'static [Protection] {
    match version {
        1 | 0xff00_0021..=0xff00_0022 | MVFST_V1 => &[V1],
        VERSION_2 => &[V2],
        0xff00_001d..=0xff00_0020 => &[DRAFT_29],
        0xff00_0017..=0xff00_001c => &[DRAFT_23],
        MVFST | MVFST_ALIAS | 0xface_b00e | 0xface_b011 | 0xface_b013 => &[DRAFT_23],
        0xff00_0016 | MVFST_OLD => &[DRAFT_22],
        GOOGLE_Q050 => &[Q050],
        GOOGLE_T050 => &[T050],
        GOOGLE_T051 => &[T051],
        // Reserved to provoke Version Negotiation (RFC 9000, section 15): a client protects such an
        // Initial as it would the version it means to speak.
        _ if version & 0x0f0f_0f0f == 0x0a0a_0a0a => &[V1, DRAFT_29],
        _ => &[],
    }
}

// === impl Keys ===

impl Keys {
    /// The client's keys for its first Destination Connection ID.
    fn derive(protection: &Protection, connection: &[u8]) -> Self {
        let Protection { salt, labels } = protection;
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(connection);
        let secret: [u8; 32] = expand_label(&initial, b"client in");
        let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
        let key: [u8; 16] = expand_label(&secret, labels.key);
        let header: [u8; 16] = expand_label(&secret, labels.header);
        Self {
            packet: LessSafeKey::new(
                UnboundKey::new(&AES_128_GCM, &key).expect("the key has the cipher's length"),
            ),
            header: HeaderProtectionKey::new(&AES_128, &header)
                .expect("the key has the cipher's length"),
            iv: expand_label(&secret, labels.iv),
        }
    }

    /// The payload of a packet that was protected with these keys; `None` for every other.
    fn open(&self, initial: &Initial<'_>) -> Option<Vec<u8>> {
        let Initial {
            bytes, number_at, ..
        } = *initial;
        let sample = bytes.get(number_at + 4..)?.first_chunk::<16>()?;
        let mask = self.header.new_mask(sample).ok()?;
        let first = bytes.first()? ^ (mask[0] & 0x0f);
        let number_bytes = usize::from(first & 0x03) + 1;
        let payload_at = number_at + number_bytes;
        let mut header = bytes.get(..payload_at)?.to_vec();
        header[0] = first;
        let mut nonce = self.iv;
        for (at, byte) in header[number_at..].iter_mut().enumerate() {
            *byte ^= mask[1 + at];
            // The full number (RFC 9000, appendix A.3) is this one: clients send their first
            // flight long before a number outgrows its field.
            nonce[aead::NONCE_LEN - number_bytes + at] ^= *byte;
        }
        let mut payload = bytes[payload_at..].to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self
            .packet
            .open_in_place(nonce, Aad::from(header), &mut payload)
            .ok()?
            .len();
        payload.truncate(length);
        Some(payload)
    }
}

/// HKDF-Expand-Label of TLS 1.3 (RFC 8446, section 7.1) with an empty context.
fn expand_label<const N: usize>(secret: &hkdf::Prk, label: &[u8]) -> [u8; N] {
    struct Length<const N: usize>;
    impl<const N: usize> hkdf::KeyType for Length<N> {
        fn len(&self) -> usize {
            N
        }
    }
    const PREFIX: &[u8] = b"tls13 ";
    let short = |length: usize| u8::try_from(length).expect("lengths of labels and keys are small");
    let info = [
        &[0, short(N), short(PREFIX.len() + label.len())][..],
        PREFIX,
        label,
        // The context's length.
        &[0],
    ];
    let mut key = [0; N];
    secret
        .expand(&info, Length::<N>)
        .and_then(|expanded| expanded.fill(&mut key))
        .expect("HKDF gives up to 255 blocks, and no key takes more than one");
    key
}

const VERSION_2: u32 = 0x6b33_43cf;
// Meta's versions, with the salts its library gives them; the unnamed ones are its experiments.
const MVFST_OLD: u32 = 0xface_b001;
const MVFST: u32 = 0xface_b002;
const MVFST_V1: u32 = 0xface_b003;
const MVFST_ALIAS: u32 = 0xface_b010;
const GOOGLE_Q050: u32 = u32::from_be_bytes(*b"Q050");
const GOOGLE_T050: u32 = u32::from_be_bytes(*b"T050");
const GOOGLE_T051: u32 = u32::from_be_bytes(*b"T051");

/// RFC 9001, section 5.2; also drafts 33 and 34.
const V1: Protection = Protection {
    salt: *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
    labels: LABELS_V1,
};
/// RFC 9369, section 3.3.
const V2: Protection = Protection {
    salt: *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
    labels: &Labels {
        key: b"quicv2 key",
        iv: b"quicv2 iv",
        header: b"quicv2 hp",
    },
};
/// draft-ietf-quic-tls-29 to 32, section 5.2.
const DRAFT_29: Protection = Protection {
    salt: *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99",
    labels: LABELS_V1,
};
/// draft-ietf-quic-tls-23 to 28, section 5.2.
const DRAFT_23: Protection = Protection {
    salt: *b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02",
    labels: LABELS_V1,
};
/// draft-ietf-quic-tls-22, section 5.2.
const DRAFT_22: Protection = Protection {
    salt: *b"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a",
    labels: LABELS_V1,
};
/// Google's Q050: its own handshake; the salts of Google's versions are in Chromium's source.
const Q050: Protection = Protection {
    salt: *b"\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45",
    labels: LABELS_V1,
};
/// Google's T050: the first with TLS.
const T050: Protection = Protection {
    salt: *b"\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10",
    labels: LABELS_V1,
};
/// Google's T051: the second.
const T051: Protection = Protection {
    salt: *b"\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d",
    labels: LABELS_V1,
};

/// RFC 9001, section 5.1.
const LABELS_V1: &Labels = &Labels {
    key: b"quic key",
    iv: b"quic iv",
    header: b"quic hp",
};

#[cfg(test)]
pub(in crate::name) mod tests;
