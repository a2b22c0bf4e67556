//! The header in which a proxy that ends TLS says whom a request speaks for.
//!
//! Takes the lines of one header, gives a source. Two headers are understood, and the configuration
//! names the one that its proxies write: `Forwarded` (RFC 7239, section 4) or `X-Forwarded-For`. Read
//! from the last hop backwards, the first address that is no listed proxy's is the client's: what
//! stands before it the client may have made up. All of it must be well formed all the same, so that
//! nobody can hide a hop in a half-open quotation. Whether the sender may be believed is decided
//! before: a header from anybody but a listed proxy is a refusal of its own.

use super::proxy::Source;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tonic::codegen::http::HeaderMap;

/// Proxies that end TLS, and where they say whom they speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarders {
    /// The one header they write; every other may be the client's own.
    pub header: Header,
    /// Their addresses.
    pub proxies: BTreeSet<IpAddr>,
}

/// A header that names clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// `Forwarded: for=192.0.2.7;proto=https, for="[2001:db8::9]:4711"`.
    Forwarded,
    /// `X-Forwarded-For: 192.0.2.7, 2001:db8::9`.
    XForwardedFor,
}

/// Who stands at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whom the connection comes from.
    pub source: Source,
    /// Whether it is a listed proxy that ends TLS: then each request says whom it speaks for.
    pub is_forwarder: bool,
}

/// Why nobody can say whom a request speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misforwarded {
    /// It carries such a header, and does not come from a proxy that may write one.
    Stranger,
    /// It comes from such a proxy, and does not carry its header.
    Missing,
    /// The header is not well formed, or beyond its bounds.
    Unreadable,
}

/// One hop, as the next one saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    Address(IpAddr),
    /// `unknown`, a made-up name, or nothing said about it.
    Hidden,
}

/// Bytes of all the header's lines.
pub const HEADER_BYTES_MAX: usize = 4_096;

/// Hops it may name.
pub const HOPS_MAX: usize = 32;

impl Peer {
    /// Whom a request with these headers speaks for.
    ///
    /// # Errors
    /// [`Misforwarded`].
    pub fn resolve(
        &self,
        forwarders: Option<&Forwarders>,
        headers: &HeaderMap,
    ) -> Result<Source, Misforwarded> {
        match forwarders {
            Some(forwarders) if self.is_forwarder => {
                let lines = headers.get_all(forwarders.header.as_str());
                let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
                forwarders.source(&lines)
            }
            _ if Header::ALL
                .iter()
                .any(|header| headers.contains_key(header.as_str())) =>
            {
                Err(Misforwarded::Stranger)
            }
            _ => Ok(self.source),
        }
    }
}

impl Forwarders {
    /// Whom these lines of the header name, the last hop that is none of the proxies.
    ///
    /// # Errors
    /// [`Misforwarded::Missing`] or [`Misforwarded::Unreadable`].
    pub fn source(&self, lines: &[&[u8]]) -> Result<Source, Misforwarded> {
        if lines.is_empty() {
            return Err(Misforwarded::Missing);
        }
        let hops = self.header.hops(lines).ok_or(Misforwarded::Unreadable)?;
        let is_client = |hop: &&Hop| match hop {
            Hop::Address(address) => !self.proxies.contains(address),
            Hop::Hidden => true,
        };
        Ok(match hops.iter().rev().find(is_client) {
            Some(Hop::Address(address)) => Source::Client(*address),
            // Hidden, or one of the proxies speaks for itself.
            Some(Hop::Hidden) | None => Source::Unknown,
        })
    }
}

impl Header {
    /// Every header.
    pub const ALL: [Self; 2] = [Self::Forwarded, Self::XForwardedFor];

    /// Its name on the wire and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::XForwardedFor => "x-forwarded-for",
        }
    }

    /// The header of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|header| header.as_str() == name)
    }

    /// Every hop in order, if all of the lines are well formed and within bounds.
    fn hops(self, lines: &[&[u8]]) -> Option<Vec<Hop>> {
        let mut left = HEADER_BYTES_MAX;
        let mut hops = Vec::new();
        for line in lines {
            left = left.checked_sub(line.len())?;
            let line = std::str::from_utf8(line)
                .ok()
                .filter(|line| line.is_ascii())?;
            match self {
                Self::Forwarded => forwarded(line, &mut hops)?,
                Self::XForwardedFor => {
                    for element in line.split(',') {
                        hops.push(node(trim(element), Brackets::Optional)?);
                    }
                }
            }
            if hops.len() > HOPS_MAX {
                return None;
            }
        }
        Some(hops)
    }
}

// === RFC 7239, section 4 ===

/// Adds the hops of one line of `Forwarded`.
fn forwarded(line: &str, hops: &mut Vec<Hop>) -> Option<()> {
    let mut rest = trim(line);
    loop {
        let (hop, after) = element(rest)?;
        hops.push(hop);
        let after = trim(after);
        if after.is_empty() {
            return Some(());
        }
        rest = trim(after.strip_prefix(',')?);
    }
}

/// One element: pairs between semicolons, at least one, each name once.
fn element(text: &str) -> Option<(Hop, &str)> {
    let (mut rest, mut hop, mut names) = (text, Hop::Hidden, BTreeSet::new());
    loop {
        let (name, after) = token(rest)?;
        let (value, after) = value(after.strip_prefix('=')?)?;
        let name = name.to_ascii_lowercase();
        if name == "for" {
            hop = node(&value, Brackets::Required)?;
        }
        if !names.insert(name) {
            return None;
        }
        match after.strip_prefix(';') {
            Some(after) => rest = after,
            None => return Some((hop, after)),
        }
    }
}

/// The token a text begins with (RFC 9110, section 5.6.2), and what follows.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_tchar(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// The token or quoted string (section 5.6.4) a text begins with, and what follows.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, &quoted[at + 1..])),
            (_, '\\') => value.push(printable(characters.next()?.1)?),
            (_, c) => value.push(printable(c)?),
        }
    }
}

fn printable(c: char) -> Option<char> {
    (c == '\t' || (' '..='~').contains(&c)).then_some(c)
}

// === nodes ===

/// Whether an IPv6 address must stand in brackets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brackets {
    Required,
    Optional,
}

/// A node (RFC 7239, section 6): an address with or without a port, `unknown`, or a made-up name.
fn node(text: &str, brackets: Brackets) -> Option<Hop> {
    if text.eq_ignore_ascii_case("unknown") {
        return Some(Hop::Hidden);
    }
    if text.starts_with('_') {
        let name = text.split_once(':').map_or(text, |(name, _)| name);
        return is_made_up(name).then_some(Hop::Hidden);
    }
    if let Some(inside) = text.strip_prefix('[') {
        let (address, after) = inside.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let is_whole = after.is_empty() || is_port(after.strip_prefix(':')?);
        return is_whole.then(|| hop(address.into()));
    }
    if brackets == Brackets::Optional
        && let Ok(address) = text.parse::<Ipv6Addr>()
    {
        return Some(hop(address.into()));
    }
    let address: Ipv4Addr = match text.split_once(':') {
        Some((address, port)) if is_port(port) => address.parse().ok()?,
        Some(_) => return None,
        None => text.parse().ok()?,
    };
    Some(hop(address.into()))
}

fn hop(address: IpAddr) -> Hop {
    // A dual-stack proxy writes IPv4 clients as mapped addresses.
    Hop::Address(address.to_canonical())
}

fn is_port(text: &str) -> bool {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number || is_made_up(text)
}

fn is_made_up(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    text.len() > 1 && text.starts_with('_') && text.bytes().all(is_plain)
}

/// Without the white space that may stand around elements.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

// === impl Misforwarded ===

impl Misforwarded {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Stranger, Self::Missing, Self::Unreadable];

    /// The counter's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stranger => "strangers_header",
            Self::Missing => "no_header",
            Self::Unreadable => "unreadable_header",
        }
    }

    /// What whoever sent it is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Stranger => "only a listed proxy may say whom a request speaks for",
            Self::Missing => "the proxy does not say whom the request speaks for",
            Self::Unreadable => "whom the request speaks for cannot be read",
        }
    }
}

#[cfg(test)]
mod tests;
