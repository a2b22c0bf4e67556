//! The tables of a storm: what is installed while the collector runs.
//!
//! One country database is installed over and over, each time of a later build. The first time, and every
//! second time after it, it puts the only place there is elsewhere than the database that is compiled in
//! does; in between it agrees. So a release tells with which tables it was made.

use super::disk::Places;
use super::report;
use crate::database::{self, Layout};
use anyhow::{Context, Result};
use phonehome_collector::config::Config;
use phonehome_collector::geo::AtlasSource;
use phonehome_collector::run::tables;
use phonehome_proto::net::Country;
use phonehome_proto::time::Day;
use std::fs;
use std::net::Ipv4Addr;

/// How many times tables were installed; 0: those in use are compiled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edition(u16);

/// The database's name.
const NAME: &str = "storm";

/// 2026-06-01; each build is a day later.
const FIRST_BUILT: u32 = 20_605;

/// Editions of one storm, at most: days until its own date.
const EDITIONS_MAX: u16 = 100;

impl Edition {
    /// Whether there can be another one.
    #[must_use]
    pub const fn has_next(self) -> bool {
        self.0 < EDITIONS_MAX
    }

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Where its tables put all servers of a storm, beside where those compiled in put them.
    #[must_use]
    pub const fn elsewhere(self) -> Option<&'static str> {
        if self.0 % 2 == 1 { Some("KZ") } else { None }
    }

    /// Installs it for the collector of this configuration.
    ///
    /// # Errors
    /// If it is refused.
    pub fn install(self, config: &Config, places: &Places) -> Result<()> {
        let [first, second, third] = report::PLACE;
        let network = (Ipv4Addr::new(first, second, third, 0).into(), 24);
        let country = self.elsewhere().unwrap_or(report::COUNTRY);
        let seconds = u64::from(self.built()) * 86_400;
        let bytes = database::write("Storm-Country", seconds, Layout::Flat, [(network, country)]);
        let file = places.folder().join(format!("{NAME}.mmdb"));
        fs::write(&file, bytes)?;
        tables::install(config, &[file]).context("tables are installed")?;
        Ok(())
    }

    /// Whether a release names it among its sources.
    #[must_use]
    pub fn is_among(self, sources: &[AtlasSource]) -> bool {
        let found = sources.iter().find(|source| source.name == NAME);
        let build = Day::new(self.built()).map(|day| day.to_string());
        if self.0 == 0 {
            found.is_none()
        } else {
            found.map(|source| source.build.clone()) == build
        }
    }

    fn built(self) -> u32 {
        FIRST_BUILT + u32::from(self.0)
    }
}

/// The country with this code.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn country(code: &str) -> Country {
    Country::parse(code).expect("a country")
}
