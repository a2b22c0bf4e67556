//! The page of a published folder: all of a release, in one file that needs nothing beside it but its
//! neighbours.

use super::{Links, endpoints, homes, layout, numbers, operators, revision, text, weighted};
use crate::format::table::{Table, TableName};
use crate::map::svg::text::escape;
use crate::map::{self, View, words};
use crate::release::Release;

/// Map first, then its twin in numbers, then everything else there is to say.
pub(super) fn page(release: &Release) -> String {
    let links = Links::Folder;
    let mut body = format!(
        "<h1>Which phone vendors ship data to which countries</h1>\n\
         <p class=\"lead\">ISO week {} · {} · release {}</p>\n",
        escape(&words::of_week(release)),
        escape(&words::of_homes(release)),
        release.id
    );
    body.push_str(&revision::section(release));
    body.push_str(&figure(&map::svg(release, View::AllVendors)));
    body.push_str("<h2 id=\"server\">The map in numbers: where the servers stand</h2>\n");
    body.push_str(&numbers::heat(
        &release.server,
        links,
        "Share of homes with a phone of the vendor that contacted one of the vendor's own servers in the country.",
    ));
    body.push_str(&all(
        release,
        TableName::Server,
        "Every number behind the map.",
    ));
    body.push_str("<h3 id=\"homes\">Where the homes behind these numbers stand</h3>\n");
    body.push_str(&homes::list(release));
    body.push_str("<h3 id=\"weighted\">Beside it: weighted to shipments</h3>\n");
    body.push_str(&weighted::explanation());
    body.push_str(&weighted::table(release, links));
    for (id, heading, matrix, name) in [
        (
            "network",
            "Who runs the network",
            &release.network,
            TableName::Network,
        ),
        (
            "owner",
            "Who owns the domain",
            &release.owner,
            TableName::Owner,
        ),
    ] {
        let lead = match name {
            TableName::Owner => {
                "By the country of the contacted domain's owner: the registrant's where a registry publishes it, else the owner's seat."
            }
            _ => "By the country in which the operator of the server's network is registered.",
        };
        body.push_str(&format!("<h2 id=\"{id}\">{heading}</h2>\n"));
        body.push_str(&numbers::heat(matrix, links, lead));
        body.push_str(&all(release, name, lead));
        if name == TableName::Network {
            body.push_str("<h3 id=\"operators\">Operators by name</h3>\n");
            body.push_str(&operators::list(release, links));
        }
    }
    body.push_str("<h2 id=\"home\">By the home's country</h2>\n");
    body.push_str(&all(
        release,
        TableName::Home,
        "By country of the server and country of the home; home countries with few homes are together.",
    ));
    body.push_str("<h2 id=\"endpoints\">By endpoint</h2>\n");
    body.push_str(&endpoints::section(release, links, None));
    body.push_str(text::READING);
    body.push_str(text::LIMITS);
    body.push_str(&text::method(release));
    body.push_str(&text::files());
    body.push_str(&text::cite(release));
    layout::page(
        Some(release),
        &format!(
            "Phonehome {}: which phone vendors ship data to which countries",
            release.id
        ),
        &body,
    )
}

/// The map in the page: the same bytes as the file, so it cannot say anything else.
fn figure(svg: &str) -> String {
    format!("<figure tabindex=\"0\">\n{svg}</figure>\n")
}

fn all(release: &Release, name: TableName, caption: &str) -> String {
    format!(
        "<details><summary>All rows of {}</summary>\n{}</details>\n",
        name.file_stem(),
        numbers::full(&Table::of(release, name), caption)
    )
}
