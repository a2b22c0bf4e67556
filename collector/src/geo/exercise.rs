//! Where the homes of an exercise stand: a table of their own, so that nobody real is impersonated.
//!
//! Synthetic homes have addresses in documentation space and networks with numbers kept for
//! documentation (RFC 5398); a row outside of either is refused. No real address is ever looked up
//! here, and no documentation address anywhere else.

use super::network::{Asn, Origin};
use super::range::Range;
use phonehome_proto::net::{Country, Scope};
use serde::Deserialize;
use std::net::IpAddr;
use thiserror::Error;

/// Rows of one table; looked through one by one.
const ROWS_MAX: usize = 4_096;

/// Networks of synthetic homes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExerciseTable(Vec<(Range, Origin)>);

/// Why something is not such a table.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotAnExercise {
    /// Not TOML, or other keys than `prefix`, `country` and `asn`.
    #[error("the exercise table does not parse: {0}")]
    Syntax(String),
    /// A prefix outside documentation space, a number outside RFC 5398, or no country.
    #[error(
        "row {row} of the exercise table is not of documentation space (2001:db8::/32, AS64496-64511, AS65536-65551) with a country"
    )]
    Row {
        /// Counted from 1.
        row: usize,
    },
    /// More than 4,096 rows.
    #[error("the exercise table has more than {ROWS_MAX} rows")]
    TooLong,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    network: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    prefix: String,
    country: String,
    asn: u32,
}

impl ExerciseTable {
    /// Reads `[[network]]` rows with `prefix` (CIDR), `country` (ISO alpha-2) and `asn`.
    ///
    /// # Errors
    /// [`NotAnExercise`] says what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, NotAnExercise> {
        let file: File = toml::from_str(text)
            .map_err(|error| NotAnExercise::Syntax(error.message().to_owned()))?;
        if file.network.len() > ROWS_MAX {
            return Err(NotAnExercise::TooLong);
        }
        let rows = file.network.iter().enumerate();
        rows.map(|(at, row)| row.read().ok_or(NotAnExercise::Row { row: at + 1 }))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Where a synthetic home with this address stands.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Option<Origin> {
        self.0
            .iter()
            .find(|(range, _)| range.holds(address))
            .map(|(_, origin)| *origin)
    }
}

impl Row {
    fn read(&self) -> Option<(Range, Origin)> {
        let range = Range::of_cidr(&self.prefix)?;
        let of_documentation = |address| Scope::of(address) == Scope::Documentation;
        let country = Country::new(self.country.as_bytes().try_into().ok()?)?;
        let is_rfc5398 = matches!(self.asn, 64_496..=64_511 | 65_536..=65_551);
        (is_rfc5398 && of_documentation(range.first) && of_documentation(range.last)).then_some((
            range,
            Origin {
                country,
                network: Asn(self.asn),
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documentation_space_is_taken() {
        let row = |prefix: &str, country: &str, asn: u32| {
            let text =
                format!("[[network]]\nprefix = '{prefix}'\ncountry = '{country}'\nasn = {asn}");
            ExerciseTable::parse(&text)
        };
        let table = row("2001:db8:7::/48", "DE", 64_500).expect("documentation space");
        let origin = table.origin("2001:db8:7::1".parse().expect("an address"));
        let country = Country::new(*b"DE").expect("a code");
        assert_eq!(
            origin,
            Some(Origin {
                country,
                network: Asn(64_500)
            })
        );
        assert_eq!(
            table.origin("2001:db8:8::1".parse().expect("an address")),
            None
        );
        for (prefix, country, asn) in [
            ("2400:3200::/48", "DE", 64_500),
            ("2001::/16", "DE", 64_500),
            ("2001:db8:7::/48", "DE", 45_102),
            ("2001:db8:7::/48", "de", 64_500),
            ("2001:db8:7::", "DE", 64_500),
        ] {
            assert_eq!(
                row(prefix, country, asn),
                Err(NotAnExercise::Row { row: 1 }),
                "{prefix}"
            );
        }
        assert!(matches!(
            ExerciseTable::parse("x = 1"),
            Err(NotAnExercise::Syntax(_))
        ));
    }
}
