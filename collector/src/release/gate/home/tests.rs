use super::super::tests::judge;
use super::super::world_cell;
use super::*;
use crate::fold::fixture::vendor;
use crate::geo::network::Asn;
use crate::release::Release;
use std::collections::HashMap;

mod revised;

fn country(code: &str) -> Country {
    Country::new(code.as_bytes().try_into().expect("two letters")).expect("a code")
}

/// What a home's phones did.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Did {
    Nothing,
    /// Contacted a server in Singapore.
    Singapore,
    /// Contacted an anycast server that for homes of its country may stand in Singapore.
    Moved,
    /// Contacted an anycast server of which no more is known.
    Anycast,
    /// The second and the fourth.
    SingaporeAndAnycast,
    /// The third and the fourth.
    MovedAndAnycast,
}

const DID: [Did; 6] = [
    Did::Nothing,
    Did::Singapore,
    Did::Moved,
    Did::Anycast,
    Did::SingaporeAndAnycast,
    Did::MovedAndAnycast,
];
const PARTS: [Option<&str>; 3] = [Some("DE"), Some("FR"), None];

fn singapore() -> Column {
    Column::Country(country("SG"))
}

/// Adds one home of a country, in a network of its own; without a country it roams.
fn add(counters: &mut Counters, part: Option<&str>, network: u32, did: Did) {
    use PlaceStatus::{Anycast, Confident, Disputed};
    let mut said = Vec::new();
    if matches!(did, Did::Singapore | Did::SingaporeAndAnycast) {
        said.push((Question::Server(singapore()), Confident));
        said.push((Question::Here(singapore()), Confident));
    }
    if matches!(did, Did::Moved | Did::MovedAndAnycast) {
        said.push((Question::Server(Column::Anycast), Anycast));
        said.push((Question::Here(singapore()), Disputed));
    }
    if matches!(
        did,
        Did::Anycast | Did::SingaporeAndAnycast | Did::MovedAndAnycast
    ) {
        if did != Did::MovedAndAnycast {
            said.push((Question::Server(Column::Anycast), Anycast));
        }
        said.push((Question::Here(Column::Anycast), Anycast));
    }
    let settled = part.map(|code| Some(country(code)));
    counters.vote(vendor("xiaomi"), Some(Asn(network)), settled, &said);
}

/// Homes by part, then by what they did; each has a network of its own.
type World = [[u32; DID.len()]; 3];

fn counters(world: &World) -> Counters {
    let mut counters = Counters::default();
    let mut network = 0;
    for (part, homes) in PARTS.iter().zip(world) {
        for (did, &homes) in DID.iter().zip(homes) {
            for _ in 0..homes {
                network += 1;
                add(&mut counters, *part, network, *did);
            }
        }
    }
    counters
}

fn state(release: &Release, column: Column, home: Option<&str>) -> &'static str {
    release.home[&(vendor("xiaomi"), column, home.map(country))].state()
}

#[test]
fn an_anycast_place_is_told_by_home_country() {
    // Of 100 German homes 60 reach many places; nothing says where. Of 80 French ones 40 do, and for
    // them it may be Singapore.
    let world = [
        [40, 0, 0, 60, 0, 0],
        [40, 0, 40, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ];
    let release = judge(&counters(&world), &GateRules::default());
    let xiaomi = vendor("xiaomi");
    let x_high = |column, home: &str| {
        let cell = &release.home[&(xiaomi, column, Some(country(home)))];
        cell.numbers()
            .map(|numbers| (numbers.x_low, numbers.x_high))
    };
    assert_eq!(x_high(Column::Anycast, "DE"), Some((60, 60)));
    assert_eq!(x_high(Column::Anycast, "FR"), Some((0, 0)));
    assert_eq!(x_high(singapore(), "DE"), Some((0, 0)));
    assert_eq!(
        x_high(singapore(), "FR"),
        Some((0, 40)),
        "no more than possible"
    );
    let world = release.server[&(xiaomi, Column::Anycast)].numbers();
    assert_eq!(world.map(|numbers| numbers.x_high), Some(100));
    assert!(!release.server.contains_key(&(xiaomi, singapore())));
}

/// The part would pass, and so would what it leaves of the world; but the two would tell of the few
/// homes that moved.
#[test]
fn few_homes_that_moved_hide_their_part() {
    let states = |moved: u32| {
        let world = [
            [40, 30, moved, 20, 0, 0],
            [60, 30, 0, 20, 0, 0],
            [0, 0, 0, 0, 0, 0],
        ];
        let release = judge(&counters(&world), &GateRules::default());
        [singapore(), Column::Anycast]
            .map(|column| [Some("DE"), Some("FR")].map(|home| state(&release, column, home)))
    };
    let all = [["imprecise", "imprecise"], ["value", "value"]];
    assert_eq!(
        states(10).map(|row| row.map(|s| s != "suppressed")),
        all.map(|row| row.map(|_| true))
    );
    for moved in [1, 9] {
        let states = states(moved);
        assert_eq!(states.map(|row| row[0]), ["suppressed"; 2], "{moved}");
    }
    assert!(
        states(0)
            .iter()
            .flatten()
            .all(|state| *state != "suppressed")
    );
}

/// Who moved is told in one column, who was anycast to the world in the other: less one another they
/// would tell of the few that stayed and did not move.
#[test]
fn few_homes_that_stayed_hide_their_part() {
    for (stayed, is_shown) in [(0, true), (1, false), (9, false), (10, true)] {
        let world = [
            [40, 0, 40, stayed, 0, 12],
            [60, 30, 0, 20, 0, 0],
            [0; DID.len()],
        ];
        let release = judge(&counters(&world), &GateRules::default());
        for column in [singapore(), Column::Anycast] {
            let state = state(&release, column, Some("DE"));
            assert_eq!(
                state != "suppressed",
                is_shown,
                "{stayed} {column:?} {state}"
            );
        }
    }
}

/// So few, so little rounding, that every world can be looked at.
const SMALL: GateRules = GateRules {
    k: 4,
    network_homes_max: 4,
    rounding: 2,
    home_country_homes_min: 4,
};
/// Even, so that every count that rounds to a told one is there.
const HOMES_MAX: u32 = 8;

/// Every world of up to [`HOMES_MAX`] homes in two countries.
fn worlds() -> Vec<World> {
    fn fill(world: &mut World, at: usize, left: u32, out: &mut Vec<World>) {
        if at == 2 * DID.len() {
            out.push(*world);
            return;
        }
        for homes in 0..=left {
            world[at / DID.len()][at % DID.len()] = homes;
            fill(world, at + 1, left - homes, out);
        }
        world[at / DID.len()][at % DID.len()] = 0;
    }
    let mut out = Vec::new();
    fill(&mut World::default(), 0, HOMES_MAX, &mut out);
    out
}

/// All that a release says of a vendor's servers.
#[derive(Clone)]
struct Told {
    world: [Cell; 2],
    home: BTreeMap<(Column, Option<Country>), Cell>,
}

fn columns() -> [Column; 2] {
    [singapore(), Column::Anycast]
}

fn tell(world: &World) -> Told {
    tell_of(&counters(world))
}

fn tell_of(counters: &Counters) -> Told {
    let vendor = vendor("xiaomi");
    let status = PlaceStatus::Confident;
    let cell = |at| world_cell(counters, &SMALL, vendor, Question::Server(at), status);
    let home = counters
        .asked(vendor)
        .map(|asked| rows_of_asked(counters, &SMALL, vendor, asked, &columns().into()));
    Told {
        world: columns().map(cell),
        home: home.unwrap_or_default(),
    }
}

/// What a reader sees, as bytes: for every cell its place, its state and what its other numbers
/// derive from.
fn seen(told: &Told) -> Vec<u8> {
    let mut out = Vec::new();
    let mut cell = |cell: &Cell| {
        out.push(cell.state().as_bytes()[0]);
        out.push(cell.state().as_bytes()[1]);
        let numbers = cell.numbers().map(|numbers| {
            let status = numbers.place_status.as_str().as_bytes()[0];
            let numbers = [
                numbers.x_low,
                numbers.x_high,
                numbers.n,
                numbers.networks,
                numbers.radius,
                u32::from(status),
            ];
            numbers.map(|number| u8::try_from(number).expect("a small world"))
        });
        out.extend(numbers.unwrap_or_default());
    };
    told.world.iter().for_each(&mut cell);
    told.home.values().for_each(&mut cell);
    let homes = told.home.keys().filter_map(|(_, home)| *home);
    out.extend(homes.flat_map(|home| home.as_str().as_bytes().to_vec()));
    out
}

/// The counts behind what is suppressed: by column and home country, or the world.
fn hidden(world: &World, told: &Told) -> Vec<(Column, Option<&'static str>, u32)> {
    let did = |homes: &[u32; DID.len()], column, is_world: bool| match column {
        Column::Anycast if is_world => homes[2] + homes[3] + homes[4] + homes[5],
        Column::Anycast => homes[3] + homes[4] + homes[5],
        _ if is_world => homes[1] + homes[4],
        _ => homes[1] + homes[4] + homes[2] + homes[5],
    };
    let mut out = Vec::new();
    for (at, column) in columns().into_iter().enumerate() {
        if told.world[at] == Cell::Suppressed {
            let homes = world.iter().map(|part| did(part, column, true)).sum();
            out.push((column, Some("world"), homes));
        }
        for (part, home) in world.iter().zip(PARTS).take(2) {
            let key = (column, home.map(country));
            if told.home.get(&key) == Some(&Cell::Suppressed) {
                out.push((column, home, did(part, column, false)));
            }
        }
    }
    out
}

/// The attacker knows the rules and the release, has looked at every world there could be, and keeps
/// those of which this very release is made. A count that is suppressed, unless it passes the gate by
/// itself and only kept company, is never the same in all.
#[test]
fn no_suppressed_count_can_be_solved_for() {
    let mut consistent: HashMap<Vec<u8>, (Told, Vec<World>)> = HashMap::new();
    for world in worlds() {
        let told = tell(&world);
        let (_, worlds) = consistent.entry(seen(&told)).or_insert((told, Vec::new()));
        worlds.push(world);
    }
    let mut suppressed = 0;
    for (told, worlds) in consistent.values() {
        let mut counts: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
        for world in worlds {
            for (column, home, homes) in hidden(world, told) {
                counts.entry((column, home)).or_default().insert(homes);
            }
        }
        suppressed += counts.len();
        for ((column, home), counts) in counts {
            // That nobody anywhere did it is published, and exact.
            let at = usize::from(column == Column::Anycast);
            let is_nobody = matches!(told.world[at], Cell::Zero(_));
            assert!(
                is_nobody || counts.len() > 1 || counts.first() >= Some(&SMALL.k),
                "{column:?} {home:?}: {counts:?} in {:?} {:?} of {worlds:?}",
                told.world,
                told.home
            );
        }
    }
    assert!(suppressed > 100, "the gate was tried");
}
