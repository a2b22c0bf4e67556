use super::super::message::tests::recorded;
use super::*;
use crate::capture::Offload;
use proptest::prelude::*;

/// A machine put together interface by interface.
#[derive(Clone, Debug, Default)]
struct Machine {
    links: Vec<Link>,
    addresses: Vec<Address>,
    defaults: BTreeSet<u32>,
    flow_tables: Vec<FlowTable>,
    wanted: Vec<String>,
    outward: BTreeSet<String>,
}

impl Machine {
    fn with(mut self, name: &str, kind: &str, addresses: &[&str]) -> Self {
        let index = u32::try_from(self.links.len()).expect("few") + 1;
        let numbered = |name: &str| {
            self.links
                .iter()
                .find(|link| link.name == name)
                .map(|link| link.index)
        };
        // "port of br-lan", "vlan on eth0".
        let (kind, of) = kind
            .split_once(" of ")
            .or_else(|| kind.split_once(" on "))
            .unwrap_or((kind, ""));
        self.links.push(Link {
            index,
            name: name.to_owned(),
            hardware: if kind == "ppp" { 512 } else { ETHERNET },
            is_up: true,
            master: numbered(of).filter(|_| kind != "vlan"),
            lower: numbered(of).filter(|_| kind == "vlan"),
            kind: ["bridge", "vlan", "tun", "vrf", "ppp"]
                .contains(&kind)
                .then(|| kind.to_owned()),
        });
        for text in addresses {
            if *text == "default" {
                self.defaults.insert(index);
                continue;
            }
            let (address, bits) = text.split_once('/').expect("a prefix");
            self.addresses.push(Address {
                index,
                address: address.parse().expect("an address"),
                prefix_bits: bits.parse().expect("bits"),
            });
        }
        self
    }

    fn hooked_on(mut self, devices: &[&str]) -> Self {
        self.flow_tables.push(FlowTable {
            devices: devices.iter().map(|name| (*name).to_owned()).collect(),
            is_hardware: true,
            is_counted: true,
        });
        self
    }

    fn networks(&self) -> Networks {
        choose(&Facts {
            links: &self.links,
            addresses: &self.addresses,
            defaults: &self.defaults,
            flow_tables: &self.flow_tables,
            wanted: &self.wanted,
            outward: &self.outward,
            is_forwarding: true,
        })
    }

    fn lans(&self) -> Vec<String> {
        let lans = self.networks().lans.into_iter();
        lans.map(|lan| lan.name).collect()
    }

    fn taps(&self) -> Vec<String> {
        let taps = self.networks().taps.into_iter();
        taps.map(|tap| tap.name).collect()
    }
}

/// A router with a bridge of two ports and an access point, and a line to the outside.
fn router() -> Machine {
    Machine::default()
        .with(
            "br-lan",
            "bridge",
            &["192.168.1.1/24", "fd00:1::1/60", "fe80::1/64"],
        )
        .with("lan1", "port of br-lan", &[])
        .with("lan2", "port of br-lan", &[])
        .with("phy0-ap0", "port of br-lan", &[])
        .with("wan", "device", &["198.51.100.1/24", "default"])
}

#[test]
fn the_recorded_router_has_one_lan() {
    let (links, addresses, defaults) = recorded();
    let machine = Machine {
        links,
        addresses,
        defaults: defaults.into_iter().collect(),
        ..Machine::default()
    };
    let networks = machine.networks();
    assert_eq!(machine.lans(), ["lan"]);
    assert_eq!(machine.taps(), ["lan"]);
    assert!(networks.is_gateway && networks.explanation().is_none());
    for (address, is_home, is_own) in [
        ("192.0.2.10", true, false),
        ("192.0.2.1", true, true),
        ("2001:db8:1::77", true, false),
        ("198.51.100.1", false, true),
        ("203.0.113.9", false, false),
        ("fe80::1", false, false),
    ] {
        let address = address.parse().expect("an address");
        assert_eq!(
            (networks.is_home(address), networks.is_own(address)),
            (is_home, is_own),
            "{address}"
        );
    }
}

#[test]
fn the_outside_tunnels_and_ports_are_no_lans() {
    let machine = router()
        .with("pppoe-wan", "ppp", &["10.9.9.9/32", "default"])
        .with("modem", "device", &["10.0.0.2/24", "default"])
        .with("vpn", "tun", &["10.8.0.1/24"])
        .with("lan3", "port of br-lan", &["192.168.77.1/24"])
        .with("upstream", "device", &["203.0.113.2/24"])
        .with("dmz6", "device", &["2001:db8:5::1/64"])
        .with("v6point", "device", &["2001:db8:6::1/128"]);
    assert_eq!(machine.lans(), ["br-lan", "dmz6"]);
    // A line that is down has no route: only the configuration knows where it leads.
    let mut down = router().with("wan2", "device", &["192.168.100.2/24"]);
    assert_eq!(down.lans(), ["br-lan", "wan2"]);
    down.outward.insert("wan2".to_owned());
    assert_eq!(down.lans(), ["br-lan"]);
}

#[test]
fn the_households_word_wins() {
    let mut machine = router();
    machine.wanted = vec!["wan".to_owned(), "br-iot".to_owned()];
    let networks = machine.networks();
    assert_eq!(machine.lans(), ["wan"]);
    assert_eq!(networks.missing, ["br-iot"]);
    assert!(!networks.is_gateway, "nothing leads on from there");
    assert!(networks.explanation().is_some());
}

#[test]
fn members_of_a_vrf_are_networks_of_their_own() {
    let machine =
        router()
            .with("home", "vrf", &[])
            .with("eth7", "port of home", &["192.168.7.1/24"]);
    assert_eq!(machine.lans(), ["br-lan", "eth7"]);
    assert_eq!(machine.taps(), ["br-lan", "eth7"]);
}

#[test]
fn a_bridge_is_tapped_or_its_ports_never_both() {
    assert_eq!(router().taps(), ["br-lan"]);
    let software = router().hooked_on(&["br-lan", "wan"]);
    assert_eq!(software.taps(), ["br-lan"]);
    let hardware = router().hooked_on(&["lan1", "lan2", "wan"]);
    assert_eq!(hardware.taps(), ["lan1", "lan2", "phy0-ap0"]);
}

#[test]
fn lans_that_share_ports_share_taps() {
    let vlans = Machine::default()
        .with("br", "bridge", &[])
        .with("lan1", "port of br", &[])
        .with("lan2", "port of br", &[])
        .with("br.1", "vlan on br", &["192.168.1.1/24"])
        .with("br.3", "vlan on br", &["192.168.3.1/24"])
        .with("wan", "device", &["default"]);
    assert_eq!(vlans.taps(), ["br.1", "br.3"]);
    assert_eq!(vlans.clone().hooked_on(&["lan1"]).taps(), ["lan1", "lan2"]);
    // The untagged network sees the tagged ones' frames too.
    let mut untagged = vlans.clone();
    untagged.addresses.push(Address {
        index: 1,
        address: "192.168.9.1".parse().expect("an address"),
        prefix_bits: 24,
    });
    assert_eq!(untagged.taps(), ["br"]);
    let stacked = Machine::default()
        .with("eth1", "device", &[])
        .with("eth1.1", "vlan on eth1", &["192.168.1.1/24"])
        .with("eth1.1.2", "vlan on eth1.1", &["192.168.2.1/24"])
        .with("wan", "device", &["default"])
        .hooked_on(&["eth1"]);
    assert_eq!(stacked.taps(), ["eth1"]);
    // A VLAN of its own on a port that is tapped for another's sake.
    let odd = vlans
        .with("lan2.5", "vlan on lan2", &["192.168.5.1/24"])
        .hooked_on(&["lan1"]);
    assert_eq!(odd.taps(), ["lan1", "lan2"]);
}

#[test]
fn a_trunk_that_carries_the_outside_is_not_tapped_for_its_flow_table() {
    // One switch behind one processor port, told apart by VLANs.
    let trunk = Machine::default()
        .with("eth0", "device", &[])
        .with("br-lan", "bridge", &["192.168.1.1/24"])
        .with("eth0.1", "vlan on eth0", &[])
        .with("eth0.2", "vlan on eth0", &["198.51.100.1/24", "default"])
        .hooked_on(&["eth0"]);
    let mut trunk = trunk;
    trunk.links[2].master = Some(2);
    assert_eq!(trunk.taps(), ["br-lan"]);
    let shared = Machine::default()
        .with("eth0", "device", &["192.168.1.1/24"])
        .with("eth0.2", "vlan on eth0", &["198.51.100.1/24", "default"]);
    let networks = shared.networks();
    assert!(networks.taps[0].is_shared && networks.taps.len() == 1);
    assert!(!router().networks().taps[0].is_shared);
}

#[test]
fn uncounted_offload_is_told() {
    let mut machine = router().hooked_on(&["lan1"]);
    assert_eq!(machine.networks().offload(), Offload::Counting);
    machine.flow_tables[0].is_counted = false;
    assert_eq!(machine.networks().offload(), Offload::NotCounting);
    assert_eq!(router().networks().offload(), Offload::None);
}

fn any_machine() -> impl Strategy<Value = Machine> {
    let link = (
        any::<u8>(),
        any::<u8>(),
        0..6u8,
        any::<bool>(),
        any::<bool>(),
    );
    proptest::collection::vec(link, 1..12).prop_map(|parts| {
        let mut machine = Machine::default();
        let count = parts.len();
        for (place, (master, lower, kind, has_address, is_hooked)) in parts.into_iter().enumerate()
        {
            let index = u32::try_from(place).expect("few") + 1;
            // Loops too: what the kernel never says must not hang.
            let other = |byte: u8| u32::try_from(usize::from(byte) % count).expect("few") + 1;
            let name = format!("if{index}");
            machine.links.push(Link {
                index,
                name: name.clone(),
                hardware: ETHERNET,
                is_up: true,
                master: (kind == 1).then(|| other(master)),
                lower: (kind == 2).then(|| other(lower)),
                kind: None,
            });
            if has_address {
                machine.addresses.push(Address {
                    index,
                    address: "192.168.1.1".parse().expect("an address"),
                    prefix_bits: 24,
                });
            }
            if is_hooked {
                machine = machine.hooked_on(&[&name]);
            }
            if kind == 5 {
                machine.defaults.insert(index);
            }
        }
        machine
    })
}

proptest! {
    // Most of these machines have nothing in the way of each other.
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn no_frame_passes_two_taps(machine in any_machine(), loops in any::<bool>()) {
        let mut machine = machine;
        if !loops {
            // As the kernel builds: a lower interface is older.
            for link in &mut machine.links {
                link.master = link.master.filter(|&master| master > link.index);
                link.lower = link.lower.filter(|&lower| lower < link.index);
            }
        }
        let networks = machine.networks();
        if loops {
            return Ok(());
        }
        let facts = Facts {
            links: &machine.links,
            addresses: &machine.addresses,
            defaults: &machine.defaults,
            flow_tables: &machine.flow_tables,
            wanted: &machine.wanted,
            outward: &machine.outward,
            is_forwarding: true,
        };
        let layers = Layers::new(&facts);
        let taps: BTreeSet<_> = networks.taps.iter().map(|tap| tap.index).collect();
        for &tap in &taps {
            let beneath = layers.everything_beneath(tap);
            prop_assert!(beneath.is_disjoint(&taps), "{tap} lies over another of {taps:?}");
        }
        for lan in &networks.lans {
            // Each is seen: itself, or all that lies directly beneath, and so on.
            let mut open = vec![lan.index];
            while let Some(index) = open.pop() {
                if taps.contains(&index) {
                    continue;
                }
                let lowers = layers.beneath.get(&index);
                prop_assert!(lowers.is_some(), "{index} is not seen by {taps:?}");
                open.extend(lowers.expect("just seen"));
            }
        }
    }
}
