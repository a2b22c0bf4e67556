use super::*;
use crate::capture::ring::tests::namespace::{self, Cable, Phone, in_namespace};
use crate::packet::sample::{ethernet, ipv4, udp};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::io::{self, Read};
use std::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(5);

/// A DNS message so long that a block holds about thirty.
fn question(number: u16) -> Vec<u8> {
    let message = [&number.to_be_bytes()[..], &[0; 900]].concat();
    ethernet(0x0800, &ipv4(17, &udp(40_000, 53, &message)))
}

fn tap(name: &str) -> Tap {
    Tap {
        name: name.to_owned(),
        ifindex: namespace::ifindex(name),
        is_shared: false,
    }
}

fn open(taps: &[Tap]) -> LiveSource {
    let (source, unheard) = LiveSource::open(taps, Mode::Names, None).expect("root");
    assert!(unheard.is_empty(), "{unheard:?}");
    source
}

/// The next frame; nothing else may come before it.
fn frame(source: &mut LiveSource) -> Vec<u8> {
    match source.next(PATIENCE) {
        Event::Frame(frame) => frame.bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn drop_privileges() {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).expect("less is always allowed");
    assert!(matches!(
        Ring::open(Size::Large),
        Err(RingError::NotPermitted)
    ));
}

#[test]
#[ignore = "needs root and a network namespace"]
fn an_interface_that_vanishes_and_returns_is_heard_again_without_privileges() {
    let name = "an_interface_that_vanishes_and_returns_is_heard_again_without_privileges";
    in_namespace(module_path!(), name, || {
        let cable = Cable::new();
        let before = tap("lan0");
        let mut source = open(std::slice::from_ref(&before));
        cable.phone_sends(&question(1));
        assert_eq!(frame(&mut source), question(1));
        drop_privileges();
        for round in 2..=4 {
            // Programs started by root have their privileges back.
            namespace::ip("link delete lan0");
            let gone = source.next(PATIENCE);
            assert!(
                matches!(
                    gone,
                    Event::Lost {
                        count: 1,
                        why: Lost::InterfaceGone
                    }
                ),
                "{gone:?}"
            );
            assert!(source.is_missing_any());
            assert_eq!(source.heard().count(), 0);
            assert!(
                matches!(source.next(Duration::ZERO), Event::Idle),
                "said once"
            );
            let unheard = source.retarget(std::slice::from_ref(&before));
            assert_eq!(unheard[0].to_string(), "lan0: the interface is gone");

            namespace::ip("link add lan0 type veth peer name phone0");
            namespace::ip("link set lan0 up");
            namespace::ip("link set phone0 up");
            let after = tap("lan0");
            assert_ne!(after.ifindex, before.ifindex);
            assert!(source.retarget(&[after]).is_empty());
            assert_eq!(source.heard().collect::<Vec<_>>(), ["lan0"]);
            let answer = namespace::ip("-o link show dev phone0");
            assert!(answer.contains("phone0"));
            announce(round);
            assert!(matches!(source.next(PATIENCE), Event::Frame(_)));
            while matches!(source.next(Duration::from_millis(300)), Event::Frame(_)) {}
        }
        assert_eq!(source.counts().lost.of(Lost::InterfaceGone), 3);
        // One that comes back under the number it had is no other network.
        assert!(source.listen_again());
        let number = tap("lan0").ifindex;
        namespace::ip("link delete lan0");
        while source.heard().count() > 0 {
            let _ = source.next(PATIENCE);
        }
        assert!(!source.listen_again());
        namespace::ip(&format!(
            "link add lan0 index {number} type veth peer name phone0"
        ));
        assert!(source.listen_again());
        assert_eq!(source.heard().collect::<Vec<_>>(), ["lan0"]);
    });
}

/// Makes the phone's side say something that passes the filter.
fn announce(round: u16) {
    namespace::ip(&format!("address add 192.0.2.{round}/24 dev phone0"));
    let address = format!("192.0.2.{round}:0");
    let socket = std::net::UdpSocket::bind(address).expect("its address");
    // A broadcast needs nobody to answer for the address.
    socket.set_broadcast(true).expect("a datagram socket");
    socket.send_to(&[7; 40], "192.0.2.255:53").expect("a route");
}

#[test]
#[ignore = "needs root and a network namespace"]
fn rings_take_turns() {
    in_namespace(module_path!(), "rings_take_turns", || {
        let cable = Cable::new();
        // Each frame passes both ends of the cable: two taps that see the same, for once on purpose.
        let mut source = open(&[tap("lan0"), tap("phone0")]);
        // More than one turn's in blocks that are full, so that both rings have them at once.
        let sent = 100;
        for number in 0..sent {
            cable.phone_sends(&question(number));
        }
        let mut numbers = Vec::new();
        while numbers.len() < usize::from(sent) * 2 {
            let bytes = frame(&mut source);
            numbers.push(u16::from_be_bytes([bytes[42], bytes[43]]));
        }
        let switches = numbers.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(
            switches >= 2,
            "one ring was emptied before the other was asked"
        );
        assert!(numbers.iter().filter(|number| **number == 7).count() == 2);
        assert!(matches!(source.next(Duration::ZERO), Event::Idle));
        assert_eq!(source.counts().frames, u64::from(sent) * 2);
        // One is let go: its frames come no more.
        assert!(source.retarget(&[tap("lan0")]).is_empty());
        cable.phone_sends(&question(9));
        assert_eq!(frame(&mut source), question(9));
        assert!(matches!(
            source.next(Duration::from_millis(300)),
            Event::Idle
        ));
    });
}

#[test]
#[ignore = "needs root and a network namespace"]
fn more_interfaces_than_rings_are_told() {
    in_namespace(
        module_path!(),
        "more_interfaces_than_rings_are_told",
        || {
            let taps: Vec<_> = (0..=RINGS_MAX)
                .map(|number| {
                    let name = format!("port{number}");
                    namespace::ip(&format!("link add {name} type veth peer name far{number}"));
                    tap(&name)
                })
                .collect();
            let (mut source, unheard) = LiveSource::open(&taps, Mode::Names, None).expect("root");
            assert_eq!(unheard.len(), 1);
            assert_eq!(
                unheard[0].to_string(),
                "port8: at most 8 interfaces can be listened to at a time"
            );
            assert!(source.retarget(&taps[4..]).is_empty(), "rings were let go");
            assert_eq!(source.heard().count(), 5);
        },
    );
}

#[test]
#[ignore = "needs root and a network namespace"]
fn a_waker_wakes_and_stops() {
    in_namespace(module_path!(), "a_waker_wakes_and_stops", || {
        let _cable = Cable::new();
        let mut source = open(&[tap("lan0")]);
        let waker = source.waker();
        // Were the calls not heard, these waits would outlast the test.
        let forever = Duration::from_secs(1 << 40);
        let other = std::thread::spawn({
            let waker = waker.clone();
            move || waker.wake()
        });
        assert!(matches!(source.next(forever), Event::Idle));
        other.join().expect("no panic");
        let other = std::thread::spawn(move || waker.stop());
        assert!(matches!(source.next(forever), Event::End));
        assert!(matches!(source.next(forever), Event::End), "for ever");
        other.join().expect("no panic");
    });
}

#[test]
#[ignore = "needs root and a network namespace"]
#[should_panic(expected = "no interface is tapped twice")]
fn nothing_is_tapped_twice() {
    let tap = Tap {
        name: "lo".to_owned(),
        ifindex: 1,
        is_shared: false,
    };
    let _ = LiveSource::open(&[tap.clone(), tap], Mode::Names, None);
}

/// What the source gave while bulk passed the router's interface.
#[derive(Debug, Default)]
struct Given {
    frames: u64,
    bytes: u64,
    /// The frames' bytes when they passed.
    wire_bytes: u64,
    largest_wire_bytes: u32,
    lost: u64,
}

/// Sends so many mebibytes over TCP, to the phone or from it, while the source is listened to.
fn transfer(source: &mut LiveSource, phone: &Phone, is_upload: bool, mebibytes: u64) -> Given {
    let listener = TcpListener::bind("192.0.2.1:5001").expect("the router's address");
    let waker = source.waker();
    let mut given = Given::default();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().expect("the phone");
            if is_upload {
                let received = io::copy(&mut stream, &mut io::sink()).expect("the phone sends");
                assert_eq!(received, mebibytes << 20);
            } else {
                let mut bulk = io::repeat(0x5a).take(mebibytes << 20);
                io::copy(&mut bulk, &mut stream).expect("the phone reads");
            }
            drop(stream);
            waker.wake();
        });
        scope.spawn(|| {
            phone.shell(&if is_upload {
                // Of each write only the odd remainder passes; what writes small pieces into a cable
                // that is never full, as `head` does on some systems, would send many remainders.
                format!(
                    "dd status=none if=/dev/zero bs=1M count={mebibytes} >/dev/tcp/192.0.2.1/5001"
                )
            } else {
                "cat </dev/tcp/192.0.2.1/5001 >/dev/null".to_owned()
            });
        });
        // What is under way when the transfer is over comes within a block's time.
        let mut patience = Duration::from_secs(60);
        let mut is_over = false;
        loop {
            match source.next(patience) {
                Event::Frame(frame) => {
                    given.frames += 1;
                    given.bytes += frame.bytes.len() as u64;
                    given.wire_bytes += u64::from(frame.wire_len_bytes);
                    given.largest_wire_bytes = given.largest_wire_bytes.max(frame.wire_len_bytes);
                }
                Event::Lost { count, why } => {
                    assert_eq!(why, Lost::RingFull);
                    given.lost += count;
                }
                Event::Idle if is_over => break,
                Event::Idle => (is_over, patience) = (true, Duration::from_secs(1)),
                other => panic!("{other:?}"),
            }
        }
    });
    given
}

#[test]
#[ignore = "needs root and a network namespace"]
fn of_bulk_the_filter_lets_next_to_nothing_through() {
    let name = "of_bulk_the_filter_lets_next_to_nothing_through";
    in_namespace(module_path!(), name, || {
        const MEBIBYTES: u64 = 64;
        let cable = Cable::new();
        let phone = Phone::move_out(&cable);
        let mut source = open(&[tap("lan0")]);
        for is_upload in [false, true] {
            let given = transfer(&mut source, &phone, is_upload, MEBIBYTES);
            // SYN, SYN-ACK, two FINs; and of an upload the remainders of its writes.
            assert!(given.frames >= 4 && given.lost == 0, "{given:?}");
            let shares_min = if is_upload { 50 } else { 500 };
            assert!(given.bytes * shares_min < MEBIBYTES << 20, "{given:?}");
        }
    });
}

#[test]
#[ignore = "needs root and a network namespace"]
fn where_everything_passes_volumes_are_the_interface_s() {
    let name = "where_everything_passes_volumes_are_the_interface_s";
    in_namespace(module_path!(), name, || {
        const MEBIBYTES: u64 = 16;
        let cable = Cable::new();
        let phone = Phone::move_out(&cable);
        let (mut source, _) =
            LiveSource::open(&[tap("lan0")], Mode::Everything, None).expect("root");
        for is_upload in [false, true] {
            let before = cable.router_bytes();
            let given = transfer(&mut source, &phone, is_upload, MEBIBYTES);
            let passed = cable.router_bytes() - before;
            assert!(passed > MEBIBYTES << 20);
            assert!(
                given.largest_wire_bytes > 1_514,
                "segments were merged: {given:?}"
            );
            // ARP passes the interface too, and is nobody's volume.
            assert!(given.wire_bytes <= passed, "{given:?} of {passed}");
            if given.lost == 0 {
                assert!(given.wire_bytes + 1_000 > passed, "{given:?} of {passed}");
            }
        }
    });
}
