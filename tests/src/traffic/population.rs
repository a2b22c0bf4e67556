//! Who lives in a synthetic world: homes, their networks, and whose phones they use.
//!
//! The pattern is fixed and the details are seeded, so that the counts a story needs do not depend
//! on luck: from 60 homes on, at least 20 homes with a Xiaomi phone reach Singapore and 15 reach
//! Russia, in four networks and more; no Samsung phone reaches Russia, and too few Huawei phones do.

use super::city::{self, City};
use super::home::Home;
use super::phone::{Make, Openness};
use super::site::Region;

/// A network of the exercise: a number reserved for documentation, and a city.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// RFC 5398: 64496 to 64511, 65536 to 65551.
    pub number: u32,
    /// Where its customers live.
    pub city: City,
}

/// The exercise's networks. The n-th has the addresses `2001:db8:<n>::/48`.
pub const NETWORKS: [Network; 20] = [
    network(64_496, city::BERLIN),
    network(64_497, city::PARIS),
    network(64_498, city::MANCHESTER),
    network(64_499, city::WARSAW),
    network(64_500, city::MADRID),
    network(64_501, city::MILAN),
    network(64_502, city::ANKARA),
    network(64_503, city::PUNE),
    network(64_504, city::SURABAYA),
    network(64_505, city::RECIFE),
    network(64_506, city::LAGOS),
    network(64_507, city::GUADALAJARA),
    network(64_508, city::BERLIN),
    network(64_509, city::PARIS),
    network(64_510, city::MANCHESTER),
    network(64_511, city::WARSAW),
    network(65_536, city::MADRID),
    network(65_537, city::PUNE),
    network(65_538, city::RECIFE),
    network(65_539, city::BERLIN),
];

/// The seed of the world everybody sees first.
pub const SEED: u64 = 202_005;

/// The first `count` homes of the world with this seed.
#[must_use]
pub fn homes(seed: u64, count: u32) -> Vec<Home> {
    let mut xiaomi = 0;
    (0..count)
        .map(|number| {
            let at = usize::try_from(number).expect("a home's number is small");
            let network = (at * 7 + at / NETWORKS.len()) % NETWORKS.len();
            let city = NETWORKS[network].city;
            let phones: Vec<_> = (0u32..)
                .zip(PHONES[at % PHONES.len()])
                .map(|(slot, make)| {
                    let openness = match (number * 7 + slot * 3) % 10 {
                        // No evidence tells a Pixel from Google's other devices.
                        0..=5 if *make != Google => Openness::Open,
                        0..=8 => Openness::Declared,
                        _ => Openness::Silent,
                    };
                    let nth = xiaomi;
                    xiaomi += u32::from(*make == Xiaomi);
                    (*make, openness, regions(*make, number, nth, city))
                })
                .collect();
            Home::new(seed, number, city, prefix(network), &phones)
        })
        .collect()
}

/// The first six bytes of a network's addresses.
#[must_use]
pub fn prefix(network: usize) -> [u8; 6] {
    let [high, low] = u16::try_from(network).expect("few networks").to_be_bytes();
    [0x20, 0x01, 0x0d, 0xb8, high, low]
}

/// Where a phone was set up for. `nth` counts the Xiaomi phones before it.
fn regions(make: Make, home: u32, nth: u32, city: City) -> Vec<Region> {
    let europe = matches!(city.country, "DE" | "FR" | "GB" | "PL" | "ES" | "IT");
    let mut regions = Vec::new();
    match make {
        Xiaomi => {
            if nth % 8 != 7 {
                regions.push(Region::Singapore);
            }
            if nth % 3 != 2 {
                regions.push(Region::Russia);
            }
        }
        // A handful, in a world of any size: too few for a number.
        Huawei if home < 15 => regions.push(Region::Russia),
        _ => {}
    }
    if city.country == "IN" {
        regions.push(Region::India);
    }
    if europe {
        regions.push(Region::Europe);
    }
    if matches!(city.country, "BR" | "MX") {
        regions.push(Region::America);
    }
    regions
}

const fn network(number: u32, city: City) -> Network {
    Network { number, city }
}

use Make::{Apple, Google, Huawei, Oppo, Samsung, Vivo, Xiaomi};

/// Whose phones a home has; repeats every 24 homes, out of step with the networks.
const PHONES: [&[Make]; 24] = [
    &[Xiaomi, Samsung],
    &[Samsung, Apple],
    &[Xiaomi, Oppo],
    &[Apple, Huawei],
    &[Xiaomi, Google],
    &[Samsung, Vivo],
    &[Huawei, Oppo],
    &[Xiaomi, Apple],
    &[Samsung, Vivo],
    &[Xiaomi, Oppo],
    &[Apple, Google],
    &[Xiaomi, Samsung],
    &[Samsung, Huawei],
    &[Vivo, Apple],
    &[Xiaomi, Huawei],
    &[Oppo, Samsung],
    &[Xiaomi, Google],
    &[Apple, Samsung],
    &[Huawei, Vivo],
    &[Xiaomi, Apple],
    &[Google, Samsung],
    &[Xiaomi, Oppo],
    &[Apple, Vivo],
    &[Xiaomi, Huawei],
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_story_has_its_homes() {
        let homes = homes(SEED, 60);
        let reach = |make, region| {
            let reached = homes.iter().filter(|home| {
                home.phones.iter().any(|(phone, regions)| {
                    phone.make == make
                        && phone.openness != Openness::Silent
                        && regions.contains(&region)
                })
            });
            let networks: BTreeSet<_> = reached
                .clone()
                .map(|home| home.address.octets()[..6].to_vec())
                .collect();
            (reached.count(), networks.len())
        };
        let (homes, networks) = reach(Xiaomi, Region::Singapore);
        assert!(
            homes >= 20 && networks >= 4,
            "{homes} homes, {networks} networks"
        );
        let (homes, networks) = reach(Xiaomi, Region::Russia);
        assert!(
            homes >= 15 && networks >= 4,
            "{homes} homes, {networks} networks"
        );
        assert!((1..10).contains(&reach(Huawei, Region::Russia).0));
    }
}
