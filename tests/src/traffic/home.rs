//! A synthetic home: a network it belongs to, a router, phones, and other things on the LAN.

use super::city::City;
use super::dhcp::Manners;
use super::dns;
use super::frame::Mac;
use super::phone::{Make, Openness, Phone};
use super::site::{Region, UNLISTED};
use phonehome_proto::chance::{Chance, SeededChance};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A home network and everything on it.
#[derive(Clone, Debug)]
pub struct Home {
    /// Which of its world's homes; seeds everything else.
    pub number: u32,
    /// Where it stands.
    pub city: City,
    /// Its address on the Internet, in documentation space.
    pub address: Ipv6Addr,
    /// The first three bytes of its LAN addresses.
    pub lan: [u8; 3],
    /// Its router's MAC address on the LAN.
    pub router: Mac,
    /// Its phones, each with the regions it was set up for.
    pub phones: Vec<(Phone, Vec<Region>)>,
    /// A laptop, which nobody allowed to be watched.
    pub laptop: Laptop,
}

/// A computer on the same LAN.
#[derive(Clone, Debug)]
pub struct Laptop {
    /// Its MAC address.
    pub mac: Mac,
    /// Its address on the LAN.
    pub address: Ipv4Addr,
    /// Its name, which is its owner's.
    pub host_name: String,
}

/// What may never leave a home, in words for a failing test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What it is.
    pub kind: &'static str,
    /// The bytes to look for.
    pub bytes: Vec<u8>,
}

impl Home {
    /// The `number`-th home, in the network whose addresses begin with `network_prefix`.
    #[must_use]
    pub fn new(
        seed: u64,
        number: u32,
        city: City,
        network_prefix: [u8; 6],
        phones: &[(Make, Openness, Vec<Region>)],
    ) -> Self {
        let mut chance = SeededChance::new(seed ^ u64::from(number) << 32);
        let lan = [
            192,
            168,
            u8::try_from(1 + chance.below(250)).expect("below 252"),
        ];
        let mut prefix = [0; 8];
        prefix[..6].copy_from_slice(&network_prefix);
        prefix[6..].copy_from_slice(&u16::try_from(number).expect("below 65,536").to_be_bytes());
        let mut address = [0; 16];
        address[..8].copy_from_slice(&prefix);
        address[15] = 1;
        let mut router: Mac = chance.bytes();
        // A maker of home routers.
        router[..3].copy_from_slice(&[0x3c, 0xa6, 0x2f]);
        let phones = (0u8..)
            .zip(phones)
            .map(|(slot, (make, openness, regions))| {
                (
                    Phone::new(*make, *openness, slot, lan, prefix, &mut chance),
                    regions.clone(),
                )
            })
            .collect();
        let mut mac: Mac = chance.bytes();
        // A maker of laptops' network chips.
        mac[..3].copy_from_slice(&[0x8c, 0x8d, 0x28]);
        let host_name = format!("work-laptop-{:04x}", chance.below(0x1_0000));
        let laptop = Laptop {
            mac,
            address: Ipv4Addr::new(lan[0], lan[1], lan[2], 31),
            host_name,
        };
        let address = Ipv6Addr::from(address);
        Self {
            number,
            city,
            address,
            lan,
            router,
            phones,
            laptop,
        }
    }

    /// The router's address on the LAN.
    #[must_use]
    pub const fn router_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(self.lan[0], self.lan[1], self.lan[2], 1)
    }

    /// Everything that must not leave: addresses of machines, names of machines, pages read.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        let mut tell = |kind, bytes: &[u8]| {
            secrets.push(Secret {
                kind,
                bytes: bytes.to_vec(),
            })
        };
        let mut machine = |mac: Mac, address: Ipv4Addr, host_name: Option<&str>| {
            tell("MAC address", &mac);
            tell("MAC address as text", mac_text(mac, ":").as_bytes());
            tell("MAC address as text", mac_text(mac, "-").as_bytes());
            tell("LAN address", &address.octets());
            tell("LAN address as text", address.to_string().as_bytes());
            if let Some(name) = host_name {
                tell("host name", name.as_bytes());
            }
        };
        machine(self.router, self.router_address(), None);
        machine(
            self.laptop.mac,
            self.laptop.address,
            Some(&self.laptop.host_name),
        );
        for (phone, _) in &self.phones {
            machine(phone.mac, phone.address, phone.host_name.as_deref());
        }
        for (phone, _) in &self.phones {
            tell("LAN address", &phone.address_v6.octets());
            tell(
                "LAN address as text",
                phone.address_v6.to_string().as_bytes(),
            );
        }
        for page in &UNLISTED {
            tell("name of a page", &dns::labels(page.host));
            tell("name of a page as text", page.host.as_bytes());
        }
        secrets
    }
}

impl Laptop {
    /// What it says when it asks for an address: an ordinary desktop system's words.
    #[must_use]
    pub fn manners(&self) -> Manners<'_> {
        Manners {
            host_name: Some(&self.host_name),
            vendor_class: Some("MSFT 5.0"),
            wishes: &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252],
        }
    }
}

fn mac_text(mac: Mac, between: &str) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(between)
}
