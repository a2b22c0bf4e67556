//! Connections of readers, so many at a time.
//!
//! When all places are taken, the next reader gets one still, and of whoever has most connections the
//! oldest is broken off: nobody keeps others out by being slow. Whoever serves the public puts a web
//! server in front, which knows how to deal with hostile ones.

use crate::line::Whom;
use crate::line::crowd::{Crowd, Seated};
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// Readers at one time.
pub(super) const READERS_MAX: usize = 1_024;

/// A listener with a bounded number of open connections.
pub(super) struct Readers {
    listener: TcpListener,
    crowd: Crowd,
}

impl Readers {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            crowd: Crowd::new(READERS_MAX),
        }
    }
}

impl Listener for Readers {
    type Io = Seated<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Seated<TcpStream>, SocketAddr) {
        // Retries when the system refuses, with a pause where it lacks file handles.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let seat = self.crowd.sit(Whom::of(Some(address.ip())));
        (Seated::new(stream, seat), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
