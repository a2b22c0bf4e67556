//! Killed while it closes, releases and destroys a week.

use crate::books;
use crate::process::{Site, below, now, pause};
use anyhow::{Context, Result, ensure};
use phonehome_collector::store::{Store, WeekState};
use phonehome_collector::weeks::destroyed_at;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::id::BatchId;
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{Clock, ManualClock, SystemClock, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::world;
use std::fs;

/// Homes that reported every day of the week.
const HOMES: u8 = 24;

/// Times a process is killed over the same week.
const KILLS: u32 = 12;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute"]
async fn a_week_killed_at_any_point_ends_as_one_that_was_not() -> Result<()> {
    let week = overdue()?;
    let folder = tempfile::tempdir()?;
    let site = Site::prepare(&folder.path().join("begun"))?;
    report(&site, week).await?;

    // Once without a kill: what must come out, and how long it takes.
    let expected = site.copy_to(&folder.path().join("whole"))?;
    let start = now();
    let mut process = expected.start()?;
    expected.ready(&mut process).await?;
    let takes = now().duration_since(start);
    ensure!(process.stop().await?.success(), "told to, it ends well");
    let release = finished(&expected, week).await?;

    let mut dice = SeededChance::new(7);
    for kill in 0..KILLS {
        let site = site.copy_to(&folder.path().join(format!("killed-{kill}")))?;
        let mut process = site.start()?;
        pause(below(&mut dice, takes)).await;
        process.kill()?;
        let mut process = site.start()?;
        site.ready(&mut process).await?;
        ensure!(process.stop().await?.success(), "told to, it ends well");
        let again = finished(&site, week).await?;
        ensure!(
            again == release,
            "kill {kill}: the same release, to the byte"
        );
    }
    Ok(())
}

/// A week that is over in every respect.
pub(crate) fn overdue() -> Result<Week> {
    let now = SystemClock.now();
    let mut week = now.day().context("a day of this century")?.week();
    while now < destroyed_at(week) {
        week = week.monday().previous().week();
    }
    Ok(week)
}

/// Has homes report the week while it was open, and stops the collector there.
async fn report(site: &Site, week: Week) -> Result<()> {
    let clock = ManualClock::new(week.end().plus_seconds(3_600));
    let collector = world::start(&site.config, &clock, 0).await?;
    let (address, audience) = (collector.intake_address(), collector.key().audience());
    let invites = collector.invite(HOMES.into(), "127.0.0.1:4317").await?;
    for (seed, invite) in (1..).zip(invites) {
        let mut home = Liar::connect(seed, address, audience).await?;
        home.enrol(&invite).await?;
        let sealed = week.days().map(|day| {
            let mut header = home.header(day, seed);
            header.batch_id =
                BatchId::new([seed ^ u8::try_from(day.number() % 7).unwrap_or(0); 16]);
            home.sealed(header)
        });
        let sealed = sealed.collect();
        let outcomes = home.submit(sealed).await?;
        let held = outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Receipt(_)));
        ensure!(held, "every day is held: {outcomes:?}");
    }
    collector.stop().await;
    Ok(())
}

/// What is left of the week: its release, its three links, and nothing else.
async fn finished(site: &Site, week: Week) -> Result<String> {
    let held = books::open(site).await?;
    held.ledger_is_whole()?;
    ensure!(held.batches.is_empty(), "no batch is left");
    let config = site.settings()?;
    let store = Store::open(&config.database(), false).await?;
    let weeks = store.weeks().await?;
    let [row] = weeks.as_slice() else {
        anyhow::bail!("one week: {weeks:?}")
    };
    ensure!(row.week == week && row.state == WeekState::Final, "{row:?}");
    let releases = store.releases().await?;
    let [release] = releases.as_slice() else {
        anyhow::bail!("one release: {}", releases.len())
    };
    let events: Vec<&str> = held
        .ledger
        .iter()
        .filter_map(|link| link.event.split(' ').next())
        .collect();
    ensure!(events == ["closed", "released", "destroyed"], "{events:?}");
    let key = config.keys_dir.join(format!("{week}.key"));
    ensure!(!key.exists(), "its key is gone");
    let scratch = fs::read_dir(site.folder.join("tmp"))?.count();
    ensure!(scratch == 0, "nothing was put into temporary files");
    Ok(release.text.clone())
}
