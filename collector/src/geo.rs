//! Geography: where servers stand, who runs the networks they stand in, and who owns the names.
//!
//! Three separate facts, never merged. Takes prefixes, addresses and endpoints; gives candidates
//! with a status, never one country that hides the doubt. Everything comes from one
//! [`atlas::Atlas`], an immutable and dated set, whose list of sources stands on every release.
//! Nothing in here reads a file or asks a network: whoever has the bytes hands them over.

pub mod anycast;
pub mod atlas;
pub mod country;
pub mod distances;
pub mod exercise;
pub mod in_use;
pub mod light;
pub mod lookup;
pub mod network;
pub mod owner;
mod packed;
mod range;
pub mod region;

use phonehome_proto::net::Country;
use std::collections::BTreeSet;

/// Where something stands: a country, or one of the two places that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// A country or territory.
    Country(Country),
    /// Served from many places at once.
    Anycast,
    /// No table knows.
    Unknown,
}

/// How well a place is known. Sorts from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaceStatus {
    /// Two sources agree, none contradicts.
    Confident,
    /// One source only.
    Single,
    /// Sources name several countries, or one and the light many places.
    Disputed,
    /// Served from many places at once.
    Anycast,
    /// No source knows.
    Unknown,
}

/// One table of the atlas a release was made with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AtlasSource {
    /// What it is, `DB-IP Lite country`.
    pub name: String,
    /// Its build date or version, `2026-06-01`.
    pub build: String,
    /// Its licence and the attribution it asks for.
    pub licence: String,
}

/// Where something may stand, and how well that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    candidates: BTreeSet<Country>,
    status: PlaceStatus,
}

// === impl Column ===

impl Column {
    /// The code in tables: ISO alpha-2, `XK`, `anycast` or `unknown`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Country(country) => country.as_str(),
            Self::Anycast => "anycast",
            Self::Unknown => "unknown",
        }
    }
}

// === impl PlaceStatus ===

impl PlaceStatus {
    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confident => "confident",
            Self::Single => "single",
            Self::Disputed => "disputed",
            Self::Anycast => "anycast",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a home whose contact stands so is among the homes that certainly did it.
    ///
    /// A single source counts as certain here, and makes the cell imprecise instead. That a place is
    /// anycast, or in no table, is itself certain.
    #[must_use]
    pub const fn counts_low(self) -> bool {
        !matches!(self, Self::Disputed)
    }
}

// === impl Place ===

impl Place {
    /// A fact that needs no second source: the one place, known.
    #[must_use]
    pub fn known(country: Country) -> Self {
        Self {
            candidates: BTreeSet::from([country]),
            status: PlaceStatus::Confident,
        }
    }

    /// A place that is many.
    #[must_use]
    pub const fn anycast() -> Self {
        Self {
            candidates: BTreeSet::new(),
            status: PlaceStatus::Anycast,
        }
    }

    /// What follows from the countries each source names; a source that names none stays out of it.
    #[must_use]
    pub fn of_opinions<'a>(opinions: impl IntoIterator<Item = &'a BTreeSet<Country>>) -> Self {
        let mut candidates = BTreeSet::new();
        let mut speakers = 0_u32;
        for countries in opinions {
            speakers += u32::from(!countries.is_empty());
            candidates.extend(countries);
        }
        let status = match (candidates.len(), speakers) {
            (0, _) => PlaceStatus::Unknown,
            (1, 1) => PlaceStatus::Single,
            (1, _) => PlaceStatus::Confident,
            _ => PlaceStatus::Disputed,
        };
        Self { candidates, status }
    }

    /// One of these, as far as anybody can say: what is left of opinions on an address that answers
    /// from many places. Tables know one of its places at most, so however many agree, it is no more
    /// than possible that this one serves these homes. Without candidates it is anycast.
    #[must_use]
    pub fn one_of(candidates: BTreeSet<Country>) -> Self {
        if candidates.is_empty() {
            return Self::anycast();
        }
        Self {
            candidates,
            status: PlaceStatus::Disputed,
        }
    }

    /// The countries it may stand in; none for anycast and unknown.
    #[must_use]
    pub const fn candidates(&self) -> &BTreeSet<Country> {
        &self.candidates
    }

    /// How well it is known.
    #[must_use]
    pub const fn status(&self) -> PlaceStatus {
        self.status
    }

    /// The columns of a table it counts in.
    pub fn columns(&self) -> impl Iterator<Item = Column> {
        let none = match self.status {
            PlaceStatus::Anycast => Some(Column::Anycast),
            PlaceStatus::Unknown => Some(Column::Unknown),
            PlaceStatus::Confident | PlaceStatus::Single | PlaceStatus::Disputed => None,
        };
        self.candidates
            .iter()
            .copied()
            .map(Column::Country)
            .chain(none)
    }
}
