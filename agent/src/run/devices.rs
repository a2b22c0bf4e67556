//! `devices`: who is on the network, and how we know.
//!
//! Takes capture files, gives one row per device on `out`. Every file is a world of its own; a
//! device has the same tag in each. Needs no consent and sends nothing.

use super::inspect::Format;
use super::reading::{self, Lens};
use super::table::Table;
use super::{Environment, Failure};
use crate::device::{DeviceRow, MacKind};
use phonehome_proto::census::Basis;
use phonehome_proto::vendor::Vendor;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

/// One row; the names and their order are a contract.
#[derive(Serialize)]
struct Row<'a> {
    capture: &'a str,
    device: String,
    mac_kind: &'static str,
    mac_prefix: Option<String>,
    vendor: Option<&'static str>,
    p: f64,
    is_phone: Option<bool>,
    basis: Option<&'static str>,
    evidence: BTreeMap<&'static str, &'a [String]>,
}

/// Writes the devices of the files.
///
/// # Errors
/// [`Failure`]; files that cannot be read are named on `err` and are no failure as long as one can.
pub fn devices(
    environment: &mut Environment,
    files: &[PathBuf],
    format: Format,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let keys = environment.state.keys(&mut *environment.chance)?;
    let list = environment.state.devices()?;
    let lens = Lens {
        secret: &keys.local,
        list: &list,
        seed: environment.seed(),
    };
    let mut rows = Vec::new();
    reading::each(files, &lens, err, |capture, world, _| {
        let devices = &world.devices;
        rows.extend(
            devices
                .ids()
                .map(|id| (capture.to_owned(), devices.row(id))),
        );
        Ok(())
    })?;
    let rows = rows.iter().map(|(capture, row)| Row::of(capture, row));
    match format {
        Format::Jsonl => {
            for row in rows {
                serde_json::to_writer(&mut *out, &row).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Format::Table => table(rows).write(out)?,
    }
    Ok(out.flush()?)
}

impl<'a> Row<'a> {
    fn of(capture: &'a str, row: &'a DeviceRow) -> Self {
        let verdict = &row.verdict;
        let hex = |[a, b, c]: [u8; 3]| format!("{a:02x}:{b:02x}:{c:02x}");
        Self {
            capture,
            device: row.device.to_string(),
            mac_kind: match row.mac_kind {
                MacKind::Global => "global",
                MacKind::Randomised => "randomised",
                MacKind::None => "none",
            },
            mac_prefix: row.mac_prefix.map(hex),
            vendor: verdict.vendor().map(Vendor::id),
            p: (verdict.p * 1_000.0).round() / 1_000.0,
            is_phone: verdict.is_phone,
            basis: verdict.basis().map(Basis::as_str),
            evidence: verdict
                .evidence
                .iter()
                .map(|(family, matched)| (family.as_str(), matched.as_slice()))
                .collect(),
        }
    }
}

fn table<'a>(rows: impl Iterator<Item = Row<'a>>) -> Table<8> {
    let mut table = Table::new([
        "capture", "device", "mac", "vendor", "p", "phone", "basis", "evidence",
    ]);
    for row in rows {
        let evidence = row
            .evidence
            .iter()
            .map(|(family, matched)| format!("{family} ({})", matched.join(", ")))
            .collect::<Vec<_>>()
            .join("; ");
        let phone = match row.is_phone {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        table.row([
            row.capture,
            &row.device,
            row.mac_prefix.as_deref().unwrap_or(row.mac_kind),
            row.vendor.unwrap_or("-"),
            &format!("{:.3}", row.p),
            phone,
            row.basis.unwrap_or("-"),
            &evidence,
        ]);
    }
    table
}
