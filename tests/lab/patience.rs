//! Waiting for kernels and processes, which say nothing when they are ready.

use anyhow::{Result, ensure};
use std::thread;
use std::time::{Duration, Instant};

/// How often one looks.
const PAUSE: Duration = Duration::from_millis(20);

/// How often one looks where hours pass.
const LONG_PAUSE: Duration = Duration::from_secs(20);

/// Looks until there is something to see, `limit` at most.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    look_every(PAUSE, what, limit, look)
}

/// The same now and then, for what takes hours.
pub(crate) fn until_at_last<T>(
    what: &str,
    limit: Duration,
    look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    look_every(LONG_PAUSE, what, limit, look)
}

fn look_every<T>(
    pause: Duration,
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = now() + limit;
    loop {
        let is_over = now() > end;
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        ensure!(!is_over, "waited {limit:?} in vain for {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "the kernel gives no event for it"
        )]
        thread::sleep(pause);
    }
}

#[expect(clippy::disallowed_methods, reason = "one waits in real time")]
fn now() -> Instant {
    Instant::now()
}
