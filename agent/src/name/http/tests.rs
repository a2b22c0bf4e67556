use super::*;
use proptest::prelude::*;

fn found(name: &str) -> Findings {
    let name = ServerName::parse(name.as_bytes());
    assert!(name.is_some());
    Findings {
        name,
        ..Findings::default()
    }
}

#[test]
fn the_host_is_read() {
    for request in [
        "GET / HTTP/1.1\r\nHost: www.example.com\r\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nAccept: */*\r\nHOST:WWW.Example.Com:8080\r\n\r\n",
        "POST /a b' or 1=1 HTTP/1.0\nhost:\t www.example.com \n\n",
        "GET / HTTP/1.1\r\nHost:\r\n www.example.com\r\n\r\n",
        "GET http://www.example.com/x HTTP/1.1\r\nHost: proxy.example\r\n\r\n",
        "GET HTTP://user:pass@www.example.com:80?q HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(
            read(request.as_bytes()),
            Reading::Whole(found("www.example.com")),
            "{request}"
        );
    }
}

#[test]
fn a_tunnel_names_its_far_end() {
    let tunnel = Findings {
        tunnel: true,
        ..found("mail.example.com")
    };
    let request = b"CONNECT mail.example.com:443 HTTP/1.1\r\nHost: proxy.example\r\n";
    assert_eq!(read(request), Reading::Whole(tunnel));
}

#[test]
fn requests_that_name_nobody_say_so() {
    let silent = Reading::Whole(Findings::default());
    let refused = Reading::Whole(Findings {
        name_refused: true,
        ..Findings::default()
    });
    assert_eq!(read(b"GET / HTTP/1.0\r\n\r\n"), silent);
    assert_eq!(read(b"GET / HTTP/1.1\r\nHost:\r\n\r\n"), silent);
    assert_eq!(
        read(b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"),
        refused
    );
    assert_eq!(
        read(b"GET / HTTP/1.1\r\nHost: a.example\r\n b.example\r\n\r\n"),
        refused
    );
}

#[test]
fn every_beginning_is_partial() {
    let request = b"SUBSCRIBE /upnp/event HTTP/1.1\r\nX: y\r\nHost: a.example\r\nN";
    for length in 0..request.len() {
        let reading = read(&request[..length]);
        assert!(
            matches!(reading, Reading::Partial(_)),
            "{length} bytes gave {reading:?}"
        );
    }
    // The line could still be folded, but the name is there.
    assert_eq!(
        read(&request[..request.len() - 1]),
        Reading::Partial(found("a.example"))
    );
    assert_eq!(read(request), Reading::Whole(found("a.example")));
}

#[test]
fn other_streams_are_foreign() {
    for stream in [
        "HTTP/1.1 200 OK\r\n",
        "GET /only-a-path\r\n",
        "GET / HTTP/2.0\r\n",
        "GET  HTTP/1.1\r\n",
        "GETX / HTTP/1.1\r\n",
        "get / HTTP/1.1\r\n",
        "GET /\u{1} HTTP/1.1\r\n",
        "GET \u{0}\u{0}",
        "SSH-2.0-OpenSSH\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "EHLO a.example\r\n",
    ] {
        assert_eq!(read(stream.as_bytes()), Reading::Foreign, "{stream:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = read(&[b"GET ", &bytes[..]].concat());
        let _ = read(&[b"GET / HTTP/1.1\r\n", &bytes[..]].concat());
        let _ = read(&[b"GET / HTTP/1.1\r\nHost:", &bytes[..]].concat());
    }

    #[test]
    fn any_host_is_read_as_it_was_written(name in "[a-z0-9_-]{1,20}(\\.[a-z0-9-]{1,20}){0,4}", port in any::<Option<u16>>()) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let request = format!("GET / HTTP/1.1\r\nHost: {name}{port}\r\n\r\n");
        prop_assert_eq!(read(request.as_bytes()), Reading::Whole(found(&name)));
    }
}
