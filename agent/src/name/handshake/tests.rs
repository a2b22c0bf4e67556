use super::*;
use crate::name::sample::{self, Hello};
use crate::name::{HANDSHAKE_BYTES_MAX, ServerName};
use proptest::prelude::*;

const CLIENT: bool = true;
const SERVER: bool = false;

/// A TCP flow that sends its segments as they come.
struct Flow {
    handshake: Handshake,
    next: [u32; 2],
}

impl Flow {
    /// With both SYNs, the client's numbers about to wrap around.
    fn opened() -> Self {
        let mut flow = Self::joined_late();
        flow.handshake
            .handle_tcp(CLIENT, flow.next[1].wrapping_sub(1), true, b"");
        flow.handshake
            .handle_tcp(SERVER, flow.next[0].wrapping_sub(1), true, b"");
        flow
    }

    /// Of which the beginning is not in the capture.
    fn joined_late() -> Self {
        let handshake = Handshake::new(Transport::Tcp, 50_000, 443);
        Self {
            handshake,
            next: [77, u32::MAX - 100],
        }
    }

    fn send(&mut self, from_client: bool, payload: &[u8]) -> &mut Self {
        let next = &mut self.next[usize::from(from_client)];
        self.handshake
            .handle_tcp(from_client, *next, false, payload);
        *next = next.wrapping_add(u32::try_from(payload.len()).expect("small"));
        self
    }

    fn finish(&mut self) -> (Option<String>, NameStatus) {
        let named = self.handshake.finish();
        assert!(self.handshake.is_done());
        assert_eq!(self.handshake.buffered_bytes(), 0);
        (named.name.map(|name| name.to_string()), named.status)
    }
}

fn clear(name: &str) -> (Option<String>, NameStatus) {
    (Some(name.to_owned()), NameStatus::SniClear)
}

#[test]
fn a_hello_in_one_segment_is_never_copied() {
    let mut flow = Flow::opened();
    flow.send(CLIENT, &Hello::naming("a.example").record());
    assert!(flow.handshake.is_done());
    let named = flow.handshake.named().expect("settled");
    assert_eq!(
        named.name.as_ref().map(ServerName::as_str),
        Some("a.example")
    );
    assert_eq!(named.source, Some(NameSource::Sni));
    assert_eq!(flow.handshake.service(), Service::Tls);
    assert!(!flow.handshake.client_is_other_side());
}

#[test]
fn a_hello_is_found_on_any_port_after_any_preamble() {
    let hello = Hello::naming("mail.example").record();
    let preambles: [&[(bool, &[u8])]; 8] = [
        &[],
        &[
            (SERVER, b"220 mail.example ESMTP\r\n"),
            (CLIENT, b"EHLO laptop\r\n"),
            (SERVER, b"250-STARTTLS\r\n250 HELP\r\n"),
            (CLIENT, b"STARTTLS\r\n"),
            (SERVER, b"220 go ahead\r\n"),
        ],
        &[(CLIENT, b"\0\0\0\x08\x04\xd2\x16\x2f"), (SERVER, b"S")],
        &[
            (CLIENT, b"\x05\x01\0"),
            (SERVER, b"\x05\0"),
            (CLIENT, b"\x05\x01\0\x03\x09far.examp\x01\xbb"),
            (SERVER, b"\x05\0\0\x01\0\0\0\0\0\0"),
        ],
        // A request whose tunnel's far end has another name, and an answer in two segments.
        &[
            (
                CLIENT,
                b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example\r\n\r\n",
            ),
            (SERVER, b"HTTP/1.1 200 OK\r\n"),
            (SERVER, b"\r\n"),
        ],
        // Asked twice, because the proxy wants a password.
        &[
            (CLIENT, b"CONNECT far.example:443 HTTP/1.1\r\n\r\n"),
            (SERVER, b"HTTP/1.1 407 Who are you\r\n\r\n"),
            (
                CLIENT,
                b"CONNECT far.example:443 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n",
            ),
            (SERVER, b"HTTP/1.1 200 OK\r\n\r\n"),
        ],
        // A first byte that could begin a request.
        &[(CLIENT, b"P"), (SERVER, b"+")],
        &[
            (CLIENT, b"\x0b\x06\xe0\0\0\0\0\0\x01\0\x08"),
            (SERVER, b"\x03\0\0\x13\x0e\xd0"),
        ],
    ];
    for preamble in preambles {
        for mut flow in [Flow::opened(), Flow::joined_late()] {
            for (from_client, payload) in preamble {
                flow.send(*from_client, payload);
            }
            let (early, late) = hello.split_at(1000);
            flow.send(CLIENT, early).send(CLIENT, late);
            assert_eq!(flow.finish(), clear("mail.example"), "{preamble:?}");
        }
    }
}

#[test]
fn a_tunnel_without_a_hello_is_named_by_its_far_end() {
    let request = b"CONNECT far.example:22 HTTP/1.1\r\n\r\n";
    for inside in [
        &b"SSH-2.0-"[..],
        &Hello::default().record(),
        &Hello::naming("x").record()[..50],
    ] {
        let mut flow = Flow::opened();
        flow.send(CLIENT, request)
            .send(SERVER, b"HTTP/1.1 200 OK\r\n\r\n")
            .send(CLIENT, inside);
        assert_eq!(
            flow.finish(),
            (Some("far.example".to_owned()), NameStatus::Http)
        );
    }
}

#[test]
fn whoever_says_hello_is_the_client() {
    let mut flow = Flow::opened();
    flow.send(SERVER, &Hello::naming("a.example").record());
    assert_eq!(flow.finish(), clear("a.example"));
    assert!(flow.handshake.client_is_other_side());
}

#[test]
fn old_data_does_not_disturb_a_hello() {
    let hello = Hello::naming("a.example").record();
    for mut flow in [Flow::opened(), Flow::joined_late()] {
        let first = flow.next[1];
        flow.send(CLIENT, &hello[..600]);
        // A keep-alive, and a repeated segment that reaches into the hello.
        flow.handshake
            .handle_tcp(CLIENT, first.wrapping_sub(1), false, b"\0");
        flow.handshake
            .handle_tcp(CLIENT, first.wrapping_sub(700), false, &[0; 690]);
        flow.handshake
            .handle_tcp(CLIENT, first.wrapping_sub(700), false, &[0; 720]);
        flow.send(CLIENT, &hello[600..]);
        assert_eq!(flow.finish(), clear("a.example"));
    }
}

#[test]
fn a_new_connection_on_the_same_ports_begins_again() {
    let mut flow = Flow::opened();
    flow.send(CLIENT, &Hello::naming("old.example").record()[..600]);
    flow.next[1] = 5_000;
    flow.handshake.handle_tcp(CLIENT, 4_999, true, b"");
    flow.send(CLIENT, &Hello::naming("a.example").record());
    assert_eq!(flow.finish(), clear("a.example"));
}

#[test]
fn a_lost_preamble_hides_no_hello() {
    let mut flow = Flow::opened();
    flow.next[1] = flow.next[1].wrapping_add(300);
    flow.send(CLIENT, &Hello::naming("a.example").record());
    assert_eq!(flow.finish(), clear("a.example"));
}

#[test]
fn a_broken_hello_from_the_other_side_is_told() {
    let mut flow = Flow::opened();
    let hello = Hello::naming("a.example").record();
    flow.send(SERVER, &hello[..hello.len() - 1]);
    assert_eq!(flow.finish(), clear("a.example"));
    assert!(flow.handshake.client_is_other_side());
}

#[test]
fn a_second_hello_changes_nothing() {
    let mut flow = Flow::opened();
    flow.send(CLIENT, &Hello::naming("a.example").record());
    flow.send(SERVER, &sample::record(b"\x02\0\0\x26\x03\x03"));
    flow.send(CLIENT, &Hello::naming("b.example").record());
    assert_eq!(flow.finish(), clear("a.example"));
}

#[test]
fn a_hello_that_broke_off_says_what_it_can() {
    let hello = Hello::naming("a.example").with(0x3333, &[0; 400]).record();
    for (length, expected) in [
        (hello.len() - 1, clear("a.example")),
        (100, (None, NameStatus::Unread)),
        (0, (None, NameStatus::None)),
    ] {
        let mut flow = Flow::opened();
        flow.send(CLIENT, &hello[..length]);
        assert_eq!(flow.finish(), expected, "{length} bytes");
    }
}

#[test]
fn the_service_of_a_begun_hello_is_known() {
    let begun = |payload: &[u8]| {
        let mut handshake = Handshake::new(Transport::Tcp, 50_000, 9_999);
        handshake.handle_tcp(CLIENT, 1, false, payload);
        let before = handshake.service();
        handshake.finish();
        assert_eq!(handshake.service(), before);
        before
    };
    assert_eq!(
        begun(&Hello::naming("a.example").record()[..60]),
        Service::Tls
    );
    assert_eq!(begun(b"GET /index.html"), Service::Http);
    assert_eq!(begun(b"G"), Service::Other, "one letter is no request");
}

#[test]
fn a_part_that_was_never_captured_is_not_waited_for() {
    let hello = Hello::naming("a.example").with(0x3333, &[0; 400]).record();
    let mut flow = Flow::opened();
    flow.send(CLIENT, &hello[..hello.len() - 100]);
    flow.next[1] = flow.next[1].wrapping_add(100);
    for _ in 0..100 {
        flow.send(CLIENT, b"\x17\x03\x03\x00\x03abc");
        flow.send(SERVER, b"\x17\x03\x03\x00\x03abc");
    }
    assert!(flow.handshake.is_done());
    assert_eq!(flow.finish(), clear("a.example"));
}

#[test]
fn what_is_no_hello_is_given_up_and_not_kept() {
    let mut flow = Flow::opened();
    for _ in 0..200 {
        flow.send(CLIENT, b"chatter").send(SERVER, b"answer");
        assert_eq!(flow.handshake.buffered_bytes(), 0);
    }
    assert!(flow.handshake.is_done());
    assert_eq!(flow.finish(), (None, NameStatus::None));
}

#[test]
fn a_conversation_joined_late_is_unread() {
    let mut flow = Flow::joined_late();
    flow.send(CLIENT, b"\x17\x03\x03\x00\x03abc")
        .send(SERVER, b"\x17\x03\x03\x00\x03abc");
    assert_eq!(flow.finish(), (None, NameStatus::Unread));
    assert_eq!(flow.handshake.service(), Service::Tls);
}

#[test]
fn requests_are_named_by_their_host() {
    let mut flow = Flow::opened();
    flow.send(CLIENT, b"GET / HTTP/1.1\r\nHo")
        .send(CLIENT, b"st: a.example:8080\r\n\r\n");
    assert_eq!(
        flow.finish(),
        (Some("a.example".to_owned()), NameStatus::Http)
    );
    assert_eq!(flow.handshake.service(), Service::Http);
}

#[test]
fn the_buffer_has_a_limit() {
    let mut flow = Flow::opened();
    flow.send(CLIENT, b"GET / HTTP/1.1\r\n");
    for _ in 0..1000 {
        flow.send(
            CLIENT,
            &b"X-Filler: 0123456789012345678901234567890123456789\r\n".repeat(20),
        );
        assert!(flow.handshake.buffered_bytes() <= 2 * HANDSHAKE_BYTES_MAX);
    }
    assert_eq!(flow.finish(), (None, NameStatus::Unread));
}

#[test]
fn data_on_a_syn_counts() {
    let mut handshake = Handshake::new(Transport::Tcp, 50_000, 443);
    let hello = Hello::naming("a.example").record();
    handshake.handle_tcp(CLIENT, 9, true, &hello[..500]);
    handshake.handle_tcp(CLIENT, 510, false, &hello[500..]);
    assert_eq!(handshake.finish().status, NameStatus::SniClear);
}

#[test]
fn datagrams_of_dns_are_not_looked_at() {
    let mut handshake = Handshake::new(Transport::Udp, 50_000, 53);
    handshake.handle_udp(CLIENT, b"\x16\xfe\xfd");
    assert!(handshake.is_done());
    assert_eq!(handshake.service(), Service::Dns);
}

#[test]
fn datagrams_that_never_say_hello_are_given_up() {
    let mut handshake = Handshake::new(Transport::Udp, 50_000, 443);
    for _ in 0..DATAGRAMS_MAX {
        assert!(!handshake.is_done());
        handshake.handle_udp(CLIENT, b"\x40 a short header of QUIC");
    }
    assert!(handshake.is_done());
    assert_eq!(handshake.finish().status, NameStatus::None);
    assert_eq!(handshake.service(), Service::Quic, "as the port promises");
}

#[test]
fn an_idle_handshake_is_small() {
    assert!(
        size_of::<Handshake>() <= 64,
        "{} bytes",
        size_of::<Handshake>()
    );
}

proptest! {
    /// Segments cut anywhere, in any order, some twice, some overlapping their neighbours.
    #[test]
    fn any_segmentation_of_a_hello_gives_its_name(
        cuts in prop::collection::btree_set(1_usize..1300, 0..12),
        order in prop::collection::vec(any::<u32>(), 26),
        overlap in 0_usize..40,
        fragment_bytes in 1_usize..2000,
        repeated in any::<bool>(),
    ) {
        let hello = Hello::naming("a.example").records(fragment_bytes.max(20));
        let mut start = 0_usize;
        let mut segments: Vec<(u32, usize, &[u8])> = Vec::new();
        let mut order = order.into_iter();
        for end in cuts.into_iter().chain([hello.len()]) {
            let from = start.saturating_sub(overlap);
            for _ in 0..=usize::from(repeated) {
                segments.push((order.next().expect("enough"), from, &hello[from..end]));
            }
            start = end;
        }
        segments.sort();
        let first = u32::MAX - 500;
        let mut handshake = Handshake::new(Transport::Tcp, 50_000, 8443);
        handshake.handle_tcp(CLIENT, first.wrapping_sub(1), true, b"");
        for (_, at, bytes) in segments {
            let seq = first.wrapping_add(u32::try_from(at).expect("small"));
            handshake.handle_tcp(CLIENT, seq, false, bytes);
        }
        prop_assert!(handshake.is_done());
        prop_assert_eq!(handshake.buffered_bytes(), 0);
        let name = handshake.finish().name;
        prop_assert_eq!(name.as_ref().map(ServerName::as_str), Some("a.example"));
    }

    #[test]
    fn no_packets_make_it_panic(
        tcp in any::<bool>(),
        packets in prop::collection::vec(
            (any::<bool>(), any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)),
            0..40,
        ),
    ) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let mut handshake = Handshake::new(transport, 1, 2);
        for (from_client, seq, syn, payload) in packets {
            handshake.handle_tcp(from_client, seq, syn, &payload);
            handshake.handle_udp(from_client, &payload);
        }
        handshake.finish();
    }
}
