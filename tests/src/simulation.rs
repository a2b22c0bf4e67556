//! A population whose truth is known, and what the observatory says of it.
//!
//! Takes a seed; gives what the release of one week says of a population, beside what is true of it.
//! Each run draws another population: which vendors' phones it has, how many of these contact servers
//! in which countries, where its homes stand, what the address databases believe. Then homes are drawn
//! from it, and each lives a week: what its router would see becomes evidence, verdicts, observations
//! and batches by the agent's own code, and these become a release by the collector's. No capture, no
//! wire, no journal, no clock, disk or network: only what decides a number.
//!
//! What stands against the truth is what stands against it outside: phones with made-up addresses and
//! borrowed names, phones that hide every name, one of two databases wrong or silent, addresses that
//! answer from many places, and a home that lies. What a phone contacts is drawn apart from how its
//! vendor is known; where these two hang together outside, no interval here knows it.
//!
//! ```text
//! dice         chance, fast
//! population   what is true: vendors, services, countries, networks
//! server       where servers stand, and what two databases say of that
//! phone        what a phone gives away about its vendor
//! router       what a home's agent makes of its phones
//! home         a week of a home
//! run          all homes, all stages, one release; beside it the truth
//! coverage     how often the truth lay within, over many runs
//! ```

pub mod coverage;
pub mod dice;
pub mod home;
pub mod phone;
pub mod population;
pub mod router;
pub mod run;
pub mod server;
