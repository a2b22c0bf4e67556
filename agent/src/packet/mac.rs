//! The address of a station on the link.

use std::fmt;
use std::hash::{Hash, Hasher};

/// A 48-bit link-layer address.
///
/// It never leaves the agent: nothing outside this crate can read its bytes, and it prints as nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    #[cfg(test)]
    pub(crate) const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The address at the beginning of these bytes, if they are enough.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self)
    }

    /// All six bytes, for the keyed hash that makes a device's local tag.
    pub(crate) const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The first three bytes: the maker's, unless the address is a random one. For local use only.
    #[must_use]
    pub const fn prefix(self) -> [u8; 3] {
        let [a, b, c, ..] = self.0;
        [a, b, c]
    }

    /// Whether the address was made up by its device and not given by a maker: the local bit.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// Whether it stands for many stations (multicast or broadcast) and so for no device.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// Whether it can stand for a device: not a group, not all zeros.
    #[must_use]
    pub const fn is_station(self) -> bool {
        !self.is_group() && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

impl Hash for MacAddr {
    /// In one word: every packet is looked up by it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.0;
        state.write_u64(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
    }
}

impl fmt::Debug for MacAddr {
    /// Says nothing of the address: logs and panics print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacAddr(..)")
    }
}
