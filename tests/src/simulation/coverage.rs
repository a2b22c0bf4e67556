//! Coverage: how often the truth lay within what was published, over many runs.
//!
//! Counted apart by what a reader sees of a cell (state, how its places are known) and by how large
//! the truth is, since a good average can hide a bad kind.

use super::run::{Judged, Known, Run, Trap};
use phonehome_collector::release::Cell;
use std::collections::BTreeMap;
use std::fmt;

/// Over many runs.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    runs: u32,
    groups: BTreeMap<Group, Tally>,
    known: Known,
}

/// Cells that are counted together. In the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The one cell each run is about.
    Subject,
    /// All of them.
    All,
    /// Those about what does happen, however rarely.
    Happens,
    /// By its state.
    State(&'static str),
    /// By how its places are known, if it happens.
    Status(&'static str),
    /// By the truth: up to so many per cent.
    Truth(u32),
    /// By what tables cannot but be wrong about.
    Trap(Trap),
}

/// Cells of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// With numbers.
    pub shown: u32,
    /// Without.
    pub hidden: u32,
    /// Shown, with the truth below the interval.
    pub above: u32,
    /// Shown, with the truth above the interval.
    pub below: u32,
    widths: f64,
}

impl Coverage {
    /// Of these runs.
    #[must_use]
    pub fn of(runs: &[Run]) -> Self {
        let mut coverage = Self::default();
        for run in runs {
            coverage.runs += 1;
            coverage.known.add(run.known);
            for (at, judged) in run.cells.iter().enumerate() {
                for group in groups(judged, at == 0) {
                    coverage.groups.entry(group).or_default().note(judged);
                }
            }
        }
        coverage
    }

    /// The cells of a group.
    #[must_use]
    pub fn of_group(&self, group: Group) -> Tally {
        self.groups.get(&group).copied().unwrap_or_default()
    }

    /// Whose phones were told from whose.
    #[must_use]
    pub const fn known(&self) -> Known {
        self.known
    }
}

impl Tally {
    /// The share of the shown intervals that hold the truth; 1 if none is shown.
    #[must_use]
    pub fn covered(&self) -> f64 {
        if self.shown == 0 {
            return 1.0;
        }
        1.0 - f64::from(self.above + self.below) / f64::from(self.shown)
    }

    /// The mean width of the shown intervals.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.widths / f64::from(self.shown.max(1))
    }

    fn note(&mut self, judged: &Judged) {
        let Some(numbers) = judged.cell.numbers() else {
            self.hidden += 1;
            return;
        };
        let [low, high] =
            [numbers.share_low, numbers.share_high].map(|share| f64::from(share.0) / 10_000.0);
        self.shown += 1;
        self.above += u32::from(judged.truth < low);
        self.below += u32::from(judged.truth > high);
        self.widths += high - low;
    }
}

fn groups(judged: &Judged, is_subject: bool) -> impl Iterator<Item = Group> {
    let happens = judged.truth > 0.0;
    let status = judged
        .cell
        .numbers()
        .map(|numbers| numbers.place_status.as_str());
    let state = match judged.cell {
        // One word for both: a reader sees no number.
        Cell::Suppressed | Cell::NoData => "no number",
        ref cell => cell.state(),
    };
    let up_to = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]
        .into_iter()
        .zip([0, 10, 25, 50, 75, 100]);
    let up_to = up_to
        .filter(|(limit, _)| judged.truth <= *limit)
        .map(|(_, percent)| percent)
        .min();
    [
        is_subject.then_some(Group::Subject),
        Some(Group::All),
        happens.then_some(Group::Happens),
        Some(Group::State(state)),
        status.filter(|_| happens).map(Group::Status),
        up_to.map(Group::Truth),
        judged.trap.map(Group::Trap),
    ]
    .into_iter()
    .flatten()
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject => f.pad("one cell of each run"),
            Self::All => f.pad("all cells"),
            Self::Happens => f.pad("of what happens"),
            Self::State(state) => f.pad(&format!("  state {state}")),
            Self::Status(status) => f.pad(&format!("  place {status}")),
            Self::Trap(Trap::WrongAlone) => f.pad("  one database, wrong"),
            Self::Trap(Trap::UnlistedAnycast) => f.pad("  many places, unlisted"),
            Self::Truth(0) => f.pad("  truth 0 %"),
            Self::Truth(percent) => f.pad(&format!("  truth up to {percent} %")),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} runs, intervals at nominal 95 %", self.runs)?;
        writeln!(
            f,
            "{:<24}{:>9}{:>9}{:>10}{:>9}{:>9}{:>9}",
            "cells", "shown", "hidden", "covered", "above", "below", "width"
        )?;
        for (group, tally) in &self.groups {
            write!(f, "{group:<24}{:>9}{:>9}", tally.shown, tally.hidden)?;
            if tally.shown > 0 {
                let [covered, width] = [tally.covered(), tally.width()].map(|share| share * 100.0);
                write!(
                    f,
                    "{covered:>8.1} %{:>9}{:>9}{width:>7.1} %",
                    tally.above, tally.below
                )?;
            }
            writeln!(f)?;
        }
        let Known {
            right,
            circular,
            unknown,
            wrong,
        } = self.known;
        writeln!(
            f,
            "phones: {right} right, {circular} by their contacts only, {unknown} unknown, {wrong} wrong"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_collector::release::{BasisPoints, Numbers, PlaceStatus};

    #[test]
    fn a_truth_outside_counts_on_its_side() {
        let numbers = |low, high| Numbers {
            share: BasisPoints(low),
            share_low: BasisPoints(low),
            share_high: BasisPoints(high),
            x_low: 10,
            x_high: 10,
            n: 20,
            networks: 3,
            radius: 1,
            place_status: PlaceStatus::Confident,
        };
        let cells = [
            Cell::Value(numbers(4_000, 6_000)),
            Cell::Value(numbers(5_001, 9_000)),
            Cell::Imprecise(numbers(0, 4_999)),
            Cell::Suppressed,
        ];
        let judged = cells.map(|cell| Judged {
            truth: 0.5,
            cell,
            trap: None,
        });
        let run = Run {
            cells: judged.to_vec(),
            known: Known::default(),
        };
        let coverage = Coverage::of(&[run]);
        let all = coverage.of_group(Group::All);
        assert_eq!((all.shown, all.hidden, all.above, all.below), (3, 1, 1, 1));
        assert!((all.covered() - 1.0 / 3.0).abs() < 1e-9);
        assert!((all.width() - (0.2 + 0.3999 + 0.4999) / 3.0).abs() < 1e-9);
        assert_eq!(coverage.of_group(Group::Subject).shown, 1);
        assert_eq!(coverage.of_group(Group::State("value")).above, 1);
        assert_eq!(coverage.of_group(Group::Truth(50)).shown, 3);
        assert!(coverage.to_string().contains("33.3 %"), "{coverage}");
    }
}
