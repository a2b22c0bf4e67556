use super::*;
use crate::format::fixture;
use crate::map::{self, View};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;

fn pages(of: &Release) -> Vec<String> {
    let xiaomi = Vendor::from_id("xiaomi").expect("a listed vendor");
    let singapore = Column::Country(Country::parse("SG").expect("a code"));
    vec![
        index(of),
        release(of),
        vendor(of, xiaomi),
        country(of, singapore),
        country(of, Column::Anycast),
        releases(&[of]),
    ]
}

#[test]
fn the_page_is_golden_around_the_map() {
    let release = fixture::release();
    let svg = map::svg(&release, View::AllVendors);
    let page = index(&release);
    assert!(
        page.contains(&svg),
        "the page holds the picture's very bytes"
    );
    fixture::golden("index.html", &page.replace(&svg, "<!-- map.svg -->\n"));
}

#[test]
fn every_page_of_an_exercise_says_so_twice() {
    let mut release = fixture::release();
    for page in pages(&release) {
        assert!(
            page.matches("class=\"exercise\"").count() == 2 && page.contains("SYNTHETIC HOMES")
        );
        assert!(page.contains("<title>[Exercise, synthetic homes]"));
    }
    release.purpose = Purpose::Observatory;
    for page in pages(&release) {
        assert!(!page.to_lowercase().contains("synthetic"));
    }
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    for page in pages(&fixture::release()) {
        for forbidden in [
            "<script", "<link", "<img", "<iframe", "style=\"", "onload", "onclick", "@import",
            "url(h",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'; style-src 'sha256-"));
        assert_eq!(page.matches("<style").count(), 1);
    }
    // A folder may lie anywhere: its page links to files beside it, and to the sources it credits.
    let folder = index(&fixture::release());
    for (at, _) in folder.match_indices("href=\"") {
        let to = folder[at + 6..].split('"').next().expect("a value");
        assert!(
            to.starts_with('#') || to.starts_with("https://") || !to.contains('/'),
            "{to}"
        );
    }
}

#[test]
fn what_an_operator_wrote_is_no_markup() {
    let mut release = fixture::release();
    release.atlas[0].licence = "<script>alert(1)</script> https://x\" onclick=\"y".to_owned();
    for page in pages(&release) {
        assert!(!page.contains("<script") && !page.contains("\" onclick"));
    }
}

#[test]
fn the_table_twin_has_every_state() {
    let page = index(&fixture::release());
    for state in [
        "value",
        "zero",
        "imprecise",
        "suppressed",
        "no_data",
        "not_applicable",
    ] {
        assert!(
            page.contains(&format!("data-state=\"{state}\"><abbr")),
            "{state}"
        );
    }
}

#[test]
fn a_collector_without_releases_has_a_page() {
    assert!(releases(&[]).contains("No week has been released yet"));
}

#[test]
fn the_page_is_small() {
    // Without compression; text of this kind shrinks to a third.
    let page = index(&fixture::release());
    assert!(page.len() <= 240_000, "{} bytes", page.len());
}
