//! `data/endpoints.toml` -> the endpoint table.
//!
//! A row that could carry something private out of a home, or count something that is not its
//! owner's, fails the build with its line.

use crate::rows::{self, Text};
use crate::vendors::Vendors;
use serde::Deserialize;
use std::collections::HashSet;
use std::fmt::Write;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    owner: Vec<Spanned<Owner>>,
    edge: Vec<Spanned<Edge>>,
    endpoint: Vec<Spanned<Endpoint>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Owner {
    id: String,
    name: String,
    country: String,
    domains: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edge {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    id: u16,
    pattern: String,
    owner: String,
    class: String,
    edge: Option<String>,
}

pub(crate) struct List {
    version: u32,
    owners: Vec<Owner>,
    endpoints: Vec<Endpoint>,
}

/// The classes, as the file writes them, and the variants they stand for.
const CLASSES: [(&str, &str); 5] = [
    ("core", "Core"),
    ("telemetry", "Telemetry"),
    ("platform", "Platform"),
    ("analytics", "Analytics"),
    ("advertising", "Advertising"),
];

/// Words that make a name sensitive, wherever one stands between dots and hyphens of the name, or
/// begins or ends one of its labels: whoever contacts it tells more than which phone they hold.
const SENSITIVE: [&str; 30] = [
    "health",
    "medic",
    "clinic",
    "pharma",
    "fitness",
    "pregnan",
    "wallet",
    "pay",
    "payment",
    "bank",
    "finance",
    "credit",
    "loan",
    "insurance",
    "invest",
    "dating",
    "porn",
    "adult",
    "sex",
    "gay",
    "church",
    "islam",
    "bible",
    "religion",
    "politic",
    "election",
    "union",
    "search",
    "addiction",
    "casino",
];

/// The list, in the order of its ids.
pub(crate) fn read(text: &str, vendors: &Vendors) -> Result<List, String> {
    let file: File = toml::from_str(text).map_err(|e| format!("data/endpoints.toml: {e}"))?;
    let at = Text {
        file: "data/endpoints.toml",
        text,
    };
    let owners = read_owners(at, file.owner, vendors)?;

    let mut edges = HashSet::new();
    for row in &file.edge {
        let Edge { id, name } = row.get_ref();
        if !rows::is_id(id) || name.is_empty() || !edges.insert(id.as_str()) {
            return Err(at.refuse(row, "an edge has an id of its own and a name"));
        }
    }

    let (mut ids, mut patterns) = (HashSet::new(), HashSet::new());
    let mut endpoints = Vec::new();
    for row in file.endpoint {
        let endpoint = row.get_ref();
        if endpoint.id == 0 || !ids.insert(endpoint.id) {
            return Err(at.refuse(&row, "this id stands twice, or is 0"));
        }
        if !patterns.insert(endpoint.pattern.clone()) {
            return Err(at.refuse(&row, "this pattern stands twice"));
        }
        if let Some(fault) = endpoint_fault(endpoint, &edges, &owners, vendors) {
            return Err(at.refuse(&row, fault));
        }
        endpoints.push(row.into_inner());
    }
    endpoints.sort_by_key(|e| e.id);
    Ok(List {
        version: file.version,
        owners,
        endpoints,
    })
}

fn read_owners(
    at: Text<'_>,
    file: Vec<Spanned<Owner>>,
    vendors: &Vendors,
) -> Result<Vec<Owner>, String> {
    let mut ids: HashSet<String> = vendors.vendors.iter().map(|v| v.id.clone()).collect();
    let mut domains: Vec<String> = vendors
        .vendors
        .iter()
        .flat_map(|v| v.domains().map(ToOwned::to_owned))
        .collect();
    let mut owners = Vec::new();
    for row in file {
        let owner = row.get_ref();
        if !rows::is_id(&owner.id) || !ids.insert(owner.id.clone()) {
            return Err(at.refuse(&row, "this owner's id stands twice, or is not one"));
        }
        if !rows::is_country(&owner.country) {
            return Err(at.refuse(&row, "country is not two upper-case letters"));
        }
        for domain in &owner.domains {
            if let Some(fault) =
                rows::domain_fault(domain).or_else(|| rows::claim_fault(domain, &domains))
            {
                return Err(at.refuse(&row, &format!("'{domain}': {fault}")));
            }
            domains.push(domain.clone());
        }
        owners.push(row.into_inner());
    }
    Ok(owners)
}

/// What is wrong with a row, if anything.
fn endpoint_fault(
    endpoint: &Endpoint,
    edges: &HashSet<&str>,
    owners: &[Owner],
    vendors: &Vendors,
) -> Option<&'static str> {
    let host = endpoint
        .pattern
        .strip_prefix("*.")
        .unwrap_or(&endpoint.pattern);
    if let Some(fault) = rows::host_fault(host) {
        return Some(fault);
    }
    if !rows::has_registrable_domain(host) {
        return Some("the pattern covers a public suffix");
    }
    if is_sensitive(host) {
        return Some("a sensitive endpoint must not be on the list");
    }
    let vendor = vendors.vendors.iter().find(|v| v.id == endpoint.owner);
    let owner = owners.iter().find(|o| o.id == endpoint.owner);
    let lies_inside = match (vendor, owner) {
        (Some(vendor), _) => rows::lies_inside(host, vendor.domains()),
        (None, Some(owner)) => rows::lies_inside(host, owner.domains.iter().map(String::as_str)),
        (None, None) => return Some("the owner is neither a vendor nor an owner of this file"),
    };
    if !lies_inside {
        return Some("the pattern lies outside its owner's domains");
    }
    if !CLASSES.iter().any(|(word, _)| *word == endpoint.class) {
        return Some("class is none of core, telemetry, platform, analytics, advertising");
    }
    if vendor.is_none() && matches!(endpoint.class.as_str(), "core" | "telemetry") {
        return Some("core and telemetry endpoints belong to a vendor");
    }
    if endpoint
        .edge
        .as_deref()
        .is_some_and(|edge| !edges.contains(edge))
    {
        return Some("the edge is not one of this file");
    }
    None
}

fn is_sensitive(host: &str) -> bool {
    host.split(['.', '-']).any(|part| {
        SENSITIVE.iter().any(|word| {
            part == *word || word.len() > 3 && (part.starts_with(word) || part.ends_with(word))
        })
    })
}

pub(crate) fn render(list: &List, vendors: &Vendors) -> String {
    let mut out = format!(
        "/// The version of the compiled-in list.\npub const ENDPOINT_LIST_VERSION: u32 = {};\n",
        list.version
    );
    out.push_str("static ENDPOINTS: &[EndpointFacts] = &[\n");
    for e in &list.endpoints {
        let vendor = vendors.vendors.iter().find(|v| v.id == e.owner);
        let owner = list.owners.iter().find(|o| o.id == e.owner);
        let (name, country) = vendor
            .map(|v| (&v.name, &v.country))
            .or_else(|| owner.map(|o| (&o.name, &o.country)))
            .expect("`read` found the owner");
        let number = vendor.map(|v| v.number);
        let host = e.pattern.trim_start_matches("*.");
        let region = vendor.and_then(|v| v.region_of(host)).map_or_else(
            || "None".to_owned(),
            |country| format!("Some(*b{country:?})"),
        );
        let class = CLASSES
            .iter()
            .find(|(word, _)| *word == e.class)
            .expect("`read` found it")
            .1;
        writeln!(
            out,
            "EndpointFacts {{ id: {}, pattern: {:?}, owner_vendor: {number:?}, owner_name: {name:?}, owner_country: *b{country:?}, class: Class::{class}, edge: {:?}, region: {region} }},",
            e.id, e.pattern, e.edge
        )
        .expect("a String takes everything");
    }
    out.push_str("];\n");
    let (domains, hosts): (Vec<_>, Vec<_>) = list
        .endpoints
        .iter()
        .partition(|e| e.pattern.starts_with("*."));
    render_index(&mut out, "HOSTS", &hosts);
    render_index(&mut out, "DOMAINS", &domains);
    out
}

/// Names to ids, sorted by name.
fn render_index(out: &mut String, name: &str, endpoints: &[&Endpoint]) {
    let mut rows: Vec<_> = endpoints
        .iter()
        .map(|e| (e.pattern.trim_start_matches("*."), e.id))
        .collect();
    rows.sort_unstable();
    writeln!(out, "static {name}: &[(&str, u16)] = &{rows:?};").expect("a String takes everything");
}
