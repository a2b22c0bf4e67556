//! Connections of readers, so many at a time, and a thread that answers them.
//!
//! The thread does nothing else: a table does not wait until a hundred batches are checked, nor they until
//! a page is written. When all places are taken, the next reader gets one still, and of whoever has most connections the
//! oldest is broken off, and counted: nobody keeps others out by being slow. Whoever serves the public puts a web
//! server in front, which knows how to deal with hostile ones.

pub(super) mod certificate;
mod wire;

use crate::api::Caller;
use crate::intake::ending::{Endings, Watched};
use crate::line::Whom;
use crate::line::crowd::{Crowd, Seated};
use crate::metrics::{Counter, Metrics};
use crate::readiness::Readiness;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use wire::Wire;

/// Readers at one time.
pub(super) const READERS_MAX: usize = 1_024;

/// A listener with a bounded number of open connections.
pub(super) struct Readers {
    listener: TcpListener,
    /// What is put on each connection, if anything.
    tls: Option<TlsAcceptor>,
    crowd: Crowd,
    metrics: Metrics,
    endings: Endings,
}

impl Readers {
    /// Those who come to `listener`, in the clear.
    pub(super) fn new(listener: TcpListener, metrics: Metrics, readiness: Readiness) -> Self {
        Self {
            listener,
            tls: None,
            crowd: Crowd::new(READERS_MAX),
            endings: Endings::of_readers(metrics.clone(), readiness),
            metrics,
        }
    }
}

/// Answers readers on a thread of its own until `stopped`, then what is under way; or until nobody waits for
/// this any more.
pub(super) async fn serve(
    (listener, tls): (TcpListener, Option<Arc<ServerConfig>>),
    (metrics, readiness): (Metrics, Readiness),
    router: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.into_std()?;
    let (mut ended, end) = oneshot::channel();
    let thread = thread::Builder::new().name("readers".to_owned());
    thread.spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let served = runtime.and_then(|runtime| {
            let served = runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                let readers = Readers {
                    tls: tls.map(TlsAcceptor::from),
                    ..Readers::new(listener, metrics, readiness)
                };
                let router = router.into_make_service_with_connect_info::<Caller>();
                let served = axum::serve(readers, router).with_graceful_shutdown(stopped);
                tokio::select! {
                    served = served.into_future() => served,
                    () = ended.closed() => Ok(()),
                }
            });
            // A picture that is being drawn for nobody is not waited for.
            runtime.shutdown_background();
            served
        });
        let _ = ended.send(served);
    })?;
    end.await
        .unwrap_or_else(|_| Err(io::Error::other("their thread ended")))
}

impl Listener for Readers {
    type Io = Wire<Watched<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire<Watched<TcpStream>>, SocketAddr) {
        // Retries when the system refuses, with a pause where it lacks file handles.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.metrics.count(Counter::ReadersReceived);
        let seat = self.crowd.sit(Whom::of(Some(address.ip())));
        let watched = self.endings.watch(Seated::new(stream, seat));
        (Wire::new(watched, self.tls.as_ref()), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Readers>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Readers>) -> Self {
        Self(*stream.remote_addr())
    }
}
