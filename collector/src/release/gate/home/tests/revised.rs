//! The table by home country is not counted again in a revision, but its parts were told, and newer tables
//! may make the world's table draw its lines where these parts had theirs: what was anycast to the
//! world and a country for some becomes that country for all. Then the new whole has the old parts.

use super::*;
use crate::release::AtlasSource;
use crate::release::revision::revise;

/// Where newer tables put the anycast server that may stand in Singapore for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    Singapore,
    Elsewhere,
}

/// Whether the world's table sees homes that did this in Singapore and in many places now.
const fn seen_now(did: Did, now: Now) -> [bool; 2] {
    let is_moved = matches!(did, Did::Moved | Did::MovedAndAnycast);
    let is_singapore = matches!(did, Did::Singapore | Did::SingaporeAndAnycast);
    let is_anycast = matches!(
        did,
        Did::Anycast | Did::SingaporeAndAnycast | Did::MovedAndAnycast
    );
    match now {
        Now::Singapore => [is_singapore || is_moved, is_anycast],
        Now::Elsewhere => [is_singapore, is_anycast],
    }
}

/// The same homes, counted with newer tables, which leave no server in many places that one home country
/// sees elsewhere than another.
fn counters_now(world: &World, now: Now) -> Counters {
    let mut counters = Counters::default();
    let mut network = 0;
    for (part, homes) in PARTS.iter().zip(world) {
        for (did, &homes) in DID.iter().zip(homes) {
            let [is_singapore, is_anycast] = seen_now(*did, now);
            let mut said = Vec::new();
            if is_singapore {
                said.push((singapore(), PlaceStatus::Confident));
            }
            if is_anycast {
                said.push((Column::Anycast, PlaceStatus::Anycast));
            }
            let said = said.into_iter().flat_map(|(column, status)| {
                [Question::Server(column), Question::Here(column)].map(|table| (table, status))
            });
            let said: Vec<_> = said.collect();
            let settled = part.map(|code| Some(country(code)));
            for _ in 0..homes {
                network += 1;
                counters.vote(vendor("xiaomi"), Some(Asn(network)), settled, &said);
            }
        }
    }
    counters
}

/// A release that says this of a vendor and nothing else, made with tables of this build.
fn release_of(shell: &Release, told: &Told, build: &str) -> Release {
    let xiaomi = vendor("xiaomi");
    let server = columns().into_iter().zip(told.world);
    let home = told.home.iter();
    Release {
        atlas: vec![AtlasSource {
            name: "a database".to_owned(),
            build: build.to_owned(),
            licence: String::new(),
        }],
        server: server
            .map(|(column, cell)| ((xiaomi, column), cell))
            .collect(),
        home: home
            .map(|((column, home), cell)| ((xiaomi, *column, *home), *cell))
            .collect(),
        ..shell.clone()
    }
}

/// The homes of the world's new cells, less those of the parts that the first release told in that column:
/// where the new cell is told and has the old parts.
fn rests(shell: &Release, world: &World, now: Now) -> Vec<(Column, u32)> {
    let first = tell(world);
    let counted = tell_of(&counters_now(world, now));
    let [before, after] =
        [(&first, "a"), (&counted, "b")].map(|(told, build)| release_of(shell, told, build));
    let Some(revised) = revise(&before, &after, false) else {
        return Vec::new();
    };
    let changes = revised
        .revision
        .as_ref()
        .map(|revision| &revision.before.server)
        .expect("it is one");
    let mut rests = Vec::new();
    for (at, column) in columns().into_iter().enumerate() {
        // In Singapore, its part still had the server that the new whole has not.
        let has_parts = now == Now::Singapore || column == Column::Anycast;
        let key = (vendor("xiaomi"), column);
        let is_whole = revised.server[&key].numbers().is_some();
        if !has_parts || !is_whole || !changes.contains_key(&key) {
            continue;
        }
        let homes = |part: &[u32; DID.len()]| -> u32 {
            let homes = DID.iter().zip(part);
            homes
                .filter(|(did, _)| seen_now(**did, now)[at])
                .map(|(_, homes)| homes)
                .sum()
        };
        let is_told = |home: Option<&str>| {
            let part = first.home.get(&(column, home.map(country)));
            home.is_some() && part.is_some_and(|cell| cell.numbers().is_some())
        };
        let left = PARTS.iter().zip(world).filter(|(home, _)| !is_told(**home));
        let is_any_told = PARTS.iter().any(|home| is_told(*home));
        if is_any_told {
            rests.push((column, left.map(|(_, part)| homes(part)).sum()));
        }
    }
    rests
}

/// Of 83 homes that many places answered, 40 in Germany were told to have stayed there and as many to be
/// answered from elsewhere. With the second place on the map, the first is left to 43: of these 40 may
/// be subtracted.
#[test]
fn old_parts_are_not_subtracted_from_new_wholes() {
    for (left, is_told) in [(0, true), (3, false), (9, false), (12, true)] {
        let world = [[0, 0, 40, 40, 0, 0], [0; 6], [0, 0, 12, left, 0, 0]];
        let first = judge(&counters(&world), &GateRules::default());
        assert_ne!(state(&first, Column::Anycast, Some("DE")), "suppressed");
        let mut counted = judge(&counters_now(&world, Now::Singapore), &GateRules::default());
        counted.atlas = vec![AtlasSource {
            name: "a database".to_owned(),
            build: "b".to_owned(),
            licence: String::new(),
        }];
        let revised = revise(&first, &counted, false);
        let changes = revised.and_then(|revised| Some(revised.revision?.before.server));
        let changes = changes.unwrap_or_default();
        let is_changed = changes.contains_key(&(vendor("xiaomi"), Column::Anycast));
        assert_eq!(is_changed, is_told, "{left} homes are left");
    }
}

#[test]
fn a_revision_leaves_no_small_rest_of_parts_told_before() {
    let moved = |part: &[u32; DID.len()]| part[2] + part[5];
    let shell = judge(&Counters::default(), &SMALL);
    let (mut told, mut found) = (0, Vec::new());
    for world in worlds() {
        // Fewer homes that moved hide their part.
        if !world.iter().any(|part| moved(part) >= SMALL.k) {
            continue;
        }
        for now in [Now::Singapore, Now::Elsewhere] {
            for (column, rest) in rests(&shell, &world, now) {
                told += 1;
                if rest > 0 && rest < SMALL.k {
                    found.push((world, now, column, rest));
                }
            }
        }
    }
    assert!(told > 100, "{told}");
    assert!(
        found.is_empty(),
        "{} of {told}: {:?}",
        found.len(),
        found[0]
    );
}
