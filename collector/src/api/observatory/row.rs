//! A row of a table as a message. A field that is not there is nothing.

use crate::format::csv;
use crate::format::json::listed;
use crate::format::table::{Field, Table};
use phonehome_proto::v1;
use phonehome_proto::v1::row::Cell;

/// A row and its cell; an endpoint's facts stand beside it, as in REST's JSON.
pub(super) fn cell(table: &Table, row: &[Field]) -> v1::Row {
    let text = |column| csv::of_field(field(table, row, column));
    let count = |column| match field(table, row, column) {
        Field::Count(count) => *count,
        Field::Share(points) => u32::from(points.0),
        Field::Text(_) | Field::Empty => 0,
    };
    let numbers = || v1::Numbers {
        share_basis_points: count("share"),
        share_low_basis_points: count("share_low"),
        share_high_basis_points: count("share_high"),
        x_low: count("x_low"),
        x_high: count("x_high"),
        n: count("n"),
        networks: count("networks"),
        radius: count("radius"),
        place_status: text("place_status"),
    };
    let nothing = v1::Nothing {};
    let endpoint = text("endpoint");
    let listed = listed(&endpoint);
    v1::Row {
        week: text("week"),
        vendor: text("vendor"),
        country: text("country"),
        home_country: text("home_country"),
        class: listed.map_or_else(String::new, |of| of.class().as_str().to_owned()),
        owner: listed.map_or_else(String::new, |of| of.owner_name().to_owned()),
        endpoint,
        cell: Some(match text("state").as_str() {
            "value" => Cell::Value(numbers()),
            "zero" => Cell::Zero(numbers()),
            "imprecise" => Cell::Imprecise(numbers()),
            "suppressed" => Cell::Suppressed(nothing),
            "no_data" => Cell::NoData(nothing),
            _ => Cell::NotApplicable(nothing),
        }),
    }
}

/// An operator that is named.
pub(super) fn operator(table: &Table, row: &[Field]) -> v1::Operator {
    let text = |column| csv::of_field(field(table, row, column));
    v1::Operator {
        week: text("week"),
        vendor: text("vendor"),
        operator: text("operator"),
        country: text("country"),
    }
}

fn field<'a>(table: &Table, row: &'a [Field], column: &str) -> &'a Field {
    let at = table.columns.iter().position(|name| *name == column);
    at.map_or(&Field::Empty, |at| &row[at])
}
