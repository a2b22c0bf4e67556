//! Composition: in which countries the homes behind a vendor's world numbers stand.
//!
//! A world figure of homes that are mostly in one country is that country's figure, so it never
//! stands without this. Taken from the shown cells of the table by home country and from nothing
//! else: it tells nobody what a reader of the release could not look up.

use super::{Matrix, Release};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// The homes with a vendor's phones, as far as it is told where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composition {
    /// All of them, rounded: the `n` of the vendor's world cells.
    pub homes: u32,
    /// Those of each home country that is told apart, and of the other countries together (`None`),
    /// each rounded.
    pub parts: BTreeMap<Option<Country>, u32>,
}

/// The composition of one vendor's homes; `None` if it has no world number.
#[must_use]
pub fn composition(release: &Release, vendor: Vendor) -> Option<Composition> {
    let homes = homes(&release.server, vendor)?;
    let mut parts = BTreeMap::new();
    for ((of, _, home), cell) in &release.home {
        if let Some(numbers) = cell.numbers().filter(|_| *of == vendor) {
            // Whoever is asked is asked about every country: the number is the same in each cell.
            let part = parts.entry(*home).or_insert(0);
            *part = numbers.n.max(*part);
        }
    }
    Some(Composition { homes, parts })
}

/// The composition of every vendor that has any world number.
#[must_use]
pub fn compositions(release: &Release) -> BTreeMap<Vendor, Composition> {
    Vendor::all()
        .filter_map(|vendor| Some((vendor, composition(release, vendor)?)))
        .collect()
}

/// Homes asked about a vendor, rounded, where any cell of a matrix says so.
#[must_use]
pub fn homes(matrix: &Matrix, vendor: Vendor) -> Option<u32> {
    let row = matrix.iter().filter(|((of, _), _)| *of == vendor);
    row.filter_map(|(_, cell)| cell.numbers())
        .map(|numbers| numbers.n)
        .max()
}

impl Composition {
    /// Whether the parts that are told are fewer homes than all of them.
    #[must_use]
    pub fn leaves_a_rest(&self) -> bool {
        self.parts.values().sum::<u32>() < self.homes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;
    use crate::release::{Cell, Column};

    #[test]
    fn only_shown_cells_are_told() {
        let mut release = fixture::release();
        let vendor = |id| Vendor::from_id(id).expect("a listed vendor");
        let country = |code| Country::parse(code).expect("a code");
        let of = compositions(&release);
        let xiaomi = &of[&vendor("xiaomi")];
        assert_eq!(xiaomi.homes, 40);
        assert_eq!(xiaomi.parts, BTreeMap::from([(Some(country("DE")), 30)]));
        assert!(xiaomi.leaves_a_rest());
        assert!(of[&vendor("samsung")].parts.is_empty());
        // No number of its own, no composition.
        assert!(!of.contains_key(&vendor("sony")));

        let key = (vendor("xiaomi"), Column::Country(country("SG")), None);
        release.home.insert(key, fixture::value(5, 10));
        assert!(!compositions(&release)[&vendor("xiaomi")].leaves_a_rest());
        for cell in release.home.values_mut() {
            *cell = Cell::Suppressed;
        }
        assert!(compositions(&release)[&vendor("xiaomi")].parts.is_empty());
    }
}
