//! Round-trip times: within a millisecond of the delay that was set.

use super::credentials::KeyExchange;
use super::exchange::Exchange;
use super::handset::{Carrier, Visit};
use super::home::{Home, Plan};
use super::router::{Lan, Segments};
use super::sites::{Family, XIAOMI_TELEMETRY};
use super::witness::{Account, Witness};
use anyhow::{Context, Result, ensure};
use phonehome_proto::net::Transport;
use phonehome_tests::traffic::phone::{Make, Openness};
use std::net::SocketAddr;
use std::time::Duration;

/// The shortest counts, here as in a report.
const CONNECTIONS: usize = 10;

#[test]
#[ignore = "needs root and network namespaces"]
fn handshakes_take_as_long_as_the_line() -> Result<()> {
    let delay = Duration::from_micros(17_500);
    let home = Home::build(Plan {
        segments: Segments::Single,
        delay: Some(delay),
    })?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 31)?;
    for family in [Family::V4, Family::V6] {
        for _ in 0..CONNECTIONS {
            phone.visit(Visit {
                site: XIAOMI_TELEMETRY,
                family,
                carrier: Carrier::Tls(KeyExchange::PostQuantum),
                exchange: Exchange::Download(1_000),
            })?;
        }
    }
    let testimony = witness.testify(&home.router.namespace)?;
    for family in [Family::V4, Family::V6] {
        let server = SocketAddr::new(XIAOMI_TELEMETRY.address(family), 443);
        let flows = testimony.to(server, Transport::Tcp);
        let times: Vec<_> = flows.iter().filter_map(|seen| seen.flow.rtt).collect();
        ensure!(
            times.len() == CONNECTIONS,
            "every handshake was timed: {times:?}"
        );
        let shortest = times.iter().map(|rtt| rtt.nanos_min).min();
        let shortest = Duration::from_nanos(shortest.context("there are some")?);
        println!("{family:?}: {shortest:?}, set {:?}", 2 * delay);
        ensure!(
            shortest.abs_diff(2 * delay) < Duration::from_millis(1),
            "{shortest:?}"
        );
    }
    Ok(())
}
