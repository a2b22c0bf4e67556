//! One direction of a TCP connection, up to its first hello or request.
//!
//! Takes segments in any order, gives one [`Outcome`] each. A message is looked for at the start of
//! the stream and, because whoever speaks first after a preamble begins a segment with it, at the
//! start of every early segment: so TLS is found after SMTP, IMAP, POP3, FTP, XMPP, LDAP, a
//! database's upgrade request, a SOCKS exchange or an HTTP `CONNECT`, without knowing any of them,
//! and in captures that begin late.
//!
//! Nothing is kept of what cannot be the beginning of a message, nor after the outcome is known.

use super::reassembly::Reassembly;
use super::{Findings, HANDSHAKE_BYTES_MAX, NameSource, Reading, http, tls};

/// How many segments with payload may pass before one begins a message.
///
/// The longest honest preambles (XMPP, a proxy that wants a password in three steps) take about six.
pub(super) const PREAMBLE_SEGMENTS_MAX: u8 = 16;

/// How many segments in a row may bring a begun message no further before it is given up: by then
/// its missing part was not lost on the way, it was never captured.
pub(super) const STALLED_SEGMENTS_MAX: u8 = 32;

/// Where the first byte of a stream is put; bytes before it keep positive offsets.
const ORIGIN: u64 = 1 << 32;

/// One direction, while it is being looked at.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// The sequence number that [`ORIGIN`] stands for.
    origin: Option<u32>,
    state: State,
    /// Counted against the limit of the state.
    segments: u8,
}

#[derive(Clone, Debug)]
enum State {
    /// No message has begun.
    Looking,
    /// A message may begin at `start`.
    Reading { start: u64, bytes: Reassembly },
    /// Nothing more will be found.
    Ended,
}

/// What a segment led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing yet.
    More,
    /// A record of TLS that is no hello: the handshake began before, or on the other side.
    TlsRecord,
    /// A message, whole or (`false`) given up before its end.
    Message(NameSource, Findings, bool),
}

// === impl Stream ===

impl Stream {
    pub(super) const fn new() -> Self {
        Self {
            origin: None,
            state: State::Looking,
            segments: 0,
        }
    }

    /// The stream begins behind this sequence number.
    pub(super) fn handle_syn(&mut self, seq: u32) {
        let origin = seq.wrapping_add(1);
        if self.origin != Some(origin) {
            let bytes = Reassembly::new(HANDSHAKE_BYTES_MAX);
            let state = State::Reading {
                start: ORIGIN,
                bytes,
            };
            *self = Self {
                origin: Some(origin),
                state,
                segments: 0,
            };
        }
    }

    /// Reads a segment that is not empty.
    pub(super) fn handle_segment(&mut self, seq: u32, payload: &[u8]) -> Outcome {
        let origin = *self.origin.get_or_insert(seq);
        let offset = offset(origin, seq);
        match &self.state {
            State::Ended => Outcome::More,
            State::Looking => self.look(offset, payload),
            State::Reading { start, bytes } => {
                let begins = offset == *start;
                if bytes.is_empty() && begins {
                    // A message that is whole in one segment, as most are, is never copied.
                    self.read_start(offset, payload)
                } else if bytes.bytes_from(*start).is_empty() && !begins && begins_surely(payload) {
                    // What should have come first is not in the capture.
                    self.look(offset, payload)
                } else {
                    self.read_on(offset, payload)
                }
            }
        }
    }

    /// What the bytes say when no more will come: a message that broke off, if one had begun.
    pub(super) fn finish(&mut self) -> Option<(NameSource, Findings)> {
        let begun = self.begun();
        self.state = State::Ended;
        begun
    }

    /// What a message that has begun for sure says so far.
    pub(super) fn begun(&self) -> Option<(NameSource, Findings)> {
        let State::Reading { start, bytes } = &self.state else {
            return None;
        };
        let run = bytes.bytes_from(*start);
        match read(run) {
            (source, Reading::Partial(findings)) if run.len() >= SURE_BYTES_MIN => {
                Some((source, findings))
            }
            _ => None,
        }
    }

    /// Looks for a further message after one that does not name the flow for good.
    pub(super) fn look_on(&mut self) {
        self.state = State::Looking;
        self.segments = 0;
    }

    /// Whether nothing more will be found.
    pub(super) const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// How many bytes of memory the begun message occupies.
    pub(super) fn buffered_bytes(&self) -> usize {
        match &self.state {
            State::Reading { bytes, .. } => bytes.allocated_bytes(),
            State::Looking | State::Ended => 0,
        }
    }

    fn look(&mut self, offset: u64, payload: &[u8]) -> Outcome {
        self.segments += 1;
        if self.segments > PREAMBLE_SEGMENTS_MAX {
            self.state = State::Ended;
            return Outcome::More;
        }
        self.read_start(offset, payload)
    }

    /// Reads a segment at whose first byte a message may begin.
    fn read_start(&mut self, offset: u64, payload: &[u8]) -> Outcome {
        match read(payload) {
            (source, Reading::Whole(findings)) => self.end(source, findings, true),
            (source, Reading::Partial(findings)) => {
                let mut bytes = Reassembly::new(HANDSHAKE_BYTES_MAX);
                if !add(&mut bytes, offset, offset, payload) {
                    return self.end(source, findings, false);
                }
                self.state = State::Reading {
                    start: offset,
                    bytes,
                };
                self.segments = 0;
                Outcome::More
            }
            (_, Reading::Foreign) => {
                self.state = State::Looking;
                if tls::is_record(payload) {
                    Outcome::TlsRecord
                } else {
                    Outcome::More
                }
            }
        }
    }

    /// Adds a segment to the message that has begun.
    fn read_on(&mut self, offset: u64, payload: &[u8]) -> Outcome {
        let State::Reading { start, bytes } = &mut self.state else {
            return Outcome::More;
        };
        let known_bytes = bytes.bytes_from(*start).len();
        let fits = add(bytes, *start, offset, payload);
        let run = bytes.bytes_from(*start);
        self.segments = if run.len() > known_bytes {
            0
        } else {
            self.segments + 1
        };
        let given_up = !fits || self.segments >= STALLED_SEGMENTS_MAX;
        match read(run) {
            (source, Reading::Whole(findings)) => self.end(source, findings, true),
            (source, Reading::Partial(findings)) if given_up => {
                if run.len() >= SURE_BYTES_MIN {
                    return self.end(source, findings, false);
                }
                self.state = State::Ended;
                Outcome::More
            }
            (_, Reading::Partial(_)) => Outcome::More,
            // What seemed to begin was no message; this segment may begin one.
            (_, Reading::Foreign) => {
                self.look_on();
                self.look(offset, payload)
            }
        }
    }

    fn end(&mut self, source: NameSource, findings: Findings, whole: bool) -> Outcome {
        self.state = State::Ended;
        Outcome::Message(source, findings, whole)
    }
}

/// Adds the bytes from `start` on; false when they do not fit.
fn add(bytes: &mut Reassembly, start: u64, offset: u64, payload: &[u8]) -> bool {
    let early = usize::try_from(start.saturating_sub(offset)).unwrap_or(usize::MAX);
    let Some(payload) = payload.get(early..) else {
        return true;
    };
    bytes.insert(offset.max(start), payload).is_ok()
}

/// Where a sequence number lies, the nearest of all places it may mean.
fn offset(origin: u32, seq: u32) -> u64 {
    let ahead = seq.wrapping_sub(origin).cast_signed();
    ORIGIN
        .checked_add_signed(ahead.into())
        .expect("31 bits around 2^32 stay positive")
}

/// Reads a message of either protocol: their first bytes differ.
fn read(bytes: &[u8]) -> (NameSource, Reading) {
    match tls::read(bytes) {
        Reading::Foreign => (NameSource::Http, http::read(bytes)),
        reading => (NameSource::Sni, reading),
    }
}

/// Whether these bytes begin a message beyond doubt: more of it is there than chance would give.
fn begins_surely(payload: &[u8]) -> bool {
    payload.len() >= SURE_BYTES_MIN && !matches!(read(payload), (_, Reading::Foreign))
}

/// Record header, message header and version of a TLS hello.
const SURE_BYTES_MIN: usize = 11;
