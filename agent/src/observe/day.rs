//! One UTC day, while it is added up and when it is done.

use super::{Contact, OBSERVATIONS_MAX, Withheld};
use crate::device::DeviceTag;
use crate::tally::Tally;
use phonehome_proto::batch::{Coverage, Loss, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::endpoint::{EndpointId, EndpointList};
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Rtt, RttSamples, Service, VolumeTrust,
};
use phonehome_proto::scale::{Magnitude, RttStep};
use phonehome_proto::time::Day;
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, BTreeSet};

/// What a home says of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySummary {
    /// The UTC day.
    pub day: Day,
    /// Whose phones were present.
    pub census: Census,
    /// How the home was watched, and what was missed.
    pub coverage: Coverage,
    /// The version of the endpoint list that it goes by.
    pub endpoint_list_version: u32,
    /// What they said to whom, sorted, each key once.
    pub observations: Vec<Observation>,
}

/// Whose phone, and how that is known.
type Whose = (Vendor, Basis);

/// A day while it is added up, device by device.
#[derive(Debug)]
pub(super) struct DayAccount {
    /// The endpoint list that the day goes by, from its first moment to its last.
    list: &'static EndpointList,
    present: BTreeMap<DeviceTag, Volume>,
    sums: BTreeMap<DeviceKey, Sums>,
    losses: BTreeMap<Loss, u64>,
}

/// What makes two contacts of a day the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeviceKey {
    pub(super) device: DeviceTag,
    pub(super) endpoint: EndpointId,
    pub(super) destination: Destination,
    pub(super) service: Service,
    pub(super) named_by: NamedBy,
}

/// Bytes to and from the Internet.
#[derive(Clone, Copy, Debug, Default)]
struct Volume {
    unnamed: u64,
    total: u64,
}

/// What is added up under one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    connections: u64,
    bytes_up: u64,
    bytes_down: u64,
    volume_trust: VolumeTrust,
    /// Nanoseconds of the shortest handshake, and how many were timed.
    rtt: Option<(u64, u64)>,
}

// === impl DayAccount ===

impl DayAccount {
    /// Nothing yet, of a day that goes by this list.
    pub(super) const fn new(list: &'static EndpointList) -> Self {
        Self {
            list,
            present: BTreeMap::new(),
            sums: BTreeMap::new(),
            losses: BTreeMap::new(),
        }
    }

    /// The endpoint list that it goes by.
    pub(super) const fn list(&self) -> &'static EndpointList {
        self.list
    }

    /// The devices it tells of: who contacted anybody was present.
    pub(super) fn present(&self) -> impl Iterator<Item = DeviceTag> + '_ {
        self.present.keys().copied()
    }

    /// Notes that an allowed device was present.
    pub(super) fn note_present(&mut self, device: DeviceTag) {
        self.present.entry(device).or_default();
    }

    pub(super) fn note_bytes(&mut self, device: DeviceTag, bytes: u64, is_named: bool) {
        let unnamed = if is_named { 0 } else { bytes };
        self.present.entry(device).or_default().add(Volume {
            unnamed,
            total: bytes,
        });
    }

    pub(super) fn note_loss(&mut self, loss: Loss, count: u64) {
        let lost = self.losses.entry(loss).or_default();
        *lost = lost.saturating_add(count);
    }

    /// Adds a contact to its like; `None` when there is no room for another kind.
    pub(super) fn add(&mut self, key: DeviceKey, contact: &Sums) -> Option<()> {
        if self.sums.len() >= OBSERVATIONS_MAX && !self.sums.contains_key(&key) {
            self.note_loss(Loss::ShedObservations, 1);
            return None;
        }
        self.sums.entry(key).or_insert(Sums::NOTHING).add(contact);
        Some(())
    }

    /// Drops what was gathered of devices that are not among these; says how many contacts that were.
    pub(super) fn retain(&mut self, allowed: &BTreeSet<DeviceTag>) -> u64 {
        self.present.retain(|device, _| allowed.contains(device));
        let mut dropped = 0;
        self.sums.retain(|key, sums| {
            let is_allowed = allowed.contains(&key.device);
            dropped += if is_allowed { 0 } else { sums.connections };
            is_allowed
        });
        dropped
    }

    /// Drops what was gathered of endpoints that are not on this list; says how many contacts that were.
    pub(super) fn retain_listed(&mut self, list: &EndpointList) -> u64 {
        let mut dropped = 0;
        self.sums.retain(|key, sums| {
            let is_listed = list.has(key.endpoint);
            dropped += if is_listed { 0 } else { sums.connections };
            is_listed
        });
        dropped
    }

    /// The day in steps, unless no allowed phone was present, and the contacts that the verdicts keep
    /// at home.
    pub(super) fn finish(
        self,
        day: Day,
        source: Source,
        whose: &impl Fn(DeviceTag) -> Result<Whose, Withheld>,
    ) -> (Option<DaySummary>, Tally<Withheld>) {
        let Self {
            list,
            present,
            sums,
            losses,
        } = self;

        let mut withheld = Tally::new();
        let mut observed: BTreeMap<ObservationKey, Sums> = BTreeMap::new();
        for (key, sums) in sums {
            match whose(key.device) {
                Ok(whose) => observed
                    .entry(key.of(whose))
                    .or_insert(Sums::NOTHING)
                    .add(&sums),
                Err(why) => withheld.add(why, sums.connections),
            }
        }

        let mut phones: BTreeMap<Whose, (usize, Volume)> = BTreeMap::new();
        let mut unidentified = 0;
        for (device, volume) in present {
            match whose(device) {
                Ok(whose) => {
                    let (count, sum) = phones.entry(whose).or_default();
                    *count += 1;
                    sum.add(volume);
                }
                Err(Withheld::NotAPhone) => {}
                Err(_) => unidentified += 1,
            }
        }
        let row = |(whose, (count, volume)): (Whose, (usize, Volume))| {
            let unnamed = UnnamedShare::of(volume.unnamed, volume.total);
            Some((
                whose,
                CensusRow {
                    phones: PhoneCount::of(count)?,
                    unnamed,
                },
            ))
        };
        let census = Census {
            rows: phones.into_iter().filter_map(row).collect(),
            unidentified: PhoneCount::of(unidentified),
        };
        if census.rows.is_empty() && census.unidentified.is_none() {
            return (None, withheld);
        }

        let losses = losses
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(loss, count)| (loss, Magnitude::of(count)))
            .collect();
        let coverage = Coverage { source, losses };
        let observations = observed
            .into_iter()
            .map(|(key, sums)| sums.observation(key))
            .collect();
        (
            Some(DaySummary {
                day,
                census,
                coverage,
                endpoint_list_version: list.version(),
                observations,
            }),
            withheld,
        )
    }
}

// === impl DeviceKey ===

impl DeviceKey {
    /// The key under which it is reported: the device is gone.
    const fn of(self, (vendor, basis): Whose) -> ObservationKey {
        let Self {
            device: _,
            endpoint,
            destination,
            service,
            named_by,
        } = self;
        ObservationKey {
            vendor,
            basis,
            endpoint,
            destination,
            service,
            named_by,
        }
    }
}

// === impl Volume ===

impl Volume {
    const fn add(&mut self, other: Self) {
        self.unnamed = self.unnamed.saturating_add(other.unnamed);
        self.total = self.total.saturating_add(other.total);
    }
}

// === impl Sums ===

impl Sums {
    const NOTHING: Self = Self {
        connections: 0,
        bytes_up: 0,
        bytes_down: 0,
        volume_trust: VolumeTrust::Exact,
        rtt: None,
    };

    /// One contact. At the edge of a content network round trips tell how close the home is.
    pub(super) fn of(contact: &Contact<'_>, destination: Destination) -> Self {
        let rtt = if destination == Destination::Edge {
            None
        } else {
            contact.rtt
        };
        let volume = contact.volume();
        Self {
            connections: 1,
            bytes_up: volume.bytes_up,
            bytes_down: volume.bytes_down,
            volume_trust: volume.trust,
            rtt: rtt.map(|(nanos, samples)| (nanos, samples.into())),
        }
    }

    fn add(&mut self, other: &Self) {
        self.connections = self.connections.saturating_add(other.connections);
        self.bytes_up = self.bytes_up.saturating_add(other.bytes_up);
        self.bytes_down = self.bytes_down.saturating_add(other.bytes_down);
        self.volume_trust = self.volume_trust.max(other.volume_trust);
        self.rtt = match (self.rtt, other.rtt) {
            (Some((a, m)), Some((b, n))) => Some((a.min(b), m.saturating_add(n))),
            (mine, theirs) => mine.or(theirs),
        };
    }

    fn observation(self, key: ObservationKey) -> Observation {
        let rtt = self.rtt.and_then(|(nanos, samples)| {
            let min = RttStep::covering(i64::try_from(nanos).ok()?)?;
            let samples = if samples < 5 {
                RttSamples::OneToFour
            } else {
                RttSamples::FiveOrMore
            };
            Some(Rtt { min, samples })
        });
        let steps = [self.connections, self.bytes_up, self.bytes_down].map(Magnitude::of);
        Observation::new(key, steps, self.volume_trust, rtt).expect(
            "only public places get in, edges without round trips, and one connection at least",
        )
    }
}
