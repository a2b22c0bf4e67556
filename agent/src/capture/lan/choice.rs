//! Which interfaces are LANs, and what to tap of them.
//!
//! Takes what the kernel said, gives [`Networks`]. Pure. Without the household's word a LAN is an
//! Ethernet-like interface that is up, is no other's port, leads by no default route to the outside,
//! is no tunnel, and has a private IPv4, a unique local IPv6, or a delegated global IPv6 network.
//!
//! A LAN is tapped on its own interface, unless something beneath it must be tapped anyway: a device
//! on which a flow table hooks, because what that forwards never comes up further, or another LAN's
//! tap, because that sees the frames already. Then it is tapped one layer below, on every port. So no
//! tap lies beneath another.

use super::message::{Address, FlowTable, Link};
use super::{Lan, Networks, Tap};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// What is known of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its interfaces.
    pub links: &'a [Link],
    /// Their addresses.
    pub addresses: &'a [Address],
    /// Interfaces that a default route leads to.
    pub defaults: &'a BTreeSet<u32>,
    /// Its flow tables.
    pub flow_tables: &'a [FlowTable],
    /// Interfaces that are LANs by the household's word; empty: the rules decide.
    pub wanted: &'a [String],
    /// Interfaces that lead outside by the system's configuration.
    pub outward: &'a BTreeSet<String>,
    /// Whether the kernel forwards at all.
    pub is_forwarding: bool,
}

/// Layers of interfaces upon interfaces: VLAN on bridge on VLAN on bond is four.
const LAYERS_MAX: u32 = 8;

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;

/// Kinds of Ethernet-like interfaces behind which there is another place, or nothing.
const TUNNELS: [&str; 12] = [
    "bareudp",
    "dummy",
    "erspan",
    "geneve",
    "gretap",
    "ifb",
    "ip6erspan",
    "ip6gretap",
    "l2tpeth",
    "nlmon",
    "tun",
    "vxlan",
];

/// Decides.
#[must_use]
pub fn choose(facts: &Facts<'_>) -> Networks {
    let lans: Vec<_> = facts
        .links
        .iter()
        .filter_map(|link| facts.lan(link))
        .collect();
    let missing = facts
        .wanted
        .iter()
        .filter(|name| !facts.links.iter().any(|link| link.name == **name))
        .cloned()
        .collect();
    let leads_outside = facts
        .defaults
        .iter()
        .any(|&index| !lans.iter().any(|lan| lan.index == index));
    Networks {
        taps: Layers::new(facts).taps(&lans),
        own: facts
            .addresses
            .iter()
            .map(|address| address.address)
            .collect(),
        flow_tables: facts.flow_tables.to_vec(),
        is_gateway: facts.is_forwarding && leads_outside && !lans.is_empty(),
        lans,
        missing,
    }
}

/// Whether an address lies in the network of the first `bits` bits of `prefix`.
#[must_use]
pub fn is_within(address: IpAddr, prefix: IpAddr, bits: u8) -> bool {
    let bits = u32::from(bits);
    match (address, prefix) {
        (IpAddr::V4(address), IpAddr::V4(prefix)) => {
            let differ = address.to_bits() ^ prefix.to_bits();
            differ.leading_zeros() >= bits.min(32)
        }
        (IpAddr::V6(address), IpAddr::V6(prefix)) => {
            let differ = address.to_bits() ^ prefix.to_bits();
            differ.leading_zeros() >= bits.min(128)
        }
        _ => false,
    }
}

// === impl Facts ===

impl Facts<'_> {
    /// The LAN that this interface is, if it is one.
    fn lan(&self, link: &Link) -> Option<Lan> {
        let is_lan = if self.wanted.is_empty() {
            self.may_lead_home(link)
                && self
                    .prefixes(link.index)
                    .any(|(address, bits)| is_home_network(address, bits))
        } else {
            self.wanted.contains(&link.name)
        };
        is_lan.then(|| Lan {
            name: link.name.clone(),
            index: link.index,
            prefixes: self.prefixes(link.index).collect(),
        })
    }

    fn may_lead_home(&self, link: &Link) -> bool {
        link.is_up
            && link.hardware == ETHERNET
            && !self.leads_outside(link)
            && !self.is_port(link)
            && !link
                .kind
                .as_deref()
                .is_some_and(|kind| TUNNELS.contains(&kind))
    }

    fn leads_outside(&self, link: &Link) -> bool {
        self.defaults.contains(&link.index) || self.outward.contains(&link.name)
    }

    /// Whether its frames are another's; those of a VRF's members are their own.
    fn is_port(&self, link: &Link) -> bool {
        link.master.is_some_and(|master| {
            !self
                .links
                .iter()
                .any(|link| link.index == master && link.kind.as_deref() == Some("vrf"))
        })
    }

    /// The networks of an interface beyond the link itself.
    fn prefixes(&self, index: u32) -> impl Iterator<Item = (IpAddr, u8)> {
        self.addresses
            .iter()
            .filter(move |address| address.index == index && !is_link_local(address.address))
            .map(|address| (address.address, address.prefix_bits))
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether a home's router gives such a network to its home.
fn is_home_network(address: IpAddr, bits: u8) -> bool {
    /// 2000::/3, what can be delegated.
    const GLOBAL: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)), 3);
    match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => {
            v6.is_unique_local() || (bits <= 64 && is_within(address, GLOBAL.0, GLOBAL.1))
        }
    }
}

/// Which interface lies on which.
struct Layers<'a> {
    facts: &'a Facts<'a>,
    links: BTreeMap<u32, &'a Link>,
    /// Directly beneath each: a VLAN's interface, a bridge's ports.
    beneath: BTreeMap<u32, Vec<u32>>,
}

// === impl Layers ===

impl<'a> Layers<'a> {
    fn new(facts: &'a Facts<'a>) -> Self {
        let mut beneath: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for link in facts.links {
            if let Some(master) = link.master.filter(|_| facts.is_port(link)) {
                beneath.entry(master).or_default().push(link.index);
            }
            if let Some(lower) = link.lower {
                beneath.entry(link.index).or_default().push(lower);
            }
        }
        Self {
            facts,
            links: facts.links.iter().map(|link| (link.index, link)).collect(),
            beneath,
        }
    }

    fn taps(&self, lans: &[Lan]) -> Vec<Tap> {
        let mut tapped: BTreeSet<u32> = lans.iter().map(|lan| lan.index).collect();
        // What must be tapped, or is: only grows, and not beyond the interfaces there are.
        let mut fixed: BTreeSet<u32> = self.hooked().union(&tapped).copied().collect();
        loop {
            tapped = tapped
                .iter()
                .flat_map(|&index| self.expand(index, &fixed))
                .collect();
            let before = fixed.len();
            fixed.extend(&tapped);
            if fixed.len() == before {
                break;
            }
        }
        tapped
            .iter()
            .filter_map(|index| self.links.get(index))
            .map(|link| Tap {
                name: link.name.clone(),
                index: link.index,
                hardware: link.hardware,
                is_shared: self.carries_outside(link.index),
            })
            .collect()
    }

    /// The devices of flow tables at which a tap sees the home's side only. One that also carries the
    /// outside would show every connection on both its sides.
    fn hooked(&self) -> BTreeSet<u32> {
        self.facts
            .links
            .iter()
            .filter(|link| {
                self.facts
                    .flow_tables
                    .iter()
                    .any(|table| table.devices.contains(&link.name))
                    && !self.facts.leads_outside(link)
                    && !self.carries_outside(link.index)
            })
            .map(|link| link.index)
            .collect()
    }

    /// The interface itself, or what lies beneath it where something fixed does.
    fn expand(&self, index: u32, fixed: &BTreeSet<u32>) -> BTreeSet<u32> {
        let (mut taps, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            if !seen.insert(index) {
                continue;
            }
            if self.everything_beneath(index).is_disjoint(fixed) {
                taps.insert(index);
            } else {
                open.extend(&self.beneath[&index]);
            }
        }
        taps
    }

    /// Whether frames of the outside pass here too: an interface that leads there lies on this one.
    fn carries_outside(&self, index: u32) -> bool {
        self.facts
            .links
            .iter()
            .filter(|link| self.facts.leads_outside(link))
            .any(|link| self.everything_beneath(link.index).contains(&index))
    }

    fn everything_beneath(&self, index: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut layer = vec![index];
        for _ in 0..LAYERS_MAX {
            layer = layer
                .iter()
                .filter_map(|index| self.beneath.get(index))
                .flatten()
                .copied()
                .filter(|index| found.insert(*index))
                .collect();
        }
        found
    }
}

#[cfg(test)]
mod tests;
