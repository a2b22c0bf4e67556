//! A small release with every state in it, for the tests of what readers see.

use crate::release::revision::{Before, Reason, Revision};
use crate::release::{
    AtlasSource, BasisPoints, Cell, Column, Matrix, NetworkOperator, Numbers, PlaceStatus,
    RegistryAnswers, Release, ReleaseId,
};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::time::Timestamp;
use phonehome_proto::vendor::Vendor;

/// Compares `text` with `golden/NAME`; with `UPDATE_GOLDEN=1` in the environment, writes it.
pub(crate) fn golden(name: &str, text: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/").to_owned() + name;
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the golden folder can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = golden.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        golden == text,
        "{name} differs from its golden file, first in line {differs:?}"
    );
}

fn vendor(id: &str) -> Vendor {
    Vendor::from_id(id).expect("a listed vendor")
}

fn country(code: &str) -> Country {
    Country::parse(code).expect("a code")
}

fn numbers(x: u32, n: u32, half: u32, place_status: PlaceStatus) -> Numbers {
    let points = |parts: u32| BasisPoints(u16::try_from(parts.min(10_000)).expect("at most one"));
    let share = x * 10_000 / n;
    Numbers {
        share: points(share),
        share_low: points(share.saturating_sub(half)),
        share_high: points(share + half),
        x_low: x,
        x_high: x,
        n,
        networks: 5,
        radius: 3,
        place_status,
    }
}

/// A solid cell: `x` of `n` homes.
pub(crate) fn value(x: u32, n: u32) -> Cell {
    Cell::Value(numbers(x, n, 400, PlaceStatus::Confident))
}

fn imprecise(x: u32, n: u32) -> Cell {
    Cell::Imprecise(numbers(x, n, 1_500, PlaceStatus::Single))
}

/// None of `n` homes.
pub(crate) fn zero(n: u32) -> Cell {
    Cell::Zero(numbers(0, n, 900, PlaceStatus::Confident))
}

/// The founding story among synthetic homes, and every state at least once.
pub(crate) fn release() -> Release {
    let mut server = Matrix::new();
    let columns = [
        "CN", "DE", "HK", "IE", "JP", "KR", "MT", "NL", "RU", "SG", "US",
    ];
    for of in Vendor::all() {
        let rest = match of.id() {
            "samsung" => zero(120),
            "xiaomi" => zero(40),
            "huawei" | "apple" | "google" => zero(60),
            "vivo" | "oppo" => zero(25),
            "asus" => Cell::NotApplicable,
            "sony" | "hmd" => Cell::Suppressed,
            _ => Cell::NoData,
        };
        for code in columns {
            server.insert((of, Column::Country(country(code))), rest);
        }
        server.insert((of, Column::Anycast), rest);
        server.insert((of, Column::Unknown), rest);
    }
    for (of, code, cell) in [
        ("xiaomi", "SG", imprecise(25, 40)),
        ("xiaomi", "RU", imprecise(15, 40)),
        ("xiaomi", "CN", value(5, 40)),
        ("xiaomi", "DE", value(35, 40)),
        ("xiaomi", "HK", Cell::Suppressed),
        ("xiaomi", "JP", Cell::NotApplicable),
        ("xiaomi", "KR", Cell::NoData),
        ("samsung", "KR", value(100, 120)),
        ("samsung", "IE", imprecise(60, 120)),
        ("samsung", "US", value(35, 120)),
        ("samsung", "SG", value(5, 120)),
        ("samsung", "RU", Cell::Suppressed),
        ("huawei", "CN", imprecise(10, 60)),
        ("huawei", "SG", value(45, 60)),
        ("huawei", "DE", imprecise(20, 60)),
        ("huawei", "HK", Cell::NoData),
        ("apple", "US", value(60, 60)),
        ("apple", "IE", imprecise(20, 60)),
        ("google", "US", imprecise(40, 60)),
        ("google", "SG", Cell::Suppressed),
        ("google", "MT", Cell::NotApplicable),
        ("vivo", "SG", imprecise(20, 25)),
        ("vivo", "CN", Cell::Suppressed),
        ("oppo", "SG", imprecise(5, 25)),
        ("oppo", "NL", imprecise(15, 25)),
    ] {
        server.insert((vendor(of), Column::Country(country(code))), cell);
    }
    server.insert((vendor("google"), Column::Anycast), imprecise(20, 60));
    server.insert((vendor("xiaomi"), Column::Unknown), Cell::Suppressed);

    let (mut network, mut owner) = (Matrix::new(), Matrix::new());
    network.insert(
        (vendor("xiaomi"), Column::Country(country("CN"))),
        value(30, 40),
    );
    network.insert(
        (vendor("samsung"), Column::Country(country("US"))),
        value(90, 120),
    );
    owner.insert(
        (vendor("xiaomi"), Column::Country(country("CN"))),
        value(40, 40),
    );
    owner.insert(
        (vendor("samsung"), Column::Country(country("KR"))),
        Cell::Suppressed,
    );

    let singapore = Column::Country(country("SG"));
    let mut home = std::collections::BTreeMap::new();
    home.insert(
        (vendor("xiaomi"), singapore, Some(country("DE"))),
        imprecise(20, 30),
    );
    home.insert((vendor("xiaomi"), singapore, None), Cell::Suppressed);
    let endpoints = [
        ("sa.api.intl.miui.com", "xiaomi", value(25, 40)),
        ("sa.api.intl.miui.com", "samsung", zero(120)),
        ("sa.api.intl.miui.com", "huawei", Cell::Suppressed),
        ("data.mistat.rus.xiaomi.com", "xiaomi", value(15, 40)),
        ("data.mistat.rus.xiaomi.com", "samsung", zero(120)),
        ("connect.rom.miui.com", "xiaomi", value(35, 40)),
        ("connect.rom.miui.com", "samsung", value(10, 120)),
        ("connect.rom.miui.com", "huawei", value(10, 60)),
        ("play.googleapis.com", "xiaomi", value(35, 40)),
        ("play.googleapis.com", "samsung", value(110, 120)),
        ("play.googleapis.com", "huawei", value(50, 60)),
        ("graph.facebook.com", "xiaomi", imprecise(15, 40)),
        ("graph.facebook.com", "samsung", imprecise(40, 120)),
        ("xp.apple.com", "apple", value(60, 60)),
        ("www.googleadservices.com", "samsung", Cell::Suppressed),
    ];
    let endpoints = endpoints.map(|(name, of, cell)| {
        let endpoint = EndpointId::of_name(name).expect("a listed endpoint");
        ((vendor(of), endpoint), cell)
    });
    let endpoints = endpoints.into();

    Release {
        id: "2026-W46.0".parse::<ReleaseId>().expect("a release"),
        closed_at: Timestamp::from_seconds(1_795_132_800),
        purpose: Purpose::Exercise,
        k: 10,
        network_homes_max: 4,
        rounding: 5,
        refutation_homes_min: 6,
        method: 2,
        atlas: vec![
            AtlasSource {
                name: "DB-IP Lite country".to_owned(),
                build: "2026-11-01".to_owned(),
                licence: "CC BY 4.0, IP Geolocation by DB-IP, https://db-ip.com".to_owned(),
            },
            AtlasSource {
                name: "Own countries <mmdb>".to_owned(),
                build: "2026-11-03".to_owned(),
                licence: "an operator's own".to_owned(),
            },
            AtlasSource {
                name: "ip-location-db networks".to_owned(),
                build: "2026-11-02".to_owned(),
                licence: "CC BY 4.0, DB-IP https://db-ip.com, routeviews.org and nro.net"
                    .to_owned(),
            },
            AtlasSource {
                name: "region tokens in host names".to_owned(),
                build: "endpoint list version 1".to_owned(),
                licence: "Phonehome's own list of facts, a source per row".to_owned(),
            },
        ],
        homes: Some(290),
        networks: Some(20),
        server,
        network,
        operators: [("Alibaba Cloud", "CN"), ("Kingsoft Cloud", "CN")]
            .map(|(name, code)| {
                let name = name.to_owned();
                let country = country(code);
                (vendor("xiaomi"), NetworkOperator { name, country })
            })
            .into(),
        owner,
        home,
        endpoints,
        registrants: RegistryAnswers::default(),
        revision: None,
    }
}

/// The same week revised: Xiaomi's servers in Singapore stand in two countries now.
pub(crate) fn revised() -> Release {
    let first = release();
    let mut now = first.clone();
    now.atlas[0].build = "2026-12-01".to_owned();
    let key = (vendor("xiaomi"), Column::Country(country("SG")));
    let before = first.server[&key];
    now.id.revision = 1;
    now.server.insert(key, Cell::Suppressed);
    now.revision = Some(Revision {
        reasons: vec![Reason {
            source: first.atlas[0].name.clone(),
            from: Some(first.atlas[0].build.clone()),
            to: Some("2026-12-01".to_owned()),
        }],
        is_after_revocation: true,
        before: Before {
            server: Matrix::from([(key, before)]),
            ..Before::default()
        },
    });
    now
}
