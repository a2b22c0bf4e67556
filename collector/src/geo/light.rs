//! The speed of light: what the round trips of many homes say about where a server stands.
//!
//! A handshake that took r ms reached at most (r + 1) x 149.9 km far: half the way of light in
//! vacuum, plus a millisecond for clocks; that covers microwave, laser links and hollow fibre
//! alike. A country farther from the home's country than that is *impossible*; one farther than light
//! in glass goes is *implausible*, which is a word and strikes nothing out. Nothing is ever confirmed,
//! because waiting is easy. The steps homes report are rounded up and the distances between
//! countries down, so both err on the side of the databases.
//!
//! A home can lie about its round trips, and a proxy on the way can answer early. So of every network
//! the *second* shortest home counts, and a country falls only by a [`Quorum`]: at least
//! [`NETWORKS_MIN`] networks in which it does, whose homes pass the gate together. Fewer than
//! [`Quorum::liars_min`] homes can strike out nothing that is true.

mod packed;

use super::distances::Distances;
use super::network::{Asn, Origin};
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::scale::RttStep;
use std::collections::BTreeMap;

/// Networks whose homes must refute a country before it is struck out.
pub const NETWORKS_MIN: u32 = 3;

/// Which home of a network counts: the one with the second shortest round trip, so that one that
/// lies changes nothing.
pub const HOMES_MIN: u32 = 2;

/// Pairs of a prefix and a place of homes that are heard at once; beyond, those of the highest
/// prefixes are shed and counted. About 30 MiB.
pub const HEARSAY_MAX: usize = 1 << 19;

/// Metres of distance per millisecond of round trip at the speed of light: half of 299,792 m,
/// rounded up.
const VACUUM_METRES_PER_MS: u64 = 149_897;
/// The same in glass, by the usual two thirds.
const GLASS_METRES_PER_MS: u64 = 99_931;
/// Added to every round trip, for clocks and rounding.
const SLACK_MS: u64 = 1;

/// What one round trip says about a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Near enough.
    Plausible,
    /// Farther than light in glass goes: not by any network there is today.
    Implausible,
    /// Farther than light goes.
    Impossible,
}

/// How many homes must say the same: the gate's rules, and [`NETWORKS_MIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The least weight of the homes heard in those networks: the gate's k.
    pub weight_min: u32,
    /// Homes of one network that weigh, at most.
    pub network_homes_max: u32,
}

/// Whose round trips were heard, while the homes of a week are read. Hearing is commutative, and so is
/// adding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearsay(BTreeMap<(Prefix, Origin), Echoes>);

/// Everybody was heard: what they say together, prefix by prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Testimony(BTreeMap<Prefix, Vec<(Origin, Echoes)>>);

/// Homes of one country and network, and their two shortest round trips to one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Echoes {
    homes: u32,
    shortest: RttStep,
    second: Option<RttStep>,
}

/// What the homes say together about one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What a quorum says.
    pub reach: Reach,
    /// At least so many homes lie, or stand behind a box that does, if the server is there after all.
    /// 0 for what is plausible.
    pub liars_min: u32,
}

// === impl Reach ===

impl Reach {
    /// Whether a server so far away can have answered in this time.
    #[must_use]
    pub fn of(kilometres: u16, rtt: RttStep) -> Self {
        let metres = u64::from(kilometres) * 1_000;
        if metres > radius_metres(rtt) {
            Self::Impossible
        } else if metres > (u64::from(rtt.ms()) + SLACK_MS) * GLASS_METRES_PER_MS {
            Self::Implausible
        } else {
            Self::Plausible
        }
    }
}

/// How far light gets within half of a round trip.
fn radius_metres(rtt: RttStep) -> u64 {
    (u64::from(rtt.ms()) + SLACK_MS) * VACUUM_METRES_PER_MS
}

// === impl Quorum ===

impl Quorum {
    /// The least number of homes that must lie for a false refutation, or for a place that is one to
    /// count as many, whatever the honest ones report: in every network of a quorum the second
    /// shortest round trip must be false too.
    #[must_use]
    pub const fn liars_min(self) -> u32 {
        NETWORKS_MIN * HOMES_MIN
    }

    /// Whether these networks, given by the homes heard in each, may speak.
    fn is_met(self, networks: impl Iterator<Item = u32>) -> bool {
        let weigh = |homes: u32| homes.min(self.network_homes_max);
        let (count, weight) = networks.fold((0, 0), |(count, weight), homes| {
            (count + 1, weight + weigh(homes))
        });
        count >= NETWORKS_MIN && weight >= self.weight_min
    }
}

// === impl Hearsay ===

impl Hearsay {
    /// What one home says: its shortest round trip to each prefix, of at least five handshakes. Gives
    /// how many pairs of prefix and place were shed.
    #[must_use]
    pub fn hear(
        &mut self,
        home: Origin,
        round_trips: impl IntoIterator<Item = (Prefix, RttStep)>,
    ) -> u64 {
        let one = |rtt| Echoes {
            homes: 1,
            shortest: rtt,
            second: None,
        };
        round_trips
            .into_iter()
            .map(|(prefix, rtt)| self.note((prefix, home), one(rtt)))
            .sum()
    }

    /// Everything that another slice of the week heard. Gives the number of pairs shed.
    #[must_use]
    pub fn add(&mut self, other: Self) -> u64 {
        other
            .0
            .into_iter()
            .map(|(key, echoes)| self.note(key, echoes))
            .sum()
    }

    /// Nobody else will be heard.
    #[must_use]
    pub fn settle(self) -> Testimony {
        let mut out = Testimony::default();
        for ((prefix, home), echoes) in self.0 {
            out.0.entry(prefix).or_default().push((home, echoes));
        }
        out
    }

    /// Keeps the lowest keys, so that the order of hearing never shows.
    fn note(&mut self, key: (Prefix, Origin), echoes: Echoes) -> u64 {
        self.0
            .entry(key)
            .and_modify(|heard| heard.add(echoes))
            .or_insert(echoes);
        if self.0.len() > HEARSAY_MAX {
            self.0.pop_last();
            return 1;
        }
        0
    }
}

impl Echoes {
    fn add(&mut self, other: Self) {
        self.homes += other.homes;
        let mut steps = [
            Some(self.shortest),
            self.second,
            Some(other.shortest),
            other.second,
        ]
        .map(|step| (step.is_none(), step));
        steps.sort_unstable();
        (self.shortest, self.second) = (self.shortest.min(other.shortest), steps[1].1);
    }

    /// How many of the two shortest say at least this about a place so far away.
    fn saying(&self, reach: Reach, kilometres: u16) -> u32 {
        let two = [Some(self.shortest), self.second].into_iter().flatten();
        let saying = two.filter(|&rtt| Reach::of(kilometres, rtt) >= reach);
        u32::try_from(saying.count()).expect("at most two")
    }
}

// === impl Testimony ===

impl Testimony {
    /// The prefixes that anybody was heard about.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.0.keys().copied()
    }

    /// Whether a server of this prefix can stand in `place`; with `within`, so far as it answers homes
    /// of that country.
    #[must_use]
    pub fn verdict(
        &self,
        distances: &Distances,
        quorum: Quorum,
        prefix: Prefix,
        place: Country,
        within: Option<Country>,
    ) -> Verdict {
        for reach in [Reach::Impossible, Reach::Implausible] {
            // Of each network: homes heard, and those of the shortest who say so. A network may have
            // homes in several countries.
            let mut networks: BTreeMap<Asn, (u32, u32)> = BTreeMap::new();
            for (home, echoes) in self.heard(prefix, within) {
                if let Some(kilometres) = distances.kilometres(home.country, place) {
                    let (homes, saying) = networks.entry(home.network).or_default();
                    *homes += echoes.homes;
                    *saying += echoes.saying(reach, kilometres);
                }
            }
            networks.retain(|_, (_, saying)| *saying >= HOMES_MIN);
            if quorum.is_met(networks.values().map(|(homes, _)| *homes)) {
                let liars_min = networks.values().map(|(_, saying)| saying).sum();
                return Verdict { reach, liars_min };
            }
        }
        Verdict {
            reach: Reach::Plausible,
            liars_min: 0,
        }
    }

    /// Whether homes of this country were heard in enough networks to say where the server that
    /// answers them is not.
    #[must_use]
    pub fn speaks(&self, quorum: Quorum, prefix: Prefix, within: Country) -> bool {
        self.disc_metres(quorum, prefix, within).is_some()
    }

    /// Whether no single place can have answered everybody: the servers near homes of one country
    /// are too far from those near homes of another.
    ///
    /// Each country's disc is drawn by a quorum of its own, three networks that pass the gate by
    /// themselves. With one quorum across both, a pair of networks on the other side of the world
    /// could be all that stands against thousands of homes; and since a single false disc makes two
    /// that do not meet, a side with less behind it would be the price of the whole.
    #[must_use]
    pub fn is_anycast(&self, distances: &Distances, quorum: Quorum, prefix: Prefix) -> bool {
        let mut countries: Vec<Country> = self
            .heard(prefix, None)
            .map(|(home, _)| home.country)
            .collect();
        // Origins are sorted by country first.
        countries.dedup();
        let discs: Vec<(Country, u64)> = countries
            .into_iter()
            .filter_map(|country| Some((country, self.disc_metres(quorum, prefix, country)?)))
            .collect();
        discs.iter().enumerate().any(|(at, &(one, near_one))| {
            discs[at + 1..].iter().any(|&(other, near_other)| {
                distances
                    .kilometres(one, other)
                    .is_some_and(|apart| u64::from(apart) * 1_000 > near_one + near_other)
            })
        })
    }

    /// How far from this country a server can stand that answers its homes: the least distance on
    /// which a quorum of its networks agree, each by its second shortest round trip.
    fn disc_metres(&self, quorum: Quorum, prefix: Prefix, country: Country) -> Option<u64> {
        let mut networks: Vec<(RttStep, u32)> = self
            .heard(prefix, Some(country))
            .filter_map(|(_, echoes)| Some((echoes.second?, echoes.homes)))
            .collect();
        networks.sort_unstable();
        (1..=networks.len())
            .find(|&nearest| quorum.is_met(networks[..nearest].iter().map(|(_, homes)| *homes)))
            .map(|nearest| radius_metres(networks[nearest - 1].0))
    }

    fn heard(
        &self,
        prefix: Prefix,
        within: Option<Country>,
    ) -> impl Iterator<Item = (Origin, Echoes)> {
        let all = self.0.get(&prefix).into_iter().flatten().copied();
        all.filter(move |(home, _)| within.is_none_or(|country| home.country == country))
    }
}

#[cfg(test)]
mod tests;
