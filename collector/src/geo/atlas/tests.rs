use super::super::PlaceStatus;
use super::super::country::fixture::{BUILT, Layout, database, database_of};
use super::super::lookup;
use super::*;

fn country(code: &str) -> Country {
    Country::new(code.as_bytes().try_into().expect("two letters")).expect("a code")
}

fn prefix(address: &str) -> Prefix {
    Prefix::of(address.parse().expect("an address"))
}

fn second(rows: &[(&str, &str)]) -> CountrySource {
    CountrySource::read("second", database(Layout::Geoip2, rows)).expect("a database")
}

/// The story this project began with: the servers that a phone in incognito mode spoke to.
#[test]
fn the_founding_facts_stand_in_the_tables() {
    let atlas = Atlas::embedded();
    let singapore = |third: u8| [[161, 117, third], [8, 219, third]];
    for bytes in (0..=255).flat_map(singapore) {
        let place = atlas.locate(Prefix::V4(bytes));
        assert_eq!(
            place.candidates(),
            &BTreeSet::from([country("SG")]),
            "{bytes:?}"
        );
        assert_eq!(place.status(), PlaceStatus::Single);
        assert_eq!(
            atlas.networks().networks(Prefix::V4(bytes)),
            BTreeSet::from([Asn(45_102)])
        );
        assert_eq!(
            atlas.networks().operators(Prefix::V4(bytes)),
            Place::known(country("CN"))
        );
    }
    for third in 0..32 {
        let place = atlas.locate(Prefix::V4([8, 209, third]));
        assert_eq!(
            place.candidates(),
            &BTreeSet::from([country("RU")]),
            "8.209.{third}.0/24"
        );
    }
    assert!(!atlas.weighs(Asn(45_102)), "nobody lives in a cloud");
    assert!(atlas.weighs(Asn(3_320)), "Deutsche Telekom's customers do");
    assert!(atlas.weighs(Asn(64_500)), "and so do an exercise's homes");
}

#[test]
fn two_sources_agree_or_dispute() {
    let atlas = Atlas::embedded()
        .with_countries(second(&[("161.117.0.0/16", "SG"), ("8.209.0.0/24", "SG")]));
    assert_eq!(
        atlas.locate(prefix("161.117.1.1")).status(),
        PlaceStatus::Confident
    );
    let disputed = atlas.locate(prefix("8.209.0.1"));
    assert_eq!(disputed.status(), PlaceStatus::Disputed);
    assert_eq!(
        disputed.candidates(),
        &BTreeSet::from([country("RU"), country("SG")])
    );
    assert_eq!(
        atlas.locate(prefix("8.209.1.1")).status(),
        PlaceStatus::Single
    );
    assert_eq!(atlas.opinions(prefix("8.209.0.1"), None).len(), 2);

    // What the owner's own host name says is a third.
    let token = atlas.opinions(prefix("8.209.1.1"), Some(country("RU")));
    let sources = atlas.sources();
    assert!(token.iter().all(|opinion| sources.contains(opinion.source)));
    let place = Place::of_opinions(token.iter().map(|opinion| &opinion.countries));
    assert_eq!(place.status(), PlaceStatus::Confident);
}

#[test]
fn a_newer_build_takes_the_place_of_its_twin() {
    let build = |name: &str, kind: &str, built: u64, code: &str| {
        let bytes = database_of(kind, built, Layout::Flat, &[("161.117.0.0/16", code)]);
        CountrySource::read(name, bytes).expect("a database")
    };
    const DAY: u64 = 86_400;
    let names = |atlas: &Atlas| {
        let countries = atlas.opinions(prefix("161.117.1.1"), None);
        let named = countries.iter().map(|opinion| opinion.source.name.clone());
        named.collect::<Vec<_>>()
    };
    let atlas = Atlas::embedded()
        .replace(build("mine", "Test-Country", BUILT, "CN"))
        .expect("nothing like it is in use");
    assert_eq!(names(&atlas), ["DB-IP Lite country", "mine"]);

    let newer = atlas
        .replace(build("mine", "Test-Country", BUILT + DAY, "SG"))
        .expect("it is newer");
    assert_eq!(names(&newer), ["DB-IP Lite country", "mine"]);
    assert_eq!(newer.sources()[1].build, "2026-06-02");
    assert_eq!(
        newer.locate(prefix("161.117.1.1")).status(),
        PlaceStatus::Confident
    );
    let older = newer.replace(build("mine", "Test-Country", BUILT, "CN"));
    assert_eq!(
        older.map(|_| ()).expect_err("it is older").to_string(),
        "the database 'mine' is refused: it was built on 2026-06-01, before 'mine' of 2026-06-02, \
         which stays in use"
    );
    assert_eq!(newer.sources()[1].build, "2026-06-02", "the old one stays");

    // Another build of the table that is compiled in, under whatever name.
    let twin = |built| build("monthly", "DBIP-Country-Lite", built, "SG");
    let swapped = newer.replace(twin(BUILT + DAY)).expect("it is newer");
    assert_eq!(names(&swapped), ["monthly", "mine"]);
    assert!(swapped.sources()[0].licence.contains("https://db-ip.com"));
    assert!(newer.replace(twin(BUILT - DAY)).is_err());
    // One maker's free and paid tables are one opinion.
    let free = newer.replace(build("free", "GeoLite2-Country", BUILT, "SG"));
    let free = free.expect("nothing like it is in use");
    let paid = free.replace(build("paid", "GeoIP2-Country", BUILT, "CN"));
    let paid = paid.expect("it is as new");
    assert_eq!(names(&paid), ["DB-IP Lite country", "mine", "paid"]);
}

#[test]
fn places_that_are_none() {
    let atlas = Atlas::embedded();
    for anycast in ["8.8.8.8", "1.1.1.1", "104.16.1.1", "2606:4700::1"] {
        assert_eq!(atlas.locate(prefix(anycast)), Place::anycast(), "{anycast}");
    }
    assert_eq!(
        atlas.locate(prefix("203.0.113.1")).status(),
        PlaceStatus::Unknown
    );
}

#[test]
fn homes_stand_where_their_address_does_and_exercises_elsewhere() {
    let table = "[[network]]\nprefix = '2001:db8:1::/48'\ncountry = 'NG'\nasn = 65536";
    let table = ExerciseTable::parse(table).expect("a table");
    let atlas = Atlas::embedded().with_exercise(table);
    let origin = |address: &str| atlas.origin(address.parse().expect("an address"));
    let home = origin("91.0.0.1").expect("a German home");
    assert_eq!(
        home,
        Origin {
            country: country("DE"),
            network: Asn(3_320)
        }
    );
    assert_eq!(origin("::ffff:91.0.0.1"), Some(home));
    let synthetic = Origin {
        country: country("NG"),
        network: Asn(65_536),
    };
    assert_eq!(origin("2001:db8:1::7"), Some(synthetic));
    assert_eq!(origin("2001:db8:2::7"), None);
    assert_eq!(origin("192.168.1.1"), None);
}

#[test]
fn the_version_lists_every_table() {
    let sources = Atlas::embedded().sources();
    let builds: Vec<_> = sources
        .iter()
        .map(|s| format!("{} {}", s.name, s.build))
        .collect();
    assert_eq!(builds[0], "DB-IP Lite country 2026-06-01");
    assert_eq!(builds[1], "ip-location-db networks 2026-06-17");
    assert_eq!(sources.len(), 9);
    assert!(
        sources
            .iter()
            .all(|s| !s.build.is_empty() && !s.licence.is_empty())
    );
}

#[test]
fn looking_up_shows_every_opinion() {
    let atlas = Atlas::embedded().with_countries(second(&[("161.117.0.0/16", "CN")]));
    let rows = [lookup::row(
        &atlas,
        "161.117.70.1".parse().expect("an address"),
    )];
    assert_eq!(rows[0].prefix, "161.117.70.0/24");
    assert_eq!(
        rows[0].network.as_deref(),
        Some("AS45102 Alibaba (US) Technology Co., Ltd.")
    );
    assert_eq!(rows[0].candidates, ["CN", "SG"]);
    assert_eq!(
        lookup::table(&rows),
        "ip          161.117.70.1\n\
         prefix      161.117.70.0/24\n\
         network     AS45102 Alibaba (US) Technology Co., Ltd.\n\
         opinion     SG (DB-IP Lite country, 2026-06-01)\n\
         opinion     CN (second, 2026-06-01)\n\
         candidates  CN SG\n\
         status      disputed\n"
    );
    let json: serde_json::Value = serde_json::from_str(&lookup::json(&rows)).expect("JSON");
    let fields: Vec<_> = json[0].as_object().expect("an object").keys().collect();
    assert_eq!(
        fields,
        [
            "candidates",
            "ip",
            "network",
            "opinions",
            "prefix",
            "status"
        ]
    );
}
