//! Randomness as an argument.
//!
//! Takes a request for bytes, gives bytes. Pure stages receive a [`Chance`] and never ask the
//! system; [`SystemChance`] is the one door to the kernel's generator, [`SeededChance`] is for
//! simulations, whose every run must repeat.

use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A source of random bytes.
pub trait Chance: Send {
    /// Fills `bytes` entirely.
    fn fill(&mut self, bytes: &mut [u8]);

    /// A fixed number of random bytes.
    fn bytes<const N: usize>(&mut self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    /// # Panics
    /// When the kernel has no random bytes to give: nothing signed could be trusted afterwards.
    fn fill(&mut self, bytes: &mut [u8]) {
        #[allow(clippy::disallowed_methods, reason = "the one home of randomness")]
        getrandom::fill(bytes).expect("the kernel gives random bytes");
    }
}

/// SHA-256 in counter mode over a seed: the same bytes in every run, and never for real keys.
#[derive(Clone, Debug)]
pub struct SeededChance {
    seed: [u8; 32],
    counter: u64,
}

impl SeededChance {
    /// A generator whose whole output is decided by `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed: Sha256::digest(seed.to_be_bytes()).into(),
            counter: 0,
        }
    }

    /// A number in `0..bound`, with a bias below one in four billion for the bounds worlds use.
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a range holds at least one number");
        let wide = u64::from_be_bytes(self.bytes());
        u32::try_from(wide % u64::from(bound)).expect("a remainder is below its u32 divisor")
    }
}

impl Chance for SeededChance {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new_with_prefix(self.seed)
                .chain_update(self.counter.to_be_bytes())
                .finalize();
            self.counter += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// One source in many hands: its clones draw from the same stream.
#[derive(Clone)]
pub struct SharedChance(Arc<Mutex<Box<dyn Chance>>>);

impl SharedChance {
    /// Shares `chance`.
    #[must_use]
    pub fn new(chance: impl Chance + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(chance))))
    }
}

impl Chance for SharedChance {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill(bytes);
    }
}

impl fmt::Debug for SharedChance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedChance(..)")
    }
}
