//! The table by endpoint, whose counts overlap under a whole that other tables tell.
//!
//! Who contacted any endpoint of an owner is in the owner's cell, so what that cell has beyond the shown
//! endpoints was done at suppressed ones. Where endpoints share few homes, and rounding hides little,
//! a suppressed nine could be worked out. What it holds to:
//!
//! - Of a suppressed count below k, at least as many consecutive values stay possible as rounding hides.
//! - Endpoints of k and a rounding step more are told first. If what is then left of the owner's cell
//!   could be work of the others were each of them below k, those between are told as well.
//!   If not, none of them is: a suppressed count may then be as much as k and a step, and one
//!   below k keeps that step.
//! - That decision is made from told numbers alone, never from a number it hides: whether a
//!   cell was hidden says nothing that the rest of the release does not.
//!
//! Endpoints of others than the vendor are under no whole, and stand for themselves.

use super::{GateRules, world_cell};
use crate::count::{Counters, Question, Tally};
use crate::release::{Cell, Column, HomeTable, Matrix, PlaceStatus};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// The tables whose numbers say how many homes had any contact of a vendor's own.
pub(super) struct Wholes<'a> {
    pub(super) server: &'a Matrix,
    pub(super) network: &'a Matrix,
    pub(super) owner: &'a Matrix,
    pub(super) home: &'a HomeTable,
}

/// Vendor by endpoint.
pub(super) fn table(
    counters: &Counters,
    rules: &GateRules,
    wholes: &Wholes<'_>,
) -> BTreeMap<(Vendor, EndpointId), Cell> {
    let endpoints: BTreeSet<EndpointId> = counters
        .questions()
        .filter_map(|(_, question)| match question {
            Question::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        })
        .collect();
    let mut cells = BTreeMap::new();
    for vendor in Vendor::all() {
        for &endpoint in &endpoints {
            let question = Question::Endpoint(endpoint);
            let cell = world_cell(counters, rules, vendor, question, PlaceStatus::Confident);
            cells.insert((vendor, endpoint), cell);
        }
        for group in groups(counters, rules, vendor, &cells, wholes).into_values() {
            if !group.is_open(rules) {
                for endpoint in group.between {
                    cells.insert((vendor, endpoint), Cell::Suppressed);
                }
            }
        }
    }
    cells
}

/// A vendor's own endpoints under one owner country.
#[derive(Default)]
struct Group {
    /// Homes that the owner's cell certainly has, as far as a reader can tell.
    whole: u32,
    /// Homes that are told of endpoints told first, at most.
    told: u32,
    /// Whether any is told first.
    has_told: bool,
    /// Those of k and less than a rounding step more.
    between: Vec<EndpointId>,
    /// All that anybody contacted and that are not told first.
    left: u32,
}

impl Group {
    /// Whether those between may be told. Each that is left may have done all that the others, at k - 1
    /// each, did not.
    const fn is_open(&self, rules: &GateRules) -> bool {
        // One alone says what its owner's cell says.
        let is_alone = self.left <= 1 && !self.has_told;
        let others = self.left.saturating_sub(1) * (rules.k - 1);
        is_alone || self.whole <= self.told + others + rules.k - rules.rounding
    }
}

fn groups(
    counters: &Counters,
    rules: &GateRules,
    vendor: Vendor,
    cells: &BTreeMap<(Vendor, EndpointId), Cell>,
    wholes: &Wholes<'_>,
) -> BTreeMap<Country, Group> {
    let first = GateRules {
        k: rules.k + rules.rounding,
        ..*rules
    };
    let mut groups: BTreeMap<Country, Group> = BTreeMap::new();
    let own = cells
        .iter()
        .filter(|((of, endpoint), _)| *of == vendor && endpoint.is_own_of(vendor));
    for (&(_, endpoint), cell) in own {
        let nobody = Tally::default();
        let answers = counters.answers(vendor, Question::Endpoint(endpoint));
        let homes = answers.map_or(&nobody, |answers| &answers.high.world);
        if homes.homes() == 0 {
            continue;
        }
        let group = groups.entry(endpoint.owner_country()).or_default();
        match cell.numbers() {
            Some(numbers) if first.passes(homes) => {
                group.told += rules.rounding().preimage(numbers.x_high).max;
                group.has_told = true;
            }
            Some(_) => {
                group.left += 1;
                group.between.push(endpoint);
            }
            None => group.left += 1,
        }
    }
    let any = any_least(rules, vendor, wholes);
    let owned = |country| wholes.owner.get(&(vendor, Column::Country(country)));
    // What a reader must grant the owners of each country, and no more.
    let granted: BTreeMap<Country, u32> = groups
        .iter()
        .map(|(&country, group)| {
            let most = owned(country).map_or(0, |cell| most(rules, cell));
            (country, most.min(group.told))
        })
        .collect();
    let all: u32 = granted.values().sum();
    for (&country, group) in &mut groups {
        let elsewhere = all - granted[&country];
        let told = owned(country).map_or(0, |cell| least(rules, cell));
        group.whole = told.max(any.saturating_sub(elsewhere));
    }
    groups
}

/// Homes that certainly had a contact of the vendor's own: those of any cell, and all that a column
/// tells of homes in different countries.
fn any_least(rules: &GateRules, vendor: Vendor, wholes: &Wholes<'_>) -> u32 {
    let tables = [wholes.server, wholes.network, wholes.owner];
    let cells = tables.into_iter().flatten();
    let cells = cells.filter(|((of, _), _)| *of == vendor);
    let world = cells.map(|(_, cell)| least(rules, cell)).max();
    let mut columns: BTreeMap<Column, u32> = BTreeMap::new();
    for (&(of, column, _), cell) in wholes.home {
        if of == vendor {
            *columns.entry(column).or_default() += least(rules, cell);
        }
    }
    world.max(columns.into_values().max()).unwrap_or(0)
}

/// The least that a shown cell may stand for: a home for each of its networks, and as many as its radius says;
/// never fewer than k.
fn least(rules: &GateRules, cell: &Cell) -> u32 {
    let numbers = cell.numbers().filter(|numbers| numbers.x_high > 0);
    numbers.map_or(0, |numbers| {
        let rounded = rules.rounding().preimage(numbers.x_high).min;
        let weight = numbers.radius + rules.k - 1;
        rounded.max(numbers.networks).max(weight)
    })
}

/// The most that a cell of the world may stand for.
fn most(rules: &GateRules, cell: &Cell) -> u32 {
    match cell {
        Cell::Value(numbers) | Cell::Imprecise(numbers) => {
            rules.rounding().preimage(numbers.x_high).max
        }
        Cell::Suppressed => rules.k - 1,
        Cell::Zero(_) | Cell::NoData | Cell::NotApplicable => 0,
    }
}

#[cfg(test)]
mod tests;
