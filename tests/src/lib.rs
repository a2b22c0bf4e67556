//! The proof: a world under control, for the integration tests and for `phonehome-demo`.
//!
//! ```text
//! traffic    synthetic homes, written as capture files
//! database   country databases that say what a test wants
//! demo       the whole observatory in one command
//! world      homes with agents and a collector, on one clock
//! liar       a home that says whatever it is told to
//! oracle     the naive model of what a release must say
//! simulation a population whose truth is known, and how often a release holds it
//! storm      homes, network, disk and a collector in one thread, and everything goes wrong
//! relay      says where each home stands, as a load balancer would
//! captures   those written by nobody here, if they are on this machine
//! mask       a capture with every MAC address made up
//! identification  how well makers are told in captures
//! search     for secrets where they must not be
//! golden     what was agreed on, compared
//! help       all a program says of itself, compared
//! programs   of others, and what they say
//! servers    real database servers, and standbys of theirs
//! fuzz       bodies of the fuzz targets, and their seeds
//! ```

pub mod traffic;

pub mod database;
pub mod demo;
pub mod liar;
pub mod oracle;
pub mod relay;
pub mod world;

pub mod simulation;
pub mod storm;

pub mod programs;
pub mod search;
pub mod servers;

pub mod captures;
pub mod golden;
pub mod help;
pub mod identification;
pub mod mask;

pub mod fuzz;
pub mod seeds;
