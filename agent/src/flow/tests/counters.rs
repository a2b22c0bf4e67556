//! What the kernel counts: single cases, then against a naive world.

use super::*;
use crate::capture::{ConnectionStatus, Offload, Path};
use phonehome_proto::observation::VolumeTrust;
use std::net::SocketAddr;

const OFFLOADED: ConnectionStatus = ConnectionStatus(1 << 14);

fn socket(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

/// A word of the kernel on connection `id` from the phone's port 40,000 to the server.
pub(super) fn word(id: u32, moment: Moment, bytes: Option<[u64; 2]>) -> Counters {
    let (client, server) = (socket(PHONE, 40_000), socket(SERVER, 443));
    Counters {
        key: ConnectionKey { zone: 0, id },
        transport: Transport::Tcp,
        original: Path {
            source: client,
            destination: server,
        },
        reply: Path {
            source: server,
            destination: client,
        },
        counted: bytes.map(|bytes| {
            bytes.map(|bytes| Counted {
                packets: bytes / 100,
                bytes,
            })
        }),
        status: ConnectionStatus::default(),
        moment,
        time: packet(0, (PHONE, 1), (SERVER, 1), tcp(SYN, 0, 0)).time,
    }
}

fn over_udp(counters: Counters) -> Counters {
    Counters {
        transport: Transport::Udp,
        ..counters
    }
}

/// As the home sees it: all its addresses begin with 192.
pub(super) fn tell(table: &mut FlowTable, counters: &Counters) {
    let view = counters.lan_view(|address| address.to_string().starts_with("192."));
    let view = view.expect("a device's connection");
    table.handle_counters(counters, &view, counters.time);
}

fn rest(table: &mut FlowTable) -> Vec<Flow> {
    table.finish();
    std::iter::from_fn(|| table.poll_expired()).collect()
}

fn told(words: &[Counters]) -> Vec<Flow> {
    let mut table = FlowTable::new(LIMITS, 7);
    let mut flows = Vec::new();
    for counters in words {
        tell(&mut table, counters);
        flows.extend(std::iter::from_fn(|| table.poll_expired()));
    }
    flows.extend(rest(&mut table));
    assert_balanced(table.counts(), &flows);
    flows
}

fn assert_balanced(counts: &FlowCounts, flows: &[Flow]) {
    assert_eq!(
        counts.counters,
        counts.counters_applied + counts.unapplied.total()
    );
    let given: u64 = flows.iter().map(kernel_bytes).sum();
    assert_eq!(
        (counts.kernel_bytes, counts.kernel_bytes_held),
        (given, 0),
        "every byte applied is in one flow"
    );
}

pub(super) fn kernel_bytes(flow: &Flow) -> u64 {
    flow.kernel
        .map_or(0, |kernel| kernel.up.bytes + kernel.down.bytes)
}

/// The kernel's account of the one flow: bytes up and down, and its trust.
fn account(words: &[Counters]) -> Option<(u64, u64, VolumeTrust)> {
    let flows = told(words);
    let [flow] = flows.as_slice() else {
        panic!("one flow: {flows:?}")
    };
    let kernel = flow.kernel?;
    Some((kernel.up.bytes, kernel.down.bytes, kernel.trust()))
}

const EXACT: VolumeTrust = VolumeTrust::Exact;
const LOWER_BOUND: VolumeTrust = VolumeTrust::LowerBound;

#[test]
fn totals_become_differences() {
    let words = [
        word(1, Moment::New, None),
        word(1, Moment::Ongoing, Some([100, 1_000])),
        word(1, Moment::Ongoing, Some([300, 5_000])),
        word(1, Moment::Over, Some([400, 5_000])),
    ];
    assert_eq!(account(&words), Some((400, 5_000, EXACT)));
    // One whose beginning was never announced began since the last reading all the same.
    assert_eq!(account(&words[1..]), Some((400, 5_000, EXACT)));
    assert_eq!(account(&words[3..]), Some((400, 5_000, EXACT)));
}

#[test]
fn what_was_counted_before_the_agent_began_is_left_out() {
    let before = word(1, Moment::Before, Some([7_000, 9_000]));
    assert!(told(&[before]).is_empty());
    let words = [before, word(1, Moment::Over, Some([7_100, 9_500]))];
    assert_eq!(account(&words), Some((100, 500, LOWER_BOUND)));
    // Unless it turns out that it had just begun.
    let announced = [
        before,
        word(1, Moment::New, None),
        word(1, Moment::Over, Some([7_100, 9_500])),
    ];
    assert_eq!(account(&announced), Some((7_100, 9_500, EXACT)));
    let first = [word(1, Moment::New, None), before, announced[2]];
    assert_eq!(account(&first), Some((7_100, 9_500, EXACT)));
}

#[test]
fn counters_that_somebody_sets_back_are_a_lower_bound() {
    let words = [
        word(1, Moment::Ongoing, Some([500, 9_000])),
        word(1, Moment::Ongoing, Some([600, 20])),
        word(1, Moment::Over, Some([700, 30])),
    ];
    assert_eq!(account(&words), Some((500 + 600 + 100, 9_030, LOWER_BOUND)));
    // Where one was set back all were, though it may not show.
    let mut table = FlowTable::new(LIMITS, 7);
    let elsewhere = |counters: Counters| Counters {
        original: Path {
            source: socket(PHONE, 41_000),
            ..counters.original
        },
        ..counters
    };
    for counters in [
        word(1, Moment::Ongoing, Some([500, 9_000])),
        elsewhere(word(2, Moment::Ongoing, Some([100, 100]))),
        word(1, Moment::Ongoing, Some([0, 0])),
        elsewhere(word(2, Moment::Over, Some([300, 300]))),
    ] {
        tell(&mut table, &counters);
    }
    let trusts: Vec<_> = rest(&mut table)
        .iter()
        .map(|flow| flow.kernel.map(|kernel| kernel.trust()))
        .collect();
    assert_eq!(trusts, [Some(LOWER_BOUND), Some(LOWER_BOUND)]);
}

#[test]
fn without_counters_there_is_no_account() {
    let words = [word(1, Moment::New, None), word(1, Moment::Over, None)];
    assert!(told(&words).is_empty());
    let mut table = FlowTable::new(LIMITS, 7);
    table.handle_packet(&up(0, SYN, 1, 0), up(0, SYN, 1, 0).time);
    for counters in &words {
        tell(&mut table, counters);
    }
    assert_eq!(table.counts().unapplied.of(Unapplied::Uncounted), 1);
    let flows = rest(&mut table);
    assert_eq!((flows.len(), flows[0].kernel), (1, None));
}

#[test]
fn tap_and_kernel_are_two_accounts_of_one_flow() {
    let mut table = FlowTable::new(LIMITS, 7);
    let packets = [
        up(0, SYN, 1, 0),
        down(23, SYN_ACK, 9, 2),
        up(24, ACK, 2, 10),
    ];
    table.handle_packet(&packets[0], packets[0].time);
    tell(&mut table, &word(1, Moment::New, None));
    for packet in &packets[1..] {
        table.handle_packet(packet, packet.time);
    }
    tell(&mut table, &word(1, Moment::Over, Some([5_000, 90_000])));
    let flows = rest(&mut table);
    let [flow] = flows.as_slice() else {
        panic!("one flow: {flows:?}")
    };
    assert_eq!((flow.up.bytes, flow.down.bytes), (200, 100));
    let kernel = flow.kernel.expect("counted");
    assert_eq!(
        (kernel.up.bytes, kernel.down.bytes, kernel.trust()),
        (5_000, 90_000, EXACT)
    );
    assert!(flow.rtt.is_some() && flow.client.port == 40_000);
}

#[test]
fn a_tap_that_saw_more_than_the_kernel_contradicts_it() {
    let mut table = FlowTable::new(LIMITS, 7);
    for millis in 0..3 {
        let packet = up(millis, ACK, 1, 1);
        table.handle_packet(&packet, packet.time);
    }
    tell(&mut table, &word(1, Moment::Over, Some([100, 5_000])));
    let kernel = rest(&mut table)[0].kernel.expect("counted");
    assert_eq!(kernel.trust(), LOWER_BOUND);
    assert!(kernel.facts.has(KernelFacts::CONTRADICTED));
}

/// What a chip did since its last report is lost when a connection ends, so no counter is a proof.
#[test]
fn what_hardware_forwards_is_a_lower_bound_even_if_it_counts() {
    for status in [0b10 << 14, 0b11 << 14].map(ConnectionStatus) {
        let in_hardware = |bytes| Counters {
            status,
            ..word(1, Moment::Ongoing, Some(bytes))
        };
        let over = word(1, Moment::Over, Some([90_100, 900_100]));
        let words = [
            in_hardware([300, 200]),
            in_hardware([90_000, 900_000]),
            over,
        ];
        assert_eq!(account(&words), Some((90_100, 900_100, LOWER_BOUND)));
        let unmarked = words.map(|counters| Counters {
            status: OFFLOADED,
            ..counters
        });
        assert_eq!(account(&unmarked), Some((90_100, 900_100, EXACT)));
    }
}

/// TCP's mark is gone when it ends, so that between two readings nothing shows it.
#[test]
fn what_a_flow_table_may_have_forwarded_unseen_is_exact_only_if_tables_count() {
    let short = |offload| {
        let mut table = FlowTable::new(LIMITS, 7);
        table.expect(offload);
        tell(&mut table, &word(1, Moment::New, None));
        tell(&mut table, &word(1, Moment::Over, Some([400, 300])));
        rest(&mut table)[0].kernel.map(|kernel| kernel.trust())
    };
    assert_eq!(short(Offload::None), Some(EXACT));
    assert_eq!(short(Offload::Counting), Some(EXACT));
    assert_eq!(short(Offload::NotCounting), Some(LOWER_BOUND));
    // Something forwards that is no table anybody can ask for; nobody knows whether it counts.
    for (offload, expected) in [(Offload::None, LOWER_BOUND), (Offload::Counting, EXACT)] {
        let mut table = FlowTable::new(LIMITS, 7);
        table.expect(offload);
        let marked = Counters {
            status: OFFLOADED,
            ..over_udp(word(2, Moment::Ongoing, Some([400, 300])))
        };
        tell(&mut table, &marked);
        tell(&mut table, &word(1, Moment::Over, Some([400, 300])));
        let flows = rest(&mut table);
        let short = flows.iter().find(|flow| flow.transport == Transport::Tcp);
        let trust = short
            .and_then(|flow| flow.kernel)
            .map(|kernel| kernel.trust());
        assert_eq!(trust, Some(expected), "{offload:?}");
    }
}

#[test]
fn an_offloaded_connection_is_exact_only_if_its_counters_grow_meanwhile() {
    let offloaded = |moment, bytes| Counters {
        status: OFFLOADED,
        ..word(1, moment, Some(bytes))
    };
    let over = |bytes| word(1, Moment::Over, Some(bytes));
    // The handshake was counted, then nothing: the flow table does not count.
    let frozen = [
        offloaded(Moment::Ongoing, [300, 200]),
        offloaded(Moment::Ongoing, [300, 200]),
        over([400, 300]),
    ];
    assert_eq!(account(&frozen), Some((400, 300, LOWER_BOUND)));
    // Some strays prove nothing, and neither does what came after it left the flow table.
    let strays = [
        frozen[0],
        offloaded(Moment::Ongoing, [900, 900]),
        over([90_000, 900]),
    ];
    assert_eq!(account(&strays), Some((90_000, 900, LOWER_BOUND)));
    let counted = [
        frozen[0],
        offloaded(Moment::Ongoing, [9_000, 90_000]),
        over([9_100, 90_100]),
    ];
    assert_eq!(account(&counted), Some((9_100, 90_100, EXACT)));
    let in_hardware = counted.map(|counters| Counters {
        status: ConnectionStatus(counters.status.0 << 1),
        ..counters
    });
    assert_eq!(account(&in_hardware), Some((9_100, 90_100, LOWER_BOUND)));
}

#[test]
fn what_is_no_longer_shown_is_gone() {
    let mut table = FlowTable::new(LIMITS, 7);
    let ongoing = word(1, Moment::Ongoing, Some([100, 1_000]));
    tell(&mut table, &ongoing);
    table.handle_sweep(ongoing.time);
    // This reading does not show it.
    table.handle_sweep(ongoing.time);
    // One that was only overlooked goes on where it was.
    tell(&mut table, &word(1, Moment::Ongoing, Some([150, 1_000])));
    table.handle_sweep(ongoing.time);
    for _ in 0..3 {
        table.handle_sweep(ongoing.time);
    }
    let minutes_later = |minutes: i64| ongoing.time.plus_seconds(60 * minutes);
    for minutes in 1..5 {
        table.handle_idle(minutes_later(minutes));
    }
    let flows: Vec<_> = std::iter::from_fn(|| table.poll_expired()).collect();
    let [flow] = flows.as_slice() else {
        panic!("one flow: {flows:?}")
    };
    assert_eq!(flow.ended, Ended::Closed);
    let kernel = flow.kernel.expect("counted");
    assert_eq!((kernel.up.bytes, kernel.trust()), (150, LOWER_BOUND));
}

#[test]
fn a_flow_that_the_kernel_tracks_never_idles() {
    let mut table = FlowTable::new(LIMITS, 7);
    let start = word(1, Moment::New, None).time;
    let datagram = datagram(0, (PHONE, 40_000), (SERVER, 443));
    table.handle_packet(&datagram, start);
    for minutes in 0..600 {
        let now = start.plus_seconds(60 * minutes);
        let counters = over_udp(word(1, Moment::Ongoing, Some([100, 100])));
        let view = counters.lan_view(|address| address.to_string().starts_with("192."));
        table.handle_counters(&counters, &view.expect("a view"), now);
        table.handle_sweep(now);
        assert!(table.poll_expired().is_none(), "minute {minutes}");
    }
    assert_eq!(rest(&mut table).len(), 1);
}

#[test]
fn the_same_ends_under_another_number_are_another_tcp_flow_and_one_udp_flow() {
    let words = [
        word(1, Moment::Ongoing, Some([100, 100])),
        word(1, Moment::Over, Some([200, 200])),
        word(2, Moment::New, None),
        word(2, Moment::Over, Some([50, 60])),
    ];
    let sums = |words: &[Counters]| told(words).iter().map(kernel_bytes).collect::<Vec<_>>();
    assert_eq!(sums(&words), [400, 110]);
    assert_eq!(sums(&words.map(over_udp)), [510]);
    // The first one's end was not seen.
    let unseen = [words[0], words[2], words[3]];
    let flows = told(&unseen);
    let trusts: Vec<_> = flows
        .iter()
        .filter_map(|flow| flow.kernel.map(|kernel| kernel.trust()))
        .collect();
    assert_eq!(trusts, [LOWER_BOUND, EXACT]);
    assert_eq!(
        account(&unseen.map(over_udp)),
        Some((150, 160, LOWER_BOUND))
    );
    // A number may name other ends, too.
    let elsewhere = Counters {
        original: Path {
            source: socket(PHONE, 41_000),
            ..words[0].original
        },
        ..word(1, Moment::Over, Some([70, 70]))
    };
    assert_eq!(sums(&[words[0], elsewhere]), [140, 200]);
}

#[test]
fn counters_may_be_faster_than_the_frames_of_the_same_connection() {
    let mut table = FlowTable::new(LIMITS, 7);
    tell(&mut table, &word(2, Moment::Ongoing, Some([60, 0])));
    for packet in [up(0, SYN, 1, 0), down(23, SYN_ACK, 9, 2)] {
        table.handle_packet(&packet, packet.time);
    }
    let flows = rest(&mut table);
    assert_eq!((flows.len(), flows[0].rtt.is_some()), (1, true));
    // But a SYN does not belong to what was there before the agent began.
    let mut table = FlowTable::new(LIMITS, 7);
    tell(&mut table, &word(1, Moment::Before, Some([60, 0])));
    tell(&mut table, &word(1, Moment::Ongoing, Some([160, 0])));
    table.handle_packet(&up(0, SYN, 1, 0), up(0, SYN, 1, 0).time);
    assert_eq!(rest(&mut table).len(), 2);
}

#[test]
fn another_zone_counts_the_same_packets() {
    let mirrored = |counters: Counters| Counters {
        key: ConnectionKey {
            zone: 7,
            ..counters.key
        },
        ..counters
    };
    let over = word(1, Moment::Over, Some([900, 900]));
    let mut table = FlowTable::new(LIMITS, 7);
    for counters in [
        word(1, Moment::Ongoing, Some([100, 100])),
        mirrored(word(1, Moment::Ongoing, Some([100, 100]))),
        over,
        mirrored(over),
    ] {
        tell(&mut table, &counters);
    }
    assert_eq!(table.counts().unapplied.of(Unapplied::OtherZone), 2);
    let flows = rest(&mut table);
    let kernel = flows[0].kernel.expect("counted");
    assert_eq!(
        (flows.len(), kernel.up.bytes, kernel.trust()),
        (1, 900, LOWER_BOUND)
    );
}

#[test]
fn intercepted_and_diverted_flows_say_so() {
    let from = |answerer: &str| Counters {
        reply: Path {
            source: socket(answerer, 443),
            destination: socket(PHONE, 40_000),
        },
        ..word(1, Moment::Over, Some([100, 100]))
    };
    let seen = |answerer| {
        let flow = &told(&[from(answerer)])[0];
        (flow.is_intercepted, flow.peer.map(|peer| peer.to_string()))
    };
    assert_eq!(seen(SERVER), (false, None));
    assert_eq!(seen(RESOLVER), (true, Some(RESOLVER.to_owned())));
    let elsewhere = "198.51.100.8";
    assert_eq!(seen(elsewhere), (false, Some(elsewhere.to_owned())));
}

#[test]
fn what_the_outside_opens_is_a_flow_of_the_outside() {
    let (outside, device) = (socket(SERVER, 5_000), socket(PHONE, 80));
    let forwarded = Counters {
        original: Path {
            source: outside,
            destination: socket("198.51.100.1", 8_080),
        },
        reply: Path {
            source: device,
            destination: outside,
        },
        ..word(1, Moment::Over, Some([100, 7_000]))
    };
    let flow = &told(&[forwarded])[0];
    let kernel = flow.kernel.expect("counted");
    assert_eq!((flow.client.port, flow.server.port), (5_000, 80));
    assert_eq!((kernel.up.bytes, kernel.down.bytes), (100, 7_000));
}

#[test]
fn connections_are_bounded_and_never_counted_from_before() {
    let limits = FlowLimits {
        connections_max: 1,
        ..LIMITS
    };
    let mut table = FlowTable::new(limits, 7);
    let elsewhere = |counters: Counters| Counters {
        original: Path {
            source: socket(PHONE, 41_000),
            ..counters.original
        },
        ..counters
    };
    for counters in [
        word(1, Moment::Before, Some([500, 500])),
        elsewhere(word(2, Moment::Before, Some([9_000, 9_000]))),
        word(1, Moment::Over, Some([600, 600])),
        elsewhere(word(2, Moment::Ongoing, Some([9_100, 9_100]))),
        elsewhere(word(2, Moment::Over, Some([9_300, 9_300]))),
    ] {
        tell(&mut table, &counters);
    }
    assert_eq!(table.counts().unapplied.of(Unapplied::TooMany), 1);
    let flows = rest(&mut table);
    let sums: Vec<_> = flows.iter().map(kernel_bytes).collect();
    assert_eq!(sums, [200, 400]);
    let is_bound = |flow: &Flow| flow.kernel.is_some_and(|k| k.trust() == LOWER_BOUND);
    assert!(flows.iter().all(is_bound));
}
