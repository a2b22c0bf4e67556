//! Servers: where they truly stand, and what two country databases say of that.
//!
//! The first database is right wherever it says anything; the second is wrong about some prefixes. Each
//! is silent about a few, so that now and then the wrong one is all there is.

use super::dice::Dice;
use crate::database::{self, Layout};
use anyhow::{Context, Result};
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::geo::country::CountrySource;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;
use std::net::Ipv4Addr;

/// Since when what the databases say is so: a second of 2026-11-01, later than whatever is compiled in.
const BUILT_SECONDS: u64 = 1_793_500_000;

/// Where a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// In one country.
    In(Country),
    /// In many places behind one address, which the atlas lists as such or does not.
    Everywhere {
        /// Whether the atlas knows.
        is_listed: bool,
    },
}

/// A server that phones contact.
#[derive(Clone, Debug)]
pub struct Server {
    /// A name that leads to it, of a listed endpoint.
    pub name: String,
    /// Its prefix.
    pub prefix: [u8; 3],
    /// Where it stands.
    pub stands: Stands,
    /// What the two databases say.
    pub said: [Option<Country>; 2],
}

/// Which of the databases an atlas holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Databases {
    /// Both.
    Two,
    /// Only the one that is wrong about some prefixes.
    Worse,
}

/// The countries servers stand in, or are said to.
pub const COUNTRIES: [&str; 8] = ["SG", "RU", "CN", "US", "DE", "IN", "HK", "FR"];

/// Where an address that answers from many places does so.
const SITES: [&str; 5] = ["US", "DE", "SG", "BR", "IN"];
/// Where every database has such an address: at its operator's seat.
const SEAT: &str = "US";

/// How often the second database is wrong about a prefix.
const WRONG: f64 = 0.15;
/// How often a database says nothing about a prefix.
const SILENT: f64 = 0.05;

impl Server {
    /// The `nth` server of a world: behind this endpoint's name, standing there.
    #[must_use]
    pub fn new(nth: u8, endpoint: EndpointId, stands: Stands, dice: &mut Dice) -> Self {
        let right = match stands {
            Stands::In(country) => country,
            Stands::Everywhere { .. } => country(SEAT),
        };
        let wrong = || {
            COUNTRIES
                .map(country)
                .into_iter()
                .filter(move |&said| said != right)
        };
        let is_wrong = matches!(stands, Stands::In(_)) && dice.happens(WRONG);
        let second = if is_wrong {
            dice.one_of(&wrong().collect::<Vec<_>>())
        } else {
            right
        };
        Self {
            name: endpoint.pattern().replace('*', "a"),
            // Addresses of networks whose operators say of themselves what these servers are.
            prefix: match stands {
                Stands::Everywhere { is_listed: true } => [104, 16, nth],
                _ => [161, 117, nth],
            },
            stands,
            said: [right, second].map(|said| (!dice.happens(SILENT)).then_some(said)),
        }
    }

    /// An address of it.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        let [a, b, c] = self.prefix;
        Ipv4Addr::new(a, b, c, 80)
    }

    /// How far it is at least from homes of this country, in kilometres: of many, the nearest.
    #[must_use]
    pub fn kilometres(&self, atlas: &Atlas, home: Country) -> f64 {
        let to = |site| {
            atlas
                .distances()
                .kilometres(home, site)
                .map_or(0.0, f64::from)
        };
        match self.stands {
            Stands::In(site) => to(site),
            Stands::Everywhere { .. } => SITES
                .map(|site| to(country(site)))
                .into_iter()
                .fold(f64::MAX, f64::min),
        }
    }
}

/// An atlas in which the databases stand alone, without the one that is compiled in.
///
/// # Errors
/// If one of them cannot be read, or the compiled-in one is younger.
pub fn atlas(servers: &[Server], databases: Databases) -> Result<Atlas> {
    let source = |name: &str, kind: &str, which: usize| {
        let said = servers
            .iter()
            .filter_map(|server| Some((server.prefix, server.said[which]?)));
        // Never empty: a database without any country is none.
        let rows = said.chain([([9, 9, 8], country(SEAT))]);
        let rows = rows.map(|([a, b, c], country)| {
            let first = Ipv4Addr::new(a, b, c, 0).into();
            ((first, 24), country.to_string())
        });
        let bytes = database::write(kind, BUILT_SECONDS, Layout::Flat, rows);
        CountrySource::read(name, bytes).context("a database we wrote")
    };
    // Of this type there is one already, and it makes way.
    const IN_PLACE: &str = "DBIP-Country";
    Ok(match databases {
        Databases::Two => Atlas::embedded()
            .replace(source("better", IN_PLACE, 0)?)?
            .with_countries(source("worse", "Test-Country", 1)?),
        Databases::Worse => Atlas::embedded().replace(source("worse", IN_PLACE, 1)?)?,
    })
}

/// The country with this code.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn country(code: &str) -> Country {
    Country::parse(code).expect("a code of two letters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_collector::geo::PlaceStatus;
    use phonehome_proto::net::Prefix;

    #[test]
    fn an_atlas_says_what_the_databases_say() {
        let endpoint = EndpointId::of_name("tracking.miui.com").expect("it is listed");
        let mut dice = Dice::new(3);
        let servers: Vec<_> = (0..60)
            .map(|nth| Server::new(nth, endpoint, Stands::In(country("SG")), &mut dice))
            .collect();
        let atlas = atlas(&servers, Databases::Two).expect("an atlas");
        let mut seen = [0; 3];
        for server in &servers {
            let place = atlas.locate(Prefix::V4(server.prefix));
            let expected = match server.said {
                [Some(one), Some(other)] if one == other => PlaceStatus::Confident,
                [Some(_), Some(_)] => PlaceStatus::Disputed,
                [None, None] => PlaceStatus::Unknown,
                _ => PlaceStatus::Single,
            };
            assert_eq!(place.status(), expected, "{server:?}");
            seen[0] += u32::from(expected == PlaceStatus::Confident);
            seen[1] += u32::from(expected == PlaceStatus::Disputed);
            seen[2] += u32::from(expected == PlaceStatus::Single);
        }
        assert!(seen.iter().all(|&seen| seen > 0), "{seen:?}");
        let listed = Server::new(
            0,
            endpoint,
            Stands::Everywhere { is_listed: true },
            &mut dice,
        );
        assert!(atlas.is_anycast(Prefix::V4(listed.prefix)));
        let unlisted = Server::new(
            1,
            endpoint,
            Stands::Everywhere { is_listed: false },
            &mut dice,
        );
        assert!(!atlas.is_anycast(Prefix::V4(unlisted.prefix)));
    }
}
