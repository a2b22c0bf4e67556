//! The endpoint list: the only names that can leave a home, and they leave as numbers.
//!
//! One list is made at build time from `data/endpoints.toml` and trusted as the binary is. A later one
//! can be loaded ([`later`]), and is held to the same [`rules`]. An [`EndpointId`] is one row of a list;
//! there is no other way to get one. Ids are never reused, and none is ever given another meaning: from
//! whatever list a row comes, the same id is the same pattern, owner, class and edge.

pub mod later;
mod list;
mod owner;
pub mod rules;

pub use list::{Difference, EndpointList};
pub use owner::Owner;

use crate::net::Country;
use crate::vendor::Vendor;
use owner::OwnerFacts;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// One row of a list. Sorts by id, and is equal by it.
#[derive(Clone, Copy)]
pub struct EndpointId(&'static EndpointFacts);

/// What an endpoint is for. Each class is counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The vendor's own system services: updates, push, account.
    Core,
    /// The vendor's own measuring of its phones and their use.
    Telemetry,
    /// A platform's services, such as Google's on any Android phone.
    Platform,
    /// Third parties that measure.
    Analytics,
    /// Third parties that advertise.
    Advertising,
}

#[derive(PartialEq, Eq)]
struct EndpointFacts {
    id: u16,
    pattern: &'static str,
    owner: Owner,
    class: Class,
    edge: Option<&'static str>,
    region: Option<Country>,
}

// ENDPOINT_LIST_VERSION; ENDPOINTS, sorted by id; HOSTS and DOMAINS, the places of its rows, sorted by
// name; OWNERS, which make no phones; EDGES; OWNERS_SUFFIXES, the domains of owners that are public
// suffixes.
include!(concat!(env!("OUT_DIR"), "/endpoints.rs"));

impl EndpointId {
    /// Every endpoint of the compiled-in list, by id.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        EndpointList::compiled_in().all()
    }

    /// The endpoint of the compiled-in list with this wire number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        EndpointList::compiled_in().get(number)
    }

    /// The endpoint of the compiled-in list that a host name belongs to, as [`EndpointList::of_name`].
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        EndpointList::compiled_in().of_name(name)
    }

    /// The wire number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.id as u32
    }

    /// The pattern it stands for: a host name, or `*.domain`.
    #[must_use]
    pub const fn pattern(self) -> &'static str {
        self.0.pattern
    }

    /// Whose it is.
    #[must_use]
    pub const fn owner(self) -> Owner {
        self.0.owner
    }

    /// The vendor that owns it, if one does.
    #[must_use]
    pub fn owner_vendor(self) -> Option<Vendor> {
        self.owner().vendor()
    }

    /// The name of its owner, vendor or not.
    #[must_use]
    pub fn owner_name(self) -> &'static str {
        self.owner().name()
    }

    /// Whether it is one of a vendor's own: contact with it says something about that vendor's phones.
    #[must_use]
    pub fn is_own_of(self, vendor: Vendor) -> bool {
        self.owner_vendor() == Some(vendor) && self.class().is_vendors_own()
    }

    /// Where its owner has its seat.
    #[must_use]
    pub fn owner_country(self) -> Country {
        self.owner().country()
    }

    /// What it is for.
    #[must_use]
    pub const fn class(self) -> Class {
        self.0.class
    }

    /// Whether a content network serves it, from close to the home: then no prefix leaves.
    #[must_use]
    pub const fn edge(self) -> Option<&'static str> {
        self.0.edge
    }

    /// The country that its owner's own region token names, `intl` or `drru`: where the owner says
    /// the server is. None without such a token in the pattern, or if tokens disagree. An opinion, and
    /// wrong when a service moves and keeps its name.
    #[must_use]
    pub const fn region(self) -> Option<Country> {
        self.0.region
    }
}

impl PartialEq for EndpointId {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for EndpointId {}

impl PartialOrd for EndpointId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EndpointId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

impl Hash for EndpointId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pattern())
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pattern())
    }
}

impl Class {
    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Telemetry => "telemetry",
            Self::Platform => "platform",
            Self::Analytics => "analytics",
            Self::Advertising => "advertising",
        }
    }

    /// Whether contact with it says something about the owner's own phones.
    #[must_use]
    pub const fn is_vendors_own(self) -> bool {
        matches!(self, Self::Core | Self::Telemetry)
    }
}

#[cfg(test)]
mod tests;
