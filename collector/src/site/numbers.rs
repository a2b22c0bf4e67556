//! Tables in pages: the map's twin, and every number behind a vendor.
//!
//! The state of a cell is in its text as well as in its colour: `≈` marks the imprecise, words mark
//! the rest, and the full sentence stands in the cell's title.

use super::Links;
use crate::format::csv;
use crate::format::table::{Field, Table};
use crate::map::borders;
use crate::map::classes::Look;
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::{Cell, Column, Matrix};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeSet;

/// Vendors down, countries across.
pub(super) fn heat(matrix: &Matrix, links: Links, caption: &str) -> String {
    let columns: BTreeSet<Column> = matrix.keys().map(|(_, column)| *column).collect();
    let vendors: BTreeSet<Vendor> = matrix.keys().map(|(vendor, _)| *vendor).collect();
    if columns.is_empty() {
        return "<p class=\"note\">This table has no rows.</p>\n".to_owned();
    }
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>{}</caption>\n",
        escape(caption)
    );
    out.push_str("<thead><tr><th scope=\"col\">Vendor</th>");
    for column in &columns {
        let head = format!(
            "<abbr title=\"{}\">{}</abbr>",
            escape(words::of_column(column)),
            escape(column.code())
        );
        out.push_str(&format!(
            "<th scope=\"col\">{}</th>",
            to_country(links, column, &head)
        ));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for vendor in &vendors {
        let name = to_vendor(links, *vendor);
        out.push_str(&format!("<tr><th scope=\"row\">{name}</th>"));
        for column in &columns {
            out.push_str(&cell(
                matrix.get(&(*vendor, *column)).unwrap_or(&Cell::NoData),
            ));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out.push_str(
        "<p class=\"note\">≈ imprecise · 0 asked, and none did · sup. suppressed by the gate · \
         – no data · n/a does not apply. Hold the pointer over a cell, or look below, for its interval.\
         </p>\n",
    );
    out
}

/// A cell of a heat table.
fn cell(cell: &Cell) -> String {
    let (class, text) = match (Look::of(cell), cell) {
        (Look::Value(class), Cell::Value(numbers)) => (
            format!("k{}", class.number()),
            words::percent(numbers.share),
        ),
        (Look::Imprecise(class), Cell::Imprecise(numbers)) => (
            format!("k{}", class.number()),
            format!("≈\u{a0}{}", words::percent(numbers.share)),
        ),
        _ => (cell.state().to_owned(), short(cell).to_owned()),
    };
    format!(
        "<td class=\"{class}\" data-state=\"{}\"><abbr title=\"{}\">{}</abbr></td>",
        cell.state(),
        escape(&words::of_cell(cell)),
        escape(&text)
    )
}

const fn short(cell: &Cell) -> &'static str {
    match cell {
        Cell::Zero(_) => "0",
        Cell::Suppressed => "sup.",
        Cell::NotApplicable => "n/a",
        Cell::NoData | Cell::Value(_) | Cell::Imprecise(_) => "–",
    }
}

/// A link to a vendor's page where there is one.
pub(super) fn to_vendor(links: Links, vendor: Vendor) -> String {
    let name = escape(vendor.name());
    match links {
        Links::Folder => name,
        Links::Site(root) => format!("<a href=\"{root}vendors/{}.html\">{name}</a>", vendor.id()),
    }
}

/// A link to a country's page where there is one, around `markup`.
pub(super) fn to_country(links: Links, column: &Column, markup: &str) -> String {
    match links {
        Links::Folder => markup.to_owned(),
        Links::Site(root) => format!(
            "<a href=\"{root}countries/{}.html\">{markup}</a>",
            escape(column.code())
        ),
    }
}

/// Every row of a table but the zeros, as the CSV has it, with names for codes.
pub(super) fn full(table: &Table, caption: &str) -> String {
    let at = |name: &str| table.columns.iter().position(|column| *column == name);
    let state = at("state").expect("every table has states");
    let week = at("week").expect("every table has weeks");
    let zero = Field::Text("zero".to_owned());
    let rows: Vec<&Vec<Field>> = table.rows.iter().filter(|row| row[state] != zero).collect();
    let zeros = table.rows.len() - rows.len();
    if table.rows.is_empty() {
        return "<p class=\"note\">This table has no rows.</p>\n".to_owned();
    }
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>{} Rows in state zero are left out here: {zeros}.\
         </caption>\n<thead><tr>",
        escape(caption)
    );
    for (index, column) in table
        .columns
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != week)
    {
        let class = if index <= state || *column == "place_status" {
            " class=\"text\""
        } else {
            ""
        };
        out.push_str(&format!(
            "<th scope=\"col\"{class}>{}</th>",
            column.replace('_', " ")
        ));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (index, (column, field)) in table.columns.iter().zip(row).enumerate() {
            if index != week {
                out.push_str(&named(column, field));
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// A field of a full table: codes with their names, text to the left.
fn named(column: &str, field: &Field) -> String {
    let text = csv::of_field(field);
    let text = match column {
        "country" | "home_country" => Country::parse(&text).map_or_else(
            || text.clone(),
            |country| format!("{} ({text})", borders::name(&country)),
        ),
        "vendor" => Vendor::from_id(&text).map_or(text, |vendor| vendor.name().to_owned()),
        // Not an endpoint: a name may hold what a state's word only has for a space.
        "state" => text.replace('_', " "),
        _ => text,
    };
    match field {
        Field::Text(_) => format!("<td class=\"text\">{}</td>", escape(&text)),
        Field::Count(_) | Field::Share(_) | Field::Empty => format!("<td>{}</td>", escape(&text)),
    }
}
