//! A relay in front of a collector that says where each home stands, as a load balancer would.
//!
//! Takes TCP connections on a loopback port of each home's own, gives them on to the collector behind
//! a PROXY protocol version 2 header with the home's address. It reads nothing of what passes. The
//! collector believes such a header from proxies its config lists, and from nobody else.

mod tap;

pub use tap::{Hook, Tap, believing_anything};

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A home's way to the collector. Closed when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Opens a port for the home with the address `home`, in front of `collector`.
    ///
    /// # Errors
    /// When no loopback port is to be had.
    pub async fn open(home: Ipv6Addr, collector: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((client, peer)) = listener.accept().await {
                let source = (home, peer.port());
                tokio::spawn(async move {
                    // A connection that breaks is the homes' and the collector's to deal with.
                    if let Err(error) = pass_on(client, source, collector).await {
                        tracing::debug!(%error, "relayed connection ended");
                    }
                });
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where the home connects to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass_on(
    mut client: TcpStream,
    source: (Ipv6Addr, u16),
    collector: SocketAddr,
) -> io::Result<()> {
    let mut server = TcpStream::connect(collector).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    server
        .write_all(&header(source, (Ipv6Addr::LOCALHOST, collector.port())))
        .await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// The header (haproxy, "The PROXY protocol", section 2.2): a proxied TCP connection over IPv6.
#[must_use]
pub fn header(source: (Ipv6Addr, u16), destination: (Ipv6Addr, u16)) -> [u8; 52] {
    let mut header = [0; 52];
    header[..12].copy_from_slice(b"\r\n\r\n\0\r\nQUIT\n");
    // Version 2, PROXY; IPv6, stream; 36 bytes of addresses.
    header[12..16].copy_from_slice(&[0x21, 0x21, 0, 36]);
    header[16..32].copy_from_slice(&source.0.octets());
    header[32..48].copy_from_slice(&destination.0.octets());
    header[48..50].copy_from_slice(&source.1.to_be_bytes());
    header[50..52].copy_from_slice(&destination.1.to_be_bytes());
    header
}
