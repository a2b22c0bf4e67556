use super::*;
use proptest::prelude::*;

/// A message with these options, and these bytes in `sname` and `file`.
fn message(options: &[u8], server_name: &[u8], file: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; FIXED_BYTES];
    bytes[..4].copy_from_slice(&[1, 1, 6, 0]);
    bytes[12..16].copy_from_slice(&[192, 168, 1, 7]);
    bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    bytes[44..44 + server_name.len()].copy_from_slice(server_name);
    bytes[108..108 + file.len()].copy_from_slice(file);
    [bytes.as_slice(), &MAGIC, options].concat()
}

#[test]
fn a_request_tells_who_asks() {
    let options = b"\x35\x01\x03\0\0\x0c\x05Phone\x32\x04\xc0\xa8\x01\x08\x37\x03\x01\x79\x03\x3c\x0fandroid-dhcp-13\xff\x0c\x01x";
    let bytes = message(options, b"", b"");
    let message = read(&bytes).expect("a message");
    assert_eq!(
        message,
        Message {
            kind: Some(MessageKind::Request),
            client: Some(MacAddr::new([2, 0, 0, 0, 0, 9])),
            address: Ipv4Addr::new(192, 168, 1, 7),
            host_name: Some(Cow::Borrowed(b"Phone")),
            requested_address: Some(Ipv4Addr::new(192, 168, 1, 8)),
            parameters: Some(Cow::Borrowed(&[1, 121, 3])),
            vendor_class: Some(Cow::Borrowed(b"android-dhcp-13")),
        }
    );
    assert!(message.is_from_client());
    assert!(
        matches!(message.vendor_class, Some(Cow::Borrowed(_))),
        "nothing is copied"
    );
}

#[test]
fn options_may_be_split_and_run_over() {
    // Option 52 says that both fields hold options; the name comes in three parts.
    let bytes = message(
        b"\x34\x01\x03\x0c\x02Ga\xff",
        b"\x0c\x03s20\xff",
        b"\x0c\x04laxy\xff",
    );
    let message = read(&bytes).expect("a message");
    assert_eq!(message.host_name.as_deref(), Some(b"Galaxys20".as_slice()));
    assert_eq!(message.kind, None);
}

#[test]
fn a_cut_message_is_read_as_far_as_it_goes() {
    let bytes = message(b"\x35\x01\x01\x0c\x0aHuawei-P30", b"", b"");
    for missing in 1..10 {
        let message = read(&bytes[..bytes.len() - missing]).expect("a message");
        assert_eq!(message.kind, Some(MessageKind::Discover));
    }
    assert_eq!(read(&bytes[..238]), None);
}

#[test]
fn other_hardware_has_no_ethernet_address() {
    let mut bytes = message(b"", b"", b"");
    bytes[1] = 32;
    assert_eq!(read(&bytes).expect("a message").client, None);
    bytes[0] = 9;
    assert_eq!(read(&bytes), None);
}

proptest! {
    #[test]
    fn arbitrary_options_never_panic(options in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = message(&options, b"\x0c\xff", b"\x37\x80");
        let message = read(&bytes).expect("the fixed part is whole");
        let name_bytes = message.host_name.map_or(0, |name| name.len());
        prop_assert!(name_bytes <= bytes.len());
    }
}
