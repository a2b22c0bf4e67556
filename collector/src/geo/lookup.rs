//! What the atlas knows about single addresses, for `geo lookup`.
//!
//! A view, and the only place where the answers of the tables become text. Every opinion is shown
//! with its source and build, then what follows from them.

use super::atlas::Atlas;
use phonehome_proto::net::{Country, Prefix};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

/// One address, looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The address as given.
    pub ip: String,
    /// The prefix that is located, /24 or /48.
    pub prefix: String,
    /// The network of the address and its operator's name, `AS45102 Alibaba ...`.
    pub network: Option<String>,
    /// What each source says.
    pub opinions: Vec<OpinionRow>,
    /// The countries a server of the prefix may stand in.
    pub candidates: Vec<String>,
    /// How well that is known.
    pub status: &'static str,
}

/// What one source says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpinionRow {
    /// Its name.
    pub source: String,
    /// Its build.
    pub build: String,
    /// Every country it names in the prefix.
    pub countries: Vec<String>,
}

/// Looks one address up.
#[must_use]
pub fn row(atlas: &Atlas, ip: IpAddr) -> Row {
    let prefix = Prefix::of(ip);
    let place = atlas.locate(prefix);
    Row {
        ip: ip.to_string(),
        prefix: prefix.to_string(),
        network: atlas.networks().network(ip).map(|network| {
            let name = atlas.networks().name(network).unwrap_or_default();
            format!("{network} {name}").trim_end().to_owned()
        }),
        opinions: atlas
            .opinions(prefix, None)
            .into_iter()
            .map(|opinion| OpinionRow {
                source: opinion.source.name.clone(),
                build: opinion.source.build.clone(),
                countries: codes(&opinion.countries),
            })
            .collect(),
        candidates: codes(place.candidates()),
        status: place.status().as_str(),
    }
}

/// The rows as a JSON array with a line feed at its end.
///
/// # Panics
/// Never: the rows are plain text.
#[must_use]
pub fn json(rows: &[Row]) -> String {
    serde_json::to_string_pretty(rows).expect("plain text serialises") + "\n"
}

/// The rows for a terminal: one block per address.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let network = row.network.as_deref().unwrap_or("-");
        let mut line = |name: &str, value: &str| {
            writeln!(out, "{name:<11} {value}").expect("writing to a string does not fail");
        };
        line("ip", &row.ip);
        line("prefix", &row.prefix);
        line("network", network);
        for opinion in &row.opinions {
            let countries = or_dash(&opinion.countries);
            line(
                "opinion",
                &format!("{countries} ({}, {})", opinion.source, opinion.build),
            );
        }
        line("candidates", &or_dash(&row.candidates));
        line("status", row.status);
    }
    out
}

fn codes(countries: &BTreeSet<Country>) -> Vec<String> {
    countries
        .iter()
        .map(|country| country.as_str().to_owned())
        .collect()
}

fn or_dash(codes: &[String]) -> String {
    if codes.is_empty() {
        "-".to_owned()
    } else {
        codes.join(" ")
    }
}
