//! Belonging: which endpoints stand out for the phones of one vendor.
//!
//! A function of a release, so it can tell nothing that the release does not: counts are the rounded
//! ones of shown cells, and a cell that is suppressed takes no part, on either side. What it holds to:
//!
//! - Android's phones are compared with the phones of all other Android vendors: against Apple's,
//!   whatever every Android does would stand out. Apple's have nobody to be compared with.
//! - The evidence is gold. Homes in a share know their phone's maker without any name it looked up and
//!   any endpoint it contacted, so an endpoint, even the vendor's own, never testifies for itself.
//! - At least [`HOMES_MIN`] homes in at least [`NETWORKS_MIN`] networks, or it is not tested.
//! - The test takes the least favourable counts that round to those shown, so what it finds holds for
//!   all of them. `z` takes the counts as shown: it orders, and does not prove.
//! - Not stratified by home country, for the tables are not; a home with phones of two vendors is on
//!   both sides, which makes them more alike than they are.

use super::{BasisPoints, Cell, Numbers, Release};
use crate::stats::bounds::{CountRange, Rounding};
use crate::stats::enrichment::{self, Part};
pub use crate::stats::hundredths::Hundredths;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// Homes that must have contacted an endpoint before it is tested.
pub const HOMES_MIN: u32 = 5;
/// Networks they must stand in.
pub const NETWORKS_MIN: u32 = 3;
/// False discoveries among all that is said to belong, at most: 5 %.
pub const Q_MAX: BasisPoints = BasisPoints(500);
/// Standard deviations above the others, at least: 1.96.
pub const Z_MIN: Hundredths = Hundredths(196);

/// What the prior is worth in contacts, alpha zero: few, so that it matters only where there are few.
const PRIOR_CONTACTS: f64 = 10.0;

/// One vendor's phones and one endpoint, against the phones of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// Homes with a phone of the vendor that contacted it, rounded.
    pub x: u32,
    /// Homes with a phone of the vendor, rounded.
    pub n: u32,
    /// The same of the vendors it is compared with, added up.
    pub others_x: u32,
    /// The same of the vendors it is compared with, added up.
    pub others_n: u32,
    /// The vendors it is compared with: those whose cells for this endpoint are shown.
    pub others: Vec<Vendor>,
    /// Weighted log-odds in standard deviations, rounded down.
    pub z: Hundredths,
    /// The rate of false discoveries at which it stands out (Fisher, one-sided, adjusted for all
    /// tests of the release by Benjamini and Hochberg), rounded up.
    pub q: BasisPoints,
}

/// Everything that could be tested. What is missing was not: too few homes, or nobody to compare with.
#[must_use]
pub fn belongings(release: &Release) -> BTreeMap<(Vendor, EndpointId), Belonging> {
    let contacts = contacts(release);
    let rounding = Rounding::to(release.rounding);
    let mut tested = BTreeMap::new();
    let mut chances = Vec::new();
    for (&(vendor, endpoint), cell) in &release.endpoints {
        let Some(own) = cell.numbers().filter(|_| is_comparable(vendor)) else {
            continue;
        };
        let others: BTreeMap<Vendor, &Cell> = compared(release, vendor, endpoint).collect();
        let least = rounding.preimage(own.x_low).min;
        if least < HOMES_MIN || own.networks < NETWORKS_MIN || others.is_empty() {
            continue;
        }
        let mut against = Part { these: 0, all: 0 };
        let mut worst = Part { these: 0, all: 0 };
        let mut contacts_of_others = 0;
        for (other, cell) in &others {
            let numbers = cell.numbers().expect("only shown cells are compared");
            against.these += numbers.x_high;
            against.all += numbers.n;
            let all = rounding.preimage(numbers.n).min;
            worst.all += all;
            worst.these += did(cell, numbers, rounding).max.min(all);
            contacts_of_others += contacts[other];
        }
        let odds = enrichment::log_odds(
            Part {
                these: own.x_low,
                all: contacts[&vendor],
            },
            Part {
                these: against.these,
                all: contacts_of_others,
            },
            PRIOR_CONTACTS,
        );
        let Some(odds) = odds else { continue };
        let at_worst = Part {
            these: least,
            all: rounding.preimage(own.n).max,
        };
        chances.push(enrichment::fisher(at_worst, worst));
        let belonging = Belonging {
            x: own.x_low,
            n: own.n,
            others_x: against.these,
            others_n: against.all,
            others: others.into_keys().collect(),
            z: Hundredths::below(odds.z),
            q: BasisPoints::ONE,
        };
        tested.insert((vendor, endpoint), belonging);
    }
    let rates = enrichment::false_discovery_rates(&chances);
    for (belonging, rate) in tested.values_mut().zip(rates) {
        belonging.q = BasisPoints::above(rate);
    }
    tested
}

impl Belonging {
    /// Whether the endpoint belongs to this vendor's phones: it stands out in both ways.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.q <= Q_MAX && self.z >= Z_MIN
    }
}

/// Whether a vendor's phones run a system that phones of others run too.
fn is_comparable(vendor: Vendor) -> bool {
    !vendor.has_own_system()
}

/// The shown cells of other vendors of the same system.
fn compared(
    release: &Release,
    vendor: Vendor,
    endpoint: EndpointId,
) -> impl Iterator<Item = (Vendor, &Cell)> {
    Vendor::all()
        .filter(move |&other| other != vendor && is_comparable(other))
        .filter_map(move |other| Some((other, release.endpoints.get(&(other, endpoint))?)))
        .filter(|(_, cell)| cell.numbers().is_some())
}

/// Every count the homes that did it may have had: none of them is exact but a zero.
const fn did(cell: &Cell, numbers: &Numbers, rounding: Rounding) -> CountRange {
    match cell {
        Cell::Zero(_) => CountRange::exactly(0),
        _ => rounding.preimage(numbers.x_high),
    }
}

/// For each vendor, its homes' contacts with all endpoints whose cells are shown.
fn contacts(release: &Release) -> BTreeMap<Vendor, u32> {
    let mut contacts: BTreeMap<Vendor, u32> = Vendor::all().map(|vendor| (vendor, 0)).collect();
    for ((vendor, _), cell) in &release.endpoints {
        if let Some(numbers) = cell.numbers() {
            *contacts.entry(*vendor).or_default() += numbers.x_high;
        }
    }
    contacts
}

#[cfg(test)]
mod tests;
