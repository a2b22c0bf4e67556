//! The seal: Ed25519 over the exact bytes that are sent and stored.
//!
//! What is signed is the DSSE pre-authentication encoding of a payload type and a payload
//! (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>), so that no signature for
//! one type can be used for another. Verification is strict (RFC 8032, small-order and
//! non-canonical points refused) and comes before any parsing: a [`SealedBatch`] holds untrusted
//! bytes, and [`SealedBatch::open`] is the only way to its payload.

use crate::id::{Audience, HomeId};
use ed25519_dalek::{Signature, Signer};
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

/// The closed list of what may be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadType {
    /// A home's day.
    Batch,
    /// A home's wish to take part.
    Enrol,
    /// A home's next key.
    Rotate,
    /// A home's wish to be forgotten.
    Withdraw,
    /// A home's consent; never sent, only its hash is.
    Consent,
    /// A collector's rules.
    Manifest,
    /// A collector's word on the time.
    Clock,
    /// A collector's acknowledgement.
    Receipt,
    /// A collector's word that it has forgotten a home.
    Erasure,
    /// A collector's published numbers.
    Release,
    /// A link of a collector's ledger, or what it says of a backup.
    Ledger,
    /// The project's endpoint list, made after the agents that load it.
    Endpoints,
}

/// A payload, its type and a signature over both. Nothing in it is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBatch {
    /// A media type, `application/vnd.phonehome.batch.v1+protobuf`.
    pub payload_type: String,
    /// The exact bytes.
    pub payload: Vec<u8>,
    /// Says which key to look for; never which key to believe.
    pub public_key: Vec<u8>,
    /// Ed25519, 64 bytes.
    pub signature: Vec<u8>,
}

/// A private key. Wiped from memory when dropped; prints nothing.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A public key, checked to be a point of the curve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealBroken {
    /// The type is not the one expected here.
    #[error("the payload is of another type")]
    OtherType,
    /// The key in the envelope is not the one expected.
    #[error("the key is not the one expected")]
    OtherKey,
    /// The signature does not fit bytes, type and key.
    #[error("the signature does not fit")]
    BadSignature,
}

/// Bytes that are no public key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("these bytes are no Ed25519 public key")]
pub struct NotAKey;

// === impl PayloadType ===

impl PayloadType {
    /// Every type.
    pub const ALL: [Self; 12] = [
        Self::Batch,
        Self::Enrol,
        Self::Rotate,
        Self::Withdraw,
        Self::Consent,
        Self::Manifest,
        Self::Clock,
        Self::Receipt,
        Self::Erasure,
        Self::Release,
        Self::Ledger,
        Self::Endpoints,
    ];

    /// The media type on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "application/vnd.phonehome.batch.v1+protobuf",
            Self::Enrol => "application/vnd.phonehome.enrol.v1+protobuf",
            Self::Rotate => "application/vnd.phonehome.rotate.v1+protobuf",
            Self::Withdraw => "application/vnd.phonehome.withdraw.v1+protobuf",
            Self::Consent => "application/vnd.phonehome.consent.v1+protobuf",
            Self::Manifest => "application/vnd.phonehome.manifest.v1+protobuf",
            Self::Clock => "application/vnd.phonehome.clock.v1+protobuf",
            Self::Receipt => "application/vnd.phonehome.receipt.v1+protobuf",
            Self::Erasure => "application/vnd.phonehome.erasure.v1+protobuf",
            Self::Release => "application/vnd.phonehome.release.v1+protobuf",
            Self::Ledger => "application/vnd.phonehome.ledger.v1+protobuf",
            Self::Endpoints => "application/vnd.phonehome.endpoints.v1+protobuf",
        }
    }
}

// === impl SealedBatch ===

impl SealedBatch {
    /// Signs `payload` as being of type `payload_type`.
    #[must_use]
    pub fn seal(payload_type: PayloadType, payload: Vec<u8>, key: &SigningKey) -> Self {
        let signature = key.sign(payload_type, &payload);
        Self {
            payload_type: payload_type.as_str().to_owned(),
            payload,
            public_key: key.public().as_bytes().to_vec(),
            signature: signature.to_vec(),
        }
    }

    /// The payload, if it is of type `expected` and `key` signed exactly these bytes.
    ///
    /// # Errors
    /// [`SealBroken`] says what does not fit; the payload stays closed.
    pub fn open(&self, expected: PayloadType, key: &VerifyingKey) -> Result<&[u8], SealBroken> {
        if self.payload_type != expected.as_str() {
            return Err(SealBroken::OtherType);
        }
        if self.public_key != key.as_bytes() {
            return Err(SealBroken::OtherKey);
        }
        key.verify(expected, &self.payload, &self.signature)?;
        Ok(&self.payload)
    }
}

impl fmt::Debug for SealedBatch {
    /// Sizes only: payloads stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBatch({} bytes)", self.payload.len())
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// The key that grows from a 32-byte seed (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, to be written to a file of mode 0600 and nowhere else.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// Ed25519 over the pre-authentication encoding of type and payload.
    #[must_use]
    pub fn sign(&self, payload_type: PayloadType, payload: &[u8]) -> [u8; 64] {
        self.0
            .sign(&pre_authentication_encoding(payload_type.as_str(), payload))
            .to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

// === impl VerifyingKey ===

impl VerifyingKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// [`NotAKey`] when they are no point, or one of small order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAKey> {
        let bytes = bytes.try_into().map_err(|_| NotAKey)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| NotAKey)?;
        if key.is_weak() {
            Err(NotAKey)
        } else {
            Ok(Self(key))
        }
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The home this key stands for, if it is the first it enrolled.
    #[must_use]
    pub fn home(&self) -> HomeId {
        HomeId::of_key(self.as_bytes())
    }

    /// The audience this key stands for, if it is a collector's first.
    #[must_use]
    pub fn audience(&self) -> Audience {
        Audience::of_key(self.as_bytes())
    }

    /// Checks a signature over type and payload, strictly.
    ///
    /// # Errors
    /// [`SealBroken::BadSignature`].
    pub fn verify(
        &self,
        payload_type: PayloadType,
        payload: &[u8],
        signature: &[u8],
    ) -> Result<(), SealBroken> {
        let signature = Signature::from_slice(signature).map_err(|_| SealBroken::BadSignature)?;
        self.0
            .verify_strict(
                &pre_authentication_encoding(payload_type.as_str(), payload),
                &signature,
            )
            .map_err(|_| SealBroken::BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(..)")
    }
}

/// `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`, lengths in decimal ASCII.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_dsse() {
        // The example of the DSSE protocol document.
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            encoded,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn only_the_same_type_bytes_and_key_open_it() {
        let key = SigningKey::from_seed(&[7; 32]);
        let sealed = SealedBatch::seal(PayloadType::Batch, b"day".to_vec(), &key);
        assert_eq!(
            sealed.open(PayloadType::Batch, &key.public()),
            Ok(&b"day"[..])
        );
        assert_eq!(
            sealed.open(PayloadType::Enrol, &key.public()),
            Err(SealBroken::OtherType)
        );
        let other = SigningKey::from_seed(&[8; 32]).public();
        assert_eq!(
            sealed.open(PayloadType::Batch, &other),
            Err(SealBroken::OtherKey)
        );
        let mut altered = sealed.clone();
        altered.payload[0] ^= 1;
        assert_eq!(
            altered.open(PayloadType::Batch, &key.public()),
            Err(SealBroken::BadSignature)
        );
        let mut retyped = sealed;
        retyped.payload_type = PayloadType::Enrol.as_str().to_owned();
        assert_eq!(
            retyped.open(PayloadType::Enrol, &key.public()),
            Err(SealBroken::BadSignature)
        );
    }

    #[test]
    fn points_of_small_order_are_no_keys() {
        assert_eq!(VerifyingKey::from_bytes(&[0; 32]), Err(NotAKey));
        assert_eq!(VerifyingKey::from_bytes(&[1; 31]), Err(NotAKey));
    }
}
