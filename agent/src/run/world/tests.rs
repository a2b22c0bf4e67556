use super::*;
use crate::capture::Lost;
use std::fs;
use std::path::PathBuf;

/// The shared captures, or a word in the output that they are not there.
pub(crate) fn captures() -> Vec<PathBuf> {
    let named = std::env::var_os("PHONEHOME_CAPTURES").map(PathBuf::from);
    let folder = named
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures"))
        .join("pcap");
    let Ok(entries) = fs::read_dir(&folder) else {
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

fn read(path: &Path) -> World {
    super::read(path, 7, &[7; 32], std::iter::empty()).expect("a capture")
}

/// Frames in a file by its lengths alone: the naive model of the reader, for files that are whole.
fn frames_in(file: &[u8]) -> u64 {
    let number =
        |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes")) as usize;
    let is_pcapng = file.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
    let is_little_endian = file[if is_pcapng { 8 } else { 0 }] & 0x0f != 0x01;
    let mut frames = 0;
    let mut at = if is_pcapng { 0 } else { 24 };
    while is_little_endian && at < file.len() {
        if is_pcapng {
            frames += u64::from(matches!(number(at), 2 | 3 | 6));
            at += number(at + 4);
        } else {
            frames += 1;
            at += 16 + number(at + 8);
        }
    }
    frames
}

#[test]
fn nothing_in_a_capture_is_lost_uncounted() {
    for path in captures() {
        let World { flows, counts, .. } = read(&path);
        let WorldCounts {
            capture,
            packets,
            flows: flow_counts,
            unlisted,
        } = counts;
        let name = path.display();
        let lost_file = [Lost::Cut, Lost::Corrupt]
            .iter()
            .any(|&why| capture.lost.of(why) > 0);
        let expected = frames_in(&fs::read(&path).expect("readable"));
        if expected > 0 && !lost_file {
            assert_eq!(
                capture.frames + capture.lost.total(),
                expected,
                "{name}: frames of the file"
            );
        }
        assert_eq!(capture.frames, packets.frames, "{name}: frames");
        assert_eq!(
            packets.frames,
            packets.packets + packets.skipped.total(),
            "{name}: packets"
        );
        let listed: u64 = flows
            .iter()
            .map(|seen| seen.flow.up.packets + seen.flow.down.packets)
            .sum();
        assert_eq!(
            flow_counts.packets, packets.packets,
            "{name}: packets handled"
        );
        assert_eq!(
            flow_counts.packets_held, 0,
            "{name}: packets held at the end"
        );
        assert_eq!(
            flow_counts.packets_given, flow_counts.packets,
            "{name}: packets given"
        );
        let unlisted_packets = unlisted.of(Unlisted::Packets);
        assert_eq!(
            packets.packets,
            listed + unlisted_packets,
            "{name}: packets in flows"
        );
        let unlisted_flows = unlisted.of(Unlisted::Flows);
        assert_eq!(
            flow_counts.flows,
            flows.len() as u64 + unlisted_flows,
            "{name}: flows"
        );
    }
}

#[test]
fn a_file_is_the_same_world_every_time() {
    for path in captures().into_iter().step_by(7) {
        let [once, again] = [
            read(&path),
            super::read(&path, 8, &[7; 32], std::iter::empty()).expect("a capture"),
        ];
        let rows = |world: &World| format!("{:?}", world.flows);
        assert_eq!(
            rows(&once),
            rows(&again),
            "{}: places in a table decide nothing",
            path.display()
        );
    }
}
