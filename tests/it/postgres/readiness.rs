//! A collector whose server is away says so, in one word, and is well again when it is back.

use anyhow::{Context as _, Result, ensure};
use phonehome_collector::readiness::Unready;
use phonehome_proto::time::ManualClock;
use phonehome_tests::servers::PostgresServer;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use std::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn an_unreachable_database_is_said_without_its_address() -> Result<()> {
    let mut postgres = PostgresServer::start(&[]);
    postgres.ask("postgres", "CREATE DATABASE collector");
    let folder = tempfile::tempdir()?;
    let config = ground::write(folder.path(), Reach::Direct, None)?;
    let url = postgres.url("collector");
    let more = format!("\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{url}\"\n");
    fs::write(&config, fs::read_to_string(&config)? + &more)?;
    let collector = world::start(&config, &ManualClock::new(super::now()), 0).await?;
    let admin = collector.admin_address().context("an address")?;
    let readyz = async || -> Result<String> {
        let mut stream = TcpStream::connect(admin).await?;
        let request = "GET /readyz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").context("a body")?;
        Ok(body.to_owned())
    };
    ensure!(readyz().await? == "ready\n");
    postgres.kill();
    ensure!(
        collector.tick().await.is_err(),
        "there is nothing to tick over"
    );
    let word = Unready::Away.as_str();
    ensure!(readyz().await? == format!("{word}\n"));
    collector.stop().await;
    Ok(())
}
