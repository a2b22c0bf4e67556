//! Places on the network: prefixes, countries, transports, and what may be named at all.
//!
//! A [`Prefix`] is the finest destination that leaves a home: IPv4 /24 or IPv6 /48, and only of
//! global unicast space. [`Scope::of`] draws that line after the IANA special-purpose address
//! registries (RFC 6890 and its updates); documentation prefixes are a scope of their own, because
//! exercises live there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The transport protocol of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

/// What kind of place an address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Global unicast: a server somewhere on the Internet.
    Public,
    /// Inside a home or a provider: RFC 1918, RFC 6598, RFC 4193, link-local.
    Private,
    /// Documentation space: RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// Loopback, multicast, broadcast, reserved: never a server.
    Special,
}

/// An IPv4 /24 or an IPv6 /48, by its leading bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// The first three bytes of the address.
    V4([u8; 3]),
    /// The first six bytes of the address.
    V6([u8; 6]),
}

/// A country or territory: ISO 3166-1 alpha-2, or the user-assigned `XK`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

// === impl Transport ===

impl Transport {
    /// `tcp` or `udp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

// === impl Scope ===

impl Scope {
    /// The scope of an address; an IPv4-mapped IPv6 address has the scope of its IPv4 address.
    #[must_use]
    #[inline]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => v6
                .to_ipv4_mapped()
                .map_or_else(|| Self::of_v6(v6), Self::of_v4),
        }
    }

    #[inline]
    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, c, _] = address.octets();
        match (a, b, c) {
            (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Self::Documentation,
            (10, ..) | (172, 16..=31, _) | (192, 168, _) | (169, 254, _) | (100, 64..=127, _) => {
                Self::Private
            }
            (0 | 127 | 224.., ..) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _) => {
                Self::Special
            }
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let [first, second, ..] = address.segments();
        match (first, second) {
            (0x2001, 0x0db8) | (0x3fff, 0..=0x0fff) => Self::Documentation,
            (0xfc00..=0xfdff | 0xfe80..=0xfebf, _) => Self::Private,
            // Teredo, ORCHID, benchmarking and other protocol assignments.
            (0x2001, 0..=0x01ff) => Self::Special,
            // 6to4 and all of 2000::/3; nothing outside it is allocated for global unicast.
            (0x2000..=0x3fff, _) => Self::Public,
            _ => Self::Special,
        }
    }
}

// === impl Prefix ===

impl Prefix {
    /// The prefix an address lies in; an IPv4-mapped IPv6 address lies in its IPv4 prefix.
    #[must_use]
    #[inline]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }

    /// The lowest address of the prefix.
    #[must_use]
    pub fn first(self) -> IpAddr {
        match self {
            Self::V4([a, b, c]) => IpAddr::V4(Ipv4Addr::new(a, b, c, 0)),
            Self::V6([a, b, c, d, e, f]) => {
                IpAddr::from([a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
        }
    }

    /// The highest address of the prefix.
    #[must_use]
    pub fn last(self) -> IpAddr {
        match self {
            Self::V4([a, b, c]) => IpAddr::V4(Ipv4Addr::new(a, b, c, 255)),
            Self::V6([a, b, c, d, e, f]) => IpAddr::from([
                a, b, c, d, e, f, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
            ]),
        }
    }

    /// The scope of the prefix; the registries never divide one.
    #[must_use]
    pub fn scope(self) -> Scope {
        Scope::of(self.first())
    }
}

impl fmt::Display for Prefix {
    /// `203.0.113.0/24` or `2001:db8:1::/48`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = if matches!(self, Self::V4(_)) { 24 } else { 48 };
        write!(f, "{}/{length}", self.first())
    }
}

// === impl Country ===

impl Country {
    /// The country with this code; `None` unless it is two upper-case letters.
    #[must_use]
    pub const fn new(code: [u8; 2]) -> Option<Self> {
        if code[0].is_ascii_uppercase() && code[1].is_ascii_uppercase() {
            Some(Self(code))
        } else {
            None
        }
    }

    /// The country a text names, `SG`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(text.as_bytes().try_into().ok()?)
    }

    /// The code, two upper-case letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters get in")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_follow_the_registries() {
        for (text, scope) in [
            ("8.219.1.1", Scope::Public),
            ("192.168.1.1", Scope::Private),
            ("100.64.0.1", Scope::Private),
            ("172.32.0.1", Scope::Public),
            ("203.0.113.9", Scope::Documentation),
            ("239.1.1.1", Scope::Special),
            ("255.255.255.255", Scope::Special),
            ("2001:db8::1", Scope::Documentation),
            ("3fff::1", Scope::Documentation),
            ("fe80::1", Scope::Private),
            ("ff02::fb", Scope::Special),
            ("2400:3200::1", Scope::Public),
            ("::ffff:10.0.0.1", Scope::Private),
            ("::1", Scope::Special),
        ] {
            let address = text.parse().expect("an address");
            assert_eq!(Scope::of(address), scope, "{text}");
        }
    }

    #[test]
    fn prefixes_print_as_networks() {
        let of = |text: &str| Prefix::of(text.parse().expect("an address")).to_string();
        assert_eq!(of("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(of("2001:db8:1:2::3"), "2001:db8:1::/48");
        assert_eq!(of("::ffff:203.0.113.77"), "203.0.113.0/24");
    }
}
