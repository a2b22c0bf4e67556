//! The seeds of the fuzz corpus, made by the generator and by nobody's phone.

mod day;

use crate::fuzz::flow::Operation;
use crate::relay;
use crate::traffic::conversation::Conversation;
use crate::traffic::dhcp::{self, Manners, Step};
use crate::traffic::dns;
use crate::traffic::frame::{self, Link};
use crate::traffic::hello::{self, Hello};
use crate::traffic::quic::{self, Side};
use crate::traffic::recording::Recording;
use crate::traffic::site::Carrier;
use phonehome_agent::capture::Event;
use phonehome_agent::capture::file::FileSource;
use phonehome_collector::format::json;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::time::Timestamp;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// One seed of one target.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target it is for.
    pub target: &'static str,
    /// Its file name.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// `_airplay._tcp.local PTR phone`, for 120 s (RFC 6763).
const OFFER: &[u8] =
    b"\x08_airplay\x04_tcp\x05local\0\0\x0c\0\x01\0\0\0\x78\0\x08\x05phone\xc0\x0c";

/// All seeds; the same in every run.
#[must_use]
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut plant = |target, name, bytes| {
        seeds.push(Seed {
            target,
            name,
            bytes,
        })
    };

    let capture = capture();
    plant(
        "capture_file",
        "cut-in-a-frame",
        capture[..capture.len() - 7].to_vec(),
    );
    plant("capture_file", "header-only", capture[..24].to_vec());
    plant("capture_file", "one-connection", capture.clone());

    let asks = [0, 1, 2, 3].map(|at| joining(at).bytes);
    plant("packet", "ethernet-dhcp", [&[0, 1], &asks[0][..]].concat());
    plant("packet", "raw-ip", [&[0, 101], &asks[1][14..]].concat());
    plant(
        "packet",
        "vlan",
        [&[0, 1], &asks[2][..12], &[0x81, 0, 0, 7], &asks[2][12..]].concat(),
    );
    plant(
        "packet",
        "cooked",
        [&[0, 113], &[0; 14][..], &asks[3][12..]].concat(),
    );
    // Ethernet 14, IPv4 20, UDP 8: what follows is the message.
    plant("dhcp", "discover", asks[0][42..].to_vec());
    plant("dhcp", "request", asks[2][42..].to_vec());
    plant("dhcp", "acknowledge", asks[3][42..].to_vec());

    let (v4, v6) = (
        Ipv4Addr::new(203, 0, 113, 9).into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9).into(),
    );
    plant(
        "mdns",
        "offers",
        [&[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0][..], OFFER].concat(),
    );
    plant("mdns", "host", dns::answer(0, "phone.local", None, v4));
    plant("mdns", "seeks", dns::question(0, "_airplay._tcp.local", v4));
    // Offset, length, bytes: the middle, the end, and a beginning that overlaps both.
    let pieces = [
        &[0, 4, 4][..],
        b"midd",
        &[0, 12, 3],
        b"end",
        &[0, 0, 13],
        b"begins before",
    ];
    plant("reassembly", "disorder", pieces.concat());
    plant("dns", "question", dns::question(7, NAME, v4));
    plant("dns", "answer", dns::answer(7, NAME, None, v4));
    plant(
        "dns",
        "answer-v6-alias",
        dns::answer(7, NAME, Some("edge.alias.example"), v6),
    );

    let hello = |grease_ech, post_quantum, quic| {
        let protocols: &[&str] = if quic { &["h3"] } else { &["h2", "http/1.1"] };
        Hello {
            name: NAME,
            protocols,
            grease_ech,
            post_quantum,
            quic,
        }
    };
    let mut chance = SeededChance::new(2);
    for (name, grease_ech, post_quantum) in [
        ("plain", false, false),
        ("grease-ech", true, false),
        ("post-quantum", false, true),
    ] {
        let record = hello::record(hello(grease_ech, post_quantum, false), &mut chance);
        plant("tls", name, [&[99], &record[..]].concat());
    }
    for (name, post_quantum) in [("one-datagram", false), ("two-datagrams", true)] {
        let message = hello::handshake(hello(false, post_quantum, true), &mut chance);
        let datagrams = quic::initials(Side::Client, [7; 8], &message, &mut chance);
        let framed = datagrams.iter().flat_map(|datagram| {
            let length = u16::try_from(datagram.len())
                .expect("a datagram is short")
                .to_be_bytes();
            [&length[..], datagram].concat()
        });
        plant("quic", name, framed.collect());
    }
    let request = format!("GET / HTTP/1.1\r\nHost: {NAME}\r\nUser-Agent: seed\r\n\r\n");
    plant("http", "get", request.into_bytes());
    plant(
        "http",
        "connect",
        format!("CONNECT {NAME}:443 HTTP/1.1\r\n\r\n").into_bytes(),
    );

    // What a Linux 6.18 kernel said, of documentation addresses only.
    let from_the_kernel: [(_, &[u8]); 5] = [
        (
            "connections",
            include_bytes!("../../agent/src/capture/conntrack/message/connections.bin"),
        ),
        (
            "connection-events",
            include_bytes!("../../agent/src/capture/conntrack/message/events.bin"),
        ),
        (
            "links",
            include_bytes!("../../agent/src/capture/lan/message/links.bin"),
        ),
        (
            "addresses",
            include_bytes!("../../agent/src/capture/lan/message/addresses.bin"),
        ),
        (
            "routes",
            include_bytes!("../../agent/src/capture/lan/message/routes.bin"),
        ),
    ];
    for (name, bytes) in from_the_kernel {
        plant("netlink", name, bytes.to_vec());
    }

    plant("flow", "a-phones-day", days_of_a_phone(&capture));
    plant("flow", "more-than-fits", more_than_fits());

    plant(
        "payload",
        "batch",
        include_bytes!("../../proto/golden/v1/batch.bin").to_vec(),
    );
    plant("payload", "day", day::payload());
    plant(
        "payload",
        "enrolment",
        include_bytes!("../../proto/golden/v1/enrolment.bin").to_vec(),
    );
    plant(
        "payload",
        "consent",
        include_bytes!("../../proto/golden/v1/consent.bin").to_vec(),
    );
    plant(
        "payload",
        "rotation",
        include_bytes!("../../proto/golden/v1/rotation.bin").to_vec(),
    );
    plant(
        "payload",
        "withdrawal",
        include_bytes!("../../proto/golden/v1/withdrawal.bin").to_vec(),
    );
    plant(
        "endpoint_list",
        "list",
        include_bytes!("../../proto/golden/v1/endpoint-list.bin").to_vec(),
    );
    plant(
        "endpoint_list",
        "sealed",
        include_bytes!("../../proto/golden/v1/sealed-endpoint-list.bin").to_vec(),
    );
    let from_collectors: [(_, &[u8]); 4] = [
        (
            "manifest",
            include_bytes!("../../proto/golden/v1/manifest.bin"),
        ),
        ("clock", include_bytes!("../../proto/golden/v1/clock.bin")),
        (
            "receipt",
            include_bytes!("../../proto/golden/v1/receipt.bin"),
        ),
        (
            "erasure",
            include_bytes!("../../proto/golden/v1/erasure.bin"),
        ),
    ];
    for (name, bytes) in from_collectors {
        plant("collector_payload", name, bytes.to_vec());
    }

    let home = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 1);
    let proxied = relay::header((home, 40_000), (Ipv6Addr::LOCALHOST, 4_317));
    plant("proxy", "tcp6", proxied.to_vec());
    plant("proxy", "cut", proxied[..30].to_vec());
    let chain = "203.0.113.1, 198.51.100.7:4711, [2001:db8:7::9]:80, 192.0.2.1";
    plant("forwarded", "x-forwarded-for", chain.into());
    let pairs = "for=203.0.113.1;proto=https, for=\"[2001:db8:7:\\:9]:_x\";by=_b, for=unknown\nfor=192.0.2.1";
    plant("forwarded", "forwarded", pairs.into());
    let half_open = "for=203.0.113.1;x=\"\\, for=";
    plant("forwarded", "half_open", half_open.into());
    let invite = Invite {
        authority: "collector.example:4317".to_owned(),
        collector_key: SigningKey::from_seed(&[1; 32]).public(),
        token: Some([2; 16]),
    };
    plant("invite", "invite", invite.to_string().into_bytes());
    plant("name_list", "three_forms", NAME_LIST.as_bytes().to_vec());
    plant("release_json", "a-few-cells", small_release().into_bytes());
    for (name, question) in QUESTIONS {
        plant("question", name, question.into());
    }
    seeds
}

const NAME_LIST: &str = "# three forms\n0.0.0.0 localhost\n0.0.0.0 metrics.example.com\n*.example.org\n\
    ! and a browser's\n||example.net^$third-party\n@@||ok.example.net^\n/banner/\n";

const QUESTIONS: [(&str, &str); 5] = [
    (
        "matrix",
        "/v1/matrix?by=owner&week=2026-W46&format=csv\n\n\n\nbytes=-8",
    ),
    (
        "range",
        "/v1/vendors/xiaomi.json?from=2026-W01&to=latest\ntext/csv;q=0.1,*/*\ngzip;q=0.5",
    ),
    (
        "cursor",
        "/v1/releases?limit=1&cursor=AAAA_-\n*/*\n\nW/\"x\", *",
    ),
    ("page", "/de/vendors/xiaomi.html"),
    (
        "tricks",
        "/v1/countries/..%2f..%2fetc?release=2026-W46.0\napplication/geo+json",
    ),
];

const NAME: &str = "www.evening-gazette.example";
const LINK: Link = Link {
    from: [2, 0, 0, 0, 0, 7],
    to: [2, 0, 0, 0, 0, 1],
};

fn joining(step: usize) -> frame::Frame {
    let step = [
        Step::Discover,
        Step::Offer,
        Step::Request,
        Step::Acknowledge,
    ][step];
    let manners = Manners {
        host_name: Some("seed-phone"),
        vendor_class: Some("android-dhcp-13"),
        wishes: &[1, 3, 6, 15],
    };
    let router = (LINK.to, Ipv4Addr::new(192, 168, 1, 1));
    dhcp::message(
        step,
        LINK.from,
        router,
        Ipv4Addr::new(192, 168, 1, 7),
        9,
        manners,
    )
}

/// The small world's release, a few cells of each table.
fn small_release() -> String {
    let mut release = json::from_json(include_str!("../data/small-world.json"))
        .expect("a release of our own reads");
    for matrix in [
        &mut release.server,
        &mut release.network,
        &mut release.owner,
    ] {
        few(matrix);
    }
    few(&mut release.home);
    few(&mut release.endpoints);
    json::to_json(&release)
}

fn few<K: Ord, V>(table: &mut BTreeMap<K, V>) {
    let mut left = 8;
    table.retain(|_, _| {
        left -= 1;
        left >= 0
    });
}

/// Frames of a connection, the kernel's words on it, a midnight in the middle, a clock that is set.
fn days_of_a_phone(capture: &[u8]) -> Vec<u8> {
    // Phone 7 to server 9 at port 443 over TCP, as in the capture.
    let word = |operation: Operation, occasion: u8, bytes: u8| {
        let mut step = vec![operation as u8, 7 | 8, 1, occasion, 0x40];
        step.extend([0, bytes, 0, 0, 0, bytes].repeat(2));
        step
    };
    let mut script = word(Operation::PassedOver, 0, 9);
    script.extend(word(Operation::Counters, 1, 0));
    let mut source = FileSource::read(Box::new(Cursor::new(capture.to_vec())))
        .expect("a capture of our own reads");
    let mut frames = 0;
    while let Event::Frame(frame) = source.next() {
        let length = u16::try_from(frame.bytes.len()).expect("a frame is short");
        script.push(Operation::Frame as u8);
        script.extend(length.to_be_bytes());
        script.extend(frame.bytes);
        frames += 1;
        if frames == 6 {
            script.extend(word(Operation::Counters, 2, 50));
            script.extend([Operation::Midnight as u8, Operation::Loss as u8]);
            script.extend([Operation::Set as u8, 0, 1, 0x51, 0x80]);
        }
    }
    script.extend(word(Operation::Counters, 2, 90));
    script.extend([Operation::Redate as u8, 0, 0, 0x0e, 0x10]);
    script.extend([Operation::Part as u8, Operation::Swept as u8]);
    script.extend([Operation::Offload as u8, 2, Operation::Swept as u8]);
    script.extend(word(Operation::Counters, 3, 99));
    script.extend([Operation::Pass as u8, 0, 0, 1, 0, Operation::Idle as u8]);
    script
}

/// Every phone opens connections, merged segments among them, until none fits any more.
fn more_than_fits() -> Vec<u8> {
    let packet = |ends: u8, flags: u8, merged: u8, data: &[u8]| {
        let length = u8::try_from(data.len()).expect("short");
        let head = [Operation::Packet as u8, ends, flags, 0, merged, length];
        [&head[..], data].concat()
    };
    let mut script = Vec::new();
    for phone in 0..8 {
        script.extend(packet(phone, 0x02, 0, b""));
        script.extend(packet(phone | 0x80, 0x12, 0, b""));
        script.extend(packet(
            phone | 0x10,
            0x18,
            20,
            &[0x16, 3, 1, 2, 0, 1].repeat(30),
        ));
        script.extend(packet(phone | 0x48, 0, 10, &[0xc0; 99]));
        let word = [Operation::Counters as u8, phone, phone, 2, phone];
        script.extend([&word[..], &[phone; 12]].concat());
        script.extend([Operation::Pass as u8, 0, 0, 0, 40]);
    }
    script.extend([Operation::Swept as u8; 3]);
    script
}

fn capture() -> Vec<u8> {
    let mut recording = Recording::default();
    let at = Timestamp::from_seconds(1_794_000_000);
    let conversation = Conversation {
        link: LINK,
        client: SocketAddr::new(Ipv4Addr::new(192, 168, 1, 7).into(), 40_000),
        server: SocketAddr::new(Ipv4Addr::new(203, 0, 113, 9).into(), 443),
        host: NAME,
        at,
        round_trip_nanos: 20_000_000,
        bytes_up: 100,
        bytes_down: 2_000,
    };
    conversation.record(Carrier::Tls, &mut recording, &mut SeededChance::new(1));
    let mut file = Vec::new();
    recording.write(&mut file).expect("memory takes bytes");
    file
}
