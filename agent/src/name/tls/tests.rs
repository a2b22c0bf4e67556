use super::*;
use crate::name::sample::{self, Hello};
use proptest::prelude::*;

fn name(reading: &Reading) -> Option<&str> {
    let (Reading::Whole(findings) | Reading::Partial(findings)) = reading else {
        return None;
    };
    findings.name.as_ref().map(ServerName::as_str)
}

fn whole(name: Option<&str>) -> Reading {
    let name = name.and_then(|name| ServerName::parse(name.as_bytes()));
    Reading::Whole(Findings {
        name,
        ..Findings::default()
    })
}

#[test]
fn the_name_of_a_hello_is_read() {
    let hello = Hello::naming("Api.Example.COM");
    assert_eq!(read(&hello.record()), whole(Some("api.example.com")));
    assert_eq!(
        read_message(&hello.message()),
        whole(Some("api.example.com"))
    );
}

#[test]
fn a_hello_in_many_records_is_one_hello() {
    let hello = Hello::naming("api.example.com");
    for fragment_bytes in [1, 2, 3, 4, 5, 100, 1000] {
        let reading = read(&hello.records(fragment_bytes));
        assert_eq!(
            reading,
            whole(Some("api.example.com")),
            "records of {fragment_bytes}"
        );
    }
}

#[test]
fn every_beginning_is_partial_and_tells_what_it_holds() {
    let hello = Hello::naming("api.example.com");
    for stream in [hello.record(), hello.records(64)] {
        let mut named = false;
        for length in 0..stream.len() {
            let reading = read(&stream[..length]);
            assert!(
                matches!(reading, Reading::Partial(_)),
                "{length} bytes gave {reading:?}"
            );
            assert!(
                !named || name(&reading).is_some(),
                "the name was forgotten at {length}"
            );
            named = name(&reading).is_some();
        }
        assert!(named, "the name stood before the last extension");
    }
}

#[test]
fn bytes_behind_the_hello_do_not_matter() {
    let mut stream = Hello::naming("api.example.com").record();
    stream.extend_from_slice(b"\x14\x03\x03\x00\x01\x01 and anything");
    assert_eq!(read(&stream), whole(Some("api.example.com")));
}

#[test]
fn hellos_without_a_name_name_nobody() {
    let bare = sample::record(&{
        let mut message = Hello::default().message();
        // Before extensions existed: cut their list off, and shorten the message by as much.
        message.truncate(message.len() - 2);
        message[3] -= 2;
        message
    });
    for stream in [
        bare,
        Hello::default().record(),
        Hello::default().with(0, b"").record(),
    ] {
        assert_eq!(read(&stream), whole(None));
    }
}

#[test]
fn a_name_that_is_none_is_refused_aloud() {
    for text in ["", "bücher.example", "with space", "2001:db8::1"] {
        let reading = read(&Hello::default().with_name(text).record());
        let refused = Findings {
            name_refused: true,
            ..Findings::default()
        };
        assert_eq!(reading, Reading::Whole(refused), "{text:?}");
    }
}

#[test]
fn an_address_in_the_name_is_reported_as_sent() {
    assert_eq!(
        read(&Hello::naming("192.0.2.7").record()),
        whole(Some("192.0.2.7"))
    );
}

#[test]
fn the_ech_extension_is_seen_wherever_it_stands() {
    let before = Hello::default().with_ech().with_name("front.example");
    let after = Hello::naming("front.example").with_ech();
    for hello in [before, after] {
        let Reading::Whole(findings) = read(&hello.record()) else {
            panic!("a whole hello")
        };
        assert!(findings.ech && findings.name.is_some());
    }
}

#[test]
fn contradicting_lengths_are_not_silence() {
    let mut stream = Hello::default()
        .with(0x1234, &[0; 20])
        .with_name("api.example")
        .record();
    // The first extension claims more than the whole list.
    let at = stream
        .windows(2)
        .position(|pair| pair == [0x12, 0x34])
        .expect("its type");
    stream[at + 2] = 0x7f;
    let refused = Findings {
        name_refused: true,
        ..Findings::default()
    };
    assert_eq!(read(&stream), Reading::Whole(refused));
}

#[test]
fn an_ssl2_hello_is_a_hello_without_a_name() {
    let mut hello = vec![0x80, 9 + 6 + 16, 1, 3, 1, 0, 6, 0, 0, 0, 16];
    hello.extend([1, 0, 128, 0, 0, 4]);
    hello.extend([7; 16]);
    assert_eq!(read(&hello), whole(None));
    for length in 0..11 {
        assert_eq!(
            read(&hello[..length]),
            Reading::Partial(Findings::default()),
            "{length}"
        );
    }
    hello[1] += 1;
    assert_eq!(read(&hello), Reading::Foreign);
}

#[test]
fn other_streams_are_foreign() {
    let server_hello = sample::record(b"\x02\0\0\x26\x03\x03");
    let hello_request = sample::record(b"\0\0\0\0");
    let too_new = b"\x16\x03\x05\x00\x10\x01";
    let tiny = b"\x16\x03\x01\x00\x04\x01\0\0\0";
    let other_record_inside = [
        &Hello::naming("a.example").records(20)[..25],
        b"\x15\x03\x01",
    ]
    .concat();
    for stream in [
        &server_hello[..],
        &hello_request,
        too_new,
        tiny,
        &other_record_inside,
        b"\x17\x03\x03\x01\x00",
        b"GET / HTTP/1.1\r\n",
        b"SSH-2.0-",
        b"\x80\x00\x00",
    ] {
        assert_eq!(read(stream), Reading::Foreign, "{stream:02x?}");
    }
}

#[test]
fn records_are_recognised_by_their_header() {
    for stream in [
        &b"\x16\x03\x03\x00\x7a\x02"[..],
        b"\x17\x03\x03\x04\x00",
        b"\x15\x03\x01\x00\x02",
    ] {
        assert!(is_record(stream), "{stream:02x?}");
    }
    for stream in [
        &b"\x17\x03\x03\xff\xff"[..],
        b"\x18\x03\x03\0\x10",
        b"\x17\x03",
        b"\x17\x03\x03\0\0",
    ] {
        assert!(!is_record(stream), "{stream:02x?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = read_message(&bytes);
        let _ = read(&sample::record(&bytes));
        let _ = read_body(&bytes, true, Flavour::Datagram);
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0_usize..1500, byte in any::<u8>(), cut in 0_usize..1500) {
        let mut stream = Hello::naming("api.example.com").with_ech().records(700);
        if let Some(place) = stream.get_mut(at) {
            *place = byte;
        }
        stream.truncate(cut);
        let _ = read(&stream);
    }
}
