//! Captures written by nobody here: where they lie, if they are on this machine.
//!
//! They are other people's traffic and never part of the project. `PHONEHOME_CAPTURES` names the
//! folder; without it, `../shared/captures` beside the repository is looked for. A suite that needs
//! them says plainly in its output that it was left out.

use crate::golden::root;
use std::path::PathBuf;

/// The folder with the truth about the captures.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("PHONEHOME_CAPTURES") {
        Some(folder) => PathBuf::from(folder),
        None => root().parent()?.join("shared/captures"),
    };
    folder.join("pcap").is_dir().then_some(folder)
}

/// The capture files, sorted by name; `None`, and a line on standard error, when there are none.
///
/// # Panics
/// When the folder is there and cannot be listed.
#[must_use]
pub fn files(suite: &str) -> Option<Vec<PathBuf>> {
    let Some(folder) = folder() else {
        #[allow(clippy::print_stderr, reason = "a suite that was left out says so")]
        {
            eprintln!("LEFT OUT: {suite} needs captures; PHONEHOME_CAPTURES names their folder");
        }
        return None;
    };
    let mut files: Vec<_> = std::fs::read_dir(folder.join("pcap"))
        .expect("the captures can be listed")
        .map(|file| file.expect("the captures can be listed").path())
        .collect();
    files.sort();
    Some(files)
}
