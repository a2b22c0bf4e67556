//! Populations: what is true of the homes a run draws from.
//!
//! Everything about a population is drawn from its seed: which makes there are and how common each is,
//! which services of theirs stand where and how many of their phones use them, in which countries and
//! networks homes stand. From this the truth about any cell follows on paper, without simulating
//! anything: the share of the homes with a phone of the vendor in which one contacts it there.

use super::dice::Dice;
use super::server::{COUNTRIES, Server, Stands, country};
use crate::traffic::phone::Make;
use phonehome_collector::geo::Column;
use phonehome_collector::geo::network::{Asn, Origin};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;

/// What is true.
#[derive(Clone, Debug)]
pub struct Population {
    /// How many homes take part.
    pub homes: usize,
    /// The makes, and the share of homes that have a phone of each.
    pub makes: Vec<(Make, f64)>,
    /// What their phones use.
    pub services: Vec<Service>,
    /// The servers of all services.
    pub servers: Vec<Server>,
    /// Where homes stand, more often in those before.
    pub origins: Vec<Origin>,
    /// The share of phones that show the address their maker gave them.
    pub shows_address: f64,
    /// The share of phones whose holder was asked.
    pub declared: f64,
}

/// A service of a maker in one place.
#[derive(Clone, Debug)]
pub struct Service {
    /// Whose phones use it.
    pub make: Make,
    /// Where it stands.
    pub column: Column,
    /// The share of these phones that use it.
    pub used_by: f64,
    /// Its servers.
    pub servers: Vec<usize>,
}

/// The share of homes with a second phone of a make, of those with a first.
pub const SECOND_PHONE: f64 = 0.15;

/// How often a service stands elsewhere than a word in its servers' names says.
const MOVED: f64 = 0.1;
/// How often a population has an address that answers from many places and that no table lists.
const UNLISTED: f64 = 0.1;

/// Makes whose own endpoints on the list name a place.
const MAKES: [Make; 6] = [
    Make::Xiaomi,
    Make::Samsung,
    Make::Huawei,
    Make::Apple,
    Make::Vivo,
    Make::Oppo,
];
const HOME_COUNTRIES: [&str; 10] = ["DE", "FR", "GB", "PL", "ES", "TR", "IN", "ID", "BR", "US"];
/// Numbers kept for documentation (RFC 5398): homes live in them.
const FIRST_NETWORKS: [u32; 2] = [64_496, 65_536];
/// A network in which no household lives.
const HOSTING: Asn = Asn(16_509);

impl Population {
    /// A population of chance.
    #[must_use]
    pub fn draw(dice: &mut Dice) -> Self {
        let mut population = Self {
            homes: dice.between(40, 400),
            makes: Vec::new(),
            services: Vec::new(),
            servers: Vec::new(),
            origins: origins(dice),
            shows_address: dice.within(0.0, 0.3),
            declared: dice.within(0.02, 0.2),
        };
        let count = dice.between(2, 4);
        let makes = &dice.shuffled(&MAKES)[..count];
        for &make in makes {
            population.makes.push((make, dice.within(0.3, 0.9)));
            let count = dice.between(1, 3);
            for &code in &dice.shuffled(&COUNTRIES)[..count] {
                population.found(make, Stands::In(country(code)), dice);
            }
        }
        population.found(makes[0], Stands::Everywhere { is_listed: true }, dice);
        if dice.happens(UNLISTED) {
            population.found(makes[1], Stands::Everywhere { is_listed: false }, dice);
        }
        population
    }

    /// The share of homes with a phone of the make in which one contacts its maker there.
    #[must_use]
    pub fn truth(&self, make: Make, column: Column) -> f64 {
        let services = self.services.iter();
        let here = services.filter(|service| (service.make, service.column) == (make, column));
        let no_phone: f64 = here.map(|service| 1.0 - service.used_by).product();
        let none = (1.0 - SECOND_PHONE) * no_phone + SECOND_PHONE * no_phone * no_phone;
        1.0 - none
    }

    /// Where the next home stands; `None` where no table knows.
    #[must_use]
    pub fn origin(&self, dice: &mut Dice) -> Option<Origin> {
        // The lesser of two: the first networks have most homes.
        let [one, other] = [0; 2].map(|_| dice.below(self.origins.len()));
        (!dice.happens(0.02)).then(|| self.origins[one.min(other)])
    }

    fn found(&mut self, make: Make, stands: Stands, dice: &mut Dice) {
        let used_by = dice.within(0.05, 0.95);
        let fits = |endpoint: &EndpointId, is_moved: bool| match (stands, endpoint.region()) {
            (Stands::In(country), Some(said)) => (said == country) != is_moved,
            _ => true,
        };
        let (first, count) = (self.servers.len(), dice.between(1, 2));
        for _ in 0..count {
            let is_moved = dice.happens(MOVED);
            let own: Vec<_> = EndpointId::all()
                .filter(|endpoint| endpoint.is_own_of(make.vendor()) && endpoint.edge().is_none())
                .filter(|endpoint| fits(endpoint, is_moved))
                .collect();
            let nth = u8::try_from(self.servers.len()).expect("few servers");
            let server = Server::new(nth, dice.one_of(&own), stands, dice);
            self.servers.push(server);
        }
        self.services.push(Service {
            make,
            column: match stands {
                Stands::In(country) => Column::Country(country),
                Stands::Everywhere { .. } => Column::Anycast,
            },
            used_by,
            servers: (first..first + count).collect(),
        });
    }
}

/// Networks of a few countries.
fn origins(dice: &mut Dice) -> Vec<Origin> {
    let [first, after] = FIRST_NETWORKS;
    let mut numbers = (first..first + 16).chain(after..after + 16).map(Asn);
    let count = dice.between(2, 5);
    let countries: Vec<Country> = dice.shuffled(&HOME_COUNTRIES)[..count]
        .iter()
        .map(|code| country(code))
        .collect();
    let mut origins = Vec::new();
    for country in countries {
        for _ in 0..dice.between(2, 5) {
            let number = numbers.next().expect("there are 32 of them");
            let network = if dice.happens(0.05) { HOSTING } else { number };
            origins.push(Origin { country, network });
        }
    }
    dice.shuffled(&origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_is_what_many_homes_do() {
        let mut dice = Dice::new(5);
        let population = Population::draw(&mut dice);
        let service = &population.services[0];
        let phone = |dice: &mut Dice| {
            let here = population.services.iter();
            here.filter(|other| (other.make, other.column) == (service.make, service.column))
                .map(|other| dice.happens(other.used_by))
                .fold(false, |any, uses| any | uses)
        };
        let homes = (0..20_000).filter(|_| {
            let first = phone(&mut dice);
            first | (dice.happens(SECOND_PHONE) && phone(&mut dice))
        });
        let simulated = f64::from(u32::try_from(homes.count()).expect("few")) / 20_000.0;
        let truth = population.truth(service.make, service.column);
        assert!((truth - simulated).abs() < 0.01, "{truth} {simulated}");
    }
}
