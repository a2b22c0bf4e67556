//! The page of one country, or of what stands for none.

use super::{Links, homes, layout, numbers, text, weighted};
use crate::format::table::{Table, TableName};
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::{Column, Release};

/// Which vendors ship data there.
pub(super) fn page(release: &Release, column: Column) -> String {
    let name = words::of_column(&column);
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"lead\">ISO week {} · release {}</p>\n",
        escape(name),
        escape(&words::of_week(release)),
        release.id
    );
    for (table, heading) in [
        (TableName::Server, "Servers standing there"),
        (TableName::Network, "Networks run from there"),
        (TableName::Owner, "Domains owned from there"),
        (
            TableName::Home,
            "Servers standing there, by the home's country",
        ),
    ] {
        let table = Table::of(release, table).of_country(column.code());
        body.push_str(&format!(
            "<h2>{heading}</h2>\n{}",
            numbers::full(&table, "")
        ));
    }
    body.push_str("<h2 id=\"weighted\">Weighted to shipments</h2>\n");
    body.push_str(&weighted::sentence(release, column));
    body.push_str(&weighted::explanation());
    body.push_str("<h2 id=\"homes\">Where the homes behind these numbers stand</h2>\n");
    body.push_str(&homes::list(release));
    body.push_str(text::READING);
    body.push_str(text::LIMITS);
    body.push_str(&text::method(release));
    body.push_str(&text::cite(release));
    layout::page(
        Some(release),
        Links::Served,
        &format!(
            "{name}: which phone vendors ship data there, {}",
            release.id
        ),
        &body,
    )
}
