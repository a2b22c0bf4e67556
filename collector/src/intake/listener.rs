//! The door: accepts connections, learns whom they come from, and puts TLS on them.
//!
//! For each connection, in this order:
//! 1. a peer on the list of proxies must begin with a PROXY v2 header; nobody else's is read;
//! 2. a first byte of 0x16 is TLS 1.3, in which HTTP/2 must be agreed on; anything else is plain
//!    HTTP/2. Plain is taken from this machine itself, and from listed proxies if the collector was told
//!    that they end TLS; then nobody speaks TLS here;
//! 3. what is through goes to the service, with its [`Peer`], and is counted again when it ends ([`super::ending`]).
//!
//! Every connection that comes in is refused here, for one reason, or has ended, for one reason, or is open.
//! Addresses are held in memory as long as the connection lives, and are written nowhere.

use super::Refusal;
use super::ending::{Endings, Seconds, Watched};
use super::forwarded::{Forwarders, Peer};
use super::proxy::{self, Source};
use super::tls;
use crate::line::Whom;
use crate::line::crowd::{Crowd, Seated};
use crate::metrics::{Counter, Metrics};
use crate::readiness::Readiness;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// Connections at one time; for a further one another is cut off, and counted.
pub const CONNECTIONS_MAX: usize = 4_096;

/// Connections that are through and wait for the service; the next one waits here.
const READY_MAX: usize = 64;

/// A connection that is not through after so long is closed and counted.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that are taken from one connection at a time: a whole TLS record. With every connection open,
/// [`CONNECTIONS_MAX`] of these.
const READ_BYTES: usize = 16 * 1024;

/// A pause after the system refused to accept, so that a lack of file handles does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The first byte of a TLS record that carries a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection that is through.
pub struct Connection {
    stream: Watched<Stream>,
    peer: Peer,
}

enum Stream {
    Tls(Box<TlsStream<Gathered>>),
    Plain(Gathered),
}

/// A connection whose bytes are taken from the system many at a time: the layers above ask for a few
/// kilobytes, and a full day is a few times that.
type Gathered = BufReader<TcpStream>;

/// What decides over a connection.
#[derive(Clone)]
pub struct Door {
    /// `None`: listed proxies end TLS.
    tls: Option<TlsAcceptor>,
    proxies: Arc<BTreeSet<IpAddr>>,
    /// Proxies whose requests say whom they speak for.
    forwarders: Arc<BTreeSet<IpAddr>>,
    metrics: Metrics,
    seconds: Seconds,
    endings: Endings,
}

impl Door {
    /// A door with this TLS configuration, or none where listed proxies end TLS. It believes `proxies`,
    /// who begin with a PROXY v2 header, and `forwarders`, who say it in each request. That the collector
    /// stops, it knows by `readiness`.
    #[must_use]
    pub fn new(
        tls: Option<Arc<rustls::ServerConfig>>,
        proxies: BTreeSet<IpAddr>,
        forwarders: Option<&Forwarders>,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Self {
        let seconds = Seconds::default();
        let endings = Endings::of_homes(metrics.clone(), readiness, seconds.clone());
        let forwarders = forwarders.map(|forwarders| forwarders.proxies.clone());
        Self {
            tls: tls.map(TlsAcceptor::from),
            proxies: Arc::new(proxies),
            forwarders: Arc::new(forwarders.unwrap_or_default()),
            metrics,
            seconds,
            endings,
        }
    }

    /// Accepts from `listener` until the receiver of the connections is dropped.
    #[must_use]
    pub fn open(self, listener: TcpListener) -> mpsc::Receiver<Connection> {
        let (ready, connections) = mpsc::channel(READY_MAX);
        tokio::spawn(async move {
            let crowd = Crowd::new(CONNECTIONS_MAX);
            let mut second = tokio::time::interval(Duration::from_secs(1));
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = second.tick() => {
                        self.seconds.pass();
                        continue;
                    }
                    () = ready.closed() => return,
                };
                self.metrics.count(Counter::ConnectionsReceived);
                let Ok((stream, peer)) = accepted else {
                    self.metrics.count(Counter::ConnectionsRefused(Refusal::Io));
                    // The one timer here: nothing tells when a file handle is free again.
                    let _ = tokio::time::timeout(ACCEPT_PAUSE, ready.closed()).await;
                    continue;
                };
                let mut seat = crowd.sit(Whom::of(Some(peer.ip())));
                let (door, ready) = (self.clone(), ready.clone());
                tokio::spawn(async move {
                    let admitted = async {
                        tokio::select! {
                            admitted = door.admit(stream, peer) => admitted,
                            () = seat.asked() => Err(Refusal::NoRoom),
                            () = ready.closed() => Err(Refusal::Stopping),
                        }
                    };
                    let through = tokio::time::timeout(HANDSHAKE_TIMEOUT, admitted);
                    match through.await.unwrap_or(Err(Refusal::TimedOut)) {
                        Ok((stream, peer)) => {
                            door.metrics.count(Counter::ConnectionsAccepted);
                            let seat = match peer.source {
                                Source::Client(address) => seat.give(Whom::of(Some(address))),
                                Source::Unknown => seat,
                            };
                            let stream = door.endings.watch(Seated::new(stream, seat));
                            // If the service has ended, so does the connection.
                            let _ = ready.send(Connection { stream, peer }).await;
                        }
                        Err(refusal) => {
                            door.metrics.count(Counter::ConnectionsRefused(refusal));
                        }
                    }
                });
            }
        });
        connections
    }

    async fn admit(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<(Stream, Peer), Refusal> {
        // A failure to set it costs latency only.
        let _ = stream.set_nodelay(true);
        let peer = peer.ip().to_canonical();
        let is_proxy = self.proxies.contains(&peer);
        let is_forwarder = self.forwarders.contains(&peer);
        let source = if is_proxy {
            proxy::read(&mut stream)
                .await
                .map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData => Refusal::ProxyHeader,
                    _ => Refusal::Io,
                })?
        } else {
            Source::Client(peer)
        };
        let mut first = [0];
        if stream.peek(&mut first).await.map_err(|_| Refusal::Io)? == 0 {
            return Err(Refusal::Io);
        }
        let through = Peer {
            source,
            is_forwarder,
        };
        let may_be_plain = if is_proxy || is_forwarder {
            self.tls.is_none()
        } else {
            peer.is_loopback()
        };
        let stream = BufReader::with_capacity(READ_BYTES, stream);
        if first[0] == TLS_HANDSHAKE {
            let tls = self.tls.as_ref().ok_or(Refusal::Tls)?;
            let stream = tls.accept(stream).await.map_err(|_| Refusal::Tls)?;
            if stream.get_ref().1.alpn_protocol() != Some(tls::ALPN) {
                return Err(Refusal::Tls);
            }
            Ok((Stream::Tls(Box::new(stream)), through))
        } else if may_be_plain {
            Ok((Stream::Plain(stream), through))
        } else {
            Err(Refusal::Plaintext)
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
