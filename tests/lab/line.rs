//! The line between the router and its provider: a cable, or one on which packets take their time.
//!
//! Where the round-trip time has to be known, both ends are TUN devices and every packet is held for
//! the time that was set before it is given to the other end. What the queue cannot hold is dropped,
//! as on any line, and counted.

use super::namespace::{Namespace, enter};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::hint;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_tun::Tun;

/// A line at work; cut when dropped.
#[derive(Debug)]
pub(crate) struct Line {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
    dropped: Arc<AtomicU64>,
}

/// Packets on the line in one direction, at most.
const PACKETS_MAX: usize = 4_096;

/// Longer packets than the kernel would send into the line.
const PACKET_BYTES_MAX: usize = 2_048;

/// A sleeping thread wakes up to so much late; that long it stays awake instead.
const WAKING: Duration = Duration::from_micros(200);

/// A packet, and when it arrives.
struct Held {
    due: Instant,
    packet: Vec<u8>,
}

impl Line {
    /// A cable between `a` in one namespace and `b` in the other.
    pub(crate) fn cable(near: (&Namespace, &str), far: (&Namespace, &str)) -> Result<()> {
        let ((near, a), (far, b)) = (near, far);
        near.link(&format!(
            "add {a} type veth peer name {b} netns {}",
            far.name()
        ))
    }

    /// A line between `a` and `b` on which every packet takes `delay`.
    pub(crate) fn delayed(
        near: (&Namespace, &'static str),
        far: (&Namespace, &'static str),
        delay: Duration,
    ) -> Result<Self> {
        let doors = [(near.0.door()?, near.1), (far.0.door()?, far.1)];
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        let (stop, stopped) = oneshot::channel();
        let (ready, laid) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("line".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(async {
                    let [near, far] = doors.map(|(door, name)| open(&door, name));
                    let (near, far) = (Arc::new(near?), Arc::new(far?));
                    let _ = ready.send(());
                    tokio::select! {
                        failed = carry(&near, &far, delay, &count) => failed,
                        failed = carry(&far, &near, delay, &count) => failed,
                        _ = stopped => Ok(()),
                    }
                })
            })?;
        if laid.recv().is_err() {
            thread.join().ok().context("the line panicked")??;
            bail!("the line was cut before it was laid");
        }
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            dropped,
        })
    }

    /// Packets that found no room on it.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes a TUN device behind the door.
fn open(door: &File, name: &str) -> Result<Tun> {
    enter(door)?;
    let mut queues = Tun::builder().name(name).build()?;
    queues.pop().context("a device has a queue")
}

/// Carries packets one way, until one of the ends is gone.
async fn carry(from: &Tun, to: &Arc<Tun>, delay: Duration, dropped: &AtomicU64) -> Result<()> {
    let (sender, receiver) = mpsc::sync_channel(PACKETS_MAX);
    let (alive, dead) = mpsc::sync_channel(0);
    let to = Arc::clone(to);
    // On a thread of its own: the runtime's timers know whole milliseconds only.
    let deliver = thread::Builder::new().name("line".to_owned());
    deliver.spawn(move || deliver_when_due(&receiver, &dead, |packet| to.try_send(packet)))?;
    let gone = take(from, delay, &sender, dropped).await;
    drop(alive);
    gone
}

async fn take(
    from: &Tun,
    delay: Duration,
    sender: &SyncSender<Held>,
    dropped: &AtomicU64,
) -> Result<()> {
    let mut buffer = [0; PACKET_BYTES_MAX];
    loop {
        let length = from.recv(&mut buffer).await?;
        let held = Held {
            due: now() + delay,
            packet: buffer[..length].to_vec(),
        };
        if sender.try_send(held).is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn deliver_when_due(
    receiver: &Receiver<Held>,
    dead: &Receiver<()>,
    send: impl Fn(&[u8]) -> io::Result<usize>,
) {
    while let Ok(Held { due, packet }) = receiver.recv() {
        let wait = due.saturating_duration_since(now() + WAKING);
        if dead.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        while now() < due {
            hint::spin_loop();
        }
        // A device that is down loses packets, as a cable that is pulled out.
        let _ = send(&packet);
    }
}

#[expect(clippy::disallowed_methods, reason = "the line keeps real time")]
fn now() -> Instant {
    Instant::now()
}
