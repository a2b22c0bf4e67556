//! One capture file, read from its beginning to its end, as a world of its own.
//!
//! No flow, DNS answer or device passes from one file to the next: each gets a new [`World`], and
//! what it saw comes out when the file is over.

mod ahead;

use crate::capture::file::FileSource;
use crate::capture::{CaptureCounts, CaptureError};
use crate::device::{DeviceId, DeviceTable, DeviceTag};
use crate::flow::{Flow, FlowCounts, FlowLimits, FlowTable};
use crate::name::NameSource;
use crate::packet::{Packet, PacketCounts};
use crate::tally::{Tally, reasons};
use phonehome_proto::vendor::Vendor;
use std::path::Path;

/// What a capture file shows.
pub struct World {
    /// Its flows, in the order they ended.
    pub flows: Vec<Seen>,
    /// Its devices.
    pub devices: DeviceTable,
    /// What became of everything in it.
    pub counts: WorldCounts,
}

/// A flow, and whose it is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The flow.
    pub flow: Flow,
    /// The device of the home that opened it, if one did.
    pub device: Option<DeviceId>,
}

/// What became of a file's frames, stage by stage. Nothing is lost uncounted:
///
/// - `capture.frames = packets.frames = packets.packets + packets.skipped`
/// - `packets.packets = flows.packets = ` the packets of the flows listed and of those unlisted.
#[derive(Clone, Debug, Default)]
pub struct WorldCounts {
    /// Frames the file gave, and those it could not give.
    pub capture: CaptureCounts,
    /// Frames that gave packets, and those that gave none.
    pub packets: PacketCounts,
    /// Packets that went into flows.
    pub flows: FlowCounts,
    /// Flows that are not listed, and their packets.
    pub unlisted: Tally<Unlisted>,
}

reasons! {
    /// What a full list leaves out.
    pub enum Unlisted {
        /// Flows.
        Flows = "flows",
        /// The packets of those flows.
        Packets = "packets",
    }
}

/// Reads the capture file at `path`.
///
/// `seed` makes the places in the flow table unpredictable; device tags are made under `secret`;
/// `declared` are the devices whose holders said whose phones they are.
///
/// # Errors
///
/// A [`CaptureError`] when nothing at all can be read from it.
pub fn read(
    path: &Path,
    seed: u64,
    secret: &[u8; 32],
    declared: impl Iterator<Item = (DeviceTag, Vendor)>,
) -> Result<World, CaptureError> {
    let source = FileSource::open(path)?;
    let mut devices = DeviceTable::new(secret);
    for (tag, vendor) in declared {
        devices.declare(tag, vendor);
    }
    let mut world = World {
        flows: Vec::new(),
        devices,
        counts: WorldCounts::default(),
    };
    let mut table = FlowTable::new(FlowLimits::FILE, seed);
    let (capture, packets) = ahead::read(source, |packet, key| {
        learn(&mut world.devices, packet);
        table.handle_keyed(packet, key, packet.time);
        world.take_ended(&mut table);
    });
    table.finish();
    world.take_ended(&mut table);
    world.counts.capture = capture;
    world.counts.packets = packets;
    world.counts.flows = table.counts().clone();
    Ok(world)
}

// === impl World ===

impl World {
    /// Whether the file gave anything, or had nothing to give.
    #[must_use]
    pub fn has_anything(&self) -> bool {
        self.counts.capture.frames > 0 || self.counts.capture.lost.total() == 0
    }

    fn take_ended(&mut self, table: &mut FlowTable) {
        while let Some(flow) = table.poll_expired() {
            let device = owner(&mut self.devices, &flow);
            if self.flows.len() < FLOWS_MAX {
                self.flows.push(Seen { flow, device });
            } else {
                self.counts.unlisted.add(Unlisted::Flows, 1);
                self.counts
                    .unlisted
                    .add(Unlisted::Packets, flow.up.packets + flow.down.packets);
            }
        }
    }
}

/// Devices learn from a packet, and from the name that its sender asks for.
pub(super) fn learn(devices: &mut DeviceTable, packet: &Packet<'_>) {
    let Some(sender) = devices.handle_packet(packet) else {
        return;
    };
    if let Some(question) = packet.dns_question() {
        devices.handle_name(sender, question.as_str());
    }
}

/// The device that opened a flow, which learns from its name.
pub(super) fn owner(devices: &mut DeviceTable, flow: &Flow) -> Option<DeviceId> {
    let device = devices.device_of(flow.vlan, flow.client.address, flow.client_mac);
    // What DNS told was a question of the device's own, and heard then.
    if let (Some(device), Some(name)) = (device, &flow.named.name)
        && flow.named.source != Some(NameSource::Dns)
    {
        devices.handle_name(device, name.as_str());
    }
    device
}

/// The flows of one file that are listed: some hundred megabytes.
pub const FLOWS_MAX: usize = 1_000_000;

#[cfg(test)]
pub(crate) mod tests;
