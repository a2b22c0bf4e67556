//! QUIC Initial packets: the ClientHello inside them.
//!
//! Takes the datagrams of one flow, gives a [`Reading`] of the hello put together from CRYPTO frames
//! (RFC 9000, section 19.6) over as many packets as it takes. An Initial is protected with keys that
//! anybody can derive from the version and the first Destination Connection ID (RFC 9001, section
//! 5.2), so what opens under the *client's* keys was written by the client: the direction of the
//! flow need not be known, and no stray datagram is ever taken for a hello.
//!
//! Versions: 1, 2 (RFC 9369), drafts 22 to 34, mvfst, and Google's own. Of a version without
//! published salt nothing is guessed.

mod frames;
mod google;
mod keys;
mod packet;

use super::reassembly::Reassembly;
use super::{Findings, HANDSHAKE_BYTES_MAX, Reading, tls};
use packet::{ConnectionId, Packet};

/// The hello of one QUIC connection.
#[derive(Clone, Debug)]
pub struct Hello {
    /// What the keys came from: the version and the client's first Destination Connection ID. Later
    /// packets carry an identifier the server chose, and keep the keys.
    origin: Option<(u32, ConnectionId)>,
    message: Reassembly,
    full: bool,
}

/// What a datagram was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datagram {
    /// No QUIC packet with a long header.
    Foreign,
    /// QUIC, but no client's Initial that opens.
    Sealed,
    /// A client's Initial opened, and this is the hello now.
    Opened(Reading),
}

// === impl Hello ===

impl Default for Hello {
    fn default() -> Self {
        Self {
            origin: None,
            message: Reassembly::new(HANDSHAKE_BYTES_MAX),
            full: false,
        }
    }
}

impl Hello {
    /// Reads the packets of a datagram that either side may have sent.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Datagram {
        let mut is_quic = false;
        let mut opened = false;
        for packet in packet::packets(datagram) {
            is_quic = true;
            if let Packet::Initial(initial) = packet
                && let Some(payload) = self.open(&initial)
            {
                opened = true;
                for frame in frames::crypto_frames(&payload) {
                    self.full |= self.message.insert(frame.offset, frame.bytes).is_err();
                }
            }
        }
        if opened {
            return Datagram::Opened(self.so_far());
        }
        match google::plain_hello(datagram) {
            Some(message) => Datagram::Opened(google::read_message(message)),
            None if is_quic => Datagram::Sealed,
            None => Datagram::Foreign,
        }
    }

    /// What the CRYPTO frames say so far; [`Reading::Foreign`] while no packet has opened.
    #[must_use]
    pub fn so_far(&self) -> Reading {
        if self.origin.is_none() {
            return Reading::Foreign;
        }
        let message = self.message.bytes_from(0);
        let reading = match tls::read_message(message) {
            Reading::Foreign => google::read_message(message),
            reading => reading,
        };
        match reading {
            // Too long to hold: what its first bytes say is all there will be.
            Reading::Partial(findings) if self.full => {
                let name_refused = findings.name_refused || findings.name.is_none();
                Reading::Whole(Findings {
                    name_refused,
                    ..findings
                })
            }
            reading => reading,
        }
    }

    /// How many bytes of memory the frames occupy.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.message.allocated_bytes()
    }

    /// The payload of an Initial that a client sent.
    fn open(&mut self, initial: &packet::Initial<'_>) -> Option<Vec<u8>> {
        let own = (initial.version, initial.destination);
        let tried_first = self.origin.unwrap_or(own);
        let open = |(version, connection): (u32, ConnectionId)| {
            let same_version = version == initial.version;
            same_version
                .then(|| keys::open(initial, connection.as_slice()))
                .flatten()
        };
        if let Some(payload) = open(tried_first) {
            self.origin = Some(tried_first);
            return Some(payload);
        }
        if own == tried_first {
            return None;
        }
        // After a Retry or a Version Negotiation the client begins again, with other keys and its
        // CRYPTO stream from the first byte.
        let payload = open(own)?;
        *self = Self {
            origin: Some(own),
            ..Self::default()
        };
        Some(payload)
    }
}

#[cfg(test)]
mod tests;
