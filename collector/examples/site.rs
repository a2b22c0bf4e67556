//! Writes the site of release folders, without a store and without a key: for a mirror, or to look at it.
//!
//!     cargo run -p phonehome-collector --example site -- RELEASES OUT
//!
//! RELEASES holds release folders, as `publish --out` writes them. Pages link to `OUT/releases/`, where
//! a mirror puts a copy of them.

use anyhow::{Context, ensure};
use phonehome_collector::format::json::from_json;
use phonehome_collector::publish::write_site;
use std::path::PathBuf;
use std::{env, fs};

#[allow(clippy::print_stdout, reason = "it says what it wrote")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    ensure!(
        arguments.len() == 2,
        "give a folder of releases, and where the site goes"
    );
    let mut releases = Vec::new();
    for entry in fs::read_dir(&arguments[0])? {
        let file = entry?.path().join("release.json");
        if let Ok(text) = fs::read_to_string(&file) {
            let release = from_json(&text);
            releases.push(release.with_context(|| format!("{} is no release", file.display()))?);
        }
    }
    let releases: Vec<_> = releases.iter().collect();
    let files = write_site(&releases, &arguments[1])?;
    println!("{files} files in {}", arguments[1].display());
    Ok(())
}
