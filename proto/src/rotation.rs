//! Rotation: a home's word that another key speaks for it from now on.
//!
//! Two signatures make it. The envelope's is that of the key the home has now: nobody else can give
//! the home away. The proof inside is the new key's: nobody can have a key that is not their own put
//! under their name. The proof is made over [`RotationFacts`], which are never a whole payload, so
//! neither signature passes for the other, and both name collector and home.

use crate::id::{Audience, HomeId};
use crate::seal::VerifyingKey;

/// What both keys sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationFacts {
    /// The collector it is meant for.
    pub audience: Audience,
    /// The home, which keeps its identifier.
    pub home: HomeId,
    /// The key that follows. Never one the home had before.
    pub new_key: VerifyingKey,
}

/// The facts, and the new key's agreement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// What is to be.
    pub facts: RotationFacts,
    /// The new key's signature, as of a payload of type rotate, over the encoded facts.
    pub proof: [u8; 64],
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rotation(..)")
    }
}
