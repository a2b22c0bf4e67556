//! The gate: counters in, a release out. The only place where counts become public numbers.
//!
//! Pure: the same counters, rules and atlas give the same value, to the bit. What it holds to:
//!
//! - A cell shows when the homes that possibly did it weigh at least k, each network's homes up to
//!   its limit; or, as a zero, when the homes asked weigh that much and none did. The question of
//!   how many were asked passes the same gate.
//! - Every number is rounded before anything is derived from it; networks and radius are told as "at
//!   least". A part that does not pass on its own is stated as nothing: a weaker bound, still true.
//! - Where published parts add up to a published whole, what is left is nothing or passes the gate
//!   too (module `complement`); else the smallest part goes as well. Where they overlap under one, what
//!   is suppressed stays as uncertain as rounding makes what is told (module `endpoint`).

mod cell;
mod complement;
mod endpoint;
mod home;
mod operators;

use super::{AtlasSource, Cell, Column, Matrix, PlaceStatus, Release, ReleaseId};
use crate::count::{Counters, Question, Tally};
use crate::geo::light::Quorum;
use crate::geo::owner::registry::RegistryAnswers;
use crate::stats::bounds::{self, Rounding};
use cell::{Answered, cell};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::limits;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeSet;

/// Raised whenever the same counters would give other numbers.
pub const METHOD: u32 = 3;

/// The gate's rules, as the manifest states them to homes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateRules {
    /// The least weight of a shown number.
    pub k: u32,
    /// Homes of one network that weigh, at most.
    pub network_homes_max: u32,
    /// Counts are rounded to multiples of this.
    pub rounding: u32,
    /// Homes asked about a vendor that a home country needs before it is told apart.
    pub home_country_homes_min: u32,
}

/// What a release says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub id: ReleaseId,
    /// Findings, or an exercise.
    pub purpose: Purpose,
    /// [`crate::geo::atlas::Atlas::sources`] of the atlas that located its counters.
    pub atlas: Vec<AtlasSource>,
}

impl Default for GateRules {
    /// Those of [`limits`].
    fn default() -> Self {
        Self {
            k: limits::GATE_HOMES_MIN,
            network_homes_max: limits::NETWORK_HOMES_MAX,
            rounding: limits::ROUNDING,
            home_country_homes_min: limits::HOME_COUNTRY_HOMES_MIN,
        }
    }
}

/// Makes the release.
///
/// # Panics
/// If a number that passes could round to nothing.
#[must_use]
pub fn release(about: About, counters: &Counters, rules: &GateRules) -> Release {
    assert!(
        rules.k >= rules.rounding,
        "what passes does not round to nothing"
    );
    let week = about.id.week;
    let homes = rules.passes(counters.homes()).then(|| counters.homes());
    let [server, network, owner] = [Question::Server, Question::Network, Question::Owner]
        .map(|by| matrix(counters, rules, by));
    let home = home::table(counters, rules);
    let wholes = endpoint::Wholes {
        server: &server,
        network: &network,
        owner: &owner,
        home: &home,
    };
    let endpoints = endpoint::table(counters, rules, &wholes);
    Release {
        id: about.id,
        closed_at: week.end().plus_seconds(limits::WEEK_ACCEPT_SECONDS),
        purpose: about.purpose,
        k: rules.k,
        network_homes_max: rules.network_homes_max,
        rounding: rules.rounding,
        refutation_homes_min: rules.quorum().liars_min(),
        method: METHOD,
        atlas: about.atlas,
        homes: homes.map(|tally| rules.rounding().round(tally.homes())),
        networks: homes.map(|tally| bounds::at_least(tally.networks())),
        operators: operators::named(counters, rules, &network),
        server,
        network,
        owner,
        home,
        endpoints,
        registrants: RegistryAnswers::default(),
        revision: None,
    }
}

impl GateRules {
    /// Whether a number of these homes may be shown.
    #[must_use]
    pub fn passes(&self, homes: &Tally) -> bool {
        homes.weight(self.network_homes_max) >= self.k
    }

    fn passes_or_is_nobody(&self, homes: &Tally) -> bool {
        homes.homes() == 0 || self.passes(homes)
    }

    /// How many homes must say that a server is not where a database has it: as many as stand behind
    /// a number.
    #[must_use]
    pub const fn quorum(&self) -> Quorum {
        Quorum {
            weight_min: self.k,
            network_homes_max: self.network_homes_max,
        }
    }

    const fn rounding(&self) -> Rounding {
        Rounding::to(self.rounding)
    }
}

// === the tables ===

fn matrix(counters: &Counters, rules: &GateRules, table: fn(Column) -> Question) -> Matrix {
    let columns = columns(counters, table);
    let mut cells = Matrix::new();
    for vendor in Vendor::all() {
        if !has_own_endpoints(vendor) {
            cells.extend(
                columns
                    .iter()
                    .map(|&at| ((vendor, at), Cell::NotApplicable)),
            );
            continue;
        }
        let worst = worst_place(counters, vendor, &columns, table);
        for &column in &columns {
            let cell = world_cell(counters, rules, vendor, table(column), worst);
            cells.insert((vendor, column), cell);
        }
    }
    cells
}

/// Whether the public list knows any endpoint of the vendor's own. Of one without, a zero would say
/// that its phones were asked and did nothing; the truth is that there was nothing to ask.
fn has_own_endpoints(vendor: Vendor) -> bool {
    EndpointId::all().any(|endpoint| endpoint.is_own_of(vendor))
}

fn world_cell(
    counters: &Counters,
    rules: &GateRules,
    vendor: Vendor,
    question: Question,
    worst: PlaceStatus,
) -> Cell {
    let nobody = Tally::default();
    let Some(asked) = counters.asked(vendor) else {
        return Cell::NoData;
    };
    let answers = counters.answers(vendor, question);
    cell(
        rules,
        &Answered {
            asked: &asked.world,
            low: answers.map_or(&nobody, |answers| &answers.low.world),
            high: answers.map_or(&nobody, |answers| &answers.high.world),
            status: answers.map_or(worst, |answers| answers.status),
        },
    )
}

/// Every column in which any vendor has homes.
fn columns(counters: &Counters, table: fn(Column) -> Question) -> BTreeSet<Column> {
    counters
        .questions()
        .filter_map(|(_, question)| match question {
            Question::Server(column)
            | Question::Here(column)
            | Question::Network(column)
            | Question::Owner(column) => (table(column) == question).then_some(column),
            Question::Operator(_) | Question::Endpoint(_) => None,
        })
        .collect()
}

/// The worst known place of a vendor's own contacts: one of them may hide behind a zero.
fn worst_place(
    counters: &Counters,
    vendor: Vendor,
    columns: &BTreeSet<Column>,
    table: fn(Column) -> Question,
) -> PlaceStatus {
    let is_country = |column: &&Column| matches!(column, Column::Country(_));
    let countries = columns.iter().filter(is_country);
    countries
        .filter_map(|&column| counters.answers(vendor, table(column)))
        .map(|answers| answers.status)
        .max()
        .unwrap_or(PlaceStatus::Confident)
}

#[cfg(test)]
mod tests;
