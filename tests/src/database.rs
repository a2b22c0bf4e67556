//! Country databases of our own, in the MaxMind format (its specification, version 2.0).
//!
//! Takes networks and codes, gives a file's bytes. The collector reads them as it reads any other. Its
//! own tests compile this file too, so it stands on the standard library alone.

use std::net::IpAddr;

/// Where a record puts the country.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// `country_code`, as DB-IP's in the form that is shipped.
    Flat,
    /// `country.iso_code`, as `GeoIP2`.
    Geoip2,
}

/// A network: its first address, and how many of its bits all addresses in it share.
pub type Network = (IpAddr, u8);

/// Bytes between search tree and data.
const SEPARATOR: usize = 16;

// Types of the data section, in the three upper bits; the others are extended.
const STRING: u8 = 2 << 5;
const UINT16: u8 = 5 << 5;
const UINT32: u8 = 6 << 5;
const MAP: u8 = 7 << 5;

/// A branch of the search tree.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    /// At this byte of the data.
    Data(usize),
}

/// A database of this type, built so many seconds after 1970, that knows the country of these
/// networks and of nothing else.
///
/// # Panics
/// If networks overlap, or if it would not fit 24-bit records: beyond some hundred thousand networks.
#[must_use]
pub fn write(
    kind: &str,
    build_epoch: u64,
    layout: Layout,
    rows: impl IntoIterator<Item = (Network, impl AsRef<str>)>,
) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (network, code) in rows {
        insert(&mut nodes, network, data.len());
        let path: &[&str] = match layout {
            Layout::Flat => &["country_code"],
            Layout::Geoip2 => &["country", "iso_code"],
        };
        for key in path {
            data.push(MAP | 1);
            string(&mut data, key);
        }
        string(&mut data, code.as_ref());
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

/// Hangs data under a network.
fn insert(nodes: &mut Vec<[Branch; 2]>, (first, length): Network, data: usize) {
    // IPv4 lives in ::/96.
    let (number, bits) = match first {
        IpAddr::V4(first) => (u128::from(u32::from(first)), 96 + length),
        IpAddr::V6(first) => (u128::from(first), length),
    };
    let mut at = 0;
    for depth in 0..bits {
        let side = usize::from(number >> (127 - depth) & 1 == 1);
        let is_last = depth + 1 == bits;
        match nodes[at][side] {
            Branch::Nothing if is_last => nodes[at][side] = Branch::Data(data),
            Branch::Nothing => {
                nodes.push([Branch::Nothing; 2]);
                nodes[at][side] = Branch::Node(nodes.len() - 1);
                at = nodes.len() - 1;
            }
            Branch::Node(next) if !is_last => at = next,
            Branch::Node(_) | Branch::Data(_) => panic!("{first}/{length} overlaps another"),
        }
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).expect("a short text");
    assert!(length < 29, "a longer text has a longer head");
    out.push(STRING | length);
    out.extend(text.as_bytes());
}

fn metadata(out: &mut Vec<u8>, nodes: usize, kind: &str, build_epoch: u64) {
    let small = |out: &mut Vec<u8>, key: &str, number: u16| {
        string(out, key);
        out.push(UINT16 | 2);
        out.extend(number.to_be_bytes());
    };
    out.push(MAP | 9);
    string(out, "node_count");
    out.push(UINT32 | 4);
    out.extend(u32::try_from(nodes).expect("few nodes").to_be_bytes());
    small(out, "record_size", 24);
    small(out, "ip_version", 6);
    small(out, "binary_format_major_version", 2);
    small(out, "binary_format_minor_version", 0);
    string(out, "build_epoch");
    // Eight bytes of a number of 64 bits: type 9, written as its distance from 7.
    out.extend([8, 2]);
    out.extend(build_epoch.to_be_bytes());
    string(out, "database_type");
    string(out, kind);
    string(out, "languages");
    // An empty list: type 11, as its distance from 7.
    out.extend([0, 4]);
    string(out, "description");
    out.push(MAP);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn network(c: u8, length: u8) -> Network {
        (Ipv4Addr::new(192, 0, c, 0).into(), length)
    }

    #[test]
    #[should_panic(expected = "192.0.2.0/24 overlaps another")]
    fn networks_do_not_overlap() {
        let _ = write(
            "Test-Country",
            0,
            Layout::Flat,
            [(network(0, 22), "SG"), (network(2, 24), "RU")],
        );
    }
}
