//! Small country databases, for tests.

// Written by the tests' crate; this one's own tests are compiled without it.
#[allow(unreachable_pub, reason = "the tests' crate offers it")]
#[path = "../../../../tests/src/database.rs"]
mod writer;

use super::super::range::Range;
pub(crate) use writer::Layout;

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
    let rows = rows.iter().map(|(cidr, code)| {
        let first = Range::of_cidr(cidr).expect("a network").first;
        let (_, length) = cidr.split_once('/').expect("a network");
        ((first, length.parse().expect("a length")), *code)
    });
    writer::write(kind, built, layout, rows)
}
