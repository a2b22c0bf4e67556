//! The home's router: bridges with ports for phones, a line to the Internet, NAT, names and leases.
//!
//! IPv4 is translated behind one address, IPv6 is routed with a delegated prefix. The kernel keeps
//! account of connections; Debian's dnsmasq gives leases, advertises the IPv6 prefixes and answers
//! for names.

use super::namespace::{Namespace, Process};
use super::sites::NAME_SERVER;
use anyhow::Result;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

/// A router at work.
#[derive(Debug)]
pub(crate) struct Router {
    /// Where it runs, and everything that is to see what it sees.
    pub(crate) namespace: Namespace,
    ports: AtomicU32,
    segments: Segments,
    _dnsmasq: Process,
}

/// One of the router's networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lan {
    /// The household's.
    Main,
    /// For guests.
    Guest,
}

/// What the kernel hands from interface to interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segments {
    /// Every packet as it would be on the wire.
    Single,
    /// Several of a stream as one, as network cards and drivers hand them over.
    Merged,
}

/// The line's two ends: the router's and the provider's.
pub(crate) const WAN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 130);
pub(crate) const PROVIDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 129);
pub(crate) const WAN_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 2);
pub(crate) const PROVIDER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);

/// What the provider delegates to the home.
pub(crate) const DELEGATED: &str = "2001:db8:1::/48";

/// The router's end of the line, as an interface.
pub(crate) const LINE: &str = "wan";

const PARAMETERS: &str = "
    ipv4/ip_forward 1
    ipv6/conf/all/forwarding 1
    ipv6/conf/default/accept_dad 0
    ipv6/conf/all/accept_dad 0
    netfilter/nf_conntrack_acct 1";

const RULES: &str = r#"
    table inet home {
      chain forward {
        type filter hook forward priority filter
        ct state invalid drop
      }
      chain translate {
        type nat hook postrouting priority srcnat
        meta nfproto ipv4 oifname "wan" masquerade
      }
    }"#;

impl Router {
    /// Sets up the networks, the rules and dnsmasq; the line is laid by whoever has both its ends.
    pub(crate) fn start(folder: &Path, segments: Segments) -> Result<Self> {
        let namespace = Namespace::create("router")?;
        namespace.set(PARAMETERS)?;
        for lan in [Lan::Main, Lan::Guest] {
            lan.make(&namespace)?;
        }
        namespace.feed("nft", &["-f", "-"], RULES)?;
        let config = folder.join("dnsmasq.conf");
        fs::write(&config, dnsmasq(folder))?;
        let mut dnsmasq = namespace.command("dnsmasq");
        dnsmasq.arg(format!("--conf-file={}", config.display()));
        dnsmasq
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process(dnsmasq.spawn()?);
        Ok(Self {
            namespace,
            ports: AtomicU32::new(0),
            segments,
            _dnsmasq: process,
        })
    }

    /// Plugs `interface` of `namespace`, with this MAC address, into a port of `lan`; gives the port.
    pub(crate) fn plug(
        &self,
        lan: Lan,
        namespace: &Namespace,
        interface: &str,
        mac: [u8; 6],
    ) -> Result<String> {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
        self.namespace.link(&format!(
            "add {port} type veth peer name {interface} address {mac} netns {}
             set {port} master {}
             set {port} up",
            namespace.name(),
            lan.bridge()
        ))?;
        segment(&self.namespace, &port, self.segments)?;
        segment(namespace, interface, self.segments)?;
        namespace.link(&format!("set {interface} up"))?;
        Ok(port)
    }

    /// Takes a network away and makes it again, with these ports in it.
    pub(crate) fn remake(&self, lan: Lan, ports: &[&str]) -> Result<()> {
        let bridge = lan.bridge();
        self.namespace.link(&format!("del {bridge}"))?;
        lan.make(&self.namespace)?;
        let ports = ports
            .iter()
            .map(|port| format!("set {port} master {bridge}\n"));
        self.namespace.link(&ports.collect::<String>())
    }

    /// Adds rules for `nft`.
    pub(crate) fn rule(&self, rules: &str) -> Result<()> {
        self.namespace.feed("nft", &["-f", "-"], rules).map(drop)
    }

    /// Joins the router's end of the line, which exists by now, to the Internet.
    pub(crate) fn connect(&self) -> Result<()> {
        segment(&self.namespace, LINE, Segments::Single)?;
        if self.segments == Segments::Merged {
            // Merged on the way in; on the way out they are single again, as on any wire.
            self.namespace.run("ethtool", &["-K", LINE, "gro", "on"])?;
            let held = format!("echo 100000 > /sys/class/net/{LINE}/gro_flush_timeout");
            self.namespace.run("sh", &["-c", &held])?;
        }
        self.namespace.link(&format!("set {LINE} up"))?;
        self.namespace.ip(
            "addr",
            &format!(
                "add {WAN}/30 dev {LINE}
                 add {WAN_V6}/64 dev {LINE} nodad"
            ),
        )?;
        self.namespace.ip(
            "route",
            &format!(
                "add default via {PROVIDER} dev {LINE}
                 add default via {PROVIDER_V6} dev {LINE}"
            ),
        )
    }
}

impl Lan {
    /// The bridge all its ports are in.
    pub(crate) const fn bridge(self) -> &'static str {
        match self {
            Self::Main => "br-lan",
            Self::Guest => "br-guest",
        }
    }

    /// The router's address in it, the first of a /24.
    pub(crate) const fn router(self) -> Ipv4Addr {
        Ipv4Addr::new(192, 168, self.number(), 1)
    }

    /// The router's address in its /64.
    pub(crate) const fn router_v6(self) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 1, self.number() as u16, 0, 0, 0, 1)
    }

    /// Makes its bridge, and gives the router its addresses in it.
    fn make(self, router: &Namespace) -> Result<()> {
        let bridge = self.bridge();
        router.link(&format!(
            "add {bridge} type bridge forward_delay 0 mcast_snooping 0
             set {bridge} up"
        ))?;
        router.ip(
            "addr",
            &format!(
                "add {}/24 dev {bridge}
                 add {}/64 dev {bridge} nodad",
                self.router(),
                self.router_v6()
            ),
        )
    }

    const fn number(self) -> u8 {
        match self {
            Self::Main => 1,
            Self::Guest => 2,
        }
    }
}

/// Tells an interface whether to merge segments.
///
/// TCP makes several segments into one before an interface is asked; only a limit of one segment
/// keeps it from that, and the packets filters count are those of the wire.
pub(crate) fn segment(namespace: &Namespace, interface: &str, segments: Segments) -> Result<()> {
    let (merged, segments_max) = match segments {
        Segments::Single => ("off", 1),
        Segments::Merged => ("on", 65_535),
    };
    let features = ["tso", "gso", "gro", "tx-udp-segmentation"];
    let switches = features.into_iter().flat_map(|feature| [feature, merged]);
    let arguments: Vec<_> = ["-K", interface].into_iter().chain(switches).collect();
    namespace.run("ethtool", &arguments)?;
    namespace.link(&format!("set {interface} gso_max_segs {segments_max}"))
}

fn dnsmasq(folder: &Path) -> String {
    let folder = folder.display();
    let networks = [Lan::Main, Lan::Guest].map(|lan| {
        let (bridge, number) = (lan.bridge(), lan.number());
        format!(
            "interface={bridge}
dhcp-range=192.168.{number}.100,192.168.{number}.199,12h
dhcp-range=::,constructor:{bridge},ra-only
"
        )
    });
    format!(
        "keep-in-foreground
user=root
pid-file=
log-facility={folder}/dnsmasq.log
dhcp-leasefile={folder}/leases
bind-dynamic
except-interface=lo
no-hosts
no-resolv
server={NAME_SERVER}
dhcp-authoritative
no-ping
enable-ra
{}",
        networks.concat()
    )
}
