//! `CITATION.cff`: how to cite the release, for people and for reference managers (Citation File Format
//! 1.2.0). Texts are written as JSON strings, which YAML reads as they are.

use super::{CREATOR, Dataset, KEYWORDS, LICENCE_ID};
use std::fmt::Write;

pub(super) fn write(dataset: &Dataset<'_>) -> String {
    let mut out = String::from("cff-version: 1.2.0\ntype: dataset\n");
    for (key, value) in [
        ("message", dataset.citation.as_str()),
        ("title", &dataset.title),
        ("abstract", &dataset.description),
        ("version", &dataset.version),
        ("date-released", &dataset.closed),
        ("license", LICENCE_ID),
    ] {
        writeln!(out, "{key}: {}", quoted(value)).expect("a String");
    }
    writeln!(out, "authors:\n  - name: {}\nkeywords:", quoted(CREATOR)).expect("a String");
    for keyword in KEYWORDS {
        writeln!(out, "  - {}", quoted(keyword)).expect("a String");
    }
    out.push_str("references:\n");
    for source in dataset.sources() {
        writeln!(
            out,
            "  - type: data\n    title: {}\n    version: {}\n    notes: {}\n    authors:\n      - name: {}",
            quoted(&source.name),
            quoted(&source.build),
            quoted(&source.licence),
            quoted(&source.name),
        )
        .expect("a String");
    }
    out
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text always serialises")
}
