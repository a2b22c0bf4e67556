use super::*;
use proptest::prelude::*;

fn proxies(header: Header) -> Forwarders {
    let addresses = ["192.0.2.1", "2001:db8::1"];
    Forwarders {
        header,
        proxies: addresses
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect(),
    }
}

fn read(header: Header, lines: &[&str]) -> Result<Source, Misforwarded> {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    proxies(header).source(&lines)
}

fn client(address: &str) -> Result<Source, Misforwarded> {
    Ok(Source::Client(address.parse().expect("an address")))
}

/// Compares without printing addresses, which a source keeps to itself.
fn is(header: Header, lines: &[&str], expected: Result<Source, Misforwarded>) {
    assert!(read(header, lines) == expected, "{header:?} {lines:?}");
}

#[test]
fn the_last_hop_that_is_no_proxy_is_the_client() {
    use Header::{Forwarded, XForwardedFor};
    for (line, expected) in [
        ("198.51.100.7", client("198.51.100.7")),
        ("198.51.100.7:4711", client("198.51.100.7")),
        ("2001:db8:7::9", client("2001:db8:7::9")),
        ("[2001:db8:7::9]:4711", client("2001:db8:7::9")),
        ("::ffff:198.51.100.7", client("198.51.100.7")),
        // Made up by the client; then the client; then a proxy behind the first one.
        (
            "203.0.113.1, 198.51.100.7,192.0.2.1",
            client("198.51.100.7"),
        ),
        (
            "198.51.100.7 , ::ffff:192.0.2.1\t,2001:db8::1",
            client("198.51.100.7"),
        ),
        ("192.0.2.1", Ok(Source::Unknown)),
        ("203.0.113.1, unknown", Ok(Source::Unknown)),
        ("203.0.113.1, _hidden, 192.0.2.1", Ok(Source::Unknown)),
    ] {
        is(XForwardedFor, &[line], expected);
    }
    for (line, expected) in [
        ("for=198.51.100.7", client("198.51.100.7")),
        (
            "For=198.51.100.7;proto=https;By=203.0.113.9",
            client("198.51.100.7"),
        ),
        (
            "proto=https;for=\"198.51.100.7:4711\"",
            client("198.51.100.7"),
        ),
        ("for=\"[2001:db8:7::9]:_x\"", client("2001:db8:7::9")),
        ("for=\"[2001:db8:7:\\:9]\"", client("2001:db8:7::9")),
        (
            "for=203.0.113.1, for=198.51.100.7 ,for=192.0.2.1",
            client("198.51.100.7"),
        ),
        (
            "for=\"_a,b\";x=\"\\\", for=203.0.113.1\"",
            Err(Misforwarded::Unreadable),
        ),
        (
            "x=\", for=203.0.113.1\", for=198.51.100.7",
            client("198.51.100.7"),
        ),
        ("for=203.0.113.1, proto=https", Ok(Source::Unknown)),
        ("for=203.0.113.1, for=_secret.9", Ok(Source::Unknown)),
        ("for=unknown", Ok(Source::Unknown)),
    ] {
        is(Forwarded, &[line], expected);
    }
    // Several lines are one list.
    let lines = ["203.0.113.1", "198.51.100.7", "192.0.2.1"];
    is(XForwardedFor, &lines, client("198.51.100.7"));
    is(
        Forwarded,
        &["for=203.0.113.1", "for=198.51.100.7"],
        client("198.51.100.7"),
    );
}

#[test]
fn what_is_not_well_formed_names_nobody() {
    for line in [
        "",
        ",",
        "198.51.100.7,",
        "198.51.100.7 192.0.2.1",
        "198.51.100",
        "198.51.100.7:",
        "host",
        "198.51.100.7:123456",
        "198.51.100.7:x",
        "[198.51.100.7]",
        "[2001:db8::9",
        "2001:db8::9]",
        "fe80::1%eth0",
        "198.51.100.07",
        "_",
        "_a b",
        "\u{e9}",
        "for=198.51.100.7",
        // Well formed at its end, and not at its beginning.
        "x, 198.51.100.7",
    ] {
        is(
            Header::XForwardedFor,
            &[line],
            Err(Misforwarded::Unreadable),
        );
    }
    for line in [
        "",
        ",",
        "for",
        "for=",
        "=198.51.100.7",
        "for =198.51.100.7",
        "for= 198.51.100.7",
        "for=198.51.100.7;",
        "for=198.51.100.7;;proto=https",
        "for=198.51.100.7,",
        "198.51.100.7",
        "for=198.51.100.7;for=203.0.113.1",
        "for=198.51.100.7;FOR=198.51.100.7",
        "for=2001:db8::9",
        "for=\"2001:db8::9\"",
        "for=[2001:db8::9]",
        "for=198.51.100.7:80",
        // A quotation that the client left open, closed by the one that the proxy opens.
        "x=\", for=\"[2001:db8:7::9]\"",
        "for=203.0.113.1;x=\", for=198.51.100.7",
        "for=203.0.113.1;x=\"\\, for=\"[2001:db8:7::9]\"",
        "for=\"198.51.100.7\"x",
        "x=\"\u{7}\"",
    ] {
        is(Header::Forwarded, &[line], Err(Misforwarded::Unreadable));
    }
}

#[test]
fn bounds_hold_to_the_byte_and_to_the_hop() {
    let list = |hops: usize| vec!["198.51.100.7"; hops].join(",");
    is(
        Header::XForwardedFor,
        &[&list(HOPS_MAX)],
        client("198.51.100.7"),
    );
    is(
        Header::XForwardedFor,
        &[&list(HOPS_MAX + 1)],
        Err(Misforwarded::Unreadable),
    );
    let padded = |bytes: usize| format!("{:>bytes$}", "198.51.100.7");
    is(
        Header::XForwardedFor,
        &[&padded(HEADER_BYTES_MAX)],
        client("198.51.100.7"),
    );
    let line = padded(HEADER_BYTES_MAX - 11);
    is(
        Header::XForwardedFor,
        &[&line, "198.51.100.7"],
        Err(Misforwarded::Unreadable),
    );
    is(Header::Forwarded, &[], Err(Misforwarded::Missing));
}

#[test]
fn only_a_forwarder_is_asked_and_a_strangers_header_is_refused() {
    let mut headers = HeaderMap::new();
    let source = Source::Client("203.0.113.5".parse().expect("an address"));
    let [stranger, forwarder] = [false, true].map(|is_forwarder| Peer {
        source,
        is_forwarder,
    });
    let known = proxies(Header::XForwardedFor);
    assert!(stranger.resolve(Some(&known), &headers) == Ok(source));
    let missing = Err(Misforwarded::Missing);
    assert!(forwarder.resolve(Some(&known), &headers) == missing);
    // The other header is the client's own: from a proxy it is not read, from a stranger refused.
    headers.insert("forwarded", "for=198.51.100.9".parse().expect("ascii"));
    assert!(forwarder.resolve(Some(&known), &headers) == missing);
    let refused = Err(Misforwarded::Stranger);
    assert!(stranger.resolve(Some(&known), &headers) == refused);
    assert!(stranger.resolve(None, &headers) == refused);
    headers.insert("x-forwarded-for", "198.51.100.7".parse().expect("ascii"));
    assert!(forwarder.resolve(Some(&known), &headers) == client("198.51.100.7"));
    assert!(stranger.resolve(Some(&known), &headers) == refused);
}

#[test]
fn words_are_names() {
    for header in Header::ALL {
        assert_eq!(Header::parse(header.as_str()), Some(header));
    }
    assert_eq!(Header::parse("Forwarded"), None);
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4)) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        for header in Header::ALL {
            let _read = proxies(header).source(&lines);
        }
    }

    /// Whatever a client wrote, what the proxy adds on a line of its own is what counts, if anything is.
    #[test]
    fn a_client_cannot_speak_after_the_proxy(line in "[ -~]{0,60}", address in address()) {
        let address = address.to_canonical();
        prop_assume!(!proxies(Header::Forwarded).proxies.contains(&address));
        let quoted = match address {
            IpAddr::V4(address) => format!("for={address}"),
            IpAddr::V6(address) => format!("for=\"[{address}]\""),
        };
        // On a line of its own, or behind the client's.
        for added in [vec![line.clone(), quoted.clone()], vec![format!("{line}, {quoted}")]] {
            let added: Vec<&str> = added.iter().map(String::as_str).collect();
            let read = read(Header::Forwarded, &added);
            prop_assert!(read == Ok(Source::Client(address)) || read == Err(Misforwarded::Unreadable));
        }
        let plain = address.to_string();
        for added in [vec![line.clone(), plain.clone()], vec![format!("{line}, {plain}")]] {
            let added: Vec<&str> = added.iter().map(String::as_str).collect();
            let read = read(Header::XForwardedFor, &added);
            prop_assert!(read == Ok(Source::Client(address)) || read == Err(Misforwarded::Unreadable));
        }
    }
}
