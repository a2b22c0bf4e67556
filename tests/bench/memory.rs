//! What a full house takes in memory, and what a daemon takes that waits for consent, or watches an empty
//! house: one network with the kernel's account of connections, and as many as can be heard with the tap
//! alone, whose rings are larger.
//!
//! The house is put together in this process: the state of the capture thread as the daemon holds it,
//! told of 50 phones with a hundred conversations each. Every one is heard from its SYN on and counted by the
//! kernel; before four of five DNS has told the phone a name of its own; one in a hundred is in the
//! middle of a hello. What it adds to the process is what it adds to a daemon: so much more than one with nothing to do.

mod daemon;

use self::daemon::Idle;
use super::child::{self, own_memory_bytes};
use anyhow::Result;
use phonehome_agent::capture::clock::Reading;
use phonehome_agent::capture::lan::{Lan, Networks};
use phonehome_agent::capture::live::RINGS_MAX;
use phonehome_agent::capture::{
    ConnectionKey, ConnectionStatus, Counted, Counters, Event, Frame, LinkType, Moment, Path,
};
use phonehome_agent::observe::Rules;
use phonehome_agent::run::watch::home::{Home, Household};
use phonehome_proto::batch::Source;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::endpoint::EndpointList;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use phonehome_tests::traffic::frame::{self, Link, Segment, flag};
use phonehome_tests::traffic::{dns, hello};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const PHONES: u8 = 50;
const FLOWS_PER_PHONE: u8 = 100;
const FULL_BYTES_MAX: u64 = 10 << 20;
const IDLE_BYTES_MAX: u64 = 6 << 20;

const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ROUTER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));

/// Measures, and prints.
pub(crate) fn run() -> Result<()> {
    let mut house = House::new();
    // What the traffic itself is made with stays with the process, too, and is no part of the house.
    let mut rehearsal = House::new();
    rehearsal.live(0, 0);
    let before = own_memory_bytes("VmRSS:")?;
    for phone in 0..PHONES {
        for flow in 0..FLOWS_PER_PHONE {
            house.live(phone, flow);
        }
    }
    let growth = own_memory_bytes("VmRSS:")?.saturating_sub(before);
    let sights = house.home.sights();
    drop(rehearsal);
    println!("memory:");
    if !child::is_named() {
        println!(
            "  (this program plays the agent and is larger; PHONEHOME_AGENT names a real one)"
        );
    }
    let waiting = daemon::waiting()?;
    print(&waiting, IDLE_BYTES_MAX);
    println!(
        "  {} flows and {} devices: {} KiB more, {} bytes a flow",
        sights.flows,
        sights.devices,
        growth / 1_024,
        growth / u64::try_from(sights.flows.max(1))?,
    );
    let watching = if rustix::process::geteuid().is_root() {
        vec![
            daemon::watching("auto", 1)?,
            daemon::watching("tap", RINGS_MAX)?,
        ]
    } else {
        println!(
            "  a daemon that watches was not measured: that needs root and a network namespace"
        );
        Vec::new()
    };
    for idle in &watching {
        print(idle, IDLE_BYTES_MAX);
    }
    for idle in watching.iter().chain([&waiting]) {
        let full = Idle {
            what: format!("{}, with that house", idle.what),
            bytes: idle.bytes + growth,
            ..*idle
        };
        print(&full, FULL_BYTES_MAX);
    }
    Ok(())
}

fn print(idle: &Idle, limit_bytes: u64) {
    let asker = match idle.asker_bytes {
        0 => String::new(),
        bytes => format!(
            " (and {} KiB the process that asks the kernel)",
            bytes / 1_024
        ),
    };
    println!(
        "  {}: {} KiB{asker}, limit {} KiB",
        idle.what,
        idle.bytes / 1_024,
        limit_bytes / 1_024
    );
}

/// The home, and what it lives through.
struct House {
    home: Home,
    reading: Reading,
    connections: u32,
}

impl House {
    fn new() -> Self {
        let lan = Lan {
            name: "br-lan".to_owned(),
            index: 1,
            prefixes: vec![(ROUTER_ADDRESS, 24)],
        };
        let networks = Networks {
            lans: vec![lan],
            own: vec![ROUTER_ADDRESS],
            is_gateway: true,
            ..Networks::default()
        };
        let household = Household {
            rules: Rules {
                allowed: BTreeSet::new(),
                purpose: Purpose::Exercise,
                list: EndpointList::compiled_in(),
            },
            declared: Vec::new(),
        };
        Self {
            home: Home::new(Source::ConntrackAndTap, networks, household, &[7; 32], 7),
            reading: Reading {
                wall: Timestamp::from_seconds(1_700_000_000),
                since_boot_nanos: 60_000_000_000,
                is_synchronised: true,
            },
            connections: 0,
        }
    }

    /// One conversation of one phone, up to its middle.
    fn live(&mut self, phone: u8, flow: u8) {
        let link = Link {
            from: [0x02, 0, 0, 0, 1, phone],
            to: ROUTER,
        };
        let client: SocketAddr = ([192, 168, 1, 10 + phone], 40_000 + u16::from(flow)).into();
        let server: SocketAddr = ([198, 51, 100, flow], 443).into();
        if !flow.is_multiple_of(5) {
            let name = format!("host{flow}.of-phone{phone}.example");
            let told = dns::answer(1, &name, None, server.ip());
            let resolver = SocketAddr::new(ROUTER_ADDRESS, 53);
            // Always from the same port: one conversation with DNS is one flow.
            let asker = SocketAddr::new(client.ip(), 5_353);
            self.hear(&frame::udp(link.reversed(), resolver, asker, &told));
        }
        let mut say = |from_phone: bool, flags, data: &[u8]| {
            let segment = Segment {
                sequence: if from_phone { 1_000 } else { 2_000 } + u32::from(!data.is_empty()),
                acknowledge: if from_phone { 2_001 } else { 1_001 },
                flags,
                data,
                data_bytes: data.len(),
            };
            let frame = if from_phone {
                frame::tcp(link, client, server, segment)
            } else {
                frame::tcp(link.reversed(), server, client, segment)
            };
            self.hear(&frame);
        };
        say(true, flag::SYN, b"");
        say(false, flag::SYN | flag::ACK, b"");
        let name = format!("www{flow}.example");
        let hello = hello::record(
            hello::Hello {
                name: &name,
                protocols: &["h2"],
                grease_ech: false,
                post_quantum: true,
                quic: false,
            },
            &mut SeededChance::new(u64::from(flow)),
        );
        let first_segment = &hello[..1_400.min(hello.len())];
        say(true, flag::ACK, first_segment);
        if !flow.is_multiple_of(100) {
            let rest = Segment {
                sequence: 1_001 + u32::try_from(first_segment.len()).expect("short"),
                acknowledge: 2_001,
                flags: flag::ACK,
                data: &hello[first_segment.len()..],
                data_bytes: hello.len() - first_segment.len(),
            };
            self.hear(&frame::tcp(link, client, server, rest));
        }
        self.count(client, server);
    }

    fn hear(&mut self, frame: &frame::Frame) {
        let frame = Frame {
            bytes: &frame.bytes,
            link: LinkType::ETHERNET,
            wire_len_bytes: frame.wire_bytes,
            segment_bytes: None,
            time: self.reading.wall,
        };
        self.home.handle(Event::Frame(frame), self.reading);
        while self.home.poll().is_some() {}
    }

    /// The kernel speaks of the connection for the first time.
    fn count(&mut self, client: SocketAddr, server: SocketAddr) {
        self.connections += 1;
        let outside = SocketAddr::new(Ipv4Addr::new(203, 0, 113, 1).into(), client.port());
        let counters = Counters {
            key: ConnectionKey {
                zone: 0,
                id: self.connections,
            },
            transport: Transport::Tcp,
            original: Path {
                source: client,
                destination: server,
            },
            reply: Path {
                source: server,
                destination: outside,
            },
            counted: Some(
                [Counted {
                    packets: 9,
                    bytes: 9_000,
                }; 2],
            ),
            status: ConnectionStatus::default(),
            moment: Moment::Ongoing,
            time: self.reading.wall,
        };
        self.home.handle(Event::Counters(counters), self.reading);
        while self.home.poll().is_some() {}
    }
}
