//! The census: which vendors' phones were present in the home on a day, whether or not they spoke.
//!
//! It is the denominator of every share, so a day on which an allowed phone was present is reported
//! also when nothing was contacted.

use crate::vendor::Vendor;
use std::collections::BTreeMap;

/// How a phone's vendor is known, decided per phone and day. Sorts from strongest to weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// Its holder said so.
    Declared,
    /// One piece of evidence that only this vendor's phones give.
    Decisive,
    /// p >= 0.9 without any evidence from names or endpoints.
    Inferred,
    /// p >= 0.9 only with such evidence: a number of its own, never part of a share.
    Circular,
}

/// How many phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhoneCount {
    /// One.
    One,
    /// Two.
    Two,
    /// Three or more.
    ThreeOrMore,
}

/// The share of those phones' bytes that had no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnnamedShare {
    /// Below 10 %.
    Below10,
    /// 10 to 50 %.
    From10To50,
    /// Above 50 %.
    Above50,
}

/// One row of the census.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CensusRow {
    /// How many phones.
    pub phones: PhoneCount,
    /// How much of their bytes had no name.
    pub unnamed: UnnamedShare,
}

/// The phones of one home on one day: one row per vendor and basis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// The rows, sorted as on the wire.
    pub rows: BTreeMap<(Vendor, Basis), CensusRow>,
    /// Allowed phones nobody could tell the vendor of, if any.
    pub unidentified: Option<PhoneCount>,
}

impl Basis {
    /// Whether phones known this way are counted in shares.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        !matches!(self, Self::Circular)
    }

    /// The word in tables and previews.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Decisive => "decisive",
            Self::Inferred => "inferred",
            Self::Circular => "circular",
        }
    }
}

impl PhoneCount {
    /// The step for a number of phones; `None` for zero.
    #[must_use]
    pub const fn of(phones: usize) -> Option<Self> {
        match phones {
            0 => None,
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => Some(Self::ThreeOrMore),
        }
    }

    /// The word in tables and previews.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
            Self::ThreeOrMore => "3+",
        }
    }
}

impl UnnamedShare {
    /// The step for `unnamed` bytes out of `total`; nothing out of nothing is the lowest.
    #[must_use]
    pub const fn of(unnamed: u64, total: u64) -> Self {
        // u128: home volumes times ten fit u64, but nothing here can know that.
        let (unnamed, total) = (unnamed as u128, total as u128);
        if unnamed * 2 > total {
            Self::Above50
        } else if unnamed * 10 >= total && total > 0 {
            Self::From10To50
        } else {
            Self::Below10
        }
    }

    /// The word in tables and previews.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Below10 => "<10%",
            Self::From10To50 => "10-50%",
            Self::Above50 => ">50%",
        }
    }
}

impl Census {
    /// Two reports of the same day together: the larger of each, never the sum, because the same
    /// phone stands in both.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        for (key, row) in &other.rows {
            let mine = self.rows.entry(*key).or_insert(*row);
            mine.phones = mine.phones.max(row.phones);
            mine.unnamed = mine.unnamed.max(row.unnamed);
        }
        self.unidentified = self.unidentified.max(other.unidentified);
        self
    }
}
