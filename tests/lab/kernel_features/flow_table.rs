//! Flow tables: what is established passes the router by a short way, which counts only if it is told
//! to, and which comes by fewer of the interfaces.

use super::{machine, visits, weigh, weigh_by};
use crate::agent::Agent;
use crate::exchange::Exchange;
use crate::handset::{Carrier, Handset, Visit};
use crate::home::{Home, Plan};
use crate::observatory::Observatory;
use crate::router::Lan;
use crate::sites::{Family, HUAWEI_TELEMETRY};
use crate::witness::{Account, Testimony, Witness};
use anyhow::{Context, Result, ensure};
use phonehome_agent::flow::KernelFacts;
use phonehome_proto::observation::VolumeTrust;
use phonehome_tests::traffic::phone::{Make, Openness};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// A router's flow table.
#[derive(Clone, Copy, Debug)]
struct Table<'a> {
    /// On which interfaces it hooks, beside the line.
    devices: &'a [&'a str],
    /// Whether it is told to count.
    is_counting: bool,
    /// Which of a connection's packets put it there.
    condition: &'a str,
}

/// At once, as OpenWrt's firewall does it.
const AT_ONCE: &str = "";

/// After what names it and a little more has passed the usual way, as others do it.
const LATE: &str = "ct packets > 12";

const BRIDGE: &[&str] = &["br-lan"];

/// A connection that outlives several readings of the connection table: its bytes, how many of them go
/// at a time, and how often.
const LONG_BYTES: usize = 6_000_000;
const PIECE_BYTES: usize = 4_096;
const PAUSE: Duration = Duration::from_millis(100);

impl Table<'_> {
    fn lay(self, home: &Home) -> Result<()> {
        let Self {
            devices,
            is_counting,
            condition,
        } = self;
        let (devices, counter) = (
            devices.join(", "),
            if is_counting { "counter;" } else { "" },
        );
        home.router.rule(&format!(
            "table inet fast {{
              flowtable fast {{ hook ingress priority filter; devices = {{ {devices}, wan }}; {counter} }}
              chain forward {{
                type filter hook forward priority filter - 1
                meta l4proto {{ tcp, udp }} {condition} flow add @fast
              }}
            }}"
        ))
    }
}

/// One phone's visits through a flow table, witnessed.
fn through(table: Table<'_>, number: u64) -> Result<(Home, Vec<Visit>, Testimony)> {
    let home = Home::build(Plan::PLAIN)?;
    table.lay(&home)?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Open, number)?;
    let visits = visits();
    for &visit in &visits {
        phone.visit(visit)?;
    }
    let testimony = witness.testify(&home.router.namespace)?;
    Ok((home, visits, testimony))
}

#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn a_table_that_does_not_count_makes_lower_bounds() -> Result<()> {
    machine::inside(
        "kernel_features::flow_table::a_table_that_does_not_count_makes_lower_bounds",
        || {
            for (condition, number) in [(AT_ONCE, 61), (LATE, 62)] {
                let table = Table {
                    devices: BRIDGE,
                    is_counting: false,
                    condition,
                };
                let (home, visits, testimony) = through(table, number)?;
                for visit in visits {
                    let weighed = weigh(&home, &testimony, visit)?;
                    ensure!(!weighed.is_right(), "the table forwarded it: {weighed:?}");
                }
            }
            Ok(())
        },
    )
}

/// The mark of a connection in a table is read twice while it goes on, and the counters between grow.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn a_table_that_counts_is_believed_when_it_is_seen_to() -> Result<()> {
    machine::inside(
        "kernel_features::flow_table::a_table_that_counts_is_believed_when_it_is_seen_to",
        || {
            let home = Home::build(Plan::PLAIN)?;
            let table = Table {
                devices: BRIDGE,
                is_counting: true,
                condition: AT_ONCE,
            };
            table.lay(&home)?;
            let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
            let phone = home.phone(Lan::Main, Make::Oppo, Openness::Declared, 64)?;
            let visit = Visit {
                site: HUAWEI_TELEMETRY,
                family: Family::V4,
                carrier: Carrier::Http,
                exchange: Exchange::Upload(LONG_BYTES),
            };
            let (done, is_done) = mpsc::channel();
            let upload = phone.namespace.spawn(move || dawdle(visit, &is_done))?;
            witness.wait_for_readings(3)?;
            drop(done);
            upload.join().ok().context("the phone panicked")??;
            let testimony = witness.testify(&home.router.namespace)?;
            let weighed = weigh(&home, &testimony, visit)?;
            let mut flows = testimony.from(phone.lease.address.into());
            let long = flows
                .find(|seen| seen.flow.server.port == 80)
                .context("it was seen")?;
            let facts = long.flow.kernel.context("it was counted")?.facts;
            let is_proven =
                facts.has(KernelFacts::OFFLOADED) && facts.has(KernelFacts::OFFLOAD_COUNTED);
            ensure!(is_proven && weighed.is_exact, "{facts:?}: {weighed:?}");
            Ok(())
        },
    )
}

/// Uploads a little at a time until nobody holds the other end of `is_done`, and then the rest.
fn dawdle(visit: Visit, is_done: &mpsc::Receiver<()>) -> Result<()> {
    let name = visit.site.name;
    let mut stream = TcpStream::connect((visit.site.address(visit.family), 80))?;
    let head = format!("PUT /0 HTTP/1.1\r\nHost: {name}\r\nContent-Length: {LONG_BYTES}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut left = LONG_BYTES;
    while is_done.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) && left > 0 {
        let piece = left.min(PIECE_BYTES);
        stream.write_all(&vec![0; piece])?;
        left -= piece;
    }
    stream.write_all(&vec![0; left])?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

/// What leaves the home says so too: the daemon, as it runs on a router, over a table that counts
/// nothing.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn the_daemon_reports_lower_bounds() -> Result<()> {
    machine::inside(
        "kernel_features::flow_table::the_daemon_reports_lower_bounds",
        || {
            let home = Home::build(Plan::PLAIN)?;
            let table = Table {
                devices: BRIDGE,
                is_counting: false,
                condition: LATE,
            };
            table.lay(&home)?;
            let observatory = Observatory::open(&home.internet)?;
            let agent = Agent::new(&home.router.namespace, "auto")?;
            let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 69)?;
            agent.open_gates(&observatory, &[&phone.phone])?;
            let daemon = agent.watch()?;
            for visit in visits() {
                phone.visit_at(visit.site.address(visit.family), visit)?;
            }
            daemon.hear_all()?;
            daemon.end()?;
            let parts = agent.parts()?;
            let [(_, part)] = &parts[..] else {
                anyhow::bail!("one part of one day: {parts:?}");
            };
            ensure!(
                part.observations().len() == visits().len(),
                "{:?}",
                part.observations()
            );
            for observation in part.observations() {
                println!("{observation:?}");
                ensure!(
                    observation.volume_trust() == VolumeTrust::LowerBound,
                    "{observation:?}"
                );
            }
            Ok(())
        },
    )
}

/// Hooked where hardware would be, a table forwards past the bridge: only at its ports is everything
/// seen, and there all that stays at home is seen twice.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn a_table_on_the_ports_is_tapped_on_the_ports() -> Result<()> {
    machine::inside(
        "kernel_features::flow_table::a_table_on_the_ports_is_tapped_on_the_ports",
        || {
            for (account, number) in [(Account::Kernel, 65), (Account::Tap, 67)] {
                let home = Home::build(Plan::PLAIN)?;
                let phones = [
                    home.phone(Lan::Main, Make::Xiaomi, Openness::Open, number)?,
                    home.phone(Lan::Main, Make::Samsung, Openness::Open, number + 1)?,
                ];
                let ports = [0, 1].map(|number: usize| &phones[number].port[..]);
                let table = Table {
                    devices: &ports,
                    is_counting: true,
                    condition: AT_ONCE,
                };
                table.lay(&home)?;
                let witness = Witness::begin(&home.router.namespace, account)?;
                let visits = visits();
                for (&visit, phone) in visits.iter().zip(phones.iter().cycle()) {
                    phone.visit(visit)?;
                }
                talk(&phones)?;
                let testimony = witness.testify(&home.router.namespace)?;
                let mut taps: Vec<_> = testimony
                    .networks
                    .taps
                    .iter()
                    .map(|tap| &tap.name[..])
                    .collect();
                taps.sort_unstable();
                // The guests' network has no port in the table.
                ensure!(taps == ["br-guest", ports[0], ports[1]], "{taps:?}");
                for visit in visits {
                    let weighed = weigh_by(account, &home, &testimony, visit)?;
                    ensure!(weighed.is_right(), "{account:?} {visit:?}: {weighed:?}");
                }
                let [one, other] =
                    [0, 1].map(|number: usize| IpAddr::V4(phones[number].lease.address));
                let mut between = testimony
                    .from(one)
                    .filter(|seen| seen.flow.server.address == other);
                let is_uncounted = between.all(|seen| seen.flow.kernel.is_none());
                ensure!(is_uncounted, "what stays at home is not counted");
            }
            Ok(())
        },
    )
}

/// One phone sends the other something.
fn talk([one, other]: &[Handset; 2]) -> Result<()> {
    let listener = other
        .namespace
        .inside(|| Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8_000))?))?;
    let listen = std::thread::spawn(move || -> Result<usize> {
        let mut heard = Vec::new();
        Ok(listener.accept()?.0.read_to_end(&mut heard)?)
    });
    let address = other.lease.address;
    one.namespace
        .inside(move || Ok(TcpStream::connect((address, 8_000))?.write_all(&[0; 50_000])?))?;
    ensure!(
        listen.join().ok().context("the phone panicked")?? == 50_000,
        "all was said"
    );
    Ok(())
}

#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn a_table_that_counts_changes_no_volume() -> Result<()> {
    machine::inside(
        "kernel_features::flow_table::a_table_that_counts_changes_no_volume",
        || {
            let table = Table {
                devices: BRIDGE,
                is_counting: true,
                condition: AT_ONCE,
            };
            let (home, visits, testimony) = through(table, 63)?;
            for visit in visits {
                let weighed = weigh(&home, &testimony, visit)?;
                ensure!(weighed.is_right(), "{weighed:?}");
            }
            Ok(())
        },
    )
}
