use super::fixture::{Said, batch, own_endpoint, vendor, week};
use super::*;
use crate::geo::network::Asn;
use phonehome_proto::net::Country;
use proptest::prelude::*;

const SINGAPORE: [u8; 3] = [161, 117, 70];

fn origin(code: &str, network: u32) -> Option<Origin> {
    let country = Country::new(code.as_bytes().try_into().expect("two letters"));
    Some(Origin {
        country: country.expect("a code"),
        network: Asn(network),
    })
}

fn home(batches: &[(Batch, Option<Origin>)]) -> HomeWeek {
    let batches = batches.iter().map(|(batch, origin)| (batch, *origin));
    HomeWeek::of(week(), batches).expect("a home with batches")
}

fn present(days: &[usize], basis: Basis) -> Vec<(Batch, Option<Origin>)> {
    let batches = days
        .iter()
        .map(|&day| batch(day, &[("xiaomi", basis)], &[]));
    batches.map(|batch| (batch, origin("DE", 1))).collect()
}

#[test]
fn four_days_and_a_counted_basis_make_a_home_asked() {
    let asked = |batches: &[_]| home(batches).vendors()[&vendor("xiaomi")].is_counted();
    assert!(asked(&present(&[0, 2, 4, 6], Basis::Inferred)));
    assert!(!asked(&present(&[0, 2, 4], Basis::Declared)), "three days");
    assert!(
        !asked(&present(&[0, 0, 2, 4, 4], Basis::Declared)),
        "three days in five batches"
    );
    assert!(!asked(&present(&[0, 1, 2, 3, 4, 5, 6], Basis::Circular)));
    let mostly_circular = [
        present(&[0, 1, 2], Basis::Circular),
        present(&[3, 4, 5], Basis::Decisive),
    ]
    .concat();
    assert!(
        !asked(&mostly_circular),
        "three days that could prove anything"
    );
    let strongest = [
        present(&[0, 1, 2], Basis::Inferred),
        present(&[2, 3], Basis::Decisive),
    ]
    .concat();
    assert!(asked(&strongest), "four days, whichever counted basis");
    assert_eq!(
        home(&strongest).vendors()[&vendor("xiaomi")].basis,
        Basis::Decisive
    );
}

/// What hides its names contacts whom it likes unseen.
#[test]
fn a_day_without_names_is_not_asked_about() {
    let whose = (vendor("xiaomi"), Basis::Declared);
    let asked = |nameless: &[UnnamedShare]| {
        let batches = (0..).zip(nameless).map(|(day, &unnamed)| {
            let whole = batch(day, &[("xiaomi", Basis::Declared)], &[]);
            let mut census = whole.census().clone();
            census.rows.get_mut(&whose).expect("it is there").unnamed = unnamed;
            let coverage = whole.coverage().clone();
            let batch = Batch::new(whole.header().clone(), census, coverage, Vec::new());
            (batch.expect("a batch"), None)
        });
        home(&batches.collect::<Vec<_>>()).vendors()[&whose.0].is_counted()
    };
    let (some, most) = (UnnamedShare::From10To50, UnnamedShare::Above50);
    assert!(asked(&[some, some, some, most, some]));
    assert!(!asked(&[some, some, some, most, most]));
}

#[test]
fn circular_phones_contact_nobody() {
    let said = Said::to("xiaomi", own_endpoint("xiaomi"), SINGAPORE);
    let circular = Said {
        basis: Basis::Circular,
        ..said
    };
    let of = |said| home(&[(batch(0, &[], &[said]), None)]).contacts().len();
    assert_eq!(of(circular), 0);
    assert_eq!(of(said), 1);
}

#[test]
fn volumes_add_and_the_shortest_round_trip_of_a_prefix_stays() {
    let said = Said::to("xiaomi", own_endpoint("xiaomi"), SINGAPORE);
    let slow = Said {
        rtt_ms: Some(200),
        bytes_up: 2_500,
        ..said
    };
    let fast = Said {
        rtt_ms: Some(65),
        bytes_up: 3_000,
        ..said
    };
    let batches = [slow, fast, said].map(|said| (batch(0, &[], &[said]), None));
    let home = home(&batches);
    let (_, contact) = home.contacts().first_key_value().expect("one contact");
    assert_eq!(contact.bytes_up, 2_000 + 2_000 + 1_000, "floors of steps");
    let round_trips: Vec<_> = home.round_trips().values().map(|rtt| rtt.ms()).collect();
    assert_eq!(round_trips, [65]);
}

/// Each home has one say about a prefix, so two endpoints there must not make it two.
#[test]
fn a_home_says_one_thing_about_a_prefix() {
    let endpoints: Vec<_> = EndpointId::all()
        .filter(|endpoint| endpoint.edge().is_none())
        .take(3)
        .collect();
    let timed = |at: usize, ms: u32| Said {
        rtt_ms: Some(ms),
        ..Said::to("xiaomi", endpoints[at], SINGAPORE)
    };
    let few = Said {
        samples: RttSamples::OneToFour,
        ..timed(2, 5)
    };
    let home = home(&[(batch(0, &[], &[timed(0, 80), timed(1, 70), few]), None)]);
    let said: Vec<_> = home.round_trips().iter().collect();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].1.ms(), 70, "few handshakes say nothing");
    assert!(!home.is_answered_nearby());
}

#[test]
fn a_box_close_by_is_known_by_never_being_slow() {
    let endpoint = own_endpoint("xiaomi");
    let of = |steps: &[(u32, RttSamples)]| {
        let said = steps.iter().zip(0..).map(|(&(ms, samples), third)| Said {
            rtt_ms: Some(ms),
            samples,
            ..Said::to("xiaomi", endpoint, [161, 117, third])
        });
        home(&[(batch(0, &[], &said.collect::<Vec<_>>()), None)]).is_answered_nearby()
    };
    let (many, few) = (RttSamples::FiveOrMore, RttSamples::OneToFour);
    assert!(of(&[(5, many), (5, few)]));
    assert!(!of(&[(5, many), (10, few)]), "one handshake shows the way");
    assert!(!of(&[]), "nothing was timed");
}

#[test]
fn a_home_stands_where_most_of_its_batches_come_from() {
    let of = |origins: &[Option<Origin>]| {
        let batches = present(&[0], Basis::Declared);
        let batches: Vec<_> = origins
            .iter()
            .map(|&at| (batches[0].0.clone(), at))
            .collect();
        home(&batches).whereabouts()
    };
    let (one, two, abroad) = (origin("DE", 1), origin("DE", 2), origin("FR", 1));
    let at = |origin: Option<Origin>| origin.expect("a place");
    assert_eq!(of(&[one, two, two, None]), Whereabouts::Settled(at(two)));
    assert_eq!(
        of(&[two, one]),
        Whereabouts::Settled(at(one)),
        "the lowest of equals"
    );
    assert_eq!(of(&[two, abroad, two]), Whereabouts::Roaming(at(two)));
    assert_eq!(of(&[None, None]), Whereabouts::Unknown);
}

#[test]
fn a_home_has_an_upper_size() {
    let endpoint = own_endpoint("xiaomi");
    let batches: Vec<_> = (0..9_u8)
        .map(|second| {
            let prefixes = (0..1_024_u16).map(|n| {
                let [third, fourth] = n.to_be_bytes();
                Said {
                    rtt_ms: Some(50),
                    ..Said::to("xiaomi", endpoint, [20 + second, third, fourth])
                }
            });
            (batch(0, &[], &prefixes.collect::<Vec<_>>()), None)
        })
        .collect();
    let home = home(&batches);
    assert_eq!(home.round_trips().len(), ROUND_TRIPS_MAX);
    assert_eq!(home.shed_round_trips(), 9 * 1_024 - 512);
    assert_eq!(home.contacts().len(), CONTACTS_MAX);
    assert_eq!(home.shed_contacts(), 1_024);
    let highest = home
        .contacts()
        .last_key_value()
        .expect("full")
        .0
        .destination;
    assert_eq!(
        highest,
        Destination::Prefix(Prefix::V4([27, 3, 255])),
        "the highest go"
    );
}

#[test]
#[should_panic(expected = "weeks apart")]
fn another_week_is_a_bug() {
    let batches = present(&[0], Basis::Declared);
    let _ = HomeWeek::of(
        week().next(),
        batches.iter().map(|(batch, origin)| (batch, *origin)),
    );
}

proptest! {
    /// The order of the batches never shows.
    #[test]
    fn folding_is_commutative(
        spec in proptest::collection::vec((0_usize..7, 0_u8..4, 0_u8..4, 0_u32..3, any::<bool>()), 1..12),
        turn in 0_usize..12,
    ) {
        let bases = [Basis::Declared, Basis::Decisive, Basis::Inferred, Basis::Circular];
        let endpoint = own_endpoint("xiaomi");
        let mut batches: Vec<_> = spec
            .iter()
            .map(|&(day, basis, third, network, quick)| {
                let basis = bases[usize::from(basis)];
                let said = Said {
                    basis,
                    bytes_up: u64::from(third) * 777,
                    rtt_ms: Some(if quick { 20 } else { 150 }),
                    ..Said::to("xiaomi", endpoint, [161, 117, third])
                };
                (batch(day, &[("apple", basis)], &[said]), origin("DE", network))
            })
            .collect();
        let one_way = home(&batches);
        batches.reverse();
        batches.rotate_left(turn % spec.len());
        prop_assert_eq!(one_way, home(&batches));
    }
}
