use super::super::gate::{About, GateRules, release};
use super::*;
use crate::count::{Counters, Question};
use crate::fold::fixture::{vendor, week};
use crate::geo::network::Asn;
use crate::geo::network::operator::Operator;
use crate::release::ReleaseId;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use proptest::prelude::*;

const K: u32 = 10;

/// What one home with a phone of Xiaomi does: its network, and where it is seen, how surely.
#[derive(Clone, Debug, PartialEq)]
struct Home {
    network: u32,
    at: Vec<(&'static str, PlaceStatus)>,
}

fn column(code: &str) -> Column {
    Column::Country(Country::parse(code).expect("a code"))
}

fn home(network: u32, code: &'static str, status: PlaceStatus) -> Home {
    let at = vec![(code, status)];
    Home { network, at }
}

/// A release of these homes, placed by a database of this build.
fn of(homes: &[Home], build: &str) -> Release {
    of_networks(homes, build, &[])
}

/// The same, where all homes met servers in these networks too.
fn of_networks(homes: &[Home], build: &str, networks: &[Operator]) -> Release {
    let mut counters = Counters::default();
    for home in homes {
        // A server is for the homes of a country what it is for the world.
        let did = home.at.iter().flat_map(|&(code, status)| {
            [Question::Server(column(code)), Question::Here(column(code))]
                .map(|question| (question, status))
        });
        let met = networks.iter().flat_map(|&operator| {
            let country = Column::Country(operator.country());
            [Question::Network(country), Question::Operator(operator)]
        });
        // Two operators of one country are one answer about that country.
        let met: BTreeSet<Question> = met.collect();
        let met = met
            .into_iter()
            .map(|question| (question, PlaceStatus::Confident));
        let did: Vec<_> = did.chain(met).collect();
        let settled = Some(Some(Country::parse("DE").expect("a code")));
        let network = Some(Asn(64_496 + home.network));
        counters.vote(vendor("xiaomi"), network, settled, &did);
    }
    let about = About {
        id: ReleaseId {
            week: week(),
            revision: 0,
        },
        purpose: Purpose::Exercise,
        atlas: vec![AtlasSource {
            name: "a database".to_owned(),
            build: build.to_owned(),
            licence: String::new(),
        }],
    };
    release(about, &counters, &GateRules::default())
}

fn revised(before: &[Home], after: &[Home]) -> Option<Release> {
    revise(&of(before, "2026-06-01"), &of(after, "2026-12-01"), false)
}

fn xiaomi(release: &Release, code: &str) -> Cell {
    release.server[&(vendor("xiaomi"), column(code))]
}

fn numbers(release: &Release, code: &str) -> Numbers {
    *xiaomi(release, code).numbers().expect("it is shown")
}

/// `homes` homes in eight networks that are all seen at one place.
fn all_at(homes: u32, code: &'static str, status: PlaceStatus) -> Vec<Home> {
    (0..homes).map(|at| home(at % 8, code, status)).collect()
}

#[test]
fn servers_that_move_take_their_count_along() {
    let (before, after) = (
        all_at(83, "SG", PlaceStatus::Confident),
        all_at(83, "HK", PlaceStatus::Single),
    );
    let first = of(&before, "2026-06-01");
    let revised = revised(&before, &after).expect("83 homes changed");
    assert_eq!(revised.id.to_string(), format!("{}.1", week()));
    let hong_kong = numbers(&revised, "HK");
    assert_eq!(
        (hong_kong.x_low, hong_kong.x_high, hong_kong.n),
        (85, 85, 85)
    );
    assert_eq!(hong_kong.place_status, PlaceStatus::Single);
    assert!(matches!(xiaomi(&revised, "SG"), Cell::Zero(_)));
    // Of other vendors the new column says nothing, and everything else stays.
    assert_eq!(
        revised.server[&(vendor("huawei"), column("HK"))],
        Cell::NoData
    );
    assert_eq!(revised.endpoints, first.endpoints);
    assert_eq!(
        (revised.homes, revised.networks),
        (first.homes, first.networks)
    );
    let told = revised.revision.expect("it is one");
    assert_eq!(
        told.before.server[&(vendor("xiaomi"), column("SG"))],
        xiaomi(&first, "SG")
    );
    assert!(matches!(
        told.before.server[&(vendor("xiaomi"), column("HK"))],
        Cell::Zero(_)
    ));
    assert_eq!(told.reasons.len(), 1);
    assert_eq!(told.reasons[0].to.as_deref(), Some("2026-12-01"));
    // The parts of what changed are not counted again.
    let parts = revised
        .home
        .iter()
        .filter(|((of, ..), _)| *of == vendor("xiaomi"));
    assert!(parts.clone().count() > 0);
    for (key, cell) in parts {
        assert_eq!(cell.numbers(), None, "{key:?}");
    }
}

/// Whatever the number of homes, and so wherever the rounding falls: with one home less the revision
/// is the same, to the bit.
#[test]
fn one_home_s_withdrawal_cannot_be_read_from_a_revision() {
    for homes in 25..60 {
        let before = all_at(homes, "SG", PlaceStatus::Confident);
        let mut after = all_at(homes, "HK", PlaceStatus::Confident);
        let stayed = revised(&before, &after).expect("all of them changed");
        after.pop();
        assert_eq!(
            revised(&before, &after).as_ref(),
            Some(&stayed),
            "{homes} homes"
        );
    }
    // And where only some of a vendor's servers move, and others hold counts close by.
    for (homes, fewer) in (40..46).flat_map(|homes| (0..12).map(move |fewer| (homes, fewer))) {
        let mut before = all_at(homes, "SG", PlaceStatus::Confident);
        for home in before.iter_mut().skip(fewer) {
            home.at.push(("RU", PlaceStatus::Confident));
        }
        let mut after = before.clone();
        after.iter_mut().for_each(|home| home.at[0].0 = "HK");
        let stayed = revised(&before, &after).expect("all of them changed");
        assert_eq!(xiaomi(&stayed, "RU"), xiaomi(&of(&before, ""), "RU"));
        after.pop();
        let without = revised(&before, &after);
        assert_eq!(
            without.as_ref(),
            Some(&stayed),
            "{homes} homes, {fewer} not in Russia"
        );
    }
}

/// Alibaba in China and in Singapore, Kingsoft in China: whoever is met later is named by no revision, and
/// where the cell of a country changed its names are gone.
#[test]
fn operators_are_named_by_the_first_release_or_never() {
    let [china, singapore, kingsoft] =
        [45_102, 134_963, 59_019].map(|asn| Operator::of(Asn(asn)).expect("the table lists it"));
    let (before, after) = (
        all_at(80, "SG", PlaceStatus::Confident),
        all_at(80, "HK", PlaceStatus::Confident),
    );
    let first = of_networks(&before, "a", &[china]);
    let named = |release: &Release| -> Vec<String> {
        let names = release.operators.iter();
        names
            .map(|(_, operator)| format!("{} {}", operator.name, operator.country))
            .collect()
    };
    assert_eq!(named(&first), ["Alibaba Cloud CN"]);
    for (now, stays) in [
        (&[china, kingsoft][..], true),
        (&[kingsoft], true),
        (&[china, singapore], true),
        (&[singapore], false),
        (&[], false),
    ] {
        let revised = revise(&first, &of_networks(&after, "b", now), false).expect("servers moved");
        let expected: &[&str] = if stays { &["Alibaba Cloud CN"] } else { &[] };
        assert_eq!(named(&revised), expected, "{now:?}");
    }
}

#[test]
fn homes_taken_out_are_a_reason_where_enough_of_them_changed_a_cell() {
    let of_homes = |count| of(&all_at(count, "SG", PlaceStatus::Confident), "2026-06-01");
    let first = of_homes(80);
    let revised = revise(&first, &of_homes(40), true).expect("forty homes went");
    let told = revised.revision.expect("it is one");
    assert!(told.is_after_revocation && told.reasons.is_empty());
    for left in [79, 75, 71] {
        let revised = revise(&first, &of_homes(left), true);
        assert_eq!(revised, None, "{left}: a few show nowhere");
    }
}

#[test]
fn without_other_tables_there_is_no_revision() {
    let before = all_at(80, "SG", PlaceStatus::Confident);
    let after = all_at(40, "SG", PlaceStatus::Confident);
    let same = revise(&of(&before, "2026-06-01"), &of(&after, "2026-06-01"), false);
    assert_eq!(same, None, "forty homes withdrew, and that is no reason");
    assert_eq!(
        revised(&before, &before),
        None,
        "other tables, the same places"
    );
}

#[test]
fn doubt_that_goes_or_comes_is_told_where_enough_homes_are_sure() {
    let (doubt, sure) = (PlaceStatus::Disputed, PlaceStatus::Confident);
    let revised = revised(&all_at(80, "SG", doubt), &all_at(80, "SG", sure)).expect("told");
    let singapore = numbers(&revised, "SG");
    assert_eq!((singapore.x_low, singapore.x_high), (80, 80));
    // Eighty homes in three networks weigh twelve: nine of these may have been sure before.
    let few = |status| -> Vec<Home> { (0..80).map(|at| home(at % 3, "SG", status)).collect() };
    assert_eq!(
        revise(&of(&few(doubt), "a"), &of(&few(sure), "b"), false),
        None
    );
    // A better status alone may be one home's doing.
    let single = all_at(80, "SG", PlaceStatus::Single);
    assert_eq!(
        revise(&of(&single, "a"), &of(&all_at(80, "SG", sure), "b"), false),
        None
    );
}

/// Homes of one world, and what becomes of each in the other: at random, with whole groups moving
/// together, because that is what databases do.
fn worlds() -> impl Strategy<Value = (Vec<Home>, Vec<Home>)> {
    let codes = prop::sample::select(vec!["SG", "HK", "RU"]);
    let statuses = prop::sample::select(vec![
        PlaceStatus::Confident,
        PlaceStatus::Single,
        PlaceStatus::Disputed,
    ]);
    let places = prop::collection::btree_map(codes, statuses, 0..3);
    let places = places.prop_map(|places| places.into_iter().collect::<Vec<_>>());
    let group = (
        1_u32..60,
        0_u32..12,
        places.clone(),
        places,
        0_u32..4,
        any::<bool>(),
    );
    prop::collection::vec(group, 1..5).prop_map(|groups| {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (homes, network, old, new, withdrawn, is_spread) in groups {
            for at in 0..homes {
                let network = if is_spread { at % 12 } else { network };
                let at_home = |places: &Vec<_>| Home {
                    network,
                    at: places.clone(),
                };
                before.push(at_home(&old));
                // A home that withdrew is nowhere.
                let is_gone = at < withdrawn;
                after.push(if is_gone {
                    Home {
                        network: u32::MAX,
                        at: Vec::new(),
                    }
                } else {
                    at_home(&new)
                });
            }
        }
        (before, after)
    })
}

/// What a home does to the counts of a cell: asked, possibly, certainly.
fn part(home: &Home, code: &str) -> (bool, bool, bool) {
    let place = home.at.iter().find(|(at, _)| *at == code);
    let is_asked = home.network != u32::MAX;
    let is_sure = place.is_some_and(|(_, status)| status.counts_low());
    (is_asked, place.is_some(), is_sure)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Held against somebody who knows every home: what changed was changed by ten, no count is
    /// closer to one told before than ten homes are, and what is said of the new world is true.
    #[test]
    fn what_changed_was_changed_by_enough_homes((before, after) in worlds()) {
        let there: Vec<Home> = after.iter().filter(|home| home.network != u32::MAX).cloned().collect();
        let first = of(&before, "2026-06-01");
        let Some(revised) = revise(&first, &of(&there, "2026-12-01"), false) else {
            return Ok(());
        };
        let told: BTreeSet<u32> = first
            .server
            .iter()
            .filter(|((of, _), _)| *of == vendor("xiaomi"))
            .filter_map(|(_, cell)| cell.numbers())
            .flat_map(|numbers| [numbers.x_low, numbers.x_high, numbers.n])
            .filter(|&count| count > 0)
            .collect();
        let changes = &revised.revision.as_ref().expect("it is one").before.server;
        for ((of, column), cell) in &revised.server {
            if *of != vendor("xiaomi") {
                continue;
            }
            let key = (*of, *column);
            if !changes.contains_key(&key) {
                let old = first.server.get(&key);
                prop_assert!(old.is_none_or(|old| old == cell), "unchanged is as it was");
                prop_assert!(old.is_some() || cell.numbers().is_none());
                continue;
            }
            let changed = before.iter().zip(&after);
            let changed = changed.filter(|(a, b)| part(a, column.code()) != part(b, column.code()));
            prop_assert!(changed.count() >= K as usize, "{column:?} {cell:?}");
            let Some(numbers) = cell.numbers() else { continue };
            for count in [numbers.x_low, numbers.x_high, numbers.n] {
                // Five and five may hide four homes between them.
                let is_close = |&other: &u32| other.abs_diff(count) < K + 4;
                let is_told = count == 0 || told.contains(&count);
                prop_assert!(is_told || !told.iter().any(is_close), "{count} beside {told:?}");
            }
            let true_of = |wanted: fn((bool, bool, bool)) -> bool| {
                let homes = there.iter().filter(|home| wanted(part(home, column.code())));
                u32::try_from(homes.count()).expect("few")
            };
            let (n, high, low) = (true_of(|p| p.0), true_of(|p| p.1), true_of(|p| p.2));
            prop_assert!(numbers.share_low <= BasisPoints::midway(low, low, n).max(BasisPoints(0)));
            prop_assert!(numbers.share_high >= BasisPoints::midway(high, high, n));
            prop_assert!(high == 0 || numbers.x_high > 0);
        }
    }

    /// Fewer than ten homes, whatever they do and wherever they stand, change nothing.
    #[test]
    fn nine_homes_change_nothing(
        (before, _) in worlds(),
        others in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4), 0..10),
    ) {
        let mut after = before.clone();
        let mut touched = BTreeSet::new();
        for (at, what) in others {
            let at = at.index(after.len());
            touched.insert(at);
            match what {
                0 => after[at].at.clear(),
                1 => after[at].at = vec![("HK", PlaceStatus::Confident)],
                2 => after[at].at = vec![("SG", PlaceStatus::Disputed), ("RU", PlaceStatus::Single)],
                _ => after[at].network = u32::MAX,
            }
        }
        prop_assert!(touched.len() < K as usize);
        after.retain(|home| home.network != u32::MAX);
        prop_assert_eq!(revised(&before, &after), None);
    }
}
