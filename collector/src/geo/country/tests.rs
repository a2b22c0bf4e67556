use super::fixture::{Layout, database};
use super::*;
use proptest::prelude::*;

fn prefix(address: &str) -> Prefix {
    Prefix::of(address.parse().expect("an address"))
}

fn codes(countries: &BTreeSet<Country>) -> String {
    countries
        .iter()
        .map(Country::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn both_layouts_are_read() {
    let rows = [("161.117.0.0/16", "SG"), ("2400:3200::/32", "CN")];
    for layout in [Layout::Flat, Layout::Geoip2] {
        let source = CountrySource::read("test", database(layout, &rows)).expect("a database");
        assert_eq!(source.about().build, "2026-06-01");
        assert_eq!(codes(&source.countries(prefix("161.117.70.1"))), "SG");
        assert_eq!(codes(&source.countries(prefix("2400:3200:1::1"))), "CN");
        assert_eq!(codes(&source.countries(prefix("161.118.0.1"))), "");
        let country = |address: &str| source.country(address.parse().expect("an address"));
        assert_eq!(country("161.117.1.1"), Country::new(*b"SG"));
        assert_eq!(country("::ffff:161.117.1.1"), Country::new(*b"SG"));
        assert_eq!(country("9.9.9.9"), None);
    }
}

#[test]
fn a_prefix_that_straddles_has_both() {
    let rows = [
        ("8.209.31.0/25", "RU"),
        ("8.209.31.192/26", "SG"),
        ("8.209.32.0/24", "US"),
    ];
    let source = CountrySource::read("test", database(Layout::Flat, &rows)).expect("a database");
    assert_eq!(codes(&source.countries(prefix("8.209.31.1"))), "RU SG");
    assert_eq!(codes(&source.countries(prefix("8.209.32.1"))), "US");
}

/// Address tables code Kosovo, Taiwan or Crimea in their own ways; none may fall off the map.
#[test]
fn every_code_the_embedded_database_can_say_is_listed() {
    let listed: BTreeSet<&str> = include_str!("../../../data/countries.tsv")
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let source = CountrySource::embedded();
    let mut records = BTreeSet::new();
    let networks = source.reader.networks(WithinOptions::default());
    for found in networks.expect("the database is whole") {
        let found = found.expect("the database is whole");
        if records.insert(found.offset()) {
            let record = found.decode::<Record<'_>>().expect("the record is whole");
            let country = record.and_then(|record| record.country());
            let country = country.expect("every record names a country");
            assert!(listed.contains(country.as_str()), "{country}");
        }
    }
    assert!(records.len() > 200, "{} countries", records.len());
}

#[test]
fn what_is_no_country_database_is_refused() {
    assert!(CountrySource::read("test", b"GIF89a".to_vec()).is_err());
    let nameless = database(Layout::Flat, &[("1.0.0.0/8", "")]);
    assert!(CountrySource::read("test", nameless).is_err());
    // Cut short anywhere, as a download may be: what ends the file says how to read it.
    let whole = database(Layout::Flat, &[("1.0.0.0/8", "AU")]);
    assert!(CountrySource::read("test", whole.clone()).is_ok());
    for bytes in 0..whole.len() {
        assert!(
            CountrySource::read("test", whole[..bytes].to_vec()).is_err(),
            "{bytes} bytes"
        );
    }
}

proptest! {
    #[test]
    fn a_damaged_database_never_panics(at in 0_usize..2_000, byte: u8, address: [u8; 4]) {
        let mut bytes = database(Layout::Geoip2, &[("1.0.0.0/8", "AU"), ("2001:200::/32", "JP")]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(source) = CountrySource::read("test", bytes) {
            let _ = source.countries(Prefix::of(IpAddr::from(address)));
        }
    }
}
