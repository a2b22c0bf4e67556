//! An observation: what the phones of one vendor said to one endpoint in one day, in steps.
//!
//! There is no field for a MAC or LAN address, a host name of the home, a time of day, or a name
//! that is not on the public list: such a thing cannot leave by accident.

use crate::census::Basis;
use crate::endpoint::EndpointId;
use crate::net::{Prefix, Scope};
use crate::scale::{Magnitude, RttStep};
use crate::vendor::Vendor;
use thiserror::Error;

/// One observation. Built by [`Observation::new`] only, which holds the rules between its fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Observation {
    key: ObservationKey,
    connections: Magnitude,
    bytes_up: Magnitude,
    bytes_down: Magnitude,
    volume_trust: VolumeTrust,
    rtt: Option<Rtt>,
}

/// What makes two observations of a day the same one: they are united, their volumes added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservationKey {
    /// Whose phones.
    pub vendor: Vendor,
    /// How the vendor is known.
    pub basis: Basis,
    /// Which listed endpoint.
    pub endpoint: EndpointId,
    /// Where it stood.
    pub destination: Destination,
    /// Over which service.
    pub service: Service,
    /// How the endpoint's name was learnt.
    pub named_by: NamedBy,
}

/// Where a connection went, as far as may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// A prefix of global unicast (or, in exercises, documentation) space.
    Prefix(Prefix),
    /// The content network the list names for this endpoint: its prefix would tell where the home is.
    Edge,
}

/// The service a connection used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// TLS over TCP.
    Tls,
    /// QUIC.
    Quic,
    /// Clear-text HTTP.
    Http,
    /// DNS.
    Dns,
    /// Anything else.
    Other,
}

/// How an endpoint's name was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedBy {
    /// TLS server name indication.
    Sni,
    /// The same inside a QUIC Initial.
    Quic,
    /// The only DNS answer that fits this client, address and time.
    Dns,
    /// The Host header of a clear-text request.
    Http,
    /// A server name beside an ECH extension that is taken for GREASE.
    Ech,
}

/// Whether a volume is all there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeTrust {
    /// Every byte passed by the counter.
    Exact,
    /// Some bytes may have passed by unseen.
    LowerBound,
}

/// The shortest handshake, rounded up, and how many there were to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtt {
    /// The shortest round trip, rounded up.
    pub min: RttStep,
    /// Out of how many.
    pub samples: RttSamples,
}

/// How many handshakes were timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RttSamples {
    /// One to four.
    OneToFour,
    /// Five or more.
    FiveOrMore,
}

/// Why something cannot be an observation.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotObservable {
    /// The prefix is private or special.
    #[error("the destination is not a place on the Internet")]
    NotPublic,
    /// The list marks the endpoint `edge`, and a prefix or round trip was given; or the reverse.
    #[error("an endpoint on a content network goes without prefix and round trip, others with one")]
    EdgeMismatch,
    /// Nothing happened.
    #[error("an observation holds at least one connection")]
    NoConnection,
}

impl Observation {
    /// An observation, if the fields may stand together.
    ///
    /// # Errors
    /// [`NotObservable`] says which rule is broken.
    pub fn new(
        key: ObservationKey,
        [connections, bytes_up, bytes_down]: [Magnitude; 3],
        volume_trust: VolumeTrust,
        rtt: Option<Rtt>,
    ) -> Result<Self, NotObservable> {
        let on_edge = key.endpoint.edge().is_some();
        match key.destination {
            Destination::Edge if !on_edge || rtt.is_some() => {
                return Err(NotObservable::EdgeMismatch);
            }
            Destination::Prefix(_) if on_edge => return Err(NotObservable::EdgeMismatch),
            Destination::Prefix(prefix) => match prefix.scope() {
                Scope::Public | Scope::Documentation => {}
                Scope::Private | Scope::Special => return Err(NotObservable::NotPublic),
            },
            Destination::Edge => {}
        }
        if connections == Magnitude::of(0) {
            return Err(NotObservable::NoConnection);
        }
        Ok(Self {
            key,
            connections,
            bytes_up,
            bytes_down,
            volume_trust,
            rtt,
        })
    }

    /// What it is about.
    #[must_use]
    pub const fn key(&self) -> &ObservationKey {
        &self.key
    }

    /// Connections, in steps.
    #[must_use]
    pub const fn connections(&self) -> Magnitude {
        self.connections
    }

    /// Bytes of IP packets from the phones, in steps.
    #[must_use]
    pub const fn bytes_up(&self) -> Magnitude {
        self.bytes_up
    }

    /// Bytes of IP packets to the phones, in steps.
    #[must_use]
    pub const fn bytes_down(&self) -> Magnitude {
        self.bytes_down
    }

    /// Whether the bytes are all there were.
    #[must_use]
    pub const fn volume_trust(&self) -> VolumeTrust {
        self.volume_trust
    }

    /// The shortest handshake, where one was timed within the scale.
    #[must_use]
    pub const fn rtt(&self) -> Option<Rtt> {
        self.rtt
    }
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// The word in tables and previews.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words!(Service { Tls = "tls", Quic = "quic", Http = "http", Dns = "dns", Other = "other" });
words!(NamedBy { Sni = "sni", Quic = "quic", Dns = "dns", Http = "http", Ech = "ech" });
words!(VolumeTrust { Exact = "exact", LowerBound = "lower_bound" });
words!(RttSamples { OneToFour = "1-4", FiveOrMore = "5+" });
