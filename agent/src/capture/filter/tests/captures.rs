//! The filter before real traffic: what is named and timed with it, against what is without.

use super::*;
use crate::capture::file::FileSource;
use crate::capture::{Event, Frame};
use crate::flow::{Flow, FlowLimits, FlowTable};
use crate::name::NameSource;
use crate::packet;
use phonehome_proto::net::Transport;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One conversation: transport, its ends in order.
type Key = (bool, [SocketAddr; 2]);

/// What a capture comes to behind one filter, or behind none.
#[derive(Default)]
struct Seen {
    /// Names read from the flow itself.
    names: BTreeMap<Key, BTreeSet<String>>,
    /// Names that DNS answers gave.
    inferred: BTreeMap<Key, BTreeSet<String>>,
    round_trips: BTreeMap<Key, BTreeSet<u64>>,
    ip_bytes: u64,
    frame_bytes: u64,
}

fn captures() -> Vec<PathBuf> {
    let named = std::env::var_os("PHONEHOME_CAPTURES").map(PathBuf::from);
    let folder = named
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures"))
        .join("pcap");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        #[allow(clippy::print_stderr, reason = "a test that is left out says so")]
        {
            eprintln!("left out: no captures in {}", folder.display());
        }
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths
}

/// Reads a capture as the ring of one interface would show it; `None` for links without a program.
fn see(path: &Path, mode: Option<Mode>) -> Option<Seen> {
    let mut source = FileSource::open(path).expect("a capture");
    let mut table = FlowTable::new(FlowLimits::FILE, 7);
    let mut seen = Seen::default();
    loop {
        match source.next() {
            Event::Frame(frame) => {
                let program = Program::new(frame.link, Mode::Names)?;
                let program = mode.map_or(program, |mode| {
                    Program::new(frame.link, mode).expect("as before")
                });
                let kept = mode.map_or(u32::MAX, |_| {
                    let wire = frame.wire_len_bytes.max(length(&frame)) as usize;
                    run(program.instructions(), frame.bytes, wire)
                });
                let bytes = &frame.bytes[..frame.bytes.len().min(kept as usize)];
                let frame = Frame { bytes, ..frame };
                seen.frame_bytes += bytes.len() as u64;
                if let Some(packet) = (!bytes.is_empty())
                    .then(|| packet::read(&frame).ok())
                    .flatten()
                {
                    table.handle_packet(&packet, packet.time);
                    seen.take(&mut table);
                }
            }
            Event::End => break,
            _ => {}
        }
    }
    table.finish();
    seen.take(&mut table);
    Some(seen)
}

fn length(frame: &Frame<'_>) -> u32 {
    u32::try_from(frame.bytes.len()).expect("short")
}

impl Seen {
    fn take(&mut self, table: &mut FlowTable) {
        while let Some(flow) = table.poll_expired() {
            self.add(&flow);
        }
    }

    fn add(&mut self, flow: &Flow) {
        let end = |end: crate::flow::Endpoint| SocketAddr::new(end.address, end.port);
        let mut ends = [end(flow.client), end(flow.server)];
        ends.sort_unstable();
        let key = (flow.transport == Transport::Tcp, ends);
        self.ip_bytes += flow.up.bytes + flow.down.bytes;
        if let Some(name) = &flow.named.name {
            let names = match flow.named.source {
                Some(NameSource::Dns) => &mut self.inferred,
                _ => &mut self.names,
            };
            names.entry(key).or_default().insert(name.to_string());
        }
        if let Some(rtt) = flow.rtt {
            self.round_trips
                .entry(key)
                .or_default()
                .insert(rtt.nanos_min);
        }
    }
}

/// Captures of tunnels, which the filter does not look into, and how many names and round trips each
/// loses by it.
const TUNNELS: &[(&str, usize, usize)] = &[
    ("4in6tunnel.pcap", 1, 1),
    ("6in4tunnel.pcap", 3, 3),
    ("tls_invalid_reads.pcap", 1, 1),
];

fn lost_in_tunnels(file: &str) -> (usize, usize) {
    let found = TUNNELS.iter().find(|(tunnel, ..)| *tunnel == file);
    found.map_or((0, 0), |&(_, names, round_trips)| (names, round_trips))
}

#[test]
fn names_and_round_trips_are_those_seen_without_it() {
    let (mut captures_seen, mut names, mut round_trips) = (0, 0, 0);
    let mut wrong = Vec::new();
    for path in captures() {
        let file = path.file_name().expect("a name").to_string_lossy();
        let (Some(without), Some(with)) = (see(&path, None), see(&path, Some(Mode::Names))) else {
            continue;
        };
        captures_seen += 1;
        names += without.names.len();
        round_trips += without.round_trips.len();
        let missed: Vec<_> = without
            .names
            .iter()
            .filter(|(key, names)| with.names.get(key) != Some(names))
            .collect();
        let (names_lost, round_trips_lost) = lost_in_tunnels(&file);
        if missed.len() != names_lost {
            wrong.push(format!("{file}: names {missed:?}"));
        }
        let added: Vec<_> = with
            .names
            .iter()
            .filter(|(key, _)| !without.names.contains_key(key))
            .collect();
        if !added.is_empty() {
            wrong.push(format!("{file}: only with the filter {added:?}"));
        }
        let untimed: Vec<_> = without
            .round_trips
            .iter()
            .filter(|(key, nanos)| with.round_trips.get(key) != Some(nanos))
            .collect();
        if untimed.len() != round_trips_lost {
            wrong.push(format!("{file}: round trips {untimed:?}"));
        }
        // A conversation of which nothing passes is counted by the kernel and named by nobody here.
        let contradicted = with
            .inferred
            .iter()
            .filter(|(key, names)| without.inferred.get(key) != Some(names))
            .count();
        if contradicted > 0 {
            wrong.push(format!("{file}: inferred otherwise {contradicted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        captures_seen == 0 || (captures_seen >= 80 && names > 400 && round_trips > 100),
        "{captures_seen} captures, {names} names, {round_trips} round trips"
    );
}

#[test]
fn volumes_and_names_are_whole_where_everything_is_counted() {
    for path in captures() {
        let (Some(without), Some(with)) = (see(&path, None), see(&path, Some(Mode::Everything)))
        else {
            continue;
        };
        let file = path.file_name().expect("a name").to_string_lossy();
        assert_eq!(with.ip_bytes, without.ip_bytes, "{file}");
        assert_eq!(with.round_trips, without.round_trips, "{file}");
        // Of what lies in a tunnel the headers pass, and no hello.
        if lost_in_tunnels(&file) == (0, 0) {
            assert_eq!(with.names, without.names, "{file}");
        }
    }
}

#[test]
fn of_bulk_next_to_nothing_passes() {
    let (mut all, mut passed) = (0, 0);
    for path in captures() {
        let (Some(without), Some(with)) = (see(&path, None), see(&path, Some(Mode::Names))) else {
            continue;
        };
        all += without.frame_bytes;
        passed += with.frame_bytes;
    }
    // These captures were made for their handshakes: there is little bulk in them.
    assert!(passed * 10 <= all, "{passed} of {all} bytes");
}
