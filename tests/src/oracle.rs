//! The naive model: what a release must say, added up without agents, wire, journal or fold.
//!
//! It knows whose phones a synthetic home has and where its errands go, and adds in a map. Where the
//! pipeline and this differ, one of them is wrong.

use crate::traffic::home::Home;
use crate::traffic::phone::{Openness, Phone};
use crate::traffic::site::{Region, repertoire};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// Homes, not rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Homes with a phone of the vendor that can be told.
    pub n: u32,
    /// Those of them that reach the country.
    pub x: u32,
}

/// Vendor by server country (ISO alpha-2), of homes that are all at home on four days and more.
#[must_use]
pub fn by_server_country(homes: &[Home]) -> BTreeMap<(Vendor, &'static str), Expected> {
    let asked = homes_with(homes);
    let mut reached: BTreeMap<_, u32> = BTreeMap::new();
    for home in homes {
        let pairs: BTreeSet<_> = home
            .phones
            .iter()
            .filter(is_told)
            .flat_map(reaches)
            .collect();
        pairs
            .into_iter()
            .for_each(|pair| *reached.entry(pair).or_default() += 1);
    }
    let cells = reached.into_iter();
    cells
        .map(|((vendor, country), x)| {
            (
                (vendor, country),
                Expected {
                    n: asked[&vendor],
                    x,
                },
            )
        })
        .collect()
}

/// Homes by the vendors whose phones can be told there.
#[must_use]
pub fn homes_with(homes: &[Home]) -> BTreeMap<Vendor, u32> {
    let mut asked = BTreeMap::new();
    for home in homes {
        let told = home.phones.iter().filter(is_told);
        let vendors: BTreeSet<_> = told.map(|(phone, _)| phone.make.vendor()).collect();
        vendors
            .into_iter()
            .for_each(|vendor| *asked.entry(vendor).or_default() += 1);
    }
    asked
}

/// Whether anybody can say whose phone it is.
fn is_told((phone, _): &&(Phone, Vec<Region>)) -> bool {
    phone.openness != Openness::Silent
}

/// The countries in which a phone meets its own maker.
fn reaches(
    (phone, regions): &(Phone, Vec<Region>),
) -> impl Iterator<Item = (Vendor, &'static str)> {
    let vendor = phone.make.vendor();
    repertoire(phone.make, regions).filter_map(move |errand| {
        let endpoint = EndpointId::of_name(errand.host).expect("errands are listed");
        let counts = endpoint.owner_vendor() == Some(vendor)
            && endpoint.class().is_vendors_own()
            && endpoint.edge().is_none();
        counts.then(|| (vendor, errand.ground.city().country))
    })
}

/// To the nearest multiple of five, as releases round.
#[must_use]
pub const fn rounded(count: u32) -> u32 {
    (count + 2) / 5 * 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;
    use crate::traffic::population;
    use phonehome_proto::limits;

    #[test]
    fn in_the_demo_one_more_home_changes_no_number() {
        let homes = population::homes(population::SEED, demo::HOMES);
        let counts = homes_with(&homes)
            .into_iter()
            .map(|(vendor, n)| (vendor, "homes", n));
        let cells = by_server_country(&homes);
        let cells = cells
            .into_iter()
            .map(|((vendor, country), cell)| (vendor, country, cell.x));
        for (vendor, what, count) in counts.chain(cells) {
            let same = rounded(count) == rounded(count + 1);
            // Smaller counts are not shown, and one home more in no known network does not change that.
            assert!(
                same || count < limits::GATE_HOMES_MIN,
                "{vendor} {what}: {count}"
            );
        }
    }
}
