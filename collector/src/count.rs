//! Homes become counters, and a home adds at most one to any of them.
//!
//! Takes each home's week and the places of its contacts; gives, per vendor, how many homes were
//! asked and, per vendor and question, how many of them did it: certainly (*low*) and possibly
//! (*high*), by network, because the gate limits what one network weighs. Counters of slices add up,
//! in any order and grouping, to the same value. Nothing in them leads back to a home, but they are
//! not for the public either: only the release is.
//!
//! A home is asked about vendor V when its census lists V, by a counted basis and with names for most of
//! what was said, on at least [`limits::PRESENT_DAYS_MIN`] days of the week. It did it when a phone of V contacted an endpoint
//! that V itself owns (core or telemetry) and that is placed in C. The endpoint table alone speaks of
//! every listed endpoint, whoever owns it.
//!
//! [`limits::PRESENT_DAYS_MIN`]: phonehome_proto::limits::PRESENT_DAYS_MIN

mod packed;
mod tally;

pub use tally::Tally;

use crate::enrich::{Located, Places};
use crate::fold::{HomeWeek, Whereabouts};
use crate::geo::network::Asn;
use crate::geo::network::operator::Operator;
use crate::geo::{Column, Place, PlaceStatus};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;
use phonehome_proto::scale::Magnitude;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// Everything that is counted of one week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    homes: Tally,
    asked: BTreeMap<Vendor, Split>,
    answers: BTreeMap<(Vendor, Question), Answers>,
    shed_contacts: u64,
}

/// What is asked about the phones of a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Did they contact an endpoint of their vendor on a server there?
    Server(Column),
    /// ... on a server there, as far as it answers homes of their country? The same as
    /// [`Question::Server`] but for servers that answer from many places; told by home country only.
    Here(Column),
    /// ... in a network whose operator is registered there?
    Network(Column),
    /// ... in a network that certainly is this company's?
    Operator(Operator),
    /// ... whose owner has its seat there?
    Owner(Column),
    /// Did they contact this endpoint?
    Endpoint(EndpointId),
}

/// The homes that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Those that certainly did.
    pub low: Split,
    /// Those that possibly did.
    pub high: Split,
    /// The worst place of any of these homes, each by its best.
    pub status: PlaceStatus,
    /// The same of the homes settled in each country, as in [`Split::settled`].
    pub settled_status: BTreeMap<Option<Country>, PlaceStatus>,
    /// Homes by what they sent there.
    pub bytes_up: BTreeMap<Magnitude, u32>,
}

/// Homes of the world, and of each home country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// All of them.
    pub world: Tally,
    /// Those settled in one country, or (`None`) in a place no table knows. Roaming homes are in the
    /// world only.
    pub settled: BTreeMap<Option<Country>, Tally>,
}

/// What one home did, as far as one question goes.
struct Did {
    best: PlaceStatus,
    bytes_up: u64,
}

/// Where a home's one vote goes.
#[derive(Clone, Copy)]
struct Voter {
    /// Its network, if it weighs.
    network: Option<Asn>,
    /// The home countries it counts in, besides the world.
    settled: Option<Option<Country>>,
}

// === impl Counters ===

impl Counters {
    /// Counts one home.
    pub fn count(&mut self, home: &HomeWeek, places: &mut Places<'_>) {
        let voter = Voter::of(home, places);
        self.homes.add(voter.network);
        self.shed_contacts += home.shed_contacts();
        let counted = |vendor: Vendor| home.vendors().get(&vendor).is_some_and(|p| p.is_counted());
        for &vendor in home.vendors().keys().filter(|&&vendor| counted(vendor)) {
            self.asked.entry(vendor).or_default().add(voter);
        }
        let mut did = BTreeMap::new();
        for (&key, &contact) in home
            .contacts()
            .iter()
            .filter(|(key, _)| counted(key.vendor))
        {
            note(&mut did, &places.locate(key, contact, home.whereabouts()));
        }
        for (key, did) in did {
            self.answers.entry(key).or_default().add(voter, &did);
        }
    }

    /// One home's votes, for tests that need many homes and none of their batches. Servers are for the
    /// homes of its country what they are for the world, unless the votes say otherwise.
    #[cfg(test)]
    pub(crate) fn vote(
        &mut self,
        vendor: Vendor,
        network: Option<Asn>,
        settled: Option<Option<Country>>,
        did: &[(Question, PlaceStatus)],
    ) {
        let voter = Voter { network, settled };
        self.homes.add(network);
        self.asked.entry(vendor).or_default().add(voter);
        let says_here = did.iter().any(|(q, _)| matches!(q, Question::Here(_)));
        let here = did.iter().filter_map(|&(question, best)| match question {
            Question::Server(column) if !says_here => Some((Question::Here(column), best)),
            _ => None,
        });
        for (question, best) in did.iter().copied().chain(here) {
            let answers = self.answers.entry((vendor, question)).or_default();
            answers.add(voter, &Did { best, bytes_up: 0 });
        }
    }

    /// Takes in the counters of another slice of the same week.
    pub fn add(&mut self, other: Self) {
        self.homes.plus(&other.homes);
        self.shed_contacts += other.shed_contacts;
        for (vendor, split) in other.asked {
            self.asked.entry(vendor).or_default().plus(&split);
        }
        for (key, answers) in other.answers {
            self.answers.entry(key).or_default().plus(&answers);
        }
    }

    /// All homes that reported.
    #[must_use]
    pub const fn homes(&self) -> &Tally {
        &self.homes
    }

    /// The homes asked about a vendor.
    #[must_use]
    pub fn asked(&self, vendor: Vendor) -> Option<&Split> {
        self.asked.get(&vendor)
    }

    /// The homes that did it; `None` if none did.
    #[must_use]
    pub fn answers(&self, vendor: Vendor, question: Question) -> Option<&Answers> {
        self.answers.get(&(vendor, question))
    }

    /// Every question that any home answered, sorted.
    pub fn questions(&self) -> impl Iterator<Item = (Vendor, Question)> {
        self.answers.keys().copied()
    }

    /// Contacts that some home had beyond what is kept of one.
    #[must_use]
    pub const fn shed_contacts(&self) -> u64 {
        self.shed_contacts
    }
}

/// Notes under every question what one contact says; of several, the best place decides.
fn note(did: &mut BTreeMap<(Vendor, Question), Did>, located: &Located) {
    let Located { key, contact, .. } = located;
    let mut note = |question, status| {
        let entry = did.entry((key.vendor, question)).or_insert(Did {
            best: PlaceStatus::Unknown,
            bytes_up: 0,
        });
        entry.best = entry.best.min(status);
        entry.bytes_up = entry.bytes_up.saturating_add(contact.bytes_up);
    };
    note(Question::Endpoint(key.endpoint), PlaceStatus::Confident);
    if !key.endpoint.is_own_of(key.vendor) {
        return;
    }
    let mut table = |question: fn(Column) -> Question, place: &Place| {
        place
            .columns()
            .for_each(|column| note(question(column), place.status()));
    };
    table(Question::Server, &located.server);
    table(Question::Here, &located.here);
    table(Question::Network, &located.network);
    table(Question::Owner, &located.owner);
    if let Some(operator) = located.operator {
        note(Question::Operator(operator), PlaceStatus::Confident);
    }
}

// === impl Voter ===

impl Voter {
    fn of(home: &HomeWeek, places: &Places<'_>) -> Self {
        let weighing = |network| places.atlas().weighs(network).then_some(network);
        match home.whereabouts() {
            Whereabouts::Settled(at) => Self {
                network: weighing(at.network),
                settled: Some(Some(at.country)),
            },
            Whereabouts::Roaming(at) => Self {
                network: weighing(at.network),
                settled: None,
            },
            Whereabouts::Unknown => Self {
                network: None,
                settled: Some(None),
            },
        }
    }
}

// === impl Answers ===

impl Default for Answers {
    fn default() -> Self {
        Self {
            low: Split::default(),
            high: Split::default(),
            status: PlaceStatus::Confident,
            settled_status: BTreeMap::new(),
            bytes_up: BTreeMap::new(),
        }
    }
}

impl Answers {
    fn add(&mut self, voter: Voter, did: &Did) {
        self.high.add(voter);
        if did.best.counts_low() {
            self.low.add(voter);
        }
        self.status = self.status.max(did.best);
        if let Some(country) = voter.settled {
            self.worsen(country, did.best);
        }
        *self
            .bytes_up
            .entry(Magnitude::of(did.bytes_up))
            .or_default() += 1;
    }

    fn plus(&mut self, other: &Self) {
        self.low.plus(&other.low);
        self.high.plus(&other.high);
        self.status = self.status.max(other.status);
        for (&country, &status) in &other.settled_status {
            self.worsen(country, status);
        }
        for (&step, homes) in &other.bytes_up {
            *self.bytes_up.entry(step).or_default() += homes;
        }
    }

    fn worsen(&mut self, country: Option<Country>, status: PlaceStatus) {
        let worst = self.settled_status.entry(country).or_insert(status);
        *worst = status.max(*worst);
    }
}

// === impl Split ===

impl Split {
    fn add(&mut self, voter: Voter) {
        self.world.add(voter.network);
        if let Some(country) = voter.settled {
            self.settled.entry(country).or_default().add(voter.network);
        }
    }

    fn plus(&mut self, other: &Self) {
        self.world.plus(&other.world);
        for (&country, tally) in &other.settled {
            self.settled.entry(country).or_default().plus(tally);
        }
    }
}

#[cfg(test)]
mod tests;
