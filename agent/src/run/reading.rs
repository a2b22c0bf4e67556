//! Capture files -> what may be said of them, day by day, and sealed.
//!
//! `preview` and `replay` both go through here, so that what is shown is what is sent: the same
//! files, household and collector give the same bytes, but for the random batch ids.

use super::world::{self, World};
use super::{Exit, Failure, inspect};
use crate::batch;
use crate::device::DeviceTag;
use crate::flow::{self, Flow};
use crate::name::NameSource;
use crate::observe::{Account, Contact, DaySummary, Observer, Rules};
use crate::packet::{PacketCounts, Skipped};
use crate::seal;
use crate::state::{DeviceList, Keys, LocalSecret};
use phonehome_proto::batch::{Loss, Source};
use phonehome_proto::chance::Chance;
use phonehome_proto::endpoint::EndpointList;
use phonehome_proto::id::Audience;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::observation::{NamedBy, VolumeTrust};
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::time::{Day, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How a household looks at its own captures.
pub(super) struct Lens<'a> {
    /// Makes device tags.
    pub(super) secret: &'a LocalSecret,
    /// What its holders declared.
    pub(super) list: &'a DeviceList,
    /// Nobody outside can foresee it.
    pub(super) seed: u64,
}

/// Whose days are told, and to whom.
pub(super) struct Telling {
    /// The devices the household has allowed.
    pub(super) allowed: BTreeSet<DeviceTag>,
    /// What the collector publishes for.
    pub(super) purpose: Purpose,
    /// The collector's or our own time.
    pub(super) now: Timestamp,
    /// The endpoints that may be told of.
    pub(super) list: &'static EndpointList,
}

/// Reads the files one after the other; `use_world` gets each with its path as given.
///
/// # Errors
/// [`Failure`] of `use_world`, or when nothing at all could be read; single files that cannot be read
/// are named on `err`.
pub(super) fn each(
    files: &[PathBuf],
    lens: &Lens<'_>,
    err: &mut dyn Write,
    mut use_world: impl FnMut(&str, World, &mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut is_anything_read = false;
    for path in files {
        if let Some(world) = lens.read(path, err)? {
            is_anything_read |= world.has_anything();
            use_world(&path.to_string_lossy(), world, err)?;
        }
    }
    if is_anything_read {
        Ok(())
    } else {
        Err(nothing_read())
    }
}

impl Lens<'_> {
    /// Reads a file and names its losses on `err`; `None`, and why, if nothing of it can be read.
    pub(super) fn read(&self, path: &Path, err: &mut dyn Write) -> io::Result<Option<World>> {
        let declared = self
            .list
            .allowed()
            .filter_map(|(tag, vendor)| Some((tag, vendor?)));
        match world::read(path, self.seed, self.secret.as_bytes(), declared) {
            Ok(world) => {
                inspect::tell_losses(&path.to_string_lossy(), &world, err)?;
                Ok(Some(world))
            }
            Err(error) => {
                inspect::tell_unread(path, &error, err)?;
                Ok(None)
            }
        }
    }
}

/// What a command says when none of its files could be read.
pub(super) fn nothing_read() -> Failure {
    Failure::new(Exit::BadInput, "no capture could be read")
}

impl Telling {
    /// The days of a capture that may be told now, and what of it is left out, in words.
    ///
    /// In an exercise its days are moved so that the last becomes the last closed one.
    pub(super) fn days(&self, world: &World, dropped: u64) -> (Vec<DaySummary>, Vec<String>) {
        let mut days = self.observe(world, dropped);
        let mut told = Vec::new();
        let last_closed = self.now.day().unwrap_or_else(first_day).previous();
        if self.purpose == Purpose::Exercise {
            let before = days.iter().map(|summary| summary.day).max();
            let lost = batch::move_to(&mut days, last_closed);
            if lost > 0 {
                told.push(format!(
                    "days that would lie before 1970 are left out: {lost}"
                ));
            }
            if let Some(before) = before.filter(|before| *before != last_closed) {
                told.push(format!(
                    "an exercise: its days are moved, {before} becomes {last_closed}"
                ));
            }
        }
        days.retain(|summary| {
            let is_over = summary.day <= last_closed;
            if !is_over {
                told.push(format!("{} is not over yet and is left out", summary.day));
            }
            is_over
        });
        (days, told)
    }

    fn observe(&self, world: &World, dropped: u64) -> Vec<DaySummary> {
        let rules = Rules {
            allowed: self.allowed.clone(),
            purpose: self.purpose,
            list: self.list,
        };
        let mut observer = Observer::new(rules);
        let devices = &world.devices;
        let mut last_present = None;
        for id in devices.ids() {
            let tag = devices.tag(id);
            for day in devices.days(id) {
                observer.handle_presence(day, tag);
                last_present = last_present.max(self.allowed.contains(&tag).then_some(day));
            }
        }
        let volume_trust = match world.counts.capture.lost.total() {
            0 => VolumeTrust::Exact,
            _ => VolumeTrust::LowerBound,
        };
        for seen in &world.flows {
            let device = seen.device.map(|id| devices.tag(id));
            // Why one is withheld is the observer's to count.
            let _ = observer.handle_contact(&contact(&seen.flow, volume_trust), device);
        }
        // A file's losses cannot be dated; its last day reports them.
        for (loss, count) in losses(world, dropped) {
            if let Some(day) = last_present.filter(|_| count > 0) {
                observer.handle_loss(day, loss, count);
            }
        }
        let verdicts: BTreeMap<_, _> = devices
            .ids()
            .map(|id| (devices.tag(id), devices.verdict(id)))
            .collect();
        let (days, counts) = observer.finish(Source::File, &verdicts);
        tracing::debug!(
            contacts = counts.contacts,
            observed = counts.observed,
            "capture observed"
        );
        days
    }
}

/// The batches of some days, sealed.
pub(super) fn sealed(
    days: &[DaySummary],
    audience: Audience,
    keys: &Keys,
    chance: &mut dyn Chance,
) -> Vec<(Day, SealedBatch)> {
    let mut sealed = Vec::new();
    for summary in days {
        let batches = batch::batches(summary, audience, keys.ours.id(), chance);
        sealed.extend(
            batches
                .iter()
                .map(|batch| (summary.day, seal::seal(batch, &keys.home))),
        );
    }
    sealed
}

/// What the rules look at in a flow. `tap_trust` says whether the source shows every packet; frames
/// lost while a flow was going on make it a lower bound all the same.
pub(super) fn contact(flow: &Flow, tap_trust: VolumeTrust) -> Contact<'_> {
    let name = flow.named.name.as_ref().map(|name| name.as_str());
    let named_by = flow.named.source.map(|source| match source {
        NameSource::Sni | NameSource::Quic if flow.named.ech => NamedBy::Ech,
        NameSource::Sni => NamedBy::Sni,
        NameSource::Quic => NamedBy::Quic,
        NameSource::Http => NamedBy::Http,
        NameSource::Dns => NamedBy::Dns,
    });
    let trust = if flow.has_tap_gap {
        VolumeTrust::LowerBound
    } else {
        tap_trust
    };
    Contact {
        start: flow.start,
        client: flow.client.address,
        server: flow.peer.unwrap_or(flow.server.address),
        is_intercepted: flow.is_intercepted,
        service: flow.service,
        name: name.zip(named_by),
        tap: Account {
            bytes_up: flow.up.bytes,
            bytes_down: flow.down.bytes,
            trust,
        },
        // The kernel counts what it has merged.
        kernel: flow.kernel.map(|kernel| Account {
            bytes_up: flow.on_wire(kernel.up).bytes,
            bytes_down: flow.on_wire(kernel.down).bytes,
            trust: kernel.trust(),
        }),
        rtt: flow.rtt.map(|rtt| (rtt.nanos_min, rtt.samples)),
    }
}

/// Packets that could not be made sense of.
pub(super) fn unreadable(counts: &PacketCounts) -> u64 {
    let unreadable = counts.skipped.nonzero().filter(|(why, _)| match why {
        // Read well enough to know that they are no conversation.
        Skipped::NotIp | Skipped::Icmp | Skipped::OtherTransport => false,
        Skipped::UnknownLink
        | Skipped::EncryptedLink
        | Skipped::Cut
        | Skipped::BadIp
        | Skipped::LaterFragment
        | Skipped::BadTransport
        | Skipped::TooDeep => true,
    });
    unreadable.map(|(_, count)| count).sum()
}

/// What was missed in a capture, and what the spool dropped before it.
pub(super) fn losses(world: &World, dropped: u64) -> [(Loss, u64); 5] {
    let counts = &world.counts;
    [
        (Loss::CapturePackets, counts.capture.lost.total()),
        (Loss::UnreadablePackets, unreadable(&counts.packets)),
        (
            Loss::ShedFlows,
            counts.flows.shed.of(flow::Shed::FlowEvicted)
                + counts.unlisted.of(world::Unlisted::Flows),
        ),
        (Loss::ShedDevices, world.devices.shed().total()),
        (Loss::DroppedBatches, dropped),
    ]
}

fn first_day() -> Day {
    Day::new(0).expect("the first day of all")
}
