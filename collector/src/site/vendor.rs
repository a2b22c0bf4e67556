//! The page of one vendor.

use super::{Links, endpoints, facts, layout, numbers, release, text};
use crate::format::table::{Table, TableName};
use crate::map::svg::text::escape;
use crate::map::{self, View, words};
use crate::release::{Release, composition};
use phonehome_proto::vendor::Vendor;

/// Three facts side by side, one large world, and all rows of the vendor.
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
    if let Some(composition) = composition::composition(of, vendor) {
        body.push_str(&format!(
            "<p>About {} homes with such a phone: {}.</p>\n",
            composition.homes,
            escape(&words::of_composition(&composition))
        ));
    }
    body.push_str("<h2 id=\"facts\">Server, network, domain owner</h2>\n");
    body.push_str(&facts::table(of, vendor));
    body.push_str("<h2 id=\"map\">Where the servers stand</h2>\n");
    body.push_str(&release::figure(&map::svg(of, View::Vendor(vendor))));
    for (name, heading) in [
        (TableName::Server, "Servers: every number behind the map"),
        (
            TableName::Network,
            "Networks: where the operator is registered",
        ),
        (TableName::Owner, "Domain owners: where they are"),
        (TableName::Home, "By the home's country"),
    ] {
        let table = Table::of(of, name).of_vendor(vendor);
        body.push_str(&format!(
            "<h2>{heading}</h2>\n{}",
            numbers::full(&table, "")
        ));
    }
    body.push_str("<h2 id=\"endpoints\">By endpoint</h2>\n");
    body.push_str(&endpoints::section(of, Links::Served, Some(vendor)));
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
