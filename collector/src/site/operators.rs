//! Operators of networks in pages: who they are, where they are registered, and what it takes to be named.

use super::Links;
use super::numbers::{to_country, to_vendor};
use crate::geo::network::OPERATORS_SOURCE_NAME;
use crate::map::borders;
use crate::map::svg::text::escape;
use crate::release::{Column, NetworkOperator, Release};
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// The operators named beside one vendor.
pub(super) fn of_vendor(release: &Release, vendor: Vendor, links: Links) -> String {
    let named: Vec<String> = release
        .operators
        .iter()
        .filter(|(of, _)| *of == vendor)
        .map(|(_, operator)| format!("<li>{}</li>\n", registered(links, operator)))
        .collect();
    if named.is_empty() {
        return "<p>No operator is named.</p>\n".to_owned();
    }
    format!("<ul>\n{}</ul>\n", named.concat())
}

/// The operators named beside every vendor.
pub(super) fn list(release: &Release, links: Links) -> String {
    let mut of: BTreeMap<Vendor, Vec<String>> = BTreeMap::new();
    for (vendor, operator) in &release.operators {
        let named = of.entry(*vendor).or_default();
        named.push(registered(links, operator));
    }
    let mut out = if of.is_empty() {
        "<p>No operator is named.</p>\n".to_owned()
    } else {
        let lines = of.into_iter().map(|(vendor, named)| {
            let vendor = to_vendor(links, vendor);
            format!("<li>{vendor}: {}</li>\n", named.join("; "))
        });
        format!("<ul>\n{}</ul>\n", lines.collect::<String>())
    };
    out.push_str(&rule(release));
    out
}

/// `Alibaba Cloud, registered in China`.
fn registered(links: Links, operator: &NetworkOperator) -> String {
    let country = Column::Country(operator.country);
    format!(
        "<b>{}</b>, registered in {}",
        escape(&operator.name),
        to_country(links, &country, &escape(borders::name(&operator.country)))
    )
}

/// What the names say, and what they do not.
pub(super) fn rule(release: &Release) -> String {
    let table = release
        .atlas
        .iter()
        .find(|source| source.name == OPERATORS_SOURCE_NAME)
        .map_or_else(String::new, |source| format!(" ({})", source.build));
    let text = format!(
        "Named are the operators in whose networks phones of at least {} homes (in at least {} networks of \
         their own) contacted an endpoint of their vendor's own, if about {} homes or more did so in networks \
         of the operator's country. Names have no numbers. Who is not named was met by fewer homes or by \
         none, or is not in the table of operators{table}.",
        release.k,
        release.k.div_ceil(release.network_homes_max.max(1)),
        2 * release.k,
    );
    format!("<p class=\"note\">{}</p>\n", escape(&text))
}
