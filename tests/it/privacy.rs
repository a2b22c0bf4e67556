//! The canary home: what its machines are called and where its people read stays at home.
//!
//! One home's addresses, names and pages are looked for, raw, reversed, as hex and as base64, in
//! everything that leaves the agent or is kept by the collector: the spool, the bytes on the wire,
//! the database with its write-ahead log, the log at TRACE, the published files. And then each of
//! these places is given the secrets, so that a search that finds nothing is known to be one that
//! would have found them.

mod life;
mod log;

use anyhow::{Context, Result, ensure};
use log::Log;
use phonehome_agent::run::inspect::{self, Format, Inspect, screen::Screen};
use phonehome_agent::spool::{Spool, SpoolLimits};
use phonehome_agent::state::State;
use phonehome_collector::config::Config;
use phonehome_collector::publish;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::time::Week;
use phonehome_tests::liar::Liar;
use phonehome_tests::relay::{Hook, Tap};
use phonehome_tests::search::Search;
use phonehome_tests::traffic::day::{self, Pace};
use phonehome_tests::traffic::home::{Home, Secret};
use phonehome_tests::traffic::population;
use phonehome_tests::world::World;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Homes beside the canary, so that there is something to publish.
const OTHERS: u32 = 14;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_canary_home_is_ever_found() -> Result<()> {
    let week: Week = "2026-W46".parse()?;
    let mut homes = population::homes(population::SEED, OTHERS + 1);
    let canary = homes.pop().context("the canary")?;
    let secrets = canary.secrets();
    let search = Search::new(&secrets);

    let mut world = World::begin(homes, week, None).await?;
    world.live(week, Pace::QUIET, Arc::new(|_| ())).await?;
    let log = Log::listen();
    let capture = world.folder().join("canary.pcap");
    day::write(
        &canary,
        &day::days_at_home(&canary, week),
        Pace::USUAL,
        &capture,
    )?;
    every_secret_occurs(&canary, &secrets, &fs::read(&capture)?)?;

    let spooled = report_through_a_tap(&mut world, canary, &capture, &search, &secrets).await?;
    ensure!(
        spooled > 0,
        "the spool was looked into while it held something"
    );

    world.close(week).await?;
    let config = Config::load(&world.config)?;
    let kept = everything_in(&config.data_dir)?;
    ensure!(
        kept.len() > 50_000,
        "the database was read: {} bytes",
        kept.len()
    );
    finds_nothing(&search, "database", &kept)?;
    let ground = world.ground().await?;
    let published = world.folder().join("published");
    publish::publish(&world.releases().await?, &published, ground.identity.key())?;
    let pages = everything_in(&published)?;
    ensure!(
        pages.len() > 50_000,
        "pages were published: {} bytes",
        pages.len()
    );
    finds_nothing(&search, "published files", &pages)?;
    let logged = log.text();
    ensure!(
        logged.contains("phonehome_") && logged.lines().count() > 100,
        "something was logged"
    );
    finds_nothing(&search, "log", logged.as_bytes())?;

    // The same places, given the secrets.
    for secret in &secrets {
        let text = String::from_utf8_lossy(&secret.bytes).into_owned();
        tracing::trace!(%text, bytes = ?phonehome_proto::id::to_hex(&secret.bytes), "a leak");
    }
    finds_everything(&search, &secrets, "log", log.text().as_bytes())?;
    drop(log);
    leak_into_database(&config, &secrets)?;
    finds_everything(
        &search,
        &secrets,
        "database",
        &everything_in(&config.data_dir)?,
    )?;
    let page = published.join("2026-W46.0/index.html");
    fs::write(&page, [fs::read(&page)?, all_of(&secrets)].concat())?;
    finds_everything(
        &search,
        &secrets,
        "published files",
        &everything_in(&published)?,
    )?;
    world.end().await;
    Ok(())
}

/// Has the canary report through a tap; gives how many bytes its spool held meanwhile.
async fn report_through_a_tap(
    world: &mut World,
    canary: Home,
    capture: &Path,
    search: &Search,
    secrets: &[Secret],
) -> Result<usize> {
    let (collector, audience) = (
        world.collector.intake_address(),
        world.collector.key().audience(),
    );
    let address = canary.address;
    let resident = world.settle(canary).await?;
    let spool = State::at(resident.agent.state.clone()).spool_folder();
    let spooled = Arc::new(Mutex::new(Vec::new()));
    let hook: Hook = Arc::new({
        let (spool, spooled) = (spool.clone(), Arc::clone(&spooled));
        move || {
            let seen = everything_in(&spool).unwrap_or_default();
            spooled
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(seen);
        }
    });
    let tap = Tap::open(address, collector, hook).await?;
    let url = format!("http://{}", tap.address());
    resident.agent.open_gates(capture)?;
    let files = [capture.to_path_buf()];
    let reported = resident
        .agent
        .report(&files, &url, &resident.invite)
        .await?;
    ensure!(
        reported.held >= 5,
        "every day has a receipt: {}",
        reported.err
    );
    finds_nothing(search, "the agent's words", reported.out.as_bytes())?;
    let heard = tap.heard();
    ensure!(
        heard.len() > 2_000,
        "the tap heard something: {} bytes",
        heard.len()
    );
    finds_nothing(search, "wire", &heard)?;
    let spooled = std::mem::take(&mut *spooled.lock().unwrap_or_else(PoisonError::into_inner));
    finds_nothing(search, "spool", &spooled)?;

    // The same places, given the secrets; and what the holder's own eyes see does show them.
    let leak = SealedBatch::seal(
        PayloadType::Batch,
        all_of(secrets),
        &SigningKey::from_seed(&[3; 32]),
    );
    let mut liar = Liar::connect(3, tap.address(), audience).await?;
    liar.submit(vec![leak.clone()]).await?;
    finds_everything(search, secrets, "wire", &tap.heard())?;
    let mut own = Spool::open(&spool, SpoolLimits::default())?;
    own.put([&leak])?;
    finds_everything(search, secrets, "spool", &everything_in(&spool)?)?;
    let request = Inspect {
        files: files.to_vec(),
        all: true,
        format: Format::Jsonl,
        geo: None,
        map: None,
        screen: Screen::PLAIN,
        lists: Vec::new(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    inspect::run(
        &mut resident.agent.environment,
        &request,
        &mut out,
        &mut err,
    )?;
    let shown: BTreeSet<_> = search
        .in_bytes(&out)
        .into_iter()
        .map(|found| found.kind)
        .collect();
    let expected = BTreeSet::from(["LAN address as text", "name of a page as text"]);
    ensure!(
        shown == expected,
        "inspect shows the holder addresses and pages: {shown:?}"
    );
    Ok(spooled.len())
}

/// The canary's own traffic is full of what must not leave: otherwise nothing is proven.
fn every_secret_occurs(home: &Home, secrets: &[Secret], capture: &[u8]) -> Result<()> {
    // What is only another way of writing an address does not occur in packets.
    let raw: Vec<_> = secrets
        .iter()
        .filter(|secret| !secret.kind.ends_with("as text"))
        .cloned()
        .collect();
    ensure!(raw.len() > 12, "home {} has secrets", home.number);
    finds_everything(&Search::new(&raw), &raw, "capture", capture)
}

fn finds_nothing(search: &Search, place: &str, bytes: &[u8]) -> Result<()> {
    let found = search.in_bytes(bytes);
    ensure!(found.is_empty(), "{place}: {found:?}");
    Ok(())
}

fn finds_everything(search: &Search, secrets: &[Secret], place: &str, bytes: &[u8]) -> Result<()> {
    let found: BTreeSet<_> = search
        .in_bytes(bytes)
        .into_iter()
        .map(|found| found.secret)
        .collect();
    for (number, secret) in secrets.iter().enumerate() {
        ensure!(
            found.contains(&number),
            "{place}: a {} would not have been found",
            secret.kind
        );
    }
    Ok(())
}

/// As a collector would that kept what it is sent in the clear.
fn leak_into_database(config: &Config, secrets: &[Secret]) -> Result<()> {
    let database = rusqlite::Connection::open(config.database())?;
    database.execute("CREATE TABLE leak (bytes BLOB)", [])?;
    for secret in secrets {
        database.execute("INSERT INTO leak VALUES (?1)", [&secret.bytes])?;
    }
    Ok(())
}

fn all_of(secrets: &[Secret]) -> Vec<u8> {
    secrets
        .iter()
        .flat_map(|secret| [&secret.bytes[..], b"\n"].concat())
        .collect()
}

/// Every file below `folder`, one after the other.
fn everything_in(folder: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            bytes.extend(everything_in(&path)?);
        } else {
            bytes.extend(fs::read(path)?);
        }
    }
    Ok(bytes)
}
