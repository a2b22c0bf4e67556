//! The bodies of the fuzz targets: each takes any bytes, gives them to one parser, and asserts what
//! must hold whatever they are.
//!
//! `cargo fuzz` runs them on bytes it makes up; `cargo test` runs the same functions on the corpus,
//! so that what was found once stays found.

pub mod flow;
pub mod question;

use phonehome_agent::capture::conntrack::message::{Reading, Said};
use phonehome_agent::capture::file::FileSource;
use phonehome_agent::capture::lan::message::{Address, FlowTable, Link, default_route};
use phonehome_agent::capture::netlink::{Message, Messages};
use phonehome_agent::capture::{Event, Frame, LinkType};
use phonehome_agent::lists::{self, NameList};
use phonehome_agent::name::reassembly::Reassembly;
use phonehome_agent::name::{Handshake, Named, http, quic, tls};
use phonehome_agent::packet::{self, Segment, dhcp, dns, mdns, offer};
use phonehome_collector::format::json;
use phonehome_collector::intake::forwarded::{Forwarders, Header, Misforwarded};
use phonehome_collector::intake::proxy::{self, Source};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::limits;
use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use phonehome_proto::{decode, encode};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::net::IpAddr;

/// One target: what to run on bytes.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also the name of its corpus folder and of its binary.
pub const TARGETS: [(&str, Body); 20] = [
    ("capture_file", capture_file),
    ("packet", packet),
    ("dns", dns),
    ("mdns", mdns),
    ("dhcp", dhcp),
    ("reassembly", reassembly),
    ("tls", tls),
    ("quic", quic),
    ("http", http),
    ("netlink", netlink),
    ("flow", flow::run),
    ("payload", payload),
    ("collector_payload", collector_payload),
    ("endpoint_list", endpoint_list),
    ("proxy", proxy),
    ("forwarded", forwarded),
    ("invite", invite),
    ("name_list", name_list),
    ("release_json", release_json),
    ("question", question::run),
];

/// A capture file: every frame fits in what was given, and the counts say what was seen.
pub fn capture_file(bytes: &[u8]) {
    let Ok(mut source) = FileSource::read(Box::new(Cursor::new(bytes.to_vec()))) else {
        return;
    };
    let (mut frames, mut lost) = (0, 0);
    loop {
        match source.next() {
            Event::Frame(frame) => {
                assert!(
                    frame.bytes.len() <= bytes.len(),
                    "a frame lies inside its file"
                );
                frames += 1;
            }
            Event::Lost { count, .. } => lost += count,
            Event::Counters(_) | Event::Swept | Event::Idle => {
                panic!("a file has neither counters nor patience")
            }
            Event::End => break,
        }
        let records_max = u64::try_from(bytes.len()).expect("a length");
        assert!(
            frames + lost <= records_max,
            "each record takes at least one byte"
        );
    }
    assert_eq!(
        (source.counts().frames, source.counts().lost.total()),
        (frames, lost)
    );
}

/// A frame, its link type in the first two bytes: the packet borrows from it and no more.
pub fn packet(bytes: &[u8]) {
    let Some((link, bytes)) = bytes.split_at_checked(2) else {
        return;
    };
    let link = LinkType(u16::from_be_bytes([link[0], link[1]]));
    let wire_len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let frame = Frame {
        bytes,
        link,
        wire_len_bytes,
        segment_bytes: None,
        time: Timestamp::from_seconds(0),
    };
    let Ok(packet) = packet::read(&frame) else {
        return;
    };
    assert!(packet.payload().len() <= bytes.len());
    let _read = (packet.dns(), packet.dhcp(), packet.mdns());
    if let Segment::Tcp(segment) = packet.segment {
        let _offer = offer::read(segment.options);
    }
}

/// A DNS message, bare, framed for TCP, and as mDNS.
pub fn dns(bytes: &[u8]) {
    for message in [dns::read(bytes), dns::read_framed(bytes)]
        .into_iter()
        .flatten()
    {
        let addresses = message.addresses().len();
        assert!(
            addresses * 4 <= bytes.len() * bytes.len(),
            "answers come from somewhere"
        );
        let _lists = message.ech_config_lists().count();
    }
}

/// An mDNS message: what it names is bounded by what it holds.
pub fn mdns(bytes: &[u8]) {
    let Some(message) = mdns::read(bytes) else {
        return;
    };
    let named = message.offers.len() + message.seeks.len() + message.hosts.len();
    assert!(
        named + message.models.len() <= bytes.len(),
        "every name takes a byte at least"
    );
}

/// Pieces of a byte sequence, each as its offset and length in two bytes and then itself, against an
/// array in which the first byte to come stands.
pub fn reassembly(bytes: &[u8]) {
    let mut sequence = Reassembly::new(SEQUENCE_BYTES_MAX);
    let mut oracle = vec![None; 1 << 16];
    let mut rest = bytes;
    while let [offset_high, offset_low, length, behind @ ..] = rest {
        let offset = u16::from_be_bytes([*offset_high, *offset_low]);
        let (piece, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        if sequence.insert(offset.into(), piece).is_ok() {
            let start = usize::from(offset);
            for (place, byte) in oracle.iter_mut().skip(start).zip(piece) {
                place.get_or_insert(*byte);
            }
        }
        assert!(sequence.len() <= SEQUENCE_BYTES_MAX);
        rest = behind;
    }
    let whole: Vec<u8> = oracle.iter().map_while(|byte| *byte).collect();
    assert_eq!(sequence.bytes_from(0), whole);
}

/// A DHCP message.
pub fn dhcp(bytes: &[u8]) {
    let _read = dhcp::read(bytes);
}

/// A TLS stream: read at once, and by the handshake in pieces whose size the first byte gives.
pub fn tls(bytes: &[u8]) {
    let Some((size, stream)) = bytes.split_first() else {
        return;
    };
    let _read = tls::read(stream);
    let mut handshake = Handshake::new(Transport::Tcp, 40_000, 443);
    let mut seq = 0u32;
    for piece in stream.chunks(usize::from(*size) + 1) {
        handshake.handle_tcp(true, seq, false, piece);
        seq = seq.wrapping_add(u32::try_from(piece.len()).expect("at most 256"));
        assert!(
            handshake.buffered_bytes() <= BUFFERED_BYTES_MAX,
            "a handshake is bounded"
        );
    }
    named_is_a_name(&mut handshake);
}

/// QUIC datagrams, each behind its length in two bytes.
pub fn quic(bytes: &[u8]) {
    let mut hello = quic::Hello::default();
    let mut handshake = Handshake::new(Transport::Udp, 40_000, 443);
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_at_checked(2) {
        let length = usize::from(u16::from_be_bytes([length[0], length[1]])).min(behind.len());
        let (datagram, behind) = behind.split_at(length);
        let _read = hello.handle_datagram(datagram);
        handshake.handle_udp(true, datagram);
        assert!(
            hello.buffered_bytes() <= BUFFERED_BYTES_MAX,
            "a hello is bounded"
        );
        rest = behind;
    }
    named_is_a_name(&mut handshake);
}

/// The first bytes of an HTTP request.
pub fn http(bytes: &[u8]) {
    let _read = http::read(bytes);
    let mut handshake = Handshake::new(Transport::Tcp, 40_000, 80);
    handshake.handle_tcp(true, 1, false, bytes);
    named_is_a_name(&mut handshake);
}

/// A netlink datagram: of connections, and of interfaces, addresses, routes and flow tables.
pub fn netlink(bytes: &[u8]) {
    let mut reading = Reading::new(bytes);
    let mut rest_bytes = bytes.len();
    while let Some(said) = reading.next() {
        assert!(
            reading.rest_bytes() < rest_bytes,
            "each message takes bytes, so a datagram ends"
        );
        rest_bytes = reading.rest_bytes();
        if let Said::Entry { entry, .. } = said {
            for path in [entry.original, entry.reply] {
                assert_eq!(path.source.is_ipv4(), path.destination.is_ipv4());
            }
        }
    }
    for message in Messages::new(bytes) {
        let Message::Data { body, .. } = message else {
            continue;
        };
        if let Ok(address) = Address::read(body) {
            assert!(address.prefix_bits <= if address.address.is_ipv4() { 32 } else { 128 });
        }
        let hops = default_route(body).unwrap_or_default();
        let devices = FlowTable::read(body).map_or(0, |table| table.devices.len());
        let name_bytes = Link::read(body).map_or(0, |link| link.name.len());
        assert!(
            hops.len().max(devices).max(name_bytes) <= body.len(),
            "what is kept came from somewhere"
        );
    }
}

/// A home's payload of any type: what is accepted is written back to the same bytes, and the two ways to
/// read a batch agree.
pub fn payload(bytes: &[u8]) {
    let endpoint = &EndpointId::from_number;
    let (at_once, anew) = (
        decode::batch_at_once(bytes, endpoint),
        decode::batch_anew(bytes, endpoint),
    );
    assert_eq!(at_once, anew.ok());
    if let Ok(batch) = decode::batch(bytes) {
        assert_eq!(encode::batch(&batch), bytes);
    }
    if let Ok(enrolment) = decode::enrolment(bytes) {
        assert_eq!(encode::enrolment(&enrolment), bytes);
    }
    if let Ok(rotation) = decode::rotation(bytes) {
        assert_eq!(encode::rotation(&rotation), bytes);
    }
    if let Ok(withdrawal) = decode::withdrawal(bytes) {
        assert_eq!(encode::withdrawal(&withdrawal), bytes);
    }
    if let Ok(consent) = decode::consent(bytes) {
        assert_eq!(encode::consent(&consent), bytes);
    }
}

/// A collector's payload of any type: what is understood survives being written and read again.
pub fn collector_payload(bytes: &[u8]) {
    if let Ok(manifest) = decode::manifest(bytes) {
        assert_eq!(decode::manifest(&encode::manifest(&manifest)), Ok(manifest));
    }
    if let Ok(clock) = decode::clock(bytes) {
        assert_eq!(decode::clock(&encode::clock(&clock)), Ok(clock));
    }
    if let Ok(receipt) = decode::receipt(bytes) {
        assert_eq!(decode::receipt(&encode::receipt(&receipt)), Ok(receipt));
    }
    if let Ok(erasure) = decode::erasure(bytes) {
        assert_eq!(decode::erasure(&encode::erasure(&erasure)), Ok(erasure));
    }
}

/// An endpoint list, bare and in an envelope that nobody opened: what is accepted is written back to the
/// same bytes, and keeps its bounds.
pub fn endpoint_list(bytes: &[u8]) {
    let is_public_suffix = |host: &str| host == "com.cn";
    let envelope = decode::envelope(bytes).map(|sealed| sealed.payload);
    for payload in [Ok(bytes.to_vec()), envelope].into_iter().flatten() {
        if let Ok(list) = decode::endpoint_list(&payload, &is_public_suffix) {
            assert_eq!(encode::endpoint_list(&list), payload);
            assert!(list.rows().len() <= limits::ENDPOINT_LIST_ROWS_MAX);
            assert!(list.rows().is_sorted_by(|a, b| a.id < b.id));
        }
    }
}

/// What a proxy says before a connection's first byte.
pub fn proxy(bytes: &[u8]) {
    if let Ok((_, rest)) = proxy::parse(bytes) {
        assert!(
            rest.len() + proxy::HEAD_BYTES <= bytes.len(),
            "a header takes its bytes"
        );
    }
}

/// The lines of a header in which a proxy names a client, whatever the client had written there: what the
/// proxy adds is the client, unless nothing of it counts.
pub fn forwarded(bytes: &[u8]) {
    let proxy = IpAddr::from([192, 0, 2, 1]);
    let client = IpAddr::from([198, 51, 100, 7]);
    for header in Header::ALL {
        let forwarders = Forwarders {
            header,
            proxies: BTreeSet::from([proxy]),
        };
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let read = forwarders.source(&lines);
        assert!(
            read != Ok(Source::Client(proxy)),
            "a proxy is nobody's client"
        );
        let added: &[u8] = match header {
            Header::Forwarded => b"for=198.51.100.7",
            Header::XForwardedFor => b"198.51.100.7",
        };
        let apart = [&lines[..], &[added]].concat();
        let behind = [bytes, b", ", added].concat();
        let behind = behind.split(|byte| *byte == b'\n').collect::<Vec<_>>();
        for lines in [&apart, &behind] {
            let read = forwarders.source(lines);
            assert!(
                read == Ok(Source::Client(client)) || read == Err(Misforwarded::Unreadable),
                "a client spoke after the proxy"
            );
        }
    }
}

/// An invite: what is understood is written as it was read, but for letter case and space.
pub fn invite(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(invite) = text.parse::<Invite>() {
        assert_eq!(invite.to_string().parse(), Ok(invite));
    }
}

/// A release: what is understood survives being written and read again.
pub fn release_json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(release) = json::from_json(text) {
        let again = json::from_json(&json::to_json(&release));
        assert!(again.is_ok_and(|again| again == release));
    }
}

fn named_is_a_name(handshake: &mut Handshake) {
    is_a_name(&handshake.finish());
}

fn is_a_name(named: &Named) {
    assert_eq!(named.name.is_some(), named.source.is_some());
    if let Some(name) = &named.name {
        assert!(name.as_str().len() <= 253 && !name.as_str().contains(char::is_whitespace));
    }
}

/// A list of names: it keeps its bounds, is refused at a line it has, and never names what only shares a
/// public suffix with its own.
pub fn name_list(bytes: &[u8]) {
    match NameList::read(bytes) {
        Ok(list) => {
            assert!(list.len() <= lists::ENTRIES_MAX);
            let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            if !text.contains("stranger") {
                assert!(!list.names("stranger.com") && !list.names("stranger.co.uk"));
            }
        }
        Err(refused) => assert!(
            (1..=bytes.len() + 1).contains(&refused.line),
            "a line of the list"
        ),
    }
}

/// Bytes of a sequence put back in order.
const SEQUENCE_BYTES_MAX: usize = 4_096;

/// Both directions of one flow, each with the room of a record and what a vector grows beyond it.
const BUFFERED_BYTES_MAX: usize = 8 * phonehome_agent::name::HANDSHAKE_BYTES_MAX;
