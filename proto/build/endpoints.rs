//! `data/endpoints.toml` -> the endpoint table.
//!
//! A row that could carry something private out of a home, or count something that is not its
//! owner's, fails the build with its line.

use crate::rows::{self, Text};
use crate::rules::{self, Claim, Fault, Seen};
use crate::vendors::{Vendor, Vendors};
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
    pub(crate) id: u16,
    pub(crate) pattern: String,
    pub(crate) owner: String,
    pub(crate) class: String,
    pub(crate) edge: Option<String>,
}

pub(crate) struct List {
    pub(crate) version: u32,
    edges: Vec<String>,
    owners: Vec<Owner>,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// The classes, as the file writes them, and the variants they stand for.
const CLASSES: [(&str, &str); 5] = [
    ("core", "Core"),
    ("telemetry", "Telemetry"),
    ("platform", "Platform"),
    ("analytics", "Analytics"),
    ("advertising", "Advertising"),
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

    let mut seen = Seen::default();
    let mut endpoints = Vec::new();
    for row in file.endpoint {
        let endpoint = row.get_ref();
        let checked = seen
            .take(endpoint.id.into(), &endpoint.pattern)
            .and_then(|()| check(endpoint, &edges, &owners, vendors));
        if let Err(fault) = checked {
            return Err(at.refuse(&row, fault.sentence()));
        }
        endpoints.push(row.into_inner());
    }
    endpoints.sort_by_key(|e| e.id);
    let edges = file.edge.iter().map(|row| row.get_ref().id.clone());
    Ok(List {
        version: file.version,
        edges: edges.collect(),
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

/// Holds a row to the rules of every list, and to the words of this file.
fn check(
    endpoint: &Endpoint,
    edges: &HashSet<&str>,
    owners: &[Owner],
    vendors: &Vendors,
) -> Result<(), Fault> {
    let vendor = vendors.vendors.iter().find(|v| v.id == endpoint.owner);
    let owner = owners.iter().find(|o| o.id == endpoint.owner);
    let domains: Vec<&str> = match (vendor, owner) {
        (Some(vendor), _) => vendor.domains().collect(),
        (None, Some(owner)) => owner.domains.iter().map(String::as_str).collect(),
        (None, None) => Vec::new(),
    };
    let claim = (vendor.is_some() || owner.is_some()).then_some(Claim {
        domains: &domains,
        is_vendor: vendor.is_some(),
    });
    let is_public_suffix = |host: &str| !rows::has_registrable_domain(host);
    let class_is_vendors_own = matches!(endpoint.class.as_str(), "core" | "telemetry");
    rules::check_row(
        &endpoint.pattern,
        claim,
        class_is_vendors_own,
        &is_public_suffix,
    )?;
    if !CLASSES.iter().any(|(word, _)| *word == endpoint.class) {
        return Err(Fault::UnknownClass);
    }
    let edge = endpoint.edge.as_deref();
    if edge.is_some_and(|edge| !edges.contains(edge)) {
        return Err(Fault::UnknownEdge);
    }
    Ok(())
}

impl List {
    /// The country that an endpoint's name declares, by its vendor's own region tokens.
    pub(crate) fn region_of<'v>(
        &self,
        endpoint: &Endpoint,
        vendors: &'v Vendors,
    ) -> Option<&'v str> {
        let mut vendors = vendors.vendors.iter();
        let vendor = vendors.find(|v| v.id == endpoint.owner)?;
        vendor.region_of(rules::host_of(&endpoint.pattern))
    }
}

pub(crate) fn render(list: &List, vendors: &Vendors) -> String {
    let mut out = format!(
        "/// The version of the compiled-in list.\npub const ENDPOINT_LIST_VERSION: u32 = {};\n",
        list.version
    );
    out.push_str("static OWNERS: &[OwnerFacts] = &[\n");
    for o in &list.owners {
        writeln!(
            out,
            "OwnerFacts {{ id: {:?}, name: {:?}, country: *b{:?}, domains: &{:?} }},",
            o.id, o.name, o.country, o.domains
        )
        .expect("a String takes everything");
    }
    out.push_str("];\n");
    writeln!(out, "static EDGES: &[&str] = &{:?};", list.edges).expect("a String takes everything");
    let vendors_domains = vendors.vendors.iter().flat_map(Vendor::domains);
    let owners_domains = list.owners.iter().flat_map(|o| &o.domains);
    let suffixes: Vec<&str> = vendors_domains
        .chain(owners_domains.map(String::as_str))
        .filter(|domain| !rows::has_registrable_domain(domain))
        .collect();
    writeln!(out, "static OWNERS_SUFFIXES: &[&str] = &{suffixes:?};")
        .expect("a String takes everything");

    out.push_str("static ENDPOINTS: &[EndpointFacts] = &[\n");
    for e in &list.endpoints {
        let vendor = vendors.vendors.iter().find(|v| v.id == e.owner);
        let owner = vendor.map_or_else(
            || {
                let at = list.owners.iter().position(|o| o.id == e.owner);
                format!("Owner::of_row({})", at.expect("`read` found the owner"))
            },
            |vendor| format!("Owner::of_vendor({})", vendor.number),
        );
        let region = list.region_of(e, vendors).map_or_else(
            || "None".to_owned(),
            |country| format!("Country::new(*b{country:?})"),
        );
        let class = CLASSES
            .iter()
            .find(|(word, _)| *word == e.class)
            .expect("`read` found it")
            .1;
        writeln!(
            out,
            "EndpointFacts {{ id: {}, pattern: {:?}, owner: {owner}, class: Class::{class}, edge: {:?}, region: {region} }},",
            e.id, e.pattern, e.edge
        )
        .expect("a String takes everything");
    }
    out.push_str("];\n");
    for (name, is_domain) in [("HOSTS", false), ("DOMAINS", true)] {
        render_index(&mut out, name, &list.endpoints, is_domain);
    }
    out
}

/// The places of rows in the list, sorted by name: those of hosts, or those of `*.domain`s.
fn render_index(out: &mut String, name: &str, endpoints: &[Endpoint], is_domain: bool) {
    let rows = endpoints.iter().enumerate();
    let mut places: Vec<_> = rows
        .filter(|(_, e)| e.pattern.starts_with("*.") == is_domain)
        .map(|(place, e)| (rules::host_of(&e.pattern), place))
        .collect();
    places.sort_unstable();
    let places: Vec<usize> = places.iter().map(|(_, place)| *place).collect();
    writeln!(out, "static {name}: &[u16] = &{places:?};").expect("a String takes everything");
}
