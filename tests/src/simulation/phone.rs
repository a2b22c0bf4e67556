//! Phones: what one gives away about its vendor, to a router that looks on.
//!
//! Only what the agent itself would see: an address, DHCP messages, mDNS announcements, names of
//! servers. Shares here are of phones, set by hand from what is known of each make's habits.

use super::dice::Dice;
use super::population::Population;
use crate::traffic::dhcp::{self, Manners, Step};
use crate::traffic::dns;
use crate::traffic::frame::{self, Frame, Link, Mac};
use crate::traffic::phone::Make;
use phonehome_agent::capture::{self, LinkType};
use phonehome_agent::evidence::Evidence;
use phonehome_agent::packet::{self, Packet};
use phonehome_proto::chance::Chance;
use phonehome_proto::time::Timestamp;
use phonehome_proto::vendor::Vendor;
use std::net::{Ipv4Addr, SocketAddr};

/// A phone of a home.
#[derive(Clone, Debug)]
pub struct Phone {
    /// Whose it is.
    pub make: Make,
    /// Whose its holder says it is, if asked.
    pub declared: Option<Vendor>,
    /// Whether it hides every name: private DNS, and hellos that are encrypted or in a tunnel. Private
    /// DNS alone hides the questions, and leaves the hellos.
    pub hides_names: bool,
    /// The first day of the week on which it asks for an address; known phones may keep theirs.
    pub joins_on: usize,
    /// How it asks for an address.
    request: Frame,
    /// What it tells its neighbours.
    announcement: Option<Frame>,
    /// Asks now and then for another maker's connectivity check.
    strays: Option<&'static str>,
}

impl Phone {
    /// A phone of this make in this population.
    #[must_use]
    pub fn draw(make: Make, population: &Population, dice: &mut Dice) -> Self {
        let mut mac: [u8; 6] = dice.bytes();
        if dice.happens(population.shows_address) {
            mac[..3].copy_from_slice(&dice.one_of(&make.mac_prefixes()));
        } else {
            // Locally administered, unicast: what a phone makes up per network.
            mac[0] = mac[0] & 0xfc | 0x02;
        }
        let named = if dice.happens(BORROWED_NAME) {
            dice.one_of(&Make::ALL)
        } else {
            make
        };
        let (is_named, vendor_class, wishes): (f64, _, &[u8]) = match make {
            Make::Apple => (0.7, None, &[1, 121, 3, 6, 15, 108, 114, 119, 252]),
            Make::Huawei if dice.happens(0.8) => (0.5, Some("HUAWEI:android:ELE"), &ANDROID[..10]),
            Make::Huawei => (0.5, Some("android-dhcp-10"), &ANDROID[..10]),
            _ => (0.5, Some("android-dhcp-13"), &ANDROID),
        };
        let manners = Manners {
            host_name: dice.happens(is_named).then(|| dice.one_of(&named.models())),
            vendor_class,
            wishes,
        };
        let announces = make == Make::Apple && dice.happens(0.5);
        Self {
            make,
            declared: dice.happens(population.declared).then(|| make.vendor()),
            hides_names: dice.happens(HIDES_NAMES),
            joins_on: if dice.happens(JOINS_LATE) {
                dice.below(7)
            } else {
                0
            },
            request: dhcp::message(Step::Request, mac, ROUTER, ADDRESS, 1, manners),
            announcement: announces.then(|| announcement(mac)),
            strays: dice.happens(STRAYS).then(|| dice.one_of(&CHECKS)),
        }
    }

    /// What the router knows before the phone says anything.
    #[must_use]
    pub fn address_evidence(&self) -> Evidence {
        let mac = read(&self.request).link.source;
        mac.map(Evidence::of_mac).unwrap_or_default()
    }

    /// What the router learns as the phone joins.
    pub fn join(&self, evidence: &mut Evidence) {
        if let Some(message) = read(&self.request).dhcp() {
            evidence.handle_dhcp(&message);
        }
        if let Some(announcement) = &self.announcement {
            evidence.handle_packet(&read(announcement));
        }
        if let Some(name) = self.strays.filter(|_| !self.hides_names) {
            evidence.handle_name(name);
        }
    }
}

/// A service that only iPhones and their kin have, told without having been asked (RFC 6762).
fn announcement(from: Mac) -> Frame {
    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    message.extend(dns::labels("_companion-link._tcp.local"));
    // A pointer that holds for 75 minutes.
    message.extend([0, 12, 0, 1, 0, 0, 0x11, 0x94]);
    let target = dns::labels("phone._companion-link._tcp.local");
    message.extend([0, u8::try_from(target.len()).expect("a short name")]);
    message.extend(target);
    let link = Link {
        from,
        to: [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb],
    };
    let [here, everybody] = [ADDRESS, Ipv4Addr::new(224, 0, 0, 251)];
    let [here, everybody] = [here, everybody].map(|ip| SocketAddr::from((ip, 5_353)));
    frame::udp(link, here, everybody, &message)
}

/// As the agent reads it.
fn read(frame: &Frame) -> Packet<'_> {
    let frame = capture::Frame {
        bytes: &frame.bytes,
        link: LinkType::ETHERNET,
        wire_len_bytes: frame.wire_bytes,
        segment_bytes: None,
        time: Timestamp::from_seconds(0),
    };
    packet::read(&frame).expect("a whole packet")
}

const ROUTER: (Mac, Ipv4Addr) = ([0x02, 0, 0, 0, 0, 1], Ipv4Addr::new(192, 168, 1, 1));
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 100);

/// Phones that carry the name of another make, from a holder's last phone.
const BORROWED_NAME: f64 = 0.02;
const HIDES_NAMES: f64 = 0.1;
/// Phones that keep an address from before the week.
const JOINS_LATE: f64 = 0.1;
const STRAYS: f64 = 0.05;

/// Android 11 and later; the first ten are Android 7 to 10.
const ANDROID: [u8; 12] = [1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108];

const CHECKS: [&str; 2] = ["captive.apple.com", "connect.rom.miui.com"];

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_agent::evidence::Family;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_of_evidence_is_given() {
        let mut dice = Dice::new(2);
        let population = Population::draw(&mut dice);
        let mut families = BTreeSet::new();
        for make in [Make::Apple, Make::Huawei, Make::Xiaomi] {
            for _ in 0..50 {
                let phone = Phone::draw(make, &population, &mut dice);
                let mut evidence = phone.address_evidence();
                phone.join(&mut evidence);
                families.extend(evidence.clues().iter().map(|clue| clue.family));
            }
        }
        for family in Family::ALL {
            assert!(
                families.contains(&family) || family == Family::UserAgent,
                "{family:?}"
            );
        }
    }
}
