use super::*;
use proptest::prelude::*;

fn country(code: &str) -> Country {
    Country::new(code.as_bytes().try_into().expect("two letters")).expect("a code")
}

fn step(ms: u32) -> RttStep {
    RttStep::from_ms(ms).expect("a step")
}

/// The reference's distances are 1:50 million outlines on a sphere; ours are lower bounds of them.
#[test]
fn distances_stay_just_below_the_published_ones() {
    let table = Distances::embedded();
    for (a, b, published) in [
        ("DE", "SG", 9_793),
        ("DE", "CN", 4_617),
        ("DE", "HK", 8_613),
        ("DE", "US", 5_117),
        ("DE", "IN", 4_986),
        ("DE", "RU", 355),
        ("GB", "SG", 10_647),
        ("GB", "RU", 1_194),
        ("PL", "RU", 0),
        ("IN", "SG", 1_243),
        ("BR", "CN", 12_008),
        ("NG", "CN", 6_478),
        ("PH", "CN", 533),
    ] {
        let ours = table
            .kilometres(country(a), country(b))
            .expect("both have outlines");
        assert!(
            ours <= published && u32::from(ours) + 200 >= u32::from(published),
            "{a} {b} {ours}"
        );
        assert_eq!(table.kilometres(country(b), country(a)), Some(ours));
        assert_eq!(table.kilometres(country(a), country(a)), Some(0));
    }
    assert_eq!(table.kilometres(country("DE"), country("ZZ")), None);
    // Overseas departments have distances of their own.
    assert!(table.kilometres(country("FR"), country("SG")) > Some(9_000));
    assert!(table.kilometres(country("RE"), country("SG")) < Some(6_000));
}

#[test]
fn light_refutes_far_claims_and_confirms_none() {
    let table = Distances::embedded();
    let (home, claim) = (country("DE"), country("SG"));
    // (60 + 1) x 149.9 = 9,144 km < 9,625 km <= (65 + 1) x 149.9 = 9,893 km.
    assert!(table.refutes(home, claim, step(60)));
    assert!(!table.refutes(home, claim, step(65)));
    assert!(
        !table.refutes(home, country("RU"), step(5)),
        "Kaliningrad is too close"
    );
    assert!(
        !table.refutes(home, country("ZZ"), step(5)),
        "no outline, no verdict"
    );
    assert!(!table.refutes(home, home, step(5)));
}

#[test]
fn one_network_is_not_enough() {
    let table = Distances::embedded();
    let prefix = Prefix::V4([8, 219, 1]);
    let candidates = BTreeSet::from([country("SG"), country("RU")]);
    let hear = |hearsay: &mut Hearsay, network, samples| {
        let home = Origin {
            country: country("DE"),
            network: Asn(network),
        };
        let rtt = Rtt {
            min: step(10),
            samples,
        };
        assert_eq!(hearsay.hear(&table, home, prefix, &candidates, rtt), 0);
    };
    let mut hearsay = Hearsay::default();
    for _ in 0..3 {
        hear(&mut hearsay, 1, RttSamples::FiveOrMore);
    }
    hear(&mut hearsay, 2, RttSamples::OneToFour);
    assert_eq!(hearsay.clone().settle(), Refuted::default());
    hear(&mut hearsay, 2, RttSamples::FiveOrMore);
    let refuted = hearsay.settle();
    assert_eq!(refuted.of(prefix), Some(&BTreeSet::from([country("SG")])));
    assert_eq!(refuted.of(Prefix::V4([8, 219, 2])), None);
}

#[test]
fn a_damaged_table_is_refused() {
    let whole = packed::unpack(DISTANCES).expect("the committed table unpacks");
    for cut in [0, 9, 10, 400, whole.len() - 1] {
        assert!(Distances::read(&whole[..cut]).is_err(), "{cut} bytes");
    }
    let mut longer = whole;
    longer.push(0);
    assert!(Distances::read(&longer).is_err());
}

proptest! {
    /// Slices may be heard in any order and in any grouping.
    #[test]
    fn hearing_is_adding(
        said in proptest::collection::vec((0_u8..4, 1_u32..5, 0_usize..3), 0..40),
        cut in 0_usize..40,
    ) {
        let table = Distances::embedded();
        let candidates = BTreeSet::from([country("SG")]);
        let hear = |said: &[(u8, u32, usize)]| {
            let mut hearsay = Hearsay::default();
            for (third, network, at) in said {
                let code = ["DE", "MY", "US"][*at];
                let home = Origin { country: country(code), network: Asn(*network) };
                let rtt = Rtt { min: step(10), samples: RttSamples::FiveOrMore };
                let shed = hearsay.hear(&table, home, Prefix::V4([8, 219, *third]), &candidates, rtt);
                assert_eq!(shed, 0);
            }
            hearsay
        };
        let (front, back) = said.split_at(cut.min(said.len()));
        let mut added = hear(back);
        prop_assert_eq!(added.add(hear(front)), 0);
        prop_assert_eq!(added, hear(&said));
    }
}
