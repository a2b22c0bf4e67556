//! The rules one by one, and against a naive reading of them.

mod live;
mod scope;

use super::*;
use crate::device::DeviceTag;
use crate::evidence::Statement;
use phonehome_proto::census::{PhoneCount, UnnamedShare};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::observation::{Observation, RttSamples};
use phonehome_proto::scale::{Magnitude, RttStep};
use proptest::prelude::*;

const SECONDS_A_DAY: i64 = 86_400;
const FOUNDING: &str = "sa.api.intl.miui.com";

fn tag(n: u8) -> DeviceTag {
    format!("000000{n:02x}").parse().expect("a tag")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn endpoint(name: &str) -> EndpointId {
    EndpointId::of_name(name).expect("listed")
}

fn day(n: u32) -> Day {
    Day::new(20_000 + n).expect("before 9999")
}

fn verdict(vendor: Option<&str>, basis: Basis, is_phone: Option<bool>) -> Verdict {
    let stated = vendor.map(|id| Statement {
        vendor: Vendor::from_id(id).expect("listed"),
        basis,
    });
    Verdict {
        stated,
        guess: None,
        p: 0.95,
        is_phone,
        evidence: Vec::new(),
    }
}

const fn account(bytes_up: u64, bytes_down: u64) -> Account {
    Account {
        bytes_up,
        bytes_down,
        trust: VolumeTrust::Exact,
    }
}

fn contact() -> Contact<'static> {
    Contact {
        start: day(0).start().plus_seconds(SECONDS_A_DAY - 1),
        client: address("192.168.1.5"),
        server: address("161.117.1.2"),
        service: Service::Tls,
        name: Some((FOUNDING, NamedBy::Sni)),
        is_intercepted: false,
        tap: account(1_500, 700),
        kernel: None,
        rtt: Some((171_000_000, 1)),
    }
}

/// An observer that allows devices 1 to 8.
fn observer(purpose: Purpose) -> Observer {
    Observer::new(Rules {
        allowed: (1..=8).map(tag).collect(),
        purpose,
        list: EndpointList::compiled_in(),
    })
}

/// Device 1 is a Xiaomi; 2 an unidentified phone; 3 a laptop; 4 perhaps a phone; 5 a Xiaomi known
/// by its servers; 6 another Xiaomi like 1. Of 7 and 8 nothing is known; 9 is not allowed.
fn verdicts() -> BTreeMap<DeviceTag, Verdict> {
    BTreeMap::from([
        (tag(1), verdict(Some("xiaomi"), Basis::Decisive, Some(true))),
        (tag(2), verdict(None, Basis::Decisive, Some(true))),
        (tag(3), verdict(Some("apple"), Basis::Inferred, Some(false))),
        (tag(4), verdict(Some("samsung"), Basis::Inferred, None)),
        (tag(5), verdict(Some("xiaomi"), Basis::Circular, Some(true))),
        (tag(6), verdict(Some("xiaomi"), Basis::Decisive, Some(true))),
        (tag(9), verdict(Some("xiaomi"), Basis::Declared, Some(true))),
    ])
}

fn observed(contact: &Contact<'_>, device: DeviceTag) -> Vec<DaySummary> {
    let mut observer = observer(Purpose::Observatory);
    assert_eq!(observer.handle_contact(contact, Some(device)), Ok(()));
    observer.finish(Source::File, &verdicts()).0
}

#[test]
fn the_founding_contact_is_told_in_steps() {
    let [summary] = &observed(&contact(), tag(1))[..] else {
        panic!("one day")
    };
    assert_eq!(summary.day, day(0));
    let [seen] = &summary.observations[..] else {
        panic!("one observation")
    };
    let key = seen.key();
    assert_eq!(
        (key.vendor.id(), key.basis, key.endpoint),
        ("xiaomi", Basis::Decisive, endpoint(FOUNDING))
    );
    assert_eq!(
        key.destination,
        Destination::Prefix(Prefix::V4([161, 117, 1]))
    );
    assert_eq!(seen.bytes_up(), Magnitude::of(1_500));
    let rtt = seen.rtt().expect("timed");
    assert_eq!((rtt.min.ms(), rtt.samples), (200, RttSamples::OneToFour));
    let row = summary.census.rows.values().next().expect("a row");
    assert_eq!(
        (row.phones, row.unnamed),
        (PhoneCount::One, UnnamedShare::Below10)
    );
}

#[test]
fn edges_give_neither_prefix_nor_round_trip() {
    let name = "connectivitycheck.gstatic.com";
    let to_edge = Contact {
        name: Some((name, NamedBy::Sni)),
        ..contact()
    };
    let [summary] = &observed(&to_edge, tag(1))[..] else {
        panic!("one day")
    };
    let [seen] = &summary.observations[..] else {
        panic!("one observation")
    };
    assert_eq!(
        (seen.key().destination, seen.rtt()),
        (Destination::Edge, None)
    );
}

#[test]
fn every_rule_has_its_reason() {
    let named = |name| Contact {
        name: Some((name, NamedBy::Sni)),
        ..contact()
    };
    let to = |server| Contact {
        server: address(server),
        ..contact()
    };
    let before_1970 = Contact {
        start: Timestamp::from_seconds(-1),
        ..contact()
    };
    let own = Contact {
        client: address("2a02:1:2::5"),
        ..to("2a02:1:2:3::9")
    };
    for (contact, device, why) in [
        (before_1970, Some(1), Withheld::NoDay),
        (contact(), None, Withheld::NoDevice),
        (contact(), Some(9), Withheld::NotAllowed),
        (to("192.168.1.9"), Some(1), Withheld::NotPublic),
        (to("203.0.113.9"), Some(1), Withheld::NotPublic),
        (to("224.0.0.1"), Some(1), Withheld::NotPublic),
        (own, Some(1), Withheld::OwnNetwork),
        (
            Contact {
                name: None,
                ..contact()
            },
            Some(1),
            Withheld::NoName,
        ),
        (named("mask.icloud.com"), Some(1), Withheld::Relay),
        (named("a.mask-h2.icloud.com"), Some(1), Withheld::Relay),
        (named("www.example.com"), Some(1), Withheld::Unlisted),
        (named("notmiui.com"), Some(1), Withheld::Unlisted),
    ] {
        let mut observer = observer(Purpose::Observatory);
        assert_eq!(
            observer.handle_contact(&contact, device.map(tag)),
            Err(why),
            "{contact:?}"
        );
        let (days, counts) = observer.finish(Source::File, &verdicts());
        assert!(days.iter().all(|summary| summary.observations.is_empty()));
        assert_eq!((counts.observed, counts.withheld.of(why)), (0, 1));
    }
    for (device, why) in [
        (2, Withheld::VendorUnknown),
        (3, Withheld::NotAPhone),
        (4, Withheld::PhoneUnsure),
        (7, Withheld::VendorUnknown),
    ] {
        let mut observer = observer(Purpose::Observatory);
        assert_eq!(
            observer.handle_contact(&contact(), Some(tag(device))),
            Ok(())
        );
        let (days, counts) = observer.finish(Source::File, &verdicts());
        assert!(days.iter().all(|summary| summary.observations.is_empty()));
        assert_eq!(
            (counts.observed, counts.withheld.of(why)),
            (0, 1),
            "{device}"
        );
    }
}

#[test]
fn documentation_space_is_for_exercises() {
    let there = Contact {
        server: address("203.0.113.9"),
        ..contact()
    };
    let mut observer = observer(Purpose::Exercise);
    assert_eq!(observer.handle_contact(&there, Some(tag(1))), Ok(()));
    assert_eq!(
        observer.finish(Source::File, &verdicts()).0[0]
            .observations
            .len(),
        1
    );
}

#[test]
fn phones_that_say_nothing_are_counted_and_others_are_not() {
    let mut observer = observer(Purpose::Observatory);
    for device in [1, 2, 3, 4, 6, 9] {
        observer.handle_presence(day(3), tag(device));
    }
    observer.handle_presence(day(5), tag(3));
    observer.handle_presence(day(6), tag(9));
    let (days, counts) = observer.finish(Source::File, &verdicts());
    // A laptop's day and a stranger's are no days.
    let [summary] = &days[..] else {
        panic!("one day: {days:?}")
    };
    assert_eq!(summary.census.rows.len(), 1);
    let row = summary.census.rows.values().next().expect("a row");
    assert_eq!(row.phones, PhoneCount::Two);
    assert_eq!(summary.census.unidentified, Some(PhoneCount::Two));
    assert_eq!(counts.contacts, 0);
}

#[test]
fn what_has_no_name_is_a_share_of_the_bytes() {
    let mut observer = observer(Purpose::Observatory);
    let nameless = Contact {
        name: None,
        tap: account(0, 2_200),
        ..contact()
    };
    let at_home = Contact {
        server: address("192.168.1.9"),
        tap: account(1 << 40, 2_200),
        ..nameless
    };
    assert_eq!(observer.handle_contact(&contact(), Some(tag(1))), Ok(()));
    assert_eq!(
        observer.handle_contact(&nameless, Some(tag(1))),
        Err(Withheld::NoName)
    );
    assert_eq!(
        observer.handle_contact(&at_home, Some(tag(1))),
        Err(Withheld::NotPublic)
    );
    let (days, _) = observer.finish(Source::File, &verdicts());
    let row = days[0].census.rows.values().next().expect("a row");
    assert_eq!(row.unnamed, UnnamedShare::From10To50);
}

#[test]
fn circular_knowledge_is_marked_and_kept_apart() {
    let mut observer = observer(Purpose::Observatory);
    for device in [1, 5] {
        assert_eq!(
            observer.handle_contact(&contact(), Some(tag(device))),
            Ok(())
        );
    }
    let (days, _) = observer.finish(Source::File, &verdicts());
    let bases: Vec<_> = days[0].observations.iter().map(|o| o.key().basis).collect();
    assert_eq!(bases, [Basis::Decisive, Basis::Circular]);
    assert!(!Basis::Circular.is_counted());
}

#[test]
fn days_and_endpoints_beyond_the_bounds_are_counted() {
    let mut observer = observer(Purpose::Observatory);
    let days_max = u32::try_from(DAYS_MAX).expect("small");
    for n in 0..=days_max {
        let contact = Contact {
            start: day(n).start(),
            ..contact()
        };
        let expected = if n < days_max {
            Ok(())
        } else {
            Err(Withheld::Full)
        };
        assert_eq!(
            observer.handle_contact(&contact, Some(tag(1))),
            expected,
            "{n}"
        );
    }
    for n in 0..OBSERVATIONS_MAX {
        let [.., b, c] = u32::try_from(n).expect("small").to_be_bytes();
        let contact = Contact {
            server: IpAddr::from([9, b, c, 1]),
            ..contact()
        };
        let decision = observer.handle_contact(&contact, Some(tag(1)));
        // Day 0 holds one already.
        let expected = if n + 1 < OBSERVATIONS_MAX {
            Ok(())
        } else {
            Err(Withheld::Full)
        };
        assert_eq!(decision, expected, "{n}");
    }
    let (days, counts) = observer.finish(Source::File, &verdicts());
    assert_eq!(counts.withheld.of(Withheld::Full), 2);
    assert_eq!(
        days[0].coverage.losses,
        BTreeMap::from([(Loss::ShedObservations, Magnitude::of(1))])
    );
}

/// What can vary in a contact, drawn from few values so that keys meet.
#[derive(Clone, Copy, Debug)]
struct Draw {
    device: u8,
    day: u32,
    server: usize,
    name: usize,
    bytes: u64,
    rtt_ms: u64,
}

const SERVERS: [&str; 5] = [
    "161.117.1.2",
    "161.117.1.3",
    "8.209.0.1",
    "10.0.0.1",
    "2400:3200::1",
];
const NAMES: [Option<&str>; 6] = [
    Some(FOUNDING),
    Some("data.mistat.rus.xiaomi.com"),
    Some("connectivitycheck.gstatic.com"),
    Some("mask.icloud.com"),
    Some("duckduckgo.com"),
    None,
];

fn draws() -> impl Strategy<Value = Draw> {
    (
        0..10_u8,
        0..3_u32,
        0..SERVERS.len(),
        0..NAMES.len(),
        0..5_000_u64,
        0..400_u64,
    )
        .prop_map(|(device, day, server, name, bytes, rtt_ms)| Draw {
            device,
            day,
            server,
            name,
            bytes,
            rtt_ms,
        })
}

impl Draw {
    fn contact(self) -> Contact<'static> {
        Contact {
            start: day(self.day).start(),
            server: address(SERVERS[self.server]),
            name: NAMES[self.name].map(|name| (name, NamedBy::Sni)),
            tap: account(self.bytes, 1),
            rtt: (self.rtt_ms > 0).then_some((self.rtt_ms * 1_000_000, 1)),
            ..contact()
        }
    }

    /// The rules, read naively: whose observation it is part of, under which endpoint and place.
    fn reported(self) -> Option<(u32, Basis, EndpointId, Destination)> {
        let basis = match self.device {
            1 | 6 => Basis::Decisive,
            5 => Basis::Circular,
            _ => return None,
        };
        let id = endpoint(NAMES[self.name].filter(|_| self.name < 3)?);
        let place = Prefix::of(address(SERVERS[self.server]));
        if place == Prefix::V4([10, 0, 0]) {
            return None;
        }
        let destination = if id.edge().is_some() {
            Destination::Edge
        } else {
            Destination::Prefix(place)
        };
        Some((self.day, basis, id, destination))
    }
}

proptest! {
    /// What is told is what a plain reading of the rules tells, and every contact is accounted for.
    #[test]
    fn agrees_with_the_naive_reading(draws in proptest::collection::vec(draws(), 0..120)) {
        let mut observer = observer(Purpose::Observatory);
        for draw in &draws {
            let device = (draw.device > 0).then(|| tag(draw.device));
            let _ = observer.handle_contact(&draw.contact(), device);
        }
        let (days, counts) = observer.finish(Source::File, &verdicts());

        let mut naive: BTreeMap<_, Vec<Draw>> = BTreeMap::new();
        for draw in &draws {
            if let Some(key) = draw.reported() {
                naive.entry(key).or_default().push(*draw);
            }
        }
        let told: BTreeMap<_, &Observation> = days
            .iter()
            .flat_map(|summary| summary.observations.iter().map(move |o| (summary.day, o)))
            .map(|(on, o)| ((on.number() - 20_000, o.key().basis, o.key().endpoint, o.key().destination), o))
            .collect();
        prop_assert_eq!(told.keys().collect::<Vec<_>>(), naive.keys().collect::<Vec<_>>());
        for (key, draws) in &naive {
            let seen = told[key];
            let count = draws.len() as u64;
            prop_assert_eq!(seen.connections(), Magnitude::of(count));
            prop_assert_eq!(seen.bytes_up(), Magnitude::of(draws.iter().map(|d| d.bytes).sum()));
            prop_assert_eq!(seen.bytes_down(), Magnitude::of(count));
            let fastest = draws.iter().map(|d| d.rtt_ms).filter(|ms| *ms > 0).min();
            let step = fastest
                .filter(|_| key.3 != Destination::Edge)
                .and_then(|ms| RttStep::covering(ms as i64 * 1_000_000));
            prop_assert_eq!(seen.rtt().map(|rtt| rtt.min), step);
        }

        let observed: usize = naive.values().map(Vec::len).sum();
        prop_assert_eq!(counts.observed, observed as u64);
        prop_assert_eq!(counts.contacts, draws.len() as u64);
        prop_assert_eq!(counts.contacts, counts.observed + counts.withheld.total());

        // Who was there: every allowed device that did anything on a day, but laptops.
        for summary in &days {
            let on = summary.day.number() - 20_000;
            let there = |devices: &[u8]| {
                let seen: BTreeSet<_> = draws
                    .iter()
                    .filter(|d| d.day == on && devices.contains(&d.device))
                    .map(|d| d.device)
                    .collect();
                PhoneCount::of(seen.len())
            };
            let row = |basis| {
                let xiaomi = Vendor::from_id("xiaomi").expect("listed");
                summary.census.rows.get(&(xiaomi, basis)).map(|row| row.phones)
            };
            prop_assert_eq!(row(Basis::Decisive), there(&[1, 6]));
            prop_assert_eq!(row(Basis::Circular), there(&[5]));
            prop_assert_eq!(summary.census.unidentified, there(&[2, 4, 7, 8]));
        }
    }

    /// The order of contacts changes nothing.
    #[test]
    fn order_is_nothing(draws in proptest::collection::vec(draws(), 0..60)) {
        let told = |draws: &mut dyn Iterator<Item = &Draw>| {
            let mut observer = observer(Purpose::Observatory);
            for draw in draws {
                let _ = observer.handle_contact(&draw.contact(), Some(tag(draw.device)));
            }
            observer.finish(Source::File, &verdicts()).0
        };
        prop_assert_eq!(told(&mut draws.iter()), told(&mut draws.iter().rev()));
    }
}
