//! The table by home country: the only one whose cells add up to another's, so the only one that is
//! complemented.

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
/// apart, all others together; with the homes that roam they make up the world's cell.
pub(super) fn table(
    counters: &Counters,
    rules: &GateRules,
) -> BTreeMap<(Vendor, Column, Option<Country>), Cell> {
    let columns = columns(counters, Question::Server);
    let mut cells = BTreeMap::new();
    for vendor in Vendor::all() {
        let everywhere = |cell| columns.iter().map(move |&at| ((vendor, at, None), cell));
        if !has_own_endpoints(vendor) {
            cells.extend(everywhere(Cell::NotApplicable));
            continue;
        }
        let Some(asked) = counters.asked(vendor) else {
            cells.extend(everywhere(Cell::NoData));
            continue;
        };
        let apart = countries_apart(asked, rules);
        let asked = Parts::of(asked, &apart);
        let asked_shown = complement(&asked.whole, &asked.parts, |rest| rules.passes(rest));
        let worst = worst_place(counters, vendor, &columns, Question::Server);
        for &column in &columns {
            let answers = counters.answers(vendor, Question::Server(column));
            let row = row(rules, &apart, &asked, &asked_shown, answers, worst);
            cells.extend(row.map(|(home, cell)| ((vendor, column, home), cell)));
        }
    }
    cells
}

fn row<'a>(
    rules: &'a GateRules,
    apart: &BTreeSet<Country>,
    asked: &'a Parts,
    asked_shown: &'a BTreeSet<Option<Country>>,
    answers: Option<&Answers>,
    worst: PlaceStatus,
) -> impl Iterator<Item = (Option<Country>, Cell)> + use<'a> {
    let nothing = Answers {
        status: worst,
        ..Answers::default()
    };
    let answers = answers.unwrap_or(&nothing);
    let status = answers.status;
    // Only parts whose homes asked are shown can show what these did.
    let mut high = Parts::of(&answers.high, apart);
    let mut low = Parts::of(&answers.low, apart);
    let high_shown = high.shown_among(asked_shown, rules);
    let low_shown = low.shown_among(&high_shown, rules);
    asked.parts.iter().map(move |(&home, asked)| {
        let high = high.take(home);
        let mut low = low.take(home);
        if asked.homes() == 0 {
            return (home, Cell::NoData);
        }
        if !asked_shown.contains(&home) || (high.homes() > 0 && !high_shown.contains(&home)) {
            return (home, Cell::Suppressed);
        }
        if !low_shown.contains(&home) {
            low = Tally::default();
        }
        let (low, high) = (&low, &high);
        let answered = Answered {
            asked,
            low,
            high,
            status,
        };
        (home, cell(rules, &answered))
    })
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

    /// The parts that may be shown, out of those listed.
    fn shown_among(
        &self,
        listed: &BTreeSet<Option<Country>>,
        rules: &GateRules,
    ) -> BTreeSet<Option<Country>> {
        let parts = self.parts.iter().filter(|(home, _)| listed.contains(home));
        let parts = parts.map(|(&home, tally)| (home, tally.clone())).collect();
        complement(&self.whole, &parts, |rest| rules.passes(rest))
    }

    fn take(&mut self, home: Option<Country>) -> Tally {
        self.parts.remove(&home).unwrap_or_default()
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
