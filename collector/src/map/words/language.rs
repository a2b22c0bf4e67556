//! The languages pages are written in: texts by key, names of countries, numbers and plurals.
//!
//! A language is a table of `key = text` beside this file; every table has the keys of the English one
//! and their places to fill, `{name}`. A text that depends on a count has a form for each plural
//! category of its language (Unicode CLDR, cardinals of whole numbers). Texts are markup-free: whoever
//! writes a page escapes them. Countries are named in English as everywhere here, and else as in CLDR
//! (`data/names.tsv`). Texts never bend a country's name: they put it after a colon or in a list.

use crate::map::borders;
use crate::release::{BasisPoints, Cell, Column, Numbers, PlaceStatus};
use phonehome_proto::net::Country;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Russian.
    Ru,
    /// Chinese, simplified.
    Zh,
}

type Table = BTreeMap<&'static str, &'static str>;

const NAMES: &str = include_str!("../../../data/names.tsv");

impl Language {
    /// All of them, English first.
    pub const ALL: [Self; 6] = [Self::En, Self::De, Self::Fr, Self::Es, Self::Ru, Self::Zh];

    /// Its tag (BCP 47), `de`; also the name of its folder.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::Ru => "ru",
            Self::Zh => "zh",
        }
    }

    /// What it calls itself.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
            Self::Fr => "Français",
            Self::Es => "Español",
            Self::Ru => "Русский",
            Self::Zh => "中文",
        }
    }

    /// The way it is written. Nothing in pages and style depends on it being `ltr`; a right-to-left
    /// language needs its table and its line here.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        "ltr"
    }

    /// A text.
    ///
    /// # Panics
    /// If there is no such key: keys are the program's own, and a test compares the tables.
    #[must_use]
    pub fn text(self, key: &str) -> &'static str {
        self.table()
            .get(key)
            .unwrap_or_else(|| panic!("no text '{key}' in {}", self.tag()))
    }

    /// A text with its places filled.
    #[must_use]
    pub fn fill(self, key: &str, places: &[(&str, &str)]) -> String {
        let mut text = self.text(key).to_owned();
        for (name, value) in places {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// The form of a text that goes with a count, `{n}` filled.
    #[must_use]
    pub fn counted(self, key: &str, n: u32, places: &[(&str, &str)]) -> String {
        let form = format!("{key}.{}", self.plural(n));
        let form = if self.table().contains_key(form.as_str()) {
            form
        } else {
            format!("{key}.other")
        };
        self.fill(&form, places).replace("{n}", &self.number(n))
    }

    /// The plural category of a whole number (CLDR 48, cardinals).
    #[must_use]
    pub const fn plural(self, n: u32) -> &'static str {
        match (self, n % 10, n % 100, n) {
            (Self::En | Self::De | Self::Es, _, _, 1) | (Self::Fr, _, _, 0 | 1) => "one",
            (Self::Ru, _, 11, _) => "many",
            (Self::Ru, 1, _, _) => "one",
            (Self::Ru, 2..=4, teens, _) if teens < 12 || teens > 14 => "few",
            (Self::Ru, _, _, _) => "many",
            (Self::En | Self::De | Self::Es | Self::Fr | Self::Zh, _, _, _) => "other",
        }
    }

    /// A whole number with its thousands set apart.
    #[must_use]
    pub fn number(self, n: u32) -> String {
        let digits = n.to_string();
        let between = match self {
            Self::En | Self::Zh => ",",
            Self::De => ".",
            Self::Fr => "\u{202f}",
            Self::Es | Self::Ru => "\u{a0}",
        };
        // Spanish sets thousands apart from five digits on.
        if self == Self::Es && digits.len() < 5 {
            return digits;
        }
        let first = digits.len() % 3;
        let mut out = digits[..first].to_owned();
        for at in (first..digits.len()).step_by(3) {
            if !out.is_empty() {
                out.push_str(between);
            }
            out.push_str(&digits[at..at + 3]);
        }
        out
    }

    /// `text` as so many per cent.
    fn per_cent(self, text: &str) -> String {
        match self {
            Self::En | Self::De | Self::Es | Self::Ru => format!("{text}\u{a0}%"),
            Self::Fr => format!("{text}\u{202f}%"),
            Self::Zh => format!("{text}%"),
        }
    }

    /// A share in whole per cent; one above zero never reads as zero.
    #[must_use]
    pub fn percent(self, share: BasisPoints) -> String {
        match share.0 {
            1..100 => self.fill("under", &[("share", &self.per_cent("1"))]),
            points => self.per_cent(&((points + 50) / 100).to_string()),
        }
    }

    /// An interval in whole per cent, widened to whole numbers.
    #[must_use]
    pub fn interval(self, numbers: &Numbers) -> String {
        let low = (numbers.share_low.0 / 100).to_string();
        let high = self.per_cent(&numbers.share_high.0.div_ceil(100).to_string());
        self.fill("interval", &[("low", &low), ("high", &high)])
    }

    /// Names in a row.
    #[must_use]
    pub fn list<T: AsRef<str>>(self, names: &[T]) -> String {
        match names {
            [] => String::new(),
            [one] => one.as_ref().to_owned(),
            [some @ .., last] => {
                let some: Vec<&str> = some.iter().map(AsRef::as_ref).collect();
                let comma = if self == Self::Zh { "、" } else { ", " };
                self.fill(
                    "list",
                    &[("some", &some.join(comma)), ("last", last.as_ref())],
                )
            }
        }
    }

    /// A country's name, or its code where it has none.
    #[must_use]
    pub fn country(self, country: Country) -> String {
        static OTHERS: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
            let rows = NAMES.lines().filter(|line| !line.starts_with('#'));
            rows.filter_map(|row| {
                let mut fields = row.split('\t');
                Some((fields.next()?, fields.collect()))
            })
            .collect()
        });
        let at = Self::ALL
            .iter()
            .position(|language| *language == self)
            .and_then(|at| at.checked_sub(1));
        let other = at.and_then(|at| OTHERS.get(country.as_str())?.get(at).copied());
        other.unwrap_or_else(|| borders::name(&country)).to_owned()
    }

    /// A column's name: the country's, or what stands for no country.
    #[must_use]
    pub fn column(self, column: &Column) -> String {
        match column {
            Column::Country(country) => self.country(*country),
            Column::Anycast => self.text("anycast").to_owned(),
            Column::Unknown => self.text("unknown").to_owned(),
        }
    }

    /// What a cell says, without its place.
    #[must_use]
    pub fn cell(self, cell: &Cell) -> String {
        let shown = |numbers: &Numbers| {
            let (share, interval) = (self.percent(numbers.share), self.interval(numbers));
            let places = [("share", share.as_str()), ("interval", interval.as_str())];
            self.counted("cell.value", numbers.n, &places)
        };
        match cell {
            Cell::Value(numbers) => shown(numbers),
            Cell::Imprecise(numbers) => {
                let why = match numbers.place_status {
                    PlaceStatus::Single => "why.single",
                    PlaceStatus::Disputed => "why.disputed",
                    PlaceStatus::Confident | PlaceStatus::Anycast | PlaceStatus::Unknown => {
                        "why.wide"
                    }
                };
                let (shown, why) = (shown(numbers), self.text(why));
                self.fill("cell.imprecise", &[("shown", &shown), ("why", why)])
            }
            Cell::Zero(numbers) => {
                let most = self.per_cent(&numbers.share_high.0.div_ceil(100).to_string());
                self.counted("cell.zero", numbers.n, &[("most", &most)])
            }
            Cell::Suppressed => self.text("cell.suppressed").to_owned(),
            Cell::NoData => self.text("cell.no_data").to_owned(),
            Cell::NotApplicable => self.text("cell.not_applicable").to_owned(),
        }
    }

    /// How a place is known.
    #[must_use]
    pub fn status(self, status: PlaceStatus) -> &'static str {
        self.text(match status {
            PlaceStatus::Confident => "status.confident",
            PlaceStatus::Single => "status.single",
            PlaceStatus::Disputed => "status.disputed",
            PlaceStatus::Anycast => "status.anycast",
            PlaceStatus::Unknown => "status.unknown",
        })
    }

    /// The language's table.
    fn table(self) -> &'static Table {
        static TABLES: LazyLock<BTreeMap<Language, Table>> = LazyLock::new(|| {
            Language::ALL
                .iter()
                .map(|&language| (language, rows(language.source()).collect()))
                .collect()
        });
        &TABLES[&self]
    }

    const fn source(self) -> &'static str {
        match self {
            Self::En => include_str!("en.txt"),
            Self::De => include_str!("de.txt"),
            Self::Fr => include_str!("fr.txt"),
            Self::Es => include_str!("es.txt"),
            Self::Ru => include_str!("ru.txt"),
            Self::Zh => include_str!("zh.txt"),
        }
    }
}

/// Keys and texts of a table; lines that begin with `#` are remarks.
fn rows(source: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    source
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
}

#[cfg(test)]
mod tests;
