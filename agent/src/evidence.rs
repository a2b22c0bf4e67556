//! Evidence: whose make a device is, and how we know.
//!
//! Takes what a device says on the local network, and the names of the servers it asks for; keeps
//! [`Clue`]s, gives a [`Verdict`]. The model is that of [`model`].
//!
//! Promises:
//! 1. Nothing a device said is kept: a clue holds the row of our tables that matched (`galaxy s#*`),
//!    never the text that matched it, which may hold a person's name.
//! 2. Memory is bounded: [`Evidence::CLUES_MAX`] clues a device, each once; there are only so many
//!    rows in the tables.
//! 3. One clue is one fact however often it is seen: evidence does not grow by repetition.

pub mod dhcp;
pub mod mdns;
pub mod model;
pub mod names;
mod oui;
mod pattern;
pub mod weight;

pub use model::{Statement, Verdict};

use crate::hash::SeededState;
use crate::packet::{MacAddr, Packet, Segment};
use phonehome_proto::vendor::{System, Vendor};
use std::hash::{BuildHasher, Hasher};

/// Where a clue comes from. Clues of one family repeat each other and only the best one counts;
/// families are independent enough to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// The maker's part of a MAC address.
    MacPrefix,
    /// The name a DHCP client gives itself, option 12.
    DhcpName,
    /// The kind of DHCP client, option 60.
    DhcpClass,
    /// The options a DHCP client asks for, option 55.
    DhcpOptions,
    /// What the device announces by mDNS.
    Mdns,
    /// The User-Agent of a clear-text HTTP request.
    UserAgent,
    /// The servers the device asks for, by DNS or in the hello.
    Endpoints,
}

/// One fact, matched by one row of our tables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clue {
    /// Where it comes from.
    pub family: Family,
    /// The row that matched.
    pub what: &'static str,
    /// The vendor it speaks for.
    pub vendor: Option<Vendor>,
    /// How much: log of P(clue | phone of this vendor) / P(clue | anything else).
    pub nats: f64,
    /// Whether only phones of this vendor give it.
    pub decisive: bool,
    /// The same for being a phone at all; negative speaks against it.
    pub phone_nats: f64,
    /// Whom it rules out.
    pub rules_out: RulesOut,
    /// Which of the vendor's brands it speaks for, if it tells it from the others. Shown, and no more.
    pub brand: Option<&'static str>,
}

/// Vendors that a clue cannot be true of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesOut {
    /// None.
    Nobody,
    /// All but one: the system is that vendor's own.
    AllBut(Vendor),
    /// Vendors with a system of their own: this is the one everybody else uses.
    OwnSystems,
    /// All: no vendor's phones run this system.
    Everybody,
}

/// All that is known of one device.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    clues: Vec<Clue>,
    /// User-Agents: a program says the same with every request.
    agents: Latest<AGENTS_MAX>,
    /// Names of servers: what is asked for is asked for again.
    names: Latest<NAMES_MAX>,
}

/// Numbers that stand for the texts looked at last, in a ring: looking at one takes longer than the rest
/// of a packet's way.
#[derive(Clone, Debug)]
struct Latest<const MAX: usize> {
    numbers: [u64; MAX],
    next: u8,
}

// === impl Family ===

impl Family {
    /// Every family, in the order reports list them.
    pub const ALL: [Self; 7] = [
        Self::MacPrefix,
        Self::DhcpName,
        Self::DhcpClass,
        Self::DhcpOptions,
        Self::Mdns,
        Self::UserAgent,
        Self::Endpoints,
    ];

    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MacPrefix => "mac_prefix",
            Self::DhcpName => "dhcp_name",
            Self::DhcpClass => "dhcp_60",
            Self::DhcpOptions => "dhcp_55",
            Self::Mdns => "mdns",
            Self::UserAgent => "user_agent",
            Self::Endpoints => "endpoints",
        }
    }

    /// Whether it is made of what a phone contacts. A vendor known only so makes "phones of V
    /// contact servers of V" true by construction.
    #[must_use]
    pub const fn is_circular(self) -> bool {
        matches!(self, Self::Endpoints)
    }
}

// === impl Clue ===

impl Clue {
    /// A clue that says nothing yet.
    const fn silent(family: Family, what: &'static str) -> Self {
        Self {
            family,
            what,
            vendor: None,
            nats: 0.0,
            decisive: false,
            phone_nats: 0.0,
            rules_out: RulesOut::Nobody,
            brand: None,
        }
    }

    /// A clue for a vendor that says nothing yet.
    const fn toward(vendor: Vendor, family: Family) -> Self {
        Self {
            vendor: Some(vendor),
            ..Self::silent(family, "")
        }
    }

    /// What a system says, told by something of `family`.
    fn of_system(system: &'static System, family: Family) -> Self {
        let vendor = system.vendor();
        let phone_nats = match (system.on_phones(), vendor) {
            // Tablets run the same systems; televisions run Android too.
            (Some(true), Some(_)) => weight::PHONE_OWN_SYSTEM,
            (Some(true), None) => weight::PHONE_SHARED_SYSTEM,
            (Some(false), _) => weight::PHONE_NEVER,
            (None, _) => 0.0,
        };
        Self {
            vendor,
            nats: if vendor.is_some() {
                weight::OWN_SYSTEM
            } else {
                0.0
            },
            phone_nats,
            rules_out: match (vendor, system.on_phones()) {
                (Some(vendor), _) => RulesOut::AllBut(vendor),
                (None, Some(true)) => RulesOut::OwnSystems,
                (None, Some(false)) => RulesOut::Everybody,
                (None, None) => RulesOut::Nobody,
            },
            ..Self::silent(family, system.id())
        }
    }

    /// A clue that a row of the vendor's own is.
    fn of_row(vendor: Vendor, family: Family, row: &'static str) -> Self {
        Self {
            what: row,
            brand: vendor.brand_of(row),
            ..Self::toward(vendor, family)
        }
    }

    /// The clue in a person's words: `samsung: galaxy s#*`, or `oppo: rmx####* (realme)`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.vendor, self.brand) {
            (Some(vendor), Some(brand)) => format!("{vendor}: {} ({brand})", self.what),
            (Some(vendor), None) => format!("{vendor}: {}", self.what),
            (None, _) => self.what.to_owned(),
        }
    }
}

impl RulesOut {
    /// Whether the vendor is ruled out.
    #[must_use]
    pub fn concerns(self, vendor: Vendor) -> bool {
        match self {
            Self::Nobody => false,
            Self::AllBut(only) => vendor != only,
            Self::OwnSystems => vendor.has_own_system(),
            Self::Everybody => true,
        }
    }
}

// === impl Evidence ===

impl Evidence {
    /// Clues kept of one device. A device that gives more than these is no one vendor's phone, and
    /// what it gave first says so already.
    pub const CLUES_MAX: usize = 48;

    /// What a MAC address says of its device.
    #[must_use]
    pub fn of_mac(mac: MacAddr) -> Self {
        Self {
            clues: oui::clue(mac).into_iter().collect(),
            ..Self::default()
        }
    }

    /// Learns from a packet the device itself sent. Says whether there was anything to learn.
    #[inline]
    pub fn handle_packet(&mut self, packet: &Packet<'_>) -> bool {
        let may_tell = match packet.segment {
            Segment::Tcp(segment) => names::may_begin_request(segment.head),
            Segment::Udp { .. } => packet.source_port == MDNS_PORT,
        };
        may_tell && self.read(packet)
    }

    fn read(&mut self, packet: &Packet<'_>) -> bool {
        let known = self.clues.len();
        if let Some(message) = packet.mdns() {
            mdns::clues(&message, |clue| self.learn(clue));
        }
        if let Some(agent) = names::user_agent(packet)
            && self.agents.is_new(agent)
        {
            names::user_agent_clues(agent, |clue| self.learn(clue));
        }
        self.clues.len() > known
    }

    /// Learns from a DHCP message the device itself wrote.
    pub fn handle_dhcp(&mut self, message: &crate::packet::dhcp::Message<'_>) {
        dhcp::clues(message, |clue| self.learn(clue));
    }

    /// Learns from the name of a server the device asked for (lower case, no dot at the end).
    pub fn handle_name(&mut self, name: &str) {
        if self.names.is_new(name.as_bytes()) {
            names::endpoint_clues(name, |clue| self.learn(clue));
        }
    }

    /// The clues, by family.
    #[must_use]
    pub fn clues(&self) -> &[Clue] {
        &self.clues
    }

    fn learn(&mut self, clue: Clue) {
        let is_known = self.clues.iter().any(|known| {
            (known.family, known.what, known.vendor) == (clue.family, clue.what, clue.vendor)
        });
        if !is_known && self.clues.len() < Self::CLUES_MAX {
            self.clues.push(clue);
        }
    }
}

// === impl Latest ===

impl<const MAX: usize> Latest<MAX> {
    /// Whether this text was not among those looked at last; from now on it is.
    fn is_new(&mut self, text: &[u8]) -> bool {
        let mut hasher = TEXTS.build_hasher();
        hasher.write_u64(text.len() as u64);
        hasher.write(text);
        let number = hasher.finish();
        if self.numbers.contains(&number) {
            return false;
        }
        let next = usize::from(self.next);
        self.numbers[next] = number;
        self.next = if next + 1 == MAX { 0 } else { self.next + 1 };
        true
    }
}

impl<const MAX: usize> Default for Latest<MAX> {
    fn default() -> Self {
        Self {
            numbers: [0; MAX],
            next: 0,
        }
    }
}

/// Open to all: whoever finds a text that another passes for keeps his own clue from himself.
const TEXTS: SeededState = SeededState::new(0x7465_7874);

const MDNS_PORT: u16 = 5353;

/// Programs that take turns on one device; of one more than these, each is looked at every time.
const AGENTS_MAX: usize = 8;

/// Names a device asks for in turn, likewise.
const NAMES_MAX: usize = 16;

#[cfg(test)]
mod tests;
