//! Many storms, one after the other on each processor.
//!
//! A storm that fails, by what the oracle says, by a panic of anybody's, or by standing still, is cut
//! down to what makes it fail.

use super::happened::Happened;
use super::script::{Script, to_file};
use super::shrink::shrink;
use super::world::{Failure, Played, play};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A storm that failed, as it was drawn and cut down.
#[derive(Clone, Debug)]
pub struct Found {
    /// The script that was drawn.
    pub script: Script,
    /// What it failed with.
    pub failure: Failure,
    /// The least of it that fails.
    pub shortest: Script,
    /// What that fails with.
    pub shortest_failure: Failure,
}

/// All the storms of some seeds.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What happened in those that were played to their end.
    pub happened: Happened,
    /// The first that failed, cut down. Then no more are played.
    pub found: Option<Found>,
}

/// A storm is over in a fraction of a second; one that takes longer stands still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Storms that stand still while one is cut down, at most: each takes all that patience.
const STILL_MAX: u32 = 8;

/// Plays a script, on a runtime and a thread of its own: one that stands still is left behind.
///
/// # Errors
/// The first [`Failure`].
///
/// # Panics
/// When the system gives no thread.
pub fn play_alone(script: &Script) -> Result<Played, Failure> {
    let broken = |what| Failure {
        step: 0,
        operation: "all of it".to_owned(),
        what,
    };
    let (over, result) = sync_channel(1);
    let script = script.clone();
    let thread = std::thread::spawn(move || {
        let played = catch_unwind(AssertUnwindSafe(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .max_blocking_threads(1)
                .build()
                .expect("a runtime on this thread");
            runtime.block_on(play(&script))
        }));
        // Nobody hears it if it took too long.
        let _ = over.send(played);
    });
    match result.recv_timeout(PATIENCE) {
        Ok(Ok(played)) => {
            drop(thread.join());
            played
        }
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(broken(format!("panic: {}", text.unwrap_or_default())))
        }
        Err(_) => Err(broken(STANDS_STILL.to_owned())),
    }
}

/// Plays the storms of these seeds on all processors; `tell` hears how many are over.
///
/// # Panics
/// When a thread cannot be started.
pub fn play_all(seeds: std::ops::Range<u64>, tell: impl Fn(u64) + Sync) -> Outcome {
    let next = AtomicU64::new(seeds.start);
    let sum: Mutex<(Happened, Option<(Script, Failure)>)> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let sum_now = || sum.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || sum_now().1.is_some() {
                        return;
                    }
                    let script = Script::draw(seed);
                    match play_alone(&script) {
                        Ok(played) => sum_now().0.add(&played.happened),
                        Err(failure) => drop(sum_now().1.get_or_insert((script, failure))),
                    }
                    tell(seed - seeds.start + 1);
                }
            });
        }
    });
    let (happened, failed) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    Outcome {
        happened,
        found: failed.map(|(script, failure)| Found::cut_down(script, failure)),
    }
}

const STANDS_STILL: &str = "it stands still";

impl Found {
    /// Cuts a failing script down.
    #[must_use]
    pub fn cut_down(script: Script, failure: Failure) -> Self {
        let mut still = 0;
        let shortest = shrink(&script, |candidate| {
            let failed = (still < STILL_MAX).then(|| play_alone(candidate).err());
            let failed = failed.flatten();
            still += u32::from(failed.as_ref().is_some_and(|of| of.what == STANDS_STILL));
            failed.is_some()
        });
        let shortest_failure = play_alone(&shortest)
            .err()
            .unwrap_or_else(|| failure.clone());
        Self {
            script,
            failure,
            shortest,
            shortest_failure,
        }
    }

    /// The reproduction as a file to be kept in `tests/data/storm`.
    #[must_use]
    pub fn to_file(&self) -> String {
        let about = format!("seed {}: {}", self.script.seed, self.shortest_failure);
        to_file(&self.shortest, &about)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}, {}: {}", self.step, self.operation, self.what)
    }
}
