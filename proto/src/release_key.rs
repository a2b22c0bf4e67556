//! The keys of the project: who may sign an endpoint list that is loaded after the build.
//!
//! They are `data/release-keys.toml`, compiled in; nothing that is read at run time can add one, and no
//! collector holds one. Whoever checks a signature takes the keys as an argument, so that tests have
//! their own.

use crate::seal::VerifyingKey;

// RELEASE_KEYS, in the order of the file.
include!(concat!(env!("OUT_DIR"), "/release_keys.rs"));

/// The keys that are compiled in: none before the first tagged release.
#[must_use]
pub fn compiled_in() -> Vec<VerifyingKey> {
    let keys = RELEASE_KEYS.iter();
    // What is no point of the curve verifies nothing; a test looks at every row.
    keys.filter_map(|key| VerifyingKey::from_bytes(key).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_key() {
        assert_eq!(compiled_in().len(), RELEASE_KEYS.len());
    }
}
