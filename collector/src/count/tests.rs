use super::*;
use crate::enrich::Survey;
use crate::fold::fixture::{Said, batch, own_endpoint, vendor, week};
use crate::geo::atlas::Atlas;
use crate::geo::country::CountrySource;
use crate::geo::country::fixture::{Layout, database};
use crate::geo::network::Origin;
use crate::packing::{Packed, unpack_all};
use crate::release::gate::GateRules;
use phonehome_proto::batch::Batch;
use phonehome_proto::census::Basis;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

type HomeBatches = Vec<(Batch, Option<Origin>)>;

fn country(code: &str) -> Country {
    Country::new(code.as_bytes().try_into().expect("two letters")).expect("a code")
}

/// The compiled-in database, and a second one that agrees about 161.117/16 and disputes 8.209.0/24.
fn atlas() -> Atlas {
    let rows = [("161.117.0.0/16", "SG"), ("8.209.0.0/24", "SG")];
    let second = CountrySource::read("second", database(Layout::Flat, &rows));
    Atlas::embedded().with_countries(second.expect("a database"))
}

fn fold(batches: &HomeBatches) -> HomeWeek {
    let batches = batches.iter().map(|(batch, origin)| (batch, *origin));
    HomeWeek::of(week(), batches).expect("a home with batches")
}

/// Both passes over all homes, in slices.
fn count(atlas: &Atlas, slices: &[&[HomeBatches]]) -> Counters {
    let mut survey = Survey::new(atlas);
    for slice in slices {
        let mut part = Survey::new(atlas);
        slice.iter().for_each(|home| part.hear(&fold(home)));
        survey.add(part);
    }
    let places = survey.settle(RULES.quorum());
    let mut counters = Counters::default();
    for slice in slices {
        let mut part = Counters::default();
        let mut places = places.clone();
        slice
            .iter()
            .for_each(|home| part.count(&fold(home), &mut places));
        counters.add(part);
    }
    counters
}

/// Phones of Xiaomi, present all week, that said this on Monday.
fn home(network: u32, code: &str, said: &[Said]) -> HomeBatches {
    let origin = Some(Origin {
        country: country(code),
        network: Asn(network),
    });
    (0..7)
        .map(|day| {
            batch(
                day,
                &[("xiaomi", Basis::Declared)],
                if day == 0 { said } else { &[] },
            )
        })
        .map(|batch| (batch, origin))
        .collect()
}

fn said(prefix: [u8; 3]) -> Said {
    Said::to("xiaomi", own_endpoint("xiaomi"), prefix)
}

fn did(counters: &Counters, question: Question) -> Option<[u32; 2]> {
    let answers = counters.answers(vendor("xiaomi"), question)?;
    Some([answers.low.world.homes(), answers.high.world.homes()])
}

const SINGAPORE: [u8; 3] = [161, 117, 70];
const DISPUTED: [u8; 3] = [8, 209, 0];
const RUSSIA: [u8; 3] = [8, 209, 1];

#[test]
fn a_home_votes_once() {
    let twice = [said(SINGAPORE), said([161, 117, 71]), said([8, 219, 1])];
    let counters = count(&atlas(), &[&[home(3_320, "DE", &twice)]]);
    let singapore = Question::Server(Column::Country(country("SG")));
    assert_eq!(did(&counters, singapore), Some([1, 1]));
    let answers = counters
        .answers(vendor("xiaomi"), singapore)
        .expect("an answer");
    assert_eq!(
        answers.status,
        PlaceStatus::Confident,
        "its best place counts"
    );
    assert_eq!(
        answers.bytes_up,
        BTreeMap::from([(Magnitude::of(3_000), 1)])
    );
    assert_eq!(
        did(&counters, Question::Network(Column::Country(country("CN")))),
        Some([1, 1])
    );
    assert_eq!(
        did(&counters, Question::Owner(Column::Country(country("CN")))),
        Some([1, 1])
    );
    assert_eq!(
        did(&counters, Question::Endpoint(own_endpoint("xiaomi"))),
        Some([1, 1])
    );
    let alibaba = Operator::of(Asn(45_102)).expect("the table lists it");
    assert_eq!(did(&counters, Question::Operator(alibaba)), Some([1, 1]));
}

#[test]
fn networks_without_one_listed_operator_are_nobodys() {
    let unlisted = said([203, 0, 113]);
    let counters = count(&atlas(), &[&[home(3_320, "DE", &[unlisted])]]);
    let is_operator = |(_, question): &(_, Question)| matches!(question, Question::Operator(_));
    assert_eq!(counters.questions().filter(is_operator).count(), 0);
    assert_eq!(
        did(&counters, Question::Network(Column::Unknown)),
        Some([1, 1])
    );
}

#[test]
fn a_disputed_place_counts_high_for_each_candidate() {
    let counters = count(&atlas(), &[&[home(3_320, "DE", &[said(DISPUTED)])]]);
    for code in ["SG", "RU"] {
        let question = Question::Server(Column::Country(country(code)));
        assert_eq!(did(&counters, question), Some([0, 1]), "{code}");
    }
    let anycast = count(&atlas(), &[&[home(3_320, "DE", &[said([8, 8, 8])])]]);
    assert_eq!(
        did(&anycast, Question::Server(Column::Anycast)),
        Some([1, 1])
    );
}

const RULES: GateRules = GateRules {
    k: 10,
    network_homes_max: 4,
    rounding: 5,
    home_country_homes_min: 50,
};

/// Four homes in each of these networks, whose phones said this so quickly.
fn quick(networks: &[u32], code: &str, prefix: [u8; 3], ms: u32) -> Vec<HomeBatches> {
    let said = Said {
        rtt_ms: Some(ms),
        ..said(prefix)
    };
    let networks = networks.iter().flat_map(|&n| std::iter::repeat_n(n, 4));
    networks
        .map(|network| home(network, code, &[said]))
        .collect()
}

#[test]
fn light_strikes_a_country_out_for_everybody() {
    // 10 ms from Germany reach Russia and not Singapore; two networks are not enough to say so.
    let places = |networks: &[u32], ms| {
        let counters = count(&atlas(), &[&quick(networks, "DE", DISPUTED, ms)]);
        let at = |code| did(&counters, Question::Server(Column::Country(country(code))));
        (at("SG"), at("RU"))
    };
    assert_eq!(places(&[3_320, 3_209], 10), (Some([0, 8]), Some([0, 8])));
    assert_eq!(places(&[3_320, 3_209, 6_805], 10), (None, Some([12, 12])));
    // A cloud, and homes behind a box that answers for everybody, refute nothing.
    assert_eq!(
        places(&[3_320, 3_209, 24_940], 10),
        (Some([0, 12]), Some([0, 12]))
    );
    assert_eq!(
        places(&[3_320, 3_209, 6_805], 5),
        (Some([0, 12]), Some([0, 12]))
    );
}

/// A server in Singapore, going by both databases, that homes in Germany reach within 10 ms.
#[test]
fn what_is_near_everybody_is_many_places() {
    let germany = quick(&[3_320, 3_209, 6_805], "DE", SINGAPORE, 10);
    let malaysia = quick(&[64_500, 64_501, 64_502], "MY", SINGAPORE, 10);
    let nigeria = quick(&[64_505], "NG", SINGAPORE, 300);
    let at = |counters: &Counters, question: fn(Column) -> Question, column: Column| {
        let answers = counters.answers(vendor("xiaomi"), question(column))?;
        let settled = answers.high.settled.iter();
        let settled = settled.map(|(home, homes)| {
            let home = home.map_or("-", |country| {
                if country.as_str() == "DE" {
                    "DE"
                } else if country.as_str() == "MY" {
                    "MY"
                } else {
                    "NG"
                }
            });
            format!("{home} {}", homes.homes())
        });
        Some((
            settled.collect::<Vec<_>>().join(", "),
            answers.low.world.homes(),
        ))
    };
    let singapore = Column::Country(country("SG"));
    let counters = count(&atlas(), &[&germany, &malaysia, &nigeria]);
    let everybody = "DE 12, MY 12, NG 4".to_owned();
    assert_eq!(at(&counters, Question::Server, singapore), None);
    assert_eq!(
        at(&counters, Question::Server, Column::Anycast),
        Some((everybody, 28))
    );
    // For homes in Malaysia it may be the one in Singapore. For homes in Germany it is not, and homes
    // in Nigeria cannot tell.
    assert_eq!(
        at(&counters, Question::Here, singapore),
        Some(("MY 12".to_owned(), 0))
    );
    assert_eq!(
        at(&counters, Question::Here, Column::Anycast),
        Some(("DE 12, NG 4".to_owned(), 16))
    );

    // Without homes near Singapore there is one disc, and Singapore is not in it.
    let counters = count(&atlas(), &[&germany, &nigeria]);
    let everybody = "DE 12, NG 4".to_owned();
    assert_eq!(
        at(&counters, Question::Server, Column::Unknown),
        Some((everybody, 16))
    );
    // Without the German ones nothing contradicts.
    let counters = count(&atlas(), &[&malaysia, &nigeria]);
    let everybody = "MY 12, NG 4".to_owned();
    assert_eq!(
        at(&counters, Question::Server, singapore),
        Some((everybody, 16))
    );
}

/// The owner's own word agrees with a database, or disputes it, or stands alone; light goes first.
#[test]
fn a_region_token_is_an_opinion() {
    let token = EndpointId::all().find(|endpoint| {
        endpoint.is_own_of(vendor("xiaomi"))
            && endpoint.edge().is_none()
            && endpoint.region() == Some(country("RU"))
    });
    let token = token.expect("the list has one of Xiaomi's for Russia");
    let at = |prefix, ms| {
        let said = Said {
            rtt_ms: ms,
            ..Said::to("xiaomi", token, prefix)
        };
        let networks = [3_320, 3_209, 6_805]
            .iter()
            .flat_map(|&n| std::iter::repeat_n(n, 4));
        let homes: Vec<_> = networks
            .map(|network| home(network, "DE", &[said]))
            .collect();
        let counters = count(&Atlas::embedded(), &[&homes]);
        let answers = counters
            .questions()
            .filter_map(|(of, question)| match question {
                Question::Server(column) => {
                    let status = counters.answers(of, question)?.status;
                    Some(format!("{} {}", column.code(), status.as_str()))
                }
                _ => None,
            });
        answers.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(at(RUSSIA, None), "RU confident");
    assert_eq!(at(SINGAPORE, None), "RU disputed, SG disputed");
    assert_eq!(at(SINGAPORE, Some(10)), "RU single");
    assert_eq!(at([203, 0, 113], None), "RU single");
    assert_eq!(at([8, 8, 8], None), "anycast anycast");
}

#[test]
fn roaming_homes_count_in_the_world_only() {
    let mut roaming = home(3_320, "DE", &[said(RUSSIA)]);
    roaming[3].1 = Some(Origin {
        country: country("FR"),
        network: Asn(3_215),
    });
    let counters = count(&atlas(), &[&[roaming, home(3_320, "DE", &[])]]);
    let asked = counters.asked(vendor("xiaomi")).expect("two homes");
    assert_eq!(asked.world.homes(), 2);
    assert_eq!(
        asked.settled.keys().collect::<Vec<_>>(),
        [&Some(country("DE"))]
    );
    assert_eq!(asked.settled[&Some(country("DE"))].homes(), 1);
}

#[test]
fn hosting_counts_and_weighs_nothing() {
    let counters = count(&atlas(), &[&[home(24_940, "DE", &[]), home(0, "DE", &[])]]);
    let asked = counters.asked(vendor("xiaomi")).expect("two homes");
    assert_eq!((asked.world.homes(), asked.world.weight(4)), (2, 0));
}

#[test]
fn other_owners_endpoints_stand_in_the_endpoint_table_only() {
    let foreign = Said::to("xiaomi", own_endpoint("apple"), SINGAPORE);
    let counters = count(&atlas(), &[&[home(3_320, "DE", &[foreign])]]);
    let questions: Vec<_> = counters.questions().map(|(_, question)| question).collect();
    assert_eq!(questions, [Question::Endpoint(own_endpoint("apple"))]);
}

// === against a naive model ===

#[derive(Clone, Debug)]
struct Spec {
    network: u32,
    /// Of each batch: day, basis of the phone, and where it went, if anywhere.
    batches: Vec<(usize, usize, Option<usize>)>,
}

const BASES: [Basis; 4] = [
    Basis::Declared,
    Basis::Decisive,
    Basis::Inferred,
    Basis::Circular,
];

/// Where a phone may go; columns that count low and high.
const PLACES: [([u8; 3], &[&str], &[&str]); 6] = [
    (SINGAPORE, &["SG"], &["SG"]),
    ([8, 219, 9], &["SG"], &["SG"]),
    (RUSSIA, &["RU"], &["RU"]),
    (DISPUTED, &[], &["RU", "SG"]),
    ([8, 8, 8], &["anycast"], &["anycast"]),
    ([203, 0, 113], &["unknown"], &["unknown"]),
];

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let batch = (
        0_usize..7,
        0_usize..4,
        proptest::option::of(0_usize..PLACES.len()),
    );
    let network = prop_oneof![Just(24_940), 64_500_u32..64_504];
    let home = (network, proptest::collection::vec(batch, 1..10))
        .prop_map(|(network, batches)| Spec { network, batches });
    proptest::collection::vec(home, 0..12)
}

fn batches(spec: &Spec) -> HomeBatches {
    let origin = Some(Origin {
        country: country("NG"),
        network: Asn(spec.network),
    });
    let batches = spec.batches.iter().map(|&(day, basis, place)| {
        let basis = BASES[basis];
        let said = place.map(|at| Said {
            basis,
            ..said(PLACES[at].0)
        });
        (batch(day, &[("xiaomi", basis)], said.as_slice()), origin)
    });
    batches.collect()
}

/// n, and per column x_low and x_high, straight from the rule's words.
fn naive(specs: &[Spec]) -> (u32, HashMap<String, [u32; 2]>) {
    let mut asked = 0;
    let mut did: HashMap<String, [u32; 2]> = HashMap::new();
    for spec in specs {
        let counted = |basis: usize| BASES[basis] != Basis::Circular;
        let days: HashSet<_> = spec
            .batches
            .iter()
            .filter(|&&(_, basis, _)| counted(basis))
            .map(|(day, ..)| day)
            .collect();
        if days.len() < 4 {
            continue;
        }
        asked += 1;
        let mut columns: [HashSet<&str>; 2] = Default::default();
        for &(_, basis, place) in &spec.batches {
            if let (Some(at), true) = (place, BASES[basis] != Basis::Circular) {
                columns[0].extend(PLACES[at].1);
                columns[1].extend(PLACES[at].2);
            }
        }
        for (side, codes) in columns.iter().enumerate() {
            for &code in codes {
                did.entry(code.to_owned()).or_default()[side] += 1;
            }
        }
    }
    (asked, did)
}

proptest! {
    #[test]
    fn counters_agree_with_the_rule(specs in specs()) {
        let homes: Vec<_> = specs.iter().map(batches).collect();
        let counters = count(&atlas(), &[&homes]);
        let (asked, expected) = naive(&specs);
        let xiaomi = vendor("xiaomi");
        prop_assert_eq!(counters.homes().homes(), u32::try_from(specs.len()).expect("few"));
        prop_assert_eq!(counters.asked(xiaomi).map_or(0, |split| split.world.homes()), asked);
        let mut counted = HashMap::new();
        for (_, question) in counters.questions() {
            if let Question::Server(column) = question {
                let pair = did(&counters, question).expect("it is listed");
                counted.insert(column.code().to_owned(), pair);
            }
        }
        prop_assert_eq!(counted, expected);
    }

    /// Until a week is final its journal gives the same counters, however often and in whatever
    /// slices it is folded.
    #[test]
    fn slices_add_up(specs in specs(), cuts in (0_usize..12, 0_usize..12), turn in 0_usize..12) {
        let homes: Vec<_> = specs.iter().map(batches).collect();
        let whole = count(&atlas(), &[&homes]);
        let mut shuffled = homes;
        shuffled.reverse();
        let turn = turn.min(shuffled.len());
        shuffled.rotate_left(turn);
        let (first, second) = (cuts.0.min(cuts.1), cuts.0.max(cuts.1));
        let (front, rest) = shuffled.split_at(first.min(shuffled.len()));
        let (middle, back) = rest.split_at((second - first).min(rest.len()));
        prop_assert_eq!(whole, count(&atlas(), &[back, front, middle]));
    }

    /// What is left of a slice for whoever adds is the slice, whole or not at all.
    #[test]
    fn counters_come_back_from_rest(specs in specs(), cut in any::<prop::sample::Index>()) {
        let homes: Vec<_> = specs.iter().map(batches).collect();
        let counters = count(&atlas(), &[&homes]);
        let mut packed = Vec::new();
        counters.pack(&mut packed);
        prop_assert_eq!(unpack_all::<Counters>(&packed[..cut.index(packed.len())]), None);
        prop_assert_eq!(unpack_all(&packed), Some(counters));
    }
}
