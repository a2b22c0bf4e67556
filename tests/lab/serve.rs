//! The Internet's servers, real ones: DNS, HTTP, TLS 1.3 with and without post-quantum keys, QUIC.
//!
//! All run on one thread in the Internet's namespace and end when [`Servers`] is dropped.

use super::credentials::Credentials;
use super::dns;
use super::exchange::answer;
use super::namespace::Namespace;
use super::sites::{Family, NAME_SERVER, SITES};
use anyhow::{Context, Result, bail};
use quinn::crypto::rustls::QuicServerConfig;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Servers at work.
#[derive(Debug)]
pub(crate) struct Servers {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Servers {
    /// Starts every site's servers; returns when all of them listen.
    pub(crate) fn start(internet: &Namespace, credentials: &Credentials) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, listening) = mpsc::channel();
        let server = Arc::new(credentials.server()?);
        let thread = internet.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                listen(&server, &mut tasks).await?;
                // Whoever waits may have given up.
                let _ = ready.send(());
                // A dropped sender stops too.
                let _ = stopped.await;
                Ok(())
            })
        })?;
        if listening.recv().is_err() {
            thread.join().ok().context("the servers panicked")??;
            bail!("the servers ended before they listened");
        }
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Self { stop, thread })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(server: &Arc<rustls::ServerConfig>, tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    tasks.spawn(dns::serve(UdpSocket::bind((NAME_SERVER, 53)).await?));
    let quic = QuicServerConfig::try_from(Arc::clone(server))?;
    let mut quic = quinn::ServerConfig::with_crypto(Arc::new(quic));
    let mut transport = quinn::TransportConfig::default();
    // Datagram by datagram, so that they are counted as they are on the wire.
    transport.enable_segmentation_offload(false);
    quic.transport_config(Arc::new(transport));
    for site in SITES {
        for family in [Family::V4, Family::V6] {
            let at = |port| SocketAddr::new(site.address(family), port);
            tasks.spawn(serve_http(TcpListener::bind(at(80)).await?));
            let acceptor = TlsAcceptor::from(Arc::clone(server));
            tasks.spawn(serve_tls(TcpListener::bind(at(443)).await?, acceptor));
            tasks.spawn(serve_quic(quinn::Endpoint::server(quic.clone(), at(443))?));
        }
    }
    Ok(())
}

async fn serve_http(listener: TcpListener) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        // A phone that goes away is the phone's business, here and below.
        tokio::spawn(async move { answer(&mut stream).await });
    }
}

async fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move { answer_tls(stream, &acceptor).await });
    }
}

async fn answer_tls(stream: TcpStream, acceptor: &TlsAcceptor) -> Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    answer(&mut stream).await
}

async fn serve_quic(endpoint: quinn::Endpoint) -> Result<()> {
    while let Some(arriving) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = arriving.await?;
            let (send, receive) = connection.accept_bi().await?;
            let mut stream = tokio::io::join(receive, send);
            answer(&mut stream).await?;
            stream.writer_mut().finish()?;
            // The phone closes; until then its acknowledgements are wanted.
            connection.closed().await;
            Ok::<_, anyhow::Error>(())
        });
    }
    Ok(())
}
