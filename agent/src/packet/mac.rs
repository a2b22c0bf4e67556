//! The address of a station on the link.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;

/// A 48-bit link-layer address.
///
/// It never leaves the agent: nothing outside this crate can read its bytes, and it prints as nothing.
///
/// In one number, with a bit above that is always set: addresses are compared and moved with every packet,
/// and so even their absence takes no more than a register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MacAddr(NonZeroU64);

impl MacAddr {
    pub(crate) const fn new(octets: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = octets;
        let bits = u64::from_be_bytes([0, 1, a, b, c, d, e, f]);
        Self(NonZeroU64::new(bits).expect("a bit is set"))
    }

    /// The address at the beginning of these bytes, if they are enough.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self::new)
    }

    /// All six bytes, for the keyed hash that makes a device's local tag.
    pub(crate) const fn octets(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.get().to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// A small number that differs between most addresses: not a hash, whoever likes may choose it.
    #[inline]
    pub(crate) const fn fold(self) -> usize {
        let [_, b, c, d, e, f] = self.octets();
        (b ^ c ^ d ^ e ^ f) as usize
    }

    /// The first three bytes: the maker's, unless the address is a random one. For local use only.
    #[must_use]
    pub const fn prefix(self) -> [u8; 3] {
        let [a, b, c, ..] = self.octets();
        [a, b, c]
    }

    /// Whether the address was made up by its device and not given by a maker: the local bit.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.octets()[0] & 0x02 != 0
    }

    /// Whether it stands for many stations (multicast or broadcast) and so for no device.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.octets()[0] & 0x01 != 0
    }

    /// Whether it can stand for a device: not a group, not all zeros.
    #[must_use]
    pub const fn is_station(self) -> bool {
        !self.is_group() && !matches!(self.octets(), [0, 0, 0, 0, 0, 0])
    }
}

impl Hash for MacAddr {
    /// In one word: every packet is looked up by it.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.get());
    }
}

impl fmt::Debug for MacAddr {
    /// Says nothing of the address: logs and panics print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacAddr(..)")
    }
}
