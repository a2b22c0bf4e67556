//! A primary with a synchronous standby, two collectors, homes that report without a pause. Then the
//! primary dies and its standby takes over, a collector dies and comes back, and whoever folds the week
//! dies too. Nothing that was acknowledged may be lost, and nothing counted twice.

use super::homes::{Receipts, Reporter, configure, invites};
use super::process::{Collector, port};
use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::journal::keys::WeekKeys;
use phonehome_collector::run::ground::Ground;
use phonehome_collector::store::{ReleaseRow, Slice, Store, WeekState};
use phonehome_collector::weeks::closes_at;
use phonehome_collector::weeks::sharing::{LEASE_SECONDS, PARTS};
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::decode;
use phonehome_proto::time::{ManualClock, Timestamp, Week};
use phonehome_tests::servers::PostgresServer;
use phonehome_tests::world;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Homes that report.
const HOMES: u8 = 24;

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

/// Writes the time that collectors read.
pub(crate) fn set(clock: &Path, now: Timestamp) -> Result<()> {
    let draft = clock.with_extension("new");
    std::fs::write(&draft, now.seconds().to_string())?;
    Ok(std::fs::rename(draft, clock)?)
}

/// Waits until homes hold so many receipts.
async fn until(acknowledged: &AtomicUsize, count: usize) -> Result<()> {
    for _ in 0..2_400 {
        if acknowledged.load(Ordering::Relaxed) >= count {
            return Ok(());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "real processes have to get there"
        )]
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("receipts stopped coming")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn nothing_is_lost_and_nothing_counted_twice_whoever_dies() -> Result<()> {
    let week = week()?;
    let folder = tempfile::tempdir()?;
    let mut primary = PostgresServer::start(&["synchronous_standby_names = 'second'"]);
    let standby = primary.standby("second");
    primary.ask("postgres", "CREATE DATABASE collector");
    let url = format!(
        "postgresql://phonehome@127.0.0.1:{},127.0.0.1:{}/collector",
        primary.port(),
        standby.port()
    );
    let store = format!("[store]\nurl = \"{url}\"\n");
    let clock = folder.path().join("clock");
    let monday = week.end().plus_seconds(12 * 3_600);
    set(&clock, monday)?;
    let ports = [port()?, port()?];
    let configs = [
        configure(folder.path(), "first", ports[0], &store)?,
        configure(folder.path(), "second", ports[1], &store)?,
    ];
    let mut first = Collector::start(&configs[0], ports[0], &clock)?;
    let mut second = Collector::start(&configs[1], ports[1], &clock)?;
    let collectors = [first.address, second.address];

    let (audience, invites) = invites(&configs[0], HOMES, monday).await?;
    let mut homes = Vec::new();
    for (number, invite) in (1..).zip(&invites) {
        let mut home = Reporter::new(number, audience, &collectors).await?;
        home.enrol(invite).await?;
        homes.push(home);
    }
    let all: usize = homes.iter().map(|home| home.batches(week).len()).sum();

    // Everybody reports at once; meanwhile things break.
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let reports: Vec<_> = homes
        .into_iter()
        .map(|home| {
            let acknowledged = Arc::clone(&acknowledged);
            tokio::spawn(async move { home.report(week, &acknowledged).await })
        })
        .collect();
    until(&acknowledged, all / 5).await?;
    primary.kill();
    tokio::task::block_in_place(|| {
        standby.promote();
        // Until somebody gives it a standby of its own, it waits for none.
        standby.ask(
            "postgres",
            "ALTER SYSTEM SET synchronous_standby_names = ''",
        );
        standby.ask("postgres", "SELECT pg_reload_conf()");
    });
    until(&acknowledged, all / 2).await?;
    first.kill();
    until(&acknowledged, all * 2 / 3).await?;
    first.restart()?;
    let mut receipts = Receipts::new();
    for report in reports {
        receipts.extend(report.await??);
    }
    ensure!(receipts.len() == all, "every batch has its receipt");

    // What is held is what was acknowledged, each batch once, with the receipt its home has.
    let config = Config::load(&configs[0])?;
    let server = config.server.clone().context("a server")?;
    let database = Store::connect(server, false).await?;
    ensure!(
        held(&database, &config, week).await? == receipts,
        "the journal holds what homes were told"
    );

    let release = release(&database, &standby, [&mut first, &mut second], &clock, week).await?;
    let alone = alone(&configs[0], &receipts, week).await?;
    ensure!(
        release == alone,
        "two collectors publish what one would:\n{release}\n{alone}"
    );
    Ok(())
}

/// Every batch in the journal, with the receipt beside it.
pub(crate) async fn held(store: &Store, config: &Config, week: Week) -> Result<Receipts> {
    let chance = SharedChance::new(SystemChance);
    let keys = WeekKeys::new(config.keys_dir.clone(), store.clone(), chance);
    let key = keys.existing(week)?.context("the week has its key")?;
    let mut held = Receipts::new();
    let rows = store.journal_page(week, Slice::WHOLE, None, usize::MAX);
    for row in rows.await? {
        let (sealed, receipt) = key.open(&row).context("a row that opens")?;
        let batch = decode::batch(&sealed.payload).ok().context("a batch")?;
        let id = (batch.header().home, batch.header().batch_id);
        ensure!(held.insert(id, receipt).is_none(), "no batch twice");
    }
    Ok(held)
}

/// The week's release, by two collectors that share it. One is killed in the middle of parts that it has
/// taken, the other somewhere in its work.
async fn release(
    store: &Store,
    server: &PostgresServer,
    [first, second]: [&mut Collector; 2],
    clock: &Path,
    week: Week,
) -> Result<String> {
    let closing = closes_at(week);
    set(clock, closing)?;
    store.close_week(week, closing).await?;
    // Nobody gets at the journal: whoever takes a part stands in the middle of it.
    let lock = tokio::task::block_in_place(|| server.lock("collector", "journal"));
    first.order()?;
    until_taken(server).await?;
    first.kill();
    drop(lock);
    // The other does all there is to do but what the dead one holds.
    let made = second.tick()?;
    ensure!(made == "made []", "some of it is somebody else's: {made}");
    let [all, done] = [parts(server, "TRUE")?, parts(server, "sealed IS NOT NULL")?];
    ensure!(all == usize::from(PARTS), "{all} parts of one pass");
    ensure!((1..all).contains(&done), "{done} of {all} parts are done");
    // Its time is over. The next one dies too, somewhere in its work.
    set(clock, closing.plus_seconds(LEASE_SECONDS))?;
    second.order()?;
    second.kill();
    set(clock, closing.plus_seconds(2 * LEASE_SECONDS))?;
    first.restart()?;
    first.tick()?;
    second.restart()?;
    second.tick()?;
    let releases = store.releases().await?;
    let [ReleaseRow { text, .. }] = releases.as_slice() else {
        anyhow::bail!("one release: {}", releases.len());
    };
    let weeks = store.weeks().await?;
    ensure!(weeks[0].state == WeekState::Released, "{weeks:?}");
    ensure!(parts(server, "TRUE")? == 0, "nothing is left of the parts");
    Ok(text.clone())
}

/// Waits until somebody has taken a part.
async fn until_taken(server: &PostgresServer) -> Result<()> {
    for _ in 0..1_200 {
        if parts(server, "holder IS NOT NULL")? > 0 {
            return Ok(());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "real processes have to get there"
        )]
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("nobody takes a part")
}

/// How many parts of weeks there are, of this kind.
fn parts(server: &PostgresServer, kind: &str) -> Result<usize> {
    let question = format!("SELECT count(*) FROM folds WHERE {kind}");
    let said = tokio::task::block_in_place(|| server.asked("collector", &question));
    Ok(said.trim().parse()?)
}

/// What one collector with a file of its own publishes of the same batches.
async fn alone(config: &Path, receipts: &Receipts, week: Week) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let port = port()?;
    let alone = configure(folder.path(), "alone", port, "")?;
    let (theirs, ours) = (Config::load(config)?, Config::load(&alone)?);
    // The same collector to its homes: the batches are addressed to it.
    std::fs::copy(&theirs.identity, &ours.identity)?;
    std::fs::create_dir(&ours.data_dir)?;
    drop(Store::open(&ours.database(), true).await?);
    let clock = ManualClock::new(week.end().plus_seconds(12 * 3_600));
    let collector = world::start(&alone, &clock, 0).await?;
    let address = collector.intake_address();
    let invites = collector.invite(HOMES.into(), "127.0.0.1:4317").await?;
    let mut held = 0;
    for (number, invite) in (1..).zip(&invites) {
        let mut home = Reporter::new(number, collector.key().audience(), &[address]).await?;
        home.enrol(invite).await?;
        held += home.report(week, &AtomicUsize::new(0)).await?.len();
    }
    ensure!(held == receipts.len(), "the same batches");
    clock.set(closes_at(week));
    collector.tick().await?;
    let ground = Ground::open(Config::load(&alone)?, SharedChance::new(SystemChance)).await?;
    let releases = ground.store.releases().await?;
    collector.stop().await;
    Ok(releases.first().context("a release")?.text.clone())
}
