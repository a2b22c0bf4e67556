//! The atlas: one immutable, dated set of every table of geography, which serves a whole week.
//!
//! It is swapped whole, never in part, and its list of sources stands on every release made with it.
//! [`Atlas::locate`] asks every country database for the *whole* prefix and keeps every opinion
//! apart; the light decides later what cannot be.

use super::anycast::AnycastTable;
use super::country::CountrySource;
use super::exercise::ExerciseTable;
use super::light::Distances;
use super::network::{Asn, NetworkTable, Origin};
use super::{AtlasSource, Place, owner};
use phonehome_proto::net::{Country, Prefix, Scope};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

/// Every table, of one date each. A clone shares them.
#[derive(Clone)]
pub struct Atlas {
    countries: Vec<Arc<CountrySource>>,
    networks: Arc<NetworkTable>,
    anycast: Arc<AnycastTable>,
    distances: Arc<Distances>,
    exercise: ExerciseTable,
}

/// What one source says about a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion<'a> {
    /// Who says so, with the build.
    pub source: &'a AtlasSource,
    /// Every country it names for any part of the prefix; empty where it knows none.
    pub countries: BTreeSet<Country>,
}

impl Atlas {
    /// The tables that are compiled in; unpacked at the first call.
    #[must_use]
    pub fn embedded() -> Self {
        static EMBEDDED: LazyLock<Atlas> = LazyLock::new(|| Atlas {
            countries: vec![Arc::new(CountrySource::embedded())],
            networks: Arc::new(NetworkTable::embedded()),
            anycast: Arc::new(AnycastTable::embedded()),
            distances: Arc::new(Distances::embedded()),
            exercise: ExerciseTable::default(),
        });
        EMBEDDED.clone()
    }

    /// The same with one more country database, asked beside the others.
    #[must_use]
    pub fn with_countries(mut self, source: CountrySource) -> Self {
        self.countries.push(Arc::new(source));
        self
    }

    /// The same with the homes of an exercise.
    #[must_use]
    pub fn with_exercise(mut self, table: ExerciseTable) -> Self {
        self.exercise = table;
        self
    }

    /// Its version: every table with its build and licence, country databases first.
    #[must_use]
    pub fn sources(&self) -> Vec<AtlasSource> {
        let countries = self.countries.iter().map(|source| source.about().clone());
        let networks = self.networks.about();
        let others = [self.anycast.about(), self.distances.about(), owner::about()];
        countries.chain(networks).chain(others).collect()
    }

    /// Where a home with this address stands; `None` where no table knows the country. The address
    /// itself is not kept.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Option<Origin> {
        match Scope::of(address) {
            Scope::Documentation => self.exercise.origin(address),
            Scope::Public => {
                let country = self
                    .countries
                    .iter()
                    .find_map(|source| source.country(address))?;
                let network = self.networks.network(address).unwrap_or(Asn::UNKNOWN);
                Some(Origin { country, network })
            }
            Scope::Private | Scope::Special => None,
        }
    }

    /// What every country database says about the whole prefix.
    #[must_use]
    pub fn opinions(&self, prefix: Prefix) -> Vec<Opinion<'_>> {
        let sources = self.countries.iter();
        sources
            .map(|source| Opinion {
                source: source.about(),
                countries: source.countries(prefix),
            })
            .collect()
    }

    /// Where a server of this prefix stands.
    #[must_use]
    pub fn locate(&self, prefix: Prefix) -> Place {
        self.locate_without(prefix, &BTreeSet::new())
    }

    /// Where a server of this prefix stands, if not in one of the countries that light refuted.
    ///
    /// A source that named only refuted countries has said nothing: what is left may be single where
    /// it was disputed, and unknown where it was single.
    #[must_use]
    pub fn locate_without(&self, prefix: Prefix, refuted: &BTreeSet<Country>) -> Place {
        if self.anycast.covers(prefix, &self.networks.networks(prefix)) {
            return Place::anycast();
        }
        let opinions: Vec<BTreeSet<Country>> = self
            .countries
            .iter()
            .map(|source| {
                source
                    .countries(prefix)
                    .difference(refuted)
                    .copied()
                    .collect()
            })
            .collect();
        Place::of_opinions(&opinions)
    }

    /// The networks and their operators.
    #[must_use]
    pub fn networks(&self) -> &NetworkTable {
        &self.networks
    }

    /// The distances between countries.
    #[must_use]
    pub fn distances(&self) -> &Distances {
        &self.distances
    }

    /// Whether a home here weighs in the gate. The networks of an exercise do.
    #[must_use]
    pub fn weighs(&self, network: Asn) -> bool {
        self.networks.is_inhabited(network)
    }
}

#[cfg(test)]
mod tests;
