//! Country databases in the MaxMind format (its specification, version 2.0), as small as they come.
//!
//! Takes /24 prefixes of IPv4 with their countries; gives bytes that any reader of the format takes.

use phonehome_proto::net::Country;

/// Since when: a second of 2026-11-01, later than whatever is compiled in.
pub const BUILT_SECONDS: u64 = 1_793_500_000;

const RECORD_BITS: u16 = 24;

/// What one side of a node leads to.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database of the type `kind`, with these countries.
///
/// # Panics
/// If a prefix stands twice.
#[must_use]
pub fn of_prefixes(kind: &str, rows: &[([u8; 3], Country)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for ([a, b, c], country) in rows {
        let number = u32::from_be_bytes([0, *a, *b, *c]);
        insert(&mut nodes, number, data.len());
        data.push(MAP | 1);
        string(&mut data, "country_code");
        string(&mut data, country.as_str());
    }
    let mut out = Vec::new();
    for branch in nodes.iter().flatten() {
        let record = match *branch {
            Branch::Nothing => nodes.len(),
            Branch::Node(at) => at,
            // Records above the nodes are offsets of data, behind a gap of 16 bytes.
            Branch::Data(at) => nodes.len() + GAP.len() + at,
        };
        let record = u32::try_from(record).expect("a small database");
        out.extend(&record.to_be_bytes()[1..]);
    }
    out.extend(GAP);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(
        &mut out,
        kind,
        u32::try_from(nodes.len()).expect("a small database"),
    );
    out
}

/// Hangs data under a /24, whose number has 24 bits; IPv4 lives in ::/96.
fn insert(nodes: &mut Vec<[Branch; 2]>, number: u32, data: usize) {
    let mut at = 0;
    for depth in 0..96 + 24_u32 {
        let side = match depth.checked_sub(96) {
            None => 0,
            Some(bit) => usize::from(number >> (23 - bit) & 1 == 1),
        };
        match nodes[at][side] {
            Branch::Node(next) => at = next,
            Branch::Data(_) => panic!("a prefix stands once"),
            Branch::Nothing if depth == 96 + 23 => nodes[at][side] = Branch::Data(data),
            Branch::Nothing => {
                nodes.push([Branch::Nothing; 2]);
                nodes[at][side] = Branch::Node(nodes.len() - 1);
                at = nodes.len() - 1;
            }
        }
    }
}

fn metadata(out: &mut Vec<u8>, kind: &str, nodes: u32) {
    let begin = |out: &mut Vec<u8>, key: &str, control: &[u8]| {
        string(out, key);
        out.extend(control);
    };
    out.push(MAP | 9);
    begin(out, "node_count", &[UINT32 | 4]);
    out.extend(nodes.to_be_bytes());
    for (key, value) in [
        ("record_size", RECORD_BITS),
        ("ip_version", 6),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        begin(out, key, &[UINT16 | 2]);
        out.extend(value.to_be_bytes());
    }
    // Types above 7 stand in a second byte, less 7.
    begin(out, "build_epoch", &[8, 9 - 7]);
    out.extend(BUILT_SECONDS.to_be_bytes());
    begin(out, "database_type", &[]);
    string(out, kind);
    begin(out, "languages", &[0, 11 - 7]);
    begin(out, "description", &[MAP]);
}

fn string(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).expect("a short text");
    assert!(length < 29, "longer texts are written otherwise");
    out.push(STRING | length);
    out.extend(text.as_bytes());
}

const GAP: [u8; 16] = [0; 16];

// Types, in the upper three bits of a control byte.
const STRING: u8 = 2 << 5;
const UINT16: u8 = 5 << 5;
const UINT32: u8 = 6 << 5;
const MAP: u8 = 7 << 5;

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_collector::geo::country::CountrySource;
    use phonehome_proto::net::Prefix;

    #[test]
    fn what_is_written_is_read() {
        let country = |code: &str| Country::parse(code).expect("a code");
        let rows = [
            ([161, 117, 0], country("SG")),
            ([161, 117, 1], country("RU")),
        ];
        let source = CountrySource::read("test", of_prefixes("Test-Country", &rows));
        let source = source.expect("a database");
        source.check_whole().expect("all of it is there");
        assert_eq!(source.built().to_string(), "2026-11-01");
        for (prefix, country) in rows {
            let said = source.countries(Prefix::V4(prefix));
            assert_eq!(said.into_iter().collect::<Vec<_>>(), [country]);
        }
        assert!(source.countries(Prefix::V4([161, 117, 2])).is_empty());
    }
}
