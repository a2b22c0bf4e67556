//! Contacts of a time when the clock was not set.
//!
//! A router without a clock of its own boots at a time that is long past, and learns the right one
//! after a while. Until then a contact cannot be put on a day; it is held, and dated once it is known
//! by how much the clock was wrong. Bounded by [`UNDATED_MAX`]; what does not fit is a loss of the day
//! on which the clock was set.

use super::{Account, Contact};
use crate::device::DeviceTag;
use phonehome_proto::batch::Loss;
use phonehome_proto::observation::{NamedBy, Service};
use phonehome_proto::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Contacts held while the clock is not set; a further one is withheld and counted.
pub const UNDATED_MAX: usize = 2_048;

/// What waits for its date.
#[derive(Debug, Default)]
pub(super) struct Undated {
    contacts: Vec<Held>,
    pub(super) losses: BTreeMap<Loss, u64>,
}

/// A contact of an allowed device, with a name of its own.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) device: DeviceTag,
    start: Timestamp,
    client: IpAddr,
    server: IpAddr,
    is_intercepted: bool,
    service: Service,
    name: Option<(Box<str>, NamedBy)>,
    tap: Account,
    kernel: Option<Account>,
    rtt: Option<(u64, u32)>,
}

// === impl Undated ===

impl Undated {
    /// Holds a contact; `None` when there is no room, which is a loss.
    pub(super) fn hold(&mut self, contact: &Contact<'_>, device: DeviceTag) -> Option<()> {
        if self.contacts.len() >= UNDATED_MAX {
            self.note_loss(Loss::UndatedFlows, 1);
            return None;
        }
        self.contacts.push(Held {
            device,
            start: contact.start,
            client: contact.client,
            server: contact.server,
            is_intercepted: contact.is_intercepted,
            service: contact.service,
            name: contact.name.map(|(name, by)| (name.into(), by)),
            tap: contact.tap,
            kernel: contact.kernel,
            rtt: contact.rtt,
        });
        Some(())
    }

    pub(super) fn note_loss(&mut self, loss: Loss, count: u64) {
        let lost = self.losses.entry(loss).or_default();
        *lost = lost.saturating_add(count);
    }

    /// Drops the contacts of devices that are not among these; says how many.
    pub(super) fn retain(&mut self, allowed: &BTreeSet<DeviceTag>) -> u64 {
        let before = self.contacts.len();
        self.contacts.retain(|held| allowed.contains(&held.device));
        (before - self.contacts.len())
            .try_into()
            .unwrap_or(u64::MAX)
    }

    /// All that was held, in order.
    pub(super) fn take(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.contacts)
    }
}

// === impl Held ===

impl Held {
    /// The contact, dated anew.
    pub(super) fn contact(&self, delta_nanos: i64) -> Contact<'_> {
        Contact {
            start: Timestamp::from_nanos(self.start.nanos().saturating_add(delta_nanos)),
            client: self.client,
            server: self.server,
            is_intercepted: self.is_intercepted,
            service: self.service,
            name: self.name.as_ref().map(|(name, by)| (&**name, *by)),
            tap: self.tap,
            kernel: self.kernel,
            rtt: self.rtt,
        }
    }
}
