//! Devices: who is on the home's side of the network.
//!
//! Takes [`Packet`]s and the names that devices ask for, gives each device a [`DeviceId`], a local
//! [`DeviceTag`] and a [`Verdict`]. One table is one world: the devices of one capture file, or of
//! one home's network.
//!
//! Promises:
//! 1. The MAC address dies here. Nothing this module gives holds one, but for its first three bytes
//!    in [`DeviceRow`], which are for the holder's own eyes.
//! 2. A device is known by its MAC address, or, where the link layer has none, by its IP address.
//!    Which address belongs to which device is learnt from packets a device sent from inside the
//!    home, and from DHCP, per VLAN; the latest word counts, so ask while the flow is young.
//! 3. A router is no device of a household: whatever sends packets of several public addresses into
//!    the home forwards them, is [`Verdict::is_phone`] = false, and nobody beyond it is taken for it.
//! 4. Memory is bounded by [`DEVICES_MAX`], [`BINDINGS_MAX`] and [`DAYS_MAX`]; what does not fit is
//!    counted as [`Shed`].
//! 5. A table that lives for months forgets: [`DeviceTable::forget_before`] drops older days, and with
//!    all it knows of it a device that nothing was seen of since. Whoever comes back after that is
//!    known by the same tag, and his make is learnt anew.

mod bindings;
mod forwards;
mod inside;
mod presence;
mod row;
mod tag;

pub use row::{DeviceRow, MacKind, Sighting};
pub use tag::{DeviceTag, NotATag};

use crate::evidence::{Evidence, Verdict};
use crate::hash::SeededState;
use crate::packet::dhcp::MessageKind;
use crate::packet::{MacAddr, Packet};
use crate::tally::{Tally, reasons};
use bindings::{Bindings, Holder, Place, Slot};
use forwards::Forwards;
use inside::may_live_here;
use phonehome_proto::census::Basis;
use phonehome_proto::net::Scope;
use phonehome_proto::time::{Day, Timestamp};
use phonehome_proto::vendor::Vendor;
use presence::Presence;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use tag::Tagger;

/// A device of one table, until the table forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(u16);

reasons! {
    /// What a bound has cost.
    pub enum Shed {
        /// A packet of a device that was not taken up, because the table was full.
        DeviceRefused = "device_refused",
        /// An address was forgotten early, because there were too many.
        BindingEvicted = "binding_evicted",
        /// A day on which a device was present that was not remembered.
        DayRefused = "day_refused",
    }
}

/// Everyone on the home's side of one network.
pub struct DeviceTable {
    tagger: Tagger,
    /// By number; a place that was forgotten is free.
    devices: Vec<Option<Device>>,
    free: Vec<DeviceId>,
    by_mac: HashMap<MacAddr, DeviceId, SeededState>,
    /// Stations heard of late, by a few bits of their address: most packets are of one of these.
    latest: [Option<(MacAddr, DeviceId)>; LATEST],
    bindings: Bindings,
    declared: BTreeMap<DeviceTag, Vendor>,
    forgotten: u64,
    shed: Tally<Shed>,
}

struct Device {
    tag: DeviceTag,
    mac: Option<MacAddr>,
    evidence: Evidence,
    forwards: Forwards,
    presence: Presence,
    last: Timestamp,
    /// Of the address it sent from last.
    slot: Option<Slot>,
}

/// Devices of one table. A home has dozens; a further one is refused.
pub const DEVICES_MAX: usize = 1_024;

/// Addresses of one table: a phone has one IPv4 address and a handful of IPv6 ones at a time. Past it,
/// those silent for longest go.
pub const BINDINGS_MAX: usize = 8_192;

/// Stations that are found without asking the table of all; two of them may fall together.
const LATEST: usize = 64;

/// Days remembered of a device; a further one is refused.
pub const DAYS_MAX: usize = 366;

// === impl DeviceTable ===

impl DeviceTable {
    /// An empty table whose tags are made under this secret.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let tagger = Tagger::new(secret);
        let state = SeededState::new(tagger.seed());
        Self {
            tagger,
            devices: Vec::new(),
            free: Vec::new(),
            by_mac: HashMap::with_hasher(state),
            latest: [None; LATEST],
            bindings: Bindings::new(state),
            declared: BTreeMap::new(),
            forgotten: 0,
            shed: Tally::new(),
        }
    }

    /// The holder of a device says whose phone it is.
    pub fn declare(&mut self, tag: DeviceTag, vendor: Vendor) {
        self.declared.insert(tag, vendor);
    }

    /// The holders say anew whose phones they are: what was declared before is void.
    pub fn redeclare(&mut self, declared: impl IntoIterator<Item = (DeviceTag, Vendor)>) {
        self.declared = declared.into_iter().collect();
    }

    /// Learns from a packet. Gives the device that sent it, if one of the home's did.
    pub fn handle_packet(&mut self, packet: &Packet<'_>) -> Option<DeviceId> {
        self.handle_dhcp(packet);
        let scope = Scope::of(packet.source);
        let lives_here = may_live_here(packet, scope);
        let vlan = packet.link.vlan;
        let id = match packet.link.source.filter(|mac| mac.is_station()) {
            Some(mac) => self.take_up_mac(mac, packet.time)?,
            None if lives_here => self.take_up_address(vlan, packet.source, packet.time)?,
            None => return None,
        };
        let device = self.device_mut(id);
        let forwards = &mut device.forwards;
        forwards.handle_sender(packet.source, scope, packet.destination);
        if !lives_here || forwards.is_router() && scope != Scope::Private {
            return None;
        }
        let has_room = device.presence.note(packet.time);
        // A device without an address yet is asking for one.
        if !packet.source.is_unspecified() {
            device.evidence.handle_packet(packet);
            self.bind(vlan, packet.source, id, packet.time);
        }
        if !has_room {
            self.shed.add(Shed::DayRefused, 1);
        }
        Some(id)
    }

    /// Learns that a device asked for a server by this name (lower case, no dot at the end): in a DNS
    /// question of its own, or in a hello.
    pub fn handle_name(&mut self, id: DeviceId, name: &str) {
        self.device_mut(id).evidence.handle_name(name);
    }

    /// The device that has this address, `mac` being the station that sends its packets, if the link
    /// layer has such. Nobody, if that station is a router and the address is not known otherwise.
    #[must_use]
    pub fn device_of(
        &self,
        vlan: Option<u16>,
        address: IpAddr,
        mac: Option<MacAddr>,
    ) -> Option<DeviceId> {
        let by_mac = mac
            .filter(|mac| mac.is_station())
            .and_then(|mac| self.by_mac.get(&mac).copied())
            .filter(|id| !self.device(*id).forwards.is_router());
        by_mac.or_else(|| {
            let id = self.bindings.holder(Place { vlan, address })?;
            let is_beyond =
                self.device(id).forwards.is_router() && Scope::of(address) != Scope::Private;
            (!is_beyond).then_some(id)
        })
    }

    /// The local tag of a device.
    #[must_use]
    pub fn tag(&self, id: DeviceId) -> DeviceTag {
        self.device(id).tag
    }

    /// What is known of a device by now.
    #[must_use]
    pub fn verdict(&self, id: DeviceId) -> Verdict {
        let device = self.device(id);
        let mut verdict = Verdict::of(&device.evidence, self.declared.get(&device.tag).copied());
        if device.forwards.is_router() && verdict.basis() != Some(Basis::Declared) {
            verdict.is_phone = Some(false);
        }
        verdict
    }

    /// What is known of every device by now.
    #[must_use]
    pub fn verdicts(&self) -> BTreeMap<DeviceTag, Verdict> {
        self.ids()
            .map(|id| (self.tag(id), self.verdict(id)))
            .collect()
    }

    /// The UTC days on which a device was seen to send something of its own.
    pub fn days(&self, id: DeviceId) -> impl Iterator<Item = Day> + '_ {
        self.device(id).presence.days()
    }

    /// Every device on the home's side, routers too, in the order they appeared.
    pub fn ids(&self) -> impl Iterator<Item = DeviceId> + '_ {
        (0..)
            .map(DeviceId)
            .zip(&self.devices)
            .filter_map(|(id, device)| device.as_ref().map(|_| id))
    }

    /// When and as what every device was seen.
    pub fn sightings(&self) -> impl Iterator<Item = Sighting> + '_ {
        self.ids().map(|id| Sighting {
            row: self.row(id),
            days: self.days(id).collect(),
            last_seen: self.device(id).last,
        })
    }

    /// Drops the days before this one, and the devices that nothing was seen of since it began. Their
    /// ids mean nothing any more, and may come to mean others.
    pub fn forget_before(&mut self, day: Day) {
        for (slot, number) in self.devices.iter_mut().zip(0..) {
            let Some(device) = slot else { continue };
            if device.last < day.start() {
                *slot = None;
                self.free.push(DeviceId(number));
                self.forgotten += 1;
            } else {
                device.presence.forget_before(day);
            }
        }
        let is_known = |id: DeviceId| self.devices[usize::from(id.0)].is_some();
        self.by_mac.retain(|_, id| is_known(*id));
        self.latest = [None; LATEST];
        self.bindings.retain(is_known);
    }

    /// The clock was wrong by so much: moves everything that was dated by it.
    pub fn redate(&mut self, delta_nanos: i64) {
        let moved =
            |time: Timestamp| Timestamp::from_nanos(time.nanos().saturating_add(delta_nanos));
        for device in self.devices.iter_mut().flatten() {
            device.last = moved(device.last);
            device.presence.redate(moved);
        }
        self.bindings.redate(moved);
    }

    /// How many devices were forgotten in their time.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// A device as its holder may see it.
    #[must_use]
    pub fn row(&self, id: DeviceId) -> DeviceRow {
        let device = self.device(id);
        DeviceRow {
            device: device.tag,
            mac_kind: match device.mac {
                Some(mac) if mac.is_local() => MacKind::Randomised,
                Some(_) => MacKind::Global,
                None => MacKind::None,
            },
            mac_prefix: device.mac.map(MacAddr::prefix),
            verdict: self.verdict(id),
        }
    }

    /// What bounds have cost.
    #[must_use]
    pub const fn shed(&self) -> &Tally<Shed> {
        &self.shed
    }

    /// DHCP speaks of the device by its own address, whoever passes the message on.
    fn handle_dhcp(&mut self, packet: &Packet<'_>) {
        let Some(message) = packet.dhcp() else { return };
        let Some(mac) = message.client.filter(|mac| mac.is_station()) else {
            return;
        };
        let Some(id) = self.take_up_mac(mac, packet.time) else {
            return;
        };
        let has_address = message.kind == Some(MessageKind::Ack) || message.is_from_client();
        if has_address && !message.address.is_unspecified() {
            let address = message.address.into();
            self.bind(packet.link.vlan, address, id, packet.time);
        }
        self.device_mut(id).evidence.handle_dhcp(&message);
    }

    fn take_up_mac(&mut self, mac: MacAddr, now: Timestamp) -> Option<DeviceId> {
        let at = mac.fold() % LATEST;
        if let Some((known, id)) = self.latest[at]
            && known == mac
        {
            self.note_last(id, now);
            return Some(id);
        }
        if let Some(&id) = self.by_mac.get(&mac) {
            self.latest[at] = Some((mac, id));
            self.note_last(id, now);
            return Some(id);
        }
        let tag = self.tagger.of_mac(mac);
        let id = self.take_up(tag, Some(mac), now)?;
        self.by_mac.insert(mac, id);
        Some(id)
    }

    fn take_up_address(
        &mut self,
        vlan: Option<u16>,
        address: IpAddr,
        now: Timestamp,
    ) -> Option<DeviceId> {
        if let Some(id) = self.bindings.holder(Place { vlan, address }) {
            self.note_last(id, now);
            return Some(id);
        }
        if address.is_unspecified() {
            return None;
        }
        let tag = self.tagger.of_address(vlan, address);
        let id = self.take_up(tag, None, now)?;
        self.bind(vlan, address, id, now);
        Some(id)
    }

    fn take_up(
        &mut self,
        tag: DeviceTag,
        mac: Option<MacAddr>,
        now: Timestamp,
    ) -> Option<DeviceId> {
        let device = Device {
            tag,
            mac,
            evidence: mac.map(Evidence::of_mac).unwrap_or_default(),
            forwards: Forwards::default(),
            presence: Presence::default(),
            last: now,
            slot: None,
        };
        if let Some(id) = self.free.pop() {
            self.devices[usize::from(id.0)] = Some(device);
            return Some(id);
        }
        if self.devices.len() >= DEVICES_MAX {
            self.shed.add(Shed::DeviceRefused, 1);
            return None;
        }
        let id = DeviceId(u16::try_from(self.devices.len()).expect("DEVICES_MAX is below"));
        self.devices.push(Some(device));
        Some(id)
    }

    fn bind(&mut self, vlan: Option<u16>, address: IpAddr, id: DeviceId, now: Timestamp) {
        let device = self.devices[usize::from(id.0)]
            .as_mut()
            .expect("ids of forgotten devices are not kept");
        let holder = Holder {
            place: Place { vlan, address },
            id,
            last: now,
            is_identity: device.mac.is_none(),
        };
        let slot = self.bindings.bind(device.slot, holder, &mut self.shed);
        device.slot = Some(slot);
    }

    fn note_last(&mut self, id: DeviceId, now: Timestamp) {
        let device = self.device_mut(id);
        device.last = device.last.max(now);
    }

    fn device(&self, id: DeviceId) -> &Device {
        self.devices[usize::from(id.0)]
            .as_ref()
            .expect("ids of forgotten devices are not kept")
    }

    fn device_mut(&mut self, id: DeviceId) -> &mut Device {
        self.devices[usize::from(id.0)]
            .as_mut()
            .expect("ids of forgotten devices are not kept")
    }
}

// Ids are u16.
const _: () = assert!(DEVICES_MAX <= u16::MAX as usize);

#[cfg(test)]
mod tests;
