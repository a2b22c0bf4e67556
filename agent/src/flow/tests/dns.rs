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

#[test]
fn a_name_that_found_no_place_still_makes_two() {
    let server: IpAddr = SERVER.parse().expect("an address");
    let told_at = |millis, names: std::ops::RangeInclusive<u8>| {
        names.map(move |name| (millis, answer(&char::from(name).to_string(), &[server])))
    };
    // Eight names find a place, the ninth does not; then seven run out, and one is told again.
    let answers: Vec<_> = told_at(0, b'a'..=b'h')
        .chain(told_at(100_000, b'i'..=b'i'))
        .chain(told_at(101_000, b'a'..=b'a'))
        .collect();
    let told = answers
        .iter()
        .map(|(millis, answer)| told(*millis, PHONE, answer));
    let later = [
        asks(190_000, "192.168.1.8"),
        asks(190_000, "192.168.1.8"),
        asks(190_000, PHONE),
    ];
    let flows = flows(&told.chain(later).collect::<Vec<_>>());
    assert!(flows.iter().all(|flow| flow.named.name.is_none()));
}

#[test]
fn a_dns_flow_has_no_name_even_where_dns_names_its_server() {
    let resolver: IpAddr = RESOLVER.parse().expect("an address");
    let answer = answer("router", &[resolver]);
    let again = packet(
        5,
        (PHONE, 3_001),
        (RESOLVER, 53),
        Segment::Udp { payload: &answer },
    );
    let web = datagram(5, (PHONE, 3_002), (RESOLVER, 443));
    let flows = flows(&[told(0, PHONE, &answer), again, web]);
    let named: Vec<_> = flows
        .iter()
        .map(|flow| (flow.server.port, flow.named.name.is_some()))
        .collect();
    assert_eq!(named, [(53, false), (53, false), (443, true)]);
}

#[test]
fn a_name_that_dns_gave_for_a_front_is_no_name() {
    // An HTTPS record whose ECHConfigList names `front.test` as the outer name.
    let contents = [
        [1, 0, 0x20].as_slice(),
        &behind_length(&[5; 32]),
        &behind_length(&[0, 1, 0, 1]),
        b"\0\x0afront.test\0\0",
    ];
    let config = [[0xfe, 0x0d].as_slice(), &behind_length(&contents.concat())].concat();
    let list = behind_length(&config);
    let service = [[0, 1, 0, 0, 5].as_slice(), &behind_length(&list)].concat();
    let mut message = answer("hidden", &[]);
    message[7] = 1;
    message.extend([0xc0, 12, 0, 65, 0, 1, 0, 0, 0, 60]);
    message.extend(behind_length(&service));
    let hello = |name| client_hello_with(name, &[0xfe, 0x0d, 0, 1, 0]);
    let (front, other) = (hello("front.test"), hello("other.test"));
    let status = |client, hello| {
        let segment = Segment::Tcp(TcpSegment {
            seq: 1,
            ack: 1,
            flags: TcpFlags::from_bits(ACK),
            options: b"",
            payload: hello,
            head: TcpSegment::head_of(hello),
        });
        let hello = packet(5, (client, 50_000), (SERVER, 443), segment);
        let flows = flows(&[told(0, PHONE, &message), hello]);
        let flow = flows
            .iter()
            .find(|flow| flow.server.port == 443)
            .expect("it is there");
        (flow.named.status, flow.named.name.is_some())
    };
    assert_eq!(status(PHONE, &front), (NameStatus::SniOuter, false));
    assert_eq!(status(PHONE, &other), (NameStatus::SniClear, true));
    assert_eq!(status("192.168.1.8", &front), (NameStatus::SniClear, true));
}

#[test]
fn an_answer_counts_that_came_after_the_kernels_word_and_before_the_first_packet() {
    use super::counters::{tell, word};
    use crate::capture::Moment;

    let message = answer("one", &[SERVER.parse().expect("an address")]);
    let mut table = FlowTable::new(LIMITS, 7);
    tell(&mut table, &word(1, Moment::Ongoing, Some([60, 0])));
    for packet in [told(0, PHONE, &message), up(5, SYN, 1, 0)] {
        table.handle_packet(&packet, packet.time);
    }
    table.finish();
    let named = std::iter::from_fn(|| table.poll_expired())
        .any(|flow| flow.named.status == NameStatus::DnsInferred);
    assert!(named);
}

#[test]
fn dns_speaks_for_all_addresses_of_its_client_and_for_nobody_elses() {
    use crate::packet::MacAddr;

    let server: IpAddr = SERVER.parse().expect("an address");
    let answer = answer("one", &[server]);
    let [router, phone, other] = [1, 2, 3].map(|last| Some(MacAddr::new([4, 0, 0, 0, 0, last])));
    let on = |source, destination, packet: Packet<'static>| Packet {
        link: Link {
            source,
            destination,
            vlan: None,
        },
        ..packet
    };
    // The answer comes to one address, the flow goes from another; the server is the same so that
    // only the client differs.
    let named = |asker, mac, sender| {
        let told = Packet {
            link: Link {
                source: router,
                destination: phone,
                vlan: None,
            },
            ..told(0, asker, &answer)
        };
        let greeting = on(
            phone,
            router,
            datagram(1, (sender, 5_353), (RESOLVER, 5_000)),
        );
        let asks = on(mac, router, asks(5, sender));
        let packets = if mac == phone {
            vec![told, greeting, asks]
        } else {
            vec![told, asks]
        };
        flows(&packets)
            .iter()
            .any(|flow| flow.server.port == 443 && flow.named.name.is_some())
    };
    assert!(named(PHONE, phone, PHONE));
    assert!(named(PHONE, phone, "fd00:1::7"));
    assert!(named("fd00:1::7", phone, PHONE));
    assert!(!named(PHONE, other, "fd00:1::7"));
    // A station with two IPv4 addresses speaks for others; each address is its own.
    assert!(!named("192.168.1.8", phone, PHONE));
}
