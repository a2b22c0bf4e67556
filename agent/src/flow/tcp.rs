//! Where a TCP connection stands, from its flags alone.

use super::Rtt;
use super::key::Side;
use crate::packet::{TcpFlags, TcpSegment};
use phonehome_proto::time::Timestamp;

/// What the two sides have done so far; `[low, high]` in each pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    /// Each side's first sequence number, once known.
    first_seq: [Option<u32>; 2],
    has_closed: [bool; 2],
    is_broken_off: bool,
    is_accepted: bool,
    opened: Option<Timestamp>,
    /// SYNs sent more than once: an answer could be to either (Karn's rule).
    is_ambiguous: bool,
    rtt: Option<Rtt>,
}

impl Connection {
    /// Follows one segment from `side`.
    pub(super) fn handle_segment(&mut self, segment: &TcpSegment<'_>, side: Side, now: Timestamp) {
        let (own, other) = (side as usize, side.other() as usize);
        if segment.flags.opens() {
            self.is_ambiguous |= self.first_seq[own].is_some();
            self.first_seq[own] = Some(segment.seq);
            self.opened.get_or_insert(now);
        } else if segment.flags.accepts() {
            let answered = segment.ack.wrapping_sub(1);
            if !self.is_accepted && self.first_seq[other] == Some(answered) && !self.is_ambiguous {
                self.rtt = self.opened.and_then(|opened| round_trip(opened, now));
            }
            self.is_accepted = true;
            self.first_seq[own] = Some(segment.seq);
            self.first_seq[other].get_or_insert(answered);
        } else if !segment.flags.has(TcpFlags::RST) {
            // Whatever comes after a hello is past opening.
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

    pub(super) const fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    pub(super) const fn is_over(&self) -> bool {
        self.is_broken_off || (self.has_closed[0] && self.has_closed[1])
    }

    pub(super) const fn rtt(&self) -> Option<Rtt> {
        self.rtt
    }
}

/// A time that went backwards, or a wait no handshake survives, measures nothing.
fn round_trip(opened: Timestamp, accepted: Timestamp) -> Option<Rtt> {
    let nanos = u64::try_from(accepted.nanos_since(opened)).ok()?;
    (nanos <= RTT_NANOS_MAX).then_some(Rtt {
        nanos_min: nanos,
        samples: 1,
    })
}

const RTT_NANOS_MAX: u64 = 60_000_000_000;
