//! The site in a real browser: `tests/browser/walk.mjs` says what every page is held to.

use anyhow::{Context, Result, ensure};
use phonehome_collector::format::json;
use phonehome_collector::publish;
use phonehome_proto::seal::SigningKey;
use phonehome_tests::golden;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Files of the walk, copied beside what npm installs, so that nothing is installed into the tree.
const WALK: [&str; 3] = ["package.json", "package-lock.json", "walk.mjs"];

#[test]
#[ignore = "needs chromium, node and npm, which fetches two pinned packages from its registry"]
fn every_page_holds_in_a_browser() -> Result<()> {
    let text = fs::read_to_string(golden::root().join("tests/data/small-world.json"))?;
    let older = json::from_json(&text)?;
    // A second week, so that there is something to slide to.
    let mut newer = older.clone();
    newer.id.week = older.id.week.next();
    let site = tempfile::tempdir()?;
    let releases = [older, newer];
    let key = SigningKey::from_seed(&[5; 32]);
    publish::publish(&releases, &site.path().join("releases"), &key)?;
    let releases: Vec<_> = releases.iter().collect();
    publish::write_site(&releases, site.path())?;

    let walk = tempfile::tempdir()?;
    for name in WALK {
        let from = golden::root().join("tests/browser").join(name);
        fs::copy(from, walk.path().join(name)).with_context(|| name.to_owned())?;
    }
    run(
        walk.path(),
        "npm",
        &["ci", "--no-audit", "--no-fund", "--ignore-scripts"],
    )?;
    let site = site
        .path()
        .to_str()
        .context("a temporary folder has a plain name")?;
    run(walk.path(), "node", &["walk.mjs", site])
}

/// Runs a program and shows what it says if it fails.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("{program} is not installed"))?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
