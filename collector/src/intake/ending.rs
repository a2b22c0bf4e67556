//! How open connections end, each counted once by why.
//!
//! Takes a connection in its seat, gives it on; counts when it is dropped. A connection that came in was
//! refused at the door, or has ended for one of these reasons, or is open: so whoever reads the counters
//! can tell how many are open. What the collector did itself goes before what the other side did about it:
//! who is asked to end and then hangs up was asked to end.
//!
//! No clock is read: the door counts seconds (`Seconds`), which is enough to tell an hour from a minute.

use super::{CONNECTION_AGE, KEEPALIVE};
use crate::line::crowd::Seated;
use crate::metrics::{Counter, Metrics};
use crate::readiness::{Readiness, Unready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Why a connection that was open is not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The other side closed it, or its last answer was given.
    Closed,
    /// The line broke.
    Broken,
    /// Cut: too many were open, and of whoever had most it was the oldest.
    NoRoom,
    /// Cut: it was silent, and did not answer when asked.
    Silent,
    /// Ended: it was open for so long that homes should spread anew.
    Aged,
    /// Cut: what came was not the protocol.
    Misspoken,
    /// Ended: the collector stops.
    Stopping,
}

/// Whole seconds since a door was opened. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seconds(Arc<AtomicU64>);

/// What ends are counted with.
#[derive(Clone)]
pub(crate) struct Endings {
    metrics: Metrics,
    readiness: Readiness,
    seconds: Seconds,
    counter: fn(End) -> Counter,
    /// What it means that the collector ended one for none of its own reasons.
    otherwise: End,
}

/// An open connection whose end will be counted.
pub(crate) struct Watched<S> {
    stream: Seated<S>,
    endings: Endings,
    begun: u64,
    /// When something came last.
    heard: u64,
    /// What the other side or the line did about it, if it did.
    theirs: Option<End>,
}

// === impl End ===

impl End {
    /// Every end.
    pub const ALL: [Self; 7] = [
        Self::Closed,
        Self::Broken,
        Self::NoRoom,
        Self::Silent,
        Self::Aged,
        Self::Misspoken,
        Self::Stopping,
    ];

    /// The counter's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::NoRoom => "no_room",
            Self::Silent => "silent",
            Self::Aged => "aged",
            Self::Misspoken => "misspoken",
            Self::Stopping => "stopping",
        }
    }
}

impl Seconds {
    /// One more is over.
    pub(super) fn pass(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Endings {
    /// Of homes' connections, by a door that counts these seconds.
    pub(super) const fn of_homes(metrics: Metrics, readiness: Readiness, seconds: Seconds) -> Self {
        Self {
            metrics,
            readiness,
            seconds,
            counter: Counter::ConnectionsEnded,
            otherwise: End::Misspoken,
        }
    }

    /// Of readers' connections, which the collector closes behind an answer where they ask for that.
    pub(crate) fn of_readers(metrics: Metrics, readiness: Readiness) -> Self {
        Self {
            metrics,
            readiness,
            seconds: Seconds::default(),
            counter: Counter::ReadersEnded,
            otherwise: End::Closed,
        }
    }

    /// From now on the connection is open.
    pub(crate) fn watch<S>(&self, stream: Seated<S>) -> Watched<S> {
        let now = self.seconds.now();
        Watched {
            stream,
            endings: self.clone(),
            begun: now,
            heard: now,
            theirs: None,
        }
    }
}

impl<S> Watched<S> {
    fn end(&self) -> End {
        // A second that has begun is not counted yet.
        let for_seconds = |since: u64| self.endings.seconds.now() + 1 - since;
        if self.stream.is_cut() {
            End::NoRoom
        } else if self
            .endings
            .readiness
            .reasons()
            .contains(&Unready::Draining)
        {
            End::Stopping
        } else if for_seconds(self.begun) >= CONNECTION_AGE.as_secs() {
            End::Aged
        } else if let Some(end) = self.theirs {
            end
        } else if for_seconds(self.heard) > KEEPALIVE.as_secs() {
            End::Silent
        } else {
            self.endings.otherwise
        }
    }

    /// Remembers what the line did, and hands it on.
    fn noting<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(polled, Poll::Ready(Err(_))) {
            self.theirs = self.theirs.or(Some(End::Broken));
        }
        polled
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        let Endings {
            metrics, counter, ..
        } = &self.endings;
        metrics.count(counter(self.end()));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) && room > 0 {
            if buffer.filled().len() > before {
                self.heard = self.endings.seconds.now();
            } else {
                self.theirs = self.theirs.or(Some(End::Closed));
            }
        }
        self.noting(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noting(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.noting(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.noting(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // That the other side has gone meanwhile is no news.
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Whom;
    use crate::line::crowd::Crowd;
    use std::collections::BTreeMap;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// A door's ends, and connections through it.
    struct Stage {
        metrics: Metrics,
        readiness: Readiness,
        seconds: Seconds,
        crowd: Crowd,
    }

    impl Stage {
        fn set() -> Self {
            Self {
                metrics: Metrics::new(),
                readiness: Readiness::new(),
                seconds: Seconds::default(),
                crowd: Crowd::new(1),
            }
        }

        fn open(&self) -> (DuplexStream, Watched<DuplexStream>) {
            let endings = Endings::of_homes(
                self.metrics.clone(),
                self.readiness.clone(),
                self.seconds.clone(),
            );
            let (theirs, ours) = duplex(64);
            let seat = self.crowd.sit(Whom::of(None));
            (theirs, endings.watch(Seated::new(ours, seat)))
        }

        fn pass(&self, seconds: u64) {
            for _ in 0..seconds {
                self.seconds.pass();
            }
        }

        /// What was counted, and nothing else.
        fn counted(&self) -> Vec<(End, u64)> {
            let snapshot: BTreeMap<Counter, u64> = self.metrics.snapshot();
            let ends = End::ALL.map(|end| (end, snapshot[&Counter::ConnectionsEnded(end)]));
            ends.into_iter().filter(|(_, count)| *count > 0).collect()
        }
    }

    #[tokio::test]
    async fn each_end_is_counted_by_its_reason_and_once() {
        let stage = Stage::set();
        let (theirs, mut ours) = stage.open();
        drop(theirs);
        assert_eq!(ours.read(&mut [0; 8]).await.expect("an end"), 0);
        drop(ours);
        assert_eq!(stage.counted(), [(End::Closed, 1)]);

        let stage = Stage::set();
        let (theirs, mut ours) = stage.open();
        drop(theirs);
        assert!(ours.write_all(&[0; 200]).await.is_err());
        drop(ours);
        assert_eq!(stage.counted(), [(End::Broken, 1)]);

        let stage = Stage::set();
        let (_theirs, mut first) = stage.open();
        let (_others, second) = stage.open();
        assert!(first.read(&mut [0; 8]).await.is_err(), "asked to go");
        drop(first);
        assert_eq!(stage.counted(), [(End::NoRoom, 1)]);
        drop(second);

        let stage = Stage::set();
        let (_theirs, ours) = stage.open();
        drop(ours);
        assert_eq!(stage.counted(), [(End::Misspoken, 1)]);
    }

    #[tokio::test]
    async fn silence_is_told_from_age_and_age_from_who_hangs_up_for_it() {
        let stage = Stage::set();
        let (mut theirs, mut ours) = stage.open();
        stage.pass(KEEPALIVE.as_secs());
        theirs.write_all(b"word").await.expect("writes");
        assert_eq!(ours.read(&mut [0; 8]).await.expect("reads"), 4);
        stage.pass(KEEPALIVE.as_secs());
        drop(ours);
        assert_eq!(stage.counted(), [(End::Silent, 1)]);

        let stage = Stage::set();
        let (mut theirs, mut ours) = stage.open();
        stage.pass(CONNECTION_AGE.as_secs() - 1);
        theirs.write_all(b"word").await.expect("writes");
        drop(theirs);
        assert_eq!(ours.read(&mut [0; 8]).await.expect("reads"), 4);
        assert_eq!(ours.read(&mut [0; 8]).await.expect("an end"), 0);
        drop(ours);
        assert_eq!(stage.counted(), [(End::Aged, 1)]);
    }

    #[tokio::test]
    async fn who_is_open_when_the_collector_stops_ends_for_that() {
        let stage = Stage::set();
        let (theirs, mut ours) = stage.open();
        stage.readiness.drain();
        drop(theirs);
        assert_eq!(ours.read(&mut [0; 8]).await.expect("an end"), 0);
        drop(ours);
        assert_eq!(stage.counted(), [(End::Stopping, 1)]);
    }
}
