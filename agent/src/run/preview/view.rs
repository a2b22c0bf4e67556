//! A batch, decoded from the very bytes that are sent, for people and for programs.

use crate::run::table::Table;
use phonehome_proto::batch::Batch;
use phonehome_proto::census::{Basis, CensusRow, PhoneCount};
use phonehome_proto::id::to_hex;
use phonehome_proto::observation::{Destination, Observation};
use phonehome_proto::scale::Magnitude;
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::vendor::Vendor;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What `--format json` shows of a batch; the names and their order are a contract.
#[derive(Serialize)]
pub(super) struct Preview<'a> {
    payload_type: &'a str,
    payload: String,
    batch: BatchView<'a>,
}

#[derive(Serialize)]
struct BatchView<'a> {
    audience: String,
    home: String,
    batch_id: String,
    day: String,
    agent_version: String,
    endpoint_list_version: u32,
    census: Vec<CensusView<'a>>,
    unidentified: Option<&'a str>,
    source: &'a str,
    losses: BTreeMap<&'a str, String>,
    observations: Vec<ObservationView<'a>>,
}

#[derive(Serialize)]
struct CensusView<'a> {
    vendor: &'a str,
    basis: &'a str,
    phones: &'a str,
    unnamed: &'a str,
}

#[derive(Serialize)]
struct ObservationView<'a> {
    vendor: &'a str,
    basis: &'a str,
    service: &'a str,
    endpoint: &'a str,
    endpoint_id: u32,
    destination: String,
    named_by: &'a str,
    connections: String,
    bytes_up: String,
    bytes_down: String,
    volume_trust: &'a str,
    rtt_ms: Option<u32>,
    rtt_samples: Option<&'a str>,
}

impl<'a> Preview<'a> {
    /// The view of an envelope and the batch in it.
    pub(super) fn of((sealed, batch): (&'a SealedBatch, &'a Batch)) -> Self {
        let header = batch.header();
        let losses = batch.coverage().losses.iter();
        Self {
            payload_type: &sealed.payload_type,
            payload: to_hex(&sealed.payload),
            batch: BatchView {
                audience: header.audience.to_hex(),
                home: header.home.to_hex(),
                batch_id: header.batch_id.to_hex(),
                day: header.day.to_string(),
                agent_version: header.agent_version.to_string(),
                endpoint_list_version: header.endpoint_list_version,
                census: batch.census().rows.iter().map(CensusView::of).collect(),
                unidentified: batch.census().unidentified.map(PhoneCount::as_str),
                source: batch.coverage().source.as_str(),
                losses: losses
                    .map(|(loss, amount)| (loss.as_str(), steps(*amount)))
                    .collect(),
                observations: batch
                    .observations()
                    .iter()
                    .map(ObservationView::of)
                    .collect(),
            },
        }
    }
}

impl CensusView<'_> {
    fn of(((vendor, basis), row): (&(Vendor, Basis), &CensusRow)) -> Self {
        Self {
            vendor: vendor.id(),
            basis: basis.as_str(),
            phones: row.phones.as_str(),
            unnamed: row.unnamed.as_str(),
        }
    }
}

impl ObservationView<'_> {
    fn of(observation: &Observation) -> Self {
        let key = observation.key();
        Self {
            vendor: key.vendor.id(),
            basis: key.basis.as_str(),
            service: key.service.as_str(),
            endpoint: key.endpoint.pattern(),
            endpoint_id: key.endpoint.number(),
            destination: place(observation),
            named_by: key.named_by.as_str(),
            connections: steps(observation.connections()),
            bytes_up: steps(observation.bytes_up()),
            bytes_down: steps(observation.bytes_down()),
            volume_trust: observation.volume_trust().as_str(),
            rtt_ms: observation.rtt().map(|rtt| rtt.min.ms()),
            rtt_samples: observation.rtt().map(|rtt| rtt.samples.as_str()),
        }
    }
}

/// A batch as text.
pub(super) fn write(sealed: &SealedBatch, batch: &Batch, out: &mut dyn Write) -> io::Result<()> {
    let payload_type = &sealed.payload_type;
    let header = batch.header();
    writeln!(
        out,
        "batch of {}, {payload_type}, {} bytes",
        header.day,
        sealed.payload.len()
    )?;
    writeln!(out, "  for collector {}", header.audience.to_hex())?;
    writeln!(out, "  from home     {}", header.home.to_hex())?;
    writeln!(out, "  batch id      {} (random)", header.batch_id.to_hex())?;
    let (agent, list) = (header.agent_version, header.endpoint_list_version);
    writeln!(
        out,
        "  agent {agent}, endpoint list {list}, source {}",
        batch.coverage().source.as_str()
    )?;
    for (loss, magnitude) in &batch.coverage().losses {
        writeln!(out, "  missed: {} {}", loss.as_str(), steps(*magnitude))?;
    }
    census(batch).write(out)?;
    observations(batch).write(out)?;
    writeln!(out)?;
    Ok(())
}

fn census(batch: &Batch) -> Table<4> {
    let mut table = Table::new(["  phones", "vendor", "known", "bytes unnamed"]);
    for ((vendor, basis), row) in &batch.census().rows {
        let phones = format!("  {}", row.phones.as_str());
        table.row([&phones, vendor.id(), basis.as_str(), row.unnamed.as_str()]);
    }
    if let Some(phones) = batch.census().unidentified {
        table.row([&format!("  {}", phones.as_str()), "-", "unidentified", "-"]);
    }
    table
}

fn observations(batch: &Batch) -> Table<10> {
    let mut table = Table::new([
        "  vendor",
        "known",
        "endpoint",
        "where",
        "service",
        "named by",
        "connections",
        "up",
        "down",
        "rtt",
    ]);
    for observation in batch.observations() {
        let key = observation.key();
        let rtt = observation
            .rtt()
            .map(|rtt| format!("<={} ms", rtt.min.ms()));
        table.row([
            &format!("  {}", key.vendor),
            key.basis.as_str(),
            key.endpoint.pattern(),
            &place(observation),
            key.service.as_str(),
            key.named_by.as_str(),
            &steps(observation.connections()),
            &steps(observation.bytes_up()),
            &steps(observation.bytes_down()),
            rtt.as_deref().unwrap_or("-"),
        ]);
    }
    table
}

/// `203.0.113.0/24`, or `edge:` and the content network's id.
fn place(observation: &Observation) -> String {
    let key = observation.key();
    match key.destination {
        Destination::Prefix(prefix) => prefix.to_string(),
        Destination::Edge => format!("edge:{}", key.endpoint.edge().unwrap_or_default()),
    }
}

/// A step as the amounts it stands for: `0`, `1`, `20-49`, `1000000000000+`.
fn steps(magnitude: Magnitude) -> String {
    let least = magnitude.floor();
    match magnitude.ceiling() {
        Some(above) if above - least == 1 => least.to_string(),
        Some(above) => format!("{least}-{}", above - 1),
        None => format!("{least}+"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_read_as_ranges() {
        let of = |amount| steps(Magnitude::of(amount));
        assert_eq!([of(0), of(1), of(3), of(30)], ["0", "1", "2-4", "20-49"]);
        assert_eq!(of(u64::MAX), "1000000000000+");
    }
}
