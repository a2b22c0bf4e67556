//! Storms: a few anew, and every one that ever failed.

use anyhow::{Context, Result, ensure};
use phonehome_tests::golden::root;
use phonehome_tests::storm::run::{play_all, play_alone};
use phonehome_tests::storm::script::Script;
use std::fs;

/// Storms that every test run plays; `storm` plays as many as it is told to.
const STORMS: u64 = 24;

#[test]
fn nothing_is_lost_and_nothing_counts_twice_whatever_happens() {
    let found = play_all(0..STORMS, |_| ()).found;
    assert!(
        found.is_none(),
        "keep this in tests/data/storm:\n{}",
        found.map_or_else(String::new, |found| found.to_file())
    );
}

#[test]
fn what_failed_once_holds_for_ever() -> Result<()> {
    let folder = root().join("tests/data/storm");
    let mut played = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let script: Script = fs::read_to_string(&path)?.parse()?;
        let outcome = play_alone(&script);
        ensure!(
            outcome.is_ok(),
            "{}: {}",
            path.display(),
            outcome.err().context("a failure")?
        );
        played += 1;
    }
    ensure!(played > 0, "the folder holds them");
    Ok(())
}

#[test]
fn a_seed_decides_everything() {
    for seed in 1_000..1_003 {
        let script = Script::draw(seed);
        let traces = [play_alone(&script), play_alone(&script)];
        assert!(traces[0].is_ok(), "{traces:?}");
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}
