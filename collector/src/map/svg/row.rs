//! A row of cells over countries, and what it says in a sentence: one vendor's, or of each country the
//! cell with the largest share that any vendor has there.

use crate::map::classes::Look;
use crate::map::words::language::Language;
use crate::map::{Fact, borders, words};
use crate::release::composition::{self, Composition};
use crate::release::{Cell, Column, Release};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// So many countries are named in the sentence under a world.
const NAMED_MAX: usize = 5;

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::map) enum Subject {
    /// One vendor's.
    Vendor(Vendor),
    /// All vendors', the largest share of each country.
    All,
    /// The same, of homes in one country.
    HomesIn(Country),
}

/// What one row of a matrix says.
pub(in crate::map) struct Row<'a> {
    /// Whose row.
    pub(in crate::map) subject: Subject,
    /// Of which matrix.
    pub(in crate::map) fact: Fact,
    /// Its cells in countries.
    pub(in crate::map) countries: BTreeMap<&'a str, &'a Cell>,
    /// Of a row of all vendors, the vendors with a share above zero, the largest first.
    pub(in crate::map) whose: BTreeMap<&'a str, Vec<(Vendor, &'a Cell)>>,
    /// Its cells in no country: anycast, unknown.
    pub(in crate::map) elsewhere: Vec<(Column, &'a Cell)>,
    /// How a country without a cell looks.
    pub(in crate::map) rest: Look,
    /// Homes asked, rounded, where any cell says so.
    pub(in crate::map) homes: Option<u32>,
    /// Where these homes stand.
    composition: Option<Composition>,
}

impl<'a> Row<'a> {
    /// The row of `vendor` in a matrix.
    pub(in crate::map) fn of(release: &'a Release, fact: Fact, vendor: Vendor) -> Self {
        let matrix = fact.matrix(release);
        let cells = matrix
            .iter()
            .filter(move |((of, _), _)| *of == vendor)
            .map(|((_, column), cell)| (column, cell));
        let homes = composition::homes(matrix, vendor);
        Self {
            // The table by home country says it of the homes, whichever fact is asked about.
            composition: composition::composition(release, vendor),
            ..Self::from_cells(Subject::Vendor(vendor), fact, homes, cells)
        }
    }

    /// Of each country, the cell with the largest share.
    pub(in crate::map) fn strongest(release: &'a Release, fact: Fact) -> Self {
        let cells = fact.matrix(release).iter();
        let cells = cells.map(|((vendor, column), cell)| (*vendor, column, cell));
        Self::from_many(Subject::All, fact, release.homes, cells)
    }

    /// The same of homes in one country, by servers.
    pub(in crate::map) fn strongest_in(release: &'a Release, country: Country) -> Self {
        let cells = release
            .home
            .iter()
            .filter(move |((_, _, home), _)| *home == Some(country))
            .map(|((vendor, column, _), cell)| (*vendor, column, cell));
        Self::from_many(Subject::HomesIn(country), Fact::Server, None, cells)
    }

    fn from_many(
        subject: Subject,
        fact: Fact,
        homes: Option<u32>,
        cells: impl Iterator<Item = (Vendor, &'a Column, &'a Cell)>,
    ) -> Self {
        let mut of: BTreeMap<&Column, Vec<(Vendor, &Cell)>> = BTreeMap::new();
        for (vendor, column, cell) in cells {
            of.entry(column).or_default().push((vendor, cell));
        }
        let mut whose = BTreeMap::new();
        let mut strongest = Vec::new();
        for (column, mut cells) in of {
            // The vendors' own order decides between equals.
            cells.sort_by_key(|(vendor, cell)| (Reverse(weight(cell)), *vendor));
            let Some(&(_, first)) = cells.first() else {
                continue;
            };
            strongest.push((column, first));
            if let Column::Country(country) = column {
                cells.retain(|(_, cell)| share(cell) > 0);
                whose.insert(country.as_str(), cells);
            }
        }
        let any = strongest.iter().any(|(_, cell)| cell.numbers().is_some());
        let homes = homes.or_else(|| any.then_some(0));
        let mut row = Self::from_cells(subject, fact, homes.filter(|_| any), strongest.into_iter());
        row.whose = whose;
        row
    }

    fn from_cells(
        subject: Subject,
        fact: Fact,
        homes: Option<u32>,
        cells: impl Iterator<Item = (&'a Column, &'a Cell)>,
    ) -> Self {
        let cells: Vec<(&Column, &Cell)> = cells.collect();
        let any = |state: Cell| cells.iter().any(|(_, cell)| **cell == state);
        let rest = match homes {
            Some(_) => Look::Zero,
            None if any(Cell::Suppressed) => Look::Suppressed,
            None if any(Cell::NotApplicable) && !any(Cell::NoData) => Look::NotApplicable,
            None => Look::NoData,
        };
        let mut row = Self {
            subject,
            fact,
            countries: BTreeMap::new(),
            whose: BTreeMap::new(),
            elsewhere: Vec::new(),
            rest,
            homes,
            composition: None,
        };
        for (column, cell) in cells {
            match column {
                Column::Country(country) => drop(row.countries.insert(country.as_str(), cell)),
                Column::Anycast | Column::Unknown => row.elsewhere.push((*column, cell)),
            }
        }
        row
    }

    /// What the row is called in the data of a picture.
    pub(super) fn id(&self) -> &'static str {
        match self.subject {
            Subject::Vendor(vendor) => vendor.id(),
            Subject::All | Subject::HomesIn(_) => "all",
        }
    }

    /// Its heading.
    pub(super) fn name(&self) -> String {
        match self.subject {
            Subject::Vendor(vendor) => vendor.name().to_owned(),
            Subject::All => "All vendors".to_owned(),
            Subject::HomesIn(country) => format!("Homes in {}", borders::name(&country)),
        }
    }

    /// The full sentence of one country, without its name.
    pub(super) fn words(&self, code: &str, language: Language) -> String {
        let cell = self.countries.get(code);
        match (cell, self.whose.get(code)) {
            (_, Some(whose)) if !whose.is_empty() => {
                let parts = whose.iter().map(|(vendor, cell)| {
                    let cell = language.cell(cell);
                    language.fill("of_vendor", &[("vendor", vendor.name()), ("cell", &cell)])
                });
                parts.collect::<Vec<_>>().join(" · ")
            }
            (Some(cell), _) if self.whose.is_empty() => language.cell(cell),
            (Some(cell), _) => language.text(&format!("state.{}", cell.state())).to_owned(),
            (None, _) => language
                .text(&format!("state.{}", self.rest_word()))
                .to_owned(),
        }
    }

    /// Countries with a share above zero, the largest first.
    pub(in crate::map) fn ranked(&self) -> Vec<(&'a str, &'a Cell)> {
        let mut ranked: Vec<(&str, &Cell)> = self
            .countries
            .iter()
            .map(|(&code, &cell)| (code, cell))
            .filter(|(_, cell)| share(cell) > 0)
            .collect();
        ranked.sort_by_key(|(code, cell)| (Reverse(share(cell)), *code));
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
                let whose = self.whose.get(code).and_then(|whose| whose.first());
                let whose =
                    whose.map_or_else(String::new, |(vendor, _)| format!(" {}", vendor.name()));
                Some(format!(
                    "{}{whose}\u{a0}{} ({})",
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
        let to = match self.fact {
            Fact::Server => "Servers in",
            Fact::Network => "Networks of",
            Fact::Owner => "Names of",
        };
        match (self.homes, named.is_empty()) {
            (Some(_), false) => format!("{to} {}{tail}.", named.join(", ")),
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

/// A cell's share; nothing where it has none.
fn share(cell: &Cell) -> u16 {
    cell.numbers().map_or(0, |numbers| numbers.share.0)
}

/// What stands for a country on a map of all vendors: the largest share; else that something is held
/// back; else that there is nothing, or nothing to ask.
fn weight(cell: &Cell) -> (u8, u16) {
    match cell {
        Cell::Value(_) | Cell::Imprecise(_) => (4, share(cell)),
        Cell::Suppressed => (3, 0),
        Cell::Zero(_) => (2, 0),
        Cell::NoData => (1, 0),
        Cell::NotApplicable => (0, 0),
    }
}
