//! Country databases of our own, in the MaxMind format (version 2.0): what a newer one would say.
//!
//! Takes prefixes and codes, gives a file's bytes. The collector reads them as it reads any other.

use phonehome_proto::net::Prefix;
use std::net::IpAddr;

/// Bytes between search tree and data.
const SEPARATOR: usize = 16;

/// A branch of the search tree.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    /// At this byte of the data.
    Data(usize),
}

/// A database of this type, built so many seconds after 1970, that knows the country of these
/// prefixes and of nothing else.
///
/// # Panics
/// If it would not fit 24-bit records: beyond some hundred thousand prefixes.
#[must_use]
pub fn write(kind: &str, build_epoch: u64, rows: &[(Prefix, &str)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (prefix, code) in rows {
        // IPv4 lives in ::/96.
        let (number, length) = match (prefix.first(), prefix) {
            (IpAddr::V4(first), _) => (u128::from(u32::from(first)), 96 + 24),
            (IpAddr::V6(first), _) => (u128::from(first), 48),
        };
        insert(&mut nodes, number, length, data.len());
        data.push(7 << 5 | 1);
        string(&mut data, "country_code");
        string(&mut data, code);
    }
    let mut out = Vec::new();
    for branch in nodes.iter().flatten() {
        let record = match *branch {
            Branch::Nothing => nodes.len(),
            Branch::Node(at) => at,
            Branch::Data(at) => nodes.len() + SEPARATOR + at,
        };
        assert!(record < 1 << 24, "a record has 24 bits");
        out.extend(&record.to_be_bytes()[5..]);
    }
    out.extend([0; SEPARATOR]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(&mut out, nodes.len(), kind, build_epoch);
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

fn string(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).expect("a short text");
    assert!(length < 29, "a longer text has a longer head");
    out.push(2 << 5 | length);
    out.extend(text.as_bytes());
}

fn metadata(out: &mut Vec<u8>, nodes: usize, kind: &str, build_epoch: u64) {
    // Type 5 is a number of two bytes, type 6 one of four.
    let small = |out: &mut Vec<u8>, key: &str, number: u16| {
        string(out, key);
        out.push(5 << 5 | 2);
        out.extend(number.to_be_bytes());
    };
    out.push(7 << 5 | 9);
    string(out, "node_count");
    out.push(6 << 5 | 4);
    out.extend(u32::try_from(nodes).expect("few nodes").to_be_bytes());
    small(out, "record_size", 24);
    small(out, "ip_version", 6);
    small(out, "binary_format_major_version", 2);
    small(out, "binary_format_minor_version", 0);
    string(out, "build_epoch");
    // A number of eight bytes is an extended type: 9 - 7.
    out.extend([8, 2]);
    out.extend(build_epoch.to_be_bytes());
    string(out, "database_type");
    string(out, kind);
    string(out, "languages");
    // An empty list is one too: 11 - 7.
    out.extend([0, 4]);
    string(out, "description");
    out.push(7 << 5);
}
