//! Connections of readers, so many at a time.
//!
//! When all places are taken, the next reader gets one still, and of whoever has most connections the
//! oldest is broken off, and counted: nobody keeps others out by being slow. Whoever serves the public puts a web
//! server in front, which knows how to deal with hostile ones.

use crate::api::Caller;
use crate::intake::ending::{Endings, Watched};
use crate::line::Whom;
use crate::line::crowd::{Crowd, Seated};
use crate::metrics::{Counter, Metrics};
use crate::readiness::Readiness;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// Readers at one time.
pub(super) const READERS_MAX: usize = 1_024;

/// A listener with a bounded number of open connections.
pub(super) struct Readers {
    listener: TcpListener,
    crowd: Crowd,
    metrics: Metrics,
    endings: Endings,
}

impl Readers {
    pub(super) fn new(listener: TcpListener, metrics: Metrics, readiness: Readiness) -> Self {
        Self {
            listener,
            crowd: Crowd::new(READERS_MAX),
            endings: Endings::of_readers(metrics.clone(), readiness),
            metrics,
        }
    }
}

impl Listener for Readers {
    type Io = Watched<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Watched<TcpStream>, SocketAddr) {
        // Retries when the system refuses, with a pause where it lacks file handles.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.metrics.count(Counter::ReadersReceived);
        let seat = self.crowd.sit(Whom::of(Some(address.ip())));
        (self.endings.watch(Seated::new(stream, seat)), address)
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
