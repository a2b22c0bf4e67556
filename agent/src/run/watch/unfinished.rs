//! Parts of days that are not over, kept over a restart.
//!
//! A daemon that stops in the middle of a day has seen a part of it. That part becomes files in the run
//! folder, one per batch it would make, and whoever starts next tells it as a batch of its own once the
//! day is over: a day may come in several. Nothing is sealed before its day is over; what stands in the
//! file is the day in the wire's encoding, meant for nobody yet, in memory as the spool is.

use crate::batch;
use crate::durable;
use crate::observe::DaySummary;
use phonehome_proto::chance::Chance;
use phonehome_proto::id::{Audience, HomeId};
use phonehome_proto::time::Day;
use phonehome_proto::{decode, encode, limits};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Parts of days, in the order they came.
#[derive(Debug, Default)]
pub struct Unfinished {
    parts: VecDeque<DaySummary>,
}

/// A daemon that is restarted every five minutes of a day makes fewer.
const PARTS_MAX: usize = 320;

const ENDING: &str = "day";

// === impl Unfinished ===

impl Unfinished {
    /// What stands in `folder`; files that are no part of a day are passed over.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn take_up(folder: &Path) -> io::Result<Self> {
        let mut unfinished = Self::default();
        for path in files(folder)? {
            let bytes = durable::read(&path, limits::PAYLOAD_BYTES_MAX as u64)?;
            if let Some(batch) = bytes.and_then(|bytes| decode::batch(&bytes).ok()) {
                // What was kept once found room once.
                let _ = unfinished.add(DaySummary {
                    day: batch.header().day,
                    census: batch.census().clone(),
                    coverage: batch.coverage().clone(),
                    observations: batch.observations().to_vec(),
                });
            }
        }
        Ok(unfinished)
    }

    /// Keeps a part of a day; `false` when there is no room for it.
    pub fn add(&mut self, part: DaySummary) -> bool {
        let has_room = self.parts.len() < PARTS_MAX;
        if has_room {
            self.parts.push_back(part);
        }
        has_room
    }

    /// Whether a part of a day before `today` is among them.
    #[must_use]
    pub fn is_any_over(&self, today: Day) -> bool {
        self.parts.iter().any(|part| part.day < today)
    }

    /// Takes out a part of a day before `today`.
    pub fn take_over(&mut self, today: Day) -> Option<DaySummary> {
        let place = self.parts.iter().position(|part| part.day < today)?;
        self.parts.remove(place)
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

    /// Writes what waits into `folder`, in place of what stands there.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn keep(&self, folder: &Path, chance: &mut dyn Chance) -> io::Result<()> {
        durable::make_folder(folder)?;
        for path in files(folder)? {
            durable::remove(&path)?;
        }
        // Meant for nobody, of nobody: who they are for is settled when they are sealed.
        let (nobody, no_home) = (Audience::new([0; 32]), HomeId::new([0; 32]));
        let parts = self.parts.iter();
        let batches = parts.flat_map(|part| batch::batches(part, nobody, no_home, chance));
        for (number, batch) in batches.enumerate() {
            let path = folder.join(format!("{number:06}.{ENDING}"));
            durable::place(&path, &encode::batch(&batch))?;
        }
        durable::settle(folder)
    }
}

/// The files of a folder, in order; none where there is no folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
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
    use phonehome_proto::scale::Magnitude;

    fn part(day: u32) -> DaySummary {
        DaySummary {
            day: Day::new(day).expect("before 2200"),
            census: Census {
                rows: [].into(),
                unidentified: PhoneCount::of(2),
            },
            coverage: Coverage {
                source: Source::ConntrackAndTap,
                losses: [(Loss::CounterGaps, Magnitude::of(5))].into(),
            },
            observations: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_is_taken_up_and_told_once_its_day_is_over() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let days = folder.path().join("days");
        assert!(Unfinished::take_up(&days)?.is_empty());
        let mut before = Unfinished::default();
        assert!(before.add(part(20_001)) && before.add(part(20_000)));
        before.keep(&days, &mut SeededChance::new(1))?;
        // What was kept before is gone, and what is no part of a day is passed over.
        fs::write(days.join("000009.day"), b"a letter")?;
        let mut after = Unfinished::take_up(&days)?;
        let today = Day::new(20_001).expect("before 2200");
        assert_eq!(after.take_over(today), Some(part(20_000)));
        assert_eq!((after.take_over(today), after.len()), (None, 1));
        assert_eq!(after.take_over(today.plus(1)), Some(part(20_001)));
        after.keep(&days, &mut SeededChance::new(1))?;
        assert_eq!(fs::read_dir(&days)?.count(), 0);
        Ok(())
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut unfinished = Unfinished::default();
        let kept = (0..PARTS_MAX + 3).filter(|_| unfinished.add(part(20_000)));
        assert_eq!(kept.count(), PARTS_MAX);
    }
}
