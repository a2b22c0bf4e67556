//! A matrix as GeoJSON (RFC 7946): each country once, with its cells.
//!
//! A feature's properties are flat, so that a map program can colour by them: `country`, `name`, and for
//! each vendor that has a cell there `VENDOR.COLUMN`, the columns being the CSV's (`xiaomi.state`,
//! `xiaomi.share`). What the CSV leaves empty is `null`. Countries without a cell have their outline and
//! no cells; what has no place on a map (anycast, unknown) is a feature with its cells and no geometry, never
//! a guess. The same release gives the same bytes; [`read`] gives the table back.

mod outlines;

use super::json;
use super::table::{CELL_COLUMNS, Field, Table, TableName};
use crate::map::{borders, words};
use crate::release::{BasisPoints, Release};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Codes of what stands in no country.
const NOWHERE: [&str; 2] = ["anycast", "unknown"];

/// One matrix, by server, network or owner; `None` of a table whose rows are no countries.
#[must_use]
pub fn write(release: &Release, name: TableName) -> Option<String> {
    if !is_of_countries(name) {
        return None;
    }
    let table = Table::of(release, name);
    let mut rows: BTreeMap<&str, Vec<&[Field]>> = BTreeMap::new();
    for row in &table.rows {
        if let Some(Field::Text(code)) = row.get(COUNTRY_AT) {
            rows.entry(code).or_default().push(row);
        }
    }
    // Countries on the map first, in the order of their codes; then what else has cells.
    let mapped: BTreeSet<&str> = borders::shapes().iter().map(|shape| shape.code).collect();
    let others = rows.keys().copied().filter(|code| !mapped.contains(code));
    let codes: Vec<&str> = mapped.iter().copied().chain(others).collect();

    let mut out = head(release, name);
    for (index, code) in codes.into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        push_feature(&mut out, code, rows.get(code).map_or(&[], Vec::as_slice));
    }
    out.push_str("\n]\n}\n");
    Some(out)
}

/// Whether a table has one row for each vendor and country.
#[must_use]
pub const fn is_of_countries(name: TableName) -> bool {
    matches!(
        name,
        TableName::Server | TableName::Network | TableName::Owner
    )
}

/// Where a matrix's columns stand: week, vendor, country, and then the cell's.
const VENDOR_AT: usize = 1;
const COUNTRY_AT: usize = 2;
const CELL_AT: usize = 3;

fn head(release: &Release, name: TableName) -> String {
    let entries = [
        ("type", text(&"FeatureCollection")),
        ("name", text(&name.file_stem())),
        ("release", text(&release.id.to_string())),
        ("week", text(&release.id.week.to_string())),
        ("notice", text(&words::of_exercise(release))),
        ("licence", text(&json::LICENCE)),
        ("citation", text(&json::citation(release))),
        ("boundaries", text(&json::BOUNDARIES)),
    ];
    let lines = entries.map(|(key, value)| format!("\"{key}\": {value}"));
    format!("{{\n{},\n\"features\": [", lines.join(",\n"))
}

fn push_feature(out: &mut String, code: &str, rows: &[&[Field]]) {
    out.push_str(&format!(
        "{{\"type\":\"Feature\",\"id\":{},\"properties\":{},\"geometry\":",
        text(&code),
        text(&Properties { code, rows })
    ));
    match outlines::of(code) {
        Some(geometry) => geometry.push(out),
        None => out.push_str("null"),
    }
    out.push('}');
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, numbers and maps with text keys always serialise")
}

/// What a place is called in English.
fn name_of(code: &str) -> String {
    let country = Country::parse(code);
    country.map_or_else(
        || code.to_owned(),
        |country| borders::name(&country).to_owned(),
    )
}

/// A feature's properties, in the order of the release.
struct Properties<'a> {
    code: &'a str,
    rows: &'a [&'a [Field]],
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("country", self.code)?;
        map.serialize_entry("name", &name_of(self.code))?;
        for row in self.rows {
            let Field::Text(vendor) = &row[VENDOR_AT] else {
                continue;
            };
            for (column, field) in CELL_COLUMNS.iter().zip(&row[CELL_AT..]) {
                let key = format!("{vendor}.{column}");
                match field {
                    Field::Text(text) => map.serialize_entry(&key, text)?,
                    Field::Count(count) => map.serialize_entry(&key, count)?,
                    Field::Share(share) => {
                        map.serialize_entry(&key, &(f64::from(share.0) / 10_000.0))?;
                    }
                    Field::Empty => map.serialize_entry(&key, &())?,
                }
            }
        }
        map.end()
    }
}

// === reading ===

/// The table that [`write()`] wrote; `None` for anything else.
#[must_use]
pub fn read(text: &str) -> Option<Table> {
    let file: Value = serde_json::from_str(text).ok()?;
    let week = file.get("week")?.as_str()?;
    let mut rows = BTreeMap::new();
    for feature in file.get("features")?.as_array()? {
        let properties = feature.get("properties")?.as_object()?;
        let code = properties.get("country")?.as_str()?;
        // Off the map, and nowhere on it.
        if NOWHERE.contains(&code) && !feature.get("geometry")?.is_null() {
            return None;
        }
        for vendor in Vendor::all() {
            if !properties.contains_key(&format!("{}.state", vendor.id())) {
                continue;
            }
            let mut row: Vec<Field> = [week, vendor.id(), code]
                .map(|text| Field::Text(text.to_owned()))
                .into();
            for column in CELL_COLUMNS {
                row.push(field(
                    properties.get(&format!("{}.{column}", vendor.id()))?,
                )?);
            }
            rows.insert((vendor, place(code)), row);
        }
    }
    let columns = ["week", "vendor", "country"].into_iter();
    Some(Table {
        columns: columns.chain(CELL_COLUMNS).collect(),
        rows: rows.into_values().collect(),
    })
}

/// The order of columns in a release: countries by code, then what is none.
fn place(code: &str) -> (usize, String) {
    let nowhere = NOWHERE.iter().position(|known| *known == code);
    (nowhere.map_or(0, |at| at + 1), code.to_owned())
}

fn field(value: &Value) -> Option<Field> {
    Some(match value {
        Value::Null => Field::Empty,
        Value::String(text) => Field::Text(text.clone()),
        Value::Number(number) => match number.as_u64() {
            Some(count) => Field::Count(u32::try_from(count).ok()?),
            None => Field::Share(BasisPoints::read(number.as_f64()?)?),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
