//! Identifiers: fixed-size bytes that cannot be mistaken for one another.
//!
//! None has a `Default`, and those that point at a home have no `Display`: an identifier that is
//! easy to print ends up in a log.

use sha2::{Digest, Sha256};
use std::fmt;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The identifier with exactly these bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The identifier in `bytes`, or `None` where the length is another.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The bytes, as they stand on the wire.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Lower-case hexadecimal digits.
            #[must_use]
            pub fn to_hex(&self) -> String {
                to_hex(&self.0)
            }
        }

        impl fmt::Debug for $name {
            /// The type's name only: identifiers stay out of logs.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

identifier!(
    /// A collector: SHA-256 of its first public key. Every signed payload names its audience.
    Audience, 32
);
identifier!(
    /// A home: SHA-256 of the first key it enrolled. Later keys map to it.
    HomeId, 32
);
identifier!(
    /// A batch: random, never a counter, because a spool on tmpfs forgets counters.
    BatchId, 16
);
identifier!(
    /// SHA-256 of something: a payload, a token, a consent.
    Hash, 32
);

impl Hash {
    /// SHA-256 (FIPS 180-4) of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl Audience {
    /// The audience a collector's first key stands for.
    #[must_use]
    pub fn of_key(public_key: &[u8; 32]) -> Self {
        Self(*Hash::of(public_key).as_bytes())
    }
}

impl HomeId {
    /// The home a first enrolled key stands for.
    #[must_use]
    pub fn of_key(public_key: &[u8; 32]) -> Self {
        Self(*Hash::of(public_key).as_bytes())
    }
}

/// Lower-case hexadecimal digits of `bytes`.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// The bytes that `digits` spell, upper or lower case; `None` for anything else.
#[must_use]
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}
