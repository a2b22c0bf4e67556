mod lists;

use super::*;
use crate::capture::{Frame, LinkType};
use crate::observe::DaySummary;
use crate::run::tests::capture::frames;
use phonehome_proto::endpoint::EndpointList;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::scale::Magnitude;

/// 2026-11-23T00:00:00Z, a Monday.
const MONDAY: i64 = 1_795_392_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const SECRET: [u8; 32] = [7; 32];

fn summary(day: &ClosedDay) -> Option<&DaySummary> {
    day.part.as_ref().map(|part| &part.summary)
}

/// Home time less time since boot, by the clock that dated it.
fn dated_by(day: &ClosedDay) -> i64 {
    let part = day.part.as_ref().expect("something was seen");
    part.offset_nanos.expect("it was dated")
}

/// A home with one phone, and clocks moved by hand.
struct Bench {
    home: Home,
    wall: i64,
    boot: i64,
    is_synchronised: bool,
    port: u16,
    talks: u64,
    days: Vec<ClosedDay>,
    sightings: Vec<Sighting>,
}

impl Bench {
    /// A router that boots at this wall time; its phone is allowed.
    fn boots_at(wall: i64) -> Self {
        let rules = Rules {
            allowed: [phone()].into(),
            purpose: Purpose::Observatory,
            list: EndpointList::compiled_in(),
        };
        let household = Household {
            rules,
            declared: vec![(phone(), Vendor::from_id("xiaomi").expect("listed"))],
        };
        let home = Home::new(Source::Tap, Networks::default(), household, &SECRET, 1);
        Self {
            home,
            wall,
            boot: 30,
            is_synchronised: false,
            port: 40_000,
            talks: 0,
            days: Vec::new(),
            sightings: Vec::new(),
        }
    }

    fn set(mut self) -> Self {
        self.is_synchronised = true;
        self.pass(1);
        self
    }

    fn reading(&self) -> Reading {
        Reading {
            wall: Timestamp::from_seconds(self.wall),
            since_boot_nanos: u64::try_from(self.boot * 1_000_000_000).expect("after boot"),
            is_synchronised: self.is_synchronised,
        }
    }

    fn handle(&mut self, event: Event<'_>) {
        self.home.handle(event, self.reading());
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(told) = self.home.poll() {
            match told {
                Told::Day(day) => self.days.push(day),
                Told::Sightings(sightings) => self.sightings = sightings,
                Told::Stand(_) | Told::Sights(_) | Told::Blind => {}
            }
        }
    }

    /// The phone asks its maker's server for something.
    fn talk(&mut self) {
        for (bytes, at) in frames(self.port).iter().zip(0..) {
            let time = Timestamp::from_nanos(self.wall * 1_000_000_000 + at * 40_000_000);
            self.handle(Event::Frame(Frame {
                bytes,
                link: LinkType::ETHERNET,
                wire_len_bytes: u32::try_from(bytes.len()).expect("short"),
                segment_bytes: None,
                time,
            }));
        }
        self.port = self.port.checked_add(1).unwrap_or(1_024);
        self.talks += 1;
    }

    /// Time passes, and nothing is seen.
    fn pass(&mut self, seconds: i64) {
        let step = (seconds / 8).max(1);
        let mut left = seconds;
        while left > 0 {
            let now = step.min(left);
            left -= now;
            self.wall += now;
            self.boot += now;
            self.handle(Event::Idle);
        }
    }

    /// Somebody sets the clock, and vouches for it.
    fn set_clock(&mut self, wall: i64) {
        self.wall = wall;
        self.is_synchronised = false;
        self.handle(Event::Idle);
        self.is_synchronised = true;
        self.handle(Event::Idle);
    }

    fn finish(&mut self) {
        self.home.finish(self.reading());
        self.listen();
    }

    /// The days on which the phone was seen.
    fn days_seen(&self) -> Vec<String> {
        let seen = self
            .sightings
            .iter()
            .find(|seen| seen.row.device == phone());
        let days = seen.map(|seen| seen.days.iter().map(Day::to_string).collect());
        days.unwrap_or_default()
    }

    /// Day by day, in the order told: how many conversations, as a step.
    fn told(&self) -> Vec<(String, u64)> {
        let summaries = self.days.iter().filter_map(|day| summary(day));
        summaries
            .map(|summary| (summary.day.to_string(), connections(summary)))
            .collect()
    }

    fn missed(&self, loss: Loss) -> Vec<u64> {
        let counts = self.days.iter().filter_map(|day| day.missed.get(&loss));
        counts.copied().collect()
    }
}

fn connections(summary: &DaySummary) -> u64 {
    let counts = summary.observations.iter();
    counts
        .map(|observation| observation.connections().floor())
        .sum()
}

/// The tag of the phone in the frames.
fn phone() -> DeviceTag {
    let mut devices = DeviceTable::new(&SECRET);
    let [first, ..] = frames(40_000);
    let frame = Frame {
        bytes: &first,
        link: LinkType::ETHERNET,
        wire_len_bytes: 60,
        segment_bytes: None,
        time: Timestamp::from_seconds(MONDAY),
    };
    let packet = PacketCounts::default().read(&frame).expect("a packet");
    let id = devices
        .handle_packet(&packet)
        .expect("a device of the home");
    devices.tag(id)
}

fn told(days: &[(&str, u64)]) -> Vec<(String, u64)> {
    days.iter()
        .map(|(day, n)| ((*day).to_owned(), *n))
        .collect()
}

#[test]
fn a_day_is_told_when_it_is_over() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    bench.talk();
    bench.talk();
    bench.pass(13 * HOUR);
    assert_eq!(bench.told(), []);
    bench.pass(2 * HOUR);
    assert_eq!(bench.told(), told(&[("2026-11-23", 2)]));
    // The phone was there on the next day, and silent; nobody was there on the one after.
    bench.talk();
    bench.pass(2 * DAY);
    assert_eq!(bench.told(), told(&[("2026-11-23", 2), ("2026-11-24", 1)]));
    assert_eq!(bench.days_seen(), ["2026-11-23", "2026-11-24"]);
}

#[test]
fn a_boot_in_1970_dates_what_it_saw_when_the_clock_is_set() {
    let mut bench = Bench::boots_at(30);
    bench.talk();
    bench.pass(2 * HOUR);
    bench.talk();
    // It is Monday, one hour past midnight: the first was seen on Sunday.
    bench.set_clock(MONDAY + HOUR);
    bench.pass(HOUR);
    assert_eq!(bench.told(), told(&[("2026-11-22", 1)]));
    bench.pass(DAY);
    assert_eq!(bench.told(), told(&[("2026-11-22", 1), ("2026-11-23", 1)]));
}

#[test]
fn a_boot_three_days_in_the_past_tells_nothing_of_the_past() {
    let mut bench = Bench::boots_at(MONDAY - 3 * DAY + 23 * HOUR);
    bench.talk();
    // By the wrong clock it is past midnight, and by the wrong clock nothing is closed.
    bench.pass(2 * HOUR);
    assert_eq!(bench.told(), []);
    bench.talk();
    bench.set_clock(MONDAY + 12 * HOUR);
    bench.talk();
    bench.pass(DAY);
    assert_eq!(bench.told(), told(&[("2026-11-23", 2)]));
    // Three conversations are a step of two; none lies elsewhere.
    assert_eq!(bench.home.observer.counts().withheld.total(), 0);
    assert_eq!(bench.days_seen(), ["2026-11-23"]);
}

#[test]
fn a_clock_set_forward_over_midnight_closes_the_day() {
    let mut bench = Bench::boots_at(MONDAY + 18 * HOUR).set();
    bench.talk();
    bench.pass(3 * HOUR);
    // What goes on has not been told yet: the clock was wrong by so much when it began, too.
    bench.talk();
    bench.set_clock(MONDAY + DAY + HOUR);
    bench.pass(DAY);
    assert_eq!(bench.told(), told(&[("2026-11-23", 1), ("2026-11-24", 1)]));
}

#[test]
fn a_clock_set_back_over_midnight_tells_the_day_in_two_parts() {
    let mut bench = Bench::boots_at(MONDAY + 22 * HOUR).set();
    bench.talk();
    bench.pass(3 * HOUR);
    assert_eq!(bench.told(), told(&[("2026-11-23", 1)]));
    bench.talk();
    bench.pass(3 * HOUR);
    // What was told keeps its date; what comes now is dated by the clock as it is.
    bench.set_clock(MONDAY + 20 * HOUR);
    assert_eq!(bench.told()[1..], told(&[("2026-11-24", 1)]));
    bench.talk();
    bench.pass(5 * HOUR);
    bench.talk();
    bench.pass(DAY);
    assert_eq!(
        bench.told()[2..],
        told(&[("2026-11-23", 1), ("2026-11-24", 1)])
    );
    assert_eq!(bench.home.observer.counts().withheld.total(), 0);
}

#[test]
fn a_conversation_over_midnight_is_in_both_days() {
    let mut bench = Bench::boots_at(MONDAY + 23 * HOUR).set();
    // Never still for long enough to be over.
    bench.port = 50_000;
    for _ in 0..40 {
        bench.talk();
        bench.port = 50_000;
        bench.pass(100);
    }
    bench.pass(DAY);
    let days: Vec<_> = bench.told().into_iter().map(|(day, _)| day).collect();
    assert_eq!(days, ["2026-11-23", "2026-11-24"]);
}

#[test]
fn what_is_missed_is_told_once_and_on_its_day() {
    let lost = |count| Event::Lost {
        count,
        why: Lost::RingFull,
    };
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    bench.talk();
    bench.handle(lost(30));
    bench.handle(Event::Lost {
        count: 1,
        why: Lost::InterfaceGone,
    });
    bench.pass(DAY);
    bench.talk();
    bench.handle(lost(12));
    bench.pass(DAY);
    assert_eq!(bench.missed(Loss::CapturePackets), [30, 12]);
    assert_eq!(bench.missed(Loss::InterfaceGaps), [1]);
    let reported: Vec<_> = bench
        .days
        .iter()
        .filter_map(|day| summary(day))
        .map(|summary| summary.coverage.losses.get(&Loss::CapturePackets).copied())
        .collect();
    assert_eq!(reported, [Some(Magnitude::of(30)), Some(Magnitude::of(12))]);
    let sights = bench.home.sights();
    assert_eq!(sights.missed.get(&Loss::CapturePackets), Some(&42));
}

#[test]
fn a_device_that_is_not_allowed_leaves_its_days_and_nothing_else() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    let nobody = Household {
        rules: Rules {
            allowed: [].into(),
            purpose: Purpose::Observatory,
            list: EndpointList::compiled_in(),
        },
        declared: Vec::new(),
    };
    bench.home.heed(Wish::Household(nobody), bench.reading());
    bench.talk();
    bench.pass(DAY);
    assert_eq!(bench.told(), []);
    assert_eq!(bench.days_seen(), ["2026-11-23"]);
    assert_eq!(bench.home.sights().observed, 0);
}

#[test]
fn what_was_gathered_of_a_device_goes_when_it_is_denied() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    bench.talk();
    bench.pass(2 * HOUR);
    let mut household = bench.home.household.clone();
    household.rules.allowed.clear();
    bench.home.heed(Wish::Household(household), bench.reading());
    bench.pass(DAY);
    assert_eq!(bench.told(), []);
}

#[test]
fn a_watch_that_ends_tells_the_part_of_the_day_it_saw() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    bench.talk();
    bench.finish();
    assert_eq!(bench.told(), told(&[("2026-11-23", 1)]));
    assert_eq!(bench.days_seen(), ["2026-11-23"]);
}

#[test]
fn without_a_clock_nothing_is_told_and_all_of_it_counted() {
    let mut bench = Bench::boots_at(30);
    for _ in 0..2_100 {
        bench.talk();
    }
    bench.pass(3 * HOUR);
    bench.finish();
    assert_eq!(bench.told(), []);
    assert_eq!(
        bench.missed(Loss::UndatedFlows).iter().sum::<u64>(),
        bench.talks
    );
}

#[test]
fn what_found_no_room_before_the_clock_was_set_is_told_of_the_day_it_was_set() {
    let mut bench = Bench::boots_at(30);
    for _ in 0..2_100 {
        bench.talk();
    }
    bench.pass(3 * HOUR);
    bench.set_clock(MONDAY + 12 * HOUR);
    bench.pass(DAY);
    let [monday] = &bench.told()[..] else {
        panic!("one day: {:?}", bench.told())
    };
    assert_eq!(*monday, ("2026-11-23".to_owned(), 2_000));
    assert_eq!(bench.missed(Loss::UndatedFlows), [2_100 - 2_048]);
}

#[test]
fn the_collectors_word_dates_what_nobody_else_does() {
    let mut bench = Bench::boots_at(30);
    bench.talk();
    bench.pass(HOUR);
    let learn = Wish::Learn(Word {
        theirs: Timestamp::from_seconds(MONDAY + 12 * HOUR),
        since_boot_nanos: bench.reading().since_boot_nanos - 5_000_000_000,
    });
    bench.home.heed(learn, bench.reading());
    let now = bench.home.dating.now(bench.reading());
    assert_eq!(now, Timestamp::from_seconds(MONDAY + 12 * HOUR + 5));
    bench.pass(DAY);
    assert_eq!(bench.told(), told(&[("2026-11-23", 1)]));
}

#[test]
fn what_was_before_a_device_is_allowed_stays_at_home() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    let mut household = bench.home.household.clone();
    let allowed = std::mem::take(&mut household.rules.allowed);
    bench
        .home
        .heed(Wish::Household(household.clone()), bench.reading());
    for _ in 0..7 {
        bench.talk();
        bench.pass(DAY);
    }
    assert_eq!(bench.told(), []);
    bench.talk();
    household.rules.allowed = allowed;
    bench.home.heed(Wish::Household(household), bench.reading());
    bench.pass(DAY);
    // Only the present day, and of it not what went on while nothing was allowed.
    assert_eq!(bench.told(), told(&[("2026-11-30", 0)]));
    let census = bench.days.iter().filter_map(|day| summary(day));
    assert_eq!(census.map(|day| day.census.rows.len()).sum::<usize>(), 1);
}

#[test]
fn a_day_that_the_clock_leaves_was_dated_by_the_clock_before() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    let before_nanos = bench.home.offset_nanos;
    bench.talk();
    bench.pass(3 * HOUR);
    bench.set_clock(MONDAY + 2 * DAY);
    let [closed] = &bench.days[..] else {
        panic!("one day: {:?}", bench.told())
    };
    assert_eq!(dated_by(closed), before_nanos);
    bench.talk();
    bench.pass(HOUR);
    bench.set_clock(MONDAY + HOUR);
    let after_nanos = before_nanos + (2 * DAY - 13 * HOUR) * 1_000_000_000;
    let last = bench.days.last().expect("told in two parts");
    assert!(dated_by(last).abs_diff(after_nanos) < 5_000_000_000);
}

#[test]
fn a_frame_that_waited_while_the_clock_was_set_is_dated_by_the_clock_it_is() {
    let mut bench = Bench::boots_at(MONDAY + 10 * HOUR).set();
    let wall = bench.wall;
    bench.set_clock(wall + 3 * DAY);
    bench.pass(1);
    // Stamped a second before the clock was set.
    let after = std::mem::replace(&mut bench.wall, wall - 1);
    let reading = Reading {
        wall: Timestamp::from_seconds(after),
        ..bench.reading()
    };
    for bytes in frames(bench.port) {
        let frame = Frame {
            bytes: &bytes,
            link: LinkType::ETHERNET,
            wire_len_bytes: u32::try_from(bytes.len()).expect("short"),
            segment_bytes: None,
            time: Timestamp::from_seconds(wall - 1),
        };
        bench.home.handle(Event::Frame(frame), reading);
    }
    bench.wall = after;
    bench.pass(DAY);
    assert_eq!(bench.told(), told(&[("2026-11-26", 1)]));
}
