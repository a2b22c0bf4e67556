//! Dice: the chance of a simulation, decided by a seed and fast enough for millions of throws.
//!
//! SplitMix64 (Steele, Lea and Flood, 2014). Nothing secret may be made with it.

use phonehome_proto::chance::Chance;

/// A generator whose whole output is decided by its seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Other dice, decided by these.
    #[must_use]
    pub const fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// A number in `0..bound`, with a bias that no simulation notices.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a bound is small");
        usize::try_from(self.next() % bound).expect("below a usize")
    }

    /// A number in `min..=max`.
    pub fn between(&mut self, min: usize, max: usize) -> usize {
        min + self.below(max - min + 1)
    }

    /// A number in `0..1`.
    pub const fn fraction(&mut self) -> f64 {
        // 32 bits are exact in a float, and enough.
        let high = (self.next() >> 32) as u32;
        high as f64 / (u32::MAX as f64 + 1.0)
    }

    /// A number in `min..max`.
    pub const fn within(&mut self, min: f64, max: f64) -> f64 {
        min + self.fraction() * (max - min)
    }

    /// Whether something of this probability happens.
    pub const fn happens(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// One of `things`.
    ///
    /// # Panics
    /// If there are none.
    pub fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    /// The things in an order of chance.
    #[must_use]
    pub fn shuffled<T: Copy>(&mut self, things: &[T]) -> Vec<T> {
        let mut things = things.to_vec();
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last + 1));
        }
        things
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Chance for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The first numbers of the reference implementation for this seed.
        let mut dice = Dice::new(1_234_567);
        assert_eq!(dice.next(), 6_457_827_717_110_365_317);
        assert_eq!(dice.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn throws_are_even() {
        let mut dice = Dice::new(1);
        let mut faces = [0_u32; 6];
        (0..60_000).for_each(|_| faces[dice.below(6)] += 1);
        assert!(
            faces.iter().all(|face| face.abs_diff(10_000) < 400),
            "{faces:?}"
        );
        let half = (0..10_000).filter(|_| dice.happens(0.5)).count();
        assert!(half.abs_diff(5_000) < 200, "{half}");
    }
}
