//! Killed under load, again and again.

use crate::books;
use crate::load::Load;
use crate::process::{Site, below, now, pause};
use anyhow::{Context, Result, ensure};
use phonehome_proto::chance::SeededChance;
use std::time::Duration;

/// Names how often the collector is killed; 50 times if it is not set.
const KILLS: &str = "PHONEHOME_KILLS";

/// Names the seed that decides when; today's if it is not set.
const SEED: &str = "PHONEHOME_SEED";

/// A collector that answers is killed before so long.
const LIFE_MAX: Duration = Duration::from_millis(400);

/// One in so many is killed while it starts.
const YOUNG: u32 = 5;

/// After so many kills the books are opened; between, only the collector itself finds what it left.
const AUDIT: u32 = 25;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: 50 kills, or as many as PHONEHOME_KILLS says"]
async fn what_was_acknowledged_survives_every_kill() -> Result<()> {
    let kills: u32 = number(KILLS)?.unwrap_or(50);
    let seed: u64 = number(SEED)?.unwrap_or(2026);
    let folder = tempfile::tempdir()?;
    let site = Site::prepare(folder.path())?;
    let invites = site.make(1_000).await?;
    let load = Load::begin(site.address, site.audience()?, invites, seed);

    let mut dice = SeededChance::new(seed);
    let (begun, mut starting, mut started) = (now(), Duration::ZERO, 0_u32);
    let mut process = site.start()?;
    for kill in 1..=kills {
        let start = now();
        if dice.below(YOUNG) == 0 {
            pause(below(&mut dice, 4 * LIFE_MAX)).await;
        } else {
            site.ready(&mut process).await?;
            starting += now().duration_since(start);
            started += 1;
            pause(below(&mut dice, LIFE_MAX)).await;
        }
        process.kill()?;
        if kill % AUDIT == 0 {
            let wrong = books::open(&site).await?.against(&load.told());
            ensure!(wrong.is_empty(), "seed {seed}, kill {kill}: {wrong:#?}");
        }
        process = site.start()?;
    }
    site.ready(&mut process).await?;
    let took = now().duration_since(begun);
    pause(LIFE_MAX).await;
    let told = load.end().await?;
    ensure!(process.stop().await?.success(), "told to, it ends well");
    let held = books::open(&site).await?;
    let wrong = held.against(&told);
    ensure!(wrong.is_empty(), "seed {seed}: {wrong:#?}");

    let acknowledged = told.batches.values().flatten().count();
    #[allow(clippy::print_stdout, reason = "the figures, with --nocapture")]
    {
        println!(
            "{kills} kills in {:.0} s; ready again after {:.0} ms on average; {acknowledged} batches \
         acknowledged and held, {} receipts repeated, {} requests unanswered, {} homes in, {} gone",
            took.as_secs_f64(),
            1_000.0 * starting.as_secs_f64() / f64::from(started.max(1)),
            told.repeated,
            told.unanswered,
            told.homes.len(),
            told.gone.len(),
        );
    }
    // A load that the kills never met would prove nothing.
    let often = usize::try_from(kills)?;
    ensure!(
        acknowledged > often && told.unanswered > kills.into(),
        "there was a load"
    );
    ensure!(told.repeated > 0, "receipts were asked for again");
    let log = site.log()?;
    ensure!(!log.contains("panicked"), "{log}");
    Ok(())
}

fn number<T: std::str::FromStr>(name: &str) -> Result<Option<T>> {
    let Ok(text) = std::env::var(name) else {
        return Ok(None);
    };
    let number = text
        .parse()
        .ok()
        .with_context(|| format!("{name} is a number"))?;
    Ok(Some(number))
}
