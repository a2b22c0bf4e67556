//! The page of one vendor.

use super::{Links, layout, numbers, release, text};
use crate::format::table::{Table, TableName};
use crate::map::svg::text::escape;
use crate::map::{self, View, words};
use crate::release::Release;
use phonehome_proto::vendor::Vendor;

/// One large world, and all rows of the vendor.
pub(super) fn page(of: &Release, vendor: Vendor) -> String {
    let brands = match vendor.brands() {
        [] => String::new(),
        brands => format!(" Counted with it: {}.", brands.join(", ")),
    };
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"lead\">ISO week {} · release {}.{}</p>\n",
        escape(vendor.name()),
        escape(&words::of_week(of)),
        of.id,
        escape(&brands)
    );
    body.push_str(&release::figure(&map::svg(of, View::Vendor(vendor))));
    for (name, heading) in [
        (TableName::Server, "Where the servers stand"),
        (TableName::Network, "Who runs the network"),
        (TableName::Owner, "Who owns the domain"),
        (TableName::Home, "By the home's country"),
        (TableName::Endpoints, "By endpoint"),
    ] {
        let table = Table::of(of, name).of_vendor(vendor);
        body.push_str(&format!(
            "<h2>{heading}</h2>\n{}",
            numbers::full(&table, "")
        ));
    }
    body.push_str(text::READING);
    body.push_str(text::LIMITS);
    body.push_str(&text::method(of));
    body.push_str(&text::cite(of));
    layout::page(
        Some(of),
        Links::Served,
        &format!("Where {} phones ship data to, {}", vendor.name(), of.id),
        &body,
    )
}
