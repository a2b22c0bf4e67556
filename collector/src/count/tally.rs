//! Homes by network: a number that knows how much of it one network is.

use crate::geo::network::Asn;
use crate::packing::Packed;
use std::collections::BTreeMap;

/// So many homes, and in which networks they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    networks: BTreeMap<Asn, u32>,
    /// Homes in networks that weigh nothing: hosting, VPN, unknown.
    weightless: u32,
}

impl Tally {
    /// No homes.
    pub const NOBODY: Self = Self {
        networks: BTreeMap::new(),
        weightless: 0,
    };

    /// One home more, in this network, or in one that weighs nothing.
    pub fn add(&mut self, network: Option<Asn>) {
        match network {
            Some(network) => *self.networks.entry(network).or_default() += 1,
            None => self.weightless += 1,
        }
    }

    /// As many homes more as `other` has.
    pub fn plus(&mut self, other: &Self) {
        for (&network, homes) in &other.networks {
            *self.networks.entry(network).or_default() += homes;
        }
        self.weightless += other.weightless;
    }

    /// The homes that are here and not in `part`.
    ///
    /// # Panics
    /// If `part` is none.
    #[must_use]
    pub fn minus(&self, part: &Self) -> Self {
        let mut rest = self.clone();
        for (network, homes) in &part.networks {
            let left = rest.networks.get_mut(network).and_then(|all| {
                *all = all.checked_sub(*homes)?;
                Some(*all)
            });
            if left.expect("a part is no larger than its whole") == 0 {
                rest.networks.remove(network);
            }
        }
        let weightless = rest.weightless.checked_sub(part.weightless);
        rest.weightless = weightless.expect("a part is no larger than its whole");
        rest
    }

    /// The homes by which two sets differ, of which one holds the other.
    ///
    /// # Panics
    /// If neither does.
    #[must_use]
    pub fn apart_from(&self, other: &Self) -> Self {
        if self.homes() >= other.homes() {
            self.minus(other)
        } else {
            other.minus(self)
        }
    }

    /// How many homes, whatever they weigh.
    #[must_use]
    pub fn homes(&self) -> u32 {
        self.networks.values().sum::<u32>() + self.weightless
    }

    /// How many networks weigh.
    #[must_use]
    pub fn networks(&self) -> u32 {
        u32::try_from(self.networks.len()).expect("there are fewer networks than AS numbers")
    }

    /// What they weigh together, when no network weighs more than `network_homes_max`.
    #[must_use]
    pub fn weight(&self, network_homes_max: u32) -> u32 {
        self.networks
            .values()
            .map(|&homes| homes.min(network_homes_max))
            .sum()
    }
}

impl Packed for Tally {
    fn pack(&self, out: &mut Vec<u8>) {
        self.networks.pack(out);
        self.weightless.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            networks: BTreeMap::unpack(from)?,
            weightless: u32::unpack(from)?,
        })
    }
}
