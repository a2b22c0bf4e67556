//! Segments that were merged before they were counted.

use super::counters::{tell, word};
use super::*;
use crate::capture::Moment;

/// What Linux says in a SYN: 1,460 bytes at most, timestamps, and more.
const OPTIONS: &[u8] = &[
    2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
];

fn with_options(packet: Packet<'static>) -> Packet<'static> {
    let Segment::Tcp(segment) = packet.segment else {
        panic!("{packet:?}")
    };
    let options = OPTIONS;
    Packet {
        segment: Segment::Tcp(TcpSegment { options, ..segment }),
        ..packet
    }
}

/// The flows of these packets and of what the kernel then says, a midnight between its words.
fn told(packets: &[Packet<'static>]) -> Vec<Flow> {
    let mut table = FlowTable::new(LIMITS, 7);
    let mut flows = Vec::new();
    let mut take = |table: &mut FlowTable| {
        flows.extend(std::iter::from_fn(|| table.poll_expired()));
    };
    for packet in packets {
        table.handle_packet(packet, packet.time);
        take(&mut table);
    }
    // Of ten full segments one packet was made, and the headers of nine are gone.
    let merged = |moment, times: u64| {
        let counted = Counted {
            packets: times,
            bytes: times * (14_480 + 52),
        };
        Counters {
            counted: Some([counted, Counted::default()]),
            ..word(1, moment, Some([0, 0]))
        }
    };
    tell(&mut table, &merged(Moment::Ongoing, 3));
    take(&mut table);
    table.cut(Timestamp::from_nanos(0));
    take(&mut table);
    tell(&mut table, &merged(Moment::Over, 4));
    take(&mut table);
    table.finish();
    take(&mut table);
    flows
}

#[test]
fn the_headers_that_the_kernel_left_out_are_known_from_the_opening() {
    let opening = [
        with_options(up(0, SYN, 1, 0)),
        with_options(down(10, SYN_ACK, 9, 2)),
    ];
    let flows = told(&opening);
    let on_wire: Vec<_> = flows
        .iter()
        .map(|flow| flow.on_wire(flow.kernel.expect("counted").up))
        .collect();
    // Ten segments of 1,448 bytes in each packet, and of what the day had before and after midnight.
    let wire = |times: u64| Volume {
        packets: times * 10,
        bytes: times * 15_000,
    };
    assert_eq!(on_wire, [wire(3), wire(1)]);
    // What the tap saw is whole, and stays so.
    assert_eq!(flows[0].on_wire(flows[0].up), flows[0].up);
}

#[test]
fn without_the_whole_opening_what_was_counted_is_all_that_is_known() {
    for packets in [
        &[with_options(up(0, SYN, 1, 0)), down(10, SYN_ACK, 9, 2)][..],
        &[up(0, SYN, 1, 0), with_options(down(10, SYN_ACK, 9, 2))],
        &[up(0, ACK, 1, 0)],
    ] {
        for flow in told(packets) {
            let counted = flow.kernel.expect("counted").up;
            assert_eq!(flow.on_wire(counted), counted);
        }
    }
}
