//! Homes: who is in one, and what it says of a week.
//!
//! Its phones live day by day, and its router turns what they do into batches.

use super::dice::Dice;
use super::phone::Phone;
use super::population::{Population, SECOND_PHONE};
use super::router::{Circular, Router};
use super::server::Server;
use crate::traffic::phone::Make;
use phonehome_agent::batch::batches;
use phonehome_agent::evidence::Verdict;
use phonehome_agent::observe::{Account, Contact};
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::geo::network::Origin;
use phonehome_proto::batch::Batch;
use phonehome_proto::id::{Audience, HomeId};
use phonehome_proto::observation::{NamedBy, Service, VolumeTrust};
use phonehome_proto::time::{Day, Week};
use std::net::{IpAddr, Ipv4Addr};

/// A home.
#[derive(Clone, Debug)]
pub struct Home {
    /// Where it stands; `None` where no table knows.
    pub origin: Option<Origin>,
    /// Whose phones are there, and which services each uses.
    pub phones: Vec<(Phone, Vec<usize>)>,
    /// The days of the week, from 0, on which somebody is at home.
    pub days: Vec<usize>,
    /// Milliseconds from the phones to the provider.
    access_ms: f64,
    lies: bool,
}

/// What a home said, and what its router thought in the end.
pub struct Lived {
    /// What would be sealed.
    pub batches: Vec<Batch>,
    /// The last verdict on each phone.
    pub verdicts: Vec<(Make, Verdict)>,
}

impl Home {
    /// A home of this population; `None` if nobody in it has a phone of its makes.
    #[must_use]
    pub fn draw(population: &Population, dice: &mut Dice) -> Option<Self> {
        let mut phones = Vec::new();
        for &(make, share) in &population.makes {
            let first = dice.happens(share);
            let second = first && dice.happens(SECOND_PHONE);
            for _ in 0..usize::from(first) + usize::from(second) {
                let uses = (0..population.services.len()).filter(|&at| {
                    let service = &population.services[at];
                    service.make == make && dice.happens(service.used_by)
                });
                let uses = uses.collect();
                phones.push((Phone::draw(make, population, dice), uses));
            }
        }
        let away = if dice.happens(AWAY) {
            dice.between(1, 6)
        } else {
            0
        };
        let mut days = dice.shuffled(&[0, 1, 2, 3, 4, 5, 6])[away..].to_vec();
        days.sort_unstable();
        let home = Self {
            origin: population.origin(dice),
            phones,
            days,
            access_ms: dice.within(3.0, 25.0),
            lies: false,
        };
        (!home.phones.is_empty()).then_some(home)
    }

    /// A home that says it has phones of every make, contacts everybody's servers with them, its own
    /// makers' in places where nobody else finds them, and is next door to nearly all.
    #[must_use]
    pub fn lying(population: &Population, origin: Origin, dice: &mut Dice) -> Self {
        let phones = population.makes.iter().map(|&(make, _)| {
            let mut phone = Phone::draw(make, population, dice);
            phone.declared = Some(make.vendor());
            phone.hides_names = false;
            (phone, (0..population.services.len()).collect())
        });
        Self {
            origin: Some(origin),
            phones: phones.collect(),
            days: (0..7).collect(),
            access_ms: 0.0,
            lies: true,
        }
    }

    /// Its week.
    #[must_use]
    pub fn live(
        &self,
        population: &Population,
        atlas: &Atlas,
        week: Week,
        circular: Circular,
        dice: &mut Dice,
    ) -> Lived {
        let mut router = Router::new(self.phones.iter().map(|(phone, _)| phone), circular);
        let week_days: Vec<Day> = week.days().collect();
        let mut told = Vec::new();
        for &at in &self.days {
            let day = week_days[at];
            for (number, (phone, uses)) in self.phones.iter().enumerate() {
                router.see(number, phone, day, at >= phone.joins_on);
                router.contact(number, &browsing(day, phone));
                for &service in uses {
                    if self.days[0] != at && !dice.happens(USED_DAILY) {
                        continue;
                    }
                    let servers = &population.services[service].servers;
                    let server = &population.servers[dice.one_of(servers)];
                    let name = self.name(population, server, phone.make);
                    let contact = Contact {
                        name: (!phone.hides_names).then_some((name, NamedBy::Sni)),
                        rtt: Some((self.round_trip_nanos(atlas, server, dice), 6)),
                        ..contact(day, server.address().into())
                    };
                    router.contact(number, &contact);
                }
            }
            if let Some(summary) = router.close(day) {
                told.extend(batches(
                    &summary,
                    Audience::new([1; 32]),
                    HomeId::new([2; 32]),
                    dice,
                ));
            }
        }
        let makes = self.phones.iter().map(|(phone, _)| phone.make);
        Lived {
            batches: told,
            verdicts: makes.zip(router.verdicts().cloned()).collect(),
        }
    }

    /// The name under which a phone of this home says it found a server.
    fn name<'a>(&self, population: &'a Population, server: &'a Server, make: Make) -> &'a str {
        if !self.lies {
            return &server.name;
        }
        let own = population
            .services
            .iter()
            .find(|service| service.make == make);
        let own = own.expect("a make has services");
        &population.servers[own.servers[0]].name
    }

    /// How long a handshake takes. A liar is next door to all servers but the first; to be next door to
    /// all would give it away.
    fn round_trip_nanos(&self, atlas: &Atlas, server: &Server, dice: &mut Dice) -> u64 {
        let millis = if self.lies {
            if server.prefix[2] == 0 {
                90.0
            } else {
                dice.within(1.0, 4.0)
            }
        } else {
            // Light in glass takes 1 ms for 100 km there and back; paths are longer than that, and
            // what is known is the least distance between two countries.
            let home = self.origin.map(|origin| origin.country);
            let kilometres = home.map_or(5_000.0, |home| server.kilometres(atlas, home));
            (kilometres * dice.within(1.2, 1.8) + dice.within(50.0, 800.0)) / 100.0 + self.access_ms
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "milliseconds of a round trip, positive and few"
        )]
        let nanos = (millis * 1e6) as u64;
        nanos
    }
}

/// A page that somebody reads.
const fn browsing(day: Day, phone: &Phone) -> Contact<'static> {
    let name = if phone.hides_names {
        None
    } else {
        Some(("www.evening-gazette.example", NamedBy::Sni))
    };
    Contact {
        name,
        ..contact(day, IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14)))
    }
}

const fn contact(day: Day, server: IpAddr) -> Contact<'static> {
    Contact {
        start: day.start().plus_seconds(43_200),
        client: IpAddr::V4(Ipv4Addr::new(192, 168, 1, 100)),
        server,
        is_intercepted: false,
        service: Service::Tls,
        name: None,
        tap: Account {
            bytes_up: 2_000,
            bytes_down: 5_000,
            trust: VolumeTrust::Exact,
        },
        kernel: None,
        rtt: None,
    }
}

/// Homes with nobody in on some days.
const AWAY: f64 = 0.15;
/// How often a phone uses a service on a day after the first.
const USED_DAILY: f64 = 0.75;
