//! The endpoint list: the only names that can leave a home, and they leave as numbers.
//!
//! Made at build time from `data/endpoints.toml` and trusted as the binary is. An [`EndpointId`] is
//! one row; there is no other way to get one. Ids are never reused.

use crate::net::Country;
use crate::vendor::Vendor;
use std::fmt;

/// One row of the list. Sorts by id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(u16);

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

struct EndpointFacts {
    id: u16,
    pattern: &'static str,
    owner_vendor: Option<u8>,
    owner_name: &'static str,
    owner_country: [u8; 2],
    class: Class,
    edge: Option<&'static str>,
}

include!(concat!(env!("OUT_DIR"), "/endpoints.rs"));

impl EndpointId {
    /// Every endpoint, by id.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        ENDPOINTS.iter().map(|facts| Self(facts.id))
    }

    /// The endpoint with this wire number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let id = u16::try_from(number).ok()?;
        ENDPOINTS.binary_search_by_key(&id, |facts| facts.id).ok().map(|_| Self(id))
    }

    /// The endpoint a host name (lower case, no trailing dot) belongs to: the longest pattern wins.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        ENDPOINTS
            .iter()
            .filter(|facts| facts.matches(name))
            .max_by_key(|facts| facts.pattern.len())
            .map(|facts| Self(facts.id))
    }

    /// The wire number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// The pattern it stands for: a host name, or `*.domain`.
    #[must_use]
    pub fn pattern(self) -> &'static str {
        self.facts().pattern
    }

    /// The vendor that owns it, if one does.
    #[must_use]
    pub fn owner_vendor(self) -> Option<Vendor> {
        self.facts().owner_vendor.and_then(|number| Vendor::from_number(u32::from(number)))
    }

    /// The name of its owner, vendor or not.
    #[must_use]
    pub fn owner_name(self) -> &'static str {
        self.facts().owner_name
    }

    /// Where its owner has its seat.
    #[must_use]
    pub fn owner_country(self) -> Country {
        Country::new(self.facts().owner_country).expect("the build checked the code")
    }

    /// What it is for.
    #[must_use]
    pub fn class(self) -> Class {
        self.facts().class
    }

    /// Whether a content network serves it, from close to the home: then no prefix leaves.
    #[must_use]
    pub fn edge(self) -> Option<&'static str> {
        self.facts().edge
    }

    fn facts(self) -> &'static EndpointFacts {
        let at = ENDPOINTS.binary_search_by_key(&self.0, |facts| facts.id);
        &ENDPOINTS[at.expect("only listed ids get in")]
    }
}

impl EndpointFacts {
    fn matches(&self, name: &str) -> bool {
        match self.pattern.strip_prefix("*.") {
            None => name == self.pattern,
            Some(domain) => name
                .strip_suffix(domain)
                .is_some_and(|front| front.is_empty() || front.ends_with('.')),
        }
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
