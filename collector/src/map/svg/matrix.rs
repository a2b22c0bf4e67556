//! Vendors down, countries across: every cell of a matrix that says more than zero, in its colour.

use super::row::Row;
use super::sheet::{BODY, INNER_PX, MARGIN_PX, NOTE, Sheet};
use super::text::escape;
use super::world::Outlines;
use super::{Ink, findings, rows, vendors_without_numbers};
use crate::map::classes::{INK_COLOUR, Look};
use crate::map::words::language::Language;
use crate::map::{Fact, finding, words};
use crate::release::{Cell, Column, Release};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Room for the vendors' names.
const NAMES_PX: f64 = 130.0;
const ROW_PX: f64 = 40.0;
/// A column is no wider; with many, all are narrower.
const COLUMN_MAX_PX: f64 = 78.0;

/// The whole file.
pub(super) fn draw(release: &Release, fact: Fact) -> String {
    let rows = rows(release, fact);
    let shown: Vec<&Row<'_>> = rows.iter().filter(|row| row.homes.is_some()).collect();
    let title = finding::of_all(release, fact, Language::En);
    let mut sheet = Sheet::new();
    sheet.header(release, fact, &title);
    let columns = columns(release, fact);
    let many = f64::from(u32::try_from(columns.len().max(1)).unwrap_or(u32::MAX));
    let width = ((INNER_PX - NAMES_PX) / many).min(COLUMN_MAX_PX);
    sheet.y += 26.0;
    let mut x = MARGIN_PX + NAMES_PX;
    for column in &columns {
        let y = sheet.y;
        sheet.text(x + 4.0, y, BODY, short(column));
        x += width;
    }
    sheet.y += 8.0;
    for row in &shown {
        line(&mut sheet, row, &columns, width);
    }
    sheet.y += 10.0;
    if shown.is_empty() {
        sheet.paragraph(BODY, "No vendor has enough homes to show anything.");
    }
    sheet.paragraph(
        NOTE,
        "Columns in which every vendor is zero are left out. Countries are named by their ISO 3166-1 codes.",
    );
    sheet.legend(&shown, 10.0, None);
    vendors_without_numbers(&mut sheet, &rows);
    sheet.sources(release, fact);
    sheet.finish(release, &title, &findings(&shown), Outlines::InPlace, 10.0)
}

/// The columns in which any vendor is more than zero.
pub(super) fn columns(release: &Release, fact: Fact) -> BTreeSet<Column> {
    let says_more = |cell: &Cell| {
        let numbers = cell.numbers();
        numbers.map_or(*cell == Cell::Suppressed, |numbers| numbers.x_high > 0)
    };
    let matrix = fact.matrix(release).iter();
    matrix
        .filter(|(_, cell)| says_more(cell))
        .map(|((_, column), _)| *column)
        .collect()
}

fn short(column: &Column) -> &str {
    match column {
        Column::Country(country) => country.as_str(),
        Column::Anycast => "any",
        Column::Unknown => "?",
    }
}

fn line(sheet: &mut Sheet, row: &Row<'_>, columns: &BTreeSet<Column>, width: f64) {
    let y = sheet.y;
    sheet.text(MARGIN_PX, y + 25.0, BODY, &row.name());
    writeln!(sheet.body, r#"<g data-vendor="{}">"#, row.id()).expect("a String");
    let mut x = MARGIN_PX + NAMES_PX;
    for column in columns {
        let elsewhere = row.elsewhere.iter().find(|(of, _)| of == column);
        let cell = match column {
            Column::Country(country) => row.countries.get(country.as_str()).copied(),
            Column::Anycast | Column::Unknown => elsewhere.map(|(_, cell)| *cell),
        };
        let (look, state) = match cell {
            Some(cell) => (Look::of(cell), cell.state()),
            None => (row.rest, row.rest_word()),
        };
        let said = cell.map_or_else(|| state.replace('_', " "), words::of_cell);
        let (ink, halo) = match look {
            Look::Value(class) | Look::Imprecise(class) if class.number() > 2 => {
                ("#ffffff", class.colour())
            }
            Look::Value(class) | Look::Imprecise(class) => ("#14181c", class.colour()),
            _ => (INK_COLOUR, "#ffffff"),
        };
        let dash = match look {
            Look::NotApplicable => r#" stroke-dasharray="3 3""#,
            _ => "",
        };
        write!(
            sheet.body,
            r#"<g role="img" data-column="{}" data-state="{state}"><title>{}, {}: {}</title><rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}"{} stroke="{INK_COLOUR}" stroke-width=".7"{dash}/>"#,
            column.code(),
            escape(&row.name()),
            escape(words::of_column(column)),
            escape(&said),
            width - 3.0,
            ROW_PX - 3.0,
            Ink::Print.paint(look)
        )
        .expect("a String");
        let text = match cell {
            Some(Cell::Value(numbers) | Cell::Imprecise(numbers)) => {
                format!("{}%", (numbers.share.0 + 50) / 100)
            }
            Some(Cell::Zero(_)) => "0".to_owned(),
            _ => String::new(),
        };
        writeln!(
            sheet.body,
            r#"<text x="{:.1}" y="{:.1}" font-size="14" font-weight="700" text-anchor="middle" fill="{ink}" stroke="{halo}" stroke-width="3" paint-order="stroke">{text}</text></g>"#,
            x + (width - 3.0) / 2.0,
            y + 23.5
        )
        .expect("a String");
        x += width;
    }
    sheet.body.push_str("</g>\n");
    sheet.y += ROW_PX;
}
