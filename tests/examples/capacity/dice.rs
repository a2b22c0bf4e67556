//! Chance for crowds: what each of many draws, drawn for all of them at once.
//!
//! Takes a count and the share of all places that one place is, gives how many fall into it; or deals a
//! crowd out over seconds to come. The same seed gives the same.

use super::Due;

/// Moments that one crowd is dealt out to, at most, but for the first, which is dealt out to every second.
const PLACES: usize = 240;

/// Numbers by chance, the same every time (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many of `count` things fall into a part of all places.
    pub(super) fn of(&mut self, count: u64, share: f64) -> u64 {
        let mean = count as f64 * share;
        if count < 32 {
            return (0..count).filter(|_| self.next() < share).count() as u64;
        }
        // Twelve draws are as good as normal; few things are rare enough for it to matter.
        let normal: f64 = (0..12).map(|_| self.next()).sum::<f64>() - 6.0;
        let drawn = (mean + normal * (mean * (1.0 - share)).sqrt()).round();
        (drawn.max(0.0) as u64).min(count)
    }

    /// `count` homes come between two seconds from now, evenly.
    pub(super) fn scatter(
        &mut self,
        due: &mut [Due],
        kind: (usize, usize),
        count: u64,
        from: f64,
        to: f64,
    ) {
        let (first, last) = (from.max(0.0) as usize, to.max(from + 1.0) as usize);
        // A crowd that draws from hours need not be dealt out second by second: many such crowds overlap.
        let stride = ((last - first) / PLACES).max(1);
        let phase = (self.next() * stride as f64) as usize;
        let places = (last - first) / stride;
        let mut left = count;
        for place in 0..places {
            let share = 1.0 / (places - place) as f64;
            let here = if place + 1 == places {
                left
            } else {
                self.of(left, share)
            };
            left -= here;
            // Who would come after the last day that is looked at comes at its end.
            let at = (first + place * stride + phase).min(due.len() - 1);
            if here > 0 {
                *due[at].entry(kind).or_default() += here;
            }
        }
    }
}
