use super::*;
use crate::format::fixture;
use crate::map::svg;
use crate::release::{Cell, Column};
use phonehome_proto::manifest::Purpose;
use std::collections::BTreeMap;

fn xiaomi() -> Vendor {
    Vendor::from_id("xiaomi").expect("a listed vendor")
}

/// Every start tag with its attributes as written; panics unless elements nest.
fn tags(document: &str) -> Vec<&str> {
    let mut open: Vec<&str> = Vec::new();
    let mut tags = Vec::new();
    for (at, _) in document.match_indices('<') {
        let end = at + document[at..].find('>').expect("a tag ends");
        let tag = &document[at + 1..end];
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "elements nest");
            continue;
        }
        if !tag.ends_with('/') {
            open.push(tag.split([' ', '\n']).next().expect("a tag has a name"));
        }
        tags.push(tag);
    }
    assert!(open.is_empty(), "{open:?} are never closed");
    tags
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[test]
fn the_picture_is_golden() {
    let release = fixture::release();
    fixture::golden("map.svg", &svg(&release, View::AllVendors));
    assert_eq!(
        svg(&release, View::AllVendors),
        svg(&release, View::AllVendors)
    );
}

#[test]
fn the_picture_says_what_the_table_says() {
    let release = fixture::release();
    let picture = svg(&release, View::AllVendors);
    let mut vendor = "";
    let mut drawn = BTreeMap::new();
    for tag in tags(&picture) {
        vendor = attribute(tag, "data-vendor").unwrap_or(vendor);
        if let Some(country) = attribute(tag, "data-country") {
            let state = attribute(tag, "data-state").expect("a state");
            let numbers = ["data-share", "data-low", "data-high", "data-n"]
                .map(|name| attribute(tag, name).map(str::to_owned));
            drawn.insert((vendor, country), (state, numbers));
        }
    }
    let mut expected = 0;
    for ((of, column), cell) in &release.server {
        let shown = Row::of(&release, Fact::Server, *of).homes.is_some();
        let Column::Country(country) = column else {
            continue;
        };
        if !shown {
            assert!(!drawn.contains_key(&(of.id(), country.as_str())));
            continue;
        }
        expected += 1;
        let numbers = cell.numbers().map_or([None, None, None, None], |numbers| {
            [
                Some(numbers.share.to_string()),
                Some(numbers.share_low.to_string()),
                Some(numbers.share_high.to_string()),
                Some(numbers.n.to_string()),
            ]
        });
        assert_eq!(
            drawn[&(of.id(), country.as_str())],
            (cell.state(), numbers),
            "{of} {country}"
        );
    }
    assert_eq!(drawn.len(), expected);
    // A suppressed cell has no number anywhere, and all six states are drawn.
    let states: std::collections::BTreeSet<&str> =
        drawn.values().map(|(state, _)| *state).collect();
    assert_eq!(states.len(), 6);
    assert!(
        drawn
            .values()
            .filter(|(s, _)| *s == "suppressed")
            .all(|(_, n)| n[0].is_none())
    );
}

#[test]
fn the_large_world_names_every_country() {
    let picture = svg(&fixture::release(), View::Vendor(xiaomi()));
    let named = tags(&picture)
        .iter()
        .filter(|tag| attribute(tag, "data-country").is_some())
        .count();
    assert_eq!(named, 249, "all codes but Antarctica's");
    assert!(
        picture.contains("<title>Singapore: 63\u{a0}% of about 40 homes"),
        "SG"
    );
    assert!(
        picture.contains("<title>France: zero</title>"),
        "a country in no cell"
    );
}

#[test]
fn the_picture_is_small_and_needs_nothing_from_outside() {
    let release = fixture::release();
    for view in [View::AllVendors, View::Vendor(xiaomi())] {
        let picture = svg(&release, view);
        assert!(picture.len() <= 150_000, "{} bytes", picture.len());
        for forbidden in [
            "<script", "<style", "<image", "<a ", "@import", "style=", " on",
        ] {
            let found = tags(&picture)
                .iter()
                .any(|tag| format!("<{tag}").contains(forbidden));
            assert!(!found, "{forbidden}");
        }
        for tag in tags(&picture) {
            assert!(
                attribute(tag, "href").is_none_or(|to| to.starts_with('#')),
                "{tag}"
            );
        }
        let addresses = picture.matches("url(").count();
        assert_eq!(addresses, picture.matches("url(#p-").count());
    }
}

#[test]
fn the_picture_can_be_read_alone() {
    let release = fixture::release();
    let picture = svg(&release, View::AllVendors);
    for needed in [
        "Which phone vendors ship data to which countries",
        "2026-W46 (2026-11-09 to 2026-11-15)",
        "about 290 synthetic homes in at least 20 networks",
        "min(homes, 4) is at least 10",
        "IP Geolocation by DB-IP, https://db-ip.com",
        "Own countries &lt;mmdb&gt; (2026-11-03)",
        "no opinion on",
        "CC BY 4.0",
        "release 2026-W46.0",
    ] {
        // The estimate of widths may break a line anywhere; words are what counts.
        let flat: String = picture
            .split("</text>")
            .map(last_text)
            .collect::<Vec<_>>()
            .join(" ");
        assert!(flat.contains(needed), "{needed}");
    }
}

fn last_text(element: &str) -> &str {
    element.rsplit('>').next().unwrap_or_default()
}

#[test]
fn only_an_exercise_says_synthetic() {
    let mut release = fixture::release();
    let worlds = |picture: &str| picture.matches(">SYNTHETIC HOMES</text>").count();
    let exercise = svg(&release, View::AllVendors);
    assert_eq!(worlds(&exercise), exercise.matches("data-vendor=").count());
    release.purpose = Purpose::Observatory;
    assert!(
        !svg(&release, View::AllVendors)
            .to_lowercase()
            .contains("synthetic")
    );
}

#[test]
fn a_release_without_numbers_still_has_a_world() {
    let mut release = fixture::release();
    for cell in release.server.values_mut() {
        *cell = Cell::Suppressed;
    }
    release.homes = None;
    let picture = svg(&release, View::AllVendors);
    assert!(picture.contains("fewer homes than the gate asks"));
    assert_eq!(picture.matches("data-vendor=").count(), 1);
    release.server.clear();
    assert!(svg(&release, View::AllVendors).contains("url(#p-no-data)"));
}
