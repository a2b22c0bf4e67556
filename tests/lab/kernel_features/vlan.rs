//! VLANs: the household's network and the guests' on one wire, told apart by tags.

use super::{machine, visits, weigh};
use crate::handset::Handset;
use crate::home::{Home, Plan};
use crate::namespace::Namespace;
use crate::router::Lan;
use crate::witness::{Account, Witness};
use anyhow::{Context, Result, ensure};
use phonehome_tests::traffic::phone::{Make, Openness};
use serde_json::Value;
use std::net::IpAddr;

const LANS: [(Lan, u16); 2] = [(Lan::Main, 10), (Lan::Guest, 20)];

/// A switch behind one port of the router, as in older ones; what comes tagged from there are two
/// interfaces, each a network.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn two_networks_on_a_trunk() -> Result<()> {
    machine::inside("kernel_features::vlan::two_networks_on_a_trunk", || {
        witnessed(81, |home, phones| {
            let router = &home.router.namespace;
            let switch = Namespace::create("switch")?;
            switch.link("add switch type bridge vlan_filtering 1 vlan_default_pvid 0 mcast_snooping 0 forward_delay 0")?;
            router.link(&format!(
                "add trunk type veth peer name uplink netns {}",
                switch.name()
            ))?;
            switch.link(
                "set uplink master switch
                 set switch up
                 set uplink up",
            )?;
            router.link("set trunk up")?;
            for (lan, tag) in LANS {
                switch.run(
                    "bridge",
                    &["vlan", "add", "dev", "uplink", "vid", &tag.to_string()],
                )?;
                for phone in phones.iter().filter(|(of, _)| *of == lan) {
                    let port = &phone.1.port;
                    router.link(&format!(
                        "set {port} nomaster\nset {port} netns {}",
                        switch.name()
                    ))?;
                    untagged(&switch, port, "switch", tag)?;
                }
                replace(router, lan, phones, "trunk", tag)?;
            }
            Ok(Some(switch))
        })
    })
}

/// A bridge that knows of VLANs, as in routers of today; its networks are interfaces upon it.
#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn two_networks_on_one_bridge() -> Result<()> {
    machine::inside("kernel_features::vlan::two_networks_on_one_bridge", || {
        witnessed(84, |home, phones| {
            let router = &home.router.namespace;
            router.link(
                "add switch type bridge vlan_filtering 1 vlan_default_pvid 0 mcast_snooping 0 forward_delay 0
                 set switch up",
            )?;
            for (lan, tag) in LANS {
                let vid = tag.to_string();
                router.run(
                    "bridge",
                    &["vlan", "add", "dev", "switch", "vid", &vid, "self"],
                )?;
                for phone in phones.iter().filter(|(of, _)| *of == lan) {
                    router.link(&format!("set {} nomaster", phone.1.port))?;
                    untagged(router, &phone.1.port, "switch", tag)?;
                }
                replace(router, lan, phones, "switch", tag)?;
            }
            Ok(None)
        })
    })
}

/// Two phones in one network and one in the other make their visits after `cable` has laid the
/// networks anew; all is told apart.
fn witnessed(
    number: u64,
    cable: impl FnOnce(&Home, &[(Lan, Handset)]) -> Result<Option<Namespace>>,
) -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    for (lan, tag) in LANS {
        // A bridge has its address of one of its ports, unless it is told one.
        home.router
            .namespace
            .link(&format!("set {} address {}", lan.bridge(), mac(tag)))?;
    }
    let joined = [
        (Lan::Main, Make::Xiaomi),
        (Lan::Main, Make::Oppo),
        (Lan::Guest, Make::Samsung),
    ];
    let mut phones = Vec::new();
    for ((lan, make), number) in joined.into_iter().zip(number..) {
        phones.push((lan, home.phone(lan, make, Openness::Open, number)?));
    }
    let _switch = cable(&home, &phones)?;
    let witness = Witness::begin(&home.router.namespace, Account::Kernel)?;
    // Each visit is one phone's, so that its server has counted nobody else.
    let visits = visits();
    for (&visit, (_, phone)) in visits.iter().zip(phones.iter().cycle()) {
        phone.visit_at(visit.site.address(visit.family), visit)?;
    }
    let testimony = witness.testify(&home.router.namespace)?;
    println!("{:?}", testimony.networks);
    let mut lans: Vec<_> = testimony
        .networks
        .lans
        .iter()
        .map(|lan| &lan.name[..])
        .collect();
    lans.sort_unstable();
    ensure!(lans == ["br-guest", "br-lan"], "{:?}", testimony.networks);
    for &visit in &visits {
        let weighed = weigh(&home, &testimony, visit)?;
        ensure!(
            weighed.is_exact && weighed.is_right(),
            "{visit:?}: {weighed:?}"
        );
    }
    let mut devices = Vec::new();
    for (_, phone) in &phones {
        let addresses = [IpAddr::V4(phone.lease.address), phone.address_v6.into()];
        let flows = addresses
            .into_iter()
            .flat_map(|address| testimony.from(address));
        let mut tags: Vec<_> = flows.map(|seen| seen.device).collect();
        tags.dedup();
        ensure!(
            tags.len() == 1 && tags[0].is_some() && !devices.contains(&tags[0]),
            "{tags:?}"
        );
        devices.extend(tags);
    }
    Ok(())
}

/// A port whose frames carry no tag, in one network of a switch.
fn untagged(namespace: &Namespace, port: &str, switch: &str, tag: u16) -> Result<()> {
    namespace.link(&format!("set {port} master {switch}\nset {port} up"))?;
    let vid = tag.to_string();
    let words = ["vlan", "add", "dev", port, "vid", &vid, "pvid", "untagged"];
    namespace.run("bridge", &words).map(drop)
}

/// Puts a VLAN's interface in the place of a network's bridge, with its name and all its addresses, so
/// that phones go on as they were.
fn replace(
    router: &Namespace,
    lan: Lan,
    phones: &[(Lan, Handset)],
    lower: &str,
    tag: u16,
) -> Result<()> {
    let name = lan.bridge();
    let mac = mac(tag);
    let (_, phone) = phones
        .iter()
        .find(|(of, _)| *of == lan)
        .context("a phone is in it")?;
    let arguments = ["-6", "-j", "route", "show", "default"];
    let routes: Value = serde_json::from_str(&phone.namespace.run("ip", &arguments)?)?;
    let advertised = routes[0]["gateway"].as_str().context("a router")?;
    router.link(&format!(
        "del {name}
         add link {lower} name {name} address {mac} type vlan id {tag}
         set {name} up"
    ))?;
    router.ip(
        "addr",
        &format!(
            "add {}/24 dev {name}
             add {}/64 dev {name} nodad
             add {advertised}/64 dev {name} nodad",
            lan.router(),
            lan.router_v6()
        ),
    )
}

/// The router's address on the link of a network.
fn mac(tag: u16) -> String {
    format!("06:00:00:00:00:{tag:02x}")
}
