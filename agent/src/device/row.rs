//! Devices as they are shown, to their holder only.

use super::DeviceTag;
use crate::evidence::Verdict;
use phonehome_proto::time::{Day, Timestamp};

/// Whether a device has a MAC address, and whose doing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacKind {
    /// Given by a maker.
    Global,
    /// Made up by the device, as phones do by default.
    Randomised,
    /// The link layer has none, or not the device's.
    None,
}

/// A device as the `devices` view shows it, to its holder only.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceRow {
    /// The local tag.
    pub device: DeviceTag,
    /// Whether it has a MAC address, and whose doing it is.
    pub mac_kind: MacKind,
    /// The first three bytes of the MAC address.
    pub mac_prefix: Option<[u8; 3]>,
    /// What is known of it.
    pub verdict: Verdict,
}

/// When and as what a device was seen, for the household to decide about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The device as its holder may see it.
    pub row: DeviceRow,
    /// The UTC days on which it was seen to send something of its own, in order.
    pub days: Vec<Day>,
    /// When it was last heard of.
    pub last_seen: Timestamp,
}

// === impl MacKind ===

impl MacKind {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Randomised => "randomised",
            Self::None => "none",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Global, Self::Randomised, Self::None];
        all.into_iter().find(|kind| kind.as_str() == word)
    }
}
