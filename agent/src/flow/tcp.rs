//! Where a TCP connection stands, from its flags alone, and what its SYNs say of its segments.

use super::segments::{Offers, Segments};
use super::{Rtt, moved};
use crate::packet::key::Side;
use crate::packet::{TcpFlags, TcpSegment, offer};
use phonehome_proto::time::Timestamp;

/// What the two sides have done so far; `[low, high]` in each pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    /// Each side's first sequence number, once known.
    first_seq: [Option<u32>; 2],
    /// What the SYNs said of segments.
    offers: Offers,
    has_closed: [bool; 2],
    is_broken_off: bool,
    is_accepted: bool,
    timing: Timing,
}

/// How far the first round trip is measured.
#[derive(Clone, Copy, Debug, Default)]
enum Timing {
    #[default]
    Unopened,
    /// By the one SYN, at this time.
    Opened(Timestamp),
    /// SYNs sent more than once: an answer could be to either (Karn's rule).
    Ambiguous,
    /// In nanoseconds.
    Measured(u64),
}

impl Connection {
    /// Follows one segment from `side`.
    #[inline]
    pub(super) fn handle_segment(&mut self, segment: &TcpSegment<'_>, side: Side, now: Timestamp) {
        if TURNS.into_iter().any(|flag| segment.flags.has(flag)) {
            self.handle_turn(segment, side, now);
        } else {
            // Whatever comes after a hello is past opening.
            self.is_accepted = true;
        }
    }

    /// Follows a segment that opens or ends something.
    fn handle_turn(&mut self, segment: &TcpSegment<'_>, side: Side, now: Timestamp) {
        let (own, other) = (side as usize, side.other() as usize);
        if segment.flags.has(TcpFlags::SYN)
            && let Some(offer) = offer::read(segment.options)
        {
            self.offers.hear(side, offer);
        }
        if segment.flags.opens() {
            self.timing.open(now, self.first_seq[own].is_some());
            self.first_seq[own] = Some(segment.seq);
        } else if segment.flags.accepts() {
            let answered = segment.ack.wrapping_sub(1);
            if !self.is_accepted && self.first_seq[other] == Some(answered) {
                self.timing.accept(now);
            }
            self.is_accepted = true;
            self.first_seq[own] = Some(segment.seq);
            self.first_seq[other].get_or_insert(answered);
        } else if !segment.flags.has(TcpFlags::RST) {
            self.is_accepted = true;
        }
        self.has_closed[own] |= segment.flags.has(TcpFlags::FIN);
        self.is_broken_off |= segment.flags.has(TcpFlags::RST);
    }

    /// Whether this segment begins another connection between the same ends.
    pub(super) fn is_reopened_by(&self, segment: &TcpSegment<'_>, side: Side) -> bool {
        let first_seq = self.first_seq[side as usize];
        if segment.flags.opens() {
            // Nothing opens in the middle: what went before was another's end.
            first_seq != Some(segment.seq)
        } else {
            segment.flags.accepts() && first_seq.is_some_and(|first| first != segment.seq)
        }
    }

    /// Whether no segment was seen yet.
    pub(super) const fn is_unseen(&self) -> bool {
        self.first_seq[0].is_none() && self.first_seq[1].is_none() && !self.is_accepted
    }

    pub(super) const fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    pub(super) const fn is_over(&self) -> bool {
        self.is_broken_off || (self.has_closed[0] && self.has_closed[1])
    }

    /// How its bytes are cut up, if both sides have said so.
    pub(super) fn segments(&self, is_v4: bool) -> Option<Segments> {
        self.offers.agreed(is_v4)
    }

    /// The round trip, if it was measured; once.
    pub(super) const fn take_rtt(&mut self) -> Option<Rtt> {
        let Timing::Measured(nanos_min) = self.timing else {
            return None;
        };
        self.timing = Timing::Ambiguous;
        Some(Rtt {
            nanos_min,
            samples: 1,
        })
    }

    /// Moves what was dated by what the clock was wrong.
    pub(super) const fn redate(&mut self, delta_nanos: i64) {
        if let Timing::Opened(at) = &mut self.timing {
            *at = moved(*at, delta_nanos);
        }
    }
}

// === impl Timing ===

impl Timing {
    const fn open(&mut self, now: Timestamp, is_repeated: bool) {
        match self {
            Self::Opened(_) | Self::Unopened if is_repeated => *self = Self::Ambiguous,
            Self::Unopened => *self = Self::Opened(now),
            Self::Opened(_) | Self::Ambiguous | Self::Measured(_) => {}
        }
    }

    /// A time that went backwards, or a wait no handshake survives, measures nothing.
    fn accept(&mut self, now: Timestamp) {
        if let Self::Opened(opened) = *self {
            let nanos = u64::try_from(now.nanos_since(opened)).ok();
            let nanos = nanos.filter(|nanos| *nanos <= RTT_NANOS_MAX);
            *self = nanos.map_or(Self::Ambiguous, Self::Measured);
        }
    }
}

/// The flags of segments that are more than data on its way.
const TURNS: [TcpFlags; 3] = [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST];

const RTT_NANOS_MAX: u64 = 60_000_000_000;
