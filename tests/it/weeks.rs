//! The week's clock: open, closed, released, final; and nothing counted twice or too late.

use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::format::json;
use phonehome_collector::metrics::Counter;
use phonehome_collector::weeks::{closes_at, destroyed_at};
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{ManualClock, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::traffic::day::Pace;
use phonehome_tests::traffic::population;
use phonehome_tests::world::ground::{self, Reach};
use phonehome_tests::world::{self, World};
use std::sync::Arc;

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn until_it_is_final_a_week_folds_to_the_same_bytes() -> Result<()> {
    let week = week()?;
    let mut world = World::begin(population::homes(population::SEED, 12), week, None).await?;
    world.live(week, Pace::QUIET, Arc::new(|_| ())).await?;
    let ground = world.ground().await?;
    let weeks = ground.weeks(ground.keys());
    let mut folded = Vec::new();
    for slices in [1, 2, 7] {
        folded.push(json::to_json(&weeks.fold(week, slices).await?));
    }
    ensure!(
        folded.windows(2).all(|pair| pair[0] == pair[1]),
        "slices change nothing"
    );

    world.close(week).await?;
    let release = world.releases().await?.pop().context("a release")?;
    ensure!(
        json::to_json(&release) == folded[0],
        "the release is what was folded"
    );
    world.clock.set(destroyed_at(week).plus_seconds(-1));
    ensure!(
        world.collector.tick().await?.is_empty(),
        "a week is released once"
    );
    ensure!(
        json::to_json(&weeks.fold(week, 3).await?) == folded[0],
        "closed, still the same"
    );

    let config = Config::load(&world.config)?;
    let database = rusqlite::Connection::open(config.database())?;
    let rows = || -> Result<i64> {
        Ok(database.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?)
    };
    let keys = || -> Result<usize> {
        let key = config.keys_dir.join(format!("{week}.key"));
        Ok(usize::from(key.exists()))
    };
    ensure!(
        rows()? > 50 && keys()? == 1,
        "until then the journal and its key are kept"
    );
    world.make_final(week).await?;
    let ground = world.ground().await?;
    let folded = ground.weeks(ground.keys()).fold(week, 1).await;
    ensure!(folded.is_err(), "without its key a week cannot be folded");
    ensure!(
        rows()? == 0 && keys()? == 0,
        "journal and key are gone together"
    );
    ensure!(world.releases().await? == [release], "the release stays");
    world.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_takes_batches_from_its_days_ends_to_its_closing() -> Result<()> {
    let week = week()?;
    let folder = tempfile::tempdir()?;
    let config = ground::write(folder.path(), Reach::Direct, None)?;
    let clock = ManualClock::new(week.start());
    let collector = world::start(&config, &clock, 0).await?;
    let audience = collector.key().audience();
    let mut home = Liar::connect(1, collector.intake_address(), audience).await?;
    home.enrol(&collector.invite(1, "127.0.0.1:4317").await?[0])
        .await?;

    let sunday = week.days().last().context("a week has days")?;
    let batch = |home: &Liar, number| home.sealed(home.header(sunday, number));
    let skew = limits::SKEW_SECONDS_MAX;
    let (closes, destroyed) = (closes_at(week), destroyed_at(week));
    let cases = [
        (
            week.end().plus_seconds(-skew - 1),
            1,
            Some(Reject::TooEarly),
        ),
        (week.end().plus_seconds(-skew), 1, None),
        (closes.plus_seconds(-1), 2, None),
        (closes, 3, Some(Reject::TooLate)),
        // Held before, so it gets its receipt again, as long as anything of the week is kept.
        (closes, 2, None),
        (destroyed.plus_seconds(-1), 1, None),
        (destroyed, 1, Some(Reject::TooLate)),
    ];
    for (now, number, expected) in cases {
        clock.set(now);
        collector.tick().await?;
        let sealed = batch(&home, number);
        let outcomes = home.submit(vec![sealed]).await?;
        let reason = match outcomes.as_slice() {
            [Outcome::Receipt(_)] => None,
            [Outcome::Refused(reason)] => Some(*reason),
            _ => anyhow::bail!("one outcome each"),
        };
        ensure!(reason == expected, "batch {number} at {now}: {reason:?}");
    }
    collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_was_down_does_what_is_overdue() -> Result<()> {
    let week = week()?;
    let folder = tempfile::tempdir()?;
    let config = ground::write(folder.path(), Reach::Direct, None)?;
    let clock = ManualClock::new(week.end());
    let collector = world::start(&config, &clock, 0).await?;
    let (key, audience) = (collector.key(), collector.key().audience());
    let mut home = Liar::connect(1, collector.intake_address(), audience).await?;
    home.enrol(&collector.invite(1, "127.0.0.1:4317").await?[0])
        .await?;
    let outcomes = home
        .submit(vec![home.sealed(home.header(week.monday(), 1))])
        .await?;
    ensure!(
        matches!(outcomes.as_slice(), [Outcome::Receipt(_)]),
        "the batch is held"
    );
    drop(home);
    collector.stop().await;

    clock.set(closes_at(week));
    let collector = world::start(&config, &clock, 1).await?;
    ensure!(collector.key() == key, "it is the same collector");
    let made = collector.metrics()[&Counter::ReleasesMade];
    ensure!(made == 1, "the week was released at the start: {made}");
    let mut home = Liar::connect(1, collector.intake_address(), audience).await?;
    let outcomes = home
        .submit(vec![home.sealed(home.header(week.monday(), 1))])
        .await?;
    ensure!(
        matches!(outcomes.as_slice(), [Outcome::Receipt(_)]),
        "the home is known still"
    );
    collector.stop().await;
    Ok(())
}
