//! The devices the household has decided about.
//!
//! Each is known by its local tag, and carries the name somebody of the household gave it. What is
//! not in the list is not observed.

use super::{Claim, State, StateError};
use crate::device::DeviceTag;
use phonehome_proto::vendor::Vendor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The household's decisions, by device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList {
    decisions: BTreeMap<DeviceTag, Decision>,
}

/// What the household decided about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is observed.
    Allowed {
        /// What the household calls it.
        name: DeviceName,
        /// Its maker, if its holder said so.
        vendor: Option<Vendor>,
    },
    /// It is not observed, and was once asked about.
    Denied,
}

/// A name a household gives: up to [`DeviceName::CHARS_MAX`] printable characters. It stays at home.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceName(String);

/// A text that is no name for a device.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "a device's name has 1 to {} printable characters",
    DeviceName::CHARS_MAX
)]
pub struct NotADeviceName;

/// The list is full.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a household decides about at most {DEVICES_MAX} devices")]
pub struct TooManyDevices;

/// `devices.json`: one row per device.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    tag: String,
    allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
}

/// More devices than a household holds; a further one is refused.
const DEVICES_MAX: usize = 256;

pub(super) const DEVICES: &str = "devices.json";

// === impl DeviceList ===

impl DeviceList {
    /// The decision about a device, if there is one.
    #[must_use]
    pub fn get(&self, tag: DeviceTag) -> Option<&Decision> {
        self.decisions.get(&tag)
    }

    /// Decides about a device.
    ///
    /// # Errors
    /// [`TooManyDevices`] for a new one in a full list.
    pub fn set(&mut self, tag: DeviceTag, decision: Decision) -> Result<(), TooManyDevices> {
        if self.decisions.len() >= DEVICES_MAX && !self.decisions.contains_key(&tag) {
            return Err(TooManyDevices);
        }
        self.decisions.insert(tag, decision);
        Ok(())
    }

    /// Every decision, by tag.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceTag, &Decision)> {
        self.decisions
            .iter()
            .map(|(tag, decision)| (*tag, decision))
    }

    /// The allowed devices, and the maker their holders declared.
    pub fn allowed(&self) -> impl Iterator<Item = (DeviceTag, Option<Vendor>)> {
        self.iter().filter_map(|(tag, decision)| match decision {
            Decision::Allowed { vendor, .. } => Some((tag, *vendor)),
            Decision::Denied => None,
        })
    }
}

// === impl DeviceName ===

impl DeviceName {
    /// Characters of the longest name.
    pub const CHARS_MAX: usize = 64;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = NotADeviceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let fits = (1..=Self::CHARS_MAX).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotADeviceName)
        }
    }
}

impl fmt::Debug for DeviceName {
    /// Names stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceName(..)")
    }
}

// === the file ===

impl State {
    /// The household's decisions.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn devices(&self) -> Result<DeviceList, StateError> {
        let mut list = DeviceList::default();
        for (at, row) in self
            .json::<Vec<Row>>(DEVICES)?
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let wrong = |what: &str| {
                self.damaged(DEVICES, 1, &format!("{what} of device {} is wrong", at + 1))
            };
            let tag = row.tag.parse().map_err(|_| wrong("the tag"))?;
            let decision = match (row.allowed, &row.name) {
                (false, _) => Decision::Denied,
                (true, None) => return Err(wrong("the name")),
                (true, Some(name)) => Decision::Allowed {
                    name: name.parse().map_err(|_| wrong("the name"))?,
                    vendor: match &row.vendor {
                        None => None,
                        Some(id) => Some(Vendor::from_id(id).ok_or_else(|| wrong("the vendor"))?),
                    },
                },
            };
            list.set(tag, decision).map_err(|_| wrong("the number"))?;
        }
        Ok(list)
    }
}

impl Claim {
    /// Keeps the household's decisions.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn set_devices(&self, list: &DeviceList) -> Result<(), StateError> {
        let rows: Vec<_> = list
            .iter()
            .map(|(tag, decision)| match decision {
                Decision::Allowed { name, vendor } => Row {
                    tag: tag.to_string(),
                    allowed: true,
                    name: Some(name.0.clone()),
                    vendor: vendor.map(|vendor| vendor.id().to_owned()),
                },
                Decision::Denied => Row {
                    tag: tag.to_string(),
                    allowed: false,
                    name: None,
                    vendor: None,
                },
            })
            .collect();
        self.write_json(DEVICES, &rows)
    }
}
