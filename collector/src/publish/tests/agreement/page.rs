//! The tables on a release's page, read as a browser reads them, beside the tables of its files.

use super::MAPPED;
use crate::format::table::{Field, Table, TableName};
use crate::format::{csv, fixture};
use crate::map::Fact;
use crate::publish::tests::worlds;
use crate::release::{Cell, Release};
use crate::site;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// A table of the page: what stands in its head, and in its rows.
struct Shown {
    heads: Vec<Said>,
    rows: Vec<Vec<Said>>,
}

/// A cell: its text, and the state it is marked with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    text: String,
    state: Option<String>,
}

#[test]
fn the_page_says_what_the_tables_say() {
    let fixed = [fixture::release(), fixture::revised()];
    let (mut rows, mut coloured) = (0, 0);
    for release in fixed.into_iter().chain((0..MAPPED).map(worlds::release)) {
        let shown = shown(&site::index(&release));
        rows += full_tables(&release, &shown) + endpoints(&release, &shown);
        coloured += heat_tables(&release, &shown);
    }
    assert!(
        rows > 700 && coloured > 300,
        "{rows} rows, {coloured} cells"
    );
}

/// Every row of the matrices but the zeros, in order, with all of its numbers.
fn full_tables(release: &Release, shown: &[Shown]) -> usize {
    let mut shown = shown.iter();
    let mut rows = 0;
    for name in TableName::ALL {
        let table = Table::of(release, name);
        if name == TableName::Endpoints || table.rows.is_empty() {
            continue;
        }
        let columns = || table.columns.iter().filter(|column| **column != "week");
        let heads: Vec<String> = columns().map(|column| column.replace('_', " ")).collect();
        let found = shown.find(|of| of.heads.iter().map(|head| &head.text).eq(&heads));
        let found = found.expect("the page has every matrix");
        let read: Vec<Vec<String>> = found
            .rows
            .iter()
            .map(|row| {
                let named = columns().zip(row);
                named.map(|(column, said)| code(column, said)).collect()
            })
            .collect();
        assert_eq!(read, told(&table), "{name:?}");
        rows += read.len();
    }
    rows
}

/// The rows of a table that are no zeros, without their week.
fn told(table: &Table) -> Vec<Vec<String>> {
    let rows = table.rows.iter().map(|row| {
        let fields = table.columns.iter().zip(row);
        let fields = fields.filter(|(column, _)| **column != "week");
        fields.map(|(_, field)| csv::of_field(field)).collect()
    });
    let rows = rows.filter(|row: &Vec<String>| !row.iter().any(|text| text == "zero"));
    rows.collect()
}

/// Endpoints stand apart by class; together they are all that are no zeros.
fn endpoints(release: &Release, shown: &[Shown]) -> usize {
    let table = Table::of(release, TableName::Endpoints);
    let at = |name: &str| table.columns.iter().position(|column| *column == name);
    let numbers = ["share", "share_low", "share_high", "x_high", "n"];
    let numbers = numbers.into_iter().chain(["networks", "radius"]);
    let numbers: Vec<usize> = numbers.map(|name| at(name).expect("a column")).collect();
    let [vendor, endpoint, state] =
        ["vendor", "endpoint", "state"].map(|name| at(name).expect("a column"));
    let zero = Field::Text("zero".to_owned());
    let rows = table.rows.iter().filter(|row| row[state] != zero);
    let expected: BTreeMap<[String; 2], Vec<String>> = rows
        .map(|row| {
            let text = |at: &usize| csv::of_field(&row[*at]);
            let said = [state].iter().chain(&numbers).map(text).collect();
            ([vendor, endpoint].map(|at| text(&at)), said)
        })
        .collect();
    let mut read = BTreeMap::new();
    let is_of_endpoints = |of: &&Shown| of.heads.get(1).is_some_and(|of| of.text == "endpoint");
    for row in shown.iter().filter(is_of_endpoints).flat_map(|of| &of.rows) {
        let name = [code("vendor", &row[0]), row[1].text.clone()];
        let mut said = vec![code("state", &row[4])];
        said.extend(row[6..].iter().map(|said| said.text.clone()));
        assert_eq!(read.insert(name, said), None, "twice: {row:?}");
    }
    assert_eq!(read, expected);
    read.len()
}

/// Vendors down, countries across: each cell has its state, and its share in whole percent.
fn heat_tables(release: &Release, shown: &[Shown]) -> usize {
    let is_heat = |of: &&Shown| of.rows.iter().flatten().any(|said| said.state.is_some());
    let mut shown = shown.iter().filter(is_heat);
    let mut cells = 0;
    for fact in Fact::ALL {
        let matrix = fact.matrix(release);
        if matrix.is_empty() {
            continue;
        }
        let found = shown.next().expect("the page has every matrix in colours");
        for row in &found.rows {
            let vendor = Vendor::from_id(&code("vendor", &row[0])).expect("a vendor");
            for (head, said) in found.heads.iter().zip(row).skip(1) {
                let mut of = matrix.iter();
                let cell = of.find(|((who, at), _)| *who == vendor && at.code() == head.text);
                // A table made by hand has gaps.
                let cell = cell.map_or(&Cell::NoData, |(_, cell)| cell);
                assert_eq!(said.state.as_deref(), Some(cell.state()));
                if let Some(numbers) = cell.numbers().filter(|_| cell.state() != "zero") {
                    let digits: String = said.text.chars().filter(char::is_ascii_digit).collect();
                    let percent: f64 = digits.parse().expect("a number of percent");
                    let share: f64 = numbers.share.to_string().parse().expect("a share");
                    assert!((percent - 100.0 * share).abs() < 1.0, "{said:?} {share}");
                } else {
                    assert!(["0", "sup.", "n/a", "–"].contains(&said.text.as_str()));
                }
                cells += 1;
            }
        }
    }
    cells
}

/// The code that stands behind a name.
fn code(column: &str, said: &Said) -> String {
    let text = &said.text;
    match column {
        "vendor" => {
            let mut vendors = Vendor::all();
            let vendor = vendors.find(|vendor| vendor.name() == text);
            vendor.expect("a vendor's name").id().to_owned()
        }
        "state" => text.replace(' ', "_"),
        "country" | "home_country" => text
            .strip_suffix(')')
            .and_then(|text| text.rsplit_once('('))
            .map_or_else(|| text.clone(), |(_, code)| code.to_owned()),
        _ => text.clone(),
    }
}

/// Every table of a page.
fn shown(page: &str) -> Vec<Shown> {
    let tables = page.split("<table").skip(1).map(|rest| {
        let table = rest.split("</table>").next().expect("an end");
        let mut rows = table.split("<tr>").skip(1).map(cells);
        Shown {
            heads: rows.next().unwrap_or_default(),
            rows: rows.collect(),
        }
    });
    tables.collect()
}

/// The cells of a row, heads among them.
fn cells(row: &str) -> Vec<Said> {
    let row = row.replace("<th", "<td").replace("</th>", "</td>");
    let cells = row.split("<td").skip(1).map(|cell| {
        let (attributes, markup) = cell.split_once('>').expect("a tag ends");
        let markup = markup.split("</td>").next().expect("an end");
        Said {
            text: without_tags(markup),
            state: super::attribute(attributes, "data-state").map(str::to_owned),
        }
    });
    cells.collect()
}

fn without_tags(markup: &str) -> String {
    let mut text: String = markup
        .split('<')
        .enumerate()
        .map(|(at, part)| match part.split_once('>') {
            Some((_, text)) if at > 0 => text,
            _ => part,
        })
        .collect();
    for (entity, character) in [
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        text = text.replace(entity, character);
    }
    text.replace("&amp;", "&")
}
