//! Anycast: addresses that answer from many places at once, so that no country is theirs.
//!
//! Read from `anycast.toml`: networks that announce their service addresses everywhere, and single
//! prefixes. A prefix that only touches one of them counts as anycast as a whole.

use super::AtlasSource;
use super::network::Asn;
use super::range::Range;
use phonehome_proto::net::Prefix;
use serde::Deserialize;
use std::collections::BTreeSet;

const ANYCAST: &str = include_str!("../../data/anycast.toml");

/// The table.
pub struct AnycastTable {
    date: String,
    networks: BTreeSet<Asn>,
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    date: String,
    anycast: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "name and source are for whoever checks the file")]
struct Row {
    name: String,
    #[serde(default)]
    asns: Vec<u32>,
    #[serde(default)]
    prefixes: Vec<String>,
    source: String,
}

impl AnycastTable {
    /// The table that is compiled in.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn embedded() -> Self {
        let file: File = toml::from_str(ANYCAST).expect("the committed table is well formed");
        let prefixes = file.anycast.iter().flat_map(|row| &row.prefixes);
        Self {
            date: file.date,
            networks: file
                .anycast
                .iter()
                .flat_map(|row| &row.asns)
                .map(|&n| Asn(n))
                .collect(),
            ranges: prefixes
                .map(|text| Range::of_cidr(text).expect("the committed table holds networks"))
                .collect(),
        }
    }

    /// What it is, for the list on every release.
    #[must_use]
    pub fn about(&self) -> AtlasSource {
        AtlasSource {
            name: "anycast networks".to_owned(),
            build: self.date.clone(),
            licence: "Phonehome's own list of facts, a source per row".to_owned(),
        }
    }

    /// Whether the prefix, held by these networks, answers from many places.
    #[must_use]
    pub fn covers(&self, prefix: Prefix, networks: &BTreeSet<Asn>) -> bool {
        !self.networks.is_disjoint(networks) || self.ranges.iter().any(|range| range.meets(prefix))
    }
}
