//! Releases of random homes: three vendors, homes in four countries, each phone contacting some of its
//! vendor's endpoints and some of everybody's. Each endpoint's server stands in one country, in a network of
//! another, under an owner of a third, so that all tables tell of the same contacts.

use crate::count::{Counters, Question};
use crate::geo::network::Asn;
use crate::release::gate::{self, About, GateRules};
use crate::release::{Column, PlaceStatus, Release};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;

const VENDORS: [&str; 3] = ["xiaomi", "samsung", "apple"];
const HOMES_IN: [&str; 4] = ["DE", "FR", "PL", "NG"];
const SERVERS_IN: [&str; 5] = ["SG", "CN", "RU", "US", "IE"];
const ENDPOINTS: usize = 4;
/// Home countries stand apart from so many homes on, so that small worlds have several.
const RULES: GateRules = GateRules {
    k: 10,
    network_homes_max: 4,
    rounding: 5,
    home_country_homes_min: 15,
};

/// An endpoint, and where its server stands and whose network that is in.
struct Served {
    endpoint: EndpointId,
    server: Column,
    network: Column,
    status: PlaceStatus,
    /// Of a hundred homes, so many contact it.
    hundredths: u32,
}

/// The release of the world that grows from this seed.
pub(super) fn release(seed: u64) -> Release {
    world(seed).1
}

/// What was counted in the world that grows from this seed, and what is told of it.
pub(super) fn world(seed: u64) -> (Counters, Release) {
    let mut chance = SeededChance::new(seed);
    let mut counters = Counters::default();
    let mut networks = 0;
    for id in VENDORS {
        let vendor = Vendor::from_id(id).expect("a vendor");
        let served = served(vendor, &mut chance);
        // From a handful of homes to enough for every country to stand apart.
        let homes = chance.below(160);
        for _ in 0..homes {
            networks += 1;
            let settled = match chance.below(10) {
                0..4 => Some(Some(HOMES_IN[0])),
                4..7 => Some(Some(HOMES_IN[1])),
                7..9 => Some(Some(HOMES_IN[2])),
                _ => Some(Some(HOMES_IN[3])),
            };
            let settled = settled.map(|code| code.map(country));
            let mut did: Vec<(Question, PlaceStatus)> = Vec::new();
            for of in &served {
                if chance.below(100) >= of.hundredths {
                    continue;
                }
                did.push((Question::Endpoint(of.endpoint), PlaceStatus::Confident));
                if of.endpoint.is_own_of(vendor) {
                    let owner = Column::Country(of.endpoint.owner_country());
                    did.push((Question::Server(of.server), of.status));
                    did.push((Question::Network(of.network), of.status));
                    did.push((Question::Owner(owner), PlaceStatus::Confident));
                }
            }
            did.sort();
            did.dedup_by_key(|(question, _)| *question);
            counters.vote(vendor, Some(Asn(networks)), settled, &did);
        }
    }
    let release = gated(&counters);
    (counters, release)
}

/// The same of a world in which nothing overlaps: each home contacts one of a few endpoints of one owner, all
/// in one country, and most of them are contacted by about as many homes as the gate asks.
pub(super) fn disjoint(seed: u64) -> (Counters, Release) {
    let mut chance = SeededChance::new(seed);
    let vendor = Vendor::from_id(VENDORS[0]).expect("a vendor");
    let owner = country("CN");
    let own = EndpointId::all();
    let own = own.filter(|of| of.is_own_of(vendor) && of.owner_country() == owner);
    let few = 2 + usize::try_from(chance.below(3)).expect("few");
    let (mut counters, mut networks) = (Counters::default(), 0);
    for endpoint in own.take(few) {
        let homes = match chance.below(4) {
            0 => 15 + chance.below(20),
            _ => 8 + chance.below(6),
        };
        let at = Column::Country(owner);
        let did = [
            Question::Server(at),
            Question::Network(at),
            Question::Owner(at),
            Question::Endpoint(endpoint),
        ];
        let did = did.map(|question| (question, PlaceStatus::Confident));
        for _ in 0..homes {
            networks += 1;
            let settled = Some(Some(country(HOMES_IN[0])));
            counters.vote(vendor, Some(Asn(networks)), settled, &did);
        }
    }
    let release = gated(&counters);
    (counters, release)
}

fn gated(counters: &Counters) -> Release {
    let about = About {
        id: "2026-W46.0".parse().expect("a release"),
        purpose: Purpose::Exercise,
        atlas: Vec::new(),
    };
    gate::release(about, counters, &RULES)
}

fn served(vendor: Vendor, chance: &mut SeededChance) -> Vec<Served> {
    let own = EndpointId::all().filter(|endpoint| endpoint.is_own_of(vendor));
    let others = EndpointId::all().filter(|endpoint| endpoint.owner_vendor().is_none());
    let some = own.take(ENDPOINTS).chain(others.take(2));
    some.map(|endpoint| {
        let mut anywhere = || SERVERS_IN[usize::try_from(chance.below(5)).expect("few")];
        let (server, network) = (anywhere(), anywhere());
        Served {
            endpoint,
            server: Column::Country(country(server)),
            network: Column::Country(country(network)),
            status: [PlaceStatus::Confident, PlaceStatus::Single]
                [usize::try_from(chance.below(2)).expect("few")],
            // Many do nearly nothing or nearly everything: that is where cells are suppressed.
            hundredths: [2, 5, 9, 20, 50, 90, 97][usize::try_from(chance.below(7)).expect("few")],
        }
    })
    .collect()
}

fn country(code: &str) -> Country {
    Country::parse(code).expect("a code")
}
