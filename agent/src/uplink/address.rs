//! Where a collector is: `https://HOST:PORT`, or `http://HOST:PORT` on this machine.
//!
//! The address says where to knock, never whom to trust: that is the pinned key's to say.

use phonehome_proto::enrolment::Invite;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use thiserror::Error;

/// A collector's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl {
    /// A name or an address, without brackets.
    host: String,
    port: u16,
    security: Security,
}

/// What protects the bytes on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS 1.3 with the collector's own key.
    Tls,
    /// Nothing; they never leave this machine.
    Loopback,
}

/// A text that is no collector's address.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotAnAddress {
    /// The form is another.
    #[error("a collector's address reads https://HOST:PORT")]
    Form,
    /// Without TLS, but not on this machine.
    #[error("without TLS only a collector on this machine is spoken to: write https://")]
    Unprotected,
}

impl CollectorUrl {
    /// The address an invite names. Invites are for strangers to each other: always TLS.
    #[must_use]
    pub fn of_invite(invite: &Invite) -> Self {
        let (host, port) = split(&invite.authority).expect("an invite's authority is HOST:PORT");
        Self {
            host,
            port,
            security: Security::Tls,
        }
    }

    /// The host, a name or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What protects the bytes.
    #[must_use]
    pub const fn security(&self) -> Security {
        self.security
    }

    /// Whether this socket address may be connected to.
    pub(super) fn allows(&self, address: &SocketAddr) -> bool {
        self.security == Security::Tls || address.ip().to_canonical().is_loopback()
    }
}

impl FromStr for CollectorUrl {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(NotAnAddress::Form)?;
        let (host, port) =
            split(rest.strip_suffix('/').unwrap_or(rest)).ok_or(NotAnAddress::Form)?;
        let security = match scheme {
            "https" => Security::Tls,
            "http" => Security::Loopback,
            _ => return Err(NotAnAddress::Form),
        };
        let is_loopback = host == "localhost"
            || host
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback());
        if security == Security::Loopback && !is_loopback {
            return Err(NotAnAddress::Unprotected);
        }
        Ok(Self {
            host,
            port,
            security,
        })
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            Security::Tls => "https",
            Security::Loopback => "http",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Host and port of `HOST:PORT`, `[V6]:PORT` included.
fn split(authority: &str) -> Option<(String, u16)> {
    let (host, port) = authority.rsplit_once(':')?;
    let port = port.parse().ok().filter(|&port| port > 0)?;
    let host = match host.strip_prefix('[') {
        Some(v6) => v6
            .strip_suffix(']')
            .filter(|v6| v6.parse::<IpAddr>().is_ok())?,
        None => host,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let plain = !host.is_empty() && host.chars().all(is_name);
    (plain || host.parse::<IpAddr>().is_ok()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::seal::SigningKey;

    #[test]
    fn an_address_reads_as_it_is_written() {
        for text in [
            "https://collector.example:4317",
            "https://[2001:db8::1]:443",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            let url = text.parse::<CollectorUrl>().map(|url| url.to_string());
            assert_eq!(url.as_deref(), Ok(text));
        }
        for wrong in [
            "",
            "a:1",
            "https://a",
            "https://a:0",
            "https://a:70000",
            "ftp://a:1",
            "https://:1",
            "https://a/b:1",
            "https://user@a:1",
            "https://[::1:1",
        ] {
            assert_eq!(
                wrong.parse::<CollectorUrl>(),
                Err(NotAnAddress::Form),
                "{wrong}"
            );
        }
    }

    #[test]
    fn plain_text_stays_on_this_machine() {
        for wrong in [
            "http://collector.example:1",
            "http://192.0.2.1:1",
            "http://0.0.0.0:1",
        ] {
            assert_eq!(
                wrong.parse::<CollectorUrl>(),
                Err(NotAnAddress::Unprotected),
                "{wrong}"
            );
        }
        // A name that resolves elsewhere is no help either.
        let url = "http://localhost:1"
            .parse::<CollectorUrl>()
            .expect("an address");
        assert!(!url.allows(&"192.0.2.1:1".parse().expect("a socket address")));
        assert!(url.allows(&"[::1]:1".parse().expect("a socket address")));
    }

    #[test]
    fn an_invite_means_tls() {
        let collector_key = SigningKey::from_seed(&[1; 32]).public();
        let authority = "[2001:db8::1]:4317".to_owned();
        let invite = Invite {
            authority,
            collector_key,
            token: Some([0; 16]),
        };
        assert_eq!(
            CollectorUrl::of_invite(&invite).to_string(),
            "https://[2001:db8::1]:4317"
        );
    }
}
