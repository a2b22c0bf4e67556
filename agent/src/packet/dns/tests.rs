use super::*;
use proptest::prelude::*;

/// A record: name, type, class IN, a lifetime, data.
fn record(name: &[u8], kind: u16, ttl_seconds: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short").to_be_bytes();
    [
        name,
        &kind.to_be_bytes(),
        &[0, 1],
        &ttl_seconds.to_be_bytes(),
        &length,
        data,
    ]
    .concat()
}

/// An answer to the question for `www.example.com`, which stands at offset 12.
fn answer(records: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(records.len()).expect("few");
    let header = [0, 7, 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
    [
        header.as_slice(),
        b"\x03WWW\x07example\x03com\0\0\x01\0\x01",
        &records.concat(),
    ]
    .concat()
}

/// Points to the name asked for.
const QUESTION: &[u8] = &[0xc0, 12];
const CDN: &[u8] = b"\x03cdn\x04test\0";

fn addresses(message: &[u8]) -> Vec<(String, u32)> {
    let message = read(message).expect("a message");
    message
        .addresses()
        .into_iter()
        .map(|(address, ttl)| (address.to_string(), ttl))
        .collect()
}

#[test]
fn follows_aliases_to_addresses() {
    let message = answer(&[
        record(b"\x05other\0", 1, 60, &[203, 0, 113, 9]),
        record(CDN, 1, 300, &[192, 0, 2, 1]),
        record(QUESTION, 5, 60, CDN),
        record(
            CDN,
            28,
            30,
            &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ),
        record(CDN, 5, 60, QUESTION),
    ]);
    let read = read(&message).expect("a message");
    assert!(read.is_response);
    assert_eq!(
        read.question.as_ref().map(DnsName::as_str),
        Some("www.example.com")
    );
    // An alias may lead in a circle; the shortest lifetime on the way counts.
    assert_eq!(
        addresses(&message),
        [("192.0.2.1".into(), 60), ("2001:db8::1".into(), 30)]
    );
}

#[test]
fn service_records_give_hints_and_ech() {
    let ech = b"\0\x04\xfe\x0d\0\0";
    let params = [
        [0, 4, 0, 4, 192, 0, 2, 7].as_slice(),
        &[0, 5, 0, 6],
        ech,
        &[
            0, 6, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
        ],
    ]
    .concat();
    let own = [[0, 1, 0].as_slice(), &params].concat();
    let message = answer(&[record(QUESTION, 65, 60, &own)]);
    assert_eq!(
        addresses(&message),
        [("192.0.2.7".into(), 60), ("2001:db8::7".into(), 60)]
    );
    let read = read(&message).expect("a message");
    assert_eq!(read.ech_config_lists().collect::<Vec<_>>(), [ech]);
    let alias = answer(&[
        record(QUESTION, 65, 60, &[[0, 0].as_slice(), CDN].concat()),
        record(CDN, 1, 60, &[192, 0, 2, 1]),
    ]);
    assert_eq!(addresses(&alias), [("192.0.2.1".into(), 60)]);
}

#[test]
fn a_cut_message_gives_its_whole_records() {
    let records = [1, 2, 3].map(|last| record(QUESTION, 1, 60, &[192, 0, 2, last]));
    let message = answer(&records);
    for missing in 1..=16 {
        let cut = &message[..message.len() - missing];
        assert_eq!(addresses(cut).len(), 2, "{missing} bytes missing");
    }
    // More records claimed than any message holds, and a bit set that must not be.
    let mut wrong = message.clone();
    wrong[6..8].fill(0xff);
    wrong[3] |= 0x40;
    assert_eq!(addresses(&wrong).len(), 3);
}

#[test]
fn only_so_many_records_are_read() {
    let mut message = answer(&vec![record(QUESTION, 1, 60, &[192, 0, 2, 1]); 255]);
    message.extend(record(QUESTION, 1, 60, &[192, 0, 2, 1]).repeat(100));
    message[6..8].copy_from_slice(&355_u16.to_be_bytes());
    // The question is one of them.
    assert_eq!(addresses(&message).len(), usize::from(RECORDS_MAX) - 1);
}

#[test]
fn messages_in_a_stream_stand_behind_their_length() {
    let message = answer(&[record(QUESTION, 1, 60, &[192, 0, 2, 1])]);
    let length = u16::try_from(message.len()).expect("short").to_be_bytes();
    let framed = [length.as_slice(), &message].concat();
    assert_eq!(read_framed(&framed), read(&message));
    assert_eq!(read_framed(&framed[..framed.len() - 1]), None);
}

#[test]
fn names_are_text_in_lower_case() {
    let name = Name::new_unchecked("Anna's TV._AirPlay._tcp.LOCAL");
    assert_eq!(DnsName::of(&name).as_str(), "anna's tv._airplay._tcp.local");
    let service = |text: &str| {
        DnsName(text.into())
            .service()
            .map(|name| name.as_str().to_owned())
    };
    assert_eq!(
        service("anna's tv._airplay._tcp.local").as_deref(),
        Some("_airplay._tcp")
    );
    assert_eq!(
        service("_googlecast._tcp.local").as_deref(),
        Some("_googlecast._tcp")
    );
    assert_eq!(
        service("_sleep-proxy._udp.local").as_deref(),
        Some("_sleep-proxy._udp")
    );
    for other in [
        "iphone.local",
        "_tcp.local",
        "a._tcp.local",
        "._tcp.local",
        "_airplay._tcp.example",
    ] {
        assert_eq!(service(other), None, "{other}");
    }
}

proptest! {
    /// Whatever follows the question, and however the header is spoilt: the short way says what the long
    /// one says.
    #[test]
    fn a_question_is_that_of_the_message(
        labels in prop::collection::vec("[a-zA-Z0-9_é.-]{1,20}", 0..16),
        (at, spoilt) in (0_usize..12, prop::option::of(any::<u8>())),
        class in prop_oneof![Just(1_u16), any::<u16>()],
        has_edns: bool,
    ) {
        let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(has_edns)];
        query[at] = spoilt.unwrap_or(query[at]);
        for label in &labels {
            query.push(u8::try_from(label.len()).expect("short"));
            query.extend(label.as_bytes());
        }
        query.extend(b"\0\0\x1c");
        query.extend(class.to_be_bytes());
        if has_edns {
            query.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
        }
        prop_assert_eq!(question(&query), read(&query).and_then(|message| message.question));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Some(message) = read(&bytes) {
            let _ = message.addresses();
        }
        // With a header that promises records, chance gets further.
        let promising = [[0, 0, 0x81, 0x80, 0, 1, 0, 9, 0, 9, 0, 9].as_slice(), &bytes].concat();
        if let Some(message) = read(&promising) {
            prop_assert!(message.answers.len() <= usize::from(RECORDS_MAX));
            let _ = message.addresses();
        }
    }
}
