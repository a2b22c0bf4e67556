//! The door: accepts connections, learns whom they come from, and puts TLS on them.
//!
//! For each connection, in this order:
//! 1. a peer on the list of proxies must begin with a PROXY v2 header; nobody else's is read;
//! 2. a first byte of 0x16 is TLS; anything else is plain HTTP/2, which is taken only from this
//!    machine itself and never through a proxy;
//! 3. what is through goes to the service, with its [`Source`].
//!
//! Addresses are held in memory as long as the connection lives, and are written nowhere.

use super::Refusal;
use super::proxy::{self, Source};
use crate::metrics::{Counter, Metrics};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// Connections at one time; a further one is closed at once and counted.
pub const CONNECTIONS_MAX: usize = 4_096;

/// Connections that are through and wait for the service; the next one waits here.
const READY_MAX: usize = 64;

/// A connection that is not through after so long is closed and counted.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A pause after the system refused to accept, so that a lack of file handles does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The first byte of a TLS record that carries a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection that is through.
pub struct Connection {
    stream: Stream,
    source: Source,
    _room: OwnedSemaphorePermit,
}

enum Stream {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

/// What decides over a connection.
#[derive(Clone)]
pub struct Door {
    tls: TlsAcceptor,
    proxies: Arc<BTreeSet<IpAddr>>,
    metrics: Metrics,
}

impl Door {
    /// A door with this TLS configuration, that believes these proxies.
    #[must_use]
    pub fn new(
        tls: Arc<rustls::ServerConfig>,
        proxies: BTreeSet<IpAddr>,
        metrics: Metrics,
    ) -> Self {
        Self {
            tls: TlsAcceptor::from(tls),
            proxies: Arc::new(proxies),
            metrics,
        }
    }

    /// Accepts from `listener` until the receiver of the connections is dropped.
    #[must_use]
    pub fn open(self, listener: TcpListener) -> mpsc::Receiver<Connection> {
        let (ready, connections) = mpsc::channel(READY_MAX);
        tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = ready.closed() => return,
                };
                let Ok((stream, peer)) = accepted else {
                    self.metrics.count(Counter::ConnectionsRefused(Refusal::Io));
                    // The one timer here: nothing tells when a file handle is free again.
                    let _ = tokio::time::timeout(ACCEPT_PAUSE, ready.closed()).await;
                    continue;
                };
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    self.metrics
                        .count(Counter::ConnectionsRefused(Refusal::NoRoom));
                    continue;
                };
                let (door, ready) = (self.clone(), ready.clone());
                tokio::spawn(async move {
                    let through = tokio::time::timeout(HANDSHAKE_TIMEOUT, door.admit(stream, peer));
                    match through.await.unwrap_or(Err(Refusal::TimedOut)) {
                        Ok((stream, source)) => {
                            door.metrics.count(Counter::ConnectionsAccepted);
                            // The service has ended: so does the connection.
                            let _ = ready
                                .send(Connection {
                                    stream,
                                    source,
                                    _room: permit,
                                })
                                .await;
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
    ) -> Result<(Stream, Source), Refusal> {
        // A failure to set it costs latency only.
        let _ = stream.set_nodelay(true);
        let peer = peer.ip().to_canonical();
        let is_proxy = self.proxies.contains(&peer);
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
        if first[0] == TLS_HANDSHAKE {
            let tls = self.tls.accept(stream).await.map_err(|_| Refusal::Tls)?;
            Ok((Stream::Tls(Box::new(tls)), source))
        } else if peer.is_loopback() && !is_proxy {
            Ok((Stream::Plain(stream), source))
        } else {
            Err(Refusal::Plaintext)
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Source;

    fn connect_info(&self) -> Source {
        self.source
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
