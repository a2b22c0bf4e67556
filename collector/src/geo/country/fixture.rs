//! Writes small databases in the MaxMind format, for tests: the format's specification, version 2.0.

use super::super::range::{self, Range};

/// Where a record puts the country.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// `country_code`.
    Flat,
    /// `country.iso_code`.
    Geoip2,
}

const RECORD_BITS: u8 = 24;

#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// 2026-06-01.
pub(crate) const BUILT: u64 = 1_780_272_000;

/// A database of these networks (CIDR, code), built 2026-06-01.
pub(crate) fn database(layout: Layout, rows: &[(&str, &str)]) -> Vec<u8> {
    database_of("Test-Country", BUILT, layout, rows)
}

/// The same of another type and build.
pub(crate) fn database_of(
    kind: &str,
    built: u64,
    layout: Layout,
    rows: &[(&str, &str)],
) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (cidr, code) in rows {
        let range = Range::of_cidr(cidr).expect("a network");
        let length: usize = cidr
            .split_once('/')
            .expect("a network")
            .1
            .parse()
            .expect("a length");
        // IPv4 lives in ::/96.
        let length = if range.first.is_ipv4() {
            96 + length
        } else {
            length
        };
        insert(&mut nodes, range::number(range.first), length, data.len());
        match layout {
            Layout::Flat => map(&mut data, &["country_code"], code),
            Layout::Geoip2 => map(&mut data, &["country", "iso_code"], code),
        }
    }

    let mut out = Vec::new();
    for node in &nodes {
        for branch in node {
            let record = match *branch {
                Branch::Nothing => nodes.len(),
                Branch::Node(at) => at,
                Branch::Data(at) => nodes.len() + 16 + at,
            };
            out.extend(&record.to_be_bytes()[5..]);
        }
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(&mut out, nodes.len(), kind, built);
    out
}

fn insert(nodes: &mut Vec<[Branch; 2]>, number: u128, length: usize, data: usize) {
    let mut at = 0;
    for depth in 0..length {
        let side = usize::from(number >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            nodes[at][side] = Branch::Data(data);
        } else if let Branch::Node(next) = nodes[at][side] {
            at = next;
        } else {
            nodes.push([Branch::Nothing; 2]);
            nodes[at][side] = Branch::Node(nodes.len() - 1);
            at = nodes.len() - 1;
        }
    }
}

fn map(out: &mut Vec<u8>, path: &[&str], value: &str) {
    for key in path {
        out.push(7 << 5 | 1);
        string(out, key);
    }
    string(out, value);
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(2 << 5 | u8::try_from(text.len()).expect("a short text"));
    out.extend(text.as_bytes());
}

fn metadata(out: &mut Vec<u8>, nodes: usize, kind: &str, built: u64) {
    let uint = |out: &mut Vec<u8>, key: &str, kind: u8, value: u64| {
        string(out, key);
        let bytes = value.to_be_bytes();
        match kind {
            5 => out.extend([&[5 << 5 | 2], &bytes[6..]].concat()),
            6 => out.extend([&[6 << 5 | 4], &bytes[4..]].concat()),
            // uint64 is an extended type: 9 - 7.
            _ => out.extend([&[8, 2], &bytes[..]].concat()),
        }
    };
    out.push(7 << 5 | 9);
    uint(out, "node_count", 6, nodes as u64);
    uint(out, "record_size", 5, u64::from(RECORD_BITS));
    uint(out, "ip_version", 5, 6);
    uint(out, "binary_format_major_version", 5, 2);
    uint(out, "binary_format_minor_version", 5, 0);
    uint(out, "build_epoch", 9, built);
    string(out, "database_type");
    string(out, kind);
    string(out, "languages");
    out.extend([0, 4]); // an empty array: extended type 11 - 7
    string(out, "description");
    out.push(7 << 5);
}
