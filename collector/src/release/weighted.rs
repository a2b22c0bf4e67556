//! Weighted: what the observed homes would say together if each maker's phones were among them in the
//! proportions in which they were shipped.
//!
//! A function of a release: strata are vendors whose cell for a country is shown, with the counts as
//! they are shown, so it can tell nothing that the release does not. It is of observed devices, weighted;
//! never of all phones, never the headline, never on the map. What it holds to:
//!
//! - Makers in no stratum are not guessed at: *coverage* says for how much of the shipments the strata
//!   speak.
//! - A home that would weigh more than five median homes is cut down to that, and *moved* says how much
//!   weight was taken.
//! - Below [`EFFECTIVE_HOMES_MIN`] effective homes, or from one stratum alone, nothing is said. No home
//!   then carries more than one part in the square root of 30, 18 %, of the weight.
//! - The interval covers all counts that round to those shown, places uncertain included, like every
//!   other interval here: Wilson's for as many homes as the weights leave.

mod shipments;

pub use shipments::Shipments;

use super::{BasisPoints, Cell, Column, Numbers, Release};
use crate::stats::bounds::{self, CountRange, Rounding};
pub use crate::stats::hundredths::Hundredths;
use crate::stats::weighting::{self, Stratum, Weighting};
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// Effective homes (Kish) that a shown number needs.
pub const EFFECTIVE_HOMES_MIN: u32 = 30;
/// Vendors that must speak.
const STRATA_MIN: usize = 2;
/// Homes of a vendor that must, for it to be heard.
const STRATUM_HOMES_MIN: u32 = 5;

/// A country's cell in the weighted column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weighted {
    /// Enough homes of enough vendors.
    Shown(WeightedNumbers),
    /// Not enough; nothing more is said.
    Suppressed,
}

/// What a shown one says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedNumbers {
    /// Midway between the weighted shares of the certain and of the possible.
    pub share: BasisPoints,
    /// The lower 95 % limit of the certain.
    pub share_low: BasisPoints,
    /// The upper 95 % limit of the possible.
    pub share_high: BasisPoints,
    /// The standard error of `share`, from homes within vendors and from the shipments' own doubt;
    /// rounded up.
    pub standard_error: BasisPoints,
    /// The share without weights: the same homes, each counting once.
    pub unweighted: BasisPoints,
    /// Homes in all strata, rounded.
    pub homes: u32,
    /// As many homes of equal weight would say as much (Kish); rounded down.
    pub effective_homes: u32,
    /// By how much weighting multiplies the variance (Kish); rounded down.
    pub design_effect: Hundredths,
    /// The part of all shipments that the strata stand for.
    pub coverage: BasisPoints,
    /// The part of all weight that trimming took from the heaviest.
    pub moved: BasisPoints,
    /// The vendors that speak.
    pub vendors: Vec<Vendor>,
}

/// The weighted column: every country of the server table.
#[must_use]
pub fn weighted(release: &Release, shipments: &Shipments) -> BTreeMap<Column, Weighted> {
    let columns: BTreeSet<Column> = release.server.keys().map(|&(_, column)| column).collect();
    let cell =
        |column| numbers(release, shipments, column).map_or(Weighted::Suppressed, Weighted::Shown);
    columns
        .into_iter()
        .map(|column| (column, cell(column)))
        .collect()
}

/// One vendor's homes in one column.
struct Voice {
    vendor: Vendor,
    stratum: Stratum,
    /// Shares of the certain and of the possible, as shown.
    shown: (f64, f64),
    /// The least and the most they may be, whatever was rounded away.
    ends: (f64, f64),
    x: (u32, u32),
    n: u32,
}

fn numbers(release: &Release, shipments: &Shipments, column: Column) -> Option<WeightedNumbers> {
    let rounding = Rounding::to(release.rounding);
    let voices: Vec<Voice> = shipments
        .shares()
        .filter_map(|(vendor, population)| {
            let cell = release.server.get(&(vendor, column))?;
            Voice::of(vendor, population, cell, rounding)
        })
        .collect();
    if voices.len() < STRATA_MIN {
        return None;
    }
    let strata: Vec<Stratum> = voices.iter().map(|voice| voice.stratum).collect();
    let weighting = Weighting::of(&strata).trimmed(weighting::TRIM_MEDIANS);
    let effective_homes = whole(weighting.effective_homes());
    if effective_homes < EFFECTIVE_HOMES_MIN {
        return None;
    }
    let all = |of: fn(&Voice) -> f64| voices.iter().map(of).collect::<Vec<f64>>();
    let middle = all(|voice| f64::midpoint(voice.shown.0, voice.shown.1));
    let doubt = shipments.doubt();
    let limits = |shares: &[f64]| {
        let homes = weighting.homes_for_interval(shares, doubt);
        bounds::wilson_of_share(weighting.share(shares).clamp(0.0, 1.0), homes)
    };
    let sum = |of: fn(&Voice) -> u32| voices.iter().map(of).sum::<u32>();
    let homes = sum(|voice| voice.n);
    Some(WeightedNumbers {
        share: BasisPoints::nearest(weighting.share(&middle)),
        share_low: BasisPoints::below(limits(&all(|voice| voice.ends.0)).0),
        share_high: BasisPoints::above(limits(&all(|voice| voice.ends.1)).1),
        standard_error: BasisPoints::above(weighting.variance(&middle, doubt).sqrt()),
        unweighted: BasisPoints::midway(sum(|voice| voice.x.0), sum(|voice| voice.x.1), homes),
        homes,
        effective_homes,
        design_effect: Hundredths::below(weighting.design_effect()),
        coverage: BasisPoints::nearest(strata.iter().map(|stratum| stratum.population).sum()),
        moved: BasisPoints::nearest(weighting.moved()),
        vendors: voices.iter().map(|voice| voice.vendor).collect(),
    })
}

impl Voice {
    fn of(vendor: Vendor, population: f64, cell: &Cell, rounding: Rounding) -> Option<Self> {
        let &Numbers {
            x_low, x_high, n, ..
        } = cell.numbers()?;
        if n < STRATUM_HOMES_MIN {
            return None;
        }
        // A zero is exact, and so is what is stated as nothing because it does not pass by itself.
        let range = |x: u32| match x {
            0 => CountRange::exactly(0),
            x => rounding.preimage(x),
        };
        let all = rounding.preimage(n);
        let share = |x: u32, n: u32| f64::from(x.min(n)) / f64::from(n);
        Some(Self {
            vendor,
            stratum: Stratum {
                population,
                homes: n,
            },
            shown: (share(x_low, n), share(x_high, n)),
            ends: (
                share(range(x_low).min, all.max),
                share(range(x_high).max, all.min),
            ),
            x: (x_low, x_high),
            n,
        })
    }
}

/// The whole part of a number of homes.
fn whole(homes: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates"
    )]
    let whole = homes as u32;
    whole
}

#[cfg(test)]
mod tests;
