use super::*;
use proptest::prelude::*;

/// The example of the specification's shape: v2, PROXY, TCP over IPv4, from 192.0.2.7.
fn example() -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend_from_slice(&[0x21, 0x11, 0, 12]);
    bytes.extend_from_slice(&[192, 0, 2, 7, 198, 51, 100, 1, 0x1f, 0x90, 0x01, 0xbb]);
    bytes
}

/// The header a proxy writes for a client.
fn header(client: IpAddr) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    let (family, addresses) = match client {
        IpAddr::V4(v4) => (
            0x11,
            [&v4.octets()[..], &Ipv4Addr::UNSPECIFIED.octets()].concat(),
        ),
        IpAddr::V6(v6) => (
            0x21,
            [&v6.octets()[..], &Ipv6Addr::UNSPECIFIED.octets()].concat(),
        ),
    };
    let length = u16::try_from(addresses.len() + 4).expect("at most 36");
    bytes.extend_from_slice(&[0x21, family]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&addresses);
    // Source and destination port; nobody reads them.
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

fn client(text: &str) -> Source {
    Source::Client(text.parse().expect("an address"))
}

fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = example();
    for (at, byte) in changes {
        bytes[*at] = *byte;
    }
    bytes
}

#[test]
fn the_source_is_the_first_address() {
    assert_eq!(parse(&example()), Ok((client("192.0.2.7"), &[][..])));
    let written = header("2001:db8::5".parse().expect("an address"));
    let followed = [&written[..], b"\x16\x03"].concat();
    assert_eq!(
        parse(&followed),
        Ok((client("2001:db8::5"), &b"\x16\x03"[..]))
    );
    // A mapped address is the IPv4 client it stands for.
    let mapped = header("::ffff:192.0.2.7".parse().expect("an address"));
    assert_eq!(parse(&mapped), Ok((client("192.0.2.7"), &[][..])));
}

#[test]
fn options_are_skipped_and_local_speaks_for_nobody() {
    let mut bytes = with(&[(15, 12 + 5)]);
    bytes.extend_from_slice(&[0x04, 0, 2, 0, 0]);
    assert_eq!(parse(&bytes), Ok((client("192.0.2.7"), &[][..])));
    assert_eq!(parse(&with(&[(12, 0x20)])), Ok((Source::Unknown, &[][..])));
    assert_eq!(
        parse(&with(&[(12, 0x20), (13, 0x77)])),
        Ok((Source::Unknown, &[][..]))
    );
    assert_eq!(parse(&with(&[(13, 0x00)])), Ok((Source::Unknown, &[][..])));
}

#[test]
fn what_is_not_a_header_is_refused_with_its_reason() {
    assert_eq!(parse(&with(&[(0, b'P')])), Err(NotAHeader::Signature));
    assert_eq!(
        parse(&with(&[(12, 0x11)])),
        Err(NotAHeader::VersionOrCommand)
    );
    assert_eq!(
        parse(&with(&[(12, 0x22)])),
        Err(NotAHeader::VersionOrCommand)
    );
    assert_eq!(parse(&with(&[(13, 0x12)])), Err(NotAHeader::Family));
    assert_eq!(parse(&with(&[(15, 11)])), Err(NotAHeader::Length));
    assert_eq!(parse(&with(&[(13, 0x21)])), Err(NotAHeader::Length));
    assert_eq!(
        parse(&with(&[(14, 0x04), (15, 0x01)])),
        Err(NotAHeader::Length)
    );
    assert_eq!(parse(&example()[..27]), Err(NotAHeader::Length));
    assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Err(NotAHeader::Signature));
}

proptest! {
    #[test]
    fn what_is_written_is_read(address: IpAddr, rest: Vec<u8>) {
        let bytes = [header(address), rest.clone()].concat();
        prop_assert_eq!(parse(&bytes), Ok((Source::Client(address.to_canonical()), &rest[..])));
    }

    #[test]
    fn no_bytes_break_it(bytes: Vec<u8>, behind_signature: bool) {
        let bytes = if behind_signature { [&SIGNATURE[..], &bytes].concat() } else { bytes };
        if let Ok((_, rest)) = parse(&bytes) {
            prop_assert!(bytes.len() - rest.len() >= HEAD_BYTES);
            prop_assert!(bytes.len() - rest.len() <= HEAD_BYTES + BODY_BYTES_MAX);
        }
    }
}
