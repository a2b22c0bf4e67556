//! What the router does to addresses: port forwards, hijacked DNS, hairpins, networks side by side.

use super::credentials::KeyExchange;
use super::exchange::{Exchange, answer, ask};
use super::handset::{Carrier, Handset, Visit};
use super::home::{Home, Plan};
use super::router::{Lan, WAN};
use super::sites::{Family, SITES, UNLISTED, XIAOMI_TELEMETRY};
use super::witness::{Account, Seen, Testimony, Witness};
use anyhow::{Context, Result, ensure};
use phonehome_agent::capture::Lost;
use phonehome_proto::net::Transport;
use phonehome_tests::traffic::phone::{Make, Openness};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The router's port that is forwarded to a phone.
const FORWARDED: u16 = 8_080;

/// Bytes that are fetched from the phone.
const BYTES: usize = 400_000;

/// The port it serves on.
const SERVED: u16 = 80;

#[test]
#[ignore = "needs root and network namespaces"]
fn a_port_forward_is_the_phones_and_counted_once() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    let phone = home.phone(Lan::Main, Make::Google, Openness::Declared, 41)?;
    forward(&home, &phone)?;
    let served = serve_once(&phone)?;
    let from = SocketAddr::new(UNLISTED.address(Family::V4), 0);
    home.internet
        .inside(move || fetch(Some(from), (WAN, FORWARDED).into()))?;
    served.join().ok().context("the phone panicked")??;

    let testimony = witness.testify(&home.router.namespace)?;
    let outside = UNLISTED.address(Family::V4);
    let inside = IpAddr::V4(phone.lease.address);
    let between = flows_between(&testimony, inside, outside);
    ensure!(between.len() == 1, "one conversation: {between:?}");
    let seen = between[0];
    let both = seen
        .volume(Account::Kernel)
        .context("the kernel counted it")?;
    let (sent, received) = if seen.flow.client.address == inside {
        (both.up, both.down)
    } else {
        (both.down, both.up)
    };
    ensure!(
        sent.bytes > BYTES as u64 && received.bytes < BYTES as u64 / 10,
        "{both:?}"
    );
    ensure!(
        seen.flow.client_mac.is_some() || seen.flow.server_mac.is_some(),
        "{seen:?}"
    );
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces"]
fn hijacked_dns_and_hairpins_are_seen_for_what_they_are() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    let phone = home.phone(Lan::Main, Make::Huawei, Openness::Declared, 42)?;
    let other = home.phone(Lan::Main, Make::Apple, Openness::Declared, 43)?;
    forward(&home, &other)?;
    home.router.rule(
        "table inet hijack {
          chain prerouting {
            type nat hook prerouting priority dstnat
            iifname br-lan udp dport 53 redirect to :53
          }
        }",
    )?;
    // It believes to ask a server on the Internet, which would not know: nothing listens there.
    let asked = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99)), 53);
    phone.resolve_with(asked, XIAOMI_TELEMETRY, Family::V4)?;
    let served = serve_once(&other)?;
    phone
        .namespace
        .inside(|| fetch(None, (WAN, FORWARDED).into()))?;
    served.join().ok().context("the phone panicked")??;

    let testimony = witness.testify(&home.router.namespace)?;
    for (server, transport) in [
        (asked, Transport::Udp),
        ((WAN, FORWARDED).into(), Transport::Tcp),
    ] {
        let flows = testimony.to(server, transport);
        ensure!(flows.len() == 1, "one conversation: {flows:?}");
        ensure!(flows[0].flow.is_intercepted, "{flows:?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces"]
fn several_networks_are_found_and_told_apart() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    let phones = [
        home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 44)?,
        home.phone(Lan::Main, Make::Vivo, Openness::Silent, 45)?,
        home.phone(Lan::Guest, Make::Samsung, Openness::Silent, 46)?,
    ];
    for phone in &phones {
        for family in [Family::V4, Family::V6] {
            phone.visit(small(family))?;
        }
    }
    let testimony = witness.testify(&home.router.namespace)?;
    let mut lans: Vec<_> = testimony
        .networks
        .lans
        .iter()
        .map(|lan| &lan.name[..])
        .collect();
    lans.sort_unstable();
    ensure!(lans == ["br-guest", "br-lan"], "{:?}", testimony.networks);
    ensure!(testimony.networks.is_gateway, "{:?}", testimony.networks);
    let mut devices = Vec::new();
    for phone in &phones {
        let mut tags = Vec::new();
        for address in [phone.lease.address.into(), phone.address_v6.into()] {
            let flows = testimony.from(address);
            tags.extend(flows.filter(|seen| is_small(seen)).map(|seen| seen.device));
        }
        // Old address or new, it is the same phone; another is another.
        ensure!(
            tags.len() == 2 && tags[0].is_some() && tags[0] == tags[1],
            "{tags:?}"
        );
        ensure!(!devices.contains(&tags[0]), "{devices:?}");
        devices.push(tags[0]);
    }
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_network_that_went_away_is_heard_again() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 47)?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    phone.visit(small(Family::V4))?;
    home.router.remake(Lan::Main, &[&phone.port])?;
    witness.wait_for_looks(2)?;
    phone.visit(small(Family::V4))?;
    let testimony = witness.testify(&home.router.namespace)?;
    let flows = testimony.from(phone.lease.address.into());
    let named: Vec<_> = flows.filter(|seen| is_small(seen)).collect();
    ensure!(named.len() == 2, "before and after: {named:?}");
    for seen in named {
        ensure!(seen.flow.named.name.is_some(), "{seen:?}");
    }
    ensure!(
        testimony.capture.lost.of(Lost::InterfaceGone) > 0,
        "{:?}",
        testimony.capture
    );
    Ok(())
}

fn small(family: Family) -> Visit {
    Visit {
        site: SITES[0],
        family,
        carrier: Carrier::Tls(KeyExchange::PostQuantum),
        exchange: Exchange::Download(1_000),
    }
}

fn is_small(seen: &Seen) -> bool {
    seen.flow.server.port == 443
}

fn flows_between(testimony: &Testimony, one: IpAddr, other: IpAddr) -> Vec<&Seen> {
    let ends = [(one, other), (other, one)];
    let is_between =
        |seen: &&Seen| ends.contains(&(seen.flow.client.address, seen.flow.server.address));
    testimony.flows.iter().filter(is_between).collect()
}

/// Forwards the router's port to the phone's, for those outside and for those at home.
fn forward(home: &Home, phone: &Handset) -> Result<()> {
    home.router.rule(&format!(
        "table ip forwards {{
          chain prerouting {{
            type nat hook prerouting priority dstnat
            ip daddr {WAN} tcp dport {FORWARDED} dnat to {}:{SERVED}
          }}
          chain postrouting {{
            type nat hook postrouting priority srcnat
            ip saddr 192.168.0.0/16 ip daddr 192.168.0.0/16 masquerade
          }}
        }}",
        phone.lease.address
    ))
}

/// The phone answers one request; returns when it listens.
fn serve_once(phone: &Handset) -> Result<std::thread::JoinHandle<Result<()>>> {
    let (ready, listening) = mpsc::channel();
    let thread = phone.namespace.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, SERVED)).await?;
            ready.send(())?;
            let (mut stream, _) = listener.accept().await?;
            answer(&mut stream).await
        })
    })?;
    listening.recv().context("the phone listens")?;
    Ok(thread)
}

/// Fetches something over HTTP, from an address of choice.
fn fetch(from: Option<SocketAddr>, server: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut stream: TcpStream = match from {
            None => TcpStream::connect(server).await?,
            Some(from) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(from)?;
                socket.connect(server).await?
            }
        };
        ask(&mut stream, "phone.example", Exchange::Download(BYTES)).await
    })
}
