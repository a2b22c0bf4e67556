//! Why a collector is not ready: one word for each reason, and nothing of anybody in it.

use super::raw;
use super::{Stage, today};
use anyhow::{Context as _, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::ledger::COUNTER;
use std::fs;

/// The answer's words; none if it is ready. All of the answer is held to be nothing else.
async fn reasons(stage: &Stage) -> Result<Vec<String>> {
    let admin = stage.collector.admin_address().context("an address")?;
    let answer = raw::get(admin, "/readyz").await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("head and body")?;
    if head.starts_with("HTTP/1.1 200") {
        ensure!(body == "ready\n", "{body}");
        return Ok(Vec::new());
    }
    ensure!(head.starts_with("HTTP/1.1 503"), "{head}");
    let words: Vec<String> = body.lines().map(str::to_owned).collect();
    let is_word = |word: &String| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    ensure!(words.iter().all(is_word), "{body}");
    Ok(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_week_key_is_said() -> Result<()> {
    let mut stage = Stage::with_pages().await?;
    let sealed = stage.liar.sealed(stage.liar.header(today()?.previous(), 1));
    stage.liar.submit(vec![sealed]).await?;
    stage.collector.tick().await?;
    ensure!(reasons(&stage).await?.is_empty());
    let keys = Config::load(&stage.folder.path().join("collector.toml"))?.keys_dir;
    let key = keys.join(format!("{}.key", today()?.previous().week()));
    let aside = keys.join("aside");
    fs::rename(&key, &aside)?;
    stage.collector.tick().await?;
    ensure!(reasons(&stage).await? == ["week_key"]);
    fs::rename(&aside, &key)?;
    stage.collector.tick().await?;
    ensure!(reasons(&stage).await?.is_empty(), "well again");
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_erasure_list_is_said_and_a_restart_writes_it_anew() -> Result<()> {
    let mut stage = Stage::with_pages().await?;
    let withdrawal = stage.liar.withdrawal(1);
    stage.liar.withdraw(withdrawal).await?;
    stage.collector.tick().await?;
    ensure!(reasons(&stage).await?.is_empty());
    let path = stage.folder.path().join("collector.toml");
    let config = Config::load(&path)?;
    let list = fs::read(config.ledger())?;
    ensure!(list.len() > 300, "somebody left");
    // Gone, or cut short, or no longer counted: the same.
    let counter = config.keys_dir.join(COUNTER);
    let counted = fs::read(&counter)?;
    for harm in [
        &(|| fs::remove_file(config.ledger())) as &dyn Fn() -> std::io::Result<()>,
        &|| fs::write(config.ledger(), &list[..list.len() - 1]),
        &|| fs::remove_file(&counter),
    ] {
        harm()?;
        stage.collector.tick().await?;
        ensure!(reasons(&stage).await? == ["erasure_list"]);
        fs::write(config.ledger(), &list)?;
        fs::write(&counter, &counted)?;
        stage.collector.tick().await?;
        ensure!(reasons(&stage).await?.is_empty(), "well again");
    }
    fs::remove_file(config.ledger())?;
    stage.collector.stop().await;
    let collector = phonehome_tests::world::start(&path, &stage.clock, 1).await?;
    ensure!(fs::read(config.ledger())? == list, "to the byte");
    collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_moved_away_is_said() -> Result<()> {
    let stage = Stage::with_pages().await?;
    let config = Config::load(&stage.folder.path().join("collector.toml"))?;
    // As `migrate` leaves the file.
    let file = rusqlite::Connection::open(config.database())?;
    file.execute_batch(
        "CREATE TRIGGER move_refuse BEFORE UPDATE ON collector BEGIN SELECT RAISE(ABORT, 'moved'); END",
    )?;
    stage.collector.tick().await?;
    ensure!(reasons(&stage).await? == ["database_unreachable"]);
    stage.collector.stop().await;
    Ok(())
}
