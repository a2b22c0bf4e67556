//! What the terminal shows while the world turns. Nothing, where there is no terminal.

use crate::world::{Step, Watcher};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use phonehome_proto::time::Week;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two bars: homes recorded, homes reported.
pub(super) struct Progress {
    bars: MultiProgress,
    recorded: ProgressBar,
    reported: ProgressBar,
    receipts: Arc<AtomicUsize>,
}

impl Progress {
    pub(super) fn new(homes: u32) -> Self {
        let bars = MultiProgress::new();
        let style = ProgressStyle::with_template("{msg:34} [{bar:40}] {pos}/{len}")
            .expect("a template without mistakes")
            .progress_chars("=> ");
        let bar = || {
            let bar = ProgressBar::new(u64::from(homes)).with_style(style.clone());
            bars.add(bar)
        };
        let (recorded, reported) = (bar(), bar());
        Self {
            bars,
            recorded,
            reported,
            receipts: Arc::default(),
        }
    }

    /// Begins a week.
    pub(super) fn week(&self, week: Week) {
        for (bar, what) in [
            (&self.recorded, "captures written"),
            (&self.reported, "homes reported"),
        ] {
            bar.reset();
            bar.set_message(format!("{week}: {what}"));
        }
    }

    /// Moves the bars with each step.
    pub(super) fn watcher(&self) -> Watcher {
        let (recorded, reported) = (self.recorded.clone(), self.reported.clone());
        let receipts = Arc::clone(&self.receipts);
        Arc::new(move |step| match step {
            Step::Recorded(_) => recorded.inc(1),
            Step::Reported(held) => {
                receipts.fetch_add(held, Ordering::Relaxed);
                reported.inc(1);
            }
        })
    }

    /// Says that a week is closed, folded and released.
    pub(super) fn closing(&self, week: Week) {
        self.reported
            .set_message(format!("{week}: closing, releasing"));
    }

    /// Makes room for text.
    pub(super) fn hide(&self) {
        // A terminal that cannot be cleared loses nothing but looks.
        drop(self.bars.clear());
    }

    /// Takes the bars away.
    pub(super) fn end(&self) {
        self.recorded.finish_and_clear();
        self.reported.finish_and_clear();
    }

    /// Receipts so far.
    pub(super) fn receipts(&self) -> usize {
        self.receipts.load(Ordering::Relaxed)
    }
}
