//! `inspect`: what a capture shows, one row per flow.
//!
//! Takes capture files, gives rows on `out` and plain sentences on `err`. Every file is a
//! [world](super::world) of its own; the rows of all of them are sorted by their start. Without
//! `--all`, only flows of phones to servers on the Internet are rows. Needs no consent and sends
//! nothing: a capture file is the user's own. With a country database a map of where the phones'
//! servers stand follows the table, and a picture of it goes where it was asked for.

mod lists;
mod map;
pub mod screen;

use super::geo::Geo;
use super::reading::{self, Lens};
use super::table::Table;
use super::world::{Seen, World};
use super::{Environment, Exit, Failure};
use crate::capture::CaptureError;
use crate::device::DeviceTag;
use crate::flow::Flow;
use crate::packet::Skipped;
use crate::tally::{Reason, Tally};
use lists::Lists;
use map::Chart;
use phonehome_proto::net::{Country, Scope};
use phonehome_proto::vendor::Vendor;
use screen::Screen;
use serde::Serialize;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Inspect {
    /// The capture files, in the order given.
    pub files: Vec<PathBuf>,
    /// Also devices that are not known to be phones, and flows between any two hosts.
    pub all: bool,
    /// How rows are written.
    pub format: Format,
    /// A country database for the `country` column and the map.
    pub geo: Option<PathBuf>,
    /// Where an SVG picture of the map is written; takes a country database.
    pub map: Option<PathBuf>,
    /// What shows the map that follows a table.
    pub screen: Screen,
    /// Lists of names, for the `lists` column, which is there only with them.
    pub lists: Vec<PathBuf>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns, for people.
    Table,
    /// One JSON object a line, for programs.
    Jsonl,
}

/// One row; the names and their order are a contract.
#[derive(Serialize)]
struct Row<'a> {
    capture: &'a str,
    start: String,
    transport: &'static str,
    client: IpAddr,
    client_port: u16,
    server: IpAddr,
    server_port: u16,
    name: Option<&'a str>,
    name_source: Option<&'static str>,
    name_status: &'static str,
    packets_up: u64,
    packets_down: u64,
    bytes_up: u64,
    bytes_down: u64,
    rtt_ms: Option<f64>,
    device: Option<String>,
    vendor: Option<&'static str>,
    vendor_p: Option<f64>,
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lists: Option<Vec<&'a str>>,
}

/// A flow with what its file knew of its device in the end.
struct Entry {
    /// Which file, by its place.
    file: usize,
    flow: Flow,
    device: Option<(DeviceTag, Option<Vendor>, f64)>,
    /// From a phone to a server on the Internet.
    is_phones: bool,
}

/// Writes the rows of the files.
///
/// # Errors
///
/// [`Failure`]; files that cannot be read are named on `err` and are no failure as long as one can.
/// A picture that cannot be written is one, after all that can be shown is.
pub fn run(
    environment: &mut Environment,
    request: &Inspect,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let geo = request.geo.as_deref().map(open_geo).transpose()?;
    let lists = Lists::open(&request.lists, err)?;
    let keys = environment.state.keys(&mut *environment.chance)?;
    let list = environment.state.devices()?;
    let lens = Lens {
        secret: &keys.local,
        list: &list,
        seed: environment.seed(),
    };
    let mut captures = Vec::new();
    let mut entries = Vec::new();
    reading::each(&request.files, &lens, err, |capture, world, _| {
        captures.push(capture.to_owned());
        take_entries(world, request.all, captures.len() - 1, &mut entries);
        Ok(())
    })?;
    if entries.is_empty() && !request.all {
        writeln!(
            err,
            "no flow here is known to be a phone's; --all shows every flow"
        )?;
    }
    // Stable: rows that begin at once keep the order of the files and of their ends.
    entries.sort_by_key(|entry| entry.flow.start);
    let country = |address| geo.as_ref().and_then(|geo| geo.country(address));
    let rows = entries.iter().map(|entry| {
        Row::of(
            &captures[entry.file],
            entry,
            country(entry.flow.server.address),
            lists.as_ref(),
        )
    });
    match request.format {
        Format::Jsonl => {
            // A row is written at once: it is made of some hundred pieces.
            let mut line = Vec::new();
            for row in rows {
                line.clear();
                serde_json::to_writer(&mut line, &row).map_err(io::Error::from)?;
                line.push(b'\n');
                out.write_all(&line)?;
            }
        }
        Format::Table => table(rows, lists.is_some()).write(out)?,
    }
    if let (Some(geo), Some(path)) = (&geo, &request.geo) {
        draw_map(request, &chart_of(&entries, geo, path), out, err)?;
    }
    Ok(out.flush()?)
}

fn chart_of(entries: &[Entry], geo: &Geo, path: &Path) -> Chart {
    let file = path.file_name().unwrap_or(path.as_os_str());
    let mut chart = Chart::new(&format!("{} ({})", file.to_string_lossy(), geo.title()));
    for entry in entries.iter().filter(|entry| entry.is_phones) {
        let (phone, vendor, _) = entry.device.expect("a phone is a device");
        let place = geo.whereabouts(entry.flow.server.address);
        chart.count(place, phone, vendor);
    }
    chart
}

/// After a table the map is text; rows for programs are followed by nothing. The picture is another
/// file.
fn draw_map(
    request: &Inspect,
    chart: &Chart,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    if chart.is_empty() {
        writeln!(
            err,
            "no map is drawn: no flow here is known to be a phone's"
        )?;
        return Ok(());
    }
    if request.format == Format::Table {
        write!(out, "\n{}", map::text(chart, request.screen))?;
    }
    if let Some(path) = &request.map {
        // Rows come first: who reads on screen need not lose them to a full disk.
        out.flush()?;
        std::fs::write(path, map::svg(chart)).map_err(|error| {
            let sentence = format!("the map {} cannot be written: {error}", path.display());
            Failure::new(Exit::Unavailable, sentence)
        })?;
    }
    Ok(())
}

fn open_geo(path: &Path) -> Result<Geo, Failure> {
    Geo::open(path).map_err(|error| {
        let sentence = format!(
            "the country database {} cannot be read: {error}",
            path.display()
        );
        Failure::new(Exit::BadInput, sentence)
    })
}

/// Takes what is a row out of a world.
fn take_entries(world: World, all: bool, file: usize, entries: &mut Vec<Entry>) {
    let verdicts = world.devices.verdicts();
    for Seen { flow, device } in world.flows {
        let tag = device.map(|id| world.devices.tag(id));
        let known = tag.and_then(|tag| Some((tag, verdicts.get(&tag)?)));
        let is_phone = known.is_some_and(|(_, verdict)| verdict.is_phone == Some(true));
        let is_phones = is_phone && is_on_internet(flow.server.address);
        if all || is_phones {
            let device = known.map(|(tag, verdict)| (tag, verdict.vendor(), verdict.p));
            entries.push(Entry {
                file,
                flow,
                device,
                is_phones,
            });
        }
    }
}

/// Exercises put their servers into documentation space.
fn is_on_internet(address: IpAddr) -> bool {
    matches!(Scope::of(address), Scope::Public | Scope::Documentation)
}

// === impl Row ===

impl<'a> Row<'a> {
    fn of(
        capture: &'a str,
        entry: &'a Entry,
        country: Option<Country>,
        lists: Option<&'a Lists>,
    ) -> Self {
        let Entry { flow, device, .. } = entry;
        let name = flow.named.name.as_ref().map(|name| name.as_str());
        Self {
            capture,
            start: flow.start.to_string(),
            transport: flow.transport.as_str(),
            client: flow.client.address,
            client_port: flow.client.port,
            server: flow.server.address,
            server_port: flow.server.port,
            name,
            name_source: flow.named.source.map(|source| source.as_str()),
            name_status: flow.named.status.as_str(),
            packets_up: flow.up.packets,
            packets_down: flow.down.packets,
            bytes_up: flow.up.bytes,
            bytes_down: flow.down.bytes,
            rtt_ms: flow
                .rtt
                .map(|rtt| thousandths(rtt.nanos_min as f64 / 1_000_000.0)),
            device: device.map(|(tag, ..)| tag.to_string()),
            vendor: device.and_then(|(_, vendor, _)| vendor).map(Vendor::id),
            vendor_p: device.map(|(.., p)| thousandths(p)),
            country: country.map(|country| country.to_string()),
            lists: lists.map(|lists| lists.naming(name)),
        }
    }
}

fn thousandths(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

/// A column that was not asked for is empty, and ends no line.
fn table<'a>(rows: impl Iterator<Item = Row<'a>>, with_lists: bool) -> Table<20> {
    const NONE: &str = "-";
    let mut table = Table::new([
        "capture",
        "start",
        "transport",
        "client",
        "client_port",
        "server",
        "server_port",
        "name",
        "name_source",
        "name_status",
        "packets_up",
        "packets_down",
        "bytes_up",
        "bytes_down",
        "rtt_ms",
        "device",
        "vendor",
        "vendor_p",
        "country",
        if with_lists { "lists" } else { "" },
    ]);
    let number =
        |number: Option<f64>| number.map_or_else(|| NONE.to_owned(), |n| format!("{n:.3}"));
    for row in rows {
        let lists = match row.lists.as_deref() {
            None => String::new(),
            Some([]) => NONE.to_owned(),
            Some(lists) => lists.join(","),
        };
        table.row([
            row.capture,
            &row.start,
            row.transport,
            &row.client.to_string(),
            &row.client_port.to_string(),
            &row.server.to_string(),
            &row.server_port.to_string(),
            row.name.unwrap_or(NONE),
            row.name_source.unwrap_or(NONE),
            row.name_status,
            &row.packets_up.to_string(),
            &row.packets_down.to_string(),
            &row.bytes_up.to_string(),
            &row.bytes_down.to_string(),
            &number(row.rtt_ms),
            row.device.as_deref().unwrap_or(NONE),
            row.vendor.unwrap_or(NONE),
            &number(row.vendor_p),
            row.country.as_deref().unwrap_or(NONE),
            &lists,
        ]);
    }
    table
}

// === what else must be told ===

/// Says what of a file is in no row, one sentence for each kind.
pub(super) fn tell_losses(capture: &str, world: &World, err: &mut dyn Write) -> io::Result<()> {
    let counts = &world.counts;
    if counts.capture.lost.total() > 0 {
        let lost = words(&counts.capture.lost, |_| true);
        writeln!(err, "{capture}: not everything could be read: {lost}")?;
    }
    let skipped = &counts.packets.skipped;
    let others = words(skipped, is_other_transport);
    if !others.is_empty() {
        writeln!(
            err,
            "{capture}: packets of other transports are not listed: {others}"
        )?;
    }
    let unread = words(skipped, |why| !is_other_transport(why));
    if !unread.is_empty() {
        writeln!(
            err,
            "{capture}: frames without a packet that can be read: {unread}"
        )?;
    }
    let limits = [
        words(&counts.flows.shed, |_| true),
        words(world.devices.shed(), |_| true),
        words(&counts.unlisted, |_| true),
    ];
    let limits: Vec<_> = limits
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect();
    if !limits.is_empty() {
        writeln!(err, "{capture}: limits were reached: {}", limits.join(", "))?;
    }
    Ok(())
}

/// Says why nothing of a file could be read.
pub(super) fn tell_unread(
    path: &Path,
    error: &CaptureError,
    err: &mut dyn Write,
) -> io::Result<()> {
    writeln!(err, "{}: nothing could be read: {error}", path.display())
}

fn is_other_transport(why: Skipped) -> bool {
    matches!(why, Skipped::Icmp | Skipped::OtherTransport)
}

/// `icmp 3, other_transport 1`.
fn words<R: Reason>(tally: &Tally<R>, is_wanted: impl Fn(R) -> bool) -> String {
    let counted = tally.nonzero().filter(|(why, _)| is_wanted(*why));
    counted
        .map(|(why, count)| format!("{} {count}", why.as_str()))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
