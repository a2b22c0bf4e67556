//! The atlas: one immutable, dated set of every table of geography, which serves a whole week.
//!
//! It is swapped whole, never in part, and its list of sources stands on every release made with it.
//! [`Atlas::locate`] asks every country database for the *whole* prefix and keeps every opinion
//! apart; the light decides later what cannot be. A host name's region token is one opinion more.

use super::anycast::AnycastTable;
use super::country::CountrySource;
use super::distances::Distances;
use super::exercise::ExerciseTable;
use super::network::{Asn, NetworkTable, Origin};
use super::owner::OwnerTable;
use super::{AtlasSource, Place, region};
use phonehome_proto::net::{Country, Prefix, Scope};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use thiserror::Error;

/// Every table, of one date each. A clone shares them.
#[derive(Clone)]
pub struct Atlas {
    countries: Vec<Arc<CountrySource>>,
    networks: Arc<NetworkTable>,
    anycast: Arc<AnycastTable>,
    distances: Arc<Distances>,
    owners: Arc<OwnerTable>,
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

/// A database older than its twin in use: with it, places would go back to what they were.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the database '{name}' is refused: it was built on {build}, before '{in_use}' of {in_use_build}, which stays in use"
)]
pub struct Older {
    /// The name of the refused one.
    pub name: String,
    /// Its build date.
    pub build: String,
    /// The name of the one in use.
    pub in_use: String,
    /// Its build date.
    pub in_use_build: String,
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
            owners: OwnerTable::embedded(),
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

    /// The same with this country database in the place of its twin
    /// ([`CountrySource::is_twin_of`]), or beside the others if it has none: two builds of one table
    /// must not agree with one another. This atlas stays as it is.
    ///
    /// # Errors
    /// [`Older`] if the twin in use was built later.
    pub fn replace(&self, source: CountrySource) -> Result<Self, Older> {
        let is_twin = |other: &&Arc<CountrySource>| source.is_twin_of(other);
        if let Some(newer) = self
            .countries
            .iter()
            .filter(is_twin)
            .find(|twin| twin.built() > source.built())
        {
            return Err(Older {
                name: source.about().name.clone(),
                build: source.about().build.clone(),
                in_use: newer.about().name.clone(),
                in_use_build: newer.about().build.clone(),
            });
        }
        let at = self.countries.iter().position(|other| is_twin(&other));
        let mut next = self.clone();
        next.countries.retain(|other| !is_twin(&other));
        let at = at.unwrap_or(next.countries.len());
        next.countries.insert(at, Arc::new(source));
        Ok(next)
    }

    /// The same with the homes of an exercise.
    #[must_use]
    pub fn with_exercise(mut self, table: ExerciseTable) -> Self {
        self.exercise = table;
        self
    }

    /// The same with these owners of domains.
    #[must_use]
    pub fn with_owners(mut self, table: OwnerTable) -> Self {
        self.owners = Arc::new(table);
        self
    }

    /// Its version: every table with its build and licence, country databases first.
    #[must_use]
    pub fn sources(&self) -> Vec<AtlasSource> {
        let countries = self.countries.iter().map(|source| source.about().clone());
        let networks = self.networks.about();
        let others = [
            self.anycast.about(),
            self.distances.about(),
            region::about().clone(),
        ];
        let owners = self.owners.about();
        countries
            .chain(networks)
            .chain(others)
            .chain(owners)
            .collect()
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

    /// What every country database says about the whole prefix and, of a contact whose host name
    /// carries one, what the owner's own region token says.
    #[must_use]
    pub fn opinions(&self, prefix: Prefix, region: Option<Country>) -> Vec<Opinion<'_>> {
        let databases = self.countries.iter().map(|source| Opinion {
            source: source.about(),
            countries: source.countries(prefix),
        });
        let token = region.map(|country| Opinion {
            source: region::about(),
            countries: BTreeSet::from([country]),
        });
        databases.chain(token).collect()
    }

    /// Whether the prefix is listed as one that answers from many places.
    #[must_use]
    pub fn is_anycast(&self, prefix: Prefix) -> bool {
        self.anycast.covers(prefix, &self.networks.networks(prefix))
    }

    /// Where a server of this prefix stands, going by the tables alone.
    #[must_use]
    pub fn locate(&self, prefix: Prefix) -> Place {
        if self.is_anycast(prefix) {
            return Place::anycast();
        }
        let opinions = self.opinions(prefix, None);
        Place::of_opinions(opinions.iter().map(|opinion| &opinion.countries))
    }

    /// The networks and their operators.
    #[must_use]
    pub fn networks(&self) -> &NetworkTable {
        &self.networks
    }

    /// The owners of domains.
    #[must_use]
    pub fn owners(&self) -> &OwnerTable {
        &self.owners
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
