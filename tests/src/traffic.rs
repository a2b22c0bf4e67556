//! The traffic of synthetic homes, written as capture files.
//!
//! Takes a [`Home`](home::Home) and the days to live through, gives a pcap file as the home's router
//! would have recorded it on its LAN side. Everything is decided by the seed: the same home lives
//! the same week in every run. The agent reads these files as it reads anybody's; nothing here
//! shares a line of code with what it is meant to test.

pub mod city;
pub mod conversation;
pub mod day;
pub mod dhcp;
pub mod dns;
pub mod frame;
pub mod ground;
pub mod hello;
pub mod home;
pub mod phone;
pub mod population;
pub mod quic;
pub mod recording;
pub mod site;
