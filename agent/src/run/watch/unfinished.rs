//! Parts of days that are not over, kept over a restart.
//!
//! A daemon that stops in the middle of a day has seen a part of it. That part becomes files in the run
//! folder, one per batch it would make, and whoever starts next tells it as a batch of its own once the
//! day is over: a day may come in several. Nothing is sealed before its day is over; what stands in the
//! file is the day in the wire's encoding, meant for nobody yet, in memory as the spool is.
//!
//! Beside each file stands a note of what the day itself must not say: which devices it tells of, so
//! that it stays at home if one of them is denied before it is over; and by which clock it was dated, so
//! that it is let go if that clock has proved wrong by then. A part without its note is not taken up:
//! nobody could tell whether it may be told.

use crate::batch;
use crate::capture::clock::BootId;
use crate::device::DeviceTag;
use crate::durable;
use crate::observe::DaySummary;
use crate::run::endpoints::Present;
use phonehome_proto::chance::Chance;
use phonehome_proto::id::{Audience, HomeId};
use phonehome_proto::time::Day;
use phonehome_proto::{decode, encode, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A day or a part of one, and what must be known of it until it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What may be said of it.
    pub summary: DaySummary,
    /// The devices it tells of.
    pub devices: BTreeSet<DeviceTag>,
    /// Home time less time since boot, by the clock that dated it; `None` where that was before the
    /// machine was started anew, and nothing is left that it could be compared with.
    pub offset_nanos: Option<i64>,
}

/// Parts of days, in the order they came.
#[derive(Debug)]
pub struct Unfinished {
    folder: PathBuf,
    boot: Option<BootId>,
    parts: VecDeque<Part>,
}

/// What stands beside a part.
#[derive(Serialize, Deserialize)]
struct Note {
    devices: Vec<String>,
    /// The start of the machine that `offset_nanos` counts from.
    boot: Option<String>,
    offset_nanos: Option<i64>,
}

/// A daemon that is restarted every five minutes of a day makes fewer.
const PARTS_MAX: usize = 320;

/// Bytes of a note: far more than a household's devices take.
const NOTE_BYTES_MAX: u64 = 16 * 1_024;

const ENDING: &str = "day";
const NOTE_ENDING: &str = "note";

// === impl Unfinished ===

impl Unfinished {
    /// What stands in `folder`, now that the machine runs since `boot`; files that are no part of a day,
    /// or tell of endpoints on none of the lists, are passed over.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn take_up(
        folder: &Path,
        boot: Option<BootId>,
        lists: &Present,
    ) -> io::Result<Self> {
        let mut unfinished = Self {
            folder: folder.to_owned(),
            boot,
            parts: VecDeque::new(),
        };
        for path in files(folder, ENDING)? {
            let day = durable::read(&path, limits::PAYLOAD_BYTES_MAX as u64)?;
            let note = durable::read(&path.with_extension(NOTE_ENDING), NOTE_BYTES_MAX)?;
            if let Some(part) = day.zip(note).and_then(|(day, note)| {
                let batch = decode::batch_by(&day, &|number| lists.endpoint(number)).ok()?;
                let note: Note = serde_json::from_slice(&note).ok()?;
                let summary = DaySummary {
                    day: batch.header().day,
                    census: batch.census().clone(),
                    coverage: batch.coverage().clone(),
                    endpoint_list_version: batch.header().endpoint_list_version,
                    observations: batch.observations().to_vec(),
                };
                note.part(summary, boot)
            }) {
                // What was kept once found room once.
                let _ = unfinished.add(part);
            }
        }
        Ok(unfinished)
    }

    /// Keeps a part of a day; `false` when there is no room for it.
    pub fn add(&mut self, part: Part) -> bool {
        let has_room = self.parts.len() < PARTS_MAX;
        if has_room {
            self.parts.push_back(part);
        }
        has_room
    }

    /// Whether a part of a day before `today` is among them.
    #[must_use]
    pub fn is_any_over(&self, today: Day) -> bool {
        self.parts.iter().any(|part| part.summary.day < today)
    }

    /// Takes out a part of a day before `today`.
    pub fn take_over(&mut self, today: Day) -> Option<Part> {
        let is_over = |part: &Part| part.summary.day < today;
        let place = self.parts.iter().position(is_over)?;
        self.parts.remove(place)
    }

    /// Drops the parts that tell of a device which is not among these; says how many those were.
    pub fn retain(&mut self, allowed: &BTreeSet<DeviceTag>) -> usize {
        let before = self.parts.len();
        self.parts.retain(|part| part.devices.is_subset(allowed));
        before - self.parts.len()
    }

    /// How many parts wait for their day to be over.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes what waits, in place of what stands in the folder.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn keep(&self, chance: &mut dyn Chance) -> io::Result<()> {
        durable::make_folder(&self.folder)?;
        for ending in [ENDING, NOTE_ENDING] {
            for path in files(&self.folder, ending)? {
                durable::remove(&path)?;
            }
        }
        // Meant for nobody, of nobody: who they are for is settled when they are sealed.
        let (nobody, no_home) = (Audience::new([0; 32]), HomeId::new([0; 32]));
        let mut number = 0;
        for part in &self.parts {
            let note = Note::of(part, self.boot).bytes();
            for batch in batch::batches(&part.summary, nobody, no_home, chance) {
                let path = self.folder.join(format!("{number:06}.{ENDING}"));
                durable::place(&path.with_extension(NOTE_ENDING), &note)?;
                durable::place(&path, &encode::batch(&batch))?;
                number += 1;
            }
        }
        durable::settle(&self.folder)
    }
}

// === impl Note ===

impl Note {
    fn of(part: &Part, boot: Option<BootId>) -> Self {
        let boot = boot.filter(|_| part.offset_nanos.is_some());
        Self {
            devices: part.devices.iter().map(DeviceTag::to_string).collect(),
            boot: boot.map(|boot| boot.to_string()),
            offset_nanos: part.offset_nanos,
        }
    }

    /// The part it is about; `None` where it names something other than devices.
    fn part(self, summary: DaySummary, boot: Option<BootId>) -> Option<Part> {
        let devices = self.devices.iter().map(|tag| tag.parse().ok());
        let boot = boot.map(|boot| boot.to_string());
        let is_comparable = boot.is_some() && self.boot == boot;
        Some(Part {
            summary,
            devices: devices.collect::<Option<_>>()?,
            offset_nanos: self.offset_nanos.filter(|_| is_comparable),
        })
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and a number")
    }
}

/// The files of a folder that end so, in order; none where there is no folder.
fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::batch::{Coverage, Loss, Source};
    use phonehome_proto::census::{Census, PhoneCount};
    use phonehome_proto::chance::SeededChance;
    use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
    use phonehome_proto::scale::Magnitude;

    const BOOT: BootId = BootId::new([1; 16]);

    /// No list but the compiled-in one.
    fn take_up(folder: &Path, boot: Option<BootId>) -> io::Result<Unfinished> {
        Unfinished::take_up(folder, boot, &Present::default())
    }

    fn tag(text: &str) -> DeviceTag {
        text.parse().expect("a tag")
    }

    fn part(day: u32) -> Part {
        let summary = DaySummary {
            day: Day::new(day).expect("before 2200"),
            census: Census {
                rows: [].into(),
                unidentified: PhoneCount::of(2),
            },
            coverage: Coverage {
                source: Source::ConntrackAndTap,
                losses: [(Loss::CounterGaps, Magnitude::of(5))].into(),
            },
            endpoint_list_version: ENDPOINT_LIST_VERSION,
            observations: Vec::new(),
        };
        Part {
            summary,
            devices: [tag("00000001"), tag("00000002")].into(),
            offset_nanos: Some(-5),
        }
    }

    #[test]
    fn what_is_kept_is_taken_up_and_told_once_its_day_is_over() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let days = folder.path().join("days");
        let mut before = take_up(&days, Some(BOOT))?;
        assert!(before.is_empty());
        assert!(before.add(part(20_001)) && before.add(part(20_000)));
        before.keep(&mut SeededChance::new(1))?;
        // What was kept before is gone, and what is no part of a day is passed over.
        fs::write(days.join("000009.day"), b"a letter")?;
        fs::write(days.join("000009.note"), b"{}")?;
        let mut after = take_up(&days, Some(BOOT))?;
        let today = Day::new(20_001).expect("before 2200");
        assert_eq!(after.take_over(today), Some(part(20_000)));
        assert_eq!((after.take_over(today), after.len()), (None, 1));
        assert_eq!(after.take_over(today.plus(1)), Some(part(20_001)));
        after.keep(&mut SeededChance::new(1))?;
        assert_eq!(fs::read_dir(&days)?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_clock_is_remembered_until_the_machine_starts_anew() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut before = take_up(folder.path(), Some(BOOT))?;
        assert!(before.add(part(20_000)));
        before.keep(&mut SeededChance::new(1))?;
        for (boot, offset_nanos) in [
            (Some(BOOT), Some(-5)),
            (Some(BootId::new([2; 16])), None),
            (None, None),
        ] {
            let mut after = take_up(folder.path(), boot)?;
            let taken = after.take_over(Day::new(20_001).expect("before 2200"));
            assert_eq!(taken.map(|part| part.offset_nanos), Some(offset_nanos));
        }
        Ok(())
    }

    #[test]
    fn nobody_takes_up_what_nobody_can_say_whom_it_is_about() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut before = take_up(folder.path(), None)?;
        assert!(before.add(part(20_000)) && before.add(part(20_000)) && before.add(part(20_000)));
        before.keep(&mut SeededChance::new(1))?;
        fs::remove_file(folder.path().join("000000.note"))?;
        fs::write(folder.path().join("000001.note"), r#"{"devices":["moon"]}"#)?;
        assert_eq!(take_up(folder.path(), None)?.len(), 1);
        Ok(())
    }

    #[test]
    fn what_tells_of_a_denied_device_is_dropped() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut unfinished = take_up(folder.path(), None)?;
        let alone = Part {
            devices: [tag("00000001")].into(),
            ..part(20_000)
        };
        assert!(unfinished.add(part(20_000)) && unfinished.add(alone.clone()));
        assert_eq!(unfinished.retain(&[tag("00000001")].into()), 1);
        assert_eq!(unfinished.parts, [alone]);
        Ok(())
    }

    #[test]
    fn there_is_an_end_to_it() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut unfinished = take_up(folder.path(), None)?;
        let kept = (0..PARTS_MAX + 3).filter(|_| unfinished.add(part(20_000)));
        assert_eq!(kept.count(), PARTS_MAX);
        Ok(())
    }
}
