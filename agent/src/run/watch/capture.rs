//! The capture thread: a source, a home, and nothing else.
//!
//! It starts confined, narrows itself further, and then goes round: an event, what is wished, what
//! there is to say. It never waits for whoever listens: what cannot be said at once is said later, and
//! the home bounds what there can be.

use super::dating::is_set;
use super::ground::taps;
use super::hearing::Hearing;
use super::home::{Home, Sights, Told, Wish};
use crate::capture::clock::{KernelClock, Reading};
use crate::capture::conntrack::Conntrack;
use crate::capture::live::{LiveSource, Waker};
use crate::capture::{Event, Source};
use crate::sandbox::{self, Confined};
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver as ToldReceiver, Sender, channel};

/// The capture thread, from outside.
pub(super) struct Capture {
    pub(super) told: ToldReceiver<Told>,
    wishes: SyncSender<Wish>,
    waker: Waker,
    thread: JoinHandle<()>,
}

/// How long the source may wait for something to happen.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often is said how things stand.
const SIGHTS_NANOS: u64 = 20 * 1_000_000_000;

/// Things to say that whoever listens has not heard yet, and wishes not heeded yet.
const CHANNEL_MAX: usize = 64;

impl Capture {
    /// Starts it. The proof is wanted before the first frame is looked at.
    pub(super) fn start(
        confined: Confined,
        (source, hearing): (LiveSource, Hearing),
        home: Home,
    ) -> io::Result<Self> {
        let (tell, told) = channel(CHANNEL_MAX);
        let (wishes, heed) = sync_channel(CHANNEL_MAX);
        let waker = source.waker();
        let thread = std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || {
                // Who cannot be narrowed ends, and the daemon sees that nobody tells it anything.
                match sandbox::narrow_capture_thread(&confined) {
                    Ok(()) => watch((source, hearing), home, &heed, &tell),
                    Err(error) => tracing::error!(%error, "the capture thread is not confined"),
                }
            })?;
        Ok(Self {
            told,
            wishes,
            waker,
            thread,
        })
    }

    /// Wishes something. One wish too many while the thread is busy is made again by whoever looks.
    pub(super) fn wish(&self, wish: Wish) -> bool {
        let is_heard = self.wishes.try_send(wish).is_ok();
        self.waker.wake();
        is_heard
    }

    /// Ends the watch. What it has still to say is in `told`.
    pub(super) fn stop(&self) {
        self.waker.stop();
    }

    /// Waits for its end; only after `told` has said all.
    pub(super) fn join(self) {
        // Had it panicked, the process would be over.
        let _ = self.thread.join();
    }
}

fn watch(
    (mut source, mut hearing): (LiveSource, Hearing),
    mut home: Home,
    wishes: &Receiver<Wish>,
    tell: &Sender<Told>,
) {
    let mut unsaid = VecDeque::new();
    let mut looked: Option<Reading> = None;
    let mut said_nanos = 0;
    let mut is_blind = false;
    loop {
        let event = source.next(PATIENCE);
        let is_over = matches!(event, Event::End);
        let mut reading = Reading {
            wall: KernelClock::wall(),
            since_boot_nanos: KernelClock::since_boot_nanos(),
            is_synchronised: looked.is_some_and(|looked| looked.is_synchronised),
        };
        // Asking whether the clock is disciplined is a system call; the clocks themselves are none.
        let is_due = looked.is_none_or(|looked| is_to_be_asked(looked, reading));
        if is_due {
            reading = KernelClock::read();
            looked = Some(reading);
        }
        home.handle(event, reading);
        if is_due {
            // Why something cannot be heard is known since it was first wanted.
            source.listen_again();
        }
        while let Ok(wish) = wishes.try_recv() {
            if let Wish::Networks(networks) = &wish {
                let wanted = taps(networks);
                let unheard = source.retarget(&wanted);
                for unheard in &unheard {
                    tracing::warn!(%unheard, "an interface is not heard");
                }
                hearing.want(&wanted, &unheard);
            }
            home.heed(wish, reading);
        }
        if reading.since_boot_nanos - said_nanos >= SIGHTS_NANOS {
            said_nanos = reading.since_boot_nanos;
            let table = source.connections().map(Conntrack::counts);
            if !is_blind && table.is_some_and(|counts| counts.is_without_readings) {
                is_blind = true;
                unsaid.push_back(Told::Blind);
            }
            unsaid.push_back(Told::Sights(Sights {
                unheard: hearing.missing(source.heard()),
                ..home.sights()
            }));
        }
        if is_over {
            home.finish(reading);
        }
        unsaid.extend(std::iter::from_fn(|| home.poll()));
        if is_over {
            // Nobody is kept waiting by this any more.
            while let Some(told) = unsaid.pop_front() {
                if tell.blocking_send(told).is_err() {
                    return;
                }
            }
            return;
        }
        while let Some(told) = unsaid.pop_front() {
            match tell.try_send(told) {
                Ok(()) => {}
                Err(TrySendError::Full(told)) => {
                    unsaid.push_front(told);
                    break;
                }
                Err(TrySendError::Closed(_)) => return,
            }
        }
        if unsaid.len() > CHANNEL_MAX {
            // How things stood is worth nothing any more; days are few.
            unsaid.retain(|told| !matches!(told, Told::Sights(_)));
        }
    }
}

/// Whether the kernel is to be asked anew who vouches for its clock: every second, and at once when
/// the clock was set, since nobody vouches for the new time by having vouched for the old.
fn is_to_be_asked(looked: Reading, now: Reading) -> bool {
    now.since_boot_nanos.saturating_sub(looked.since_boot_nanos) >= LOOK_NANOS
        || is_set(looked, now)
}

const LOOK_NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::time::Timestamp;

    #[test]
    fn a_clock_that_was_set_is_asked_about_at_once() {
        let at = |wall_millis: i64, boot_millis: u64| Reading {
            wall: Timestamp::from_nanos(wall_millis * 1_000_000),
            since_boot_nanos: boot_millis * 1_000_000,
            is_synchronised: true,
        };
        let looked = at(50_000, 10_000);
        assert!(!is_to_be_asked(looked, at(50_900, 10_900)));
        assert!(is_to_be_asked(looked, at(51_000, 11_000)));
        for wall_millis in [40_000, 49_500, 50_700, 90_000] {
            assert!(is_to_be_asked(looked, at(wall_millis, 10_100)));
        }
    }
}
