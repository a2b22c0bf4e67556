//! Whether the truth about a population lies within what is published of it.

use anyhow::{Context, Error, Result};
use phonehome_collector::geo::network::{Asn, Origin};
use phonehome_collector::release::{BasisPoints, Column, Numbers, PlaceStatus};
use phonehome_proto::endpoint::EndpointId;
use phonehome_tests::simulation::coverage::{Coverage, Group};
use phonehome_tests::simulation::dice::Dice;
use phonehome_tests::simulation::home::Home;
use phonehome_tests::simulation::population::{Population, Service};
use phonehome_tests::simulation::router::Circular;
use phonehome_tests::simulation::run::{Method, Published, publish, runs};
use phonehome_tests::simulation::server::{Databases, Server, Stands, country};
use phonehome_tests::traffic::phone::Make;

#[allow(clippy::print_stdout, reason = "the figures, with --nocapture")]
fn coverage(count: u64, method: Method) -> Result<Coverage> {
    let coverage = Coverage::of(&runs(0..count, method, 2)?);
    println!("{method:?}: {coverage}");
    Ok(coverage)
}

fn holds(coverage: &Coverage) {
    for group in [Group::Subject, Group::All, Group::Happens] {
        let tally = coverage.of_group(group);
        assert!(tally.covered() >= 0.93, "{group}: {tally:?}");
    }
    let subjects = coverage.of_group(Group::Subject);
    assert!(subjects.shown > subjects.hidden, "{subjects:?}");
}

#[test]
fn the_truth_lies_within() -> Result<()> {
    holds(&coverage(100, Method::AS_BUILT)?);
    Ok(())
}

#[test]
#[ignore = "takes minutes without optimisation"]
fn the_truth_lies_within_in_a_thousand_runs() -> Result<()> {
    holds(&coverage(1_000, Method::AS_BUILT)?);
    Ok(())
}

#[test]
fn one_database_would_miss_it() -> Result<()> {
    let one = Method {
        databases: Databases::Worse,
        ..Method::AS_BUILT
    };
    let tally = coverage(20, one)?.of_group(Group::All);
    assert!(tally.covered() < 0.93, "{tally:?}");
    Ok(())
}

/// Six networks of Germany, and two services of one make, in France and in Singapore, each used by
/// such a share of its phones. Both databases know where they stand.
fn world(used_by: [f64; 2], declared: f64) -> Population {
    let endpoint = EndpointId::of_name("data.mistat.xiaomi.com").expect("it is listed");
    let server = |nth, place| Server {
        said: [Some(country(place)); 2],
        ..Server::new(nth, endpoint, Stands::In(country(place)), &mut Dice::new(1))
    };
    let service = |at, place, used_by| Service {
        make: Make::Xiaomi,
        column: Column::Country(country(place)),
        used_by,
        servers: vec![at],
    };
    let origins = (64_496..64_502).map(|number| Origin {
        country: country("DE"),
        network: Asn(number),
    });
    Population {
        homes: 300,
        makes: vec![(Make::Xiaomi, 1.0)],
        // A liar leaves the first server alone, so as not to be next door to everybody.
        servers: vec![server(0, "FR"), server(1, "SG")],
        services: vec![service(0, "FR", used_by[0]), service(1, "SG", used_by[1])],
        origins: origins.collect(),
        shows_address: 0.1,
        declared,
    }
}

/// What is said of the make and Singapore.
fn singapore(published: &Published) -> Option<Numbers> {
    let key = (Make::Xiaomi.vendor(), Column::Country(country("SG")));
    let cell = published.release.server.get(&key)?;
    cell.numbers().copied()
}

/// Most phones are known by nothing but whom they contact, so that those that contact nobody are
/// missing: counted, they would make a fifth of the homes look like half of them.
#[test]
fn counting_phones_known_by_their_contacts_would_prove_what_is_false() -> Result<()> {
    let world = world([0.0, 0.2], 0.1);
    let truth = world.truth(Make::Xiaomi, Column::Country(country("SG")));
    let said = |circular| {
        let mut dice = Dice::new(7);
        let homes = (0..world.homes).filter_map(|_| Home::draw(&world, &mut dice));
        let homes: Vec<_> = homes.collect();
        let method = Method {
            circular,
            ..Method::AS_BUILT
        };
        let published = publish(&world, &homes, method, &mut dice)?;
        let numbers = singapore(&published).context("it is shown")?;
        let share = |share: BasisPoints| f64::from(share.0) / 10_000.0;
        Ok::<_, Error>(share(numbers.share_low)..=share(numbers.share_high))
    };
    let told = said(Circular::Told)?;
    assert!(told.contains(&truth), "{truth} {told:?}");
    let counted = said(Circular::Counted)?;
    assert!(*counted.start() > truth, "{truth} {counted:?}");
    Ok(())
}

/// Eight honest homes in each network, and so many liars, next door to the server in Singapore.
fn with_liars(liars: [usize; 6]) -> Result<Published> {
    let mut dice = Dice::new(11);
    let world = world([1.0, 1.0], 1.0);
    let mut homes = Vec::new();
    for (&origin, liars) in world.origins.iter().zip(liars) {
        for _ in 0..8 {
            let mut home = Home::draw(&world, &mut dice).expect("every home has a phone");
            home.origin = Some(origin);
            home.days = (0..7).collect();
            homes.push(home);
        }
        homes.extend((0..liars).map(|_| Home::lying(&world, origin, &mut dice)));
    }
    publish(&world, &homes, Method::AS_BUILT, &mut dice)
}

#[test]
fn a_liar_in_every_network_cannot_erase_a_country() -> Result<()> {
    for liars in [[0; 6], [1; 6], [2, 2, 0, 0, 0, 0]] {
        let published = with_liars(liars)?;
        assert_eq!(published.light.impossible, 0, "{liars:?}");
        let numbers = singapore(&published).expect("it is shown");
        assert_eq!(numbers.place_status, PlaceStatus::Confident, "{liars:?}");
    }
    // The number that is printed beside it is the number it takes.
    let erased = with_liars([2, 2, 2, 0, 0, 0])?;
    let light = erased.light;
    assert_eq!((light.impossible, light.liars_min), (1, Some(6)));
    assert_eq!(singapore(&erased), None);
    Ok(())
}
