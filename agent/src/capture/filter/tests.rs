mod captures;

use super::machine::run;
use super::*;
use crate::packet::sample::{ethernet, ipv4, ipv6, udp};
use proptest::prelude::*;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PSH_ACK: u8 = 0x18;
const CLIENT: u16 = 45_000;

fn program(link: LinkType, mode: Mode) -> Program {
    Program::new(link, mode).expect("a link with a program")
}

/// What both modes let through of a frame.
fn passed(link: LinkType, frame: &[u8]) -> [u32; 2] {
    [Mode::Names, Mode::Everything].map(|mode| {
        let program = program(link, mode);
        run(program.instructions(), frame, frame.len())
    })
}

const ALL: [u32; 2] = [SNAP_BYTES, SNAP_BYTES];
const GLIMPSE: [u32; 2] = [HEADER_BYTES, HEADER_BYTES];
const REST: [u32; 2] = [0, HEADER_BYTES];
const NOTHING: [u32; 2] = [0, 0];

/// An IP packet in every shape of headers that is understood: each must fare alike.
fn shapes(protocol: u8, transport: &[u8]) -> Vec<(LinkType, Vec<u8>)> {
    let plain_v4 = ipv4(protocol, transport);
    let mut with_options = ipv4(protocol, &[&[1; 12], transport].concat());
    with_options[0] = 0x48;
    let option = [protocol, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let fragment = [protocol, 0, 0, 1, 0, 0, 0, 9];
    let then_fragment = [44, 0, 1, 4, 0, 0, 0, 0];
    let packets = [
        (0x0800, plain_v4),
        (0x0800, with_options),
        (0x86dd, ipv6(protocol, transport)),
        (0x86dd, ipv6(0, &[&option, transport].concat())),
        (0x86dd, ipv6(44, &[&fragment, transport].concat())),
        (
            0x86dd,
            ipv6(60, &[&then_fragment[..], &fragment, transport].concat()),
        ),
    ];
    let mut shapes = Vec::new();
    for (kind, packet) in packets {
        let kind_bytes = u16::to_be_bytes(kind);
        for tag in [0x8100, 0x88a8] {
            let tagged = [&[0x00, 0x07][..], &kind_bytes, &packet].concat();
            shapes.push((LinkType::ETHERNET, ethernet(tag, &tagged)));
        }
        shapes.push((LinkType::ETHERNET, ethernet(kind, &packet)));
        shapes.push((LinkType::RAW, packet));
    }
    shapes
}

fn fares(protocol: u8, transport: &[u8], expected: [u32; 2]) {
    for (link, mut frame) in shapes(protocol, transport) {
        assert_eq!(passed(link, &frame), expected, "{link:?} {frame:02x?}");
        if link == LinkType::ETHERNET {
            // What short frames are filled up with is no payload.
            frame.resize(frame.len().max(60), 0);
            assert_eq!(passed(link, &frame), expected, "filled up: {frame:02x?}");
        }
    }
}

fn tcp(source: u16, destination: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    crate::packet::sample::tcp(source, destination, flags, payload)
}

fn upward(flags: u8, payload: &[u8]) -> Vec<u8> {
    tcp(CLIENT, 443, flags, payload)
}

fn of_length(start: &[u8], bytes: usize) -> Vec<u8> {
    let mut payload = start.to_vec();
    payload.resize(bytes, 0x5a);
    payload
}

#[test]
fn what_opens_or_ends_a_connection_passes() {
    for flags in [SYN, SYN | ACK, 0x11, 0x04, 0x14] {
        fares(6, &upward(flags, b""), ALL);
        fares(6, &tcp(443, CLIENT, flags, b""), ALL);
    }
    fares(6, &upward(ACK, b""), REST);
}

#[test]
fn hellos_and_requests_pass_whatever_their_size_and_ports() {
    let hello = |bytes| of_length(b"\x16\x03\x01\x02\x00\x01\x00", bytes);
    for bytes in [7, 517, 1448, 9_000] {
        for (source, destination) in [(CLIENT, 443), (443, CLIENT), (1025, 50_000)] {
            for flags in [ACK, PSH_ACK] {
                let segment = tcp(source, destination, flags, &hello(bytes));
                fares(6, &segment, ALL);
                let request = of_length(b"POST /upload HTTP/1.1\r\n", bytes.max(23));
                fares(6, &tcp(source, destination, flags, &request), ALL);
            }
        }
    }
    for start in ["GET /", "HEAD /", "PUT /", "CONNECT a:1", "OPTIONS *"] {
        fares(6, &upward(ACK, &of_length(start.as_bytes(), 2_000)), ALL);
    }
}

#[test]
fn a_server_s_half_of_the_handshake_is_a_glimpse() {
    let hello = of_length(b"\x16\x03\x03\x00\x7a\x02\x00", 1448);
    fares(6, &tcp(443, CLIENT, ACK, &hello), GLIMPSE);
}

#[test]
fn the_second_half_of_a_hello_passes_and_bulk_does_not() {
    for bytes in [1, 2, 3, 4, 600, 1400] {
        let rest = of_length(b"\x5a", bytes);
        fares(6, &upward(PSH_ACK, &rest), ALL);
        fares(6, &upward(ACK, &rest), REST);
        fares(6, &tcp(443, CLIENT, PSH_ACK, &rest), REST);
        fares(6, &tcp(1023, 80, PSH_ACK, &rest), REST);
        fares(6, &tcp(5_000, 6_000, PSH_ACK, &rest), REST);
    }
    for bytes in [1401, 1448, 30_000] {
        fares(6, &upward(PSH_ACK, &of_length(b"\x5a", bytes)), REST);
    }
    for kind in [0x14, 0x15, 0x17] {
        fares(6, &upward(PSH_ACK, &of_length(&[kind, 3, 3], 90)), REST);
    }
}

#[test]
fn household_protocols_pass_both_ways() {
    for port in [53, 67, 68, 546, 547, 5353] {
        fares(17, &udp(port, 40_000, b"short"), ALL);
        fares(17, &udp(40_000, port, b"short"), ALL);
    }
    for (source, destination) in [(53, 40_000), (40_000, 53)] {
        fares(
            6,
            &tcp(source, destination, ACK, &of_length(b"\0\x40", 1_000)),
            ALL,
        );
    }
}

#[test]
fn quic_and_dtls_pass_before_they_have_keys_and_not_after() {
    let datagram = |start: &[u8]| udp(40_000, 443, &of_length(start, 1_200));
    for start in [
        &b"\xc3\0\0\0\x01\x08"[..],
        b"\xe0\0\0\0\x01\x08",
        b"\xd1\x6b\x33\x43\xcf",
        b"\xc0\xff\0\0\x1d",
        b"\xc0\xfa\xce\xb0\x02",
        b"\xc3Q046\x50",
        b"\xc3T051\x50",
        b"\xc0\x1a\x2a\x3a\x4a",
        b"\x09conn-id.Q043\x01",
        b"\x0dconn-id.Q025\x01",
        b"\x16\xfe\xff\0\0",
        b"\x16\x01\x00\0\0",
    ] {
        fares(17, &datagram(start), ALL);
    }
    for start in [
        // A short header; a long one of no version; Version Negotiation; media; WireGuard.
        &b"\x40\0\0\0\x01"[..],
        b"\xff\x12\x34\x56\x78",
        b"\xc0\0\0\0\0",
        b"\x80\x60\0\0\x01",
        b"\x04\0\0\0",
        b"\x17\xfe\xfd\0\x01",
        b"\x16\x01\x01\0\0",
        b"\x09conn-id.X043\x01",
        b"\x08conn-id.Q043\x01",
    ] {
        fares(17, &datagram(start), REST);
    }
    fares(17, &udp(40_000, 443, b"\xc3\0\0\0\x01"), REST);
}

#[test]
fn what_is_not_followed_passes_only_where_everything_is_counted() {
    // ICMP, IP in IP, and a third extension header.
    for protocol in [1, 4, 41, 47] {
        fares(protocol, &[0; 40], REST);
    }
    let mut later = ipv4(17, &udp(53, 40_000, b"answer"));
    later[6..8].copy_from_slice(&[0x00, 0x10]);
    assert_eq!(passed(LinkType::RAW, &later), REST);
    let later = [&[17, 0, 0, 0x10, 0, 0, 0, 9][..], &udp(53, 40_000, b"")].concat();
    assert_eq!(passed(LinkType::RAW, &ipv6(44, &later)), REST);
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let deep = [
        &options(60)[..],
        &options(60),
        &options(17),
        &udp(53, 40_000, b""),
    ]
    .concat();
    assert_eq!(passed(LinkType::RAW, &ipv6(60, &deep)), REST);
    for kind in [0x0806, 0x8864, 0x0026] {
        assert_eq!(
            passed(LinkType::ETHERNET, &ethernet(kind, &[0x45; 60])),
            NOTHING
        );
    }
}

#[test]
fn a_link_without_a_program_is_said_so() {
    assert_eq!(Program::new(LinkType::IEEE802_11, Mode::Names), None);
    assert_eq!(run(Program::nothing().instructions(), &[0; 60], 60), 0);
}

#[test]
fn the_programs_are_short() {
    for (link, instructions_max) in [(LinkType::ETHERNET, 220), (LinkType::RAW, 190)] {
        for mode in [Mode::Names, Mode::Everything] {
            let length = program(link, mode).instructions().len();
            assert!(length <= instructions_max, "{link:?} {mode:?}: {length}");
        }
    }
}

proptest! {
    /// The machine panics where the kernel's checker refuses a program, and on a way that ends
    /// nowhere.
    #[test]
    fn every_frame_is_passed_or_dropped(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        is_v6 in any::<bool>(),
        next in prop::sample::select(vec![0_u8, 1, 6, 17, 43, 44, 60]),
        is_tagged in any::<bool>(),
    ) {
        let (kind, packet) = if is_v6 { (0x86dd, ipv6(next, &bytes)) } else { (0x0800, ipv4(next, &bytes)) };
        let frame = if is_tagged {
            ethernet(0x8100, &[&[0, 1][..], &u16::to_be_bytes(kind), &packet].concat())
        } else {
            ethernet(kind, &packet)
        };
        for (link, frame) in [(LinkType::ETHERNET, &frame), (LinkType::RAW, &packet), (LinkType::ETHERNET, &bytes), (LinkType::RAW, &bytes)] {
            let [names, everything] = passed(link, frame);
            prop_assert!([0, HEADER_BYTES, SNAP_BYTES].contains(&names));
            prop_assert!(names == everything || (names == 0 && everything == HEADER_BYTES));
        }
    }
}
