//! What clues weigh, in nats: the log of how much likelier a clue is from the vendor's phones than
//! from anything else in a home.
//!
//! Set by hand from counts in public captures and registries; to be fitted when there are labelled
//! captures enough. Each is tempered by [`TEMPER`] when families are added up, because families are
//! not quite independent.

/// The share of each family's weight that counts.
pub const TEMPER: f64 = 0.7;

/// Only this vendor's phones give it: alone it carries the rarest vendor past the line.
pub const DECISIVE: f64 = 10.0;

/// A MAC prefix of an organisation that makes phones and other personal devices.
pub const PREFIX_OF_DEVICES: f64 = 4.0;

/// A MAC prefix of an organisation that mostly makes something else.
pub const PREFIX_OF_ANYTHING: f64 = 0.7;

/// A name as phones leave the factory with. Anybody can give any device any name.
pub const FACTORY_NAME: f64 = 5.0;

/// A system that only one vendor ships.
pub const OWN_SYSTEM: f64 = 4.0;

/// A model that the device announces itself.
pub const MODEL: f64 = 5.0;

/// A service that only one vendor's devices offer.
pub const OWN_SERVICE: f64 = 3.0;

/// A model in a User-Agent, which any program can write.
pub const USER_AGENT: f64 = 4.0;

/// A domain of the vendor's system services.
pub const CORE_DOMAIN: f64 = 3.0;

/// The vendor's connectivity check: proxy tools and log-in scripts ask for it as well.
pub const CHECK_HOST: f64 = 2.5;

/// A domain that apps on other vendors' phones ask for too.
pub const WEAK_DOMAIN: f64 = 0.5;

/// A phone for sure.
pub const PHONE_SURE: f64 = 4.0;

/// The system of a vendor's phones and tablets: most that stand in homes are phones.
pub const PHONE_OWN_SYSTEM: f64 = 2.3;

/// A system that tablets and televisions run too.
pub const PHONE_SHARED_SYSTEM: f64 = 1.5;

/// A program or a service of phones, mostly.
pub const PHONE_LIKELY: f64 = 1.0;

/// Seldom a phone: what mostly other devices carry or ask for. It takes a name and a system together
/// to say otherwise.
pub const PHONE_UNLIKELY: f64 = -2.5;

/// Never a phone: a desktop system, a name or a model that says so.
pub const PHONE_NEVER: f64 = -9.0;
