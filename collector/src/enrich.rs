//! Contacts get their places: where the server stands, who runs its network, who owns its name.
//!
//! Two passes over the homes of a week, both from one atlas. First a [`Survey`] hears every home's
//! round trips, because a country falls only when several homes refute it; settled, it becomes
//! [`Places`], which locate every contact. Surveys of slices add up in any order. What is remembered
//! of prefixes already located is bounded, and changes no answer.

use crate::fold::{Contact, ContactKey, HomeWeek, Whereabouts};
use crate::geo::atlas::Atlas;
use crate::geo::light::{self, Hearsay, Refuted};
use crate::geo::{Place, owner};
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::observation::Destination;
use std::collections::{BTreeMap, BTreeSet};

/// Prefixes whose places are remembered; further ones are looked up each time.
const REMEMBERED_MAX: usize = 65_536;

/// The first pass: what the homes' round trips refute.
#[derive(Clone)]
pub struct Survey<'a> {
    atlas: &'a Atlas,
    hearsay: Hearsay,
    shed_refutations: u64,
    candidates: BTreeMap<Prefix, BTreeSet<Country>>,
}

/// The second pass: where everything stands.
#[derive(Clone)]
pub struct Places<'a> {
    atlas: &'a Atlas,
    refuted: Refuted,
    sites: BTreeMap<Prefix, Site>,
}

/// A contact with its three places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Whose phones, which endpoint, at which destination.
    pub key: ContactKey,
    /// What they said.
    pub contact: Contact,
    /// Where the server stands.
    pub server: Place,
    /// Under which country the operator of its network is registered.
    pub network: Place,
    /// Where the owner of the name has its seat.
    pub owner: Place,
}

#[derive(Clone)]
struct Site {
    server: Place,
    network: Place,
}

// === impl Survey ===

impl<'a> Survey<'a> {
    /// A survey that heard nobody yet.
    #[must_use]
    pub fn new(atlas: &'a Atlas) -> Self {
        Self {
            atlas,
            hearsay: Hearsay::default(),
            shed_refutations: 0,
            candidates: BTreeMap::new(),
        }
    }

    /// Hears one home. Homes that name two countries, or stand where nobody lives, say nothing; nor
    /// does one whose every round trip is of the shortest step.
    pub fn hear(&mut self, home: &HomeWeek) {
        let Whereabouts::Settled(origin) = home.whereabouts() else {
            return;
        };
        if !self.atlas.weighs(origin.network)
            || home
                .round_trips()
                .all(|(_, rtt)| light::is_shortest(rtt.min))
        {
            return;
        }
        for (prefix, rtt) in home.round_trips() {
            let located;
            let candidates = if let Some(known) = self.candidates.get(&prefix) {
                known
            } else {
                located = self.atlas.locate(prefix).candidates().clone();
                if self.candidates.len() < REMEMBERED_MAX {
                    self.candidates.entry(prefix).or_insert(located)
                } else {
                    &located
                }
            };
            let distances = self.atlas.distances();
            self.shed_refutations += self
                .hearsay
                .hear(distances, origin, prefix, candidates, rtt);
        }
    }

    /// Takes in what another slice's survey heard.
    pub fn add(&mut self, other: Self) {
        self.shed_refutations += other.shed_refutations + self.hearsay.add(other.hearsay);
    }

    /// Refutations that found no room; they would only have narrowed places.
    #[must_use]
    pub const fn shed_refutations(&self) -> u64 {
        self.shed_refutations
    }

    /// Everybody was heard.
    #[must_use]
    pub fn settle(self) -> Places<'a> {
        Places {
            atlas: self.atlas,
            refuted: self.hearsay.settle(),
            sites: BTreeMap::new(),
        }
    }
}

// === impl Places ===

impl Places<'_> {
    /// The atlas behind them.
    #[must_use]
    pub const fn atlas(&self) -> &Atlas {
        self.atlas
    }

    /// Where one contact went.
    pub fn locate(&mut self, key: ContactKey, contact: Contact) -> Located {
        let site = match key.destination {
            Destination::Prefix(prefix) => self.site(prefix),
            // The list says only that a content network serves it, from close to the home.
            Destination::Edge => Site {
                server: Place::anycast(),
                network: Place::of_opinions([]),
            },
        };
        let owner = owner::place(key.endpoint);
        Located {
            key,
            contact,
            server: site.server,
            network: site.network,
            owner,
        }
    }

    fn site(&mut self, prefix: Prefix) -> Site {
        if let Some(site) = self.sites.get(&prefix) {
            return site.clone();
        }
        let nothing = BTreeSet::new();
        let refuted = self.refuted.of(prefix).unwrap_or(&nothing);
        let site = Site {
            server: self.atlas.locate_without(prefix, refuted),
            network: self.atlas.networks().operators(prefix),
        };
        if self.sites.len() < REMEMBERED_MAX {
            self.sites.insert(prefix, site.clone());
        }
        site
    }
}
