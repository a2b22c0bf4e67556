//! Every format of a release says the same, cell by cell, and none says a number of a suppressed one.

mod page;

use super::worlds;
use crate::format::table::{Field, Table, TableName};
use crate::format::{csv, fixture, geojson, json, parquet};
use crate::map::{self, Fact, View};
use crate::release::{Cell, Column, Release};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// Worlds of which the tables are read back.
const WORLDS: u64 = 30;
/// Worlds of which the maps are, too: they are slow to draw.
const MAPPED: u64 = 5;

#[test]
fn every_format_says_the_same() {
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let fixed = [fixture::release(), fixture::revised()];
    for release in fixed.into_iter().chain((0..WORLDS).map(worlds::release)) {
        assert_eq!(
            json::from_json(&json::to_json(&release)).expect("its own"),
            release
        );
        for name in TableName::ALL {
            let table = Table::of(&release, name);
            agree(&release, name, &table);
            let at = table.columns.iter().position(|column| *column == "state");
            let at = at.expect("a column");
            for row in &table.rows {
                let Field::Text(state) = &row[at] else {
                    panic!("a state is a text: {row:?}")
                };
                let is_shown = ["value", "zero", "imprecise"].contains(&state.as_str());
                let numbers = row[at + 1..]
                    .iter()
                    .filter(|of| **of != Field::Empty)
                    .count();
                assert_eq!(numbers, if is_shown { 9 } else { 0 }, "{row:?}");
                *states.entry(state.clone()).or_default() += 1;
            }
        }
    }
    assert!(
        states["suppressed"] > 300 && states["imprecise"] > 300,
        "{states:?}"
    );
}

/// Reads a table back from each of its files.
fn agree(release: &Release, name: TableName, table: &Table) {
    assert_eq!(
        csv::read(&csv::write(table)).as_ref(),
        Some(table),
        "{name:?}"
    );
    assert_eq!(
        of_json(&json::of_table(table), table),
        table.rows,
        "{name:?}"
    );
    let file = parquet::write(release, table);
    assert_eq!(parquet::read(&file).as_ref(), Some(table), "{name:?}");
    if let Some(text) = geojson::write(release, name) {
        assert_eq!(geojson::read(&text).as_ref(), Some(table), "{name:?}");
    }
}

/// The rows of a JSON file, typed like those of the table.
fn of_json(text: &str, table: &Table) -> Vec<Vec<Field>> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(text).expect("a list");
    let fields = |row: &serde_json::Value| {
        let columns = table.columns.iter();
        columns
            .map(|column| csv::field_of(column, &of_value(column, &row[column])))
            .collect()
    };
    rows.iter()
        .map(|row| {
            let fields: Option<Vec<Field>> = fields(row);
            fields.expect("fields of the contract")
        })
        .collect()
}

/// A JSON value as the CSV writes it.
fn of_value(column: &str, value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        value if column.starts_with("share") => {
            format!("{:.4}", value.as_f64().expect("a share"))
        }
        value => value.to_string(),
    }
}

#[test]
fn maps_say_what_the_tables_say() {
    let fixed = [fixture::release(), fixture::revised()];
    let mut told = 0;
    for release in fixed.into_iter().chain((0..MAPPED).map(worlds::release)) {
        for fact in Fact::ALL {
            let drawn = drawn(&map::svg_by(&release, fact, View::AllVendors));
            let matrix = fact.matrix(&release);
            for ((vendor, code), attributes) in &drawn {
                let vendor = Vendor::from_id(vendor).expect("a vendor");
                let column = Column::Country(Country::parse(code).expect("a country"));
                let Some(cell) = matrix.get(&(vendor, column)) else {
                    panic!("{fact:?} {vendor:?} {code} is in no table")
                };
                assert_eq!(*attributes, said(cell), "{fact:?} {vendor:?} {code}");
                told += 1;
            }
            // A number of a vendor whose world is drawn is on it.
            for ((vendor, column), cell) in matrix {
                let is_drawn = drawn.keys().any(|(of, _)| of == vendor.id());
                if let (true, Column::Country(country), Some(_)) =
                    (is_drawn, column, cell.numbers())
                {
                    let key = (vendor.id().to_owned(), country.as_str().to_owned());
                    assert!(drawn.contains_key(&key), "{fact:?} {key:?}");
                }
            }
        }
    }
    assert!(told > 200, "{told}");
}

/// A cell as the map's attributes have it: state, share, low, high, n.
fn said(cell: &Cell) -> Vec<String> {
    let mut said = vec![cell.state().to_owned()];
    said.extend(cell.numbers().into_iter().flat_map(|numbers| {
        [
            numbers.share.to_string(),
            numbers.share_low.to_string(),
            numbers.share_high.to_string(),
            numbers.n.to_string(),
        ]
    }));
    said
}

/// What stands in the attributes of a map's countries, by vendor and country.
fn drawn(svg: &str) -> BTreeMap<(String, String), Vec<String>> {
    let mut drawn = BTreeMap::new();
    let mut vendor = String::new();
    for tag in svg.split('<') {
        if let Some(of) = attribute(tag, "data-vendor") {
            vendor = of.to_owned();
        }
        if let Some(country) = attribute(tag, "data-country") {
            let names = [
                "data-state",
                "data-share",
                "data-low",
                "data-high",
                "data-n",
            ];
            let said = names.iter().filter_map(|name| attribute(tag, name));
            let said = said.map(str::to_owned).collect();
            drawn.insert((vendor.clone(), country.to_owned()), said);
        }
    }
    drawn
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let from = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let text = &tag[from..];
    Some(&text[..text.find('"')?])
}
