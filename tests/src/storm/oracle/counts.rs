//! What must be counted of a week.

use super::super::edition::{self, Edition};
use super::super::line::NETWORKS;
use super::super::report::{self, Cell, vendors};
use super::{Oracle, Wrong};
use phonehome_collector::count::{Counters, Question};
use phonehome_collector::format::json;
use phonehome_collector::release::{Cell as Published, Column, Release};
use phonehome_proto::id::HomeId;
use phonehome_proto::time::Week;
use std::collections::{BTreeMap, BTreeSet};

/// Homes of one week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// That reported at all; which network each stands in.
    homes: BTreeMap<HomeId, u16>,
    /// That reported on days enough to be counted, and what they contacted.
    counted: BTreeMap<HomeId, BTreeSet<Cell>>,
}

/// Days of a week on which a home must have reported to be counted.
const PRESENT_DAYS: usize = 4;
/// What a shown number must weigh, and what one network weighs at most.
const WEIGHT: usize = 10;
const NETWORK_WEIGHT: usize = 4;

impl Oracle {
    /// What must be counted of a week as it stands.
    #[must_use]
    pub fn expected(&self, week: Week) -> Expected {
        let mut expected = Expected::default();
        let mut days: BTreeMap<HomeId, BTreeSet<_>> = BTreeMap::new();
        let mut cells: BTreeMap<HomeId, BTreeSet<Cell>> = BTreeMap::new();
        for held in self
            .state
            .held
            .get(&week)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|held| !held.is_on_probation)
        {
            let fact = &self.facts[&held.fact];
            let network = fact.identity % usize::from(NETWORKS);
            let network = u16::try_from(network).expect("few networks");
            expected.homes.insert(fact.home, network);
            days.entry(fact.home).or_default().insert(fact.day);
            let cells = cells.entry(fact.home).or_default();
            cells.extend([fact.cell, report::common()]);
        }
        cells.retain(|home, _| days[home].len() >= PRESENT_DAYS);
        expected.counted = cells;
        expected
    }
}

impl Expected {
    /// Holds a week's counters against it.
    ///
    /// # Errors
    /// What is counted wrongly.
    pub fn check_counters(&self, counters: &Counters) -> Result<(), Wrong> {
        let number = |homes: usize| u32::try_from(homes).expect("few homes");
        if counters.homes().homes() != number(self.homes.len()) {
            let counted = counters.homes().homes();
            return Err(format!(
                "{} homes reported, {counted} are counted",
                self.homes.len()
            ));
        }
        for vendor in vendors() {
            let asked = counters
                .asked(vendor)
                .map_or(0, |split| split.world.homes());
            if asked != number(self.counted.len()) {
                return Err(format!(
                    "{} homes count, {asked} are asked",
                    self.counted.len()
                ));
            }
        }
        let cells: BTreeSet<Cell> = self.counted.values().flatten().copied().collect();
        for cell in &cells {
            let homes = self.counted.values().filter(|cells| cells.contains(cell));
            let homes = number(homes.count());
            let question = Question::Endpoint(cell.endpoint);
            let answers = counters.answers(cell.vendor, question);
            let low = answers.map_or(0, |answers| answers.low.world.homes());
            let high = answers.map_or(0, |answers| answers.high.world.homes());
            if (low, high) != (homes, homes) {
                return Err(format!(
                    "{homes} homes have {cell:?}, {low} to {high} are counted"
                ));
            }
        }
        for (vendor, question) in counters.questions() {
            if let Question::Endpoint(endpoint) = question
                && !cells.contains(&Cell { vendor, endpoint })
            {
                return Err(format!(
                    "nobody has {vendor:?} at {endpoint:?}, and it is counted"
                ));
            }
        }
        Ok(())
    }

    /// Holds a release against it.
    ///
    /// # Errors
    /// What it says wrongly, or should not say.
    pub fn check_release(&self, text: &str, edition: Edition) -> Result<Release, Wrong> {
        let release = json::from_json(text).map_err(|error| format!("no release: {error}"))?;
        let all = self.homes.values().copied();
        let homes = weighs(all).then(|| rounded(self.homes.len()));
        if release.homes != homes {
            return Err(format!(
                "{homes:?} homes reported, {:?} are told",
                release.homes
            ));
        }
        let shows = self.shows();
        let cell_of = |cell: Cell| {
            let told = release.endpoints.get(&(cell.vendor, cell.endpoint));
            told.and_then(Published::numbers)
                .map(|told| (told.x_low, told.x_high, told.n))
        };
        let n = rounded(self.counted.len());
        let expected = shows.then_some((n, n, n));
        let told = cell_of(report::common());
        if told != expected {
            return Err(format!(
                "{expected:?} is what all homes have, {told:?} is told"
            ));
        }
        if !edition.is_among(&release.atlas) {
            return Err(format!("it names other tables than those of {edition:?}"));
        }
        // Where tables disagree, every home's server may stand in either country and certainly in none.
        let low = if edition.elsewhere().is_some() { 0 } else { n };
        let placed = [report::COUNTRY].into_iter().chain(edition.elsewhere());
        for code in placed.filter(|_| n > 0) {
            let column = Column::Country(edition::country(code));
            let told = release.server.get(&(report::common().vendor, column));
            let told = told.and_then(Published::numbers);
            let told = told.map(|told| (told.x_low, told.x_high, told.n));
            let expected = shows.then_some((low, n, n));
            if told != expected {
                return Err(format!(
                    "{expected:?} have a server in {code}, {told:?} is told"
                ));
            }
        }
        for cell in self.counted.values().flatten() {
            if *cell != report::common() && cell_of(*cell).is_some() {
                return Err(format!("{cell:?} is one home's, and is told"));
            }
        }
        Ok(release)
    }
}

impl Expected {
    /// How many homes count.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.counted.len()
    }

    /// Whether those that count may be told of.
    #[must_use]
    pub fn shows(&self) -> bool {
        let counted = |home: &&HomeId| self.counted.contains_key(*home);
        weighs(
            self.homes
                .keys()
                .filter(counted)
                .map(|home| self.homes[home]),
        )
    }
}

/// Whether homes in these networks may be told of.
fn weighs(networks: impl Iterator<Item = u16>) -> bool {
    let mut homes: BTreeMap<u16, usize> = BTreeMap::new();
    networks.for_each(|network| *homes.entry(network).or_default() += 1);
    let weight: usize = homes
        .values()
        .map(|homes| (*homes).min(NETWORK_WEIGHT))
        .sum();
    weight >= WEIGHT
}

/// To the nearest multiple of five.
fn rounded(homes: usize) -> u32 {
    u32::try_from((homes + 2) / 5 * 5).expect("few homes")
}
