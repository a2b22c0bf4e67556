//! The kernel features that routers use: flow tables, VLANs, several ports, delay and loss.
//!
//! Whatever forwards a packet, the agent says a volume that is right, or says that it is a lower bound
//! and no more than is true; and it finds the names. Each test runs in a machine of its own, see
//! [`super::machine`].

mod flow_table;
mod netem;
mod vlan;

use super::credentials::KeyExchange;
use super::exchange::Exchange;
use super::handset::{Carrier, Visit};
use super::home::Home;
use super::machine;
use super::namespace::Namespace;
use super::sites::{
    Family, HUAWEI_TELEMETRY, SAMSUNG_TELEMETRY, Site, XIAOMI_TELEMETRY, XIAOMI_UPDATE,
};
use super::truth::{Both, Volume};
use super::witness::{Account, Seen, Testimony};
use anyhow::{Context, Result, ensure};
use phonehome_proto::net::Transport;
use phonehome_proto::observation::VolumeTrust;
use std::net::SocketAddr;

/// What phones do here, over both Internets.
const VISITS: [(Site, Carrier, Exchange); 4] = [
    (
        XIAOMI_TELEMETRY,
        Carrier::Tls(KeyExchange::PostQuantum),
        Exchange::Upload(400_000),
    ),
    (
        XIAOMI_UPDATE,
        Carrier::Tls(KeyExchange::Classical),
        Exchange::Download(600_000),
    ),
    (
        SAMSUNG_TELEMETRY,
        Carrier::Quic,
        Exchange::Download(300_000),
    ),
    (HUAWEI_TELEMETRY, Carrier::Http, Exchange::Upload(400_000)),
];

/// What the agent says of a visit, and what its server counted.
#[derive(Debug)]
struct Weighed {
    said: Both,
    truth: Both,
    is_exact: bool,
}

/// A volume is right if no more than so many thousandths are wrong.
const THOUSANDTHS: u64 = 10;

/// All visits of these tests.
fn visits() -> Vec<Visit> {
    let over = |family| {
        VISITS.map(|(site, carrier, exchange)| Visit {
            site,
            family,
            carrier,
            exchange,
        })
    };
    [Family::V4, Family::V6]
        .into_iter()
        .flat_map(over)
        .collect()
}

/// Holds the flows of one visit against the server's counts. Every flow has the name of its site, and
/// what is called exact is right.
fn weigh(home: &Home, testimony: &Testimony, visit: Visit) -> Result<Weighed> {
    weigh_by(Account::Kernel, home, testimony, visit)
}

/// The same by either account; the tap's is not called exact here.
fn weigh_by(account: Account, home: &Home, testimony: &Testimony, visit: Visit) -> Result<Weighed> {
    let truth = home.counted_at(visit)?;
    let (mut said, mut is_exact) = (Both::default(), true);
    for seen in named(testimony, visit)? {
        said = said.and(
            seen.volume(account)
                .with_context(|| format!("{seen:?} was counted"))?,
        );
        let kernel = seen.flow.kernel.filter(|_| account == Account::Kernel);
        is_exact &= kernel.is_some_and(|kernel| kernel.trust() == VolumeTrust::Exact);
    }
    let weighed = Weighed {
        said,
        truth,
        is_exact,
    };
    println!(
        "{} {:?} {:?}: {weighed:?}",
        visit.site.name, visit.family, visit.carrier
    );
    ensure!(
        weighed.is_no_more() && (!is_exact || weighed.is_right()),
        "{visit:?}: {weighed:?}"
    );
    Ok(weighed)
}

/// The flows of a visit, of which each has the name of its site.
fn named(testimony: &Testimony, visit: Visit) -> Result<Vec<&Seen>> {
    let (port, is_tcp) = visit.port().number();
    let transport = if is_tcp {
        Transport::Tcp
    } else {
        Transport::Udp
    };
    let server = SocketAddr::new(visit.site.address(visit.family), port);
    let flows = testimony.to(server, transport);
    ensure!(!flows.is_empty(), "{visit:?} was seen");
    for seen in &flows {
        let name = seen.flow.named.name.as_ref().map(|name| name.as_str());
        ensure!(name == Some(visit.site.name), "{visit:?}: {seen:?}");
    }
    Ok(flows)
}

impl Weighed {
    /// Whether it is the truth, but for a hundredth.
    fn is_right(&self) -> bool {
        let is_enough =
            |said: Volume, truth: Volume| said.bytes * 1_000 >= truth.bytes * (1_000 - THOUSANDTHS);
        self.is_no_more()
            && is_enough(self.said.up, self.truth.up)
            && is_enough(self.said.down, self.truth.down)
    }

    /// Whether it is at most the truth, but for a hundredth.
    fn is_no_more(&self) -> bool {
        let is_no_more =
            |said: Volume, truth: Volume| said.bytes * 1_000 <= truth.bytes * (1_000 + THOUSANDTHS);
        is_no_more(self.said.up, self.truth.up) && is_no_more(self.said.down, self.truth.down)
    }
}

/// What the other tests here are about is there at all.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn the_machine_has_what_routers_have() -> Result<()> {
    machine::inside("kernel_features::the_machine_has_what_routers_have", || {
        let router = Namespace::create("router")?;
        router.link(
            "add trunk type veth peer name far
             add link trunk name trunk.10 type vlan id 10
             add lan type bridge vlan_filtering 1
             set trunk up",
        )?;
        router.run(
            "tc",
            &[
                "qdisc", "add", "dev", "trunk", "root", "netem", "delay", "40ms",
            ],
        )?;
        let table = "table inet fast {
            flowtable counted { hook ingress priority filter; devices = { trunk }; counter; }
            chain forward { type filter hook forward priority filter; ip protocol tcp flow add @counted; }
        }";
        router.feed("nft", &["-f", "-"], table)?;
        let version = router.run("uname", &["-r"])?;
        println!("Linux {version}");
        Ok(())
    })
}
