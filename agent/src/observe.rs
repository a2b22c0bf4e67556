//! Observations: what may be said of the phones' conversations, and every rule that decides it.
//!
//! Takes the [`Contact`]s of a capture and at its end the verdicts on the devices they belong to, gives
//! one [`DaySummary`] per UTC day. Whose phone a device is and how that is known is decided once per
//! phone and day, when the day is over, by all that was learnt until then. This is where a home's
//! privacy is decided, all of it:
//!
//! 1. Only devices the household has allowed.
//! 2. Only phones, and only those whose vendor can be stated or was declared by the holder. An allowed
//!    phone of unknown make is one of a number and nothing else.
//! 3. Only places on the Internet, and not the home's own network there.
//! 4. Only endpoints of the public list; of them only the number. A day goes by one list, the one that
//!    was there when its first phone was seen; what a list that comes meanwhile has no more stays at
//!    home at once. Relays hide the destination, so what goes through one is counted as such.
//! 5. Of the destination only its prefix, or, where a content network answers from close to the home,
//!    not even that, nor a round-trip time.
//! 6. Of volumes and times only steps. A conversation counts on the UTC day it began on; one that is
//!    given in parts counts on the day of each.
//! 7. A vendor known only by the servers its phone asks for is marked so ([`Basis::Circular`]) and is
//!    counted in no share.
//!
//! A conversation has up to two accounts of its volume: the kernel's, which sees every byte or says
//! that it may not have, and the tap's. They count the same bytes; the kernel's is taken where there
//! is one, and they are never added.
//!
//! Conservation: contacts handled = contacts observed + [`Withheld`] for each reason. Memory is bounded
//! by [`OBSERVATIONS_MAX`], [`DAYS_MAX`] and [`UNDATED_MAX`].

mod day;
mod undated;

pub use day::DaySummary;
pub use undated::UNDATED_MAX;

use crate::device::DeviceTag;
use crate::evidence::Verdict;
use crate::tally::{Tally, reasons};
use day::{DayAccount, DeviceKey, Sums};
use phonehome_proto::batch::{Loss, Source};
use phonehome_proto::census::Basis;
use phonehome_proto::endpoint::EndpointList;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::{Prefix, Scope};
use phonehome_proto::observation::{Destination, NamedBy, Service, VolumeTrust};
use phonehome_proto::time::{Day, Timestamp};
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use undated::Undated;

/// A conversation, as far as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// When it began.
    pub start: Timestamp,
    /// The address of the device that opened it.
    pub client: IpAddr,
    /// The address of whoever answered.
    pub server: IpAddr,
    /// Whether somebody in the home answered in the server's place.
    pub is_intercepted: bool,
    /// What it spoke.
    pub service: Service,
    /// The server's name (lower case, no dot at the end) and how it was learnt. `None` where there is
    /// none, and for a front that stands for somebody else.
    pub name: Option<(&'a str, NamedBy)>,
    /// What a tap or a file showed.
    pub tap: Account,
    /// What the kernel counted, where it keeps an account.
    pub kernel: Option<Account>,
    /// The shortest handshake in nanoseconds, and how many were timed.
    pub rtt: Option<(u64, u32)>,
}

/// One account of a conversation's volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Bytes of IP packets from the device.
    pub bytes_up: u64,
    /// Bytes of IP packets to the device.
    pub bytes_down: u64,
    /// Whether these are all there were.
    pub trust: VolumeTrust,
}

reasons! {
    /// Why a contact is not reported.
    pub enum Withheld {
        /// It began before 1970: whoever captured it had no clock.
        NoDay = "no_day",
        /// Nobody of the home opened it, as far as can be told.
        NoDevice = "no_device",
        /// The household has not allowed the device.
        NotAllowed = "not_allowed",
        /// The device is not a phone.
        NotAPhone = "not_a_phone",
        /// Nobody can tell whether the device is a phone.
        PhoneUnsure = "phone_unsure",
        /// Nobody can tell whose phone it is.
        VendorUnknown = "vendor_unknown",
        /// The other end is not a place on the Internet.
        NotPublic = "not_public",
        /// Somebody in the home answered in the server's place, and nobody knows whom it asked.
        Intercepted = "intercepted",
        /// The other end lies in the home's own network.
        OwnNetwork = "own_network",
        /// It goes through a relay, which stands in nobody's country.
        Relay = "relay",
        /// It has no name.
        NoName = "no_name",
        /// Its name is not on the public list.
        Unlisted = "unlisted",
        /// There were more endpoints or days than are kept.
        Full = "full",
        /// The clock was not set, and more contacts waited for their date than are held.
        Undated = "undated",
        /// Its day was closed before it was told of.
        DayClosed = "day_closed",
    }
}

/// What became of contacts: `contacts = observed + withheld.total()`, at any time. A contact counts as
/// observed until its day is over, if only the verdict on its device is wanting.
#[derive(Clone, Debug, Default)]
pub struct ObserveCounts {
    /// Contacts handled.
    pub contacts: u64,
    /// Contacts that are part of an observation.
    pub observed: u64,
    /// Contacts that are not.
    pub withheld: Tally<Withheld>,
}

/// What the household and the collector allow.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The devices the household has allowed.
    pub allowed: BTreeSet<DeviceTag>,
    /// What the collector publishes for: in exercises, servers stand in documentation space too.
    pub purpose: Purpose,
    /// The endpoints that may be told of: compiled in, or the list the household has loaded.
    pub list: &'static EndpointList,
}

/// Gathers days.
#[derive(Debug)]
pub struct Observer {
    rules: Rules,
    days: BTreeMap<Day, DayAccount>,
    /// The last day that was closed.
    closed: Option<Day>,
    /// There while the clock is not set.
    undated: Option<Undated>,
    counts: ObserveCounts,
}

/// Observations kept of one day; a further one is withheld and counted.
pub const OBSERVATIONS_MAX: usize = 4_096;

/// Days kept of one capture; a further one is withheld and counted.
pub const DAYS_MAX: usize = 64;

// === impl Observer ===

impl Observer {
    /// An observer that has seen nothing.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            days: BTreeMap::new(),
            closed: None,
            undated: None,
            counts: ObserveCounts::default(),
        }
    }

    /// An observer that has seen nothing and does not know the time: what it is told waits for
    /// [`Observer::redate`]. Presence is nothing to tell it before.
    #[must_use]
    pub fn undated(rules: Rules) -> Self {
        Self {
            undated: Some(Undated::default()),
            ..Self::new(rules)
        }
    }

    /// The clock is set, and was wrong by so much: dates what was held. What was lost meanwhile is
    /// lost of `today`.
    pub fn redate(&mut self, delta_nanos: i64, today: Day) {
        let Some(mut undated) = self.undated.take() else {
            return;
        };
        for held in undated.take() {
            if let Err(why) = self.decide(&held.contact(delta_nanos), Some(held.device)) {
                self.withhold(why, 1);
            }
        }
        for (loss, count) in undated.losses {
            self.handle_loss(today, loss, count);
        }
    }

    /// The household or the collector has changed its mind. What was gathered of devices that are no
    /// longer allowed is dropped, and so is what was gathered of endpoints that the list has no more.
    pub fn set_rules(&mut self, rules: Rules) {
        let mut dropped = 0;
        for account in self.days.values_mut() {
            dropped += account.retain(&rules.allowed);
        }
        if let Some(undated) = &mut self.undated {
            dropped += undated.retain(&rules.allowed);
        }
        self.withhold(Withheld::NotAllowed, dropped);
        let accounts = self.days.values_mut();
        let dropped = accounts.map(|account| account.retain_listed(rules.list));
        let dropped = dropped.sum();
        self.withhold(Withheld::Unlisted, dropped);
        self.rules = rules;
    }

    /// Notes that a device was in the home on a day, whether or not it contacted anybody: else the
    /// number of phones that could have would be wrong.
    pub fn handle_presence(&mut self, day: Day, device: DeviceTag) {
        if self.undated.is_none()
            && self.rules.allowed.contains(&device)
            && let Ok(account) = self.account(day)
        {
            account.note_present(device);
        }
    }

    /// Decides about a contact, and adds it up if it may be reported. `device` is the one that opened it.
    ///
    /// # Errors
    /// [`Withheld`] says which rule kept it at home.
    pub fn handle_contact(
        &mut self,
        contact: &Contact<'_>,
        device: Option<DeviceTag>,
    ) -> Result<(), Withheld> {
        self.counts.contacts += 1;
        let decision = self.decide(contact, device);
        match decision {
            Ok(()) => self.counts.observed += 1,
            Err(why) => self.counts.withheld.add(why, 1),
        }
        decision
    }

    /// Notes that something was missed on a day; where that is closed already, on the next.
    pub fn handle_loss(&mut self, day: Day, loss: Loss, count: u64) {
        if let Some(undated) = &mut self.undated {
            undated.note_loss(loss, count);
            return;
        }
        let first_open = self.closed.map_or(day, |closed| closed.plus(1));
        if let Ok(account) = self.account(day.max(first_open)) {
            account.note_loss(loss, count);
        }
    }

    /// The days that something was gathered of, in order.
    pub fn open_days(&self) -> impl Iterator<Item = Day> + '_ {
        self.days.keys().copied()
    }

    /// The devices that what was gathered of a day tells of.
    #[must_use]
    pub fn devices_on(&self, day: Day) -> BTreeSet<DeviceTag> {
        let account = self.days.get(&day);
        account.map_or_else(BTreeSet::new, |account| account.present().collect())
    }

    /// Closes a day, while others go on: what it comes to, unless no allowed phone was present. What
    /// is still told of it, or of days before it, comes too late. `verdicts` as in
    /// [`Observer::finish`].
    pub fn close_day(
        &mut self,
        day: Day,
        source: Source,
        verdicts: &BTreeMap<DeviceTag, Verdict>,
    ) -> Option<DaySummary> {
        self.closed = self.closed.max(Some(day));
        let account = self.days.remove(&day)?;
        let whose = |device: DeviceTag| whose(verdicts.get(&device));
        let (summary, withheld) = account.finish(day, source, &whose);
        self.counts.observed -= withheld.total();
        self.counts.withheld.merge(&withheld);
        summary
    }

    /// Nothing is told of the days before this one any more, whether or not anything was gathered of
    /// them: what is still said of them comes too late.
    pub fn close_before(&mut self, day: Day) {
        let last = day.number().checked_sub(1).and_then(Day::new);
        self.closed = self.closed.max(last);
    }

    /// What became of contacts so far.
    #[must_use]
    pub const fn counts(&self) -> &ObserveCounts {
        &self.counts
    }

    /// The days on which an allowed phone was present, in order, and what became of every contact.
    /// `verdicts` holds what is known of each device by now; of others nothing is.
    #[must_use]
    pub fn finish(
        mut self,
        source: Source,
        verdicts: &BTreeMap<DeviceTag, Verdict>,
    ) -> (Vec<DaySummary>, ObserveCounts) {
        let mut summaries = Vec::new();
        for day in self.open_days().collect::<Vec<_>>() {
            summaries.extend(self.close_day(day, source, verdicts));
        }
        (summaries, self.counts)
    }

    fn decide(&mut self, contact: &Contact<'_>, device: Option<DeviceTag>) -> Result<(), Withheld> {
        let device = device.ok_or(Withheld::NoDevice)?;
        if !self.rules.allowed.contains(&device) {
            return Err(Withheld::NotAllowed);
        }
        if let Some(undated) = &mut self.undated {
            return undated.hold(contact, device).ok_or(Withheld::Undated);
        }
        let day = contact.start.day().ok_or(Withheld::NoDay)?;
        self.account(day)?.note_present(device);
        self.place(contact)?;

        // From here on the device speaks to the Internet: how much of that has a name is reported.
        let present = self.rules.list;
        let account = self.account(day)?;
        let volume = contact.volume();
        let bytes = volume.bytes_up.saturating_add(volume.bytes_down);
        account.note_bytes(device, bytes, contact.name.is_some());

        let (name, named_by) = contact.name.ok_or(Withheld::NoName)?;
        if is_relay(name) {
            return Err(Withheld::Relay);
        }
        let endpoint = account.list().of_name(name);
        let endpoint = endpoint.filter(|endpoint| present.has(*endpoint));
        let endpoint = endpoint.ok_or(Withheld::Unlisted)?;
        let destination = match endpoint.edge() {
            Some(_) => Destination::Edge,
            None => Destination::Prefix(Prefix::of(contact.server)),
        };
        let service = contact.service;
        let key = DeviceKey {
            device,
            endpoint,
            destination,
            service,
            named_by,
        };
        account
            .add(key, &Sums::of(contact, destination))
            .ok_or(Withheld::Full)
    }

    /// What counted as observed is not, after all.
    fn withhold(&mut self, why: Withheld, count: u64) {
        self.counts.observed -= count;
        self.counts.withheld.add(why, count);
    }

    /// Whether the other end is a place that may be told.
    fn place(&self, contact: &Contact<'_>) -> Result<(), Withheld> {
        match (Scope::of(contact.server), self.rules.purpose) {
            (Scope::Public, _) | (Scope::Documentation, Purpose::Exercise) => {}
            (Scope::Documentation | Scope::Private | Scope::Special, _) => {
                return Err(Withheld::NotPublic);
            }
        }
        if contact.is_intercepted {
            return Err(Withheld::Intercepted);
        }
        if Prefix::of(contact.server) == Prefix::of(contact.client) {
            return Err(Withheld::OwnNetwork);
        }
        Ok(())
    }

    fn account(&mut self, day: Day) -> Result<&mut DayAccount, Withheld> {
        if self.closed.is_some_and(|closed| day <= closed) {
            return Err(Withheld::DayClosed);
        }
        if self.days.len() >= DAYS_MAX && !self.days.contains_key(&day) {
            return Err(Withheld::Full);
        }
        let list = self.rules.list;
        Ok(self
            .days
            .entry(day)
            .or_insert_with(|| DayAccount::new(list)))
    }
}

// === impl Contact ===

impl Contact<'_> {
    /// The one account that counts: the kernel's where there is one.
    #[must_use]
    pub const fn volume(&self) -> Account {
        match self.kernel {
            Some(kernel) => kernel,
            None => self.tap,
        }
    }
}

/// Whose phone a device is and how that is known, or why it is not observed as one.
fn whose(verdict: Option<&Verdict>) -> Result<(Vendor, Basis), Withheld> {
    let Some(verdict) = verdict else {
        return Err(Withheld::VendorUnknown);
    };
    match (verdict.is_phone, verdict.stated) {
        (Some(false), _) => Err(Withheld::NotAPhone),
        (_, None) => Err(Withheld::VendorUnknown),
        (None, Some(_)) => Err(Withheld::PhoneUnsure),
        (Some(true), Some(stated)) => Ok((stated.vendor, stated.basis)),
    }
}

/// Whether a name is that of a relay: the server behind it is the relay's, wherever the phone's
/// conversation goes from there.
fn is_relay(name: &str) -> bool {
    RELAYS.iter().any(|relay| {
        name.strip_suffix(relay)
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

/// Ways into iCloud Private Relay (Apple, "Prepare your network for iCloud Private Relay"), Cloudflare
/// WARP and Google's VPN, with everything below them.
const RELAYS: [&str; 8] = [
    "mask.icloud.com",
    "mask-h2.icloud.com",
    "mask-api.icloud.com",
    "mask.apple-dns.net",
    "mask-h2.apple-dns.net",
    "cloudflareclient.com",
    "warp.cloudflare.com",
    "phosphor-pa.googleapis.com",
];

#[cfg(test)]
mod tests;
