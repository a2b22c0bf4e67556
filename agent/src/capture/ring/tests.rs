//! The ring before a real kernel, in network namespaces of the tests' own. They need root, `unshare`
//! and `ip`.

pub(in crate::capture) mod namespace;

use super::*;
use crate::capture::clock::KernelClock;
use crate::packet::sample::{ethernet, ipv4, tcp, udp};
use namespace::{Cable, collect, in_namespace};
use phonehome_proto::time::Timestamp;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn segment(flags: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(6, &tcp(40_000, 443, flags, payload)))
}

fn question(number: u16) -> Vec<u8> {
    let message = [&number.to_be_bytes()[..], &[0; 30]].concat();
    ethernet(0x0800, &ipv4(17, &udp(40_000, 53, &message)))
}

fn hello(bytes: usize) -> Vec<u8> {
    let mut payload = b"\x16\x03\x01\x02\x00\x01\x00".to_vec();
    payload.resize(bytes, 0x5a);
    segment(ACK, &payload)
}

fn heard(ifindex: u32, mode: Mode) -> Ring {
    let mut ring = Ring::open(Size::Large).expect("root");
    assert_eq!(
        ring.bind(ifindex, mode).expect("an interface"),
        LinkType::ETHERNET
    );
    ring
}

#[test]
#[ignore = "needs root and a network namespace"]
fn frames_are_given_as_they_passed_and_bulk_is_not() {
    in_namespace(
        module_path!(),
        "frames_are_given_as_they_passed_and_bulk_is_not",
        || {
            let cable = Cable::new();
            let mut ring = heard(cable.router, Mode::Names);
            let before = KernelClock::wall();
            let (opening, hello, answer) = (segment(SYN, b""), hello(2_000), question(1));
            cable.phone_sends(&opening);
            cable.phone_sends(&segment(ACK, &[0x5a; 1_400]));
            cable.phone_sends(&hello);
            // What leaves the router is heard as well.
            cable.router_sends(&answer);
            cable.router_sends(&segment(ACK, &[0x5a; 9_000]));
            cable.phone_sends(&ethernet(0x0806, &[0; 28]));
            cable.phone_sends(&question(2));
            let frames = collect(&mut ring, |frames| frames.len() == 4);
            let after = KernelClock::wall();
            let bytes: Vec<_> = frames.iter().map(|frame| &frame.bytes).collect();
            assert_eq!(bytes, [&opening, &hello, &answer, &question(2)]);
            for frame in &frames {
                assert_eq!(frame.wire_len_bytes as usize, frame.bytes.len());
                assert!((before..=after).contains(&frame.time), "{}", frame.time);
            }
            assert!(frames.is_sorted_by_key(|frame| frame.time));
            assert_eq!(ring.take_lost(), 0);
            ring.unbind().expect("a ring can always be unbound");
            cable.phone_sends(&opening);
            assert_eq!(
                ring.bind(cable.router, Mode::Names).ok(),
                Some(LinkType::ETHERNET)
            );
            cable.phone_sends(&question(3));
            let frames = collect(&mut ring, |frames| !frames.is_empty());
            assert_eq!(
                frames[0].bytes,
                question(3),
                "nothing came while it was unbound"
            );
        },
    );
}

#[test]
#[ignore = "needs root and a network namespace"]
fn a_super_packet_is_cut_to_what_is_of_use() {
    in_namespace(
        module_path!(),
        "a_super_packet_is_cut_to_what_is_of_use",
        || {
            let cable = Cable::new();
            let mut ring = heard(cable.router, Mode::Everything);
            let (bulk, hello) = (segment(ACK, &[0x5a; 60_000]), hello(60_000));
            for frame in [&bulk, &hello, &segment(ACK, b"")] {
                cable.phone_sends(frame);
            }
            let frames = collect(&mut ring, |frames| frames.len() == 3);
            let lengths: Vec<_> = frames
                .iter()
                .map(|frame| (frame.bytes.len(), frame.wire_len_bytes as usize))
                .collect();
            assert_eq!(
                lengths,
                [
                    (super::super::filter::HEADER_BYTES as usize, bulk.len()),
                    (SNAP_BYTES as usize, hello.len()),
                    (58, 58),
                ]
            );
            assert_eq!(frames[1].bytes, hello[..SNAP_BYTES as usize]);
        },
    );
}

#[test]
#[ignore = "needs root and a network namespace"]
fn tagged_frames_look_alike_in_both_directions() {
    in_namespace(
        module_path!(),
        "tagged_frames_look_alike_in_both_directions",
        || {
            let cable = Cable::new();
            let mut router = heard(cable.router, Mode::Names);
            let mut phone = heard(cable.phone, Mode::Names);
            let plain = question(9);
            let tag = [0x81, 0x00, 0x00, 0x07];
            let tagged = [&plain[..12], &tag, &plain[12..]].concat();
            cable.phone_sends(&tagged);
            // On its way out the tag is in the frame, on its way in the kernel has taken it.
            for ring in [&mut phone, &mut router] {
                let frames = collect(ring, |frames| !frames.is_empty());
                assert_eq!(frames[0].bytes, plain);
                assert_eq!(frames[0].wire_len_bytes as usize, plain.len());
            }
        },
    );
}

#[test]
#[ignore = "needs root and a network namespace"]
fn what_a_full_ring_drops_is_counted() {
    in_namespace(module_path!(), "what_a_full_ring_drops_is_counted", || {
        const SENT: usize = 5_000;
        let cable = Cable::new();
        let mut ring = heard(cable.router, Mode::Names);
        let frame = hello(1_000);
        for _ in 0..SENT {
            cable.phone_sends(&frame);
        }
        assert_eq!(
            cable.router_received(),
            SENT as u64,
            "the cable itself lost some"
        );
        let mut lost = 0;
        let mut received = 0;
        // The last block is handed over only when its time is up.
        let frames = namespace::collect_into(&mut ring, |ring, frames| {
            lost += ring.take_lost();
            received = frames.len();
            received as u64 + lost >= SENT as u64
        });
        assert_eq!(frames.len() as u64 + lost, SENT as u64);
        assert!(lost > 1_000 && frames.len() > 50, "{lost} lost");
        assert!(ring.frozen() > 0);
        // It goes on.
        cable.phone_sends(&question(5));
        let frames = collect(&mut ring, |frames| !frames.is_empty());
        assert_eq!(frames[0].bytes, question(5));
    });
}

#[test]
#[ignore = "needs root and a network namespace"]
fn an_interface_that_cannot_be_heard_is_told_apart() {
    in_namespace(
        module_path!(),
        "an_interface_that_cannot_be_heard_is_told_apart",
        || {
            let cable = Cable::new();
            let mut ring = heard(cable.router, Mode::Names);
            namespace::ip("link delete lan0");
            assert!(matches!(
                ring.bind(cable.router, Mode::Names),
                Err(RingError::Gone)
            ));
            assert_eq!(ring.ifindex(), None);
            namespace::ip("link set lo up");
            let mut ring = heard(1, Mode::Names);
            // An interface that is down is there, and is heard when it is up.
            namespace::ip("link set lo down");
            assert!(!ring.check());
            namespace::ip("link set lo up");
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
            socket.send_to(&[7; 20], "127.0.0.1:53").expect("loopback");
            let frames = collect(&mut ring, |frames| !frames.is_empty());
            assert!(frames[0].time > Timestamp::from_seconds(0));
        },
    );
}

#[test]
#[ignore = "needs root and a network namespace"]
fn an_interface_without_link_header_gives_bare_ip() {
    in_namespace(
        module_path!(),
        "an_interface_without_link_header_gives_bare_ip",
        || {
            namespace::ip("tuntap add dev tun0 mode tun");
            namespace::ip("link set tun0 up");
            namespace::ip("address add 192.0.2.1/24 dev tun0");
            let ifindex = namespace::ifindex("tun0");
            for mode in [Mode::Names, Mode::Everything] {
                let mut ring = Ring::open(Size::Large).expect("root");
                assert_eq!(ring.bind(ifindex, mode).ok(), Some(LinkType::RAW));
            }
        },
    );
}

#[test]
fn without_privilege_it_says_what_is_missing() {
    match Ring::open(Size::Large) {
        Ok(ring) => assert_eq!(ring.ifindex(), None),
        Err(error) => assert_eq!(
            error.to_string(),
            "opening a packet socket needs the capability CAP_NET_RAW"
        ),
    }
}
