//! Writes the capture files of synthetic homes: `homes DIR N` makes `DIR/home-0.pcap` and so on, one week
//! of each of the first N homes of the demo's world, the same bytes every time.

use anyhow::{Context, Result};
use phonehome_tests::demo::{FIRST_WEEK, HOMES_MAX};
use phonehome_tests::traffic::day::{self, Pace};
use phonehome_tests::traffic::population;
use std::path::PathBuf;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let folder: PathBuf = arguments.next().context("homes DIR N")?.into();
    let count = arguments.next().context("homes DIR N")?;
    let count: u32 = count.to_string_lossy().parse()?;
    let week = FIRST_WEEK.parse()?;
    for (number, home) in (0u32..).zip(population::homes(population::SEED, count.min(HOMES_MAX))) {
        let capture = folder.join(format!("home-{number}.pcap"));
        day::write(
            &home,
            &day::days_at_home(&home, week),
            Pace::USUAL,
            &capture,
        )
        .with_context(|| format!("{}", capture.display()))?;
    }
    Ok(())
}
