//! Many storms, one after the other on each processor.
//!
//! A storm that fails, by what the oracle says, by a panic of anybody's, or by standing still, is cut
//! down to what makes it fail.

use super::script::{Script, to_file};
use super::shrink::shrink;
use super::world::{Failure, play};
use phonehome_proto::id::Hash;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// A storm is over in a fraction of a second; one that takes longer stands still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays a script on a runtime of its own.
///
/// # Errors
/// The first [`Failure`].
///
/// # Panics
/// When the system gives no thread.
pub fn play_alone(script: &Script) -> Result<Hash, Failure> {
    let broken = |what| Failure {
        step: 0,
        operation: "all of it".to_owned(),
        what,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime on this thread");
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async { tokio::time::timeout(PATIENCE, play(script)).await })
    }));
    // What stands still is not waited for.
    runtime.shutdown_background();
    match played {
        Ok(Ok(played)) => played,
        Ok(Err(_)) => Err(broken("it stands still".to_owned())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(broken(format!("panic: {}", text.unwrap_or_default())))
        }
    }
}

/// Plays the storms of these seeds on all processors; `tell` hears how many are over. Gives the first
/// that failed, cut down, and no more are played.
///
/// # Panics
/// When a thread cannot be started.
pub fn play_all(seeds: std::ops::Range<u64>, tell: impl Fn(u64) + Sync) -> Option<Found> {
    let next = AtomicU64::new(seeds.start);
    let found: Mutex<Option<(Script, Failure)>> = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let is_found = || found.lock().is_ok_and(|found| found.is_some());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || is_found() {
                        return;
                    }
                    let script = Script::draw(seed);
                    if let Err(failure) = play_alone(&script)
                        && let Ok(mut found) = found.lock()
                    {
                        found.get_or_insert((script, failure));
                    }
                    tell(seed - seeds.start + 1);
                }
            });
        }
    });
    let (script, failure) = found.into_inner().ok().flatten()?;
    Some(Found::cut_down(script, failure))
}

impl Found {
    /// Cuts a failing script down.
    #[must_use]
    pub fn cut_down(script: Script, failure: Failure) -> Self {
        let shortest = shrink(&script, |candidate| play_alone(candidate).is_err());
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
