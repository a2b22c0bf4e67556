//! Names: what a conversation says about the server it is for.
//!
//! Takes the first payload bytes of a flow, gives a [`Named`] once; keeps nothing else. A name is
//! read where the client wrote it in clear: the server name of a TLS, DTLS or QUIC ClientHello, the
//! `Host` of an HTTP request. Names from DNS answers are the flow table's to add, with
//! [`NameSource::Dns`].
//!
//! What this module promises:
//! 1. The bytes of a hello that is not whole yet are the only payload that outlives `packet`; they
//!    stay below [`HANDSHAKE_BYTES_MAX`] a flow and are freed once the name is read or refused.
//! 2. Ports decide nothing that bytes can decide: a hello is read on any port, from either side, and
//!    after whatever preamble came before it.
//! 3. Every reader is total: arbitrary bytes give an answer, never a panic.
//! 4. A front is no name: see [`NameStatus::SniOuter`].

mod cursor;
pub mod dtls;
pub mod ech;
mod handshake;
pub mod http;
pub mod quic;
pub mod reassembly;
#[cfg(test)]
mod sample;
mod server_name;
mod stream;
pub mod tls;

pub use handshake::Handshake;
pub use server_name::ServerName;

/// The most payload bytes kept of one flow while its hello is not whole.
///
/// As much as one full TLS record. Hellos with post-quantum key shares take 1.5 to 2.5 KB, session
/// tickets can add several more; HTTP requests carry `Host` among the first lines. A longer hello is
/// named by what its first bytes say, else it is [`NameStatus::Unread`].
pub const HANDSHAKE_BYTES_MAX: usize = 16 * 1024;

/// Where a name was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameSource {
    /// The server name of a TLS ClientHello over TCP, or of a DTLS one.
    Sni,
    /// The server name of the ClientHello in QUIC Initial packets.
    Quic,
    /// The host of an HTTP request.
    Http,
    /// A DNS answer this client got for the address: an inference, and never made here.
    Dns,
}

/// What can honestly be said about a flow's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameStatus {
    /// A server name stood in clear. An ECH extension beside it is taken for GREASE (RFC 9849,
    /// section 6.2) and counted by [`Named::ech`].
    SniClear,
    /// The server name is the outer name of Encrypted Client Hello: whoever the flow is for, it is
    /// not named here. There is no name.
    SniOuter,
    /// The host of an HTTP request.
    Http,
    /// The one name that DNS answers gave this client for the address.
    DnsInferred,
    /// A whole hello or request that names nobody.
    NoSni,
    /// A handshake was there, but not whole, or not understood.
    Unread,
    /// Nothing was there that carries names.
    None,
}

/// What a flow is called, and how well that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name; only with [`NameStatus::SniClear`], [`NameStatus::Http`] and
    /// [`NameStatus::DnsInferred`].
    pub name: Option<ServerName>,
    /// Where the name was read; there exactly when there is a name.
    pub source: Option<NameSource>,
    /// The word for it.
    pub status: NameStatus,
    /// Whether the hello carried an ECH extension (type 0xfe0d).
    pub ech: bool,
}

/// What a reader makes of the bytes it was shown so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Not such a message, and no further bytes can make it one.
    Foreign,
    /// The beginning of such a message, and what it says already.
    Partial(Findings),
    /// All that matters of it.
    Whole(Findings),
}

/// What a hello or a request says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The server it names.
    pub name: Option<ServerName>,
    /// It names something that is not a host name.
    pub name_refused: bool,
    /// It carries an ECH extension.
    pub ech: bool,
    /// It asks a proxy for a tunnel to the named server: HTTP `CONNECT`.
    pub tunnel: bool,
}

// === impl NameSource ===

impl NameSource {
    /// The word in reports: `sni`, `quic`, `http` or `dns`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sni => "sni",
            Self::Quic => "quic",
            Self::Http => "http",
            Self::Dns => "dns",
        }
    }
}

// === impl NameStatus ===

impl NameStatus {
    /// Every status, in the order of declaration.
    pub const ALL: [Self; 7] = [
        Self::SniClear,
        Self::SniOuter,
        Self::Http,
        Self::DnsInferred,
        Self::NoSni,
        Self::Unread,
        Self::None,
    ];

    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SniClear => "sni_clear",
            Self::SniOuter => "sni_outer",
            Self::Http => "http",
            Self::DnsInferred => "dns_inferred",
            Self::NoSni => "no_sni",
            Self::Unread => "unread",
            Self::None => "none",
        }
    }
}

// === impl Named ===

impl Named {
    /// A flow without a name.
    #[must_use]
    pub const fn nameless(status: NameStatus) -> Self {
        Self {
            name: None,
            source: None,
            status,
            ech: false,
        }
    }

    /// A flow named by the one DNS answer that fits it.
    #[must_use]
    pub const fn inferred(name: ServerName) -> Self {
        Self {
            name: Some(name),
            source: Some(NameSource::Dns),
            status: NameStatus::DnsInferred,
            ech: false,
        }
    }

    /// The same flow once an `ech=` record seen in DNS has shown that its name is an outer one.
    ///
    /// Only a hello that carries the ECH extension can have one; any other stays as it is.
    #[must_use]
    pub fn fronted(self) -> Self {
        if self.ech && self.status == NameStatus::SniClear {
            Self {
                ech: true,
                ..Self::nameless(NameStatus::SniOuter)
            }
        } else {
            self
        }
    }

    /// What the findings of a whole or broken-off message come to.
    fn from_findings(findings: Findings, source: NameSource, whole: bool) -> Self {
        let Findings {
            name,
            name_refused,
            ech,
            ..
        } = findings;
        let Some(name) = name else {
            let read = whole && !name_refused;
            let status = if read {
                NameStatus::NoSni
            } else {
                NameStatus::Unread
            };
            return Self {
                ech,
                ..Self::nameless(status)
            };
        };
        // A hello that broke off may have carried the extension where nobody saw it.
        let may_be_front = source != NameSource::Http && (ech || !whole);
        if may_be_front && ech::is_public_name(&name) {
            return Self {
                ech,
                ..Self::nameless(NameStatus::SniOuter)
            };
        }
        let status = match source {
            NameSource::Http => NameStatus::Http,
            NameSource::Sni | NameSource::Quic | NameSource::Dns => NameStatus::SniClear,
        };
        Self {
            name: Some(name),
            source: Some(source),
            status,
            ech,
        }
    }
}

#[cfg(test)]
mod tests;
