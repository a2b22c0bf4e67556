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
fn volumes_add_and_the_shortest_round_trip_stays() {
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
    assert_eq!(contact.rtt.map(|rtt| rtt.min.ms()), Some(65));
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
                Said::to("xiaomi", endpoint, [20 + second, third, fourth])
            });
            (batch(0, &[], &prefixes.collect::<Vec<_>>()), None)
        })
        .collect();
    let home = home(&batches);
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
