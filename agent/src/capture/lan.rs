//! The home's own networks: which interfaces lead to phones, and which addresses are the home's.
//!
//! A [`Finder`] asks the kernel for its interfaces, addresses, routes and flow tables and gives
//! [`Networks`]: every LAN with its prefixes, and what to tap so that each of their frames is seen once.
//! `message` reads what the kernel says, `choice` decides; both are pure. Looking again is cheap, needs
//! no privilege, and is how a new prefix or interface is noticed.
//!
//! Promises: no tap lies beneath another, so no frame is counted twice; what a household has named in
//! its configuration wins over every rule; nothing of the machine's settings is changed.

pub mod choice;
pub mod message;
pub mod openwrt;

use super::connection::Offload;
use super::netlink::{
    Asker, DATAGRAM_BYTES, Message, Messages, Protocol, Question, Received, Request, Socket,
};
use choice::Facts;
use message::{Address, FlowTable, Link};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Interfaces, addresses or routes of one machine, at most; a machine with more is no home's router.
pub const ENTRIES_MAX: usize = 8_192;

/// How long one waits for the asker's answer about flow tables.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// What a home's networks are at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// The networks that lead to phones, by interface index.
    pub lans: Vec<Lan>,
    /// Where all their frames pass, each once.
    pub taps: Vec<Tap>,
    /// This machine's own addresses, on every interface.
    pub own: Vec<IpAddr>,
    /// Flow tables: what they forward does not pass the usual way.
    pub flow_tables: Vec<FlowTable>,
    /// Whether this machine forwards from these networks to the outside.
    pub is_gateway: bool,
    /// Interfaces that the configuration names and that are not there.
    pub missing: Vec<String>,
}

/// One network of the home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    /// Its interface.
    pub name: String,
    /// The kernel's number for that.
    pub index: u32,
    /// Its prefixes: an address in each, and how many leading bits count.
    pub prefixes: Vec<(IpAddr, u8)>,
}

/// An interface to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Its name.
    pub name: String,
    /// The kernel's number for it, another each time it is made.
    pub index: u32,
    /// Its hardware type, as in linux/if_arp.h: 1 for Ethernet.
    pub hardware: u16,
    /// It also carries frames of the outside, under a VLAN tag: those are not the home's.
    pub is_shared: bool,
}

/// Why the networks are not known.
#[derive(Debug, Error)]
pub enum LanError {
    /// The kernel cannot be asked.
    #[error("the kernel could not be asked for its interfaces: {0}")]
    Unasked(#[from] io::Error),
    /// It refuses, as in `errno.h`.
    #[error("the kernel does not tell its interfaces: error {0}")]
    Refused(i32),
    /// Its answer ended before its end, or changed while it was given, each time.
    #[error("the kernel's answer about its interfaces was not whole")]
    Incomplete,
    /// It tells of more than [`ENTRIES_MAX`].
    #[error("this machine has more interfaces, addresses or routes than any home's router")]
    TooMany,
}

/// Finds the home's networks.
#[derive(Debug)]
pub struct Finder {
    socket: Socket,
    sequence: u32,
    buffer: Box<[u8]>,
    asker: Option<Arc<Asker>>,
    /// Interfaces by name that are LANs whatever the rules say; empty: the rules decide.
    wanted: Vec<String>,
    /// Interfaces by name that lead outside, as the system's configuration says.
    outward: BTreeSet<String>,
    /// What was last known of them.
    flow_tables: Vec<FlowTable>,
}

// === impl Networks ===

impl Networks {
    /// Whether an address is the home's: in one of its networks.
    #[must_use]
    pub fn is_home(&self, address: IpAddr) -> bool {
        self.lans.iter().any(|lan| {
            lan.prefixes
                .iter()
                .any(|&(prefix, bits)| choice::is_within(address, prefix, bits))
        })
    }

    /// Whether an address is this machine's own.
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }

    /// What flow tables do to volumes: where one forwards without counting they are lower bounds.
    #[must_use]
    pub fn offload(&self) -> Offload {
        if self.flow_tables.is_empty() {
            Offload::None
        } else if self.flow_tables.iter().all(|table| table.is_counted) {
            Offload::Counting
        } else {
            Offload::NotCounting
        }
    }

    /// In one sentence, what is amiss; `None` when nothing is.
    #[must_use]
    pub fn explanation(&self) -> Option<&'static str> {
        if self.lans.is_empty() {
            Some(
                "no network that leads to phones was found; name its interface in the configuration, \
                 as 'interfaces'",
            )
        } else if !self.is_gateway {
            Some(
                "this machine is not the home's gateway: it does not forward to the outside, so only \
                 what passes its own interfaces is seen",
            )
        } else {
            None
        }
    }
}

// === impl Finder ===

impl Finder {
    /// Prepares to look. `wanted` names the interfaces that the configuration says are LANs; when
    /// empty, rules decide, and on OpenWrt its own view of its networks is asked for, once. Without an
    /// `asker` flow tables are not known of.
    ///
    /// # Errors
    ///
    /// If the kernel has no route socket.
    pub fn open(wanted: Vec<String>, asker: Option<Arc<Asker>>) -> Result<Self, LanError> {
        let outward = if wanted.is_empty() {
            openwrt::outward_of_this_machine()
        } else {
            BTreeSet::new()
        };
        Ok(Self {
            socket: Socket::open(Protocol::Route, 0)?,
            sequence: 0,
            buffer: vec![0; DATAGRAM_BYTES].into_boxed_slice(),
            asker,
            wanted,
            outward,
            flow_tables: Vec::new(),
        })
    }

    /// Looks at the networks as they are now. Waits [`PATIENCE`] at most.
    ///
    /// # Errors
    ///
    /// If the kernel's answer is none; what was known before stays true as far as anybody knows.
    pub fn look(&mut self) -> Result<Networks, LanError> {
        let (mut links, mut addresses, mut defaults) = (Vec::new(), Vec::new(), BTreeSet::new());
        self.dump(message::GET_LINKS, &[0; 16], |kind, body| {
            if kind == message::LINK {
                links.extend(Link::read(body).ok());
            }
            links.len()
        })?;
        self.dump(message::GET_ADDRESSES, &[0; 8], |kind, body| {
            if kind == message::ADDRESS {
                addresses.extend(Address::read(body).ok());
            }
            addresses.len()
        })?;
        self.dump(message::GET_ROUTES, &[0; 12], |kind, body| {
            if kind == message::ROUTE {
                defaults.extend(message::default_route(body).unwrap_or_default());
            }
            defaults.len()
        })?;
        self.look_at_flow_tables();
        Ok(choice::choose(&Facts {
            links: &links,
            addresses: &addresses,
            defaults: &defaults,
            flow_tables: &self.flow_tables,
            wanted: &self.wanted,
            outward: &self.outward,
            is_forwarding: is_forwarding(),
        }))
    }

    /// Asks for a table and hands over every message of it; `hear` says how much it keeps by now.
    fn dump(
        &mut self,
        kind: u16,
        header: &[u8],
        mut hear: impl FnMut(u16, &[u8]) -> usize,
    ) -> Result<(), LanError> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket
            .send(&Request::dump(kind, self.sequence, header))?;
        let mut kept = 0;
        loop {
            if kept > ENTRIES_MAX {
                return Err(LanError::TooMany);
            }
            let length = match self.socket.receive(&mut self.buffer)? {
                Received::Datagram(length) => length,
                Received::Nothing | Received::Overrun => return Err(LanError::Incomplete),
            };
            for message in Messages::new(&self.buffer[..length]) {
                match message {
                    Message::Data {
                        kind,
                        sequence,
                        body,
                        ..
                    } if sequence == self.sequence => {
                        kept = hear(kind, body);
                    }
                    // A change meanwhile shows at the next look.
                    Message::Done { sequence, .. } if sequence == self.sequence => return Ok(()),
                    Message::Error { sequence, code } if sequence == self.sequence => {
                        return Err(LanError::Refused(code));
                    }
                    // What is left of a look that failed.
                    _ => {}
                }
            }
        }
    }

    /// Asks for the flow tables. If nobody answers, what was known stays.
    fn look_at_flow_tables(&mut self) {
        let Some(asker) = &self.asker else {
            return;
        };
        let Ok(asked) = asker.ask(Question::FlowTables) else {
            return;
        };
        let mut found = Vec::new();
        loop {
            match asker.receive(Question::FlowTables, &mut self.buffer) {
                Ok(Received::Datagram(length)) => {
                    for message in Messages::new(&self.buffer[..length]) {
                        match message {
                            Message::Data {
                                kind: message::FLOW_TABLE,
                                sequence,
                                body,
                                ..
                            } if sequence == asked && found.len() < ENTRIES_MAX => {
                                found.extend(FlowTable::read(body).ok());
                            }
                            Message::Done { sequence, .. } if sequence == asked => {
                                self.flow_tables = found;
                                return;
                            }
                            // A kernel without flow tables has none.
                            Message::Error { sequence, .. } if sequence == asked => {
                                self.flow_tables.clear();
                                return;
                            }
                            _ => {}
                        }
                    }
                }
                Ok(Received::Nothing) => {
                    if !asker.wait(Question::FlowTables, PATIENCE).unwrap_or(false) {
                        return;
                    }
                }
                Ok(Received::Overrun) | Err(_) => return,
            }
        }
    }
}

/// Whether this machine forwards IPv4 or IPv6, in the network namespace of the calling thread.
fn is_forwarding() -> bool {
    [
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv6/conf/all/forwarding",
    ]
    .iter()
    .any(|path| fs::read_to_string(path).is_ok_and(|setting| setting.trim() != "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_needs_no_privilege_and_finds_ones_own_addresses() {
        let mut finder = Finder::open(vec!["none-such".to_owned()], None).expect("a route socket");
        let networks = finder.look().expect("the kernel answers");
        assert!(networks.lans.is_empty() && networks.taps.is_empty() && !networks.is_gateway);
        assert_eq!(networks.missing, ["none-such"]);
        assert!(networks.explanation().is_some());
        assert_eq!(finder.look().expect("and again"), networks);
    }
}
