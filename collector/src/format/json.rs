//! A release as JSON, both ways, and its tables as arrays of objects.
//!
//! [`to_json`] writes all that a release holds, beside words for readers (licence, citation, what
//! its states mean) and what is worked out of it (module `derived`); [`from_json`] reads the release
//! back, whole and equal. Keys of a row are the CSV's columns, and of an endpoint's row also the class
//! and the owner that the public list gives it; an empty field is `null`. The same release gives the same bytes: keys in a fixed
//! order, one row a line. Readers ignore keys they do not know, so that later versions may add some.

mod derived;
mod read;
pub mod revision;

pub use read::{NotARelease, from_json};

use super::table::{Field, HOME_OTHER, Table, TableName};
use crate::map::words;
use crate::release::{Cell, Release};
use phonehome_proto::endpoint::EndpointId;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;

/// The licence of the numbers.
pub const LICENCE: &str = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/";

/// Where borders come from, and what they do not claim.
pub const BOUNDARIES: &str = "Natural Earth 4.1 by way of world-atlas 2.0.2, de facto control; no \
                              opinion on the status of any territory";

/// A table as an array of objects, one a line.
#[must_use]
pub fn of_table(table: &Table) -> String {
    let mut out = String::from("[");
    for (index, row) in table.rows.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&text(&Row {
            columns: &table.columns,
            fields: row,
        }));
    }
    out.push_str("\n]\n");
    out
}

/// The facts about a release, without its tables: an object, its keys in a fixed order.
#[must_use]
pub fn of_meta(release: &Release) -> String {
    let mut out = String::from("{\n");
    push_meta(&mut out, release);
    out.push_str("\n}\n");
    out
}

/// Everything a release says.
#[must_use]
pub fn to_json(release: &Release) -> String {
    let mut out = String::from("{\n");
    push_meta(&mut out, release);
    derived::push(&mut out, release);
    let operators = of_table(&Table::of_operators(release));
    out.push_str(&format!(",\n\"operators\": {}", operators.trim_end()));
    out.push_str(",\n\"tables\": {");
    for (index, name) in TableName::ALL.into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        let table = of_table(&Table::of(release, name));
        out.push_str(&format!(
            "{}: {}",
            text(&name.file_stem()),
            table.trim_end()
        ));
    }
    out.push_str("\n}\n}\n");
    out
}

fn push_meta(out: &mut String, release: &Release) {
    let atlas: Vec<BTreeMap<&str, &str>> = release
        .atlas
        .iter()
        .map(|source| {
            [
                ("name", &source.name),
                ("build", &source.build),
                ("licence", &source.licence),
            ]
            .map(|(key, value)| (key, value.as_str()))
            .into()
        })
        .collect();
    let entries = [
        ("id", text(&release.id.to_string())),
        ("week", text(&release.id.week.to_string())),
        ("revision", text(&release.id.revision)),
        ("closed_at", text(&release.closed_at.to_string())),
        ("closed_at_seconds", text(&release.closed_at.seconds())),
        ("purpose", text(&release.purpose.as_str())),
        ("notice", text(&words::of_exercise(release))),
        ("homes", text(&release.homes)),
        ("networks", text(&release.networks)),
        ("k", text(&release.k)),
        ("network_homes_max", text(&release.network_homes_max)),
        ("rounding", text(&release.rounding)),
        ("refutation_homes_min", text(&release.refutation_homes_min)),
        ("method", text(&release.method)),
        ("gate", text(&words::of_gate(release))),
        ("light", text(&words::of_light(release))),
        ("cells", text(&cells(release))),
        ("atlas", text(&atlas)),
        ("boundaries", text(&BOUNDARIES)),
        ("licence", text(&LICENCE)),
        ("citation", text(&citation(release))),
    ];
    let mut lines = entries
        .map(|(key, value)| format!("\"{key}\": {value}"))
        .to_vec();
    if !release.registrants.is_empty() {
        let answers = release.registrants.to_json();
        lines.push(format!("\"registrants\": {}", answers.trim_end()));
    }
    lines.extend(revision::of(release).map(|value| format!("\"revised\": {value}")));
    out.push_str(&lines.join(",\n"));
}

/// How to cite a release.
#[must_use]
pub fn citation(release: &Release) -> String {
    let what = words::of_exercise(release).map_or_else(String::new, |words| format!(" [{words}]"));
    format!(
        "Phonehome, release {}{what}: which phone vendors ship data to which countries, ISO week {}, \
         method {}.",
        release.id,
        words::of_week(release),
        release.method
    )
}

/// How many cells of all tables are in each state.
fn cells(release: &Release) -> BTreeMap<&'static str, usize> {
    let states = [
        "value",
        "zero",
        "imprecise",
        "suppressed",
        "no_data",
        "not_applicable",
    ];
    let mut count: BTreeMap<&str, usize> = states.map(|state| (state, 0)).into();
    let matrices = [&release.server, &release.network, &release.owner];
    let cells = matrices
        .into_iter()
        .flat_map(BTreeMap::values)
        .chain(release.home.values())
        .chain(release.endpoints.values());
    for state in cells.map(Cell::state) {
        *count.entry(state).or_default() += 1;
    }
    count
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, numbers and maps with text keys always serialise")
}

/// The endpoint of the public list with this pattern.
pub(crate) fn listed(pattern: &str) -> Option<EndpointId> {
    let name = pattern.strip_prefix("*.").unwrap_or(pattern);
    EndpointId::of_name(name).filter(|endpoint| endpoint.pattern() == pattern)
}

/// A row as an object in the order of its columns, and an endpoint's facts after them.
struct Row<'a> {
    columns: &'a [&'static str],
    fields: &'a [Field],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (column, field) in self.columns.iter().zip(self.fields) {
            match field {
                Field::Text(text) => map.serialize_entry(column, text)?,
                Field::Count(count) => map.serialize_entry(column, count)?,
                // Shortest decimal that reads back the same: 4512 prints as 0.4512.
                Field::Share(share) => {
                    map.serialize_entry(column, &(f64::from(share.0) / 10_000.0))?;
                }
                Field::Empty => map.serialize_entry(column, &())?,
            }
        }
        let endpoint = self.columns.iter().position(|column| *column == "endpoint");
        if let Some(Field::Text(pattern)) = endpoint.map(|at| &self.fields[at]) {
            let endpoint = listed(pattern);
            map.serialize_entry("class", &endpoint.map(|of| of.class().as_str()))?;
            map.serialize_entry("owner", &endpoint.map(EndpointId::owner_name))?;
        }
        map.end()
    }
}
