//! Netlink: how the kernel is asked about connections and networks, and how it answers.
//!
//! `message` takes the bytes of one datagram apart, `socket` sends and receives them, `asker` asks in
//! the name of a process that may no longer ask itself. What answers mean is read in `conntrack` and
//! in `lan`.
//!
//! Promises: reading is pure, arbitrary bytes never panic, and nothing is allocated per message;
//! sockets never block and hear nobody but the kernel.

pub mod asker;
pub mod message;
pub mod socket;

pub use asker::{Asker, AskerError, Question};
pub use message::{Message, Messages, Request};
pub use socket::{Protocol, Received, Socket};

/// The bytes one receives into: the kernel fills no datagram beyond this.
pub const DATAGRAM_BYTES: usize = 32 << 10;
