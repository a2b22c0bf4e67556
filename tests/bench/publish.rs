//! A release that is published: how long all of its formats take, and how much memory.
//!
//! `PHONEHOME_RELEASE` names the `release.json` of another release, such as the demo's; without it the small
//! world of the tests is published. Each round is a process of its own, into a folder of its own.

use crate::child::{self, Used};
use anyhow::{Context, Result, ensure};
use phonehome_collector::format::json;
use phonehome_collector::publish;
use phonehome_proto::seal::SigningKey;
use phonehome_tests::golden;
use std::fs;
use std::path::{Path, PathBuf};

/// Names the release that is published.
const NAMED: &str = "PHONEHOME_RELEASE";

const ROUNDS: usize = 3;

/// Measures and prints.
pub(crate) fn run() -> Result<()> {
    let mut rounds: Vec<Used> = Vec::new();
    let (mut files, mut bytes) = (0, 0);
    for _ in 0..ROUNDS {
        let out = tempfile::tempdir()?;
        rounds.push(child::measure(
            child::own(child::AS_PUBLISHER)?.arg(out.path()),
        )?);
        let report = publish::verify(out.path(), None)?;
        ensure!(report.releases.len() == 1, "one release: {report:?}");
        (files, bytes) = size(&out.path().join(report.releases[0].id.to_string()))?;
    }
    let bare = child::measure(&mut child::own(child::AS_PUBLISHER)?)?;
    let seconds =
        |of: fn(&Used) -> std::time::Duration| child::median(rounds.iter().map(of)).as_secs_f64();
    println!(
        "publish, all formats: {files} files, {} KiB: {:.2} s, {:.2} s of processor; {} MiB, {} of them \
         before it begins",
        bytes >> 10,
        seconds(|used| used.wall),
        seconds(|used| used.processor),
        child::median(rounds.iter().map(|used| used.peak_bytes)) >> 20,
        bare.peak_bytes >> 20,
    );
    Ok(())
}

/// Publishes the release, or only reads it where no folder is named: the part that is measured.
pub(crate) fn publish(out: Option<&Path>) -> Result<()> {
    let file = std::env::var_os(NAMED).map_or_else(
        || golden::root().join("tests/data/small-world.json"),
        PathBuf::from,
    );
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let release = json::from_json(&text)?;
    if let Some(out) = out {
        let outcome = publish::publish(&[release], out, &SigningKey::from_seed(&[5; 32]))?;
        ensure!(outcome.written.len() == 1, "{outcome:?}");
    }
    Ok(())
}

/// How many files a folder holds, and of how many bytes together.
fn size(folder: &Path) -> Result<(usize, u64)> {
    let sizes = fs::read_dir(folder)?
        .map(|file| Ok(file?.metadata()?.len()))
        .collect::<Result<Vec<u64>>>()?;
    Ok((sizes.len(), sizes.iter().sum()))
}
