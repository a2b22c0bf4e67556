//! Days: conversations given in parts, and clocks that were wrong.

use super::*;

const MIDNIGHT: Timestamp = Timestamp::from_seconds(19_676 * 86_400);

/// The flows of these packets, cut at a midnight before each of these places.
fn in_parts(packets: &[Packet<'_>], cuts: &[usize]) -> Vec<Flow> {
    let mut table = FlowTable::new(LIMITS, 7);
    let mut flows = Vec::new();
    for (place, packet) in packets.iter().enumerate() {
        if cuts.contains(&place) {
            table.cut(MIDNIGHT);
            flows.extend(std::iter::from_fn(|| table.poll_expired()));
        }
        table.handle_packet(packet, packet.time);
        flows.extend(std::iter::from_fn(|| table.poll_expired()));
    }
    table.finish();
    flows.extend(std::iter::from_fn(|| table.poll_expired()));
    let counts = table.counts();
    assert_eq!(
        (counts.packets, counts.packets_held, counts.flows),
        (counts.packets_given, 0, flows.len() as u64)
    );
    flows
}

/// So many milliseconds after midnight.
fn after(millis: i64, packet: Packet<'static>) -> Packet<'static> {
    Packet {
        time: Timestamp::from_nanos(MIDNIGHT.nanos() + millis * 1_000_000),
        ..packet
    }
}

#[test]
fn a_long_conversation_is_given_by_the_day() {
    let hello = client_hello("push.example.com");
    let segment = Segment::Tcp(TcpSegment {
        seq: 2,
        ack: 10,
        flags: TcpFlags::from_bits(ACK),
        options: b"",
        payload: &hello,
        head: TcpSegment::head_of(&hello),
    });
    let said = packet(0, (PHONE, 40_000), (SERVER, 443), segment);
    let packets = [
        after(-3_000, up(0, SYN, 1, 0)),
        after(-2_977, down(0, SYN_ACK, 9, 2)),
        Packet {
            time: Timestamp::from_nanos(MIDNIGHT.nanos() - 1_000_000_000),
            ..said
        },
        after(60_000, up(0, ACK, 500, 10)),
    ];
    let parts = in_parts(&packets, &[3]);
    let [first, second] = parts.as_slice() else {
        panic!("two parts: {parts:?}")
    };
    assert_eq!(
        (first.ended, second.ended),
        (Ended::DayOver, Ended::CaptureEnd)
    );
    for part in &parts {
        let name = part.named.name.as_ref().map(|name| name.as_str());
        assert_eq!(
            (name, part.service),
            (Some("push.example.com"), Service::Tls)
        );
        assert_eq!((part.client.port, part.server.port), (40_000, 443));
    }
    assert_eq!((first.up.packets, second.up.packets), (2, 1));
    assert_eq!((first.rtt.is_some(), second.rtt), (true, None));
    assert_eq!(
        (first.start, second.start),
        (packets[0].time, packets[3].time)
    );
}

#[test]
fn a_part_in_which_nothing_passed_is_not_given() {
    let packets = [
        after(-3_000, up(0, ACK, 1, 1)),
        after(1_000, up(0, ACK, 1, 1)),
    ];
    let mut table = FlowTable::new(LIMITS, 7);
    table.handle_packet(&packets[0], packets[0].time);
    for expected in [1, 0, 0] {
        table.cut(MIDNIGHT);
        assert_eq!(
            std::iter::from_fn(|| table.poll_expired()).count(),
            expected
        );
    }
    table.finish();
    assert!(table.poll_expired().is_none());
    assert_eq!(table.counts().packets_held, 0);
}

#[test]
fn a_hello_is_read_across_midnight() {
    let hello = client_hello("www.example.com");
    let piece = |millis, seq, payload| {
        let segment = Segment::Tcp(TcpSegment {
            seq,
            ack: 1,
            flags: TcpFlags::from_bits(ACK),
            options: b"",
            payload,
            head: TcpSegment::head_of(payload),
        });
        packet(millis, (PHONE, 40_000), (SERVER, 443), segment)
    };
    let parts = in_parts(
        &[piece(0, 1, &hello[..30]), piece(5, 31, &hello[30..])],
        &[1],
    );
    let names: Vec<_> = parts.iter().map(|part| part.named.status).collect();
    assert_eq!(names, [NameStatus::Unread, NameStatus::SniClear]);
}

#[test]
fn what_comes_late_is_not_dated_on_a_day_that_is_told() {
    let late = after(-10, up(0, SYN, 1, 0));
    let parts = in_parts(&[after(-3_000, up(0, ACK, 1, 1)), late], &[1]);
    assert_eq!(parts[1].start, MIDNIGHT);
    assert_eq!(parts[0].start, MIDNIGHT.plus_seconds(-3));
}

#[test]
fn a_clock_that_is_set_moves_what_it_has_dated() {
    // Booted in 1970; the clock is set between SYN and SYN-ACK.
    let at = |nanos, packet: Packet<'static>| Packet {
        time: Timestamp::from_nanos(nanos),
        ..packet
    };
    let delta_nanos = MIDNIGHT.nanos();
    let mut table = FlowTable::new(LIMITS, 7);
    let passed = |millis: i64| Timestamp::from_nanos(millis * 1_000_000);
    table.handle_packet(&at(1_000_000, up(0, SYN, 1, 0)), passed(1));
    table.redate(delta_nanos);
    table.handle_packet(
        &at(delta_nanos + 24_000_000, down(0, SYN_ACK, 9, 2)),
        passed(24),
    );
    table.finish();
    let flow = table.poll_expired().expect("a flow");
    assert_eq!(flow.rtt.map(|rtt| rtt.nanos_min), Some(23_000_000));
    assert_eq!(flow.start, Timestamp::from_nanos(delta_nanos + 1_000_000));
    assert_eq!(flow.ended, Ended::CaptureEnd, "no time passed");
}

proptest! {
    /// Wherever days end: the parts of a conversation add up to it, and each holds something.
    #[test]
    fn parts_add_up_to_the_whole(
        steps in prop::collection::vec((0_u16..5, any::<bool>()), 1..80),
        cuts in prop::collection::vec(0_usize..80, 0..8),
    ) {
        let packets: Vec<_> = steps
            .iter()
            .map(|(port, is_up)| {
                let (phone, server) = ((PHONE, 40_000 + port), (SERVER, 443));
                let (from, to) = if *is_up { (phone, server) } else { (server, phone) };
                packet(0, from, to, tcp(ACK, 1, 1))
            })
            .collect();
        let sums = |flows: &[Flow]| {
            let mut sums = std::collections::BTreeMap::new();
            for flow in flows {
                let sum: &mut [u64; 4] = sums.entry(flow.client.port).or_default();
                let volumes = [flow.up.packets, flow.up.bytes, flow.down.packets, flow.down.bytes];
                assert!(volumes.iter().sum::<u64>() > 0, "an empty part");
                for (sum, volume) in sum.iter_mut().zip(volumes) {
                    *sum += volume;
                }
            }
            sums
        };
        prop_assert_eq!(sums(&in_parts(&packets, &cuts)), sums(&in_parts(&packets, &[])));
    }
}
