//! The Internet's servers: names, addresses, and one certificate for all.
//!
//! Addresses are kept for documentation (RFC 5737, RFC 3849), each site has its own, so that what the
//! kernel counts for an address is what one site was sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One server and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// What phones call it.
    pub(crate) name: &'static str,
    /// Where it stands.
    pub(crate) v4: Ipv4Addr,
    /// And in the newer Internet.
    pub(crate) v6: Ipv6Addr,
}

/// Which Internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// A listed endpoint of Xiaomi's.
pub(crate) const XIAOMI_TELEMETRY: Site = site("data.mistat.intl.xiaomi.com", [203, 0, 113, 10]);
/// A listed endpoint of Xiaomi's, of another class.
pub(crate) const XIAOMI_UPDATE: Site = site("update.intl.miui.com", [203, 0, 113, 11]);
/// A listed endpoint of Samsung's.
pub(crate) const SAMSUNG_TELEMETRY: Site = site("dc.di.atlas.samsung.com", [198, 51, 100, 20]);
/// A listed endpoint of Huawei's.
pub(crate) const HUAWEI_TELEMETRY: Site = site("metrics-dre.dt.hicloud.com", [198, 51, 100, 21]);
/// On no list.
pub(crate) const UNLISTED: Site = site("www.example.org", [203, 0, 113, 80]);

/// All of them.
pub(crate) const SITES: [Site; 5] = [
    XIAOMI_TELEMETRY,
    XIAOMI_UPDATE,
    SAMSUNG_TELEMETRY,
    HUAWEI_TELEMETRY,
    UNLISTED,
];

/// The Internet's name server.
pub(crate) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);

impl Site {
    /// Its address in one Internet.
    pub(crate) const fn address(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(self.v4),
            Family::V6 => IpAddr::V6(self.v6),
        }
    }

    /// The site of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        SITES.into_iter().find(|site| site.name == name)
    }
}

/// Its address in the newer Internet says the older one again, in a /48 of its own.
const fn site(name: &'static str, v4: [u8; 4]) -> Site {
    let [a, b, c, d] = v4;
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, u16::from_be_bytes([0x50, d]), 0, 0, 0, 0, 1);
    Site {
        name,
        v4: Ipv4Addr::new(a, b, c, d),
        v6,
    }
}
