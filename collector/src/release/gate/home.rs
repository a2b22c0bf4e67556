//! The table by home country: the only one whose cells add up to another's, so the only one that is
//! complemented.
//!
//! Servers that answer from many places make it two-faced. In the world they stand in the column
//! `anycast`; here, where a country's own homes say enough, in the columns of the countries that
//! are left (and no longer in `anycast`). Then parts no longer add up to the world's cell of the same
//! column, and subtracting meets two unknowns: the homes in parts that are not shown, and those that
//! moved from one column to another. Either group must be nobody or pass the gate. So
//!
//! - a part is complemented by its homes *as the world counts them*;
//! - it is shown only if the homes that moved into it, or out of it, are nobody or pass the gate,
//!   and so are those that it still has, and those of `anycast` that did not move into it;
//! - homes that moved are shown in every column that they moved between, or in none: what one column
//!   tells of them could be subtracted in another.

use super::cell::{Answered, cell};
use super::complement::complement;
use super::{GateRules, columns, has_own_endpoints, worst_place};
use crate::count::{Answers, Counters, Question, Split, Tally};
use crate::geo::Column;
use crate::release::{Cell, PlaceStatus};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// Vendor by server country by home country. Home countries in which enough homes were asked stand
/// apart, all others together; with the homes that roam they make up the world's cell, but for what
/// anycast moves.
pub(super) fn table(
    counters: &Counters,
    rules: &GateRules,
) -> BTreeMap<(Vendor, Column, Option<Country>), Cell> {
    let columns: BTreeSet<Column> = [Question::Server, Question::Here]
        .into_iter()
        .flat_map(|table| columns(counters, table))
        .collect();
    Vendor::all()
        .flat_map(|vendor| {
            rows(counters, rules, vendor, &columns)
                .into_iter()
                .map(move |((column, home), cell)| ((vendor, column, home), cell))
        })
        .collect()
}

/// One vendor's cells.
fn rows(
    counters: &Counters,
    rules: &GateRules,
    vendor: Vendor,
    columns: &BTreeSet<Column>,
) -> BTreeMap<(Column, Option<Country>), Cell> {
    let everywhere = |cell| columns.iter().map(|&at| ((at, None), cell)).collect();
    if !has_own_endpoints(vendor) {
        return everywhere(Cell::NotApplicable);
    }
    let Some(asked) = counters.asked(vendor) else {
        return everywhere(Cell::NoData);
    };
    rows_of_asked(counters, rules, vendor, asked, columns)
}

fn rows_of_asked(
    counters: &Counters,
    rules: &GateRules,
    vendor: Vendor,
    asked: &Split,
    columns: &BTreeSet<Column>,
) -> BTreeMap<(Column, Option<Country>), Cell> {
    let apart = countries_apart(asked, rules);
    let asked = Parts::of(asked, &apart);
    let asked_shown = complement(&asked.whole, &asked.parts, |rest| rules.passes(rest));
    let rows: BTreeMap<Column, Row> = columns
        .iter()
        .map(|&column| {
            let answers = |table: fn(Column) -> Question| counters.answers(vendor, table(column));
            let row = Row::of(answers(Question::Server), answers(Question::Here), &apart);
            (column, row)
        })
        .collect();
    // Only parts whose homes asked are shown can show what these did.
    let shown = shown_together(rules, &rows, &asked_shown);
    let worst = worst_place(counters, vendor, columns, Question::Server);
    let mut cells = BTreeMap::new();
    for (&column, row) in &rows {
        let low_shown = row.low.shown(rules, &shown[&column]);
        for (&home, asked) in &asked.parts {
            let low_is_shown = low_shown.contains(&home);
            let answered = Answered {
                asked,
                low: if low_is_shown {
                    row.low.here.part(home)
                } else {
                    &NOBODY
                },
                high: row.high.here.part(home),
                status: row.status.get(&home).copied().unwrap_or(worst),
            };
            let cell = if asked.homes() == 0 {
                Cell::NoData
            } else if shown[&column].contains(&home) {
                cell(rules, &answered)
            } else {
                Cell::Suppressed
            };
            cells.insert((column, home), cell);
        }
    }
    cells
}

/// The parts of every column that may be shown, so that no two columns tell together what neither
/// may alone.
fn shown_together(
    rules: &GateRules,
    rows: &BTreeMap<Column, Row>,
    listed: &BTreeSet<Option<Country>>,
) -> BTreeMap<Column, BTreeSet<Option<Country>>> {
    let mut listed: BTreeMap<Column, BTreeSet<Option<Country>>> = rows
        .iter()
        .map(|(&column, row)| {
            let mut listed = listed.clone();
            let anycast = rows.get(&Column::Anycast);
            if let (Column::Country(_), Some(anycast)) = (column, anycast) {
                listed.retain(|&home| {
                    let moved = row.high.moved(home);
                    let left = || anycast.high.world.part(home).minus(&moved);
                    moved.homes() == 0 || rules.passes_or_is_nobody(&left())
                });
            }
            (column, listed)
        })
        .collect();
    // The columns that parts with homes that moved stand in: theirs, and the one they came from,
    // which is there because the world counts them in it.
    let moved: BTreeSet<(Column, Option<Country>)> = rows
        .iter()
        .flat_map(|(&column, row)| {
            let parts = row.high.moved_parts();
            parts.flat_map(move |home| [(column, home), (Column::Anycast, home)])
        })
        .collect();
    loop {
        let shown: BTreeMap<_, _> = rows
            .iter()
            .map(|(&column, row)| (column, row.high.shown(rules, &listed[&column])))
            .collect();
        // What is hidden in one of them goes from all.
        let is_shown = |(column, home): &(Column, Option<Country>)| shown[column].contains(home);
        let hidden: BTreeSet<Option<Country>> = moved
            .iter()
            .filter(|at| !is_shown(at))
            .map(|(_, home)| *home)
            .collect();
        let mut is_settled = true;
        for (column, home) in moved.iter().filter(|(_, home)| hidden.contains(home)) {
            let listed = listed.get_mut(column).expect("every column is listed");
            is_settled &= !listed.remove(home);
        }
        if is_settled {
            return shown;
        }
    }
}

static NOBODY: Tally = Tally::NOBODY;

/// One vendor and column.
struct Row {
    high: Faces,
    low: Faces,
    /// Of the homes of each part only: the status of others would tell that there are others.
    status: BTreeMap<Option<Country>, PlaceStatus>,
}

/// The same question, as the world's table answers it and as this one does.
struct Faces {
    world: Parts,
    here: Parts,
}

impl Row {
    fn of(world: Option<&Answers>, here: Option<&Answers>, apart: &BTreeSet<Country>) -> Self {
        let nothing = Answers::default();
        let (world, here) = (world.unwrap_or(&nothing), here.unwrap_or(&nothing));
        let faces = |world: &Split, here: &Split| Faces {
            world: Parts::of(world, apart),
            here: Parts::of(here, apart),
        };
        let mut status: BTreeMap<Option<Country>, PlaceStatus> = BTreeMap::new();
        for (home, &of_home) in &here.settled_status {
            let part = home.filter(|country| apart.contains(country));
            let worst = status.entry(part).or_insert(of_home);
            *worst = of_home.max(*worst);
        }
        Self {
            high: faces(&world.high, &here.high),
            low: faces(&world.low, &here.low),
            status,
        }
    }
}

impl Faces {
    /// The homes by which the two differ: in a country's column those that moved into it, in the one
    /// of anycast those that moved out.
    fn moved(&self, home: Option<Country>) -> Tally {
        self.world.part(home).apart_from(self.here.part(home))
    }

    fn moved_parts(&self) -> impl Iterator<Item = Option<Country>> {
        let homes = self.here.parts.keys().copied();
        homes.filter(|&home| self.moved(home).homes() > 0)
    }

    /// The parts that may be shown, out of those listed.
    fn shown(
        &self,
        rules: &GateRules,
        listed: &BTreeSet<Option<Country>>,
    ) -> BTreeSet<Option<Country>> {
        let parts = listed.iter().filter(|&&home| {
            rules.passes_or_is_nobody(&self.moved(home))
                && rules.passes_or_is_nobody(self.here.part(home))
        });
        let parts = parts
            .map(|&home| (home, self.world.part(home).clone()))
            .collect();
        complement(&self.world.whole, &parts, |rest| rules.passes(rest))
    }
}

/// A split as the home table tells it: the countries apart, and everybody settled elsewhere.
struct Parts {
    whole: Tally,
    parts: BTreeMap<Option<Country>, Tally>,
}

impl Parts {
    fn of(split: &Split, apart: &BTreeSet<Country>) -> Self {
        let mut parts = BTreeMap::from([(None, Tally::default())]);
        parts.extend(
            apart
                .iter()
                .map(|&country| (Some(country), Tally::default())),
        );
        for (home, tally) in &split.settled {
            let part = home.filter(|country| apart.contains(country));
            parts.entry(part).or_default().plus(tally);
        }
        Self {
            whole: split.world.clone(),
            parts,
        }
    }

    fn part(&self, home: Option<Country>) -> &Tally {
        self.parts.get(&home).unwrap_or(&NOBODY)
    }
}

fn countries_apart(asked: &Split, rules: &GateRules) -> BTreeSet<Country> {
    let enough = |tally: &Tally| tally.homes() >= rules.home_country_homes_min;
    asked
        .settled
        .iter()
        .filter(|(_, tally)| enough(tally))
        .filter_map(|(&home, _)| home)
        .collect()
}

#[cfg(test)]
mod tests;
