//! The agent's own stages, live in the router, with the result laid open: flows before they become
//! steps.
//!
//! A thread in the router's namespace finds the networks, taps them and reads the connection table as
//! the daemon does, and puts flows together; [`Witness::testify`] ends it and gives them. Privileges
//! stay as they are: what gives them up is the daemon's, and is tested there.

use super::namespace::Namespace;
use super::patience::until;
use super::truth::{Both, Volume};
use anyhow::{Context, Result, ensure};
use phonehome_agent::capture::clock::KernelClock;
use phonehome_agent::capture::conntrack::{Conntrack, PERIOD, RECEIVE_BYTES};
use phonehome_agent::capture::filter::Mode;
use phonehome_agent::capture::lan::{Finder, Networks};
use phonehome_agent::capture::live::{LiveSource, Tap, Waker};
use phonehome_agent::capture::netlink::Asker;
use phonehome_agent::capture::{CaptureCounts, Event, Source};
use phonehome_agent::device::{DeviceTable, DeviceTag};
use phonehome_agent::flow::{Flow, FlowCounts, FlowLimits, FlowTable};
use phonehome_agent::packet::PacketCounts;
use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// A witness at work.
#[derive(Debug)]
pub(crate) struct Witness {
    waker: Waker,
    progress: Arc<Progress>,
    thread: JoinHandle<Result<Testimony>>,
}

/// What it tells while it watches.
#[derive(Debug, Default)]
struct Progress {
    /// Silences since something was last seen.
    silences: AtomicU64,
    /// How often the networks were looked at.
    looks: AtomicU64,
    /// How often the connection table was read to its end.
    readings: AtomicU64,
}

/// What it saw.
#[derive(Debug)]
pub(crate) struct Testimony {
    /// The networks, as they were in the end.
    pub(crate) networks: Networks,
    /// Every flow.
    pub(crate) flows: Vec<Seen>,
    /// What became of frames.
    pub(crate) capture: CaptureCounts,
    /// What became of packets and counters.
    pub(crate) counts: FlowCounts,
}

/// A flow, and whose it is.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) flow: Flow,
    pub(crate) device: Option<DeviceTag>,
}

/// Where volumes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// In the connection table; the tap is for names.
    Kernel,
    /// On the tap.
    Tap,
}

/// How long it waits for something to see.
const PATIENCE: Duration = Duration::from_millis(50);

/// Networks are looked at again after so many silences.
const LOOK_EVERY: u64 = 4;

/// How long whoever waits for the witness waits.
const PATIENCE_FOR_IT: Duration = Duration::from_secs(20);

/// After so many silences in a row there is nothing more to come.
const SILENCES: u64 = 6;

impl Witness {
    /// Begins to watch; returns when it does.
    pub(crate) fn begin(router: &Namespace, account: Account) -> Result<Self> {
        let (ready, watching) = mpsc::channel();
        let progress = Arc::new(Progress::default());
        let told = Arc::clone(&progress);
        let thread = router.spawn(move || {
            let asker = Arc::new(Asker::without_child()?);
            let mut finder = Finder::open(Vec::new(), Some(Arc::clone(&asker)))?;
            let networks = finder.look()?;
            let (mode, connections) = match account {
                Account::Kernel => (Mode::Names, Some(Conntrack::open(asker, RECEIVE_BYTES)?)),
                Account::Tap => (Mode::Everything, None),
            };
            let (source, unheard) = LiveSource::open(&taps(&networks), mode, connections)?;
            ensure!(unheard.is_empty(), "{unheard:?}");
            // Whoever waits may have given up.
            let _ = ready.send(source.waker());
            watch(source, finder, networks, &told)
        })?;
        match watching.recv() {
            Ok(waker) => Ok(Self {
                waker,
                progress,
                thread,
            }),
            Err(_) => Err(thread
                .join()
                .ok()
                .and_then(Result::err)
                .context("the witness is gone")?),
        }
    }

    /// Waits until it has looked at the networks so often from now on.
    pub(crate) fn wait_for_looks(&self, count: u64) -> Result<()> {
        let looks = || self.progress.looks.load(Ordering::Relaxed);
        let before = looks();
        until("a look at the networks", PATIENCE_FOR_IT, || {
            Ok((looks() >= before + count).then_some(()))
        })
    }

    /// Waits until it has read the connection table so often from now on; it does so by its own clock.
    pub(crate) fn wait_for_readings(&self, count: u32) -> Result<()> {
        let readings = || self.progress.readings.load(Ordering::Relaxed);
        let before = readings();
        until(
            "a reading of the connection table",
            PATIENCE_FOR_IT + PERIOD * count,
            || Ok((readings() >= before + u64::from(count)).then_some(())),
        )
    }

    /// Waits until nothing more comes, lets the connection table say its last word, waits for that,
    /// and ends.
    pub(crate) fn testify(self, router: &Namespace) -> Result<Testimony> {
        self.wait_for_silence()?;
        router.run("conntrack", &["-F"])?;
        self.wait_for_silence()?;
        self.waker.stop();
        self.thread.join().ok().context("the witness panicked")?
    }

    fn wait_for_silence(&self) -> Result<()> {
        let silences = &self.progress.silences;
        silences.store(0, Ordering::Relaxed);
        until("silence", PATIENCE_FOR_IT, || {
            Ok((silences.load(Ordering::Relaxed) >= SILENCES).then_some(()))
        })
    }
}

impl Testimony {
    /// The flows to a server, of one transport.
    pub(crate) fn to(&self, server: SocketAddr, transport: Transport) -> Vec<&Seen> {
        let is_to = |seen: &&Seen| {
            let flow = &seen.flow;
            (flow.server.address, flow.server.port, flow.transport)
                == (server.ip(), server.port(), transport)
        };
        self.flows.iter().filter(is_to).collect()
    }

    /// The flows a client opened.
    pub(crate) fn from(&self, client: IpAddr) -> impl Iterator<Item = &Seen> {
        self.flows
            .iter()
            .filter(move |seen| seen.flow.client.address == client)
    }
}

impl Seen {
    /// What passed, by the account that counts.
    pub(crate) fn volume(&self, account: Account) -> Option<Both> {
        let (up, down) = match account {
            Account::Kernel => {
                let kernel = self.flow.kernel?;
                (self.flow.on_wire(kernel.up), self.flow.on_wire(kernel.down))
            }
            Account::Tap => (self.flow.up, self.flow.down),
        };
        let volume = |volume: phonehome_agent::flow::Volume| Volume {
            packets: volume.packets,
            bytes: volume.bytes,
        };
        Some(Both {
            up: volume(up),
            down: volume(down),
        })
    }
}

fn taps(networks: &Networks) -> Vec<Tap> {
    let tap = |tap: &phonehome_agent::capture::lan::Tap| Tap {
        name: tap.name.clone(),
        ifindex: tap.index,
        is_shared: tap.is_shared,
    };
    networks.taps.iter().map(tap).collect()
}

fn watch(
    mut source: LiveSource,
    mut finder: Finder,
    mut networks: Networks,
    progress: &Progress,
) -> Result<Testimony> {
    let mut packets = PacketCounts::default();
    let mut devices = DeviceTable::new(&[7; 32]);
    let mut table = FlowTable::new(FlowLimits::ROUTER, 7);
    table.expect(networks.offload());
    let mut flows = Vec::new();
    let Progress {
        silences,
        looks,
        readings,
    } = progress;
    loop {
        let event = source.next(PATIENCE);
        let passed = i64::try_from(KernelClock::since_boot_nanos())?;
        let passed = Timestamp::from_nanos(passed);
        let mut look_again = false;
        let mut is_over = false;
        match event {
            Event::Frame(frame) => {
                silences.store(0, Ordering::Relaxed);
                if let Some(packet) = packets.read(&frame) {
                    devices.handle_packet(&packet);
                    table.handle_packet(&packet, passed);
                }
            }
            Event::Counters(counters) => {
                silences.store(0, Ordering::Relaxed);
                if let Some(view) = counters.lan_view(|address| networks.is_home(address)) {
                    table.handle_counters(&counters, &view, passed);
                }
            }
            Event::Swept => {
                readings.fetch_add(1, Ordering::Relaxed);
                table.handle_sweep(passed);
            }
            Event::Lost { .. } => {}
            Event::Idle => {
                table.handle_idle(passed);
                look_again = silences.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY == 0;
            }
            Event::End => {
                table.finish();
                is_over = true;
            }
        }
        if look_again {
            networks = finder.look()?;
            table.expect(networks.offload());
            // What is not there now is there at another look.
            let _ = source.retarget(&taps(&networks));
            looks.fetch_add(1, Ordering::Relaxed);
        }
        while let Some(flow) = table.poll_expired() {
            let client = (flow.vlan, flow.client.address, flow.client_mac);
            let device = devices.device_of(client.0, client.1, client.2);
            flows.push(Seen {
                device: device.map(|id| devices.tag(id)),
                flow,
            });
        }
        if is_over {
            return Ok(Testimony {
                networks,
                flows,
                capture: source.counts().clone(),
                counts: table.counts().clone(),
            });
        }
    }
}
