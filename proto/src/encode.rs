//! Nouns -> payload bytes, in their one canonical form.
//!
//! Never fails: what a noun can hold, the wire can say. The bytes given here are the bytes that are
//! signed, sent and stored.

use crate::batch::{Batch, Loss, Source};
use crate::census::{Basis, PhoneCount, UnnamedShare};
use crate::consent::{Consent, ConsentScope};
use crate::endpoint::Class;
use crate::endpoint::later::{LaterList, LaterRow};
use crate::enrolment::Enrolment;
use crate::manifest::{ClockStatement, EnrolmentMode, Manifest, Purpose};
use crate::net::Prefix;
use crate::observation::{Destination, NamedBy, Observation, RttSamples, Service, VolumeTrust};
use crate::receipt::Receipt;
use crate::rotation::{Rotation, RotationFacts};
use crate::seal::SealedBatch;
use crate::status;
use crate::time::Timestamp;
use crate::v1;
use crate::withdrawal::{Erasure, Withdrawal};
use prost::Message;

/// An envelope, as it goes over the wire and stands in files that are handed on.
#[must_use]
pub fn envelope(sealed: SealedBatch) -> Vec<u8> {
    status::envelope_to_wire(sealed).encode_to_vec()
}

/// The payload of a batch.
#[must_use]
pub fn batch(batch: &Batch) -> Vec<u8> {
    let header = batch.header();
    let census = batch.census();
    let coverage = batch.coverage();
    v1::Batch {
        audience: header.audience.as_bytes().to_vec(),
        home: header.home.as_bytes().to_vec(),
        batch_id: header.batch_id.as_bytes().to_vec(),
        day: header.day.number(),
        agent_version: Some(v1::AgentVersion {
            major: header.agent_version.major.into(),
            minor: header.agent_version.minor.into(),
            patch: header.agent_version.patch.into(),
        }),
        endpoint_list_version: header.endpoint_list_version,
        census: Some(v1::Census {
            rows: census
                .rows
                .iter()
                .map(|((vendor, basis), row)| v1::CensusRow {
                    vendor: vendor.number(),
                    basis: basis_number(*basis),
                    phones: phones_number(row.phones),
                    unnamed: match row.unnamed {
                        UnnamedShare::Below10 => v1::UnnamedShare::Below10,
                        UnnamedShare::From10To50 => v1::UnnamedShare::From10To50,
                        UnnamedShare::Above50 => v1::UnnamedShare::Above50,
                    }
                    .into(),
                })
                .collect(),
            unidentified: census.unidentified.map_or(0, phones_number),
        }),
        coverage: Some(v1::Coverage {
            source: match coverage.source {
                Source::File => v1::Source::File,
                Source::ConntrackAndTap => v1::Source::ConntrackAndTap,
                Source::Tap => v1::Source::Tap,
            }
            .into(),
            losses: coverage
                .losses
                .iter()
                .filter(|(_, magnitude)| magnitude.number() > 0)
                .map(|(loss, magnitude)| v1::LossRow {
                    reason: loss_number(*loss),
                    magnitude: magnitude.number(),
                })
                .collect(),
        }),
        observations: batch.observations().iter().map(observation).collect(),
    }
    .encode_to_vec()
}

/// The payload of an enrolment.
#[must_use]
pub fn enrolment(enrolment: &Enrolment) -> Vec<u8> {
    v1::Enrolment {
        audience: enrolment.audience.as_bytes().to_vec(),
        invite_hash: enrolment.invite_hash.as_bytes().to_vec(),
        consent_hash: enrolment.consent_hash.as_bytes().to_vec(),
    }
    .encode_to_vec()
}

/// What the new key of a rotation signs: the payload without the proof.
#[must_use]
pub fn rotation_facts(facts: &RotationFacts) -> Vec<u8> {
    rotation_message(facts).encode_to_vec()
}

/// The payload of a rotation.
#[must_use]
pub fn rotation(rotation: &Rotation) -> Vec<u8> {
    v1::Rotation {
        proof: rotation.proof.to_vec(),
        ..rotation_message(&rotation.facts)
    }
    .encode_to_vec()
}

/// The payload of a withdrawal.
#[must_use]
pub fn withdrawal(withdrawal: &Withdrawal) -> Vec<u8> {
    v1::Withdrawal {
        audience: withdrawal.audience.as_bytes().to_vec(),
        home: withdrawal.home.as_bytes().to_vec(),
        nonce: withdrawal.nonce.to_vec(),
    }
    .encode_to_vec()
}

/// The payload of a consent.
#[must_use]
pub fn consent(consent: &Consent) -> Vec<u8> {
    v1::Consent {
        text_hash: consent.text_hash.as_bytes().to_vec(),
        given_at_seconds: seconds(consent.given_at),
        scope: match consent.scope {
            ConsentScope::ListedEndpoints => v1::ConsentScope::ListedEndpoints,
        }
        .into(),
    }
    .encode_to_vec()
}

/// The payload of a manifest.
#[must_use]
pub fn manifest(manifest: &Manifest) -> Vec<u8> {
    v1::Manifest {
        audience: manifest.audience.as_bytes().to_vec(),
        serial: manifest.serial,
        valid_until_seconds: seconds(manifest.valid_until),
        next_key: manifest
            .next_key
            .map_or_else(Vec::new, |key| key.as_bytes().to_vec()),
        purpose: purpose_number(manifest.purpose),
        k: manifest.k,
        network_homes_max: manifest.network_homes_max,
        rounding: manifest.rounding,
        batch_bytes_max: manifest.limits.batch_bytes_max,
        request_batches_max: manifest.limits.request_batches_max,
        request_bytes_max: manifest.limits.request_bytes_max,
        skew_seconds_max: manifest.limits.skew_seconds_max,
        accept_days: manifest.retention.accept_days,
        destroy_days: manifest.retention.destroy_days,
        accepted_types: manifest
            .accepted_types
            .iter()
            .map(|t| t.as_str().to_owned())
            .collect(),
        endpoint_list_versions: manifest.endpoint_list_versions.clone(),
        privacy_label: manifest.privacy_label.clone(),
        enrolment: match manifest.enrolment {
            EnrolmentMode::Invite => v1::EnrolmentMode::Invite,
            EnrolmentMode::Approval => v1::EnrolmentMode::Approval,
            EnrolmentMode::Open => v1::EnrolmentMode::Open,
        }
        .into(),
    }
    .encode_to_vec()
}

/// The payload of a clock statement.
#[must_use]
pub fn clock(clock: &ClockStatement) -> Vec<u8> {
    v1::ClockStatement {
        nonce: clock.nonce.to_vec(),
        manifest_hash: clock.manifest_hash.as_bytes().to_vec(),
        time_seconds: seconds(clock.time),
    }
    .encode_to_vec()
}

/// The payload of a receipt.
#[must_use]
pub fn receipt(receipt: &Receipt) -> Vec<u8> {
    v1::Receipt {
        audience: receipt.audience.as_bytes().to_vec(),
        home: receipt.home.as_bytes().to_vec(),
        payload_type: receipt.payload_type.as_str().to_owned(),
        payload_hash: receipt.payload_hash.as_bytes().to_vec(),
        received_at_seconds: seconds(receipt.received_at),
        purpose: purpose_number(receipt.purpose),
    }
    .encode_to_vec()
}

/// The payload of an erasure.
#[must_use]
pub fn erasure(erasure: &Erasure) -> Vec<u8> {
    v1::Erasure {
        audience: erasure.audience.as_bytes().to_vec(),
        home: erasure.home.as_bytes().to_vec(),
        withdrawal_hash: erasure.withdrawal_hash.as_bytes().to_vec(),
        erased_at_seconds: seconds(erasure.erased_at),
        batches: erasure.batches,
        weeks: erasure
            .weeks
            .iter()
            .map(|week| week.monday().number())
            .collect(),
        purpose: purpose_number(erasure.purpose),
    }
    .encode_to_vec()
}

/// The payload of a later endpoint list.
#[must_use]
pub fn endpoint_list(list: &LaterList) -> Vec<u8> {
    v1::EndpointList {
        version: list.version(),
        made_day: list.made().number(),
        endpoints: list.rows().iter().map(endpoint).collect(),
    }
    .encode_to_vec()
}

fn endpoint(row: &LaterRow) -> v1::Endpoint {
    v1::Endpoint {
        id: row.id,
        pattern: row.pattern.clone(),
        owner: row.owner.clone(),
        class: match row.class {
            Class::Core => v1::EndpointClass::Core,
            Class::Telemetry => v1::EndpointClass::Telemetry,
            Class::Platform => v1::EndpointClass::Platform,
            Class::Analytics => v1::EndpointClass::Analytics,
            Class::Advertising => v1::EndpointClass::Advertising,
        }
        .into(),
        edge: row.edge.clone().unwrap_or_default(),
        region: row.region.map_or_else(String::new, |c| c.to_string()),
    }
}

fn rotation_message(facts: &RotationFacts) -> v1::Rotation {
    v1::Rotation {
        audience: facts.audience.as_bytes().to_vec(),
        home: facts.home.as_bytes().to_vec(),
        new_key: facts.new_key.as_bytes().to_vec(),
        proof: Vec::new(),
    }
}

fn observation(observation: &Observation) -> v1::Observation {
    let key = observation.key();
    v1::Observation {
        vendor: key.vendor.number(),
        basis: basis_number(key.basis),
        endpoint: key.endpoint.number(),
        prefix: match key.destination {
            Destination::Prefix(Prefix::V4(bytes)) => bytes.to_vec(),
            Destination::Prefix(Prefix::V6(bytes)) => bytes.to_vec(),
            Destination::Edge => Vec::new(),
        },
        service: match key.service {
            Service::Tls => v1::Service::Tls,
            Service::Quic => v1::Service::Quic,
            Service::Http => v1::Service::Http,
            Service::Dns => v1::Service::Dns,
            Service::Other => v1::Service::Other,
        }
        .into(),
        named_by: match key.named_by {
            NamedBy::Sni => v1::NamedBy::Sni,
            NamedBy::Quic => v1::NamedBy::Quic,
            NamedBy::Dns => v1::NamedBy::Dns,
            NamedBy::Http => v1::NamedBy::Http,
            NamedBy::Ech => v1::NamedBy::Ech,
        }
        .into(),
        connections: observation.connections().number(),
        bytes_up: observation.bytes_up().number(),
        bytes_down: observation.bytes_down().number(),
        volume_trust: match observation.volume_trust() {
            VolumeTrust::Exact => v1::VolumeTrust::Exact,
            VolumeTrust::LowerBound => v1::VolumeTrust::LowerBound,
        }
        .into(),
        rtt_min_ms: observation.rtt().map_or(0, |rtt| rtt.min.ms()),
        rtt_samples: observation.rtt().map_or(0, |rtt| {
            match rtt.samples {
                RttSamples::OneToFour => v1::RttSamples::OneToFour,
                RttSamples::FiveOrMore => v1::RttSamples::FiveOrMore,
            }
            .into()
        }),
    }
}

fn basis_number(basis: Basis) -> i32 {
    match basis {
        Basis::Declared => v1::Basis::Declared,
        Basis::Decisive => v1::Basis::Decisive,
        Basis::Inferred => v1::Basis::Inferred,
        Basis::Circular => v1::Basis::Circular,
    }
    .into()
}

fn phones_number(phones: PhoneCount) -> i32 {
    match phones {
        PhoneCount::One => v1::PhoneCount::One,
        PhoneCount::Two => v1::PhoneCount::Two,
        PhoneCount::ThreeOrMore => v1::PhoneCount::ThreeOrMore,
    }
    .into()
}

fn loss_number(loss: Loss) -> i32 {
    match loss {
        Loss::CapturePackets => v1::Loss::CapturePackets,
        Loss::UnreadablePackets => v1::Loss::UnreadablePackets,
        Loss::ShedFlows => v1::Loss::ShedFlows,
        Loss::ShedDevices => v1::Loss::ShedDevices,
        Loss::ShedObservations => v1::Loss::ShedObservations,
        Loss::DroppedBatches => v1::Loss::DroppedBatches,
        Loss::CounterGaps => v1::Loss::CounterGaps,
        Loss::UndatedFlows => v1::Loss::UndatedFlows,
        Loss::InterfaceGaps => v1::Loss::InterfaceGaps,
    }
    .into()
}

fn purpose_number(purpose: Purpose) -> i32 {
    match purpose {
        Purpose::Observatory => v1::Purpose::Observatory,
        Purpose::Exercise => v1::Purpose::Exercise,
    }
    .into()
}

/// The wire has no time before 1970.
fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.seconds()).unwrap_or(0)
}
