//! What the servers' own kernel counted, per server and port: the truth that reports are held against.
//!
//! Counted where the Internet's namespace takes packets in and gives them out, in bytes of IP packets,
//! by rules that know nothing of connections, routers or the agent.

use super::namespace::Namespace;
use super::sites::{Family, Site};
use anyhow::{Context, Result};
use serde_json::Value;

/// Packets and bytes of IP packets, as they were on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// What passed between one server's port and everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Both {
    /// To the server.
    pub(crate) up: Volume,
    /// From the server.
    pub(crate) down: Volume,
}

/// A server's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Http,
    Tls,
    Quic,
}

const RULES: &str = "
    table inet truth {
      set up { type ipv4_addr . inet_proto . inet_service; size 1024; flags dynamic; counter; }
      set down { type ipv4_addr . inet_proto . inet_service; size 1024; flags dynamic; counter; }
      set up6 { type ipv6_addr . inet_proto . inet_service; size 1024; flags dynamic; counter; }
      set down6 { type ipv6_addr . inet_proto . inet_service; size 1024; flags dynamic; counter; }
      chain input {
        type filter hook input priority filter
        th dport 1-1023 update @up { ip daddr . meta l4proto . th dport }
        th dport 1-1023 update @up6 { ip6 daddr . meta l4proto . th dport }
      }
      chain output {
        type filter hook output priority filter
        th sport 1-1023 update @down { ip saddr . meta l4proto . th sport }
        th sport 1-1023 update @down6 { ip6 saddr . meta l4proto . th sport }
      }
    }";

/// Begins to count.
pub(crate) fn begin(internet: &Namespace) -> Result<()> {
    internet.feed("nft", &["-f", "-"], RULES).map(drop)
}

/// What was counted so far at a site's port.
pub(crate) fn of(internet: &Namespace, site: Site, family: Family, port: Port) -> Result<Both> {
    let (up, down) = match family {
        Family::V4 => ("up", "down"),
        Family::V6 => ("up6", "down6"),
    };
    let read = |set| {
        let text = internet.run("nft", &["-j", "list", "set", "inet", "truth", set])?;
        let listed: Value = serde_json::from_str(&text)?;
        volume(&listed, &site.address(family).to_string(), port)
    };
    Ok(Both {
        up: read(up)?,
        down: read(down)?,
    })
}

fn volume(listed: &Value, address: &str, port: Port) -> Result<Volume> {
    let (port, is_tcp) = port.number();
    let transport = if is_tcp { "tcp" } else { "udp" };
    let key = serde_json::json!([address, transport, port]);
    let objects = listed["nftables"].as_array().context("a list")?;
    let elements = objects
        .iter()
        .filter_map(|object| object["set"]["elem"].as_array());
    let found = elements
        .flatten()
        .find(|element| element["elem"]["val"]["concat"] == key);
    // What was never contacted has no element.
    Ok(found.map_or_else(Volume::default, |element| {
        let counter = &element["elem"]["counter"];
        Volume {
            packets: counter["packets"].as_u64().unwrap_or_default(),
            bytes: counter["bytes"].as_u64().unwrap_or_default(),
        }
    }))
}

impl Port {
    /// Its number, and whether it is TCP's.
    pub(crate) const fn number(self) -> (u16, bool) {
        match self {
            Self::Http => (80, true),
            Self::Tls => (443, true),
            Self::Quic => (443, false),
        }
    }
}

impl Both {
    /// This and that.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            up: self.up.and(other.up),
            down: self.down.and(other.down),
        }
    }

    /// What came between an earlier reading and this one.
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            up: self.up.since(earlier.up),
            down: self.down.since(earlier.down),
        }
    }
}

impl Volume {
    const fn and(self, other: Self) -> Self {
        Self {
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
        }
    }

    const fn since(self, earlier: Self) -> Self {
        Self {
            packets: self.packets - earlier.packets,
            bytes: self.bytes - earlier.bytes,
        }
    }
}
