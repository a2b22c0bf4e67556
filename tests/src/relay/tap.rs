//! A relay that listens in: what a home says and hears, in the clear.
//!
//! The home speaks plain HTTP/2 to it, which agents do on one machine only; the tap puts TLS on the
//! way to the collector and believes whatever certificate it finds there. What passes is kept, both
//! ways, for the privacy suite to search.

use super::header;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// A home's way to the collector, listened to. Closed when dropped.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    heard: Heard,
    accepting: JoinHandle<()>,
}

/// What has passed.
type Heard = Arc<Mutex<Vec<u8>>>;

/// Called whenever the home has said something, before it is passed on.
pub type Hook = Arc<dyn Fn() + Send + Sync>;

impl Tap {
    /// Opens a port for the home with the address `home`, in front of `collector`.
    ///
    /// # Errors
    /// When no loopback port is to be had.
    pub async fn open(home: Ipv6Addr, collector: SocketAddr, hook: Hook) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let heard = Heard::default();
        let keep = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            while let Ok((client, peer)) = listener.accept().await {
                let source = (home, peer.port());
                let (heard, hook) = (Arc::clone(&keep), Arc::clone(&hook));
                tokio::spawn(async move {
                    if let Err(error) = pass_on(client, source, collector, &heard, &hook).await {
                        tracing::debug!(%error, "tapped connection ended");
                    }
                });
            }
        });
        Ok(Self {
            address,
            heard,
            accepting,
        })
    }

    /// Where the home connects to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that has passed so far, both ways.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass_on(
    client: TcpStream,
    source: (Ipv6Addr, u16),
    collector: SocketAddr,
    heard: &Heard,
    hook: &Hook,
) -> io::Result<()> {
    let mut server = TcpStream::connect(collector).await?;
    server
        .write_all(&header(source, (Ipv6Addr::LOCALHOST, collector.port())))
        .await?;
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let server = TlsConnector::from(believing_anything())
        .connect(name, server)
        .await?;
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    let silence: Hook = Arc::new(|| ());
    tokio::try_join!(
        copy(from_client, to_server, heard, hook),
        copy(from_server, to_client, heard, &silence)
    )?;
    Ok(())
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    heard: &Heard,
    hook: &Hook,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(&bytes[..read]);
        hook();
        to.write_all(&bytes[..read]).await?;
    }
}

/// What a client takes that believes every certificate and speaks HTTP/2.
///
/// # Panics
/// Never: ring has TLS 1.3.
#[must_use]
pub fn believing_anything() -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// Believes every certificate: a tap protects nobody.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
