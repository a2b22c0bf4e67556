//! Phones of the seven vendors, as a home network sees them.
//!
//! MAC prefixes, DHCP options and factory host names are those real phones show; the rest of each
//! address and name is seeded.

use super::dhcp::Manners;
use super::frame::Mac;
use phonehome_proto::chance::{Chance, SeededChance};
use phonehome_proto::vendor::Vendor;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Whose phone it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Make {
    /// Galaxy.
    Samsung,
    /// P, Mate, nova.
    Huawei,
    /// iPhone.
    Apple,
    /// Xiaomi, Redmi, POCO.
    Xiaomi,
    /// vivo.
    Vivo,
    /// OPPO.
    Oppo,
    /// Pixel.
    Google,
}

/// How much a phone gives away about its vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    /// Its MAC address is the factory's and its host name the model's.
    Open,
    /// Its MAC address is randomised; the household says whose it is.
    Declared,
    /// Its MAC address is randomised, it names nothing, and nobody says.
    Silent,
}

/// A phone of a home.
#[derive(Clone, Debug)]
pub struct Phone {
    /// Whose.
    pub make: Make,
    /// How easily that can be told.
    pub openness: Openness,
    /// Its MAC address on this network.
    pub mac: Mac,
    /// Its DHCP host name, if it sends one. A secret of the home.
    pub host_name: Option<String>,
    /// Its address on the LAN.
    pub address: Ipv4Addr,
    /// Its address in the home's IPv6 prefix.
    pub address_v6: Ipv6Addr,
}

impl Make {
    /// All seven.
    pub const ALL: [Self; 7] = [
        Self::Samsung,
        Self::Huawei,
        Self::Apple,
        Self::Xiaomi,
        Self::Vivo,
        Self::Oppo,
        Self::Google,
    ];

    /// The vendor it is counted under.
    #[must_use]
    pub fn vendor(self) -> Vendor {
        let id = match self {
            Self::Samsung => "samsung",
            Self::Huawei => "huawei",
            Self::Apple => "apple",
            Self::Xiaomi => "xiaomi",
            Self::Vivo => "vivo",
            Self::Oppo => "oppo",
            Self::Google => "google",
        };
        Vendor::from_id(id).expect("a vendor of the list")
    }

    /// Prefixes assigned to the vendor by the IEEE, each to an organisation that makes phones.
    pub(crate) const fn mac_prefixes(self) -> [[u8; 3]; 3] {
        match self {
            Self::Samsung => [[0x78, 0xf7, 0xbe], [0x7c, 0x0a, 0x3f], [0x7c, 0x0b, 0xc6]],
            Self::Huawei => [[0x78, 0xc8, 0x84], [0x78, 0xcf, 0xf9], [0x78, 0xe2, 0x2c]],
            Self::Apple => [[0x7c, 0x2a, 0xca], [0x7c, 0x3b, 0x2d], [0x7c, 0x4b, 0x26]],
            Self::Xiaomi => [[0x80, 0xad, 0x16], [0x80, 0xe6, 0x3c], [0x84, 0xae, 0xde]],
            Self::Vivo => [[0x70, 0xd9, 0x23], [0x74, 0x33, 0x57], [0x74, 0x78, 0xde]],
            Self::Oppo => [[0x84, 0x6f, 0xce], [0x88, 0x03, 0xe9], [0x88, 0x5a, 0x06]],
            Self::Google => [[0x88, 0x54, 0x1f], [0x88, 0xc3, 0x44], [0x90, 0x0c, 0xc8]],
        }
    }

    /// Host names as the factory sets them.
    pub(crate) const fn models(self) -> [&'static str; 3] {
        match self {
            Self::Samsung => ["Galaxy-S21", "Galaxy-A52", "Galaxy-S10"],
            Self::Huawei => ["HUAWEI_P30", "HUAWEI_Mate_20", "HUAWEI_P40"],
            Self::Apple => ["iPhone", "iPhone-14-Pro", "iPhone"],
            Self::Xiaomi => ["Redmi-Note-9-Pro", "Redmi-Note-11", "POCO-X3-Pro"],
            Self::Vivo => ["vivo-1904", "vivo-V2027", "vivo-1915"],
            Self::Oppo => ["OPPO-Reno-7", "realme-8-Pro", "OnePlus-Nord"],
            Self::Google => ["Pixel-6", "Pixel-4a", "Pixel-7-Pro"],
        }
    }
}

impl Phone {
    /// The `slot`-th phone of a home whose LAN is `lan` and whose IPv6 prefix is `prefix`.
    #[must_use]
    pub fn new(
        make: Make,
        openness: Openness,
        slot: u8,
        lan: [u8; 3],
        prefix: [u8; 8],
        chance: &mut SeededChance,
    ) -> Self {
        let mut mac: Mac = chance.bytes();
        if openness == Openness::Open {
            mac[..3].copy_from_slice(&pick(chance, &make.mac_prefixes()));
        } else {
            // Locally administered, unicast: what a phone makes up per network.
            mac[0] = mac[0] & 0xfc | 0x02;
        }
        // iPhones always send a name, and people give them their own.
        let host_name = match (make, openness) {
            (_, Openness::Open) => Some(format!(
                "{}-{:04x}",
                pick(chance, &make.models()),
                chance.below(0x10000)
            )),
            (Make::Apple, _) => Some(format!("{}s-phone", pick(chance, &HOLDERS))),
            _ => None,
        };
        let [a, b, c] = lan;
        let mut v6 = [0; 16];
        v6[..8].copy_from_slice(&prefix);
        v6[8..].copy_from_slice(&chance.bytes::<8>());
        Self {
            make,
            openness,
            mac,
            host_name,
            address: Ipv4Addr::new(a, b, c, 100 + slot * 7),
            address_v6: Ipv6Addr::from(v6),
        }
    }

    /// What it says when it asks for an address.
    #[must_use]
    pub fn manners(&self) -> Manners<'_> {
        let (vendor_class, wishes): (Option<&str>, &[u8]) = match self.make {
            Make::Apple => (None, &[1, 121, 3, 6, 15, 108, 114, 119, 252]),
            Make::Huawei if self.openness == Openness::Open => {
                (Some("HUAWEI:android:ELE"), &ANDROID_WISHES[..10])
            }
            Make::Huawei => (Some("android-dhcp-10"), &ANDROID_WISHES[..10]),
            Make::Vivo | Make::Oppo => (Some("android-dhcp-12"), &ANDROID_WISHES),
            Make::Samsung | Make::Xiaomi | Make::Google => {
                (Some("android-dhcp-13"), &ANDROID_WISHES)
            }
        };
        Manners {
            host_name: self.host_name.as_deref(),
            vendor_class,
            wishes,
        }
    }
}

/// Android 11 and later; the first ten are Android 7 to 10.
const ANDROID_WISHES: [u8; 12] = [1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108];

const HOLDERS: [&str; 6] = [
    "ulrike",
    "mehmet",
    "priya",
    "agnieszka",
    "adaeze",
    "joaquim",
];

/// One of `things`.
pub fn pick<T: Copy>(chance: &mut SeededChance, things: &[T]) -> T {
    let bound = u32::try_from(things.len()).expect("a short list");
    things[usize::try_from(chance.below(bound)).expect("an index fits")]
}
