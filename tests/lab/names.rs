//! Names: every clear one is found, whichever way a phone speaks and over both Internets.

use super::credentials::KeyExchange;
use super::exchange::Exchange;
use super::handset::{Carrier, Visit};
use super::home::{Home, Plan};
use super::router::Lan;
use super::sites::{Family, SITES};
use super::witness::{Account, Witness};
use anyhow::{Context, Result, ensure};
use phonehome_agent::name::{NameSource, NameStatus};
use phonehome_proto::net::Transport;
use phonehome_tests::traffic::phone::{Make, Openness};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

const CARRIERS: [Carrier; 4] = [
    Carrier::Http,
    Carrier::Tls(KeyExchange::Classical),
    Carrier::Tls(KeyExchange::PostQuantum),
    Carrier::Quic,
];

/// What one segment carries over IPv4 with timestamps.
const SEGMENT_BYTES: usize = 1_448;

#[test]
#[ignore = "needs root and network namespaces"]
fn every_clear_name_is_found() -> Result<()> {
    for account in [Account::Kernel, Account::Tap] {
        let home = Home::build(Plan::PLAIN)?;
        let witness = Witness::begin(&home.router.namespace, account)?;
        let phone = home.phone(Lan::Main, Make::Samsung, Openness::Declared, 21)?;
        let mut visits = Vec::new();
        for site in SITES {
            for family in [Family::V4, Family::V6] {
                visits.extend(CARRIERS.map(|carrier| Visit {
                    site,
                    family,
                    carrier,
                    exchange: Exchange::Download(20_000),
                }));
            }
        }
        // Without asking for the name: what is found is what the connection itself says.
        for &visit in &visits {
            phone.visit_at(visit.site.address(visit.family), visit)?;
        }
        let testimony = witness.testify(&home.router.namespace)?;
        let mut found = 0;
        for seen in &testimony.flows {
            let flow = &seen.flow;
            let is_to = |visit: &&Visit| visit.site.address(visit.family) == flow.server.address;
            let Some(visit) = visits.iter().find(is_to) else {
                continue;
            };
            let name = flow.named.name.as_ref().map(|name| name.as_str());
            ensure!(name == Some(visit.site.name), "{account:?}: {flow:?}");
            let (source, status) = match (flow.transport, flow.server.port) {
                (Transport::Udp, _) => (NameSource::Quic, NameStatus::SniClear),
                (Transport::Tcp, 80) => (NameSource::Http, NameStatus::Http),
                (Transport::Tcp, _) => (NameSource::Sni, NameStatus::SniClear),
            };
            ensure!(
                (flow.named.source, flow.named.status) == (Some(source), status),
                "{account:?}: {flow:?}"
            );
            found += 1;
        }
        println!("{account:?}: {found} names of {}", visits.len());
        ensure!(
            found == visits.len(),
            "{found} conversations of {}",
            visits.len()
        );
    }
    Ok(())
}

/// A name is also known where only DNS told it, and only for the phone that asked.
#[test]
#[ignore = "needs root and network namespaces"]
fn what_the_router_answered_names_what_follows() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    let asks = home.phone(Lan::Main, Make::Oppo, Openness::Declared, 22)?;
    let silent = home.phone(Lan::Main, Make::Vivo, Openness::Declared, 23)?;
    let site = SITES[0];
    for (phone, asking) in [(&asks, true), (&silent, false)] {
        if asking {
            phone.resolve_with(phone.lease.name_server, site, Family::V4)?;
        }
        // Nothing is ever said on it: there is no name but the one that was asked for.
        let server = SocketAddr::new(site.address(Family::V4), 443);
        phone.on_phone(async move {
            TcpStream::connect(server).await?;
            Ok(())
        })?;
    }
    let testimony = witness.testify(&home.router.namespace)?;
    for (phone, expected) in [(&asks, Some(site.name)), (&silent, None)] {
        let mut flows = testimony.from(phone.lease.address.into());
        let flow = flows.find(|seen| seen.flow.server.port == 443);
        let flow = &flow.context("the connection was seen")?.flow;
        let name = flow.named.name.as_ref().map(|name| name.as_str());
        ensure!(name == expected, "{flow:?}");
    }
    Ok(())
}

/// The laboratory's post-quantum hellos are what they are for: longer than a segment.
#[test]
fn post_quantum_hellos_take_two_segments() -> Result<()> {
    let credentials = super::credentials::Credentials::make()?;
    for (keys, is_long) in [
        (KeyExchange::Classical, false),
        (KeyExchange::PostQuantum, true),
    ] {
        let config = Arc::new(credentials.client(keys, "http/1.1")?);
        let mut connection = rustls::ClientConnection::new(config, SITES[0].name.try_into()?)?;
        let mut hello = Vec::new();
        connection.write_tls(&mut hello)?;
        ensure!(
            (hello.len() > SEGMENT_BYTES) == is_long,
            "{keys:?}: {} bytes",
            hello.len()
        );
    }
    Ok(())
}
