//! A stretch of addresses: how every table of geography says what it speaks of.

use phonehome_proto::net::Prefix;
use std::net::IpAddr;

/// Addresses of one family, first to last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    /// The lowest.
    pub(super) first: IpAddr,
    /// The highest, of the same family.
    pub(super) last: IpAddr,
}

impl Range {
    /// The range of a network in CIDR notation; `None` for anything else, or with host bits set.
    pub(super) fn of_cidr(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let first: IpAddr = address.parse().ok()?;
        let length: u32 = length.parse().ok()?;
        let bits = if first.is_ipv4() { 32 } else { 128 };
        let host_bits = u32::checked_sub(bits, length)?;
        let hosts = if host_bits == 128 {
            u128::MAX
        } else {
            (1 << host_bits) - 1
        };
        let number = number(first);
        if number & hosts != 0 {
            return None;
        }
        Some(Self {
            first,
            last: address_like(first, number | hosts),
        })
    }

    /// Whether any address of the prefix lies in it.
    pub(super) fn meets(self, prefix: Prefix) -> bool {
        let (first, last) = (prefix.first(), prefix.last());
        first.is_ipv4() == self.first.is_ipv4() && first <= self.last && self.first <= last
    }

    /// Whether the address lies in it.
    pub(super) fn holds(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }
}

/// The address as a number.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The address after; `None` after the last of the family.
pub(super) fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|n| IpAddr::V6(n.into())),
    }
}

fn address_like(family: IpAddr, number: u128) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::V4(
            u32::try_from(number)
                .expect("host bits stay in the family")
                .into(),
        ),
        IpAddr::V6(_) => IpAddr::V6(number.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cidr() {
        let range = Range::of_cidr("8.209.0.0/19").expect("a network");
        assert_eq!(range.last.to_string(), "8.209.31.255");
        assert!(range.meets(Prefix::of("8.209.31.7".parse().expect("an address"))));
        assert!(!range.meets(Prefix::of("8.209.32.7".parse().expect("an address"))));
        assert!(!range.holds("::1".parse().expect("an address")));
        for all in ["0.0.0.0/0", "::/0"] {
            assert!(Range::of_cidr(all).is_some(), "{all}");
        }
        for wrong in [
            "8.209.0.1/19",
            "8.209.0.0/33",
            "8.209.0.0",
            "x/8",
            "::/129",
            "1.2.3.4/",
        ] {
            assert_eq!(Range::of_cidr(wrong), None, "{wrong}");
        }
    }
}
