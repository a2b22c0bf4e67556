//! The laboratory itself, before anybody watches it.

use super::credentials::KeyExchange;
use super::exchange::Exchange;
use super::handset::{Carrier, Handset, Visit};
use super::home::{Home, Plan};
use super::namespace::Process;
use super::patience::until;
use super::router::{Lan, Segments};
use super::sites::{Family, SAMSUNG_TELEMETRY, Site, UNLISTED, XIAOMI_TELEMETRY};
use super::tracked;
use super::truth::Both;
use anyhow::{Context, Result, ensure};
use phonehome_agent::capture::Event;
use phonehome_agent::capture::file::FileSource;
use phonehome_tests::traffic::phone::{Make, Openness};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

const CARRIERS: [Carrier; 4] = [
    Carrier::Http,
    Carrier::Tls(KeyExchange::Classical),
    Carrier::Tls(KeyExchange::PostQuantum),
    Carrier::Quic,
];

/// How long a kernel may take to count what a program has already read.
const SETTLED: Duration = Duration::from_secs(5);

/// One connection, in a line.
fn visit(site: Site, family: Family, carrier: Carrier, exchange: Exchange) -> Visit {
    Visit {
        site,
        family,
        carrier,
        exchange,
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_router_counts_what_the_servers_count() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let phones = [
        home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 1)?,
        home.phone(Lan::Main, Make::Samsung, Openness::Open, 2)?,
    ];
    let sites = [XIAOMI_TELEMETRY, SAMSUNG_TELEMETRY];
    for (phone, site) in phones.iter().zip(sites) {
        for family in FAMILIES {
            for carrier in CARRIERS {
                for exchange in [Exchange::Download(300_000), Exchange::Upload(200_000)] {
                    phone.visit(visit(site, family, carrier, exchange))?;
                }
            }
        }
    }
    for site in sites {
        for family in FAMILIES {
            for carrier in [CARRIERS[0], CARRIERS[1], CARRIERS[3]] {
                let asked = visit(site, family, carrier, Exchange::Download(0));
                let (port, is_tcp) = asked.port().number();
                let server = SocketAddr::new(site.address(family), port);
                until("equal counts", SETTLED, || {
                    let connections = tracked::connections(&home.router.namespace)?;
                    let counted = tracked::sum(&connections, server, is_tcp);
                    let truth = home.counted_at(asked)?;
                    ensure!(truth.down.bytes > 300_000, "{asked:?}: {truth:?}");
                    Ok((counted == truth).then_some(()))
                })?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces"]
fn networks_are_apart_and_phones_are_given_addresses_of_theirs() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let resident = home.phone(Lan::Main, Make::Apple, Openness::Open, 3)?;
    let guest = home.phone(Lan::Guest, Make::Huawei, Openness::Silent, 4)?;
    for (phone, number) in [(&resident, 1), (&guest, 2)] {
        let [a, b, c, _] = phone.lease.address.octets();
        ensure!([a, b, c] == [192, 168, number], "{:?}", phone.lease);
        let prefix = [0x2001, 0xdb8, 1, u16::from(number)];
        ensure!(
            phone.address_v6.segments()[..4] == prefix,
            "{}",
            phone.address_v6
        );
    }
    ensure!(resident.phone.mac[0] & 2 == 0, "the factory's address");
    ensure!(guest.phone.mac[0] & 2 == 2, "an address it made up");
    let leases = fs::read_to_string(home.folder().join("leases"))?;
    let name = resident
        .phone
        .host_name
        .as_deref()
        .context("it says a name")?;
    ensure!(leases.contains(name), "{leases}");
    Ok(())
}

/// Segments are merged where the plan says so, and the servers see none of it.
#[test]
#[ignore = "needs root and network namespaces"]
fn merged_segments_are_fewer_packets_in_the_router() -> Result<()> {
    let home = Home::build(Plan {
        segments: Segments::Merged,
        delay: None,
    })?;
    let phone = home.phone(Lan::Main, Make::Oppo, Openness::Silent, 5)?;
    for exchange in [Exchange::Download(4_000_000), Exchange::Upload(4_000_000)] {
        let asked = visit(UNLISTED, Family::V4, Carrier::Http, exchange);
        let truth = home.counted(asked, || phone.visit(asked))?;
        let connections = tracked::connections(&home.router.namespace)?;
        let server = SocketAddr::new(UNLISTED.address(Family::V4), 80);
        let tracked = tracked::sum(&connections, server, true);
        let (bulk, tracked) = match exchange {
            Exchange::Download(_) => (truth.down, tracked.down),
            Exchange::Upload(_) | Exchange::UploadInPieces(_) => (truth.up, tracked.up),
        };
        println!("{exchange:?}: on the wire {bulk:?}, in the router {tracked:?}");
        ensure!(
            bulk.packets > 2_700,
            "single segments at the servers: {bulk:?}"
        );
        ensure!(
            tracked.packets < bulk.packets / 2,
            "{tracked:?} of {bulk:?}"
        );
        ensure!(
            tracked.bytes < bulk.bytes,
            "headers of merged segments are gone"
        );
        home.router.namespace.run("conntrack", &["-F"])?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces"]
fn the_line_takes_the_time_it_was_told_to() -> Result<()> {
    let delay = Duration::from_millis(20);
    let home = Home::build(Plan {
        segments: Segments::Single,
        delay: Some(delay),
    })?;
    let phone = home.phone(Lan::Main, Make::Google, Openness::Open, 6)?;
    for family in FAMILIES {
        let shortest = (0..20).map(|_| connecting_takes(&phone, family));
        let shortest = shortest.collect::<Result<Vec<_>>>()?.into_iter().min();
        let shortest = shortest.context("twenty were made")?;
        let off = shortest.saturating_sub(2 * delay);
        println!("{family:?}: {shortest:?}, set {:?}", 2 * delay);
        ensure!(
            shortest >= 2 * delay && off < Duration::from_millis(1),
            "{shortest:?}"
        );
        phone.visit(visit(
            XIAOMI_TELEMETRY,
            family,
            Carrier::Quic,
            Exchange::Download(500_000),
        ))?;
    }
    ensure!(home.dropped() == 0, "the line had room for everything");
    Ok(())
}

fn connecting_takes(phone: &Handset, family: Family) -> Result<Duration> {
    let address = XIAOMI_TELEMETRY.address(family);
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    phone.on_phone(async move {
        let start = Instant::now();
        tokio::net::TcpStream::connect((address, 80)).await?;
        Ok(start.elapsed())
    })
}

/// Nothing of the laboratory's passes any interface of the machine it stands on.
#[test]
#[ignore = "needs root and network namespaces"]
fn traffic_stays_inside() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("host.pcap");
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.args(["-n", "-U", "-i", "any", "-w"]).arg(&file);
    tcpdump.arg(format!("host {SIGN} or net {}", NETWORKS.join(" or net ")));
    tcpdump.stdin(Stdio::null()).stderr(Stdio::null());
    let mut watch = Process(tcpdump.spawn()?);
    let frames = || -> Result<usize> {
        let mut source = FileSource::open(&file)?;
        let frames = std::iter::from_fn(|| match source.next() {
            Event::Frame(_) => Some(1),
            _ => None,
        });
        Ok(frames.sum())
    };
    // The file's header is written when the watch has begun.
    until("tcpdump", SETTLED, || Ok(frames().ok()))?;

    let interfaces = || -> Result<usize> { Ok(fs::read_dir("/sys/class/net")?.count()) };
    let before = interfaces()?;
    let home = Home::build(Plan::PLAIN)?;
    let phone = home.phone(Lan::Main, Make::Vivo, Openness::Declared, 7)?;
    let asked = visit(
        UNLISTED,
        Family::V4,
        Carrier::Http,
        Exchange::Download(100_000),
    );
    let counted = home.counted(asked, || phone.visit(asked))?;
    ensure!(counted != Both::default(), "there was something to see");
    ensure!(interfaces()? == before, "the machine has no interface more");
    drop(home);

    // On loopback, where nobody listens: whoever sees it would have seen the rest.
    UdpSocket::bind((SIGN, 0))?.send_to(b"seen", (SIGN, 9))?;
    until("the sign", SETTLED, || Ok((frames()? > 0).then_some(())))?;
    kill_process(Pid::from_child(&watch.0), Signal::INT)?;
    watch.0.wait()?;
    ensure!(seen_of_others(&file)? == 0, "something was seen outside");
    Ok(())
}

/// The laboratory's networks.
const NETWORKS: [&str; 6] = [
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "192.168.1.0/24",
    "192.168.2.0/24",
    "2001:db8::/32",
];

/// What the watch is shown to prove that it sees.
const SIGN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

/// Packets in the file with an address other than the sign's.
fn seen_of_others(file: &Path) -> Result<usize> {
    let mut source = FileSource::open(file)?;
    let mut others = 0;
    while let Event::Frame(frame) = source.next() {
        // Also in what says that nobody listens, since it quotes.
        others += usize::from(!contains(frame.bytes, &SIGN.octets()));
    }
    Ok(others)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
