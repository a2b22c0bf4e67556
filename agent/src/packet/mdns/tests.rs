use super::*;

fn message(flags: u8, question_count: u8, answer_count: u8, rest: &[&[u8]]) -> Vec<u8> {
    let header = [
        0,
        0,
        flags,
        0,
        0,
        question_count,
        0,
        answer_count,
        0,
        0,
        0,
        0,
    ];
    [header.as_slice(), &rest.concat()].concat()
}

fn record(name: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).expect("short");
    [name, &[0, kind, 0x80, 1, 0, 0, 0, 120, 0, length], data].concat()
}

const CAST: &[u8] = b"\x0b_googlecast\x04_tcp\x05local\0";
const PHONE: &[u8] = b"\x06iPhone\x05local\0";
const INFO: &[u8] = b"\x06iPhone\x0c_device-info\x04_tcp\x05local\0";

fn texts(names: &[DnsName]) -> Vec<&str> {
    names.iter().map(DnsName::as_str).collect()
}

#[test]
fn announcements_say_what_a_device_is() {
    let bytes = message(
        0x84,
        0,
        4,
        &[
            &record(INFO, 16, b"\x0amodel=D22A\x07osxvers"),
            &record(PHONE, 1, &[192, 168, 1, 7]),
            &record(CAST, 12, b"\x02tv\xc0\x0c"),
            &record(CAST, 12, b"\x02tv\xc0\x0c"),
        ],
    );
    let said = read(&bytes).expect("a message");
    assert_eq!(
        texts(&said.offers),
        ["_device-info._tcp", "_googlecast._tcp"]
    );
    assert_eq!(texts(&said.hosts), ["iphone.local"]);
    assert_eq!(said.models, ["D22A".into()]);
    assert_eq!(said.seeks, []);
}

#[test]
fn questions_are_not_announcements() {
    let bytes = message(0, 2, 0, &[CAST, &[0, 12, 0, 1], PHONE, &[0, 1, 0, 1]]);
    let asked = read(&bytes).expect("a message");
    assert_eq!(texts(&asked.seeks), ["_googlecast._tcp"]);
    assert_eq!(
        Message {
            seeks: vec![],
            ..asked
        },
        Message::default()
    );
}
