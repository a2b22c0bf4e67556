//! Version 1 of the API: releases, and the rows of their tables.
//!
//! JSON is `meta` and then `rows`, whose keys are the CSV's columns; every other kind is the table alone. A
//! range of weeks has the rows of all of them, and in JSON their `means`.

mod maps;
mod releases;

pub(super) use maps::{KINDS as MAP_KINDS, MAP, MapEntry, embed, map, maps};
pub(super) use releases::{LIST, LIST_PATH, Page, named, release, releases};

use super::asked::{Asked, Wanted, bad};
use super::kind::Kind;
use super::meta::{Cells, Meta};
use super::page::{column_of, vendor_of};
use super::reply::Reply;
use super::selection::Chosen;
use super::{Problem, Shelf, means};
use crate::format::table::{Table, TableName};
use crate::format::{csv, geojson, json, parquet};
use crate::release::Release;
use phonehome_proto::vendor::Vendor;

/// Kinds of a whole matrix.
pub(super) const MATRIX_KINDS: &[Kind] = &[Kind::Json, Kind::Csv, Kind::Parquet, Kind::GeoJson];
/// Kinds of every other table.
pub(super) const TABLE_KINDS: &[Kind] = &[Kind::Json, Kind::Csv, Kind::Parquet];

/// Parameters of a matrix, and of its rows.
pub(super) const MATRIX: &[&str] = &["by", "week", "release", "from", "to", "format"];
/// Parameters of the table of endpoints.
pub(super) const ENDPOINTS: &[&str] = &["week", "release", "from", "to", "format"];
/// Parameters of the operators. They have no cells, so there is no mean of them and no range.
pub(super) const OPERATORS: &[&str] = &["vendor", "week", "release", "format"];

/// A whole matrix.
pub(super) fn matrix(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let wanted = asked.wanted(MATRIX, MATRIX_KINDS)?;
    let name = matrix_of(&wanted)?;
    if wanted.kind == Kind::GeoJson {
        let chosen = Chosen::of(shelf, &wanted.parameters)?;
        if let Some((from, _)) = chosen.range {
            return Err(bad("from", &from.to_string(), "GeoJSON holds one week"));
        }
        let release = chosen.newest().release();
        let text = geojson::write(release, name)
            .ok_or_else(|| bad("by", "home", "there is no GeoJSON of homes"))?;
        let reply = Reply::new(Kind::GeoJson, chosen.keep, text).from(release);
        let file = format!("phonehome-{}-{}.geojson", release.id, name.file_stem());
        return Ok(reply.named(file).varying(asked.is_negotiated(&wanted)));
    }
    answer(shelf, asked, &wanted, name.file_stem(), |release| {
        Table::of(release, name)
    })
}

/// The table of endpoints.
pub(super) fn endpoints(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let wanted = asked.wanted(ENDPOINTS, TABLE_KINDS)?;
    let name = TableName::Endpoints;
    answer(shelf, asked, &wanted, name.file_stem(), |release| {
        Table::of(release, name)
    })
}

/// The operators of networks that are named, of every vendor or of one.
pub(super) fn operators(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let wanted = asked.wanted(OPERATORS, TABLE_KINDS)?;
    let vendor = wanted.parameters.get("vendor").copied();
    let vendor = vendor.map(vendor_of).transpose()?;
    answer(shelf, asked, &wanted, "operators", |release| {
        operators_of(release, vendor)
    })
}

/// The operators that a release names, of every vendor or of one.
pub(super) fn operators_of(release: &Release, vendor: Option<Vendor>) -> Table {
    let table = Table::of_operators(release);
    match vendor {
        Some(vendor) => table.of_vendor(vendor),
        None => table,
    }
}

/// The rows of one country in a matrix.
pub(super) fn country(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let wanted = asked.wanted(MATRIX, TABLE_KINDS)?;
    let (name, column) = (matrix_of(&wanted)?, column_of(wanted.stem)?);
    answer(shelf, asked, &wanted, name.file_stem(), |release| {
        Table::of(release, name).of_country(column.code())
    })
}

/// The rows of one vendor in a matrix.
pub(super) fn vendor(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let wanted = asked.wanted(MATRIX, TABLE_KINDS)?;
    let (name, vendor) = (matrix_of(&wanted)?, vendor_of(wanted.stem)?);
    answer(shelf, asked, &wanted, name.file_stem(), |release| {
        Table::of(release, name).of_vendor(vendor)
    })
}

/// The matrix that `by` names.
fn matrix_of(wanted: &Wanted<'_>) -> Result<TableName, Problem> {
    match wanted.parameters.get("by") {
        None => Ok(TableName::Server),
        Some(by) => TableName::of_matrix(by)
            .ok_or_else(|| bad("by", by, "it is server, network, owner or home")),
    }
}

/// The rows that `choose` takes from each release chosen.
fn answer(
    shelf: &Shelf,
    asked: &Asked,
    wanted: &Wanted<'_>,
    file_stem: &str,
    choose: impl Fn(&Release) -> Table,
) -> Result<Reply, Problem> {
    let chosen = Chosen::of(shelf, &wanted.parameters)?;
    let table = gathered(&chosen, choose);
    let newest = chosen.newest().release();
    let body = match wanted.kind {
        Kind::Csv => csv::write(&table).into_bytes(),
        Kind::Parquet => {
            if let Some((from, _)) = chosen.range {
                return Err(bad("from", &from.to_string(), "Parquet holds one week"));
            }
            parquet::write(newest, &table)
        }
        _ => {
            let link = permalink(asked, wanted, &chosen);
            let meta = Meta::of(&chosen, Cells::of_table(&table), Some(link));
            in_json(&meta, &table, chosen.range.is_some()).into_bytes()
        }
    };
    let week = match chosen.range {
        Some((from, to)) => format!("{from}-to-{to}"),
        None => newest.id.to_string(),
    };
    let name = format!("phonehome-{week}-{file_stem}.{}", wanted.kind.ending());
    Ok(Reply::new(wanted.kind, chosen.keep, body)
        .from(newest)
        .named(name)
        .varying(asked.is_negotiated(wanted)))
}

/// The rows of all releases chosen, the oldest first.
pub(super) fn gathered(chosen: &Chosen, choose: impl Fn(&Release) -> Table) -> Table {
    let mut tables = chosen.releases().map(choose);
    let mut table = tables.next().expect("at least one release is chosen");
    table.rows.extend(tables.flat_map(|table| table.rows));
    table
}

fn in_json(meta: &Meta, table: &Table, is_range: bool) -> String {
    let rows = json::of_table(table);
    let mut out = format!(
        "{{\n\"meta\": {},\n\"rows\": {}",
        meta.to_json(),
        rows.trim_end()
    );
    if is_range {
        let means = means::of(table);
        if !means.is_empty() {
            let lines = means
                .iter()
                .map(|mean| serde_json::to_string(mean).expect("texts and numbers"));
            let lines: Vec<String> = lines.collect();
            let words = serde_json::to_string(means::WORDS).expect("a text");
            out.push_str(&format!(
                ",\n\"means_are\": {words},\n\"means\": [\n{}\n]",
                lines.join(",\n")
            ));
        }
    }
    out.push_str("\n}\n");
    out
}

/// The same question about the same weeks by their names: of one release, an answer that stays. Of a range,
/// the same range; a week of it may be revised.
pub(super) fn permalink(asked: &Asked, wanted: &Wanted<'_>, chosen: &Chosen) -> String {
    let path = match asked.parts.first() {
        Some(_) => asked.path.split('{').next().unwrap_or_default().to_owned() + wanted.stem,
        None => asked.path.to_owned(),
    };
    let mut query: Vec<String> = wanted
        .parameters
        .iter()
        .filter(|(name, _)| ["by", "vendor"].contains(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match chosen.range {
        Some((from, to)) => query.extend([format!("from={from}"), format!("to={to}")]),
        None => query.push(format!("release={}", chosen.newest().release().id)),
    }
    format!("{path}.{}?{}", wanted.kind.ending(), query.join("&"))
}
