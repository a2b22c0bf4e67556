//! Tables in plain text, for people at a terminal.

use super::field;
use crate::format::csv;
use crate::format::table::{Field, Table};
use crate::map::words;
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// What the short forms of a matrix mean.
const LEGEND: &str =
    "~ imprecise, 0 none of them, sup suppressed by the gate, - no data, n/a does not apply\n";

/// A matrix as vendors down and countries across, each cell a share in per cent or a short word.
/// Vendors without any data, and those that cannot be asked, stand in a line each below.
#[must_use]
pub fn matrix(table: &Table) -> String {
    let mut columns = BTreeSet::new();
    let mut rows: BTreeMap<u32, (String, BTreeMap<String, String>)> = BTreeMap::new();
    for row in &table.rows {
        let text = |name| csv::of_field(field(table, row, name));
        let (id, country) = (text("vendor"), text("country"));
        // The list's order; a vendor of a later list than this program's comes last.
        let known = Vendor::from_id(&id);
        let order = known.map_or(u32::MAX, Vendor::number);
        let name = known.map_or(id, |vendor| vendor.name().to_owned());
        columns.insert(country.clone());
        rows.entry(order)
            .or_insert_with(|| (name, BTreeMap::new()))
            .1
            .insert(country, short(table, row));
    }
    let is_all = |cells: &BTreeMap<String, String>, word| cells.values().all(|cell| cell == word);
    let mut lines = vec![vec!["vendor".to_owned()]];
    lines[0].extend(columns.iter().cloned());
    let (mut silent, mut unasked) = (Vec::new(), Vec::new());
    for (name, cells) in rows.into_values() {
        if is_all(&cells, "-") {
            silent.push(name);
            continue;
        }
        if is_all(&cells, "n/a") {
            unasked.push(name);
            continue;
        }
        let mut line = vec![name];
        line.extend(
            columns
                .iter()
                .map(|column| cells.get(column).cloned().unwrap_or_default()),
        );
        lines.push(line);
    }
    let mut out = columns_of(&lines, 1);
    for (words, names) in [
        ("no data", silent),
        ("no endpoint of their own is listed", unasked),
    ] {
        if !names.is_empty() {
            out.push_str(&format!("{words}: {}\n", names.join(", ")));
        }
    }
    out.push_str(LEGEND);
    out
}

/// The share of a row in whole per cent, or a short word for its state.
fn short(table: &Table, row: &[Field]) -> String {
    let share = || match field(table, row, "share") {
        Field::Share(share) => words::percent(*share)
            .replace("under 1\u{a0}", "<1")
            .replace('\u{a0}', ""),
        _ => "?".to_owned(),
    };
    match csv::of_field(field(table, row, "state")).as_str() {
        "value" => share(),
        "imprecise" => format!("~{}", share()),
        "zero" => "0".to_owned(),
        "suppressed" => "sup".to_owned(),
        "not_applicable" => "n/a".to_owned(),
        _ => "-".to_owned(),
    }
}

/// A table as it is, in aligned columns: text to the left, numbers to the right.
#[must_use]
pub fn aligned(table: &Table) -> String {
    let texts = table
        .columns
        .iter()
        .take_while(|column| **column != "share")
        .count();
    let mut lines = vec![
        table
            .columns
            .iter()
            .map(|column| (*column).to_owned())
            .collect(),
    ];
    lines.extend(
        table
            .rows
            .iter()
            .map(|row| row.iter().map(csv::of_field).collect::<Vec<_>>()),
    );
    columns_of(&lines, texts)
}

/// Lines of fields under one another; the first `texts` columns to the left, the others to the right.
fn columns_of(lines: &[Vec<String>], texts: usize) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            lines
                .iter()
                .filter_map(|line| line.get(at))
                .map(|f| f.chars().count())
                .max()
        })
        .map(Option::unwrap_or_default)
        .collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (at, (field, width)) in line.iter().zip(&widths).enumerate() {
            let gap = if at > 0 { "  " } else { "" };
            if at < texts {
                text.push_str(&format!("{gap}{field:<width$}"));
            } else {
                text.push_str(&format!("{gap}{field:>width$}"));
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}
