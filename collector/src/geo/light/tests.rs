use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

static DISTANCES: LazyLock<Distances> = LazyLock::new(Distances::embedded);

const QUORUM: Quorum = Quorum {
    weight_min: 10,
    network_homes_max: 4,
};

const SERVER: Prefix = Prefix::V4([8, 219, 1]);

fn country(code: &str) -> Country {
    Country::new(code.as_bytes().try_into().expect("two letters")).expect("a code")
}

fn step(ms: u32) -> RttStep {
    RttStep::from_ms(ms).expect("a step")
}

fn origin(code: &str, network: u32) -> Origin {
    Origin {
        country: country(code),
        network: Asn(network),
    }
}

/// Homes by country, network and round trip in ms.
type Homes = Vec<(&'static str, u32, u32)>;

fn hear<'a>(homes: impl IntoIterator<Item = &'a (&'static str, u32, u32)>) -> Hearsay {
    let mut hearsay = Hearsay::default();
    for &(code, network, ms) in homes {
        let shed = hearsay.hear(origin(code, network), [(SERVER, step(ms))]);
        assert_eq!(shed, 0);
    }
    hearsay
}

fn verdict(homes: &Homes, place: &str) -> Verdict {
    let testimony = hear(homes).settle();
    testimony.verdict(&DISTANCES, QUORUM, SERVER, country(place), None)
}

fn falls(homes: &Homes, place: &str) -> bool {
    verdict(homes, place).reach == Reach::Impossible
}

fn is_anycast(homes: &Homes) -> bool {
    hear(homes).settle().is_anycast(&DISTANCES, QUORUM, SERVER)
}

/// So many homes in each of these networks, all with this round trip.
fn homes(code: &'static str, networks: &[u32], each: usize, ms: u32) -> Homes {
    let networks = networks.iter().flat_map(|&n| std::iter::repeat_n(n, each));
    networks.map(|network| (code, network, ms)).collect()
}

/// Worked by hand: twice the distance at two thirds of light's speed, and at all of it.
#[test]
fn two_limits() {
    // 99.931 x (97 + 1) = 9,793; the reference's 98 ms from Germany to Singapore.
    let reach = |kilometres, ms| Reach::of(kilometres, step(ms));
    assert_eq!(reach(9_793, 95), Reach::Implausible);
    assert_eq!(reach(9_793, 100), Reach::Plausible);
    // 149.897 x 66 = 9,893 and x 61 = 9,144.
    assert_eq!(reach(9_793, 65), Reach::Implausible);
    assert_eq!(reach(9_793, 60), Reach::Impossible);
    // Kaliningrad: 355 km are 3.6 ms, so the shortest step of all reaches it.
    assert_eq!(reach(355, 5), Reach::Plausible);
    // At the limit light just arrives: 6 x 149.897 = 899.382, 6 x 99.931 = 599.586.
    assert_eq!(reach(899, 5), Reach::Implausible);
    assert_eq!(reach(900, 5), Reach::Impossible);
    assert_eq!(reach(599, 5), Reach::Plausible);
    assert_eq!(reach(600, 5), Reach::Implausible);
    assert_eq!(reach(0, 5), Reach::Plausible);
}

#[test]
fn a_country_falls_by_three_networks_that_pass_the_gate() {
    assert!(falls(&homes("DE", &[1, 2, 3], 4, 10), "SG"));
    assert!(!falls(&homes("DE", &[1, 2], 50, 10), "SG"), "two networks");
    assert!(!falls(&homes("DE", &[1, 2, 3], 3, 10), "SG"), "nine homes");
    assert!(falls(&homes("DE", &[1, 2, 3, 4, 5], 2, 10), "SG"));
    assert!(
        !falls(&homes("DE", &[1, 2, 3], 4, 65), "SG"),
        "light arrives"
    );
    assert!(!falls(&homes("DE", &[1, 2, 3], 4, 10), "RU"), "Kaliningrad");
    assert!(!falls(&homes("DE", &[1, 2, 3], 4, 10), "DE"));
    assert!(!falls(&homes("DE", &[1, 2, 3], 4, 10), "ZZ"), "no outline");
    // The networks of a quorum may stand in several countries, and so may the homes of one.
    let europe = [
        homes("DE", &[1, 2], 4, 10),
        homes("FR", &[3, 4], 1, 10),
        homes("NL", &[3], 3, 10),
    ]
    .concat();
    assert!(falls(&europe, "SG"));
    assert!(!is_anycast(&europe), "one place near all of them");
}

#[test]
fn implausible_is_a_word() {
    // 80 ms: 81 x 99.9 = 8,094 < 9,700 < 81 x 149.9 = 12,141.
    let homes = homes("DE", &[1, 2, 3], 4, 80);
    assert_eq!(verdict(&homes, "SG").reach, Reach::Implausible);
    assert_eq!(verdict(&homes, "RU").reach, Reach::Plausible);
    assert_eq!(verdict(&homes, "RU").liars_min, 0);
}

/// Homes that are honest everywhere, and liars who claim to be close.
#[test]
fn five_liars_erase_nothing_and_the_sixth_does() {
    assert_eq!(QUORUM.liars_min(), 6);
    let honest = homes("DE", &[1, 2, 3, 4, 5], 20, 150);
    let lying = |liars: &[u32]| {
        let liars = liars.iter().map(|&network| ("DE", network, 5));
        [honest.clone(), liars.collect()].concat()
    };
    assert!(
        !falls(&lying(&[1, 2, 3, 4, 5]), "SG"),
        "one in each network"
    );
    assert!(!falls(&lying(&[1, 1, 1, 1, 1]), "SG"), "all in one");
    assert!(!falls(&lying(&[1, 1, 2, 2, 3]), "SG"));
    assert!(falls(&lying(&[1, 1, 2, 2, 3, 3]), "SG"));
    assert_eq!(verdict(&lying(&[1, 1, 2, 2, 3, 3]), "SG").liars_min, 6);
    assert_eq!(
        verdict(&homes("DE", &[1, 2, 3, 4], 9, 10), "SG").liars_min,
        8
    );
}

#[test]
fn discs_that_do_not_meet_are_many_places() {
    let near = |code, networks: &[u32]| homes(code, networks, 4, 10);
    let germany = near("DE", &[1, 2, 3]);
    // 11 x 149.9 = 1,649 km around each; they are over 9,000 km apart.
    let both = [germany.clone(), near("SG", &[4, 5, 6])].concat();
    assert!(is_anycast(&both));
    // Each side needs a quorum of its own.
    assert!(!is_anycast(
        &[germany.clone(), near("SG", &[4, 5])].concat()
    ));
    assert!(!is_anycast(
        &[germany.clone(), homes("SG", &[4, 5, 6], 3, 10)].concat()
    ));
    // One server half-way would do: 2 x 65 ms.
    assert!(!is_anycast(
        &[
            homes("DE", &[1, 2, 3], 4, 65),
            homes("SG", &[4, 5, 6], 4, 65)
        ]
        .concat()
    ));
    assert!(!is_anycast(&[germany, near("FR", &[4, 5, 6])].concat()));
    // Five liars in Germany do not split a server in Singapore in two.
    let liars = [1, 2, 3, 3, 2].map(|network| ("DE", network, 5));
    let split = [
        homes("DE", &[1, 2, 3], 9, 200),
        near("SG", &[4, 5, 6]),
        liars.to_vec(),
    ]
    .concat();
    assert!(!is_anycast(&split));
    assert!(
        is_anycast(&[split, vec![("DE", 1, 5)]].concat()),
        "the sixth does"
    );
}

#[test]
fn a_country_speaks_for_itself_with_a_quorum_of_its_own() {
    let testimony = hear(&[homes("DE", &[1, 2, 3], 4, 10), homes("FR", &[1, 4], 9, 10)].concat());
    let testimony = testimony.settle();
    assert!(testimony.speaks(QUORUM, SERVER, country("DE")));
    assert!(!testimony.speaks(QUORUM, SERVER, country("FR")));
    assert!(!testimony.speaks(QUORUM, Prefix::V4([8, 219, 2]), country("DE")));
}

#[test]
fn the_highest_prefixes_find_no_room() {
    let mut hearsay = Hearsay::default();
    let prefixes = |range: std::ops::Range<u32>| {
        range.map(|n| {
            let [_, a, b, c] = (n + 0x0100_0000).to_be_bytes();
            (Prefix::V4([a, b, c]), step(10))
        })
    };
    let max = u32::try_from(HEARSAY_MAX).expect("small");
    assert_eq!(hearsay.hear(origin("DE", 1), prefixes(1..max + 1)), 0);
    assert_eq!(hearsay.hear(origin("DE", 1), prefixes(0..1)), 1);
    assert_eq!(
        hearsay.hear(origin("DE", 1), prefixes(0..9)),
        0,
        "known ones"
    );
    let settled = hearsay.settle();
    assert_eq!(settled.prefixes().count(), HEARSAY_MAX);
    assert_eq!(
        settled.prefixes().next(),
        prefixes(0..1).next().map(|(prefix, _)| prefix)
    );
}

const CODES: [&str; 6] = ["DE", "FR", "SG", "BR", "RU", "PH"];
const STEPS: [u32; 7] = [5, 10, 20, 50, 65, 100, 200];

fn many() -> impl Strategy<Value = Homes> {
    let home = (0..4_usize, 1_u32..6, 0..STEPS.len());
    proptest::collection::vec(home, 0..60).prop_map(|homes| {
        let homes = homes.into_iter();
        homes
            .map(|(at, network, ms)| (CODES[at], network, STEPS[ms]))
            .collect()
    })
}

/// The rule's own words, over all homes at once.
fn refuted_naively(homes: &Homes, place: &str) -> bool {
    let kilometres = |home| {
        let kilometres = DISTANCES.kilometres(country(home), country(place));
        f64::from(kilometres.expect("both have outlines"))
    };
    let mut weight = 0;
    let mut networks = 0;
    for network in 1..6 {
        let of_it: Vec<_> = homes.iter().filter(|(_, n, _)| *n == network).collect();
        let refuting = of_it
            .iter()
            .filter(|(code, _, ms)| kilometres(code) > 149.897 * f64::from(ms + 1));
        if refuting.count() >= 2 {
            networks += 1;
            weight += of_it.len().min(4);
        }
    }
    networks >= 3 && weight >= 10
}

proptest! {
    #[test]
    fn a_country_falls_by_the_rule(homes in many()) {
        for place in CODES {
            prop_assert_eq!(falls(&homes, place), refuted_naively(&homes, place), "{}", place);
        }
    }

    /// Whoever waits longer says less.
    #[test]
    fn a_shorter_round_trip_refutes_at_least_as_much(kilometres: u16, a in 0..STEPS.len(), b in 0..STEPS.len()) {
        let [short, long] = [a.min(b), a.max(b)].map(|at| Reach::of(kilometres, step(STEPS[at])));
        prop_assert!(short >= long);
        prop_assert!(Reach::of(kilometres.saturating_add(1), step(STEPS[a])) >= Reach::of(kilometres, step(STEPS[a])));
    }

    /// More homes never raise what fell, whatever they say; and never join what was split.
    #[test]
    fn more_homes_take_no_verdict_back(homes in many(), more in many()) {
        let all = [homes.clone(), more].concat();
        for place in CODES {
            prop_assert!(verdict(&all, place).reach >= verdict(&homes, place).reach);
        }
        prop_assert!(!is_anycast(&homes) || is_anycast(&all));
    }

    /// Any five homes may say what they like: what falls would not have stood by the others' word
    /// alone only if the others were wrong too.
    #[test]
    fn five_homes_strike_out_no_truth(
        truth in 0..4_usize,
        honest in many(),
        liars in proptest::collection::vec((0..4_usize, 1_u32..6, 0..STEPS.len()), 0..6),
    ) {
        // Honest homes need the time that light needs, at the least.
        let needed = |code: &str| {
            let kilometres = DISTANCES.kilometres(country(code), country(CODES[truth]));
            f64::from(kilometres.expect("both have outlines")) / 149.897
        };
        let honest = honest.into_iter().filter(|(code, _, ms)| f64::from(*ms) >= needed(code));
        let liars = liars.into_iter().map(|(at, network, ms)| (CODES[at], network, STEPS[ms]));
        let all: Homes = honest.chain(liars).collect();
        prop_assert!(!falls(&all, CODES[truth]));
        prop_assert!(!is_anycast(&all));
    }

    /// What one country's homes say about a place follows from the disc around them.
    #[test]
    fn discs_and_verdicts_agree(homes in many()) {
        let testimony = hear(&homes).settle();
        for home in CODES {
            let disc = testimony.disc_metres(QUORUM, SERVER, country(home));
            prop_assert_eq!(disc.is_some(), testimony.speaks(QUORUM, SERVER, country(home)));
            for place in CODES {
                let verdict = testimony.verdict(&DISTANCES, QUORUM, SERVER, country(place), Some(country(home)));
                let kilometres = DISTANCES.kilometres(country(home), country(place));
                let outside = disc.is_some_and(|disc| u64::from(kilometres.expect("both")) * 1_000 > disc);
                prop_assert_eq!(verdict.reach == Reach::Impossible, outside);
            }
        }
    }

    /// Slices may be heard in any order and in any grouping.
    #[test]
    fn hearing_is_adding(homes in many(), cut in 0_usize..60) {
        let (front, back) = homes.split_at(cut.min(homes.len()));
        let mut added = hear(back);
        prop_assert_eq!(added.add(hear(front)), 0);
        prop_assert_eq!(added, hear(&homes));
    }
}
