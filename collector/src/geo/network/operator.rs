//! Operators of networks: the companies of `operators.toml`, each in the country it is registered in.
//!
//! A closed list that is compiled in, like the lists of vendors and endpoints; an [`Operator`] is a
//! place in it. A company's networks that are registered in one country are one operator: what the
//! file says after a comma (`mainland`, `international`) tells networks apart, not companies. One that
//! is registered in two countries is two.

use super::super::packed::Damaged;
use super::Asn;
use crate::packing::{Packed, take};
use phonehome_proto::net::Country;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

/// More are refused: nothing that lists operators, of one vendor or of all, lists more.
pub const OPERATORS_MAX: usize = 128;

const FILE: &str = include_str!("../../../data/operators.toml");

static LISTED: LazyLock<Listed> =
    LazyLock::new(|| Listed::read(FILE).expect("the committed table is well formed"));

/// A company that runs networks. Sorts by name, then by country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator(u8);

/// The table, read.
struct Listed {
    date: String,
    /// Sorted by name, then by country.
    operators: Vec<(String, Country)>,
    networks: BTreeMap<Asn, Operator>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    date: String,
    operator: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "source is for whoever checks the file")]
struct Row {
    asn: u32,
    name: String,
    country: String,
    source: String,
}

impl Operator {
    /// Every one, sorted.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self).take(LISTED.operators.len())
    }

    /// Who operates a network; `None` where the table does not say.
    #[must_use]
    pub fn of(network: Asn) -> Option<Self> {
        LISTED.networks.get(&network).copied()
    }

    /// What it is called, `Alibaba Cloud`.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.row().0
    }

    /// Where it is registered: the country that the regional registry keeps for its networks.
    #[must_use]
    pub fn country(self) -> Country {
        self.row().1
    }

    fn row(self) -> &'static (String, Country) {
        &LISTED.operators[usize::from(self.0)]
    }
}

/// By its place in the table: for those who have the same one.
impl Packed for Operator {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let [place] = take(from)?;
        Self::all().nth(place.into())
    }
}

impl fmt::Display for Operator {
    /// `Alibaba Cloud (CN)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.country())
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// When the table was last gone over.
pub(super) fn date() -> &'static str {
    &LISTED.date
}

impl Listed {
    fn read(text: &str) -> Result<Self, Damaged> {
        let file: File =
            toml::from_str(text).map_err(|_| Damaged::Format("a row of operators.toml"))?;
        let named = |row: &Row| {
            let name = row.name.split(',').next().unwrap_or_default().trim();
            if name.is_empty() {
                return Err(Damaged::Format("an operator without a name"));
            }
            let country = Country::parse(&row.country);
            let country = country.ok_or(Damaged::Format("no country code"))?;
            Ok((name.to_owned(), country))
        };
        let rows: BTreeMap<Asn, (String, Country)> = file
            .operator
            .iter()
            .map(|row| Ok((Asn(row.asn), named(row)?)))
            .collect::<Result<_, Damaged>>()?;
        if rows.len() < file.operator.len() {
            return Err(Damaged::Format("a network with two operators"));
        }
        let operators: BTreeSet<&(String, Country)> = rows.values().collect();
        let operators: Vec<(String, Country)> = operators.into_iter().cloned().collect();
        if operators.len() > OPERATORS_MAX {
            return Err(Damaged::Format("too many operators"));
        }
        let place = |row: &(String, Country)| {
            let at = operators.binary_search(row).ok()?;
            u8::try_from(at).ok()
        };
        let networks = rows.iter().map(|(&asn, row)| {
            let place = place(row).expect("every row is among its operators, and they are few");
            (asn, Operator(place))
        });
        Ok(Self {
            date: file.date,
            networks: networks.collect(),
            operators,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(network: u32) -> Option<String> {
        Operator::of(Asn(network)).map(|operator| operator.to_string())
    }

    #[test]
    fn networks_of_one_company_in_one_country_are_one_operator() {
        assert_eq!(told(45_102).as_deref(), Some("Alibaba Cloud (CN)"));
        assert_eq!(Operator::of(Asn(45_102)), Operator::of(Asn(37_963)));
        assert_eq!(told(134_963).as_deref(), Some("Alibaba Cloud (SG)"));
        assert_eq!(told(64_496), None);
        let all: Vec<Operator> = Operator::all().collect();
        assert!(all.is_sorted_by_key(|operator| (operator.name(), operator.country())));
        assert!(all.len() > 40 && all.contains(&Operator::of(Asn(45_102)).expect("listed")));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let row = |asn: u32, name: &str, country: &str| {
            format!(
                "[[operator]]\nasn = {asn}\nname = '{name}'\ncountry = '{country}'\nsource = ''\n"
            )
        };
        let read = |rows: &str| Listed::read(&format!("date = '2026-01-01'\n{rows}")).is_ok();
        assert!(read(&row(1, "One, far away", "SG")));
        assert!(!read(&row(1, "One", "sg")));
        assert!(!read(&row(1, " , far away", "SG")));
        assert!(!read(&(row(1, "One", "SG") + &row(1, "Two", "SG"))));
        assert!(!read("[[operator]]\nasn = 1\n"));
        let many = |count: usize| -> String {
            (0..count)
                .map(|at| row(u32::try_from(at).expect("few"), &format!("Nr {at}"), "SG"))
                .collect()
        };
        assert!(read(&many(OPERATORS_MAX)));
        assert!(!read(&many(OPERATORS_MAX + 1)));
    }
}
