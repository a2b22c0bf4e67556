use super::*;
use crate::fold::fixture::{own_endpoint, vendor, week};
use crate::geo::network::Asn;
use crate::release::{BasisPoints, Numbers};
use phonehome_proto::net::Country;
use proptest::prelude::*;
use std::collections::HashMap;

fn country(code: &str) -> Country {
    Country::new(code.as_bytes().try_into().expect("two letters")).expect("a code")
}

fn column(code: &str) -> Column {
    Column::Country(country(code))
}

/// The release that these counters make.
pub(super) fn judge(counters: &Counters, rules: &GateRules) -> Release {
    let id = ReleaseId {
        week: week(),
        revision: 0,
    };
    release(
        About {
            id,
            purpose: Purpose::Exercise,
            atlas: Vec::new(),
        },
        counters,
        rules,
    )
}

/// `homes` homes of Xiaomi in each of `networks` networks, that all did this.
fn vote(counters: &mut Counters, networks: u32, homes: u32, did: &[(Question, PlaceStatus)]) {
    for network in 0..networks {
        for _ in 0..homes {
            let settled = Some(Some(country("DE")));
            counters.vote(vendor("xiaomi"), Some(Asn(64_496 + network)), settled, did);
        }
    }
}

const CONFIDENT: PlaceStatus = PlaceStatus::Confident;

fn singapore() -> Question {
    Question::Server(column("SG"))
}

fn xiaomi(release: &Release, code: &str) -> Cell {
    release.server[&(vendor("xiaomi"), column(code))]
}

/// A zero would say that Google's phones were asked about endpoints that nobody has listed.
#[test]
fn a_vendor_without_endpoints_of_its_own_is_not_asked() {
    let mut counters = Counters::default();
    vote(&mut counters, 10, 4, &[(singapore(), CONFIDENT)]);
    for network in 0..10 {
        counters.vote(vendor("google"), Some(Asn(64_496 + network)), None, &[]);
    }
    let release = judge(&counters, &GateRules::default());
    assert_eq!(
        release.server[&(vendor("google"), column("SG"))],
        Cell::NotApplicable
    );
    assert_eq!(
        release.home[&(vendor("google"), column("SG"), None)],
        Cell::NotApplicable
    );
    assert_eq!(
        release.server[&(vendor("apple"), column("SG"))],
        Cell::NoData
    );
}

#[test]
fn ten_homes_of_one_network_are_four() {
    for (networks, homes, is_shown) in [
        (1, 50, false),
        (2, 50, false),
        (3, 50, true),
        (3, 3, false),
        (10, 1, true),
        (9, 1, false),
    ] {
        let mut counters = Counters::default();
        vote(&mut counters, networks, homes, &[(singapore(), CONFIDENT)]);
        vote(&mut counters, 20, 5, &[]);
        let cell = xiaomi(&judge(&counters, &GateRules::default()), "SG");
        assert_eq!(
            cell.numbers().is_some(),
            is_shown,
            "{networks} x {homes}: {cell:?}"
        );
        assert_eq!(
            cell == Cell::Suppressed,
            !is_shown,
            "{networks} x {homes}: {cell:?}"
        );
    }
}

#[test]
fn six_states() {
    let mut counters = Counters::default();
    let russia = Question::Server(column("RU"));
    vote(&mut counters, 30, 10, &[(singapore(), CONFIDENT)]);
    vote(&mut counters, 1, 3, &[(russia, CONFIDENT)]);
    counters.vote(vendor("apple"), Some(Asn(64_500)), None, &[]);
    let release = judge(&counters, &GateRules::default());
    let state = |id, code| release.server[&(vendor(id), column(code))].state();
    assert_eq!(state("xiaomi", "SG"), "value");
    assert_eq!(state("xiaomi", "RU"), "suppressed");
    assert_eq!(state("apple", "SG"), "suppressed", "too few were asked");
    assert_eq!(state("samsung", "SG"), "no_data");
    assert_eq!(
        release.server.len(),
        2 * Vendor::all().len(),
        "every vendor has every column"
    );
    assert_eq!(release.network, Matrix::new());
    assert_eq!((release.homes, release.networks), (Some(305), Some(20)));

    let Cell::Value(numbers) = xiaomi(&release, "SG") else {
        panic!("a value")
    };
    assert_eq!((numbers.x_low, numbers.x_high, numbers.n), (300, 300, 305));
    assert_eq!(numbers.share, BasisPoints(9_836));
    // Wilson's lower limit of 298/307.
    assert_eq!(numbers.share_low, BasisPoints(9_452));
    // And the upper one of 302/303.
    assert_eq!(numbers.share_high, BasisPoints(9_995));
    assert_eq!((numbers.networks, numbers.radius), (20, 111));
}

#[test]
fn a_zero_is_exact_and_one_liar_undoes_it() {
    let mut counters = Counters::default();
    vote(&mut counters, 20, 1, &[]);
    let apple = Some(Asn(1));
    counters.vote(
        vendor("apple"),
        apple,
        None,
        &[(singapore(), PlaceStatus::Single)],
    );
    let Cell::Zero(numbers) = xiaomi(&judge(&counters, &GateRules::default()), "SG") else {
        panic!("a zero")
    };
    assert_eq!(
        (numbers.share, numbers.share_low),
        (BasisPoints(0), BasisPoints(0))
    );
    // Wilson's upper limit of 0/18: z^2 / (n + z^2).
    assert_eq!(numbers.share_high, BasisPoints(1_759));
    assert_eq!((numbers.x_high, numbers.n, numbers.radius), (0, 20, 1));
    assert_eq!(numbers.place_status, CONFIDENT);
}

#[test]
fn one_source_or_a_wide_interval_is_imprecise() {
    let state = |did, asked, status| {
        let mut counters = Counters::default();
        vote(&mut counters, did, 10, &[(singapore(), status)]);
        vote(&mut counters, asked - did, 10, &[]);
        xiaomi(&judge(&counters, &GateRules::default()), "SG").state()
    };
    assert_eq!(state(100, 101, CONFIDENT), "value");
    assert_eq!(state(100, 101, PlaceStatus::Single), "imprecise");
    assert_eq!(state(100, 101, PlaceStatus::Disputed), "imprecise");
    assert_eq!(
        state(3, 12, CONFIDENT),
        "imprecise",
        "25 % lies on a border of classes"
    );
}

#[test]
fn too_few_certain_homes_are_told_as_none() {
    let mut counters = Counters::default();
    vote(
        &mut counters,
        10,
        4,
        &[(singapore(), PlaceStatus::Disputed)],
    );
    vote(&mut counters, 3, 3, &[(singapore(), CONFIDENT)]);
    let cell = xiaomi(&judge(&counters, &GateRules::default()), "SG");
    let numbers = cell.numbers().expect("it passes");
    assert_eq!((numbers.x_low, numbers.x_high), (0, 50));
    assert_eq!(numbers.share_low, BasisPoints(0));
    assert_eq!(numbers.place_status, PlaceStatus::Disputed);
}

#[test]
fn a_home_country_goes_when_its_number_could_be_subtracted() {
    let mut counters = Counters::default();
    let mut settle = |code: Option<&str>, networks: u32, homes: u32, did: &[_]| {
        for home in 0..networks * homes {
            let network = Some(Asn(64_496 + home % networks));
            let at = code.map(|code| Some(country(code)));
            counters.vote(vendor("xiaomi"), network, at, did);
        }
    };
    settle(Some("DE"), 8, 10, &[(singapore(), CONFIDENT)]);
    settle(Some("FR"), 5, 11, &[]);
    let states = |counters: &Counters| {
        let release = judge(counters, &GateRules::default());
        let cells = release
            .home
            .iter()
            .filter(|((of, ..), _)| *of == vendor("xiaomi"));
        let told = cells.map(|((.., home), cell)| {
            let home = home.map_or("other".to_owned(), |country| country.to_string());
            format!("{home} {}", cell.state())
        });
        told.collect::<Vec<_>>().join(", ")
    };
    let whole = counters.clone();
    assert_eq!(states(&whole), "other no_data, DE value, FR zero");
    // Three homes that roam: 138 asked in the world, less 80 and 55, would tell of them.
    for _ in 0..3 {
        counters.vote(vendor("xiaomi"), Some(Asn(64_496)), None, &[]);
    }
    assert_eq!(states(&counters), "other no_data, DE value, FR suppressed");
}

#[test]
fn endpoints_stand_for_themselves() {
    let mut counters = Counters::default();
    let endpoint = own_endpoint("xiaomi");
    vote(
        &mut counters,
        30,
        10,
        &[(Question::Endpoint(endpoint), CONFIDENT)],
    );
    let release = judge(&counters, &GateRules::default());
    assert_eq!(
        release.endpoints[&(vendor("xiaomi"), endpoint)].state(),
        "value"
    );
    assert_eq!(
        release.endpoints[&(vendor("apple"), endpoint)],
        Cell::NoData
    );
}

// === against a naive model, and an attacker ===

/// One home of Xiaomi: where it is settled (3 is nowhere known, 4 roams), its network (0 weighs
/// nothing), and what it did about Singapore (0 nothing, 1 possibly, 2 certainly).
type Spec = (usize, u32, u8);

const SETTLED: [&str; 3] = ["DE", "FR", "NG"];

/// Home countries stand apart from 12 homes on, so that small worlds have several.
const RULES: GateRules = GateRules {
    k: 10,
    network_homes_max: 4,
    rounding: 5,
    home_country_homes_min: 12,
};

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let settled =
        prop_oneof![8 => Just(0_usize), 6 => Just(1), 3 => Just(2), 1 => Just(3), 1 => Just(4)];
    let did = prop_oneof![3 => Just(0_u8), 1 => Just(1), 3 => Just(2)];
    proptest::collection::vec((settled, 0_u32..9, did), 0..160)
}

fn counters(specs: &[Spec]) -> Counters {
    let mut counters = Counters::default();
    for &(at, network, did) in specs {
        let settled = match at {
            4 => None,
            3 => Some(None),
            _ => Some(Some(country(SETTLED[at]))),
        };
        // No two countries share a network, as in life.
        let network =
            (network > 0).then(|| Asn(64_496 + network + 16 * u32::try_from(at).expect("small")));
        let status = if did == 2 {
            CONFIDENT
        } else {
            PlaceStatus::Disputed
        };
        let answer = [(singapore(), status)];
        let answer = if did == 0 { &[][..] } else { &answer };
        counters.vote(vendor("xiaomi"), network, settled, answer);
    }
    counters
}

/// Whether these homes may be told, straight from the rule's words.
fn passes<'a>(homes: impl Iterator<Item = &'a Spec>) -> bool {
    let mut networks: HashMap<(usize, u32), u32> = HashMap::new();
    for &(at, network, _) in homes.filter(|(_, network, _)| *network > 0) {
        *networks.entry((at, network)).or_default() += 1;
    }
    networks.values().map(|&homes| homes.min(4)).sum::<u32>() >= 10
}

fn rounded(count: usize) -> u32 {
    u32::try_from((count + 2) / 5 * 5).expect("few")
}

proptest! {
    #[test]
    fn states_agree_with_the_rule(specs in specs()) {
        let release = judge(&counters(&specs), &RULES);
        let did = |least: u8| specs.iter().filter(move |(.., did)| *did >= least);
        let Some(cell) = release.server.get(&(vendor("xiaomi"), column("SG"))) else {
            prop_assert_eq!(did(1).count(), 0, "no column without an answer");
            return Ok(());
        };
        let is_shown = passes(did(1));
        prop_assert_eq!(cell.state() == "suppressed", !is_shown);
        if let Some(numbers) = cell.numbers() {
            prop_assert_eq!(numbers.n, rounded(specs.len()));
            prop_assert_eq!(numbers.x_high, rounded(did(1).count()));
            let certain = if passes(did(2)) { rounded(did(2).count()) } else { 0 };
            prop_assert_eq!(numbers.x_low, certain);
            prop_assert!(numbers.share_low <= numbers.share && numbers.share <= numbers.share_high);
        }
        prop_assert_eq!(release.homes.is_some(), passes(specs.iter()));
        prop_assert_eq!(&judge(&counters(&specs), &RULES), &release, "twice the same");
    }

    /// The attacker knows the release and the rules, and subtracts. Whatever is left of a published
    /// whole after its published parts, in any of the three counts, is nobody or passes the gate;
    /// and no arithmetic on the published numbers says that it is fewer.
    #[test]
    fn nothing_can_be_subtracted_out(specs in specs()) {
        let release = judge(&counters(&specs), &RULES);
        let whole = release.server.get(&(vendor("xiaomi"), column("SG"))).and_then(Cell::numbers);
        let Some(whole) = whole else { return Ok(()) };
        let parts: Vec<_> = release
            .home
            .iter()
            .filter(|((of, at, _), _)| *of == vendor("xiaomi") && *at == column("SG"))
            .map(|((.., home), cell)| (*home, cell.numbers()))
            .collect();
        let apart = |at: usize| {
            let code = (at < 3).then(|| country(SETTLED[at]));
            code.filter(|code| parts.iter().any(|(home, _)| *home == Some(*code)))
        };
        for least in 0..=2 {
            let told = |numbers: &Numbers| [numbers.n, numbers.x_high, numbers.x_low][least];
            let least = u8::try_from(least).expect("small");
            let is_told = |at: usize| {
                let numbers = parts.iter().find(|(home, _)| *home == apart(at)).and_then(|(_, n)| *n);
                // "At least none" of the certain homes says nothing.
                at < 4 && numbers.is_some_and(|numbers| least < 2 || told(numbers) > 0)
            };
            if least == 2 && told(whole) == 0 {
                continue;
            }
            let left: Vec<_> =
                specs.iter().filter(|(at, _, did)| *did >= least && !is_told(*at)).collect();
            prop_assert!(left.is_empty() || passes(left.iter().copied()), "{least}: {left:?}");
            let sum: u32 = parts.iter().filter_map(|(_, numbers)| numbers.map(told)).sum();
            let slack = 2 * (u32::try_from(parts.len()).expect("few") + 1);
            if !left.is_empty() {
                prop_assert!(told(whole) + slack >= sum + RULES.k, "{least}: {whole:?} {parts:?}");
            }
        }
    }
}
