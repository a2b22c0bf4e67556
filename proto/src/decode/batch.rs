//! The payload of a batch, in two ways that always agree.
//!
//! [`batch_anew`] says what is canonical and why something is refused: it reads the payload as any
//! message, writes what it understood, and compares. [`batch_at_once`] reads a canonical payload in one
//! pass: the head of a batch it leaves to the other, and the observations, nearly all of a full day's
//! bytes, it reads where they stand. What it takes, the other takes as the same batch; what it does not
//! take, it says nothing about. [`batch`] and [`batch_by`] are both together.
//!
//! That holds because a message has one canonical spelling and [`Fields`] reads no other; because
//! `observation` gives different nouns for different fields; and because nothing stands behind the
//! observations. `proto/tests/wire/spelling.rs` and the fuzz target `payload` look for a payload that
//! proves it wrong.

use super::canonical;
use super::fields::Fields;
use crate::batch::{AgentVersion, Batch, BatchHeader, Coverage, Loss, Source};
use crate::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use crate::encode;
use crate::endpoint::EndpointId;
use crate::id::{Audience, BatchId, HomeId};
use crate::limits;
use crate::net::Prefix;
use crate::observation::{
    Destination, NamedBy, Observation, ObservationKey, Rtt, RttSamples, Service, VolumeTrust,
};
use crate::reject::Reject;
use crate::scale::{Magnitude, RttStep};
use crate::time::Day;
use crate::v1;
use crate::vendor::Vendor;
use std::collections::BTreeMap;

/// The field of a batch that holds its observations: the last.
const OBSERVATIONS: u8 = 9;

/// What one observation takes, at the least that is common: to guess how many there are.
const OBSERVATION_BYTES: usize = 24;

/// An observation's fields, from wherever they were read.
struct ObservationFields<'a> {
    vendor: u32,
    basis: i32,
    endpoint: u32,
    prefix: &'a [u8],
    service: i32,
    named_by: i32,
    connections: u32,
    bytes_up: u32,
    bytes_down: u32,
    volume_trust: i32,
    rtt_min_ms: u32,
    rtt_samples: i32,
}

/// The batch in a payload, its endpoints those of the compiled-in list.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Malformed`] or [`Reject::NotCanonical`].
pub fn batch(payload: &[u8]) -> Result<Batch, Reject> {
    batch_by(payload, &EndpointId::from_number)
}

/// The batch in a payload, its endpoints those that `endpoint` knows by their numbers.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Malformed`] or [`Reject::NotCanonical`].
pub fn batch_by(
    payload: &[u8],
    endpoint: &dyn Fn(u32) -> Option<EndpointId>,
) -> Result<Batch, Reject> {
    match batch_at_once(payload, endpoint) {
        Some(batch) => Ok(batch),
        None => batch_anew(payload, endpoint),
    }
}

/// The same, by reading, writing and comparing: the definition of what is canonical.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Malformed`] or [`Reject::NotCanonical`].
pub fn batch_anew(
    payload: &[u8],
    endpoint: &dyn Fn(u32) -> Option<EndpointId>,
) -> Result<Batch, Reject> {
    let read = |message| batch_fields(message, endpoint);
    canonical(payload, read, encode::batch)
}

/// The same in one pass, at a fraction of the cost; `None` where [`batch_anew`] must say what is wrong.
#[must_use]
pub fn batch_at_once(
    payload: &[u8],
    endpoint: &dyn Fn(u32) -> Option<EndpointId>,
) -> Option<Batch> {
    if payload.len() > limits::PAYLOAD_BYTES_MAX {
        return None;
    }
    // Observations stand last: what is before them is the same batch without them, and both are
    // canonical or neither is.
    let (head, rest) = payload.split_at(Fields::of(payload).length_before(OBSERVATIONS)?);
    let head = batch_anew(head, endpoint).ok()?;
    let most = rest.len() / OBSERVATION_BYTES;
    let mut observations = Vec::with_capacity(most.min(limits::BATCH_OBSERVATIONS_MAX));
    let mut rest = Fields::of(rest);
    while let Some(message) = rest.next_message(OBSERVATIONS)? {
        if observations.len() == limits::BATCH_OBSERVATIONS_MAX {
            return None;
        }
        observations.push(observation(&observation_in_place(message)?, endpoint)?);
    }
    rest.end()?;
    // Sorted, each key once: in any other order it would be written differently.
    if !observations.is_sorted_by(|a, b| a.key() < b.key()) {
        return None;
    }
    head.with_observations(observations).ok()
}

// === the two ways to an observation's fields ===

fn observation_in_place(mut message: Fields<'_>) -> Option<ObservationFields<'_>> {
    let fields = ObservationFields {
        vendor: message.number(1)?,
        basis: message.choice(2)?,
        endpoint: message.number(3)?,
        prefix: message.bytes(4)?,
        service: message.choice(5)?,
        named_by: message.choice(6)?,
        connections: message.number(7)?,
        bytes_up: message.number(8)?,
        bytes_down: message.number(9)?,
        volume_trust: message.choice(10)?,
        rtt_min_ms: message.number(11)?,
        rtt_samples: message.choice(12)?,
    };
    message.end()?;
    Some(fields)
}

impl<'a> From<&'a v1::Observation> for ObservationFields<'a> {
    fn from(message: &'a v1::Observation) -> Self {
        Self {
            vendor: message.vendor,
            basis: message.basis,
            endpoint: message.endpoint,
            prefix: &message.prefix,
            service: message.service,
            named_by: message.named_by,
            connections: message.connections,
            bytes_up: message.bytes_up,
            bytes_down: message.bytes_down,
            volume_trust: message.volume_trust,
            rtt_min_ms: message.rtt_min_ms,
            // A number nobody knows says nothing, and is missed when it is written again.
            rtt_samples: message.rtt_samples().into(),
        }
    }
}

// === fields -> nouns ===

fn batch_fields(message: v1::Batch, endpoint: &dyn Fn(u32) -> Option<EndpointId>) -> Option<Batch> {
    let version = message.agent_version?;
    let header = BatchHeader {
        audience: Audience::from_slice(&message.audience)?,
        home: HomeId::from_slice(&message.home)?,
        batch_id: BatchId::from_slice(&message.batch_id)?,
        day: Day::new(message.day)?,
        agent_version: AgentVersion {
            major: version.major.try_into().ok()?,
            minor: version.minor.try_into().ok()?,
            patch: version.patch.try_into().ok()?,
        },
        endpoint_list_version: message.endpoint_list_version,
    };
    let census = census(&message.census?)?;
    let coverage = coverage(&message.coverage?)?;
    let observations = message
        .observations
        .iter()
        .map(|message| observation(&message.into(), endpoint))
        .collect::<Option<Vec<_>>>()?;
    Batch::new(header, census, coverage, observations).ok()
}

fn census(message: &v1::Census) -> Option<Census> {
    let mut rows = BTreeMap::new();
    for row in &message.rows {
        let key = (Vendor::from_number(row.vendor)?, basis(row.basis())?);
        let unnamed = match row.unnamed() {
            v1::UnnamedShare::Below10 => UnnamedShare::Below10,
            v1::UnnamedShare::From10To50 => UnnamedShare::From10To50,
            v1::UnnamedShare::Above50 => UnnamedShare::Above50,
            v1::UnnamedShare::Unspecified => return None,
        };
        rows.insert(
            key,
            CensusRow {
                phones: phones(row.phones())?,
                unnamed,
            },
        );
    }
    let unidentified = match message.unidentified {
        0 => None,
        _ => Some(phones(message.unidentified())?),
    };
    Some(Census { rows, unidentified })
}

fn coverage(message: &v1::Coverage) -> Option<Coverage> {
    let source = match message.source() {
        v1::Source::File => Source::File,
        v1::Source::ConntrackAndTap => Source::ConntrackAndTap,
        v1::Source::Tap => Source::Tap,
        v1::Source::Unspecified => return None,
    };
    let mut losses = BTreeMap::new();
    for row in &message.losses {
        let loss = match row.reason() {
            v1::Loss::CapturePackets => Loss::CapturePackets,
            v1::Loss::UnreadablePackets => Loss::UnreadablePackets,
            v1::Loss::ShedFlows => Loss::ShedFlows,
            v1::Loss::ShedDevices => Loss::ShedDevices,
            v1::Loss::ShedObservations => Loss::ShedObservations,
            v1::Loss::DroppedBatches => Loss::DroppedBatches,
            v1::Loss::CounterGaps => Loss::CounterGaps,
            v1::Loss::UndatedFlows => Loss::UndatedFlows,
            v1::Loss::InterfaceGaps => Loss::InterfaceGaps,
            v1::Loss::Unspecified => return None,
        };
        losses.insert(loss, Magnitude::from_number(row.magnitude)?);
    }
    Some(Coverage { source, losses })
}

/// What the fields say; never the same of different ones.
fn observation(
    fields: &ObservationFields<'_>,
    endpoint: &dyn Fn(u32) -> Option<EndpointId>,
) -> Option<Observation> {
    let destination = match *fields.prefix {
        [] => Destination::Edge,
        [a, b, c] => Destination::Prefix(Prefix::V4([a, b, c])),
        [a, b, c, d, e, f] => Destination::Prefix(Prefix::V6([a, b, c, d, e, f])),
        _ => return None,
    };
    let key = ObservationKey {
        vendor: Vendor::from_number(fields.vendor)?,
        basis: basis(fields.basis.try_into().ok()?)?,
        endpoint: endpoint(fields.endpoint)?,
        destination,
        service: match fields.service.try_into().ok()? {
            v1::Service::Tls => Service::Tls,
            v1::Service::Quic => Service::Quic,
            v1::Service::Http => Service::Http,
            v1::Service::Dns => Service::Dns,
            v1::Service::Other => Service::Other,
            v1::Service::Unspecified => return None,
        },
        named_by: match fields.named_by.try_into().ok()? {
            v1::NamedBy::Sni => NamedBy::Sni,
            v1::NamedBy::Quic => NamedBy::Quic,
            v1::NamedBy::Dns => NamedBy::Dns,
            v1::NamedBy::Http => NamedBy::Http,
            v1::NamedBy::Ech => NamedBy::Ech,
            v1::NamedBy::Unspecified => return None,
        },
    };
    let volume_trust = match fields.volume_trust.try_into().ok()? {
        v1::VolumeTrust::Exact => VolumeTrust::Exact,
        v1::VolumeTrust::LowerBound => VolumeTrust::LowerBound,
        v1::VolumeTrust::Unspecified => return None,
    };
    let samples = match fields.rtt_samples.try_into().ok()? {
        v1::RttSamples::OneToFour => Some(RttSamples::OneToFour),
        v1::RttSamples::FiveOrMore => Some(RttSamples::FiveOrMore),
        v1::RttSamples::Unspecified => None,
    };
    let rtt = match (fields.rtt_min_ms, samples) {
        (0, None) => None,
        (ms, samples) => Some(Rtt {
            min: RttStep::from_ms(ms)?,
            samples: samples?,
        }),
    };
    let volumes = [fields.connections, fields.bytes_up, fields.bytes_down];
    let [Some(connections), Some(up), Some(down)] = volumes.map(Magnitude::from_number) else {
        return None;
    };
    Observation::new(key, [connections, up, down], volume_trust, rtt).ok()
}

fn basis(basis: v1::Basis) -> Option<Basis> {
    match basis {
        v1::Basis::Declared => Some(Basis::Declared),
        v1::Basis::Decisive => Some(Basis::Decisive),
        v1::Basis::Inferred => Some(Basis::Inferred),
        v1::Basis::Circular => Some(Basis::Circular),
        v1::Basis::Unspecified => None,
    }
}

fn phones(phones: v1::PhoneCount) -> Option<PhoneCount> {
    match phones {
        v1::PhoneCount::One => Some(PhoneCount::One),
        v1::PhoneCount::Two => Some(PhoneCount::Two),
        v1::PhoneCount::ThreeOrMore => Some(PhoneCount::ThreeOrMore),
        v1::PhoneCount::Unspecified => None,
    }
}
