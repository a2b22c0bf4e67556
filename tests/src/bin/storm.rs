//! `storm [COUNT [FIRST]]`: plays storms, and cuts the first that fails down to a few lines.
//!
//! Prints what happened, and the rate; fails also if, in so many storms, something never happened that they
//! are about. A reproduction goes to standard output; kept as a file in `tests/data/storm`, an
//! ordinary test plays it for ever. `storm FILE` plays one.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's words"
)]

use anyhow::{Context, Result, bail};
use phonehome_proto::time::{Clock, SystemClock};
use phonehome_tests::storm::happened::ENOUGH;
use phonehome_tests::storm::run::{play_all, play_alone};
use phonehome_tests::storm::script::Script;
use std::process::ExitCode;

/// Storms that are played when nobody says how many.
const COUNT: u64 = 10_000;

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).map(|word| word.parse::<u64>());
    if let (Some(path), Some(Err(_))) = (words.first(), number(0)) {
        return play_file(path);
    }
    let count = number(0).transpose()?.unwrap_or(COUNT);
    let first = number(1).transpose()?.unwrap_or(0);
    let began = SystemClock.now();
    let outcome = play_all(first..first + count, |over| {
        if over.is_multiple_of(1_000) {
            eprintln!("{over} storms");
        }
    });
    print!("{}", outcome.happened);
    if let Some(found) = outcome.found {
        println!("{}", found.to_file());
        eprintln!("as it was drawn: {}", found.failure);
        return Ok(ExitCode::FAILURE);
    }
    let milliseconds = SystemClock.now().nanos_since(began) / 1_000_000;
    let per_second = i64::try_from(count)? * 1_000 / milliseconds.max(1);
    println!("{count} storms from seed {first}, nothing failed: {per_second} a second");
    let missing = outcome.happened.missing();
    if count >= ENOUGH && !missing.is_empty() {
        eprintln!("never happened: {}", missing.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn play_file(path: &str) -> Result<ExitCode> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let script: Script = text.parse()?;
    match play_alone(&script) {
        Ok(played) => {
            print!("{}", played.happened);
            println!("{}", played.trace.to_hex());
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => bail!("{failure}"),
    }
}
