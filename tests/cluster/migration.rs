//! A collector moves from its file to a server, while homes report without a pause.

use super::failover::{held, set};
use super::homes::{Receipts, Reporter, configure, invites};
use super::process::{Collector, port};
use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::run::commands;
use phonehome_collector::store::moving::{MoveError, move_to};
use phonehome_collector::store::postgres::{SESSIONS, Server};
use phonehome_collector::store::{Store, StoreError};
use phonehome_proto::time::Week;
use phonehome_tests::servers::PostgresServer;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Homes that report.
const HOMES: u8 = 12;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn a_store_moves_while_homes_report_and_its_file_says_where_to() -> Result<()> {
    let week: Week = "2026-W46".parse()?;
    let folder = tempfile::tempdir()?;
    let database = PostgresServer::start(&[]);
    database.ask("postgres", "CREATE DATABASE collector");
    let url = database.url("collector");
    let clock = folder.path().join("clock");
    let monday = week.end().plus_seconds(12 * 3_600);
    set(&clock, monday)?;
    let port = port()?;
    let file = configure(folder.path(), "file", port, "")?;
    let served = configure(
        folder.path(),
        "server",
        port,
        &format!("[store]\nurl = \"{url}\"\n"),
    )?;
    let mut collector = Collector::start(&file, port, &clock)?;
    let (audience, invites) = invites(&file, HOMES, monday).await?;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut reports = Vec::new();
    for (number, invite) in (1..).zip(&invites) {
        let mut home = Reporter::new(number, audience, &[collector.address]).await?;
        home.enrol(invite).await?;
        let acknowledged = Arc::clone(&acknowledged);
        reports.push(tokio::spawn(async move {
            home.report(week, &acknowledged).await
        }));
    }
    while acknowledged.load(Ordering::Relaxed) < 20 {
        tokio::task::yield_now().await;
    }
    // An attempt that dies on the way leaves everything as it was, and does not serve.
    let config = Config::load(&file)?;
    let server = Server::parse(&url, None, None, SESSIONS)?;
    let is_begun = async || match Store::connect(server.clone(), false).await {
        Err(StoreError::Unfinished) => true,
        Err(StoreError::Unmade | StoreError::Unavailable { .. }) | Ok(_) => false,
        Err(error) => panic!("{error}"),
    };
    let watched = async { while !is_begun().await {} };
    let path = config.database();
    let is_left = tokio::select! {
        moved = move_to(&path, server.clone()) => {
            moved?;
            false
        }
        () = watched => true,
    };
    let before = acknowledged.load(Ordering::Relaxed);

    let found = if is_left {
        Some(commands::migrate(&config, &url, None, None).await?.text)
    } else {
        None
    };
    // Homes are told to come back, until the collector is started anew.
    collector.kill();
    let refused = Store::open(&config.database(), false).await;
    let Err(StoreError::Moved(place)) = refused else {
        anyhow::bail!("the file serves on");
    };
    ensure!(place == url, "it says where to: {place}");
    let mut collector = Collector::start(&served, port, &clock)?;
    let mut receipts = Receipts::new();
    for report in reports {
        let report = tokio::time::timeout(Duration::from_secs(300), report).await;
        receipts.extend(report???);
    }
    ensure!(receipts.len() >= before, "nothing comes undone");
    let store = Store::connect(server.clone(), false).await?;
    ensure!(
        held(&store, &config, week).await? == receipts,
        "what homes were told before, meanwhile and after is what the server holds"
    );
    if let Some(found) = found {
        let homes = format!("{:<12} {HOMES:>10} rows", "homes");
        ensure!(found.contains(&homes), "{found}");
        ensure!(found.contains("journal"), "{found}");
    }
    ensure!(collector.tick()? == "made []", "it serves");

    // A server in use takes no other store.
    let other = tempfile::tempdir()?;
    let path = other.path().join("collector.db");
    drop(Store::open(&path, true).await?);
    let refused = move_to(&path, server).await;
    ensure!(
        matches!(refused, Err(MoveError::Occupied)),
        "{:?}",
        refused.err().context("an error")
    );
    Ok(())
}
