//! TLS 1.3 with the collector's own key.
//!
//! Takes the identity, gives a server configuration: one self-signed certificate over the Ed25519
//! identity key, so that an agent which pinned the key in its invite needs no other authority. The
//! certificate is deterministic and never expires; what it says beside the key is not read by
//! anybody.

use crate::identity::Identity;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use thiserror::Error;
use zeroize::Zeroizing;

/// Why there is no TLS with this identity.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The certificate cannot be made.
    #[error("no certificate can be made from the identity key: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The configuration is refused.
    #[error("TLS cannot be set up: {0}")]
    Config(#[from] rustls::Error),
}

/// A certificate carries a name, and this is it: agents check the key and nothing else.
const NAME: &str = "phonehome-collector";

/// HTTP/2 is the only protocol spoken inside.
pub const ALPN: &[u8] = b"h2";

/// PKCS #8 (RFC 8410, section 7) of an Ed25519 seed, up to the seed.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];

/// The configuration of the intake's TLS.
///
/// # Errors
/// [`TlsError`] when a library refuses the key.
pub fn config(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let pkcs8 = Zeroizing::new([&PKCS8_HEAD[..], &identity.key().seed()[..]].concat());
    let private = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&private, &PKCS_ED25519)?;
    let certificate = CertificateParams::new(vec![NAME.to_owned()])?.self_signed(&pair)?;
    let private = PrivateKeyDer::from(private.clone_key());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}
