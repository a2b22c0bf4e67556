//! One certificate for every site, which every phone trusts, and how each side speaks TLS.

use super::hybrid::X25519MlKem768;
use super::sites::SITES;
use anyhow::Result;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::{default_provider, kx_group::X25519};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

/// The certificate and its key.
#[derive(Debug)]
pub(crate) struct Credentials {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

/// How keys are agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchange {
    /// X25519: a hello of one segment.
    Classical,
    /// X25519MLKEM768: a hello of two.
    PostQuantum,
}

impl Credentials {
    /// Makes a certificate for every site.
    pub(crate) fn make() -> Result<Self> {
        let names: Vec<_> = SITES.iter().map(|site| site.name.to_owned()).collect();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
        Ok(Self {
            certificate: cert.der().clone(),
            key: signing_key.serialize_der().into(),
        })
    }

    /// What servers are told; they take either key exchange.
    pub(crate) fn server(&self) -> Result<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        let provider = provider(vec![&X25519MlKem768, X25519]);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)?;
        config.alpn_protocols = vec![b"h3".to_vec(), b"http/1.1".to_vec()];
        // Tickets would follow the handshake at any time and blur what was asked for.
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// What a phone is told.
    pub(crate) fn client(&self, keys: KeyExchange, alpn: &str) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let groups: Vec<&'static dyn SupportedKxGroup> = match keys {
            KeyExchange::Classical => vec![X25519],
            KeyExchange::PostQuantum => vec![&X25519MlKem768, X25519],
        };
        let mut config = ClientConfig::builder_with_provider(provider(groups))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Ok(config)
    }
}

fn provider(kx_groups: Vec<&'static dyn SupportedKxGroup>) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups,
        ..default_provider()
    })
}
