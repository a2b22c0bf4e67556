//! Golden files: what was agreed on stands in the tree, and a test compares.
//!
//! `UPDATE_GOLDEN=1 cargo test` writes them anew; the difference is then read and argued
//! for like any other change.

use std::path::{Path, PathBuf};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests stands in the root")
        .to_path_buf()
}

/// Compares `actual` with the file at `path` below the root.
///
/// # Panics
/// When they differ, or the file cannot be read.
pub fn check(path: &str, actual: &[u8]) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let folder = file.parent().expect("a golden file stands in a folder");
        std::fs::create_dir_all(folder).expect("the tree can be written");
        std::fs::write(&file, actual).expect("the tree can be written");
        return;
    }
    let golden = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{path}: {error}; UPDATE_GOLDEN=1 makes it"));
    if golden != actual {
        let at = golden
            .iter()
            .zip(actual)
            .take_while(|(a, b)| a == b)
            .count();
        let line = golden[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        panic!("{path} differs from line {line} (byte {at}) on; see tests/src/golden.rs");
    }
}
