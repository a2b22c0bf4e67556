//! Interfaces, addresses, routes and flow tables, as the kernel tells them.
//!
//! Takes the body of one netlink message, gives what it says. Pure; arbitrary bytes never panic. Route
//! messages (linux/rtnetlink.h) are in the machine's byte order, those of netfilter in the network's.

use crate::capture::netlink::message::{Malformed, attributes, text};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware type, as in linux/if_arp.h.
    pub hardware: u16,
    /// Whether it is switched on.
    pub is_up: bool,
    /// The interface it is a port of.
    pub master: Option<u32>,
    /// For a VLAN, the interface it lies on, if that is in the same namespace.
    pub lower: Option<u32>,
    /// What made it: `bridge`, `vlan`, `veth`; nothing for hardware.
    pub kind: Option<String>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// How many leading bits its network shares.
    pub prefix_bits: u8,
}

/// A flow table: what passes these devices may be forwarded at their ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowTable {
    /// The devices it hooks on.
    pub devices: Vec<String>,
    /// Whether hardware forwards for it.
    pub is_hardware: bool,
    /// Whether it keeps the connections' counts.
    pub is_counted: bool,
}

/// Devices of one flow table that are read, at most.
pub const DEVICES_MAX: usize = 256;

// === impl Link ===

impl Link {
    /// Reads the body of an `RTM_NEWLINK`.
    ///
    /// # Errors
    ///
    /// If it is malformed or has no name.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        // struct ifinfomsg: family, pad, type, index, flags, change.
        let (header, rest) = body.split_first_chunk::<16>().ok_or(Malformed)?;
        let (mut name, mut master, mut lower, mut kind) = (None, None, None, None);
        let mut is_lower_elsewhere = false;
        for attribute in attributes(rest) {
            match attribute? {
                (IFLA_IFNAME, value) => name = text(value),
                (IFLA_MASTER, value) => master = Some(native(value)?),
                (IFLA_LINK, value) => lower = Some(native(value)?),
                (IFLA_LINK_NETNSID, _) => is_lower_elsewhere = true,
                (IFLA_LINKINFO, value) => {
                    for attribute in attributes(value) {
                        if let (IFLA_INFO_KIND, value) = attribute? {
                            kind = text(value);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Self {
            index: native(&header[4..8])?,
            name: name.ok_or(Malformed)?.to_owned(),
            hardware: u16::from_ne_bytes([header[2], header[3]]),
            is_up: native(&header[8..12])? & IFF_UP != 0,
            master: master.filter(|&index| index != 0),
            // Of a pair the other end, which lies beneath nothing.
            lower: lower.filter(|_| kind == Some("vlan") && !is_lower_elsewhere),
            kind: kind.map(str::to_owned),
        })
    }
}

// === impl Address ===

impl Address {
    /// Reads the body of an `RTM_NEWADDR`.
    ///
    /// # Errors
    ///
    /// If it is malformed or has no address.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        // struct ifaddrmsg: family, prefixlen, flags, scope, index.
        let (header, rest) = body.split_first_chunk::<8>().ok_or(Malformed)?;
        let (mut address, mut local) = (None, None);
        for attribute in attributes(rest) {
            match attribute? {
                (IFA_ADDRESS, value) => address = Some(ip(value)?),
                (IFA_LOCAL, value) => local = Some(ip(value)?),
                _ => {}
            }
        }
        // Between two points `IFA_ADDRESS` is the other's.
        let address = local.or(address).ok_or(Malformed)?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        if header[1] > bits_max {
            return Err(Malformed);
        }
        Ok(Self {
            index: native(&header[4..8])?,
            address,
            prefix_bits: header[1],
        })
    }
}

/// Reads the body of an `RTM_NEWROUTE`: the interfaces it leads to if it is a default route, in
/// whatever table, else none.
///
/// # Errors
///
/// If it is malformed.
pub fn default_route(body: &[u8]) -> Result<Vec<u32>, Malformed> {
    // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
    let (header, rest) = body.split_first_chunk::<12>().ok_or(Malformed)?;
    let mut interfaces = Vec::new();
    if header[1] != 0 || header[4] == RT_TABLE_LOCAL || header[7] != RTN_UNICAST {
        return Ok(interfaces);
    }
    for attribute in attributes(rest) {
        match attribute? {
            (RTA_OIF, value) => interfaces.push(native(value)?),
            (RTA_MULTIPATH, value) => {
                let mut hops = value;
                // struct rtnexthop: length, flags, hops, interface; then attributes of its own.
                while let Some(hop) = hops.first_chunk::<8>() {
                    interfaces.push(native(&hop[4..])?);
                    let length = usize::from(u16::from_ne_bytes([hop[0], hop[1]]));
                    if length < hop.len() {
                        return Err(Malformed);
                    }
                    hops = hops.get(length.next_multiple_of(4)..).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    Ok(interfaces)
}

// === impl FlowTable ===

impl FlowTable {
    /// Reads the body of an `NFT_MSG_NEWFLOWTABLE` (linux/netfilter/nf_tables.h).
    ///
    /// # Errors
    ///
    /// If it is malformed.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        // struct nfgenmsg.
        let bytes = body.get(4..).ok_or(Malformed)?;
        let (mut devices, mut flags) = (Vec::new(), 0);
        for attribute in attributes(bytes) {
            match attribute? {
                (NFTA_FLOWTABLE_HOOK, hook) => {
                    for attribute in attributes(hook) {
                        if let (NFTA_FLOWTABLE_HOOK_DEVS, names) = attribute? {
                            read_names(names, &mut devices)?;
                        }
                    }
                }
                (NFTA_FLOWTABLE_FLAGS, value) => {
                    flags = u32::from_be_bytes(value.try_into().map_err(|_| Malformed)?);
                }
                _ => {}
            }
        }
        Ok(Self {
            devices,
            is_hardware: flags & NFT_FLOWTABLE_HW_OFFLOAD != 0,
            is_counted: flags & NFT_FLOWTABLE_COUNTER != 0,
        })
    }
}

fn read_names(bytes: &[u8], names: &mut Vec<String>) -> Result<(), Malformed> {
    for attribute in attributes(bytes) {
        if let (NFTA_DEVICE_NAME, value) = attribute?
            && names.len() < DEVICES_MAX
        {
            names.extend(text(value).map(str::to_owned));
        }
    }
    Ok(())
}

fn native(value: &[u8]) -> Result<u32, Malformed> {
    Ok(u32::from_ne_bytes(value.try_into().map_err(|_| Malformed)?))
}

fn ip(value: &[u8]) -> Result<IpAddr, Malformed> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Ok(Ipv4Addr::from(octets).into());
    }
    let octets = <[u8; 16]>::try_from(value).map_err(|_| Malformed)?;
    Ok(Ipv6Addr::from(octets).into())
}

/// `RTM_NEWLINK`, and how it is asked for.
pub(super) const LINK: u16 = 16;
pub(super) const GET_LINKS: u16 = 18;
/// `RTM_NEWADDR`.
pub(super) const ADDRESS: u16 = 20;
pub(super) const GET_ADDRESSES: u16 = 22;
/// `RTM_NEWROUTE`.
pub(super) const ROUTE: u16 = 24;
pub(super) const GET_ROUTES: u16 = 26;
/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWFLOWTABLE`.
pub(super) const FLOW_TABLE: u16 = 10 << 8 | 22;

const IFF_UP: u32 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

const RT_TABLE_LOCAL: u8 = 255;
const RTN_UNICAST: u8 = 1;
const RTA_OIF: u16 = 4;
const RTA_MULTIPATH: u16 = 9;

const NFTA_FLOWTABLE_HOOK: u16 = 3;
const NFTA_FLOWTABLE_FLAGS: u16 = 7;
const NFTA_FLOWTABLE_HOOK_DEVS: u16 = 3;
const NFTA_DEVICE_NAME: u16 = 1;
const NFT_FLOWTABLE_HW_OFFLOAD: u32 = 1;
const NFT_FLOWTABLE_COUNTER: u32 = 2;

#[cfg(test)]
pub(super) mod tests;
