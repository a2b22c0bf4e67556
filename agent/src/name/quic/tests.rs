use super::keys::tests::seal;
use super::*;
use crate::name::{ServerName, sample};
use proptest::prelude::*;

const CONNECTION: &[u8] = b"\x83\x94\xc8\xf0\x3e\x51\x57\x08";

fn vector(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("two hex digits")
        })
        .collect()
}

fn name(datagram: &Datagram) -> Option<&str> {
    match datagram {
        Datagram::Opened(Reading::Whole(findings)) => {
            findings.name.as_ref().map(ServerName::as_str)
        }
        _ => None,
    }
}

fn frame(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let long = |number: usize| (u32::try_from(number).expect("small") | 0x8000_0000).to_be_bytes();
    [&[6][..], &long(offset), &long(bytes.len()), bytes].concat()
}

/// RFC 9001, appendix A.2; RFC 9369, appendix A.2.
#[test]
fn the_packets_of_the_rfcs_open() {
    for hex in [
        include_str!("vectors/rfc9001-a2.hex"),
        include_str!("vectors/rfc9369-a2.hex"),
    ] {
        let packet = vector(hex);
        assert_eq!(packet.len(), 1200);
        assert_eq!(
            name(&Hello::default().handle_datagram(&packet)),
            Some("example.com")
        );
        // One bit elsewhere, and it is nobody's packet.
        for at in [1100, 300, 20, 0] {
            let mut altered = packet.clone();
            altered[at] ^= 1;
            assert_eq!(
                Hello::default().handle_datagram(&altered),
                Datagram::Sealed,
                "byte {at}"
            );
        }
    }
}

#[test]
fn every_version_opens() {
    let message = sample::Hello::naming("quic.example").message();
    let drafts = 0xff00_0016..=0xff00_0022;
    for version in drafts.chain([1, 0x6b33_43cf, 0xface_b001, 0xface_b002, 0xface_b00e]) {
        let packet = seal(version, CONNECTION, CONNECTION, 0, &frame(0, &message));
        let datagram = Hello::default().handle_datagram(&packet);
        assert_eq!(
            name(&datagram),
            Some("quic.example"),
            "version {version:08x}"
        );
    }
}

#[test]
fn frames_in_any_order_over_packets_and_datagrams_are_one_hello() {
    let message = sample::Hello::naming("quic.example").message();
    let (early, late) = message.split_at(700);
    let shuffled = [
        &[1, 0, 0][..],
        &frame(600, &message[600..700]),
        // An ACK of two ranges, one with ECN counts, and a PING.
        &[2, 9, 0, 1, 3, 0, 2],
        &[3, 9, 0, 0, 3, 31, 31, 31, 1],
        &frame(0, &early[..650]),
    ]
    .concat();
    let first = seal(1, CONNECTION, CONNECTION, 0, &frame(700, late));
    let second = seal(1, CONNECTION, CONNECTION, 1, &shuffled);
    let mut apart = Hello::default();
    assert_eq!(name(&apart.handle_datagram(&first)), None);
    assert_eq!(name(&apart.handle_datagram(&second)), Some("quic.example"));
    let coalesced = [first, second].concat();
    assert_eq!(
        name(&Hello::default().handle_datagram(&coalesced)),
        Some("quic.example")
    );
}

#[test]
fn later_packets_keep_the_first_keys_under_another_identifier() {
    let message = sample::Hello::naming("quic.example").message();
    let (early, late) = message.split_at(700);
    let mut hello = Hello::default();
    hello.handle_datagram(&seal(1, CONNECTION, CONNECTION, 0, &frame(0, early)));
    let rest = seal(1, CONNECTION, b"server's", 1, &frame(700, late));
    assert_eq!(name(&hello.handle_datagram(&rest)), Some("quic.example"));
}

#[test]
fn a_retry_and_another_version_begin_again() {
    let first = sample::Hello::default()
        .with_name("old.example")
        .with(51, &[0; 1216])
        .message();
    let second = sample::Hello::naming("quic.example").message();
    for (version, connection) in [(1, &b"from retry"[..]), (0x6b33_43cf, CONNECTION)] {
        let mut hello = Hello::default();
        hello.handle_datagram(&seal(
            1,
            CONNECTION,
            CONNECTION,
            0,
            &frame(0, &first[..900]),
        ));
        let packet = seal(version, connection, connection, 1, &frame(0, &second));
        assert_eq!(name(&hello.handle_datagram(&packet)), Some("quic.example"));
    }
}

#[test]
fn other_packets_are_told_apart() {
    let mut hello = Hello::default();
    // A server's Initial: other keys. A Retry. A version of Google's.
    let answer = seal(1, b"client's", b"other", 0, &frame(0, b"\x02"));
    assert_eq!(hello.handle_datagram(&answer), Datagram::Sealed);
    assert_eq!(
        hello.handle_datagram(b"\xf0\0\0\0\x01\0\0token"),
        Datagram::Sealed
    );
    assert_eq!(
        hello.handle_datagram(b"\xc3Q046\x50\0\0\0\0\0"),
        Datagram::Sealed
    );
    for stray in [
        &b""[..],
        b"\x40 short header",
        b"\x80\0\0\0\0\0\0\0\0\0\x01",
        b"\xc0\x12\x34\x56\x78",
    ] {
        assert_eq!(
            hello.handle_datagram(stray),
            Datagram::Foreign,
            "{stray:02x?}"
        );
    }
    assert_eq!(hello.buffered_bytes(), 0);
}

#[test]
fn a_hello_too_long_to_hold_is_named_by_its_beginning() {
    let filler = vec![0; 20_000];
    let named = sample::Hello::naming("quic.example")
        .with(0x3333, &filler)
        .message();
    let hidden = sample::Hello::default()
        .with(0x3333, &filler)
        .with_name("a.example")
        .message();
    for (message, expected) in [(named, Some("quic.example")), (hidden, None)] {
        let mut hello = Hello::default();
        let mut last = Datagram::Foreign;
        for (number, chunk) in message.chunks(1000).enumerate() {
            let number_field = u16::try_from(number).expect("few");
            last = hello.handle_datagram(&seal(
                1,
                CONNECTION,
                CONNECTION,
                number_field,
                &frame(number * 1000, chunk),
            ));
            assert!(hello.buffered_bytes() <= 2 * HANDSHAKE_BYTES_MAX);
        }
        assert_eq!(name(&last), expected);
        assert!(matches!(last, Datagram::Opened(Reading::Whole(_))));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(first in any::<u8>(), bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Hello::default().handle_datagram(&bytes);
        let _ = Hello::default().handle_datagram(&[&[first | 0xc0, 0, 0, 0, 1], &bytes[..]].concat());
        for _ in frames::crypto_frames(&bytes) {}
    }

    #[test]
    fn any_cut_and_order_of_the_hello_gives_its_name(
        cuts in prop::collection::btree_set(1_usize..1300, 0..12),
        order in any::<prop::sample::Index>(),
        seeds in prop::collection::vec(any::<u32>(), 14),
    ) {
        let message = sample::Hello::naming("quic.example").message();
        let ends = cuts.into_iter().chain([message.len()]);
        let mut start = 0;
        let mut pieces: Vec<(u32, Vec<u8>)> = Vec::new();
        for (end, seed) in ends.zip(&seeds) {
            pieces.push((*seed, frame(start, &message[start..end])));
            start = end;
        }
        pieces.sort();
        // The frames of one order, the first so many in one datagram, the rest in another.
        let in_first = order.index(pieces.len() + 1);
        let frames: Vec<Vec<u8>> = pieces.into_iter().map(|(_, frame)| frame).collect();
        let mut hello = Hello::default();
        let first = hello.handle_datagram(&seal(1, CONNECTION, CONNECTION, 0, &frames[..in_first].concat()));
        let second = hello.handle_datagram(&seal(1, CONNECTION, CONNECTION, 1, &frames[in_first..].concat()));
        prop_assert!([name(&first), name(&second)].contains(&Some("quic.example")));
    }
}
