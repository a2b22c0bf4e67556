//! The home.
//!
//! One module per arrow, in the order the data takes; each makes the type named beside it, and
//! nothing downstream can hold a value that skipped a step. `run` alone sees every stage.
//!
//! ```text
//! capture   Frame         a capture file, the rings of a router's networks, the kernel's counters
//! packet    Packet        headers read; payload is borrowed and dies with the frame
//! name      ServerName    TLS, QUIC, HTTP hellos put together and read
//! flow      Flow          bounded table of conversations, with DNS answers per client
//! device    Device        who is on the network; the MAC address dies here
//! evidence  Verdict       whose make the device is, and how we know
//! observe   Observation   every privacy rule
//! batch     Batch         one UTC day
//! seal      SealedBatch   the exact bytes, signed
//! spool     one file each durable, bounded
//! uplink    Intake        gRPC to the pinned collector; deletes on receipt
//! ```
//!
//! `lists` stands aside: names a person loads to look at their own captures with, and nothing else.
//! `endpoints` opens what the project signs: lists of endpoints made after this program.

pub mod durable;
mod hash;
pub mod tally;

pub mod capture;
pub mod packet;

pub mod name;

pub mod flow;

pub mod device;
pub mod evidence;

pub mod observe;

pub mod batch;

pub mod seal;

pub mod spool;
pub mod uplink;

pub mod config;
pub mod consent;
pub mod sandbox;
pub mod state;

pub mod lists;

pub mod endpoints;

pub mod run;

pub mod cli;
