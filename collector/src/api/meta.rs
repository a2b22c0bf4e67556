//! What stands on top of every answer in JSON: enough to cite its numbers, and to know what they rest on.

use super::selection::Chosen;
use crate::format::json;
use crate::format::table::{Field, Table};
use crate::map::words;
use crate::release::{Cell, Release};
use phonehome_proto::v1;
use serde::Serialize;
use utoipa::ToSchema;

/// On what the numbers of an answer rest, and how to cite them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Meta {
    /// The releases that answer, the oldest first; one, unless a range of weeks was asked for.
    releases: Vec<String>,
    period: Period,
    /// When the newest of the weeks closed, RFC 3339.
    closed_at: String,
    /// `observatory`, or `exercise` when the homes are synthetic.
    purpose: &'static str,
    /// What must be said wherever the numbers are shown.
    notice: Option<&'static str>,
    /// Homes that reported, rounded; null for a range, since weeks do not add up, and while they do not pass the
    /// gate.
    homes: Option<u32>,
    /// At least so many networks those homes stand in; null like `homes`.
    networks: Option<u32>,
    /// The gate's k: a cell shows only when the sum over networks of min(homes, `network_homes_max`) is at
    /// least this.
    k: u32,
    network_homes_max: u32,
    /// Counts are rounded to multiples of this.
    rounding: u32,
    /// The version of the method; the same for all weeks of an answer.
    method: u32,
    cells: Cells,
    /// Tables that said where servers stand and who runs networks, and the date of each.
    databases: Vec<Database>,
    /// Where borders come from, and what they do not claim.
    boundaries: &'static str,
    licence: &'static str,
    citation: String,
    /// Where the same answer stays as it is.
    permalink: Option<String>,
}

/// Whole ISO weeks.
#[derive(Debug, Serialize, ToSchema)]
struct Period {
    /// The first week asked for.
    from: String,
    /// The last week asked for.
    to: String,
    /// Released weeks in it.
    weeks: usize,
    /// Weeks in it that are not released.
    missing: Vec<String>,
}

/// How many cells of the answer are in each state.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Cells {
    value: usize,
    zero: usize,
    imprecise: usize,
    suppressed: usize,
    no_data: usize,
    not_applicable: usize,
}

/// A table that is not ours, as it was when the week closed.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Database {
    name: String,
    /// Its date or version.
    build: String,
    licence: String,
}

impl Meta {
    /// About an answer of these cells.
    pub(super) fn of(chosen: &Chosen, cells: Cells, permalink: Option<String>) -> Self {
        let newest = chosen.newest().release();
        let week = newest.id.week;
        let (from, to) = chosen.range.unwrap_or((week, week));
        let alone = |number: Option<u32>| number.filter(|_| chosen.range.is_none());
        let mut databases = Vec::new();
        for source in chosen.releases().flat_map(|release| &release.atlas) {
            let database = Database {
                name: source.name.clone(),
                build: source.build.clone(),
                licence: source.licence.clone(),
            };
            if !databases.contains(&database) {
                databases.push(database);
            }
        }
        Self {
            releases: chosen
                .releases()
                .map(|release| release.id.to_string())
                .collect(),
            period: Period {
                from: from.to_string(),
                to: to.to_string(),
                weeks: chosen.releases().count(),
                missing: chosen.missing.iter().map(ToString::to_string).collect(),
            },
            closed_at: newest.closed_at.to_string(),
            purpose: newest.purpose.as_str(),
            notice: words::of_exercise(newest),
            homes: alone(newest.homes),
            networks: alone(newest.networks),
            k: newest.k,
            network_homes_max: newest.network_homes_max,
            rounding: newest.rounding,
            method: newest.method,
            cells,
            databases,
            boundaries: json::BOUNDARIES,
            licence: json::LICENCE,
            citation: citation(chosen),
            permalink,
        }
    }

    /// The same for gRPC.
    pub(super) fn into_wire(self) -> v1::Meta {
        let count = |cells| u32::try_from(cells).unwrap_or(u32::MAX);
        let databases = self.databases.into_iter().map(|database| v1::Database {
            name: database.name,
            build: database.build,
            licence: database.licence,
        });
        v1::Meta {
            releases: self.releases,
            from: self.period.from,
            to: self.period.to,
            missing: self.period.missing,
            closed_at: self.closed_at,
            purpose: self.purpose.to_owned(),
            notice: self.notice.unwrap_or_default().to_owned(),
            homes: self.homes,
            networks: self.networks,
            k: self.k,
            network_homes_max: self.network_homes_max,
            rounding: self.rounding,
            method: self.method,
            cells: Some(v1::CellStates {
                value: count(self.cells.value),
                zero: count(self.cells.zero),
                imprecise: count(self.cells.imprecise),
                suppressed: count(self.cells.suppressed),
                no_data: count(self.cells.no_data),
                not_applicable: count(self.cells.not_applicable),
            }),
            databases: databases.collect(),
            boundaries: self.boundaries.to_owned(),
            licence: self.licence.to_owned(),
            citation: self.citation,
            permalink: self.permalink.unwrap_or_default(),
        }
    }

    /// Its JSON, in one line.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers")
    }
}

/// One release is cited by its name; a range by all of them, since each week stands for itself.
fn citation(chosen: &Chosen) -> String {
    let mut citations: Vec<String> = chosen.releases().map(json::citation).collect();
    if citations.len() > 3 {
        let last = citations.pop().expect("more than three");
        let between = citations.len() - 1;
        citations.truncate(1);
        citations.extend([format!("The {between} releases between."), last]);
    }
    citations.join(" ")
}

impl Cells {
    /// Of a table's rows; a table without cells has none.
    pub(super) fn of_table(table: &Table) -> Self {
        let mut cells = Self::default();
        if let Some(at) = table.columns.iter().position(|name| *name == "state") {
            for row in &table.rows {
                if let Field::Text(state) = &row[at] {
                    cells.count(state);
                }
            }
        }
        cells
    }

    /// Of all tables of a release.
    pub(super) fn of_release(release: &Release) -> Self {
        let mut cells = Self::default();
        let matrices = [&release.server, &release.network, &release.owner];
        let all = matrices.into_iter().flat_map(|matrix| matrix.values());
        let all = all
            .chain(release.home.values())
            .chain(release.endpoints.values());
        for state in all.map(Cell::state) {
            cells.count(state);
        }
        cells
    }

    fn count(&mut self, state: &str) {
        let counter = match state {
            "value" => &mut self.value,
            "zero" => &mut self.zero,
            "imprecise" => &mut self.imprecise,
            "suppressed" => &mut self.suppressed,
            "no_data" => &mut self.no_data,
            _ => &mut self.not_applicable,
        };
        *counter += 1;
    }
}
