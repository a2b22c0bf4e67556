//! One home's batches become one `HomeWeek`: in memory only, one home at a time.
//!
//! Takes the batches of one home and one week, in any order, with the place each came from; gives
//! what the home as a whole did. Batches of the same day are united: presence is presence, whoever
//! repeats it; volumes add. The result does not depend on the order of the batches, and has an upper
//! size whatever the home sent. A `HomeWeek` is never written and never sent.

use crate::geo::network::Origin;
use phonehome_proto::batch::Batch;
use phonehome_proto::census::{Basis, UnnamedShare};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::limits;
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{Destination, Rtt, RttSamples};
use phonehome_proto::scale::{RTT_STEPS_MS, RttStep};
use phonehome_proto::time::{Day, Week};
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// Contacts kept of one home-week; of more, those with the highest keys are shed and counted. A home
/// of ten phones that contacts every listed endpoint in several prefixes stays below it.
pub const CONTACTS_MAX: usize = 8_192;

/// Prefixes whose round trips are kept of one home-week; of more, the highest are shed and counted. A
/// home that lies cannot crowd out what others say about many more.
pub const ROUND_TRIPS_MAX: usize = 512;

/// One home's united week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeWeek {
    whereabouts: Whereabouts,
    vendors: BTreeMap<Vendor, Presence>,
    contacts: BTreeMap<ContactKey, Contact>,
    round_trips: BTreeMap<Prefix, RttStep>,
    /// The longest round trip of all, by however many handshakes.
    longest: Option<RttStep>,
    shed_contacts: u64,
    shed_round_trips: u64,
}

/// Where the home stood in the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In one country; of several networks there, the one most of its batches came from.
    Settled(Origin),
    /// Its batches name several countries: it counts in world tables only, and refutes nothing.
    Roaming(Origin),
    /// No table knew any of its addresses.
    Unknown,
}

/// A vendor's phones in the home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// How they are known: the strongest of the week.
    pub basis: Basis,
    /// The days on which one was there that was known by a counted basis on that day, and most of what
    /// it said had a name. Other days could not have proved a contact, so they must not be asked about
    /// one.
    pub days: BTreeSet<Day>,
}

/// What makes two observations of a week the same contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactKey {
    /// Whose phones.
    pub vendor: Vendor,
    /// Which listed endpoint.
    pub endpoint: EndpointId,
    /// Where it stood.
    pub destination: Destination,
}

/// What phones of one vendor, known by a counted basis on the day, said to one endpoint at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Bytes sent, at least: the sum of the floors of what was reported.
    pub bytes_up: u64,
}

impl HomeWeek {
    /// One home's week; `None` without any batch.
    ///
    /// # Panics
    /// If a batch is of another week: the journal keeps them apart.
    #[must_use]
    pub fn of<'a>(
        week: Week,
        batches: impl IntoIterator<Item = (&'a Batch, Option<Origin>)>,
    ) -> Option<Self> {
        let mut origins: BTreeMap<Origin, u32> = BTreeMap::new();
        let mut home = Self {
            whereabouts: Whereabouts::Unknown,
            vendors: BTreeMap::new(),
            contacts: BTreeMap::new(),
            round_trips: BTreeMap::new(),
            longest: None,
            shed_contacts: 0,
            shed_round_trips: 0,
        };
        let mut is_empty = true;
        for (batch, origin) in batches {
            assert!(
                batch.header().day.week() == week,
                "the journal keeps weeks apart"
            );
            is_empty = false;
            if let Some(origin) = origin {
                *origins.entry(origin).or_default() += 1;
            }
            home.unite(batch);
        }
        home.whereabouts = Whereabouts::of(&origins);
        (!is_empty).then_some(home)
    }

    /// Where it stood.
    #[must_use]
    pub const fn whereabouts(&self) -> Whereabouts {
        self.whereabouts
    }

    /// Whose phones were there.
    #[must_use]
    pub const fn vendors(&self) -> &BTreeMap<Vendor, Presence> {
        &self.vendors
    }

    /// Whom they contacted, apart from phones known by a circular basis only.
    #[must_use]
    pub const fn contacts(&self) -> &BTreeMap<ContactKey, Contact> {
        &self.contacts
    }

    /// Contacts beyond [`CONTACTS_MAX`].
    #[must_use]
    pub const fn shed_contacts(&self) -> u64 {
        self.shed_contacts
    }

    /// The shortest round trip to each prefix, of those that are the least of five handshakes or more:
    /// one per prefix, whichever phones and endpoints it served.
    #[must_use]
    pub const fn round_trips(&self) -> &BTreeMap<Prefix, RttStep> {
        &self.round_trips
    }

    /// Whether something close by answers for everybody: no round trip, of however many handshakes,
    /// is longer than the shortest step.
    #[must_use]
    pub fn is_answered_nearby(&self) -> bool {
        let shortest = u32::from(RTT_STEPS_MS[0]);
        self.longest.is_some_and(|step| step.ms() == shortest)
    }

    /// Round trips to prefixes beyond [`ROUND_TRIPS_MAX`].
    #[must_use]
    pub const fn shed_round_trips(&self) -> u64 {
        self.shed_round_trips
    }

    fn unite(&mut self, batch: &Batch) {
        let day = batch.header().day;
        for (&(vendor, basis), row) in &batch.census().rows {
            let presence = self.vendors.entry(vendor).or_insert_with(|| Presence {
                basis,
                days: BTreeSet::new(),
            });
            presence.basis = presence.basis.min(basis);
            // Phones that hide their names, behind a tunnel or encrypted hellos, contact whom they like
            // unseen: asked, they would answer no.
            if basis.is_counted() && row.unnamed != UnnamedShare::Above50 {
                presence.days.insert(day);
            }
        }
        for observation in batch.observations() {
            let key = observation.key();
            // A phone known only by whom it contacts proves nothing about whom it contacts.
            if !key.basis.is_counted() {
                continue;
            }
            let contact = self
                .contacts
                .entry(ContactKey {
                    vendor: key.vendor,
                    endpoint: key.endpoint,
                    destination: key.destination,
                })
                .or_default();
            contact.bytes_up = contact
                .bytes_up
                .saturating_add(observation.bytes_up().floor());
            if self.contacts.len() > CONTACTS_MAX {
                // The highest goes, not the latest, so that the order never shows.
                self.contacts.pop_last();
                self.shed_contacts += 1;
            }
            if let (Destination::Prefix(prefix), Some(rtt)) = (key.destination, observation.rtt()) {
                self.hear(prefix, rtt);
            }
        }
    }

    fn hear(&mut self, prefix: Prefix, rtt: Rtt) {
        self.longest = self.longest.max(Some(rtt.min));
        if rtt.samples != RttSamples::FiveOrMore {
            return;
        }
        let least = self.round_trips.entry(prefix).or_insert(rtt.min);
        *least = rtt.min.min(*least);
        if self.round_trips.len() > ROUND_TRIPS_MAX {
            self.round_trips.pop_last();
            self.shed_round_trips += 1;
        }
    }
}

impl Whereabouts {
    /// The place most batches came from, the lowest of several; roaming if they name two countries.
    fn of(origins: &BTreeMap<Origin, u32>) -> Self {
        let most = origins.values().max();
        let Some((&home, _)) = origins.iter().find(|(_, count)| Some(*count) == most) else {
            return Self::Unknown;
        };
        if origins.keys().all(|origin| origin.country == home.country) {
            Self::Settled(home)
        } else {
            Self::Roaming(home)
        }
    }
}

impl Presence {
    /// Whether the home is one of those asked about this vendor: its phones, known by a counted
    /// basis, were there on enough days to be observed.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.days.len() >= limits::PRESENT_DAYS_MIN as usize
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
