//! Endpoints in pages: by class, each with its owner and whether it stands out for one vendor's phones.

use super::{Links, numbers};
use crate::geo::owner::OwnerTable;
use crate::map::borders;
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::belonging::{self, Belonging, HOMES_MIN, NETWORKS_MIN, Q_MAX, Z_MIN};
use crate::release::{Cell, Release};
use phonehome_proto::endpoint::{Class, EndpointId};
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// One table of the section, in the order of the page.
const CLASSES: [(Class, &str); 5] = [
    (
        Class::Core,
        "Core: vendors' own system services, such as updates, push messages and accounts",
    ),
    (
        Class::Telemetry,
        "Telemetry: vendors' own measuring of their phones and of how they are used",
    ),
    (
        Class::Platform,
        "Platform: services of the system under the phone, such as Google's on any Android",
    ),
    (Class::Analytics, "Analytics: third parties that measure"),
    (
        Class::Advertising,
        "Advertising: third parties that advertise",
    ),
];

/// Every endpoint that any homes were seen contacting, of all vendors' phones or of one's, class by class.
pub(super) fn section(release: &Release, links: Links, of: Option<Vendor>) -> String {
    let found = belonging::belongings(release);
    let owners = super::owners(release);
    let mut out = format!(
        "<p>Each class is counted apart, and nothing in one is part of another. Only a vendor's own \
         endpoints, core and telemetry, count in the tables by country above.</p>\n\
         <p><b>Belongs to this vendor's phones</b>: yes, if their homes contact it more than homes with \
         phones of all other Android vendors do, by the weighted log-odds (z at least {Z_MIN}) and by \
         Fisher's exact test (q, the rate of false discoveries, at most {Q_MAX}). Only homes that know \
         their phone's maker without any name or endpoint take part, so no endpoint testifies for itself; \
         fewer than {HOMES_MIN} homes or {NETWORKS_MIN} networks are not tested, and neither is what has \
         nothing shown to be compared with. Apple's phones stand apart.</p>\n"
    );
    let cells = release.endpoints.iter();
    let cells: Vec<(&(Vendor, EndpointId), &Cell)> = cells
        .filter(|((vendor, _), _)| of.is_none_or(|of| of == *vendor))
        .collect();
    for (class, heading) in CLASSES {
        let of_class: Vec<_> = cells
            .iter()
            .filter(|((_, endpoint), _)| endpoint.class() == class)
            .copied()
            .collect();
        out.push_str(&format!("<h3>{}</h3>\n", escape(heading)));
        out.push_str(&table(&of_class, links, &found, &owners));
    }
    out
}

fn table(
    cells: &[(&(Vendor, EndpointId), &Cell)],
    links: Links,
    found: &BTreeMap<(Vendor, EndpointId), Belonging>,
    owners: &OwnerTable,
) -> String {
    let is_zero = |cell: &Cell| matches!(cell, Cell::Zero(_));
    let zeros = cells.iter().filter(|(_, cell)| is_zero(cell)).count();
    if zeros == cells.len() {
        return format!("<p class=\"note\">No rows; {zeros} in state zero are left out.</p>\n");
    }
    let text = [
        "vendor",
        "endpoint",
        "owner, and its country",
        "host name says",
        "state",
        "belongs to this vendor's phones",
    ];
    let text = text.map(|head| format!("<th scope=\"col\" class=\"text\">{head}</th>"));
    let counts = ["share", "low", "high", "x", "n", "networks", "radius"];
    let counts = counts.map(|head| format!("<th scope=\"col\">{head}</th>"));
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\"><table><caption>Rows in state zero are left out here: {zeros}.</caption>\n\
         <thead><tr>{}{}</tr></thead>\n<tbody>\n",
        text.concat(),
        counts.concat()
    );
    for &(&(vendor, endpoint), cell) in cells.iter().filter(|(_, cell)| !is_zero(cell)) {
        let says = endpoint.region();
        let texts = [
            escape(endpoint.pattern()),
            escape(&owner(owners, endpoint)),
            escape(says.as_ref().map_or("", |country| borders::name(country))),
            cell.state().replace('_', " "),
            found
                .get(&(vendor, endpoint))
                .map_or_else(|| "not tested".to_owned(), verdict),
        ];
        out.push_str(&format!(
            "<tr><th scope=\"row\">{}</th>{}{}</tr>\n",
            numbers::to_vendor(links, vendor),
            texts
                .map(|text| format!("<td class=\"text\">{text}</td>"))
                .concat(),
            figures(cell)
        ));
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// Whose domain it is, and where that is registered or seated.
fn owner(owners: &OwnerTable, endpoint: EndpointId) -> String {
    let owner = owners.of(endpoint);
    format!("{}, {}", owner.owner, borders::name(&owner.country()))
}

fn figures(cell: &Cell) -> String {
    let Some(numbers) = cell.numbers() else {
        return "<td></td>".repeat(7);
    };
    format!(
        "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
        numbers.share,
        numbers.share_low,
        numbers.share_high,
        numbers.x_high,
        numbers.n,
        numbers.networks,
        numbers.radius
    )
}

fn verdict(found: &Belonging) -> String {
    let others: Vec<&str> = found.others.iter().map(|vendor| vendor.name()).collect();
    let against = format!(
        "{} of about {} homes, against {} of about {} with phones of {}",
        found.x,
        found.n,
        found.others_x,
        found.others_n,
        words::list(&others)
    );
    format!(
        "<abbr title=\"{}\">{}: z {}, q ≤ {}</abbr>",
        escape(&against),
        if found.holds() { "yes" } else { "no" },
        found.z,
        found.q
    )
}
