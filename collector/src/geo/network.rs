//! Networks of addresses, and who operates them.
//!
//! Three tables: which network (AS number) announces an address, from the committed copy of the
//! ip-location-db ASN table; who operates it and under which country that company is registered
//! (module [`operator`]); which networks no household lives in, from `networks.toml`. A network is not
//! a place: an operator registered in one country runs servers in many.

pub mod operator;

use super::packed::{self, Cursor, Damaged};
use super::{AtlasSource, Place, range};
use crate::packing::Packed;
use operator::Operator;
use phonehome_proto::net::{Country, Prefix};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

const NETWORKS: &[u8] = include_bytes!("../../data/networks.bin.zst");
const MAGIC: &[u8] = b"PHNETS01";
/// What the first table is called in the list of sources; country databases stand before it.
pub const SOURCE_NAME: &str = "ip-location-db networks";
/// What the second is called there.
pub const OPERATORS_SOURCE_NAME: &str = "network operators' registration";
const NETWORKS_LICENCE: &str = "CC BY 4.0, RouteViews (https://www.routeviews.org), DB-IP (https://db-ip.com), NRO (https://www.nro.net)";
const UNINHABITED: &str = include_str!("../../data/networks.toml");

/// The number of an autonomous system (RFC 1930), the unit in which networks are counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

/// Where a home reports from: all that is kept of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The country of its address.
    pub country: Country,
    /// The network of its address, or [`Asn::UNKNOWN`].
    pub network: Asn,
}

/// The three tables.
pub struct NetworkTable {
    built: String,
    v4: Holders,
    v6: Holders,
    /// Sorted by number.
    asns: Vec<Asn>,
    /// Beside `asns`.
    names: Vec<Box<str>>,
    uninhabited: BTreeSet<Asn>,
    uninhabited_date: String,
}

/// Who holds the addresses of one family, from each boundary to the next.
struct Holders {
    /// First addresses; of IPv6, the upper 64 bits. Sorted.
    starts: Vec<u64>,
    /// Place in the list of operators, from 1; 0 is nobody.
    places: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UninhabitedFile {
    date: String,
    network: Vec<UninhabitedRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "name, kind and source are for whoever checks the file"
)]
struct UninhabitedRow {
    name: String,
    kind: Kind,
    asns: Vec<u32>,
    source: String,
}

/// Why nobody lives in a network.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Hosting,
    Vpn,
}

// === impl Asn ===

impl Asn {
    /// AS 0 is nobody's (RFC 7607): the network of an address that no table knows.
    pub const UNKNOWN: Self = Self(0);
}

impl fmt::Display for Asn {
    /// `AS45102`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

impl fmt::Debug for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Packed for Asn {
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        u32::unpack(from).map(Self)
    }
}

impl Packed for Origin {
    fn pack(&self, out: &mut Vec<u8>) {
        self.country.pack(out);
        self.network.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            country: Country::unpack(from)?,
            network: Asn::unpack(from)?,
        })
    }
}

// === impl NetworkTable ===

impl NetworkTable {
    /// The tables that are compiled in.
    ///
    /// # Panics
    /// Never: a test reads them.
    #[must_use]
    pub fn embedded() -> Self {
        let table = packed::unpack(NETWORKS).expect("the committed table unpacks");
        Self::read(&table, UNINHABITED).expect("the committed tables are well formed")
    }

    fn read(table: &[u8], uninhabited: &str) -> Result<Self, Damaged> {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).map_err(|_| Damaged::Format("not UTF-8"))
        };
        let mut cursor = Cursor::new(table, MAGIC)?;
        let built = text(cursor.bytes(10)?)?;
        let count = cursor.count()?;
        let number = |n| u32::try_from(n).map_err(|_| Damaged::Format("a number too large"));
        let asns = cursor
            .steps(count)?
            .into_iter()
            .map(|n| number(n).map(Asn))
            .collect::<Result<_, _>>()?;
        let names = (0..count)
            .map(|_| Ok(text(cursor.line()?)?.into_boxed_str()))
            .collect::<Result<_, Damaged>>()?;
        let v4 = Holders::read(&mut cursor, count)?;
        let v6 = Holders::read(&mut cursor, count)?;
        cursor.end()?;

        let uninhabited: UninhabitedFile =
            toml::from_str(uninhabited).map_err(|_| Damaged::Format("a row of networks.toml"))?;
        Ok(Self {
            built,
            v4,
            v6,
            asns,
            names,
            uninhabited: uninhabited
                .network
                .iter()
                .flat_map(|row| &row.asns)
                .map(|&n| Asn(n))
                .collect(),
            uninhabited_date: uninhabited.date,
        })
    }

    /// What they are, for the list on every release.
    #[must_use]
    pub fn about(&self) -> [AtlasSource; 3] {
        let source = |name: &str, build: &str, licence: &str| AtlasSource {
            name: name.to_owned(),
            build: build.to_owned(),
            licence: licence.to_owned(),
        };
        let own = "Phonehome's own list of facts, a source per row";
        [
            source(SOURCE_NAME, &self.built, NETWORKS_LICENCE),
            source(OPERATORS_SOURCE_NAME, operator::date(), own),
            source("hosting and VPN networks", &self.uninhabited_date, own),
        ]
    }

    /// The network an address belongs to.
    #[must_use]
    pub fn network(&self, address: IpAddr) -> Option<Asn> {
        let address = address.to_canonical();
        let (holders, at) = self.holders(address);
        self.asn(holders.places[holders.boundary(at)?])
    }

    /// Every network that holds any part of the prefix.
    #[must_use]
    pub fn networks(&self, prefix: Prefix) -> BTreeSet<Asn> {
        let (holders, first) = self.holders(prefix.first());
        let (_, last) = self.holders(prefix.last());
        let begin = holders.boundary(first).unwrap_or(0);
        let end = holders.boundary(last).map_or(0, |at| at + 1);
        holders.places[begin..end]
            .iter()
            .filter_map(|&place| self.asn(place))
            .collect()
    }

    /// What its operator is called.
    #[must_use]
    pub fn name(&self, network: Asn) -> Option<&str> {
        let at = self.asns.binary_search(&network).ok()?;
        Some(&self.names[at])
    }

    /// The country the operator is registered under, of all networks in the prefix together.
    ///
    /// A registration is what the registry says it is, so it needs no second source; a prefix that
    /// operators of several countries share is disputed, and one unlisted operator leaves it unknown.
    #[must_use]
    pub fn operators(&self, prefix: Prefix) -> Place {
        let networks = self.networks(prefix);
        let countries: Option<BTreeSet<Country>> = networks
            .iter()
            .map(|&network| Some(Operator::of(network)?.country()))
            .collect();
        let countries = countries.unwrap_or_default();
        match countries.first() {
            Some(&country) if countries.len() == 1 => Place::known(country),
            _ => Place::of_opinions([&countries]),
        }
    }

    /// The one operator of all networks in the prefix; `None` if there are several, or if the table does
    /// not list them all.
    #[must_use]
    pub fn operator(&self, prefix: Prefix) -> Option<Operator> {
        let networks = self.networks(prefix);
        let operators: Option<BTreeSet<Operator>> =
            networks.into_iter().map(Operator::of).collect();
        let operators = operators?;
        operators.first().copied().filter(|_| operators.len() == 1)
    }

    /// Whether a home in this network weighs in the gate: not from hosting, VPN or unknown networks.
    #[must_use]
    pub fn is_inhabited(&self, network: Asn) -> bool {
        network != Asn::UNKNOWN && !self.uninhabited.contains(&network)
    }

    fn holders(&self, address: IpAddr) -> (&Holders, u64) {
        let number = range::number(address);
        let (holders, number) = if address.is_ipv4() {
            (&self.v4, number)
        } else {
            (&self.v6, number >> 64)
        };
        (
            holders,
            u64::try_from(number).expect("32 or 64 bits are left"),
        )
    }

    fn asn(&self, place: u32) -> Option<Asn> {
        let at = usize::try_from(place)
            .expect("usize holds u32 here")
            .checked_sub(1)?;
        Some(self.asns[at])
    }
}

// === impl Holders ===

impl Holders {
    fn read(cursor: &mut Cursor<'_>, operators: usize) -> Result<Self, Damaged> {
        let count = cursor.count()?;
        let starts = cursor.steps(count)?;
        let places = (0..count)
            .map(|_| {
                let place = cursor.number()?;
                match u32::try_from(place) {
                    Ok(small) if place <= operators as u64 => Ok(small),
                    _ => Err(Damaged::Format("an operator out of range")),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { starts, places })
    }

    /// The last boundary at or below; `None` below the first.
    fn boundary(&self, at: u64) -> Option<usize> {
        self.starts
            .partition_point(|&start| start <= at)
            .checked_sub(1)
    }
}

#[cfg(test)]
mod tests;
