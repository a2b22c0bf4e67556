//! Countries of addresses, from databases in the MaxMind format.
//!
//! Takes a database's bytes; gives, for a whole prefix, every country the database names in it: a
//! /24 that two networks share has two. Reads the GeoIP2 layout (`country.iso_code`) and the flat
//! one (`country_code`). DB-IP Lite is compiled in; an operator may load others beside it. What a
//! database cannot say, or says in a damaged record, is no opinion.

use super::packed;
use super::{AtlasSource, range};
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::time::{Day, Timestamp};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use thiserror::Error;

/// Networks of a database that one prefix may be divided into before the opinion is given up: a /24
/// has no more addresses, and no honest database divides a /48 further.
const DIVISIONS_MAX: usize = 256;

const DB_IP: &[u8] = include_bytes!("../../data/dbip-country.mmdb.zst");
const DB_IP_NAME: &str = "DB-IP Lite country";
const DB_IP_LICENCE: &str = "CC BY 4.0, IP Geolocation by DB-IP (https://db-ip.com)";
const DB_IP_MAKER: &str = "DB-IP";
/// The type of every build of the same table that DB-IP hands out itself.
const DB_IP_KIND: &str = "DBIP-Country-Lite";

/// How the types of databases begin that one maker sells under several names.
const MAKERS: [(&str, &str); 3] = [
    ("DBIP-", DB_IP_MAKER),
    ("GeoLite2-", "MaxMind"),
    ("GeoIP2-", "MaxMind"),
];

/// One country database.
pub struct CountrySource {
    about: AtlasSource,
    built: Day,
    maker: Option<&'static str>,
    reader: Reader<Vec<u8>>,
}

/// Bytes that are no country database.
#[derive(Debug, Error)]
#[error("not a country database in the MaxMind format: {0}")]
pub struct NotADatabase(String);

/// Both layouts at once; whichever is there speaks.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    country: Option<Named<'a>>,
    country_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Named<'a> {
    iso_code: Option<&'a str>,
}

impl CountrySource {
    /// The database that is compiled in.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn embedded() -> Self {
        let bytes = packed::unpack(DB_IP).expect("the committed table unpacks");
        let mut source = Self::read(DB_IP_NAME, bytes).expect("the committed table is a database");
        DB_IP_LICENCE.clone_into(&mut source.about.licence);
        source.maker = Some(DB_IP_MAKER);
        source
    }

    /// A database somebody loaded, under the name that is to stand on releases.
    ///
    /// # Errors
    /// [`NotADatabase`] if its frame or its first record is not what it should be.
    pub fn read(name: &str, bytes: Vec<u8>) -> Result<Self, NotADatabase> {
        let reader = Reader::from_source(bytes).map_err(|error| NotADatabase(error.to_string()))?;
        let built = i64::try_from(reader.metadata().build_epoch)
            .ok()
            .and_then(|seconds| Timestamp::from_seconds(seconds).day())
            .ok_or_else(|| NotADatabase("it has no build date".to_owned()))?;
        let kind = reader.metadata().database_type.as_str();
        let about = AtlasSource {
            name: name.to_owned(),
            build: built.to_string(),
            licence: match kind {
                DB_IP_KIND => DB_IP_LICENCE,
                _ => "loaded by the operator; see its own licence",
            }
            .to_owned(),
        };
        let maker = MAKERS.iter().find(|(head, _)| kind.starts_with(head));
        let maker = maker.map(|&(_, maker)| maker);
        let source = Self {
            about,
            built,
            maker,
            reader,
        };
        if source.names_countries() {
            Ok(source)
        } else {
            Err(NotADatabase("its records name no country".to_owned()))
        }
    }

    /// Whether all of it is there and leads somewhere: reads every record, once, before a database is
    /// installed.
    ///
    /// # Errors
    /// [`NotADatabase`] where it is cut short or damaged.
    pub fn check_whole(&self) -> Result<(), NotADatabase> {
        let broken = |error: MaxMindDbError| NotADatabase(format!("it is not whole: {error}"));
        let networks = self.reader.networks(WithinOptions::default());
        for network in networks.map_err(broken)? {
            network
                .and_then(|found| found.decode::<Record<'_>>())
                .map_err(broken)?;
        }
        Ok(())
    }

    /// What it is, for the list on every release.
    #[must_use]
    pub const fn about(&self) -> &AtlasSource {
        &self.about
    }

    /// The day on which it was built, as it says itself. Repacking takes hours, not days.
    #[must_use]
    pub const fn built(&self) -> Day {
        self.built
    }

    /// Whether both are builds of one table: of one name, or by one maker, whose free and paid tables
    /// are cut from the same cloth. Two such are not two sources.
    #[must_use]
    pub fn is_twin_of(&self, other: &Self) -> bool {
        self.about.name == other.about.name || (self.maker.is_some() && self.maker == other.maker)
    }

    /// Every country named anywhere in the prefix; empty if it knows none, or divides the prefix
    /// into more than 256 networks.
    #[must_use]
    pub fn countries(&self, prefix: Prefix) -> BTreeSet<Country> {
        let mut countries = BTreeSet::new();
        let mut address = prefix.first();
        for _ in 0..DIVISIONS_MAX {
            let Some((country, last)) = self.network(address) else {
                return BTreeSet::new();
            };
            countries.extend(country);
            match range::next(last) {
                Some(next) if next <= prefix.last() => address = next,
                _ => return countries,
            }
        }
        BTreeSet::new()
    }

    /// The country of one address.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        self.network(address.to_canonical())?.0
    }

    /// The country of the database's network around an address, and that network's last address.
    fn network(&self, address: IpAddr) -> Option<(Option<Country>, IpAddr)> {
        let found = self.reader.lookup(address).ok()?;
        let network = found.network().ok()?;
        // A database without IPv4 answers for all of it at once, with a network of IPv6.
        let last = if network.is_ipv4() == address.is_ipv4() {
            network.broadcast()
        } else {
            IpAddr::V4(Ipv4Addr::BROADCAST)
        };
        let record = found.decode::<Record<'_>>().ok()?;
        Some((record.and_then(|record| record.country()), last))
    }

    /// Whether one of its first records has a country: tells it from a database of networks.
    fn names_countries(&self) -> bool {
        let Ok(networks) = self.reader.networks(WithinOptions::default()) else {
            return false;
        };
        networks
            .take(DIVISIONS_MAX)
            .filter_map(|found| found.ok()?.decode::<Record<'_>>().ok()?)
            .any(|record| record.country().is_some())
    }
}

impl Record<'_> {
    fn country(&self) -> Option<Country> {
        let geoip2 = self.country.as_ref().and_then(|country| country.iso_code);
        let code = geoip2.or(self.country_code)?;
        Country::new(code.as_bytes().try_into().ok()?)
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
