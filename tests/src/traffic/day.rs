//! A day in a home: phones join, do their makers' errands, and their holders read pages.

use super::city::{later, round_trip_nanos};
use super::conversation::Conversation;
use super::dhcp::{self, Manners, Step};
use super::dns;
use super::frame::{self, Link, Mac};
use super::home::Home;
use super::phone::{Make, Phone, pick};
use super::recording::Recording;
use super::site::{Carrier, Contact, Region, UNLISTED, repertoire};
use phonehome_proto::chance::{Chance, SeededChance};
use phonehome_proto::time::{Day, Timestamp, Week};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// How busy a day is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Pages each machine opens.
    pub pages_daily: u32,
    /// Bytes of a page are divided by this.
    pub page_divisor: u32,
}

impl Pace {
    /// A usual day: about half a megabyte of capture a week.
    pub const USUAL: Self = Self {
        pages_daily: 3,
        page_divisor: 1,
    };
    /// As little as shows everything: for tests, whose parsers are not optimised.
    pub const QUIET: Self = Self {
        pages_daily: 2,
        page_divisor: 10,
    };
}

/// The days of `week` on which somebody is at home: five to seven, the last one always.
#[must_use]
pub fn days_at_home(home: &Home, week: Week) -> Vec<Day> {
    let mut chance = chance_of(home, week.monday());
    let away = [chance.below(6), chance.below(6)];
    let missed = usize::try_from(chance.below(3)).expect("below three");
    (0u32..)
        .zip(week.days())
        .filter(|(at, _)| !away[..missed].contains(at))
        .map(|(_, day)| day)
        .collect()
}

/// Writes the capture of these days to `path`.
///
/// # Errors
/// Those of the file.
pub fn write(home: &Home, days: &[Day], pace: Pace, path: &Path) -> io::Result<()> {
    let mut recording = Recording::default();
    for (number, day) in days.iter().enumerate() {
        record(home, *day, number == 0, pace, &mut recording);
    }
    recording.write(io::BufWriter::new(std::fs::File::create(path)?))
}

/// Records one day.
pub fn record(home: &Home, day: Day, first: bool, pace: Pace, recording: &mut Recording) {
    let mut scribe = Scribe {
        home,
        chance: chance_of(home, day),
        recording,
    };
    for (phone, regions) in &home.phones {
        scribe.phone(phone, regions, day, first, pace);
    }
    let laptop = &home.laptop;
    let at = scribe.moment(day, 8, 1);
    scribe.join(laptop.mac, laptop.address, laptop.manners(), first, at);
    for _ in 0..pace.pages_daily {
        let at = scribe.moment(day, 9, 12);
        let page = pick(&mut scribe.chance, &UNLISTED);
        let machine = Machine {
            mac: laptop.mac,
            v4: laptop.address,
            v6: None,
        };
        scribe.contact(machine, slow_down(page, pace), at);
    }
}

struct Scribe<'a> {
    home: &'a Home,
    chance: SeededChance,
    recording: &'a mut Recording,
}

/// Something with addresses.
#[derive(Clone, Copy)]
struct Machine {
    mac: Mac,
    v4: Ipv4Addr,
    v6: Option<IpAddr>,
}

impl Scribe<'_> {
    fn phone(&mut self, phone: &Phone, regions: &[Region], day: Day, first: bool, pace: Pace) {
        let at = self.moment(day, 6, 1);
        self.join(phone.mac, phone.address, phone.manners(), first, at);
        let machine = Machine {
            mac: phone.mac,
            v4: phone.address,
            v6: Some(phone.address_v6.into()),
        };
        let errands: Vec<_> = repertoire(phone.make, regions).collect();
        for errand in &errands {
            for _ in 0..errand.times_daily {
                let at = self.moment(day, 7, 15);
                self.contact(machine, *errand, at);
            }
        }
        for number in 0..pace.pages_daily {
            let at = self.moment(day, 10, 12);
            // The first page of a Xiaomi phone's day is the story's: a search, in private.
            let page = if number == 0 && phone.make == Make::Xiaomi {
                UNLISTED[0]
            } else {
                pick(&mut self.chance, &UNLISTED)
            };
            let closed = self.contact(machine, slow_down(page, pace), at);
            for errand in errands.iter().filter(|errand| errand.follows_browsing) {
                self.contact(machine, *errand, later(closed, 900_000_000));
            }
        }
    }

    /// Asks the router for an address: in four steps the first time, in two when it is renewed.
    fn join(
        &mut self,
        mac: Mac,
        address: Ipv4Addr,
        manners: Manners<'_>,
        first: bool,
        at: Timestamp,
    ) {
        let transaction = u32::from_be_bytes(self.chance.bytes());
        let steps = [
            Step::Discover,
            Step::Offer,
            Step::Request,
            Step::Acknowledge,
        ];
        let steps = if first { &steps[..] } else { &steps[2..] };
        let router = (self.home.router, self.home.router_address());
        for (number, step) in (0i64..).zip(steps) {
            let frame = dhcp::message(*step, mac, router, address, transaction, manners);
            self.recording.push(later(at, number * 4_000_000), frame);
        }
    }

    /// Looks the name up at the router, then speaks with the server; gives the moment it ends.
    fn contact(&mut self, machine: Machine, contact: Contact, at: Timestamp) -> Timestamp {
        let v6 = machine.v6.filter(|_| self.chance.below(3) == 0);
        let server = contact.ground.server(v6.is_some(), &mut self.chance);
        let client = match (server, v6) {
            (IpAddr::V6(_), Some(v6)) => v6,
            _ => machine.v4.into(),
        };
        let link = Link {
            from: machine.mac,
            to: self.home.router,
        };
        let port = |chance: &mut SeededChance| {
            u16::try_from(32_768 + chance.below(28_000)).expect("a port")
        };

        let resolver = SocketAddr::new(self.home.router_address().into(), 53);
        let asker = SocketAddr::new(machine.v4.into(), port(&mut self.chance));
        let id = u16::from_be_bytes(self.chance.bytes());
        let question = dns::question(id, contact.host, server);
        self.recording
            .push(at, frame::udp(link, asker, resolver, &question));
        let answered = later(at, i64::from(5 + self.chance.below(25)) * 1_000_000);
        let answer = dns::answer(id, contact.host, contact.alias, server);
        self.recording.push(
            answered,
            frame::udp(link.reversed(), resolver, asker, &answer),
        );

        let jitter = self.chance.below(1_000);
        let server_port = if contact.carrier == Carrier::Http {
            80
        } else {
            443
        };
        let conversation = Conversation {
            link,
            client: SocketAddr::new(client, port(&mut self.chance)),
            server: SocketAddr::new(server, server_port),
            host: contact.host,
            at: later(answered, 4_000_000),
            round_trip_nanos: round_trip_nanos(self.home.city, contact.ground.city(), jitter),
            bytes_up: contact.bytes_up,
            bytes_down: contact.bytes_down,
        };
        conversation.record(contact.carrier, self.recording, &mut self.chance)
    }

    /// Some moment in the `hours` from `hour` on.
    fn moment(&mut self, day: Day, hour: u32, hours: u32) -> Timestamp {
        let millis = self.chance.below(hours * 3_600_000);
        let at = day.start().plus_seconds(i64::from(hour) * 3_600);
        later(at, i64::from(millis) * 1_000_000)
    }
}

/// Chance of its own for each home and day, so that a day is the same whatever stands around it.
fn chance_of(home: &Home, day: Day) -> SeededChance {
    SeededChance::new(u64::from(home.number) << 32 | u64::from(day.number()))
}

const fn slow_down(page: Contact, pace: Pace) -> Contact {
    Contact {
        bytes_down: page.bytes_down / pace.page_divisor,
        ..page
    }
}
