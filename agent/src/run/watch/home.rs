//! The home, as the capture thread holds it: one loop owns all of this state.
//!
//! Takes events of a source, each with what the clocks said, and [`Wish`]es of the household; gives
//! [`Told`]s. Pure: a test drives it with events it has written down and clocks it moves by hand.
//!
//! 1. A frame's or a counter's time is home time (`dating`) before any stage sees it. While nothing has
//!    a date, nothing is put on a day: `observe` holds what belongs to allowed devices, within bounds.
//! 2. The first moment of a new day cuts what goes on, and closes every day before it.
//! 3. Whatever was missed is told of the day on which it was missed, once.
//! 4. A device that is not allowed leaves its tag and the days it was seen on, and nothing else.

mod missed;

use super::dating::{Dating, Stand, Turn, Word, day_of};
use super::post::ClosedDay;
use super::unfinished::Part;
use crate::capture::clock::Reading;
use crate::capture::lan::Networks;
use crate::capture::{Event, Lost};
use crate::device::{DeviceTable, DeviceTag, Sighting};
use crate::flow::{FlowLimits, FlowTable};
use crate::observe::{Observer, Rules};
use crate::packet::PacketCounts;
use crate::run::{reading, world};
use missed::Missed;
use phonehome_proto::batch::{Loss, Source};
use phonehome_proto::observation::VolumeTrust;
use phonehome_proto::time::{Day, Timestamp};
use phonehome_proto::vendor::Vendor;
use std::collections::{BTreeMap, VecDeque};

/// What the household has decided, as far as the watch is concerned.
#[derive(Clone, Debug)]
pub struct Household {
    /// Whom to observe, and for what kind of collector.
    pub rules: Rules,
    /// The phones whose holders said whose make they are.
    pub declared: Vec<(DeviceTag, Vendor)>,
}

/// What is to change while the watch goes on.
#[derive(Debug)]
pub enum Wish {
    /// The household has decided something.
    Household(Household),
    /// The networks are others now.
    Networks(Networks),
    /// Somebody touched the clock's marker, at this time.
    Marker(Option<Timestamp>),
    /// The collector has said what time it is.
    Learn(Word),
}

/// What the watch has to say.
#[derive(Debug)]
pub enum Told {
    /// A day is closed, or the part of one that was seen before the watch ended.
    Day(ClosedDay),
    /// Home time stands elsewhere, or somebody else vouches for it.
    Stand(Stand),
    /// Who is there, for the household's eyes: at each day's end, and when the watch ends.
    Sightings(Vec<Sighting>),
    /// How things stand.
    Sights(Sights),
    /// The connection table can no longer be read, and only a new start mends that.
    Blind,
}

/// How things stand at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sights {
    /// Devices seen in the last ten days.
    pub devices: usize,
    /// Devices seen today.
    pub devices_today: usize,
    /// Those of them that are observed.
    pub allowed_today: usize,
    /// Conversations going on.
    pub flows: usize,
    /// Frames seen since the watch began.
    pub frames: u64,
    /// Conversations looked at since then, and those of them that will be part of a report.
    pub contacts: u64,
    /// The latter.
    pub observed: u64,
    /// What was missed since the watch began.
    pub missed: BTreeMap<Loss, u64>,
    /// The interfaces that are not heard, and why, in sentences. The source's to say.
    pub unheard: Vec<String>,
}

/// The state.
pub struct Home {
    source: Source,
    networks: Networks,
    household: Household,
    dating: Dating,
    marker: Option<Timestamp>,
    /// Where home time stood when it was last looked at, and as it was last told.
    offset_nanos: i64,
    stood: Option<Stand>,
    /// The day that is open; `None` while there are no dates.
    today: Option<Day>,
    /// Open days that were dated by a clock which has since been set to another day, and where it stood.
    dated_before: BTreeMap<Day, i64>,
    /// Nobody's silent presence is told of an earlier day.
    present_from: Option<Day>,
    packets: PacketCounts,
    flows: FlowTable,
    devices: DeviceTable,
    observer: Observer,
    missed: Missed,
    told: VecDeque<Told>,
}

/// Devices are remembered for so many days: as many as `setup` looks back.
const DAYS_REMEMBERED: u32 = 10;

// === impl Home ===

impl Home {
    /// Nothing seen yet. Tags are made under `secret`; `seed` makes the places in the flow table
    /// unpredictable.
    #[must_use]
    pub fn new(
        source: Source,
        networks: Networks,
        household: Household,
        secret: &[u8; 32],
        seed: u64,
    ) -> Self {
        let mut devices = DeviceTable::new(secret);
        devices.redeclare(household.declared.iter().copied());
        let mut flows = FlowTable::new(FlowLimits::ROUTER, seed);
        flows.expect(networks.offload());
        Self {
            source,
            networks,
            dating: Dating::default(),
            marker: None,
            offset_nanos: 0,
            stood: None,
            today: None,
            dated_before: BTreeMap::new(),
            present_from: None,
            packets: PacketCounts::default(),
            flows,
            devices,
            observer: Observer::undated(household.rules.clone()),
            household,
            missed: Missed::default(),
            told: VecDeque::new(),
        }
    }

    /// Takes the next event, and what the clocks say now.
    pub fn handle(&mut self, event: Event<'_>, reading: Reading) {
        self.look_at_clocks(reading);
        let passed = Timestamp::from_nanos(i64::try_from(reading.since_boot_nanos).unwrap_or(0));
        match event {
            Event::Frame(frame) => {
                if let Some(mut packet) = self.packets.read(&frame) {
                    let stamp = self.dating.restamp(packet.time, reading);
                    packet.time = self.dating.date(stamp);
                    world::learn(&mut self.devices, &packet);
                    self.flows.handle_packet(&packet, passed);
                }
            }
            Event::Counters(mut counters) => {
                counters.time = self.dating.date(counters.time);
                if let Some(view) = counters.lan_view(|address| self.networks.is_home(address)) {
                    self.flows.handle_counters(&counters, &view, passed);
                } else {
                    self.flows.pass_over(&counters);
                }
            }
            Event::Swept => self.flows.handle_sweep(passed),
            Event::Lost { count, why } => {
                self.missed.lost(why, count);
                if matches!(why, Lost::RingFull | Lost::InterfaceGone) {
                    self.flows.handle_loss();
                }
            }
            Event::Idle => self.flows.handle_idle(passed),
            Event::End => {}
        }
        self.take_ended();
    }

    /// Does what is wished.
    pub fn heed(&mut self, wish: Wish, reading: Reading) {
        match wish {
            Wish::Household(household) => {
                if !household
                    .rules
                    .allowed
                    .is_subset(&self.household.rules.allowed)
                {
                    self.part_from_before(reading);
                }
                if household.rules.list != self.household.rules.list {
                    // A day on which somebody was seen until now goes by the list that was there then.
                    self.note_presence();
                }
                self.observer.set_rules(household.rules.clone());
                let declared = household.declared.iter().copied();
                self.devices.redeclare(declared);
                self.household = household;
            }
            Wish::Networks(networks) => {
                self.flows.expect(networks.offload());
                self.networks = networks;
            }
            Wish::Marker(marker) => {
                self.marker = marker;
                self.look_at_clocks(reading);
            }
            Wish::Learn(word) => {
                let turn = self.dating.learn(word, reading);
                self.turn(turn, reading);
            }
        }
    }

    /// Somebody is about to be allowed: nothing that was seen until now is told of them, be it a
    /// conversation that goes on.
    fn part_from_before(&mut self, reading: Reading) {
        self.flows.cut_within_day(self.dating.now(reading));
        self.take_ended();
        self.note_presence();
        self.present_from = self.today;
    }

    /// What there is to say, in order.
    pub fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// How things stand.
    #[must_use]
    pub fn sights(&mut self) -> Sights {
        self.note_missed();
        let devices = &self.devices;
        let is_today = |id: &_| {
            self.today
                .is_some_and(|today| devices.days(*id).any(|day| day == today))
        };
        let today: Vec<_> = devices.ids().filter(is_today).collect();
        let is_allowed = |id: &&_| self.household.rules.allowed.contains(&devices.tag(**id));
        let counts = self.observer.counts();
        Sights {
            devices: devices.ids().count(),
            devices_today: today.len(),
            allowed_today: today.iter().filter(is_allowed).count(),
            flows: self.flows.len(),
            frames: self.packets.frames,
            contacts: counts.contacts,
            observed: counts.observed,
            missed: self.missed.so_far(),
            unheard: Vec::new(),
        }
    }

    /// Ends the watch: what was seen of days that are not over is told too.
    pub fn finish(&mut self, reading: Reading) {
        self.look_at_clocks(reading);
        self.flows.finish();
        self.take_ended();
        self.close_before(None);
        if self.today.is_none() {
            self.give_up_undated();
        }
    }

    fn look_at_clocks(&mut self, reading: Reading) {
        let turn = self.dating.look(reading, self.marker);
        self.turn(turn, reading);
        let stand = self.dating.stand(reading);
        self.offset_nanos = stand.offset_nanos;
        let is_news = stand.voucher.is_some()
            && self.stood.is_none_or(|stood| {
                let moved_nanos = stand.offset_nanos.abs_diff(stood.offset_nanos);
                moved_nanos > TOLD_NANOS_MIN || stand.voucher != stood.voucher
            });
        if is_news {
            self.tell_stand(stand);
        }
        self.turn_day(reading);
    }

    /// Follows home time where it moved.
    fn turn(&mut self, turn: Option<Turn>, reading: Reading) {
        let Some(turn) = turn else { return };
        let (moved, today) = (turn.moved_nanos(), day_of(self.dating.now(reading)));
        let stand = self.dating.stand(reading);
        let before_nanos = std::mem::replace(&mut self.offset_nanos, stand.offset_nanos);
        self.flows.redate(moved);
        match turn {
            Turn::Dated { .. } => {
                self.devices.redate(moved);
                self.observer.redate(moved, today);
                self.today = Some(today);
                tracing::info!("the clock is set: from here on things have dates");
            }
            Turn::Set { .. } => {
                // A day that the clock leaves by being set has its dates from the clock before.
                if self.today.is_some_and(|before| today != before) {
                    for day in self.observer.open_days().chain(self.today) {
                        self.dated_before.entry(day).or_insert(before_nanos);
                    }
                }
                // A day may come twice. What was seen of it before is a part of its own.
                if self.today.is_some_and(|before| today < before) {
                    self.close_before(None);
                    self.observer = Observer::new(self.household.rules.clone());
                    self.today = Some(today);
                    self.present_from = self.today;
                }
                tracing::warn!("the clock was set while days were told");
            }
        }
        self.tell_stand(stand);
        self.turn_day(reading);
    }

    fn tell_stand(&mut self, stand: Stand) {
        self.stood = Some(stand);
        self.told.push_back(Told::Stand(stand));
    }

    /// Closes what is over by now.
    fn turn_day(&mut self, reading: Reading) {
        let now = day_of(self.dating.now(reading));
        let Some(today) = self.today else { return };
        if now > today {
            self.flows.cut(now.start());
            self.take_ended();
            self.close_before(Some(now));
            self.devices.forget_before(
                Day::new(now.number().saturating_sub(DAYS_REMEMBERED)).unwrap_or(now),
            );
            self.today = Some(now);
        } else if self
            .observer
            .open_days()
            .next()
            .is_some_and(|day| day < today)
        {
            // Something was dated later than it happened: the clock was set after midnight.
            self.close_before(Some(today));
        }
    }

    /// Closes the days before this one, or all; while there are no dates there are none.
    fn close_before(&mut self, end: Option<Day>) {
        self.note_missed();
        if self.today.is_none() {
            return;
        }
        self.note_presence();
        let verdicts = self.devices.verdicts();
        let mut missed = self.missed.take_untold();
        let is_over = |day: &Day| end.is_none_or(|end| *day < end);
        let open: Vec<_> = self.observer.open_days().filter(is_over).collect();
        for day in open {
            let offset_nanos = self.dated_before.remove(&day).unwrap_or(self.offset_nanos);
            let devices = self.observer.devices_on(day);
            let summary = self.observer.close_day(day, self.source, &verdicts);
            self.told.push_back(Told::Day(ClosedDay {
                part: summary.map(|summary| Part {
                    summary,
                    devices,
                    offset_nanos: Some(offset_nanos),
                }),
                missed: std::mem::take(&mut missed),
            }));
        }
        self.tell_missed(missed);
        self.dated_before.retain(|day, _| !is_over(day));
        if let Some(end) = end {
            // Also where nothing was open: whoever is allowed later was not then.
            self.observer.close_before(end);
        }
        self.tell_sightings();
    }

    /// The watch ends, and nobody ever set the clock: what was held for its date is lost.
    fn give_up_undated(&mut self) {
        let mut missed = self.missed.take_untold();
        let held = self.observer.counts().observed;
        if held > 0 {
            *missed.entry(Loss::UndatedFlows).or_default() += held;
        }
        self.tell_missed(missed);
    }

    /// Tells of what was missed where no day is told of.
    fn tell_missed(&mut self, missed: BTreeMap<Loss, u64>) {
        if !missed.is_empty() {
            let part = None;
            self.told.push_back(Told::Day(ClosedDay { part, missed }));
        }
    }

    /// An allowed phone that is there and silent is one of the number too.
    fn note_presence(&mut self) {
        for id in self.devices.ids() {
            let tag = self.devices.tag(id);
            let days = self.devices.days(id);
            for day in days.filter(|day| Some(*day) >= self.present_from) {
                self.observer.handle_presence(day, tag);
            }
        }
    }

    fn note_missed(&mut self) {
        let today = self
            .today
            .unwrap_or_else(|| day_of(Timestamp::from_seconds(0)));
        let new = self.missed.look(
            &self.packets,
            self.flows.counts(),
            self.devices.shed(),
            self.observer.counts(),
        );
        for (loss, count) in new {
            self.observer.handle_loss(today, loss, count);
        }
    }

    fn take_ended(&mut self) {
        let tap_trust = match self.source {
            Source::ConntrackAndTap => VolumeTrust::LowerBound,
            Source::Tap | Source::File => VolumeTrust::Exact,
        };
        while let Some(mut flow) = self.flows.poll_expired() {
            if self.source == Source::Tap {
                // Not every kernel says of frames that they are merged; of those that do nothing changes.
                (flow.up, flow.down) = (flow.on_wire(flow.up), flow.on_wire(flow.down));
            }
            let device = world::owner(&mut self.devices, &flow);
            let device = device.map(|id| self.devices.tag(id));
            // Why one is withheld is the observer's to count.
            let _ = self
                .observer
                .handle_contact(&reading::contact(&flow, tap_trust), device);
        }
    }

    fn tell_sightings(&mut self) {
        if self.today.is_some() {
            let sightings = self.devices.sightings().collect();
            self.told.push_back(Told::Sightings(sightings));
        }
    }
}

/// Home time that is slewed is told of in steps of this.
const TOLD_NANOS_MIN: u64 = 1_000_000_000;

#[cfg(test)]
mod tests;
