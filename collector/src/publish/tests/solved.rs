//! The attack on releases of random worlds, with the truth beside it.

use super::attack::{self, Bounds, Found, GATE, Listed, Published, ROUNDING};
use super::worlds;
use crate::count::{Counters, Question};
use crate::format::csv;
use crate::format::table::{Table, TableName};
use crate::release::{Cell, Column, Release};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;

const WORLDS: u64 = 200;

fn attacked(release: &Release) -> Found {
    let tables = TableName::ALL.map(|name| {
        let text = csv::write(&Table::of(release, name));
        (format!("{}.csv", name.file_stem()), text)
    });
    let listed = |vendor: &str, endpoint: &str| {
        let endpoint = endpoint_called(endpoint);
        Listed {
            is_own: endpoint.is_own_of(vendor_called(vendor)),
            owner: endpoint.owner_country().as_str().to_owned(),
        }
    };
    attack::attack(&Published {
        tables: tables.into(),
        listed: &listed,
        is_told_more: true,
    })
}

fn vendor_called(id: &str) -> Vendor {
    Vendor::from_id(id).expect("a vendor")
}

fn endpoint_called(pattern: &str) -> EndpointId {
    let endpoint = EndpointId::all().find(|endpoint| endpoint.pattern() == pattern);
    endpoint.expect("a listed endpoint")
}

/// How many homes are behind a count of the world; `None` for counts that are not.
fn truth(counters: &Counters, name: &[String]) -> Option<i64> {
    let [table, vendor, rest @ ..] = name else {
        return None;
    };
    let vendor = vendor_called(vendor);
    let country = |code: &String| Column::Country(Country::parse(code).expect("a country"));
    let question = match (table.as_str(), rest) {
        ("n", []) => {
            let asked = counters.asked(vendor);
            return Some(asked.map_or(0, |asked| i64::from(asked.world.homes())));
        }
        ("server", [at]) => Question::Server(country(at)),
        ("network", [at]) => Question::Network(country(at)),
        ("owner", [at]) => Question::Owner(country(at)),
        ("endpoint", [at]) => Question::Endpoint(endpoint_called(at)),
        _ => return None,
    };
    let answers = counters.answers(vendor, question);
    Some(answers.map_or(0, |answers| i64::from(answers.high.world.homes())))
}

#[test]
fn no_suppressed_count_can_be_worked_out() {
    let mut found = Tried::default();
    for seed in 0..WORLDS {
        found.attack(seed, &worlds::world(seed));
    }
    assert!(
        found.suppressed > 1_000 && found.narrowed > 500,
        "{found:?}"
    );
}

/// Here rounding and overlap hide nothing: only what is held back does.
#[test]
fn nor_where_nothing_overlaps() {
    let mut found = Tried::default();
    for seed in 0..WORLDS {
        found.attack(seed, &worlds::disjoint(seed));
    }
    assert!(found.few > 50 && found.held_back > 100, "{found:?}");
}

/// What came of attacks.
#[derive(Debug, Default)]
struct Tried {
    suppressed: usize,
    narrowed: usize,
    /// Suppressed counts of the world from one to nine.
    few: usize,
    /// Suppressed counts of the world of ten and more.
    held_back: usize,
}

impl Tried {
    /// Attacks a release, and holds what is found against the truth.
    fn attack(&mut self, seed: u64, (counters, release): &(Counters, Release)) {
        let found = attacked(release);
        for (name, bounds) in &found.all {
            if let Some(truth) = truth(counters, name) {
                let holds = bounds.least <= truth && truth <= bounds.most;
                assert!(holds, "{seed} {name:?}: {truth} is not in {bounds:?}");
            }
        }
        for (name, bounds) in &found.suppressed {
            let truth = truth(counters, name);
            let is_few = truth.is_some_and(|truth| (1..GATE).contains(&truth));
            self.suppressed += 1;
            self.narrowed += usize::from(bounds.most < GATE);
            self.few += usize::from(is_few);
            self.held_back += usize::from(truth.is_some_and(|truth| truth >= GATE));
            // Of what is below the gate as many values stay possible as rounding hides.
            let values = bounds.most - bounds.least + 1;
            assert!(!is_few || values >= ROUNDING, "{seed} {name:?}: {bounds:?}");
            let is_solved = bounds.least == bounds.most && bounds.most < GATE;
            assert!(
                !is_solved || is_nobody(release, name),
                "{seed} {name:?}: {bounds:?}"
            );
        }
    }
}

/// Whether the world's cell says, exactly, that nobody did it.
fn is_nobody(release: &Release, name: &[String]) -> bool {
    let [table, vendor, country, _] = name else {
        return false;
    };
    let column = Column::Country(Country::parse(country).expect("a country"));
    let world = release.server.get(&(vendor_called(vendor), column));
    table == "home" && matches!(world, Some(Cell::Zero(_)))
}

/// Three endpoints of one owner, of which one is suppressed: homes of the two others at their most, and
/// those of the owner at their least, leave nine.
#[test]
fn the_attacker_finds_what_can_be_found() {
    const HEAD: &str =
        "state,share,share_low,share_high,x_low,x_high,n,networks,radius,place_status";
    let row = |keys: &str, told: Option<u32>| match told {
        Some(told) => {
            format!("2026-W46,v,{keys},value,0.1,0.1,0.1,{told},{told},100,5,1,confident\n")
        }
        None => format!("2026-W46,v,{keys},suppressed,,,,,,,,,\n"),
    };
    let matrix = |told| format!("week,vendor,country,{HEAD}\n{}", row("CN", Some(told)));
    let endpoints = [("a", Some(10)), ("b", Some(10)), ("c", None)]
        .map(|(name, told)| row(&format!("{name},CN"), told))
        .concat();
    let tables = [
        ("matrix-server.csv", matrix(35)),
        ("matrix-network.csv", matrix(35)),
        ("matrix-owner.csv", matrix(35)),
        (
            "matrix-home.csv",
            format!("week,vendor,country,home_country,{HEAD}\n"),
        ),
        (
            "endpoints.csv",
            format!("week,vendor,endpoint,country,{HEAD}\n{endpoints}"),
        ),
    ];
    let listed = |_: &str, _: &str| Listed {
        is_own: true,
        owner: "CN".to_owned(),
    };
    let found = attack::attack(&Published {
        tables: tables.map(|(name, text)| (name.to_owned(), text)).into(),
        listed: &listed,
        is_told_more: true,
    });
    let nine = Bounds { least: 9, most: 9 };
    let name = ["endpoint", "v", "c"].map(str::to_owned);
    assert_eq!(found.suppressed[&name[..]], nine);
}
