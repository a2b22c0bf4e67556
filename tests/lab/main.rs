//! The home laboratory: a home, the Internet and a collector in network namespaces of its own, where
//! the agent watches real phones speak to real servers.

#![expect(
    clippy::print_stdout,
    reason = "figures are printed beside their limits"
)]

mod agent;
mod credentials;
mod dns;
mod exchange;
mod handset;
mod home;
mod hybrid;
mod lease;
mod line;
mod machine;
mod namespace;
mod observatory;
mod patience;
mod router;
mod serve;
mod sites;
mod tracked;
mod truth;
mod witness;

mod benchmarks;
mod kernel_features;
mod laboratory;
mod leaving;
mod names;
mod privileges;
mod reports;
mod times;
mod translation;
mod volumes;
