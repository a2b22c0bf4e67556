//! A table as readers get it: named columns, rows of fields.
//!
//! CSV, JSON, the API and `query` all print this one form, so they cannot disagree. Only value, zero
//! and imprecise cells carry numbers; in every other row the fields of a number are empty. Rows stand
//! in the order of the release: vendor, country, then what divides it further.

use crate::release::{BasisPoints, Cell, Matrix, Release};
use phonehome_proto::vendor::Vendor;

/// A table of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableName {
    /// Vendor by country of the server.
    Server,
    /// Vendor by country of the network's operator.
    Network,
    /// Vendor by country of the domain's owner.
    Owner,
    /// Vendor by country of the server by country of the home.
    Home,
    /// Vendor by listed endpoint.
    Endpoints,
}

/// Named columns and the rows under them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The columns' names, in snake case.
    pub columns: Vec<&'static str>,
    /// As many fields in each row as there are columns.
    pub rows: Vec<Vec<Field>>,
}

/// One field of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A code, a name, a state.
    Text(String),
    /// A number of homes or networks.
    Count(u32),
    /// A share of homes.
    Share(BasisPoints),
    /// Nothing is said.
    Empty,
}

/// What every row of every table ends with.
pub(super) const CELL_COLUMNS: [&str; 10] = [
    "state",
    "share",
    "share_low",
    "share_high",
    "x_low",
    "x_high",
    "n",
    "networks",
    "radius",
    "place_status",
];

/// The columns of [`Table::of_operators`].
pub const OPERATOR_COLUMNS: [&str; 4] = ["week", "vendor", "operator", "country"];

// === impl TableName ===

impl TableName {
    /// All of them: the closed list of what the observatory ever tells.
    pub const ALL: [Self; 5] = [
        Self::Server,
        Self::Network,
        Self::Owner,
        Self::Home,
        Self::Endpoints,
    ];

    /// The name of its files, without an ending.
    #[must_use]
    pub const fn file_stem(self) -> &'static str {
        match self {
            Self::Server => "matrix-server",
            Self::Network => "matrix-network",
            Self::Owner => "matrix-owner",
            Self::Home => "matrix-home",
            Self::Endpoints => "endpoints",
        }
    }

    /// The matrix that `by` asks for.
    #[must_use]
    pub fn of_matrix(by: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| {
            name.file_stem()
                .strip_prefix("matrix-")
                .is_some_and(|stem| stem == by)
        })
    }
}

// === impl Table ===

impl Table {
    /// One table of a release, whole.
    #[must_use]
    pub fn of(release: &Release, name: TableName) -> Self {
        match name {
            TableName::Server => Self::of_pairs(release, &release.server),
            TableName::Network => Self::of_pairs(release, &release.network),
            TableName::Owner => Self::of_pairs(release, &release.owner),
            TableName::Home => Self::of_homes(release),
            TableName::Endpoints => Self::of_endpoints(release),
        }
    }

    /// The operators of networks that a release names. Vendors have names here and no cells, so it is none
    /// of the tables of [`TableName`].
    #[must_use]
    pub fn of_operators(release: &Release) -> Self {
        let week = release.id.week.to_string();
        let rows = release.operators.iter().map(|(vendor, operator)| {
            let country = operator.country.as_str();
            vec![
                text(&week),
                text(vendor.id()),
                text(&operator.name),
                text(country),
            ]
        });
        Self {
            columns: OPERATOR_COLUMNS.to_vec(),
            rows: rows.collect(),
        }
    }

    /// The rows of one vendor.
    #[must_use]
    pub fn of_vendor(self, vendor: Vendor) -> Self {
        self.with("vendor", vendor.id())
    }

    /// The rows of one country's code, or of `anycast` or `unknown`.
    #[must_use]
    pub fn of_country(self, code: &str) -> Self {
        self.with("country", code)
    }

    /// The rows that say `text` in a column; all of them if there is no such column.
    fn with(mut self, column: &str, text: &str) -> Self {
        if let Some(at) = self.columns.iter().position(|name| *name == column) {
            self.rows
                .retain(|row| row[at] == Field::Text(text.to_owned()));
        }
        self
    }

    fn empty(between: &[&'static str]) -> Self {
        let columns = ["week", "vendor"]
            .iter()
            .chain(between)
            .chain(&CELL_COLUMNS)
            .copied()
            .collect();
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    fn push(&mut self, release: &Release, vendor: Vendor, between: &[&str], cell: &Cell) {
        let mut row = vec![text(&release.id.week.to_string()), text(vendor.id())];
        row.extend(between.iter().map(|code| text(code)));
        row.push(text(cell.state()));
        match cell.numbers() {
            Some(numbers) => row.extend([
                Field::Share(numbers.share),
                Field::Share(numbers.share_low),
                Field::Share(numbers.share_high),
                Field::Count(numbers.x_low),
                Field::Count(numbers.x_high),
                Field::Count(numbers.n),
                Field::Count(numbers.networks),
                Field::Count(numbers.radius),
                text(numbers.place_status.as_str()),
            ]),
            None => row.extend([const { Field::Empty }; CELL_COLUMNS.len() - 1]),
        }
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    fn of_pairs(release: &Release, matrix: &Matrix) -> Self {
        let mut table = Self::empty(&["country"]);
        for ((vendor, column), cell) in matrix {
            table.push(release, *vendor, &[column.code()], cell);
        }
        table
    }

    fn of_homes(release: &Release) -> Self {
        let mut table = Self::empty(&["country", "home_country"]);
        for ((vendor, column, home), cell) in &release.home {
            let home = home.as_ref().map_or(HOME_OTHER, |country| country.as_str());
            table.push(release, *vendor, &[column.code(), home], cell);
        }
        table
    }

    /// The country is the endpoint owner's seat, a fact of the public list.
    fn of_endpoints(release: &Release) -> Self {
        let mut table = Self::empty(&["endpoint", "country"]);
        for ((vendor, endpoint), cell) in &release.endpoints {
            let owner = endpoint.owner_country();
            table.push(
                release,
                *vendor,
                &[endpoint.pattern(), owner.as_str()],
                cell,
            );
        }
        table
    }
}

/// The home country of homes in countries with too few of them to be named.
pub(super) const HOME_OTHER: &str = "other";

fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::fixture;

    #[test]
    fn columns_are_the_contract() {
        let release = fixture::release();
        let columns = |name| Table::of(&release, name).columns.join(",");
        let tail = "state,share,share_low,share_high,x_low,x_high,n,networks,radius,place_status";
        for name in [TableName::Server, TableName::Network, TableName::Owner] {
            assert_eq!(columns(name), format!("week,vendor,country,{tail}"));
        }
        assert_eq!(
            columns(TableName::Home),
            format!("week,vendor,country,home_country,{tail}")
        );
        assert_eq!(
            columns(TableName::Endpoints),
            format!("week,vendor,endpoint,country,{tail}")
        );
    }

    #[test]
    fn only_three_states_carry_numbers() {
        let release = fixture::release();
        let mut states = std::collections::BTreeSet::new();
        for name in TableName::ALL {
            let table = Table::of(&release, name);
            let at = table
                .columns
                .iter()
                .position(|c| *c == "state")
                .expect("a column");
            for row in &table.rows {
                assert_eq!(row.len(), table.columns.len());
                let Field::Text(state) = &row[at] else {
                    panic!("a state is text")
                };
                let numbers = row[at + 1..]
                    .iter()
                    .filter(|field| **field != Field::Empty)
                    .count();
                let shown = ["value", "zero", "imprecise"].contains(&state.as_str());
                assert_eq!(numbers, if shown { 9 } else { 0 }, "{row:?}");
                states.insert(state.clone());
            }
        }
        assert_eq!(states.len(), 6, "the fixture has every state");
    }
}
