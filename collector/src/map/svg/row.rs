//! One vendor's row of the server matrix, and what it says in a sentence.

use crate::map::classes::Look;
use crate::map::{borders, words};
use crate::release::composition::{self, Composition};
use crate::release::{Cell, Column, Release};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// So many countries are named in the sentence under a world.
const NAMED_MAX: usize = 5;

/// What one vendor's row of a matrix says.
pub(super) struct Row<'a> {
    /// Whose row.
    pub(super) vendor: Vendor,
    /// Its cells in countries.
    pub(super) countries: BTreeMap<&'a str, &'a Cell>,
    /// Its cells in no country: anycast, unknown.
    pub(super) elsewhere: Vec<(Column, &'a Cell)>,
    /// How a country without a cell looks.
    pub(super) rest: Look,
    /// Homes asked, rounded, where any cell says so.
    pub(super) homes: Option<u32>,
    /// Where these homes stand.
    composition: Option<Composition>,
}

impl<'a> Row<'a> {
    /// The row of `vendor` in the server matrix.
    pub(super) fn of(release: &'a Release, vendor: Vendor) -> Self {
        let cells = || {
            release
                .server
                .iter()
                .filter(move |((of, _), _)| *of == vendor)
        };
        let composition = composition::composition(release, vendor);
        let homes = composition.as_ref().map(|composition| composition.homes);
        let any = |state: Cell| cells().any(|(_, cell)| *cell == state);
        let rest = match homes {
            Some(_) => Look::Zero,
            None if any(Cell::Suppressed) => Look::Suppressed,
            None if any(Cell::NotApplicable) && !any(Cell::NoData) => Look::NotApplicable,
            None => Look::NoData,
        };
        let mut row = Self {
            vendor,
            countries: BTreeMap::new(),
            elsewhere: Vec::new(),
            rest,
            homes,
            composition,
        };
        for ((_, column), cell) in cells() {
            match column {
                Column::Country(country) => drop(row.countries.insert(country.as_str(), cell)),
                Column::Anycast | Column::Unknown => row.elsewhere.push((*column, cell)),
            }
        }
        row
    }

    /// Countries with a share above zero, the largest first.
    pub(super) fn ranked(&self) -> Vec<(&'a str, &'a Cell)> {
        let share = |cell: &Cell| cell.numbers().map_or(0, |numbers| numbers.share.0);
        let mut ranked: Vec<(&str, &Cell)> = self
            .countries
            .iter()
            .map(|(&code, &cell)| (code, cell))
            .filter(|(_, cell)| share(cell) > 0)
            .collect();
        ranked.sort_by_key(|(code, cell)| (std::cmp::Reverse(share(cell)), *code));
        ranked
    }

    /// The word for the state of countries without a cell.
    pub(super) const fn rest_word(&self) -> &'static str {
        match self.rest {
            Look::Zero | Look::Value(_) | Look::Imprecise(_) => "zero",
            Look::Suppressed => "suppressed",
            Look::NoData => "no_data",
            Look::NotApplicable => "not_applicable",
        }
    }

    /// The finding of one world in a sentence.
    pub(super) fn summary(&self) -> String {
        let ranked = self.ranked();
        let named: Vec<String> = ranked
            .iter()
            .take(NAMED_MAX)
            .filter_map(|(code, cell)| {
                let numbers = cell.numbers()?;
                let country = Country::parse(code)?;
                Some(format!(
                    "{}\u{a0}{} ({})",
                    borders::name(&country),
                    words::percent(numbers.share),
                    words::interval(numbers)
                ))
            })
            .collect();
        let more = ranked.len().saturating_sub(NAMED_MAX);
        let tail = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        match (self.homes, named.is_empty()) {
            (Some(_), false) => format!("To {}{tail}.", named.join(", ")),
            (Some(_), true) => "No country passes the gate with a share above zero.".to_owned(),
            (None, _) => "Too few homes to show anything.".to_owned(),
        }
    }

    /// Where the homes behind the world stand.
    pub(super) fn homes_stand(&self) -> String {
        let told = self.composition.as_ref().map(words::of_composition);
        told.map_or_else(String::new, |told| format!("Homes: {told}."))
    }

    /// What has no place on the map, and what the gate holds back.
    pub(super) fn outside(&self) -> String {
        let places: Vec<String> = self
            .elsewhere
            .iter()
            .map(|(column, cell)| {
                let what = match cell {
                    Cell::Value(numbers) | Cell::Imprecise(numbers) => {
                        words::percent(numbers.share)
                    }
                    Cell::Zero(_) => "none".to_owned(),
                    other => other.state().replace('_', " "),
                };
                format!("{}: {what}", words::of_column(column))
            })
            .collect();
        let suppressed = self
            .countries
            .values()
            .filter(|cell| matches!(cell, Cell::Suppressed))
            .count();
        let mut sentences = Vec::new();
        if !places.is_empty() {
            sentences.push(format!("Off the map: {}.", places.join("; ")));
        }
        if suppressed > 0 {
            sentences.push(format!("Countries suppressed: {suppressed}."));
        }
        sentences.join(" ")
    }
}
