//! PROXY protocol, version 2: the header in which a listed proxy says whom it speaks for.
//!
//! Takes bytes, gives a source. Only the binary version, only stream sockets. Specification:
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2. Whether the sender
//! may be believed is decided before: a header from anybody but a listed proxy is never read.

use crate::line::Whom;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Whom a proxy speaks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A client with this address.
    Client(IpAddr),
    /// Itself, a health check perhaps, or a client without an IP address.
    Unknown,
}

impl Source {
    /// Whose turn a request is, as far as anybody knows.
    pub(super) fn whom(source: Option<&Self>) -> Whom {
        Whom::of(match source {
            Some(Self::Client(address)) => Some(*address),
            Some(Self::Unknown) | None => None,
        })
    }
}

/// Why something is not such a header.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotAHeader {
    /// It does not begin with the twelve bytes that no other protocol begins with.
    #[error("no PROXY v2 signature")]
    Signature,
    /// Another version than 2, or another command than LOCAL and PROXY.
    #[error("not version 2, or an unknown command")]
    VersionOrCommand,
    /// A datagram socket, or a family that does not exist.
    #[error("not a stream socket of a known family")]
    Family,
    /// Shorter than its addresses, or longer than [`BODY_BYTES_MAX`].
    #[error("a length that does not fit")]
    Length,
}

/// Bytes of signature, version, family and length.
pub const HEAD_BYTES: usize = 16;

/// Bytes that may follow the head: the addresses, and options that are skipped.
pub const BODY_BYTES_MAX: usize = 1_024;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What a head announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    is_local: bool,
    family: Family,
    body_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Unspecified,
    V4,
    V6,
    Unix,
}

impl Head {
    /// Reads the fixed part.
    ///
    /// # Errors
    /// [`NotAHeader`] says what does not fit.
    pub fn parse(head: &[u8; HEAD_BYTES]) -> Result<Self, NotAHeader> {
        let (signature, rest) = head.split_at(SIGNATURE.len());
        if signature != SIGNATURE {
            return Err(NotAHeader::Signature);
        }
        let is_local = match rest[0] {
            0x20 => true,
            0x21 => false,
            _ => return Err(NotAHeader::VersionOrCommand),
        };
        let family = match rest[1] {
            0x00 => Family::Unspecified,
            0x11 => Family::V4,
            0x21 => Family::V6,
            0x31 => Family::Unix,
            // A receiver must ignore the family of a LOCAL command.
            _ if is_local => Family::Unspecified,
            _ => return Err(NotAHeader::Family),
        };
        let body_bytes = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        let least = match family {
            _ if is_local => 0,
            Family::Unspecified => 0,
            Family::V4 => 12,
            Family::V6 => 36,
            Family::Unix => 216,
        };
        if body_bytes < least || body_bytes > BODY_BYTES_MAX {
            return Err(NotAHeader::Length);
        }
        Ok(Self {
            is_local,
            family,
            body_bytes,
        })
    }

    /// Bytes that follow before the proxied connection begins.
    #[must_use]
    pub const fn body_bytes(self) -> usize {
        self.body_bytes
    }

    /// Reads the part that follows.
    ///
    /// # Errors
    /// [`NotAHeader::Length`] when it is not as long as announced.
    pub fn source(self, body: &[u8]) -> Result<Source, NotAHeader> {
        if body.len() != self.body_bytes {
            return Err(NotAHeader::Length);
        }
        let address: Option<IpAddr> = match self.family {
            _ if self.is_local => None,
            Family::Unspecified | Family::Unix => None,
            Family::V4 => body
                .first_chunk::<4>()
                .map(|octets| Ipv4Addr::from(*octets).into()),
            Family::V6 => body
                .first_chunk::<16>()
                .map(|octets| Ipv6Addr::from(*octets).into()),
        };
        // A dual-stack proxy writes IPv4 clients as mapped addresses.
        Ok(address.map_or(Source::Unknown, |address| {
            Source::Client(address.to_canonical())
        }))
    }
}

/// The source in `bytes` and what follows the header. For tests and fuzzing: a connection is read
/// with [`read`].
///
/// # Errors
/// [`NotAHeader`]; [`NotAHeader::Length`] when `bytes` end too early.
pub fn parse(bytes: &[u8]) -> Result<(Source, &[u8]), NotAHeader> {
    let (head, rest) = bytes.split_first_chunk().ok_or(NotAHeader::Length)?;
    let head = Head::parse(head)?;
    let (body, rest) = rest
        .split_at_checked(head.body_bytes())
        .ok_or(NotAHeader::Length)?;
    Ok((head.source(body)?, rest))
}

/// Reads exactly the header off a connection, not a byte more.
///
/// # Errors
/// The connection's, or [`NotAHeader`] as `InvalidData`.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Source> {
    let invalid = |not: NotAHeader| std::io::Error::new(std::io::ErrorKind::InvalidData, not);
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    let head = Head::parse(&head).map_err(invalid)?;
    let mut body = [0; BODY_BYTES_MAX];
    let body = &mut body[..head.body_bytes()];
    stream.read_exact(body).await?;
    head.source(body).map_err(invalid)
}

impl std::fmt::Debug for Source {
    /// Without the address, which stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Client(_) => "Client(..)",
            Self::Unknown => "Unknown",
        })
    }
}

#[cfg(test)]
mod tests;
