//! An envelope at rest.
//!
//! Takes an envelope, gives bytes, and back. Its type is not written: it follows from where the
//! bytes stand. `length(payload) as u32, big-endian | payload | public key, 32 | signature, 64`,
//! and several may follow each other.

use phonehome_proto::seal::{PayloadType, SealedBatch};

const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// How many bytes [`pack`] appends for an envelope.
#[must_use]
pub const fn packed_bytes(sealed: &SealedBatch) -> usize {
    size_of::<u32>() + sealed.payload.len() + KEY_BYTES + SIGNATURE_BYTES
}

/// Appends an envelope to `bytes`.
///
/// # Panics
/// When key or signature have another length than Ed25519's, or the payload is over 4 GiB: nothing
/// verified or sealed here has.
pub fn pack(sealed: &SealedBatch, bytes: &mut Vec<u8>) {
    assert!(sealed.public_key.len() == KEY_BYTES && sealed.signature.len() == SIGNATURE_BYTES);
    let length = u32::try_from(sealed.payload.len()).expect("payloads are far below 4 GiB");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&sealed.payload);
    bytes.extend_from_slice(&sealed.public_key);
    bytes.extend_from_slice(&sealed.signature);
}

/// The envelope at the front of `bytes`, of type `payload_type`, and what follows it.
#[must_use]
pub fn unpack(payload_type: PayloadType, bytes: &[u8]) -> Option<(SealedBatch, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (payload, rest) = rest.split_at_checked(length)?;
    let (public_key, rest) = rest.split_at_checked(KEY_BYTES)?;
    let (signature, rest) = rest.split_at_checked(SIGNATURE_BYTES)?;
    let sealed = SealedBatch {
        payload_type: payload_type.as_str().to_owned(),
        payload: payload.to_vec(),
        public_key: public_key.to_vec(),
        signature: signature.to_vec(),
    };
    Some((sealed, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::seal::SigningKey;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn two_envelopes_come_back(first: Vec<u8>, second: Vec<u8>, cut: prop::sample::Index) {
            let key = SigningKey::from_seed(&[3; 32]);
            let first = SealedBatch::seal(PayloadType::Batch, first, &key);
            let second = SealedBatch::seal(PayloadType::Receipt, second, &key);
            let mut bytes = Vec::new();
            pack(&first, &mut bytes);
            prop_assert_eq!(bytes.len(), packed_bytes(&first));
            pack(&second, &mut bytes);
            let (one, rest) = unpack(PayloadType::Batch, &bytes).expect("packed");
            let (two, rest) = unpack(PayloadType::Receipt, rest).expect("packed");
            prop_assert_eq!((one, two, rest), (first, second, &[][..]));
            // Nothing shorter reads as both.
            let short = &bytes[..cut.index(bytes.len())];
            let both = unpack(PayloadType::Batch, short)
                .and_then(|(_, rest)| unpack(PayloadType::Receipt, rest));
            prop_assert!(both.is_none());
        }
    }
}
