//! A release: what the observatory says about one closed week, and all it will ever say.
//!
//! A plain value that passed the gate: `api`, `map`, `site` and `publish` accept nothing else. Its
//! cells are an enum of six states, so that a suppressed cell *has* no numbers to leak. There are
//! no floats in it: shares are basis points, so the same counters give the same bytes everywhere.
//! [`gate`] alone makes one, out of counters. What else is said of a week ([`belonging`],
//! [`composition`], [`weighted`]) is worked out of a release, so that it cannot say more.

pub mod belonging;
pub mod composition;
pub mod gate;
pub mod revision;
pub mod weighted;

pub use crate::geo::network::operator::OPERATORS_MAX;
pub use crate::geo::owner::registry::RegistryAnswers;
pub use crate::geo::{AtlasSource, Column, PlaceStatus};
pub use crate::stats::share::BasisPoints;

use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::time::{Timestamp, Week};
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The name of a release: `2026-W46.0`, a week and its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId {
    /// The week it speaks of.
    pub week: Week,
    /// 0 at first, 1 if it was revised; never more.
    pub revision: u8,
}

/// One closed week, gated, rounded, bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub id: ReleaseId,
    /// When the week closed: T + 4 days, not when somebody pressed a key.
    pub closed_at: Timestamp,
    /// Findings, or an exercise with synthetic homes.
    pub purpose: Purpose,
    /// The gate's k: the least sum over networks of min(homes, `network_homes_max`).
    pub k: u32,
    /// At most so many homes of one network weigh in the gate.
    pub network_homes_max: u32,
    /// Counts are rounded to multiples of this before anything is derived from them.
    pub rounding: u32,
    /// At least so many homes must lie before their round trips strike out a country in which a server
    /// does stand, or make one place many.
    pub refutation_homes_min: u32,
    /// The version of the method, raised whenever the same counters would give other numbers.
    pub method: u32,
    /// Which tables said where the servers stand.
    pub atlas: Vec<AtlasSource>,
    /// Homes that reported in the week, rounded; `None` while they do not pass the gate.
    pub homes: Option<u32>,
    /// Networks those homes stand in, on the "at least" steps; `None` like `homes`.
    pub networks: Option<u32>,
    /// Vendor by country of the server.
    pub server: Matrix,
    /// Vendor by country of the network operator's registration.
    pub network: Matrix,
    /// Companies in whose networks homes enough met a vendor's own endpoints; names, and no numbers.
    pub operators: BTreeSet<(Vendor, NetworkOperator)>,
    /// Vendor by country of the domain owner.
    pub owner: Matrix,
    /// Vendor by server country by the home's country, or "other" (`None`).
    pub home: HomeTable,
    /// Vendor by endpoint of the public list.
    pub endpoints: BTreeMap<(Vendor, EndpointId), Cell>,
    /// What registries answered about the registrants of domains, where the owners' table was made with
    /// it.
    pub registrants: RegistryAnswers,
    /// What changed since the first release, and why; `None` for a first release.
    pub revision: Option<revision::Revision>,
}

/// A company that runs networks, told apart by name and country.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkOperator {
    /// What it is called, `Alibaba Cloud`.
    pub name: String,
    /// Under which country its networks are registered.
    pub country: Country,
}

/// Vendor by country. Every vendor of the list and every column that any vendor has stands in it.
pub type Matrix = BTreeMap<(Vendor, Column), Cell>;

/// Vendor by country of the server by country of the home.
pub type HomeTable = BTreeMap<(Vendor, Column, Option<Country>), Cell>;

/// One cell of a table, in one of six states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Passes the gate, and two sources agree on the place.
    Value(Numbers),
    /// The homes asked pass the gate, and none of them did it.
    Zero(Numbers),
    /// Passes the gate, but the place rests on one source, or the interval spans more than one class.
    Imprecise(Numbers),
    /// Fewer homes or networks than the gate asks; nothing more is said.
    Suppressed,
    /// No home with a phone of this vendor reported.
    NoData,
    /// The question makes no sense here: the public list knows no endpoint of the vendor's own.
    NotApplicable,
}

/// What a shown cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Midway between `x_low / n` and `x_high / n`.
    pub share: BasisPoints,
    /// Wilson's lower limit (95 %) of every `x_low / n` that rounds to these counts.
    pub share_low: BasisPoints,
    /// Wilson's upper limit (95 %) of every `x_high / n` that rounds to these counts.
    pub share_high: BasisPoints,
    /// Homes with the country as their only candidate, rounded; 0 when they alone do not pass the
    /// gate, which is a weaker bound and still true.
    pub x_low: u32,
    /// Homes with the country among the candidates, rounded; in a zero cell exact.
    pub x_high: u32,
    /// Homes asked, rounded.
    pub n: u32,
    /// At least so many networks stand behind the cell.
    pub networks: u32,
    /// At least so many homes must be lying for the cell to vanish.
    pub radius: u32,
    /// How the places behind the cell are known; the weakest one that counts.
    pub place_status: PlaceStatus,
}

// === impl ===

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.week, self.revision)
    }
}

impl std::str::FromStr for ReleaseId {
    type Err = NotARelease;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NotARelease(text.to_owned());
        let (week, revision) = text.split_once('.').ok_or_else(refuse)?;
        let id = Self {
            week: week.parse().map_err(|_| refuse())?,
            revision: revision.parse().map_err(|_| refuse())?,
        };
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(refuse())
        }
    }
}

/// A text that names no release.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is not a release: write it like 2026-W46.0")]
pub struct NotARelease(pub String);

impl Cell {
    /// The numbers, in the three states that have any.
    #[must_use]
    pub const fn numbers(&self) -> Option<&Numbers> {
        match self {
            Self::Value(numbers) | Self::Zero(numbers) | Self::Imprecise(numbers) => Some(numbers),
            Self::Suppressed | Self::NoData | Self::NotApplicable => None,
        }
    }

    /// The word in tables.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Value(_) => "value",
            Self::Zero(_) => "zero",
            Self::Imprecise(_) => "imprecise",
            Self::Suppressed => "suppressed",
            Self::NoData => "no_data",
            Self::NotApplicable => "not_applicable",
        }
    }
}
