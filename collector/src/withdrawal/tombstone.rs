//! What is kept of a home that left: an erasure that only the home can have read back.
//!
//! Pure. The key is an HMAC under the withdrawal's payload, which holds 16 random bytes and is kept
//! by the home alone; who has the database can neither read the erasure nor find whose it is.

use crate::envelope;
use hmac::{Hmac, KeyInit, Mac};
use phonehome_proto::seal::{PayloadType, SealedBatch};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;
use zeroize::Zeroizing;

const CIPHER_LABEL: &[u8] = b"phonehome withdrawal receipt cipher";

/// The erasure, for the store. Of those sealed for one payload at most one may ever be kept: they
/// share key and nonce.
pub(super) fn seal(payload: &[u8], erasure: &SealedBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    envelope::pack(erasure, &mut bytes);
    cipher(payload)
        .seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes)
        .expect("an erasure is far below the cipher's bound");
    bytes
}

/// The erasure that was kept for this payload; `None` if it was altered, or is another's.
pub(super) fn open(payload: &[u8], kept: &[u8]) -> Option<SealedBatch> {
    let mut bytes = kept.to_vec();
    let plain = cipher(payload)
        .open_in_place(nonce(), Aad::empty(), &mut bytes)
        .ok()?;
    let (erasure, rest) = envelope::unpack(PayloadType::Erasure, plain)?;
    rest.is_empty().then_some(erasure)
}

fn cipher(payload: &[u8]) -> LessSafeKey {
    let mac = Hmac::<Sha256>::new_from_slice(payload).expect("HMAC takes keys of any length");
    let secret: [u8; 32] = mac
        .chain_update(CIPHER_LABEL)
        .finalize()
        .into_bytes()
        .into();
    let secret = Zeroizing::new(secret);
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &*secret).expect("32 bytes are a key"))
}

/// The key is of one payload, so one nonce serves.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::seal::SigningKey;

    #[test]
    fn it_opens_with_its_payload_and_unaltered_only() {
        let signer = SigningKey::from_seed(&[1; 32]);
        let erasure = SealedBatch::seal(PayloadType::Erasure, b"of a home".to_vec(), &signer);
        let kept = seal(b"payload", &erasure);
        assert_eq!(open(b"payload", &kept), Some(erasure));
        assert_eq!(open(b"another", &kept), None);
        for at in 0..kept.len() {
            let mut altered = kept.clone();
            altered[at] ^= 1;
            assert_eq!(open(b"payload", &altered), None);
        }
        assert!(!kept.windows(9).any(|bytes| bytes == b"of a home"));
        assert!(
            !kept
                .windows(32)
                .any(|bytes| bytes == signer.public().as_bytes())
        );
    }
}
