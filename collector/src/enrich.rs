//! Contacts get their places: where the server stands, who runs its network, who owns its name.
//!
//! Two passes over the homes of a week, both from one atlas. First a [`Survey`] hears every home's
//! round trips, because a country falls only when many homes refute it; settled, it becomes
//! [`Places`], which locate every contact. Surveys of slices add up in any order. What is remembered
//! of places already located is bounded, and changes no answer.
//!
//! An address that answers from many places has no country in the world, but it may have one for the
//! homes of a country: every contact has two places of its server, the world's and the one *here*.

use crate::fold::{Contact, ContactKey, HomeWeek, Whereabouts};
use crate::geo::atlas::Atlas;
use crate::geo::light::{Hearsay, Quorum, Reach, Testimony};
use crate::geo::network::operator::Operator;
use crate::geo::{Place, PlaceStatus};
use crate::packing::{Packed, unpack_all};
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::observation::Destination;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Places that are remembered; further ones are looked up each time.
const REMEMBERED_MAX: usize = 65_536;

/// The first pass: what the homes' round trips say.
#[derive(Clone)]
pub struct Survey<'a> {
    atlas: &'a Atlas,
    hearsay: Hearsay,
    shed_round_trips: u64,
}

/// The second pass: where everything stands.
#[derive(Clone)]
pub struct Places<'a> {
    atlas: &'a Atlas,
    quorum: Quorum,
    testimony: Arc<Testimony>,
    sites: BTreeMap<(Prefix, Option<Country>), Site>,
    here: BTreeMap<(Prefix, Option<Country>, Country), Place>,
}

/// A contact with its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Whose phones, which endpoint, at which destination.
    pub key: ContactKey,
    /// What they said.
    pub contact: Contact,
    /// Where the server stands.
    pub server: Place,
    /// The same for homes of this home's country: another place only where `server` is anycast.
    pub here: Place,
    /// Under which country the operator of its network is registered.
    pub network: Place,
    /// Which operator that is, where it can be only one.
    pub operator: Option<Operator>,
    /// Where the owner of the name has its seat.
    pub owner: Place,
}

/// What light changed, for whoever runs the collector: going by the address databases alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LightReport {
    /// Prefixes that homes were heard about.
    pub prefixes: u64,
    /// Those that answer from places too far apart, in no table of such.
    pub anycast: u64,
    /// Countries struck out, over all prefixes.
    pub impossible: u64,
    /// Countries that stay, though no network reaches so far in that time.
    pub implausible: u64,
    /// At least so many homes lie if any of these countries was struck out wrongly; `None` if none
    /// was.
    pub liars_min: Option<u32>,
}

#[derive(Clone)]
struct Site {
    server: Place,
    network: Place,
    operator: Option<Operator>,
}

// === impl Survey ===

impl<'a> Survey<'a> {
    /// A survey that heard nobody yet.
    #[must_use]
    pub fn new(atlas: &'a Atlas) -> Self {
        Self {
            atlas,
            hearsay: Hearsay::default(),
            shed_round_trips: 0,
        }
    }

    /// Hears one home. Homes that name two countries, or stand where nobody lives, say nothing; nor
    /// does one that something close by answers.
    pub fn hear(&mut self, home: &HomeWeek) {
        self.shed_round_trips += home.shed_round_trips();
        let Whereabouts::Settled(origin) = home.whereabouts() else {
            return;
        };
        if self.atlas.weighs(origin.network) && !home.is_answered_nearby() {
            let round_trips = home.round_trips().iter();
            let round_trips = round_trips.map(|(&prefix, &rtt)| (prefix, rtt));
            self.shed_round_trips += self.hearsay.hear(origin, round_trips);
        }
    }

    /// Takes in what another slice's survey heard.
    pub fn add(&mut self, other: Self) {
        self.shed_round_trips += other.shed_round_trips + self.hearsay.add(other.hearsay);
    }

    /// Round trips that found no room; they would only have narrowed places.
    #[must_use]
    pub const fn shed_round_trips(&self) -> u64 {
        self.shed_round_trips
    }

    /// What was heard, to be kept until everybody was; the atlas is left out.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.hearsay.pack(&mut out);
        self.shed_round_trips.pack(&mut out);
        out
    }

    /// A survey that was packed, over the atlas it was made with; `None` if these bytes are none.
    #[must_use]
    pub fn unpacked(atlas: &'a Atlas, packed: &[u8]) -> Option<Self> {
        let (hearsay, shed_round_trips) = unpack_all(packed)?;
        Some(Self {
            atlas,
            hearsay,
            shed_round_trips,
        })
    }

    /// Everybody was heard.
    #[must_use]
    pub fn settle(self, quorum: Quorum) -> Places<'a> {
        Places {
            atlas: self.atlas,
            quorum,
            testimony: Arc::new(self.hearsay.settle()),
            sites: BTreeMap::new(),
            here: BTreeMap::new(),
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

    /// Where one contact of a home went.
    pub fn locate(&mut self, key: ContactKey, contact: Contact, home: Whereabouts) -> Located {
        let region = key.endpoint.region();
        let (site, here) = match key.destination {
            Destination::Prefix(prefix) => {
                let site = self.site(prefix, region);
                let here = match (site.server.status(), home) {
                    (PlaceStatus::Anycast, Whereabouts::Settled(origin)) => {
                        self.here(prefix, region, origin.country)
                    }
                    _ => site.server.clone(),
                };
                (site, here)
            }
            // The list says only that a content network serves it, from close to the home.
            Destination::Edge => {
                let site = Site {
                    server: Place::anycast(),
                    network: Place::of_opinions([]),
                    operator: None,
                };
                (site, Place::anycast())
            }
        };
        Located {
            key,
            contact,
            server: site.server,
            here,
            network: site.network,
            operator: site.operator,
            owner: self.atlas.owners().place(key.endpoint),
        }
    }

    /// What light changed.
    #[must_use]
    pub fn light_report(&self) -> LightReport {
        let mut report = LightReport::default();
        for prefix in self.testimony.prefixes() {
            report.prefixes += 1;
            if self.atlas.is_anycast(prefix) {
                continue;
            }
            if self.is_anycast_by_light(prefix) {
                report.anycast += 1;
                continue;
            }
            for &place in self.atlas.locate(prefix).candidates() {
                let distances = self.atlas.distances();
                let verdict = self
                    .testimony
                    .verdict(distances, self.quorum, prefix, place, None);
                match verdict.reach {
                    Reach::Plausible => {}
                    Reach::Implausible => report.implausible += 1,
                    Reach::Impossible => {
                        report.impossible += 1;
                        let least = report.liars_min.unwrap_or(u32::MAX);
                        report.liars_min = Some(least.min(verdict.liars_min));
                    }
                }
            }
        }
        report
    }

    fn site(&mut self, prefix: Prefix, region: Option<Country>) -> Site {
        if let Some(site) = self.sites.get(&(prefix, region)) {
            return site.clone();
        }
        let site = Site {
            server: if self.atlas.is_anycast(prefix) || self.is_anycast_by_light(prefix) {
                Place::anycast()
            } else {
                Place::of_opinions(&self.opinions(prefix, region, None))
            },
            network: self.atlas.networks().operators(prefix),
            operator: self.atlas.networks().operator(prefix),
        };
        if self.sites.len() < REMEMBERED_MAX {
            self.sites.insert((prefix, region), site.clone());
        }
        site
    }

    /// Where a server of an anycast prefix stands, so far as it answers homes of this country. Unless
    /// these speak for themselves, nothing is known but that it is one of many places.
    fn here(&mut self, prefix: Prefix, region: Option<Country>, home: Country) -> Place {
        if let Some(place) = self.here.get(&(prefix, region, home)) {
            return place.clone();
        }
        let place = if self.testimony.speaks(self.quorum, prefix, home) {
            let opinions = self.opinions(prefix, region, Some(home));
            Place::one_of(opinions.into_iter().flatten().collect())
        } else {
            Place::anycast()
        };
        if self.here.len() < REMEMBERED_MAX {
            self.here.insert((prefix, region, home), place.clone());
        }
        place
    }

    /// What every source says, without the countries that light refutes: a source that names only
    /// such has said nothing. What is left may be single where it was disputed, and unknown where it
    /// was single.
    fn opinions(
        &self,
        prefix: Prefix,
        region: Option<Country>,
        within: Option<Country>,
    ) -> Vec<BTreeSet<Country>> {
        let stands = |place: &Country| {
            let distances = self.atlas.distances();
            let verdict = self
                .testimony
                .verdict(distances, self.quorum, prefix, *place, within);
            verdict.reach < Reach::Impossible
        };
        let opinions = self.atlas.opinions(prefix, region).into_iter();
        opinions
            .map(|opinion| opinion.countries.into_iter().filter(stands).collect())
            .collect()
    }

    fn is_anycast_by_light(&self, prefix: Prefix) -> bool {
        self.testimony
            .is_anycast(self.atlas.distances(), self.quorum, prefix)
    }
}
