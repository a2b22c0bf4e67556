//! Routers: the agent's own stages, called as its daemon calls them.
//!
//! Takes what a home's phones do, day by day; gives what the home says of each day. What is known of a
//! phone grows over the week, and each day is decided by what is known at its end.

use super::phone::Phone;
use phonehome_agent::device::DeviceTag;
use phonehome_agent::evidence::{Evidence, Verdict};
use phonehome_agent::observe::{Contact, DaySummary, Observer, Rules};
use phonehome_proto::batch::Source;
use phonehome_proto::census::Basis;
use phonehome_proto::endpoint::EndpointList;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::Day;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// How phones known by a circular basis are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circular {
    /// As what they are.
    Told,
    /// As if they had been inferred: the mistake that the basis is there to prevent.
    Counted,
}

/// A home's router, with an agent on it.
pub struct Router {
    observer: Observer,
    known: Vec<Known>,
    verdicts: BTreeMap<DeviceTag, Verdict>,
    circular: Circular,
}

/// What is known of one phone.
struct Known {
    tag: DeviceTag,
    declared: Option<Vendor>,
    evidence: Evidence,
    /// Clues that the verdict has heard.
    judged: usize,
    has_joined: bool,
    /// Names already learnt from: one clue is one fact, however often it is seen.
    heard: Vec<String>,
}

impl Router {
    /// The router of a home with these phones, all of them allowed.
    ///
    /// # Panics
    /// Never: there are fewer phones than tags.
    #[must_use]
    pub fn new<'a>(phones: impl Iterator<Item = &'a Phone>, circular: Circular) -> Self {
        let known: Vec<Known> = phones
            .enumerate()
            .map(|(at, phone)| Known::of(at, phone))
            .collect();
        let mut router = Self {
            observer: Observer::new(Rules {
                allowed: known.iter().map(|known| known.tag).collect(),
                purpose: Purpose::Observatory,
                list: EndpointList::compiled_in(),
            }),
            known,
            verdicts: BTreeMap::new(),
            circular,
        };
        (0..router.known.len()).for_each(|number| router.judge(number));
        router
    }

    /// A phone, by its number, is at home. `asks` for an address if it is not known here yet.
    pub fn see(&mut self, number: usize, phone: &Phone, day: Day, asks: bool) {
        let known = &mut self.known[number];
        self.observer.handle_presence(day, known.tag);
        if asks && !known.has_joined {
            known.has_joined = true;
            phone.join(&mut known.evidence);
        }
    }

    /// A phone contacts somebody. What is withheld is so for a reason that other tests look into.
    pub fn contact(&mut self, number: usize, contact: &Contact<'_>) {
        let known = &mut self.known[number];
        if let Some((name, _)) = contact.name
            && !known.heard.iter().any(|heard| heard == name)
        {
            known.heard.push(name.to_owned());
            known.evidence.handle_name(name);
        }
        let _ = self.observer.handle_contact(contact, Some(known.tag));
    }

    /// A day is over.
    pub fn close(&mut self, day: Day) -> Option<DaySummary> {
        (0..self.known.len()).for_each(|number| self.judge(number));
        self.observer.close_day(day, Source::Tap, &self.verdicts)
    }

    /// What it makes of each phone by now.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.known.iter().map(|known| &self.verdicts[&known.tag])
    }

    fn judge(&mut self, number: usize) {
        let known = &mut self.known[number];
        let clues = known.evidence.clues().len();
        // A verdict hangs on nothing else, and takes longer than the rest of the day.
        if clues == known.judged && self.verdicts.contains_key(&known.tag) {
            return;
        }
        known.judged = clues;
        let mut verdict = Verdict::of(&known.evidence, known.declared);
        if let (Circular::Counted, Some(stated)) = (self.circular, &mut verdict.stated)
            && stated.basis == Basis::Circular
        {
            stated.basis = Basis::Inferred;
        }
        self.verdicts.insert(known.tag, verdict);
    }
}

impl Known {
    fn of(number: usize, phone: &Phone) -> Self {
        Self {
            tag: format!("{number:08x}").parse().expect("eight digits"),
            declared: phone.declared,
            evidence: phone.address_evidence(),
            judged: 0,
            has_joined: false,
            heard: Vec::new(),
        }
    }
}
