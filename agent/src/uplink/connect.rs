//! A connection to the pinned collector.
//!
//! Takes an address and a key, gives a gRPC channel. Every reason for which there is none is told
//! apart here, once: the layers above only pass [`ConnectFailure`] on.

use super::address::{CollectorUrl, Security};
use super::pin;
use hyper_util::rt::TokioIo;
use phonehome_proto::seal::VerifyingKey;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// Seconds until a collector that does not answer counts as unreachable.
const CONNECT_SECONDS_MAX: u64 = 10;

/// Seconds until an unanswered request is given up.
const REQUEST_SECONDS_MAX: u64 = 60;

/// Why there is no connection.
#[derive(Clone, Debug, Error)]
pub enum ConnectFailure {
    /// Nobody answers there.
    #[error("the collector at {url} cannot be reached: {source}")]
    Unreachable {
        /// Where.
        url: CollectorUrl,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// Somebody answers who does not hold the pinned key.
    #[error("whoever answers at {url} does not hold the key of your collector; nothing was sent")]
    OtherKey {
        /// Where.
        url: CollectorUrl,
    },
    /// Somebody answers who does not speak as a collector does.
    #[error("whoever answers at {url} is no collector: {source}")]
    NoCollector {
        /// Where.
        url: CollectorUrl,
        /// What went wrong.
        source: Arc<dyn Error + Send + Sync>,
    },
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Everything that is needed to connect, and to connect again.
struct Route {
    url: CollectorUrl,
    tls: TlsConnector,
}

/// A channel to whoever holds `key` at `url`.
pub(super) async fn channel(
    url: &CollectorUrl,
    key: &VerifyingKey,
) -> Result<Channel, ConnectFailure> {
    let tls = TlsConnector::from(pin::client_config(key));
    let route = Arc::new(Route {
        url: url.clone(),
        tls,
    });
    // For tonic an https address needs its own TLS, which cannot pin; ours is in the connector.
    let authority = url.to_string().replacen("https://", "http://", 1);
    let origin = url
        .to_string()
        .parse()
        .expect("a collector's address is a URI");
    let endpoint = Endpoint::from_shared(authority)
        .expect("a collector's address is a URI")
        .origin(origin)
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
        .timeout(Duration::from_secs(REQUEST_SECONDS_MAX));
    let connector = tower::service_fn(move |_| {
        let route = Arc::clone(&route);
        async move { route.open().await.map(TokioIo::new) }
    });
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| {
            ConnectFailure::within(&error).unwrap_or_else(|| ConnectFailure::Unreachable {
                url: url.clone(),
                source: Arc::new(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
            })
        })
}

impl Route {
    async fn open(&self) -> Result<Box<dyn Stream>, ConnectFailure> {
        let unreachable = |source| ConnectFailure::Unreachable {
            url: self.url.clone(),
            source: Arc::new(source),
        };
        let stream = self.dial().await.map_err(unreachable)?;
        match self.url.security() {
            Security::Loopback => Ok(Box::new(stream)),
            Security::Tls => {
                let name = ServerName::try_from(self.url.host().to_owned())
                    .map_err(|error| self.no_collector(error))?;
                match self.tls.connect(name, stream).await {
                    Ok(stream) => Ok(Box::new(stream)),
                    Err(error) => Err(self.handshake_failed(error)),
                }
            }
        }
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in tokio::net::lookup_host((self.url.host(), self.url.port())).await? {
            if !self.url.allows(&address) {
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn handshake_failed(&self, error: io::Error) -> ConnectFailure {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(tls) if pin::is_other_key(tls) => ConnectFailure::OtherKey {
                url: self.url.clone(),
            },
            _ => self.no_collector(error),
        }
    }

    fn no_collector(&self, error: impl Error + Send + Sync + 'static) -> ConnectFailure {
        ConnectFailure::NoCollector {
            url: self.url.clone(),
            source: Arc::new(error),
        }
    }
}

impl ConnectFailure {
    /// The failure at the bottom of an error of the layers above, if one is there.
    pub(super) fn within(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(failure) = error.downcast_ref::<Self>() {
                return Some(failure.clone());
            }
            next = error.source();
        }
        None
    }
}
