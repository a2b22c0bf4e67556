//! One GET over HTTPS, told from where it may be answered.
//!
//! Redirections are the caller's to follow, so that each passes the same door: HTTPS and public
//! addresses only, looked up once and then connected to. If the operator named a server on this very
//! machine, plain HTTP and this machine's addresses are allowed too, and only then. Every exchange
//! is bounded in time and size.

use super::Silence;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{HeaderMap, Request, Uri};
use hyper_util::rt::TokioIo;
use phonehome_proto::net::Scope;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An answer about a domain has a few thousand bytes, IANA's list a hundred thousand.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The whole exchange takes at most this long.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Says who asks.
const AGENT: &str = concat!(
    "phonehome-collector/",
    env!("CARGO_PKG_VERSION"),
    " (owners update; research on the servers of phone vendors)"
);

/// Asks servers.
pub struct Client {
    tls: TlsConnector,
    loopback: bool,
    timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) is_json: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) location: Option<Uri>,
    pub(super) body: Vec<u8>,
    /// Who answered.
    pub(super) from: Uri,
}

impl Client {
    /// Trusts the certificate authorities that browsers trust. With `loopback`, servers on this
    /// machine may be asked, without TLS too.
    #[must_use]
    pub fn new(loopback: bool) -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tls: TlsConnector::from(Arc::new(config)),
            loopback,
            timeout: TIMEOUT,
        }
    }

    /// The same with less patience.
    #[cfg(test)]
    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What `at` answers.
    pub(super) async fn get(&self, at: &Uri) -> Result<Reply, Silence> {
        let exchange = tokio::time::timeout(self.timeout, self.exchange(at));
        exchange.await.unwrap_or(Err(Silence::TooSlow))
    }

    async fn exchange(&self, at: &Uri) -> Result<Reply, Silence> {
        let host = at.host().ok_or(Silence::Forbidden)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let (is_tls, port) = match at.scheme_str() {
            Some("https") => (true, 443),
            Some("http") if self.loopback && loopback(at) => (false, 80),
            _ => return Err(Silence::Forbidden),
        };
        let stream = self.connect(host, at.port_u16().unwrap_or(port)).await?;
        if !is_tls {
            return talk(stream, at).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Silence::Forbidden)?;
        let stream = self.tls.connect(name, stream).await;
        talk(stream.map_err(|error| unreachable(&error))?, at).await
    }

    /// A connection to the first of the host's addresses, if all of them may be asked.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Silence> {
        let found = tokio::net::lookup_host((host, port)).await;
        let addresses: Vec<SocketAddr> = found.map_err(|error| unreachable(&error))?.collect();
        if !addresses.iter().all(|address| self.may_ask(address.ip())) {
            return Err(Silence::Forbidden);
        }
        let connected = TcpStream::connect(&addresses[..]).await;
        connected.map_err(|error| unreachable(&error))
    }

    fn may_ask(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        Scope::of(address) == Scope::Public || (self.loopback && address.is_loopback())
    }
}

/// Whether an address names this machine by number, or as `localhost`.
pub(super) fn loopback(at: &Uri) -> bool {
    let host = at.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let number = host.parse::<IpAddr>();
    host == "localhost" || number.is_ok_and(|address| address.is_loopback())
}

async fn talk<S>(stream: S, at: &Uri) -> Result<Reply, Silence>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(&error))?;
    let path = at.path_and_query().map_or("/", |path| path.as_str());
    let host = at.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "application/rdap+json, application/json")
        .body(String::new())
        .map_err(|_| Silence::Forbidden)?;
    let mut exchange = pin!(async move {
        let response = sender.send_request(request).await;
        let (head, body) = response.map_err(|error| unreachable(&error))?.into_parts();
        let body = match head.status.as_u16() {
            200 => read(body).await?,
            // Only its head is of interest.
            _ => Vec::new(),
        };
        Ok(reply(head.status.as_u16(), &head.headers, body, at))
    });
    let mut connection = pin!(connection);
    let mut is_over = false;
    loop {
        tokio::select! {
            reply = &mut exchange => return reply,
            // What it has read is still to be taken.
            _ = &mut connection, if !is_over => is_over = true,
        }
    }
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, Silence> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| unreachable(&error))?;
        let data = frame.data_ref().map_or(&[][..], |data| &data[..]);
        if bytes.len() + data.len() > ANSWER_BYTES_MAX {
            return Err(Silence::TooLong);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn reply(status: u16, headers: &HeaderMap, body: Vec<u8>, at: &Uri) -> Reply {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let media_type = text(CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = ["application/rdap+json", "application/json"]
        .iter()
        .any(|kind| media_type.eq_ignore_ascii_case(kind));
    let seconds = text(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok());
    Reply {
        status,
        is_json,
        retry_after: seconds.map(Duration::from_secs),
        location: text(LOCATION).and_then(|location| resolve(at, location)),
        body,
        from: at.clone(),
    }
}

/// A redirection's target: absolute, or a path on the same server.
fn resolve(at: &Uri, location: &str) -> Option<Uri> {
    if location.starts_with('/') && !location.starts_with("//") {
        let (scheme, authority) = (at.scheme_str()?, at.authority()?);
        return format!("{scheme}://{authority}{location}").parse().ok();
    }
    let target: Uri = location.parse().ok()?;
    target.host().is_some().then_some(target)
}

fn unreachable(error: &dyn std::error::Error) -> Silence {
    Silence::Unreachable(error.to_string())
}
