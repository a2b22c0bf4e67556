//! Three facts about one vendor, side by side and never merged: where the servers stand, where the
//! operators of their networks are registered, and who owns the names.
//!
//! One table with a column for each. A server in one country, in the network of a company of a second,
//! under the name of a company of a third: nothing in one column is said by another.

use super::numbers::to_country;
use super::{Links, operators};
use crate::geo::owner::{DomainOwner, Evidence};
use crate::geo::{AtlasSource, network, region};
use crate::map::borders;
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::{BasisPoints, Cell, Column, Matrix, Release};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// The table of a vendor, or a sentence where there is nothing to ask.
pub(super) fn table(release: &Release, vendor: Vendor, links: Links) -> String {
    let own: Vec<EndpointId> = EndpointId::all()
        .filter(|endpoint| endpoint.is_own_of(vendor))
        .collect();
    if own.is_empty() {
        return "<p>The public list knows no endpoint of this vendor's own, so there is nothing to ask \
                about.</p>\n"
            .to_owned();
    }
    let columns = [
        (
            "Server",
            "the machine that is contacted stands in",
            server(release, vendor, &own, links),
        ),
        (
            "Network",
            "the machine's network is run by",
            network(release, vendor, links),
        ),
        (
            "Domain owner",
            "the machine's name belongs to",
            owner(release, vendor, &own, links),
        ),
    ];
    let heads = columns
        .each_ref()
        .map(|(fact, what, _)| format!("<th scope=\"col\">{fact}<span>{what}</span></th>"));
    let cells = columns.each_ref().map(|(fact, what, cell)| {
        format!("<td><h3 aria-hidden=\"true\">{fact}<span>{what}</span></h3>\n{cell}</td>")
    });
    format!(
        "<table class=\"facts\"><caption>Contacts of {} phones with their vendor's own listed endpoints: \
         three separate facts. None of them says where data goes in the end.</caption>\n\
         <thead><tr>{}</tr></thead>\n<tbody><tr>{}</tr></tbody></table>\n",
        escape(vendor.name()),
        heads.concat(),
        cells.concat()
    )
}

/// Where the servers stand: every country with its share, its status in words, and who was asked.
fn server(release: &Release, vendor: Vendor, own: &[EndpointId], links: Links) -> String {
    let mut out = countries(&release.server, (vendor, links), "server in", |cell| {
        let status = cell.numbers().map(|numbers| numbers.place_status);
        status.map_or_else(String::new, |status| {
            format!("; {}", words::of_status(status))
        })
    });
    let databases: Vec<String> = release
        .atlas
        .iter()
        .take_while(|source| source.name != network::SOURCE_NAME)
        .map(named)
        .collect();
    out.push_str(&format!(
        "<p class=\"note\">Databases asked: {}.</p>\n",
        escape(&databases.join("; "))
    ));
    let tokens = release
        .atlas
        .iter()
        .find(|source| source.name == region::about().name);
    let said: BTreeSet<Country> = own
        .iter()
        .filter_map(|endpoint| endpoint.region())
        .collect();
    if let Some(tokens) = tokens.filter(|_| !said.is_empty()) {
        let said: Vec<&str> = said.iter().map(borders::name).collect();
        out.push_str(&format!(
            "<p class=\"note\">Host names of its own say: {} ({}). A name that says so is one more source, \
             where it is contacted.</p>\n",
            escape(&words::list(&said)),
            escape(&tokens.build)
        ));
    }
    out
}

/// Who runs those networks, as far as it may be said, and under which countries they are registered.
fn network(release: &Release, vendor: Vendor, links: Links) -> String {
    let mut out = operators::of_vendor(release, vendor, links);
    out.push_str(&countries(
        &release.network,
        (vendor, links),
        "any operator registered in",
        |_| String::new(),
    ));
    out.push_str(&operators::rule(release));
    out.push_str(
        "<p class=\"note\">The country is the one in which a regional registry (AFRINIC, APNIC, ARIN, \
         LACNIC, RIPE NCC) keeps the network's number. A company registered in one country runs machines \
         in many.</p>\n",
    );
    out
}

/// Whose names they are, and what that rests on.
fn owner(release: &Release, vendor: Vendor, own: &[EndpointId], links: Links) -> String {
    let owners = super::owners(release);
    let domains: BTreeMap<&str, &DomainOwner> = own
        .iter()
        .map(|&endpoint| owners.of(endpoint))
        .map(|owner| (owner.domain.as_str(), owner))
        .collect();
    // Domains of which the same is known stand together.
    let mut alike: BTreeMap<_, Vec<&DomainOwner>> = BTreeMap::new();
    for owner in domains.into_values() {
        let known = (&owner.owner, owner.evidence, &owner.date, &owner.note);
        alike.entry(known).or_default().push(owner);
    }
    let mut out = String::from("<ul>\n");
    for owned in alike.into_values() {
        let names: Vec<&str> = owned.iter().map(|owner| owner.domain.as_str()).collect();
        let known = owned[0];
        let note = known.note.as_deref().unwrap_or_default();
        let before_note = if note.is_empty() { "" } else { "; " };
        out.push_str(&format!(
            "<li><b>{}</b>, {}: {} <span>({}; {}{before_note}{})</span></li>\n",
            escape(&known.owner),
            escape(&rests_on(known)),
            escape(&words::list(&names)),
            escape(&known.date),
            escape(&known.source),
            escape(note)
        ));
    }
    out.push_str("</ul>\n");
    out.push_str(&countries(
        &release.owner,
        (vendor, links),
        "any owner in",
        |_| String::new(),
    ));
    out
}

/// The cells of a vendor's row with a share above zero, the largest first.
fn shown(matrix: &Matrix, vendor: Vendor) -> Vec<(BasisPoints, &Column, &Cell)> {
    let row = matrix.iter().filter(|((of, _), _)| *of == vendor);
    let mut shown: Vec<_> = row
        .filter_map(|((_, column), cell)| Some((cell.numbers()?.share, column, cell)))
        .filter(|(share, ..)| *share > BasisPoints(0))
        .collect();
    shown.sort_by_key(|&(share, column, _)| (std::cmp::Reverse(share), column));
    shown
}

/// These cells in words, and how many are held back.
fn countries(
    matrix: &Matrix,
    (vendor, links): (Vendor, Links),
    what: &str,
    after: impl Fn(&Cell) -> String,
) -> String {
    let mut out = String::new();
    let shown = shown(matrix, vendor);
    if shown.is_empty() {
        out.push_str("<p>No country passes the gate with a share above zero.</p>\n");
    } else {
        out.push_str("<ul>\n");
        for (_, column, cell) in shown {
            let name = escape(words::of_column(column));
            let what = match column {
                Column::Country(_) => what,
                Column::Anycast | Column::Unknown => "",
            };
            out.push_str(&format!(
                "<li>{what} <b>{}</b>: {}{}</li>\n",
                to_country(links, column, &name),
                escape(&words::of_share(cell)),
                escape(&after(cell))
            ));
        }
        out.push_str("</ul>\n");
    }
    let suppressed = matrix
        .iter()
        .filter(|((of, _), cell)| *of == vendor && **cell == Cell::Suppressed)
        .count();
    if suppressed > 0 {
        out.push_str(&format!(
            "<p class=\"note\">Cells suppressed by the gate: {suppressed}.</p>\n"
        ));
    }
    out
}

/// An owner's country, and what it rests on.
fn rests_on(owner: &DomainOwner) -> String {
    let country = owner.country();
    let country = borders::name(&country);
    match owner.evidence {
        Evidence::RdapPublished => {
            format!("registered in {country}, as its registrar publishes (RDAP)")
        }
        Evidence::RdapRedacted => {
            format!("seat in {country}; the registrar withholds the registrant")
        }
        Evidence::CompanyFiling => {
            format!("seat in {country}, by its own documents; no registry was asked")
        }
        Evidence::CctldOnly => format!("seat in {country}; the registry publishes no registrant"),
        Evidence::Unknown => {
            format!("seat in {country}; only public lists connect the name with it")
        }
    }
}

/// A source with its build.
fn named(source: &AtlasSource) -> String {
    format!("{} ({})", source.name, source.build)
}
