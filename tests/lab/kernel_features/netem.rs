//! Delay and loss: what is sent again is counted again where it passes again, names survive it, and a
//! round trip takes what the line takes.

use super::{machine, named, visits, weigh};
use crate::exchange::Exchange;
use crate::handset::{Carrier, Handset, Visit};
use crate::home::{Home, Plan};
use crate::lease::RADIO;
use crate::namespace::Namespace;
use crate::router::{LINE, Lan};
use crate::sites::{Family, Site, XIAOMI_TELEMETRY, XIAOMI_UPDATE};
use crate::witness::{Account, Testimony, Witness};
use anyhow::{Context, Result, ensure};
use phonehome_proto::net::Transport;
use phonehome_tests::traffic::phone::{Make, Openness};
use std::net::SocketAddr;
use std::time::Duration;

/// The line loses packets after the router has seen them, so that hellos come by twice.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn names_survive_a_bad_line() -> Result<()> {
    machine::inside("kernel_features::netem::names_survive_a_bad_line", || {
        let home = Home::build(Plan::PLAIN)?;
        let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
        let phone = home.phone(Lan::Main, Make::Vivo, Openness::Open, 73)?;
        suffer(&home.router.namespace, LINE, "delay 10ms loss 15%")?;
        let exchange = Exchange::Upload(20_000);
        let visits: Vec<_> = visits()
            .into_iter()
            .map(|visit| Visit { exchange, ..visit })
            .collect();
        for &visit in &visits {
            phone.visit_at(visit.site.address(visit.family), visit)?;
        }
        let testimony = witness.testify(&home.router.namespace)?;
        for visit in visits {
            named(&testimony, visit)?;
        }
        let lost = home
            .router
            .namespace
            .run("tc", &["-s", "qdisc", "show", "dev", LINE])?;
        println!("{lost}");
        ensure!(!lost.contains("dropped 0,"), "nothing was lost: {lost}");
        Ok(())
    })
}

/// What packets suffer that leave by an interface.
fn suffer(namespace: &Namespace, interface: &str, what: &str) -> Result<()> {
    let words = [
        "qdisc", "add", "dev", interface, "root", "netem", "limit", "10000",
    ];
    let words: Vec<_> = words.into_iter().chain(what.split(' ')).collect();
    namespace.run("tc", &words).map(drop)
}

#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn a_round_trip_takes_the_delay_that_was_set() -> Result<()> {
    machine::inside(
        "kernel_features::netem::a_round_trip_takes_the_delay_that_was_set",
        || {
            let home = Home::build(Plan::PLAIN)?;
            let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
            let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 71)?;
            greet(&phone, PROMPT)?;
            suffer(&home.router.namespace, LINE, "delay 40ms")?;
            greet(&phone, DELAYED)?;
            let testimony = witness.testify(&home.router.namespace)?;
            for family in FAMILIES {
                // A processor made by translation takes its time, with delay or without.
                let own = shortest(&testimony, PROMPT, family)?;
                let found = shortest(&testimony, DELAYED, family)?;
                println!(
                    "{family:?}: {found:?}, of which {own:?} the machine's own; set {DELAY:?}"
                );
                ensure!(
                    found >= DELAY && found.abs_diff(own + DELAY) < NEAR,
                    "{found:?}, {own:?}"
                );
            }
            Ok(())
        },
    )
}

/// Many short connections to a site.
fn greet(phone: &Handset, site: Site) -> Result<()> {
    for family in FAMILIES {
        for _ in 0..CONNECTIONS {
            phone.visit_at(
                site.address(family),
                Visit {
                    site,
                    family,
                    carrier: Carrier::Http,
                    exchange: Exchange::Download(100),
                },
            )?;
        }
    }
    Ok(())
}

/// The shortest round trip to a site.
fn shortest(testimony: &Testimony, site: Site, family: Family) -> Result<Duration> {
    let flows = testimony.to(SocketAddr::new(site.address(family), 80), Transport::Tcp);
    let times: Vec<_> = flows.iter().filter_map(|seen| seen.flow.rtt).collect();
    ensure!(
        times.len() == CONNECTIONS,
        "every handshake was timed: {times:?}"
    );
    let shortest = times.iter().map(|rtt| rtt.nanos_min).min();
    Ok(Duration::from_nanos(shortest.context("there are some")?))
}

/// The radio loses frames, where the router counts what the server does.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn what_is_sent_again_is_counted_and_named() -> Result<()> {
    machine::inside(
        "kernel_features::netem::what_is_sent_again_is_counted_and_named",
        || {
            let home = Home::build(Plan::PLAIN)?;
            let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
            let phone = home.phone(Lan::Main, Make::Samsung, Openness::Open, 72)?;
            suffer(&phone.namespace, RADIO, "delay 5ms loss 2%")?;
            suffer(&home.router.namespace, &phone.port, "delay 5ms loss 2%")?;
            let visits = visits();
            for &visit in &visits {
                phone.visit(visit)?;
            }
            let testimony = witness.testify(&home.router.namespace)?;
            for visit in visits {
                let weighed = weigh(&home, &testimony, visit)?;
                ensure!(
                    weighed.is_exact && weighed.is_right(),
                    "{visit:?}: {weighed:?}"
                );
            }
            for (namespace, interface) in [
                (&phone.namespace, RADIO),
                (&home.router.namespace, &phone.port[..]),
            ] {
                let lost = namespace.run("tc", &["-s", "qdisc", "show", "dev", interface])?;
                ensure!(!lost.contains("dropped 0,"), "nothing was lost: {lost}");
            }
            Ok(())
        },
    )
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Visited before there is a delay, and after.
const PROMPT: Site = XIAOMI_UPDATE;
const DELAYED: Site = XIAOMI_TELEMETRY;

/// Round trips of which the shortest counts, as in a report.
const CONNECTIONS: usize = 15;

/// What is set.
const DELAY: Duration = Duration::from_millis(40);

/// How near what is found must come to it.
const NEAR: Duration = Duration::from_millis(1);
