//! What merging leaves out of a count.
//!
//! Routers merge TCP segments before they handle and count them (GRO), so that of several headers one is
//! counted: up to 72 bytes are missing with every 1,428. How long segments may be is said when a
//! connection begins, so that the fewest of which a volume can consist are known, and with them the
//! headers that must have been there.
//!
//! What comes out is never more than was on the wire, as long as neither side sends longer segments
//! than it takes itself. It is little less: where segments are shorter than they may be, only their
//! headers are missing. A count that misses nothing stays as it is.

use super::Volume;
use crate::packet::key::Side;
use crate::packet::offer::Offer;

/// How a connection's bytes are cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The longest payload of a segment; never 0.
    payload_bytes_max: u16,
    /// IP and TCP header of each.
    header_bytes: u16,
}

/// What the sides have said so far of the segments they take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offers {
    /// The least that anybody said.
    segment_bytes_max: u16,
    /// Everybody spoke of timestamps.
    has_timestamps: bool,
    /// Who has spoken: a bit for each side.
    spoken: u8,
}

// One for each conversation.
const _: () = assert!(size_of::<Offers>() <= 4);

// === impl Offers ===

impl Offers {
    pub(super) fn hear(&mut self, side: Side, offer: Offer) {
        self.segment_bytes_max = self.segment_bytes_max.min(offer.segment_bytes_max);
        self.has_timestamps &= offer.has_timestamps;
        self.spoken |= 1 << side as u8;
    }

    /// What both sides take; `None` until both have spoken, and where no room is left for a payload.
    pub(super) fn agreed(self, is_v4: bool) -> Option<Segments> {
        let option_bytes = if self.has_timestamps {
            TIMESTAMP_BYTES
        } else {
            0
        };
        let payload_bytes_max = self.segment_bytes_max.saturating_sub(option_bytes);
        let ip_bytes = if is_v4 { 20 } else { 40 };
        (self.spoken == 0b11 && payload_bytes_max > 0).then_some(Segments {
            payload_bytes_max,
            header_bytes: ip_bytes + TCP_BYTES + option_bytes,
        })
    }
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            segment_bytes_max: u16::MAX,
            has_timestamps: true,
            spoken: 0,
        }
    }
}

// === impl Segments ===

impl Segments {
    /// What was on the wire at least, of what was counted.
    #[must_use]
    pub fn on_wire(self, counted: Volume) -> Volume {
        let header_bytes = u64::from(self.header_bytes);
        let headers_bytes = counted.packets.saturating_mul(header_bytes);
        let payload_bytes = counted.bytes.saturating_sub(headers_bytes);
        let fewest = payload_bytes.div_ceil(self.payload_bytes_max.into());
        let left_out = fewest.saturating_sub(counted.packets);
        Volume {
            packets: counted.packets + left_out,
            bytes: counted
                .bytes
                .saturating_add(left_out.saturating_mul(header_bytes)),
        }
    }
}

const TCP_BYTES: u16 = 20;

/// Ten bytes of timestamps and two of padding, as every system sends them.
const TIMESTAMP_BYTES: u16 = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn offer(segment_bytes_max: u16, has_timestamps: bool) -> Offer {
        Offer {
            segment_bytes_max,
            has_timestamps,
        }
    }

    fn agreed(offers: [Offer; 2], is_v4: bool) -> Option<Segments> {
        let mut heard = Offers::default();
        for (side, offer) in [Side::High, Side::Low].into_iter().zip(offers) {
            assert_eq!(heard.agreed(is_v4), None, "both have a say");
            heard.hear(side, offer);
        }
        heard.agreed(is_v4)
    }

    const fn volume(packets: u64, bytes: u64) -> Volume {
        Volume { packets, bytes }
    }

    #[test]
    fn headers_that_must_have_been_there_are_added() {
        let offers = [offer(1_440, true), offer(8_940, true)];
        let v6 = agreed(offers, false).expect("room");
        // Ten segments of 1,428 bytes, counted as one.
        assert_eq!(v6.on_wire(volume(1, 14_280 + 72)), volume(10, 15_000));
        // One byte more is one segment more.
        assert_eq!(v6.on_wire(volume(1, 14_281 + 72)), volume(11, 15_073));
        // Without timestamps on both sides there are none.
        let v4 = agreed([offer(1_460, true), offer(1_460, false)], true).expect("room");
        assert_eq!(v4.on_wire(volume(2, 2_920 + 80)), volume(2, 3_000));
        assert_eq!(v4.on_wire(volume(1, 2_920 + 40)), volume(2, 3_000));
        for counted in [volume(0, 0), volume(9, 360), volume(3, 10)] {
            assert_eq!(v4.on_wire(counted), counted);
        }
        assert_eq!(agreed([offer(12, true), offer(1_460, true)], true), None);
        let most = volume(1, u64::MAX);
        assert_eq!(v4.on_wire(most).bytes, u64::MAX);
    }

    proptest! {
        /// However segments are merged: never less than was counted, and never more than there was.
        #[test]
        fn never_more_than_was_on_the_wire(
            segments in prop::collection::vec((0_u64..=1_448, any::<bool>()), 1..60),
        ) {
            let segments_of = agreed([offer(1_460, true); 2], true).expect("room");
            let mut counted = Volume::NOTHING;
            for (payload_bytes, is_merged) in &segments {
                let is_head = !is_merged || counted.packets == 0;
                counted.packets += u64::from(is_head);
                counted.bytes += payload_bytes + if is_head { 52 } else { 0 };
            }
            let truth = volume(
                segments.len() as u64,
                segments.iter().map(|(payload_bytes, _)| payload_bytes + 52).sum(),
            );
            let told = segments_of.on_wire(counted);
            prop_assert!(counted.bytes <= told.bytes && told.bytes <= truth.bytes);
            prop_assert!(told.packets <= truth.packets);
            prop_assert_eq!(segments_of.on_wire(told), told, "once is enough");
        }
    }
}
