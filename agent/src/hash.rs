//! A hash for the tables that every packet is looked up in.
//!
//! std's is safe against anybody and takes longer than the rest of a packet's way; this one folds
//! 64-bit words by multiplication, as wyhash and foldhash do, and starts from a secret seed so that
//! nobody can choose addresses and ports that collide without knowing it.

use std::hash::{BuildHasher, Hasher};

/// Makes hashers that start from one seed.
#[derive(Clone, Copy)]
pub(crate) struct SeededState(u64);

pub(crate) struct FoldHasher(u64);

impl SeededState {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl BuildHasher for SeededState {
    type Hasher = FoldHasher;

    #[inline]
    fn build_hasher(&self) -> FoldHasher {
        FoldHasher(self.0)
    }
}

impl Hasher for FoldHasher {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLIER);
        let halves = product.to_le_bytes();
        let (low, high) = halves.split_at(8);
        let [low, high] = [low, high]
            .map(|half| u64::from_le_bytes(half.try_into().expect("half of sixteen bytes")));
        self.0 = low ^ high;
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Odd, and half of its bits set: the fractional part of the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
