//! DNS messages: one question, and the router's answer to it (RFC 1035).

use std::net::IpAddr;

/// A question for the addresses of `name`, of the same IP version as `address`.
#[must_use]
pub fn question(id: u16, name: &str, address: IpAddr) -> Vec<u8> {
    let mut bytes = header(id, [0x01, 0x00], 0);
    ask(&mut bytes, name, kind_of(address));
    bytes
}

/// The answer: an alias if the operator uses one, and the address.
#[must_use]
pub fn answer(id: u16, name: &str, alias: Option<&str>, address: IpAddr) -> Vec<u8> {
    let mut bytes = header(id, [0x81, 0x80], if alias.is_some() { 2 } else { 1 });
    ask(&mut bytes, name, kind_of(address));
    // A pointer to the question's name, which stands right after the header.
    let mut owner = vec![0xc0, 12];
    if let Some(alias) = alias {
        let target = labels(alias);
        record(&mut bytes, &owner, CNAME, &target);
        owner = target;
    }
    match address {
        IpAddr::V4(address) => record(&mut bytes, &owner, A, &address.octets()),
        IpAddr::V6(address) => record(&mut bytes, &owner, AAAA, &address.octets()),
    }
    bytes
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;
const LIVES_SECONDS: u32 = 300;

const fn kind_of(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => A,
        IpAddr::V6(_) => AAAA,
    }
}

fn header(id: u16, flags: [u8; 2], answers: u8) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(flags);
    bytes.extend([0, 1, 0, answers, 0, 0, 0, 0]);
    bytes
}

fn ask(bytes: &mut Vec<u8>, name: &str, kind: u16) {
    bytes.extend(labels(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
}

fn record(bytes: &mut Vec<u8>, owner: &[u8], kind: u16, data: &[u8]) {
    bytes.extend(owner);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    bytes.extend(LIVES_SECONDS.to_be_bytes());
    bytes.extend(
        u16::try_from(data.len())
            .expect("a record of ours is short")
            .to_be_bytes(),
    );
    bytes.extend(data);
}

/// A name as DNS writes it: each label behind its length.
#[must_use]
pub fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
