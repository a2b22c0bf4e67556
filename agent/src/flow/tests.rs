mod absent;
mod counters;
mod days;
mod dns;
mod merged;
mod world;

use super::*;
use crate::packet::{Link, TcpFlags, TcpSegment};
use proptest::prelude::*;

const LIMITS: FlowLimits = FlowLimits {
    flows_max: 64,
    connections_max: 64,
    hello_bytes_max: 1 << 16,
    answers_max: 64,
};

const PHONE: &str = "192.168.1.7";
const SERVER: &str = "203.0.113.9";
const RESOLVER: &str = "192.168.1.1";

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const FIN_ACK: u8 = 0x11;
const RST: u8 = 0x04;

/// A packet at a time in milliseconds, of 100 bytes.
fn packet<'a>(
    millis: i64,
    (source, source_port): (&str, u16),
    (destination, destination_port): (&str, u16),
    segment: Segment<'a>,
) -> Packet<'a> {
    Packet {
        time: Timestamp::from_nanos(1_700_000_000_000_000_000 + millis * 1_000_000),
        link: Link::default(),
        source: source.parse().expect("an address"),
        destination: destination.parse().expect("an address"),
        source_port,
        destination_port,
        ip_bytes: 100,
        wire_packets: 1,
        segment,
    }
}

fn tcp(flags: u8, seq: u32, ack: u32) -> Segment<'static> {
    Segment::Tcp(TcpSegment {
        seq,
        ack,
        flags: TcpFlags::from_bits(flags),
        options: b"",
        payload: b"",
        head: TcpSegment::head_of(b""),
    })
}

fn up(millis: i64, flags: u8, seq: u32, ack: u32) -> Packet<'static> {
    packet(millis, (PHONE, 40_000), (SERVER, 443), tcp(flags, seq, ack))
}

fn down(millis: i64, flags: u8, seq: u32, ack: u32) -> Packet<'static> {
    packet(millis, (SERVER, 443), (PHONE, 40_000), tcp(flags, seq, ack))
}

/// The smallest TLS ClientHello with a server name, in one record.
fn client_hello(name: &str) -> Vec<u8> {
    client_hello_with(name, &[])
}

/// The same with further extensions.
fn client_hello_with(name: &str, further: &[u8]) -> Vec<u8> {
    let name = behind_length(&[[0].as_slice(), &behind_length(name.as_bytes())].concat());
    let extensions = [[0, 0].as_slice(), &behind_length(&name), further].concat();
    let body = [
        [3, 3].as_slice(),
        &[7; 32],
        &[0, 0, 2, 0x13, 1, 1, 0],
        &behind_length(&extensions),
    ];
    let message = [[1, 0].as_slice(), &behind_length(&body.concat())].concat();
    [[22, 3, 1].as_slice(), &behind_length(&message)].concat()
}

fn behind_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
    [length.as_slice(), bytes].concat()
}

fn datagram(millis: i64, from: (&'static str, u16), to: (&'static str, u16)) -> Packet<'static> {
    packet(millis, from, to, Segment::Udp { payload: b"" })
}

/// The flows of these packets, in the order they ended, and the table's counts.
fn flows_within(limits: FlowLimits, packets: &[Packet<'_>]) -> (Vec<Flow>, FlowCounts) {
    let mut table = FlowTable::new(limits, 7);
    let mut flows = Vec::new();
    for packet in packets {
        table.handle_packet(packet, packet.time);
        flows.extend(std::iter::from_fn(|| table.poll_expired()));
        let given: u64 = flows
            .iter()
            .map(|flow: &Flow| flow.up.packets + flow.down.packets)
            .sum();
        assert_eq!(table.counts().packets, given + table.counts().packets_held);
    }
    table.finish();
    flows.extend(std::iter::from_fn(|| table.poll_expired()));
    let given: u64 = flows
        .iter()
        .map(|flow| flow.up.packets + flow.down.packets)
        .sum();
    let counts = table.counts().clone();
    assert_eq!(
        (counts.packets, counts.packets_held, counts.flows),
        (given, 0, flows.len() as u64)
    );
    (flows, counts)
}

fn flows(packets: &[Packet<'_>]) -> Vec<Flow> {
    flows_within(LIMITS, packets).0
}

fn ends(flows: &[Flow]) -> Vec<Ended> {
    flows.iter().map(|flow| flow.ended).collect()
}

#[test]
fn conversations_whose_guesses_fall_together_are_kept_apart() {
    let limits = FlowLimits {
        flows_max: 10_000,
        ..LIMITS
    };
    // More than there are guesses; each speaks twice, long after the others have.
    let ports = 20_000..26_000;
    let packets: Vec<_> = [ports.clone(), ports]
        .into_iter()
        .flatten()
        .map(|port| datagram(0, (PHONE, port), (SERVER, 9_000)))
        .collect();
    let (flows, counts) = flows_within(limits, &packets);
    assert_eq!((flows.len(), counts.packets), (6_000, 12_000));
    assert!(flows.iter().all(|flow| flow.up.packets == 2));
}

#[test]
fn a_connection_is_one_flow_of_two_directions() {
    let flows = flows(&[
        up(0, SYN, 100, 0),
        down(23, SYN_ACK, 900, 101),
        up(24, ACK, 101, 901),
        down(30, ACK, 901, 101),
        down(31, ACK, 901, 101),
    ]);
    let [flow] = flows.as_slice() else {
        panic!("{flows:?}")
    };
    assert_eq!(
        (flow.client.port, flow.server.port, flow.transport),
        (40_000, 443, Transport::Tcp)
    );
    assert_eq!(
        flow.up,
        Volume {
            packets: 2,
            bytes: 200
        }
    );
    assert_eq!(
        flow.down,
        Volume {
            packets: 3,
            bytes: 300
        }
    );
    assert_eq!(
        flow.rtt,
        Some(Rtt {
            nanos_min: 23_000_000,
            samples: 1
        })
    );
    assert_eq!(flow.last.nanos_since(flow.start), 31_000_000);
    assert_eq!(flow.named.name, None);
}

#[test]
fn round_trips_are_measured_only_where_they_are_certain() {
    let rtt = |packets: &[Packet<'_>]| flows(packets)[0].rtt;
    // A SYN sent twice: the answer may be to either.
    assert_eq!(
        rtt(&[
            up(0, SYN, 1, 0),
            up(1_000, SYN, 1, 0),
            down(1_023, SYN_ACK, 9, 2)
        ]),
        None
    );
    // An answer to something else, and an answer before the question.
    assert_eq!(rtt(&[up(0, SYN, 1, 0), down(23, SYN_ACK, 9, 77)]), None);
    assert_eq!(rtt(&[up(23, SYN, 1, 0), down(0, SYN_ACK, 9, 2)]), None);
    // A repeated answer does not measure again.
    let first = rtt(&[
        up(0, SYN, 1, 0),
        down(23, SYN_ACK, 9, 2),
        down(900, SYN_ACK, 9, 2),
    ]);
    assert_eq!(first.map(|rtt| rtt.nanos_min), Some(23_000_000));
}

#[test]
fn the_client_is_who_opened_or_else_who_looks_like_it() {
    let client = |packets: &[Packet<'_>]| flows(packets)[0].client.port;
    // The SYN decides against every port, also when only its answer was seen.
    let odd = |flags, seq, ack| packet(0, (SERVER, 80), (PHONE, 50_000), tcp(flags, seq, ack));
    assert_eq!(client(&[odd(SYN, 1, 0)]), 80);
    assert_eq!(client(&[odd(SYN_ACK, 1, 7)]), 50_000);
    assert_eq!(client(&[odd(ACK, 1, 7)]), 50_000);
    let between = |source, destination| {
        packet(
            0,
            ("203.0.113.1", source),
            ("203.0.113.2", destination),
            tcp(ACK, 1, 1),
        )
    };
    assert_eq!(client(&[between(5_228, 44_000)]), 44_000);
    assert_eq!(client(&[between(44_000, 5_228)]), 44_000);
    assert_eq!(client(&[between(50_000, 40_000)]), 50_000);
    // Datagrams: a well-known port, a router's rule, then whoever was first.
    assert_eq!(
        client(&[datagram(0, (SERVER, 443), (PHONE, 50_000))]),
        50_000
    );
    assert_eq!(
        client(&[datagram(0, (SERVER, 3_478), (PHONE, 2_000))]),
        2_000
    );
    assert_eq!(
        client(&[datagram(0, (SERVER, 9_000), ("203.0.113.2", 50_000))]),
        9_000
    );
}

#[test]
fn a_hello_from_the_other_side_turns_the_flow() {
    // TLS on ports that look the other way round.
    let hello = client_hello("www.example.com");
    let segment = |payload| {
        Segment::Tcp(TcpSegment {
            seq: 1,
            ack: 1,
            flags: TcpFlags::from_bits(ACK),
            options: b"",
            payload,
            head: TcpSegment::head_of(payload),
        })
    };
    let flows = flows(&[packet(0, (PHONE, 443), (SERVER, 50_000), segment(&hello))]);
    assert_eq!((flows[0].client.port, flows[0].server.port), (443, 50_000));
    assert_eq!(
        flows[0].named.name.as_ref().map(|name| name.as_str()),
        Some("www.example.com")
    );
    assert_eq!((flows[0].up.packets, flows[0].service), (1, Service::Tls));
}

#[test]
fn the_same_ends_may_talk_again() {
    // A new SYN with another number, after a proper end and without one.
    let again = [
        up(0, SYN, 1, 0),
        down(1, SYN_ACK, 9, 2),
        up(2, SYN, 5_000, 0),
    ];
    assert_eq!(ends(&flows(&again)), [Ended::Reused, Ended::CaptureEnd]);
    let after_end = [
        up(0, SYN, 1, 0),
        up(1, FIN_ACK, 2, 9),
        down(2, FIN_ACK, 9, 3),
        up(3, ACK, 3, 10),
        up(4, SYN, 5_000, 0),
    ];
    let flows_seen = flows(&after_end);
    assert_eq!(ends(&flows_seen), [Ended::Reused, Ended::CaptureEnd]);
    assert_eq!(
        flows_seen[0].up.packets, 3,
        "the last acknowledgement belongs to the first"
    );
    // The same SYN again is the same connection; so is one whose answer came first.
    assert_eq!(flows(&[up(0, SYN, 1, 0), up(1_000, SYN, 1, 0)]).len(), 1);
    assert_eq!(flows(&[down(1, SYN_ACK, 9, 2), up(0, SYN, 1, 0)]).len(), 1);
    // What was under way before is not what is opened now.
    assert_eq!(flows(&[up(0, ACK, 77, 1), up(1, SYN, 500, 0)]).len(), 2);
}

#[test]
fn vlans_are_kept_apart() {
    let tagged = |vlan| Packet {
        link: Link {
            vlan,
            ..Link::default()
        },
        ..up(0, ACK, 1, 1)
    };
    assert_eq!(
        flows(&[
            tagged(None),
            tagged(Some(5)),
            tagged(Some(6)),
            tagged(Some(5))
        ])
        .len(),
        3
    );
}

#[test]
fn silence_ends_a_flow_as_soon_as_its_transport_allows() {
    let ended_by = |opening: &[Packet<'static>], seconds: i64| {
        // Somebody else's packets move the time; three, because one alone is not believed.
        let tick = |n| datagram(seconds * 1_000 + n, ("10.0.0.1", 1), ("10.0.0.2", 2));
        let packets: Vec<_> = opening.iter().copied().chain((0..3).map(tick)).collect();
        flows(&packets)
            .into_iter()
            .find(|flow| flow.client.address != tick(0).source)
            .map(|f| f.ended)
    };
    let udp = [datagram(0, (PHONE, 50_000), (SERVER, 443))];
    assert_eq!(ended_by(&udp, 170), Some(Ended::CaptureEnd));
    assert_eq!(ended_by(&udp, 190), Some(Ended::Idle));
    let open = [up(0, SYN, 1, 0), down(1, SYN_ACK, 9, 2)];
    assert_eq!(ended_by(&open, 7_000), Some(Ended::CaptureEnd));
    assert_eq!(ended_by(&open, 8_000), Some(Ended::Idle));
    let broken_off = [up(0, SYN, 1, 0), down(1, RST, 0, 2)];
    assert_eq!(ended_by(&broken_off, 50), Some(Ended::CaptureEnd));
    assert_eq!(ended_by(&broken_off, 70), Some(Ended::Closed));
}

#[test]
fn the_same_ends_after_a_silence_are_a_new_flow() {
    let at = |seconds: i64| datagram(seconds * 1_000, (PHONE, 50_000), (SERVER, 443));
    assert_eq!(
        ends(&flows(&[at(0), at(100), at(200)])),
        [Ended::CaptureEnd]
    );
    let seen = flows(&[at(0), at(600), at(601), at(602)]);
    assert_eq!(ends(&seen), [Ended::Idle, Ended::CaptureEnd]);
    assert_eq!(seen[1].up.packets, 3);
}

#[test]
fn one_wild_time_ends_nothing() {
    let wild = [
        i64::from(u32::MAX) * 1_000,
        -900_000_000_000,
        500_000_000,
        -500_000_000,
    ];
    for millis in wild {
        let seen = flows(&[
            datagram(0, (PHONE, 50_000), (SERVER, 443)),
            datagram(5, (PHONE, 50_000), (SERVER, 443)),
            datagram(millis, ("10.0.0.1", 1), ("10.0.0.2", 2)),
            datagram(10, (PHONE, 50_000), (SERVER, 443)),
            datagram(20, (SERVER, 443), (PHONE, 50_000)),
        ]);
        assert_eq!(ends(&seen), [Ended::CaptureEnd; 2], "{millis}");
    }
}

#[test]
fn a_flow_dated_by_a_wild_time_ends_all_the_same() {
    let wild = datagram(500_000_000, ("10.0.0.1", 1), ("10.0.0.2", 2));
    let ticks = (0..300).map(|second| datagram(second * 1_000, (PHONE, 50_000), (SERVER, 443)));
    let packets: Vec<_> = ticks
        .clone()
        .take(3)
        .chain([wild])
        .chain(ticks.skip(3))
        .collect();
    assert_eq!(ends(&flows(&packets)), [Ended::Idle, Ended::CaptureEnd]);
}

#[test]
fn a_full_table_cuts_the_quietest_and_says_so() {
    let limits = FlowLimits {
        flows_max: 2,
        ..LIMITS
    };
    let to = |millis, port| datagram(millis, (PHONE, 50_000), (SERVER, port));
    let (flows, counts) = flows_within(limits, &[to(0, 1), to(1, 2), to(2, 1), to(3, 3), to(4, 2)]);
    let cut: Vec<_> = flows
        .iter()
        .filter(|flow| flow.ended == Ended::Evicted)
        .map(|f| f.server.port)
        .collect();
    assert_eq!((cut, counts.shed.of(Shed::FlowEvicted)), (vec![2, 1], 2));
}

#[test]
fn hellos_together_hold_no_more_than_their_bound() {
    let hello = client_hello("www.example.com");
    let segment = Segment::Tcp(TcpSegment {
        seq: 1,
        ack: 1,
        flags: TcpFlags::from_bits(ACK),
        options: b"",
        payload: &hello[..60],
        head: TcpSegment::head_of(&hello[..60]),
    });
    let packets: Vec<_> = (0..3)
        .map(|n| packet(0, (PHONE, 50_000 + n), (SERVER, 443), segment))
        .collect();
    let dropped = |hello_bytes_max| {
        let limits = FlowLimits {
            hello_bytes_max,
            ..LIMITS
        };
        flows_within(limits, &packets).1.shed.of(Shed::HelloDropped)
    };
    assert_eq!((dropped(0), dropped(3 * 4_096)), (3, 0));
}

proptest! {
    /// Whatever comes: every packet is in one flow, and no bound is passed (asserted in `flows_within`
    /// after every packet).
    #[test]
    fn every_packet_is_in_one_flow(
        steps in prop::collection::vec(
            (0_u16..6, any::<bool>(), prop::sample::select(vec![0_u8, SYN, SYN_ACK, ACK, FIN_ACK, RST]),
             0_u32..4, -1_000_000_i64..10_000_000, any::<bool>()),
            0..200,
        ),
    ) {
        let packets: Vec<_> = steps
            .into_iter()
            .map(|(port, is_up, flags, seq, millis, is_tcp)| {
                let segment = if is_tcp { tcp(flags, seq, seq + 1) } else { Segment::Udp { payload: b"\x40" } };
                let (phone, server) = ((PHONE, 40_000 + port), (SERVER, 443));
                if is_up { packet(millis, phone, server, segment) } else { packet(millis, server, phone, segment) }
            })
            .collect();
        let limits = FlowLimits { flows_max: 4, ..LIMITS };
        let (flows, counts) = flows_within(limits, &packets);
        prop_assert_eq!(counts.packets, packets.len() as u64);
        let bytes: u64 = flows.iter().map(|flow| flow.up.bytes + flow.down.bytes).sum();
        prop_assert_eq!(bytes, 100 * counts.packets);
    }
}
