//! Everything that is logged, at TRACE, by every crate in the process, while somebody listens.
//!
//! A process has one log. Whoever listens hears what is logged from then on, of other tests too.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// Somebody who listens, until it is dropped.
#[derive(Debug)]
pub(super) struct Log {
    inner: Arc<Inner>,
    /// At which byte it began.
    begun: usize,
}

/// The log of the process, kept in memory.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    listeners: AtomicUsize,
    spans: AtomicU64,
    text: Mutex<String>,
}

static KEPT: OnceLock<Kept> = OnceLock::new();

impl Log {
    /// Begins to listen to the whole process.
    pub(super) fn listen() -> Self {
        let kept = KEPT.get_or_init(|| {
            let kept = Kept::default();
            tracing::subscriber::set_global_default(kept.clone()).expect("nobody else listens");
            kept
        });
        let inner = Arc::clone(&kept.0);
        inner.listeners.fetch_add(1, Ordering::Relaxed);
        let begun = inner.text().len();
        Self { inner, begun }
    }

    /// What was logged so far.
    pub(super) fn text(&self) -> String {
        self.inner.text()[self.begun..].to_owned()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.inner.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    fn text(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn write(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let mut line = Line(format!("{} {}", metadata.target(), metadata.name()));
        record(&mut line);
        let mut text = self.0.text();
        text.push_str(&line.0);
        text.push('\n');
    }
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {field}={value}").expect("a string takes text");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("a string takes text");
    }
}

impl Subscriber for Kept {
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        // Ask each time: whether somebody listens changes.
        Interest::sometimes()
    }

    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        self.0.listeners.load(Ordering::Relaxed) > 0
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(span.metadata(), |line| span.record(line));
        Id::from_u64(1 + self.0.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.text().push_str(&line.0);
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
