//! X25519MLKEM768, the post-quantum key exchange of today's browsers and phones
//! (draft-ietf-tls-ecdhe-mlkem): its share of 1,216 bytes makes a hello longer than one segment.
//!
//! ML-KEM is a crate's, X25519 is ring's by way of rustls; here both are put side by side.

use ml_kem::kem::{Decapsulate, Encapsulate, Kem, KeyExport, TryKeyInit};
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem768};
use rustls::crypto::ring::kx_group::X25519;
use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

/// The group.
#[derive(Debug)]
pub(crate) struct X25519MlKem768;

/// Bytes of an ML-KEM-768 encapsulation key (FIPS 203, table 3).
const KEY_BYTES: usize = 1_184;

/// Bytes of an ML-KEM-768 ciphertext.
const CIPHERTEXT_BYTES: usize = 1_088;

struct Started {
    post_quantum: DecapsulationKey<MlKem768>,
    classical: Box<dyn ActiveKeyExchange>,
    share: Vec<u8>,
}

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = X25519.start()?;
        let (post_quantum, key) = MlKem768::generate_keypair();
        let share = [&key.to_bytes()[..], classical.pub_key()].concat();
        Ok(Box::new(Started {
            post_quantum,
            classical,
            share,
        }))
    }

    fn start_and_complete(&self, peer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (key, peer) = peer.split_at_checked(KEY_BYTES).ok_or_else(wrong_share)?;
        let key = EncapsulationKey::<MlKem768>::new_from_slice(key).map_err(|_| wrong_share())?;
        let (ciphertext, secret) = key.encapsulate();
        let classical = X25519.start_and_complete(peer)?;
        Ok(CompletedKeyExchange {
            group: NamedGroup::X25519MLKEM768,
            pub_key: [&ciphertext[..], &classical.pub_key].concat(),
            secret: joined(&secret, &classical.secret),
        })
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let halves = peer.split_at_checked(CIPHERTEXT_BYTES);
        let (ciphertext, peer) = halves.ok_or_else(wrong_share)?;
        let secret = self.post_quantum.decapsulate_slice(ciphertext);
        let secret = secret.map_err(|_| wrong_share())?;
        Ok(joined(&secret, &self.classical.complete(peer)?))
    }

    /// The half that servers without post-quantum keys take: browsers send it beside the whole.
    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((NamedGroup::X25519, self.classical.pub_key()))
    }

    fn complete_hybrid_component(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.classical.complete(peer)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

fn joined(post_quantum: &[u8], classical: &SharedSecret) -> SharedSecret {
    SharedSecret::from(&[post_quantum, classical.secret_bytes()].concat()[..])
}

fn wrong_share() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}
