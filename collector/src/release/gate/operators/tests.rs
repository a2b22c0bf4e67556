use super::super::tests::judge as judge_counters;
use super::*;
use crate::fold::fixture::vendor;
use crate::geo::PlaceStatus;
use crate::geo::network::Asn;
use crate::release::Release;
use phonehome_proto::net::Country;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Networks of servers: two companies of China, one of Singapore that is called like the first, one of
/// the United States that is the only one used there.
const SERVERS: [u32; 4] = [45_102, 59_019, 134_963, 16_509];

/// One home with a phone of Xiaomi: its network (0 weighs nothing), the networks it met its vendor in,
/// and whether it met one more whose company no table lists.
#[derive(Clone, Debug, PartialEq)]
struct Home {
    network: u32,
    met: BTreeSet<usize>,
    met_unlisted: bool,
}

fn home(network: u32, met: &[usize]) -> Home {
    Home {
        network,
        met: met.iter().copied().collect(),
        met_unlisted: false,
    }
}

fn operator(server: usize) -> Operator {
    Operator::of(Asn(SERVERS[server])).expect("the table lists it")
}

fn column(server: usize) -> Column {
    Column::Country(operator(server).country())
}

fn judge(homes: &[Home]) -> Release {
    let mut counters = Counters::default();
    for home in homes {
        let mut did: BTreeMap<Question, PlaceStatus> = BTreeMap::new();
        for &server in &home.met {
            did.insert(Question::Operator(operator(server)), PlaceStatus::Confident);
            did.insert(Question::Network(column(server)), PlaceStatus::Confident);
        }
        if home.met_unlisted {
            did.insert(Question::Network(Column::Unknown), PlaceStatus::Unknown);
        }
        let did: Vec<_> = did.into_iter().collect();
        let network = (home.network > 0).then_some(Asn(64_496 + home.network));
        let settled = Some(Country::parse("DE"));
        counters.vote(vendor("xiaomi"), network, settled, &did);
    }
    judge_counters(&counters, &GateRules::default())
}

fn told(release: &Release) -> Vec<String> {
    let told = release
        .operators
        .iter()
        .map(|(vendor, operator)| format!("{vendor} {} ({})", operator.name, operator.country));
    told.collect()
}

/// `homes` homes in twelve networks, that all met these.
fn spread(homes: u32, met: &[usize]) -> impl Iterator<Item = Home> {
    (0..homes).map(move |at| home(1 + at % 12, met))
}

#[test]
fn an_operator_is_named_for_the_homes_that_met_it() {
    let homes: Vec<Home> = spread(30, &[0])
        .chain(spread(9, &[1]))
        .chain(spread(24, &[2]))
        .collect();
    assert_eq!(
        told(&judge(&homes)),
        ["xiaomi Alibaba Cloud (CN)", "xiaomi Alibaba Cloud (SG)"]
    );
    // Forty homes of two networks are eight.
    let homes: Vec<Home> = (0..40).map(|at| home(1 + at % 2, &[0])).collect();
    assert!(told(&judge(&homes)).is_empty());
    // Homes in clouds count in numbers and give no weight.
    let homes: Vec<Home> = (0..40).map(|_| home(0, &[0])).collect();
    assert!(told(&judge(&homes)).is_empty());
    assert!(told(&judge(&[])).is_empty());
}

/// Of fifteen certain homes in a country, ten at least in one company's networks leave five at most.
#[test]
fn a_small_cell_names_nobody() {
    let named = |homes: u32| told(&judge(&spread(homes, &[3]).collect::<Vec<_>>())).len();
    assert_eq!([10, 17, 18, 40].map(named), [0, 0, 1, 1]);
}

/// Whatever fewer than ten homes do in other networks of the same country, names stay as they are: a
/// complement would have shown them.
#[test]
fn homes_below_the_gate_change_no_name() {
    let many: Vec<Home> = spread(40, &[0]).collect();
    let names = told(&judge(&many));
    assert_eq!(names, ["xiaomi Alibaba Cloud (CN)"]);
    for few in 0..10 {
        for met in [&[1][..], &[1, 2, 3], &[0, 1], &[]] {
            let homes: Vec<Home> = many.iter().cloned().chain(spread(few, met)).collect();
            assert_eq!(told(&judge(&homes)), names, "{few} more met {met:?}");
        }
    }
}

fn homes() -> impl Strategy<Value = Vec<Home>> {
    let met = prop::collection::btree_set(0..SERVERS.len(), 0..4);
    let group = (1_usize..24, met, any::<bool>(), 0_u32..14, any::<bool>());
    let groups = prop::collection::vec(group, 0..6);
    groups.prop_map(|groups| {
        let mut homes = Vec::new();
        for (many, met, met_unlisted, network, is_spread) in groups {
            homes.extend((0..many).map(|at| Home {
                network: if is_spread {
                    network + u32::try_from(at).expect("few") % 7
                } else {
                    network
                },
                met: met.clone(),
                met_unlisted,
            }));
        }
        homes
    })
}

/// What these homes weigh, straight from the rule's words.
fn weight<'a>(homes: impl Iterator<Item = &'a Home>) -> u32 {
    let mut networks: HashMap<u32, u32> = HashMap::new();
    for home in homes.filter(|home| home.network > 0) {
        *networks.entry(home.network).or_default() += 1;
    }
    networks.values().map(|&homes| homes.min(4)).sum()
}

/// The servers' operators that the rule names.
fn naive(homes: &[Home]) -> BTreeSet<usize> {
    let named = |&server: &usize| {
        let met = |home: &&Home| home.met.contains(&server);
        let met_country = |home: &&Home| home.met.iter().any(|&at| column(at) == column(server));
        let in_country = homes.iter().filter(met_country).count();
        // 18 and more round to twenty.
        weight(homes.iter().filter(met)) >= 10 && in_country >= 18
    };
    (0..SERVERS.len()).filter(named).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn exactly_those_that_pass_are_named(homes in homes()) {
        let release = judge(&homes);
        let expected: BTreeSet<_> = naive(&homes)
            .into_iter()
            .map(|server| (vendor("xiaomi"), NetworkOperator::from(operator(server))))
            .collect();
        prop_assert_eq!(&release.operators, &expected);
        for (of, operator) in &release.operators {
            let cell = release.network[&(*of, Column::Country(operator.country))];
            prop_assert!(cell.numbers().is_some(), "its country is shown");
        }
    }

    /// One home more or less changes a name only where the homes behind that very name were ten, or the
    /// cell beside it changes its number too.
    #[test]
    fn one_home_shows_only_at_the_gate(homes in homes(), who in any::<prop::sample::Index>()) {
        prop_assume!(!homes.is_empty());
        let mut fewer = homes.clone();
        let gone = fewer.remove(who.index(fewer.len()));
        let (with, without) = (judge(&homes), judge(&fewer));
        for server in 0..SERVERS.len() {
            let key = (vendor("xiaomi"), NetworkOperator::from(operator(server)));
            if with.operators.contains(&key) != without.operators.contains(&key) {
                prop_assert!(gone.met.iter().any(|&at| column(at) == column(server)));
                let at_the_gate = weight(homes.iter().filter(|home| home.met.contains(&server))) == 10;
                let cell = |release: &Release| release.network[&(key.0, column(server))];
                prop_assert!(at_the_gate || cell(&with) != cell(&without));
            }
        }
    }

    /// Whoever takes the least that a name stands for away from its country's cell is left with a
    /// number of homes that may be ten and more, or knows that there are none.
    #[test]
    fn nothing_small_is_left_beside_a_name(homes in homes()) {
        let release = judge(&homes);
        for (of, operator) in &release.operators {
            let cell = release.network[&(*of, Column::Country(operator.country))];
            let certain = cell.numbers().expect("its country is shown").x_low;
            prop_assert!(certain + 2 - 10 >= 10, "{certain} homes, of which ten are told apart");
        }
    }
}
