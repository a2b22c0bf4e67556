//! One run: a population, its homes, a release of their week, and beside it the truth.

use super::dice::Dice;
use super::home::Home;
use super::population::Population;
use super::router::Circular;
use super::server::{self, Databases, Stands};
use crate::traffic::phone::Make;
use anyhow::{Context, Result};
use phonehome_agent::evidence::Verdict;
use phonehome_collector::count::Counters;
use phonehome_collector::enrich::{LightReport, Survey};
use phonehome_collector::fold::HomeWeek;
use phonehome_collector::geo::Column;
use phonehome_collector::release::gate::{About, GateRules, release};
use phonehome_collector::release::{Cell, Release, ReleaseId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::time::Week;
use phonehome_proto::vendor::Vendor;

/// How a run is made, apart from its seed. What is not as built shows what that is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// How circular phones are reported.
    pub circular: Circular,
    /// Which country databases there are.
    pub databases: Databases,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Every cell about a vendor of the population and a place, the one that the run is about first: a
    /// service of its first make, in one country.
    pub cells: Vec<Judged>,
    /// Whose phones were told from whose.
    pub known: Known,
}

/// A cell and the truth about it.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// The share of all homes like these that do it.
    pub truth: f64,
    /// What is published.
    pub cell: Cell,
    /// Why tables cannot but be wrong about it.
    pub trap: Option<Trap>,
}

/// What no method sees through by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trap {
    /// Of some server only the wrong database says anything, and says that it stands here.
    WrongAlone,
    /// Every database has an address here that answers from many places, and no table lists it.
    UnlistedAnycast,
}

/// What is said of a week, and what nobody outside is told.
#[derive(Clone, Debug)]
pub struct Published {
    /// The release.
    pub release: Release,
    /// What round trips changed.
    pub light: LightReport,
    /// Whose phones were told from whose.
    pub known: Known,
}

/// Phones, by what their home's router made of them in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Under the right vendor, by a counted basis.
    pub right: u32,
    /// Under the right vendor, by whom they contact: in no share.
    pub circular: u32,
    /// Under nobody, or not known to be phones.
    pub unknown: u32,
    /// Under another vendor, by whatever basis.
    pub wrong: u32,
}

impl Method {
    /// As the observatory is built.
    pub const AS_BUILT: Self = Self {
        circular: Circular::Told,
        databases: Databases::Two,
    };
}

impl Known {
    fn note(&mut self, vendor: Vendor, verdict: &Verdict) {
        let stated = verdict.stated.filter(|_| verdict.is_phone == Some(true));
        let count = match stated {
            None => &mut self.unknown,
            Some(stated) if stated.vendor != vendor => &mut self.wrong,
            Some(stated) if stated.basis.is_counted() => &mut self.right,
            Some(_) => &mut self.circular,
        };
        *count += 1;
    }

    /// As many more.
    pub const fn add(&mut self, other: Self) {
        self.right += other.right;
        self.circular += other.circular;
        self.unknown += other.unknown;
        self.wrong += other.wrong;
    }
}

/// The run of a seed.
///
/// # Errors
/// If the databases of the simulation are refused.
pub fn run(seed: u64, method: Method) -> Result<Run> {
    let mut dice = Dice::new(seed);
    let population = Population::draw(&mut dice);
    let mut homes: Vec<Home> = Vec::new();
    homes.extend((0..population.homes).filter_map(|_| Home::draw(&population, &mut dice)));
    homes.push(Home::lying(&population, population.origins[0], &mut dice));
    let published = publish(&population, &homes, method, &mut dice)?;
    Ok(Run {
        cells: judge(&population, &published.release),
        known: published.known,
    })
}

/// The week of these homes, through every stage.
///
/// # Errors
/// If the databases of the simulation are refused.
pub fn publish(
    population: &Population,
    homes: &[Home],
    method: Method,
    dice: &mut Dice,
) -> Result<Published> {
    let atlas = server::atlas(&population.servers, method.databases)?;
    let week = week();
    let mut known = Known::default();
    let mut weeks = Vec::new();
    for home in homes {
        let lived = home.live(population, &atlas, week, method.circular, dice);
        for (make, verdict) in &lived.verdicts {
            known.note(make.vendor(), verdict);
        }
        let batches = lived.batches.iter().map(|batch| (batch, home.origin));
        weeks.extend(HomeWeek::of(week, batches));
    }

    let rules = GateRules::default();
    let mut survey = Survey::new(&atlas);
    weeks.iter().for_each(|home| survey.hear(home));
    let mut places = survey.settle(rules.quorum());
    let mut counters = Counters::default();
    for home in &weeks {
        counters.count(home, &mut places);
    }
    let about = About {
        id: ReleaseId { week, revision: 0 },
        purpose: Purpose::Exercise,
        atlas: atlas.sources(),
    };
    Ok(Published {
        release: release(about, &counters, &rules),
        light: places.light_report(),
        known,
    })
}

/// Cells about makes and places, each beside its truth; the one the run is about first.
fn judge(population: &Population, release: &Release) -> Vec<Judged> {
    let subject = &population.services[0];
    let judged = |make: Make, column, cell| Judged {
        truth: population.truth(make, column),
        cell,
        trap: trap(population, make, column),
    };
    let about = (subject.make.vendor(), subject.column);
    // If no home was heard of it, it is not even a column.
    let first = release.server.get(&about).copied().unwrap_or(Cell::NoData);
    let mut cells = vec![judged(subject.make, subject.column, first)];
    for &(make, _) in &population.makes {
        let cells_of_make = release
            .server
            .iter()
            .filter(|((vendor, _), _)| *vendor == make.vendor());
        // What no table knows is no place, so that nothing is true of it.
        let others = cells_of_make.filter(|(key, _)| **key != about && key.1 != Column::Unknown);
        cells.extend(others.map(|(&(_, column), &cell)| judged(make, column, cell)));
    }
    cells
}

fn trap(population: &Population, make: Make, column: Column) -> Option<Trap> {
    let services = population.services.iter();
    let servers = services
        .filter(|service| service.make == make)
        .flat_map(|service| &service.servers);
    let here = |said: Option<Country>| said.map(Column::Country) == Some(column);
    servers
        .map(|&at| &population.servers[at])
        .filter_map(|server| match (server.stands, server.said) {
            (Stands::Everywhere { is_listed: false }, said) => {
                said.into_iter().any(here).then_some(Trap::UnlistedAnycast)
            }
            (Stands::In(place), [None, said]) => {
                (said != Some(place) && here(said)).then_some(Trap::WrongAlone)
            }
            _ => None,
        })
        .max()
}

/// The week of every run.
///
/// # Panics
/// Never: it is one.
#[must_use]
pub fn week() -> Week {
    "2026-W46".parse().expect("a week")
}

/// Runs of many seeds, on so many threads; in the order of the seeds.
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// If a run does.
pub fn runs(seeds: std::ops::Range<u64>, method: Method, threads: u64) -> Result<Vec<Run>> {
    std::thread::scope(|scope| {
        let share = |first: u64| {
            let seeds = seeds.clone().filter(move |seed| seed % threads == first);
            scope.spawn(move || seeds.map(|seed| Ok((seed, run(seed, method)?))).collect())
        };
        let threads: Vec<_> = (0..threads).map(share).collect();
        let mut done = Vec::new();
        for thread in threads {
            let some: Result<Vec<(u64, Run)>> = thread.join().expect("a run does not panic");
            done.extend(some.context("a run")?);
        }
        done.sort_by_key(|(seed, _)| *seed);
        Ok(done.into_iter().map(|(_, run)| run).collect())
    })
}
