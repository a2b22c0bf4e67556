//! The speed of light: what a round trip says about a country.
//!
//! A handshake that took r ms reached at most (r + 1) x 149.9 km far: half the way of light in
//! vacuum, plus a millisecond for clocks; that covers microwave, laser links and hollow fibre
//! alike. A country farther from the home's country than that is *refuted*; nothing is ever
//! confirmed, because waiting is easy. The steps homes report are rounded up and the distances
//! between countries rounded down, so both err on the side of the database.
//!
//! A home can lie about its round trips, and a proxy on the way can answer early. So a country falls
//! only when homes in [`NETWORKS_MIN`] networks refute it, each by [`RttSamples::FiveOrMore`]
//! handshakes; homes in two countries, in uninhabited networks, or whose every round trip is of the
//! shortest step (something close by answers for everybody) refute nothing.

use super::AtlasSource;
use super::network::{Asn, Origin};
use super::packed::{self, Cursor, Damaged};
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::observation::{Rtt, RttSamples};
use phonehome_proto::scale::{RTT_STEPS_MS, RttStep};
use std::collections::{BTreeMap, BTreeSet};

/// Networks whose homes must refute a country before it is struck out. At least as many homes.
pub const NETWORKS_MIN: usize = 2;

/// Refutations heard of at once; beyond, those of the highest prefixes are shed and counted.
pub const HEARSAY_MAX: usize = 1 << 18;

/// Metres of distance per millisecond of round trip: half of 299,792 m, rounded up.
const METRES_PER_MS: u64 = 149_897;
/// Added to every round trip, for clocks and rounding.
const SLACK_MS: u64 = 1;

const DISTANCES: &[u8] = include_bytes!("../../data/distances.bin.zst");
const MAGIC: &[u8] = b"PHDIST01";
const DISTANCES_LICENCE: &str =
    "derived from Natural Earth (public domain) by way of world-atlas (ISC)";

/// The least distance between any two countries.
pub struct Distances {
    /// Sorted.
    countries: Vec<Country>,
    /// The upper triangle, row by row, in kilometres.
    kilometres: Vec<u16>,
}

/// Who refutes what, while the homes of a week are read. Hearing is commutative, and so is adding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearsay {
    /// The [`NETWORKS_MIN`] lowest networks that refute a country for a prefix.
    refuted: BTreeMap<(Prefix, Country), BTreeSet<Asn>>,
}

/// The countries struck out for each prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refuted(BTreeMap<Prefix, BTreeSet<Country>>);

// === impl Distances ===

impl Distances {
    /// The table that is compiled in.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn embedded() -> Self {
        let table = packed::unpack(DISTANCES).expect("the committed table unpacks");
        Self::read(&table).expect("the committed table is well formed")
    }

    fn read(table: &[u8]) -> Result<Self, Damaged> {
        let mut cursor = Cursor::new(table, MAGIC)?;
        let count = usize::from(cursor.u16()?);
        let countries = (0..count)
            .map(|_| {
                let code = cursor.bytes(2)?;
                Country::new([code[0], code[1]]).ok_or(Damaged::Format("no country code"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if !countries.is_sorted() {
            return Err(Damaged::Format("countries out of order"));
        }
        let pairs = count * count.saturating_sub(1) / 2;
        let kilometres = (0..pairs).map(|_| cursor.u16()).collect::<Result<_, _>>()?;
        cursor.end()?;
        Ok(Self {
            countries,
            kilometres,
        })
    }

    /// What it is, for the list on every release.
    #[must_use]
    pub fn about(&self) -> AtlasSource {
        AtlasSource {
            name: "least distances between countries".to_owned(),
            build: "world-atlas 2.0.2".to_owned(),
            licence: DISTANCES_LICENCE.to_owned(),
        }
    }

    /// Two countries are at least so many kilometres apart; `None` where an outline is missing.
    #[must_use]
    pub fn kilometres(&self, a: Country, b: Country) -> Option<u16> {
        let (a, b) = (a.min(b), a.max(b));
        let (row, column) = (
            self.countries.binary_search(&a).ok()?,
            self.countries.binary_search(&b).ok()?,
        );
        if row == column {
            return Some(0);
        }
        // Row r begins after the r longer rows before it.
        let begin = row * (2 * self.countries.len() - row - 1) / 2;
        Some(self.kilometres[begin + column - row - 1])
    }

    /// Whether a server that answered a home in `home` within `rtt` cannot stand in `place`.
    #[must_use]
    pub fn refutes(&self, home: Country, place: Country, rtt: RttStep) -> bool {
        let Some(kilometres) = self.kilometres(home, place) else {
            return false;
        };
        u64::from(kilometres) * 1_000 > (u64::from(rtt.ms()) + SLACK_MS) * METRES_PER_MS
    }
}

// === impl Hearsay ===

impl Hearsay {
    /// What one home's round trip to a prefix says about the places it may stand in. Gives the
    /// number of refutations shed.
    #[must_use]
    pub fn hear(
        &mut self,
        distances: &Distances,
        home: Origin,
        prefix: Prefix,
        candidates: &BTreeSet<Country>,
        rtt: Rtt,
    ) -> u64 {
        if rtt.samples != RttSamples::FiveOrMore {
            return 0;
        }
        let refuted = candidates
            .iter()
            .filter(|&&at| distances.refutes(home.country, at, rtt.min));
        refuted
            .map(|&place| self.note((prefix, place), [home.network]))
            .sum()
    }

    /// Everything that another slice of the week heard. Gives the number of refutations shed.
    #[must_use]
    pub fn add(&mut self, other: Self) -> u64 {
        other
            .refuted
            .into_iter()
            .map(|(key, networks)| self.note(key, networks))
            .sum()
    }

    /// The verdicts: a country falls when enough networks agree that it must.
    #[must_use]
    pub fn settle(self) -> Refuted {
        let mut out = Refuted::default();
        for ((prefix, place), networks) in self.refuted {
            if networks.len() >= NETWORKS_MIN {
                out.0.entry(prefix).or_default().insert(place);
            }
        }
        out
    }

    /// Keeps the lowest keys and the lowest networks, so that the order of hearing never shows.
    fn note(&mut self, key: (Prefix, Country), networks: impl IntoIterator<Item = Asn>) -> u64 {
        let heard = self.refuted.entry(key).or_default();
        heard.extend(networks);
        while heard.len() > NETWORKS_MIN {
            heard.pop_last();
        }
        if self.refuted.len() > HEARSAY_MAX {
            self.refuted.pop_last();
            return 1;
        }
        0
    }
}

// === impl Refuted ===

impl Refuted {
    /// The countries in which a server of this prefix cannot stand.
    #[must_use]
    pub fn of(&self, prefix: Prefix) -> Option<&BTreeSet<Country>> {
        self.0.get(&prefix)
    }
}

/// Whether this is the shortest step: if all of a home's round trips are, a box close by answers.
#[must_use]
pub fn is_shortest(step: RttStep) -> bool {
    step.ms() == u32::from(RTT_STEPS_MS[0])
}

#[cfg(test)]
mod tests;
