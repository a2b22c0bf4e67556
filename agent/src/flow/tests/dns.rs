//! Names from DNS.

use super::*;
use std::net::IpAddr;

/// The resolver's answer to `client`: `name` (one label) has these addresses for a minute.
fn answer(name: &str, addresses: &[IpAddr]) -> Vec<u8> {
    let count = u8::try_from(addresses.len()).expect("few");
    let length = u8::try_from(name.len()).expect("short");
    let mut bytes = vec![0, 7, 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0, length];
    bytes.extend(name.bytes());
    bytes.extend([0, 0, 1, 0, 1]);
    for address in addresses {
        let IpAddr::V4(address) = address else {
            panic!("only IPv4 here")
        };
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        bytes.extend(address.octets());
    }
    bytes
}

fn told<'a>(millis: i64, client: &str, payload: &'a [u8]) -> Packet<'a> {
    packet(
        millis,
        (RESOLVER, 53),
        (client, 3_000),
        Segment::Udp { payload },
    )
}

fn asks(millis: i64, client: &str) -> Packet<'static> {
    packet(
        millis,
        (client, 50_000),
        (SERVER, 443),
        Segment::Udp { payload: b"" },
    )
}

/// What DNS calls the flow to the server.
fn inferred(packets: &[Packet<'_>]) -> Option<String> {
    let flows = flows(packets);
    let flow = flows
        .iter()
        .find(|flow| flow.server.port == 443)
        .expect("it is there");
    let is_inferred = flow.named.status == NameStatus::DnsInferred;
    assert_eq!(flow.named.name.is_some(), is_inferred);
    let dns = flows
        .iter()
        .find(|flow| flow.server.port == 53)
        .expect("it is there");
    assert_eq!((dns.named.name.as_ref(), dns.service), (None, Service::Dns));
    flow.named
        .name
        .as_ref()
        .map(|name| name.as_str().to_owned())
}

#[test]
fn dns_speaks_for_its_client_only() {
    let server: IpAddr = SERVER.parse().expect("an address");
    let answer = answer("one", &[server]);
    assert_eq!(
        inferred(&[told(0, PHONE, &answer), asks(5, PHONE)]).as_deref(),
        Some("one")
    );
    assert_eq!(
        inferred(&[told(0, "192.168.1.8", &answer), asks(5, PHONE)]),
        None
    );
}

#[test]
fn dns_speaks_only_while_it_names_the_address_once() {
    let server: IpAddr = SERVER.parse().expect("an address");
    let (one, two) = (answer("one", &[server]), answer("two", &[server]));
    assert_eq!(
        inferred(&[told(0, PHONE, &one), told(1, PHONE, &two), asks(5, PHONE)]),
        None
    );
    let same = [told(0, PHONE, &one), told(1, PHONE, &one), asks(5, PHONE)];
    assert_eq!(inferred(&same).as_deref(), Some("one"));
    // What is said later says nothing of now; what ran out says nothing any more.
    assert_eq!(inferred(&[asks(0, PHONE), told(5, PHONE, &one)]), None);
    let minute_and_grace = 181_000;
    let later = |millis| {
        [
            told(0, PHONE, &one),
            asks(millis, "192.168.1.8"),
            asks(millis, "192.168.1.8"),
            asks(millis, PHONE),
        ]
    };
    let named = |millis| {
        flows(&later(millis))
            .iter()
            .any(|flow| flow.named.name.is_some())
    };
    assert!(named(minute_and_grace - 2_000) && !named(minute_and_grace));
}

#[test]
fn an_address_of_many_names_has_none() {
    let server: IpAddr = SERVER.parse().expect("an address");
    let answers: Vec<_> = (b'a'..=b'z')
        .map(|letter| answer(&char::from(letter).to_string(), &[server]))
        .collect();
    let packets: Vec<_> = answers
        .iter()
        .map(|answer| told(0, PHONE, answer))
        .chain([asks(5, PHONE)])
        .collect();
    assert_eq!(inferred(&packets), None);
    assert!(flows_within(LIMITS, &packets).1.shed.of(Shed::NameCrowded) > 0);
}

#[test]
fn answers_are_bounded() {
    let addresses: Vec<IpAddr> = (0..80)
        .map(|last| IpAddr::from([203, 0, 113, last]))
        .collect();
    let answer = answer("many", &addresses);
    let (_, counts) = flows_within(LIMITS, &[told(0, PHONE, &answer)]);
    assert_eq!(
        counts.shed.of(Shed::AnswerEvicted),
        80 - LIMITS.answers_max as u64
    );
}
