//! Connections: what came in was refused, or has ended, or is open, each for one reason that is counted.

use super::Stage;
use super::raw::{self, Raw};
use anyhow::{Context as _, Result, ensure};
use phonehome_collector::intake::ending::End;
use phonehome_collector::metrics::{Counter, Metrics};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nobody waits longer for a counter to move.
const PATIENCE: Duration = Duration::from_secs(60);

/// Homes' connections that are open, going by the counters.
fn open(metrics: &Metrics) -> u64 {
    let snapshot = metrics.snapshot();
    let gone = |(counter, value): (&Counter, &u64)| match counter {
        Counter::ConnectionsRefused(_) | Counter::ConnectionsEnded(_) => Some(*value),
        _ => None,
    };
    snapshot[&Counter::ConnectionsReceived] - snapshot.iter().filter_map(gone).sum::<u64>()
}

fn ended(metrics: &Metrics, end: End) -> u64 {
    metrics.snapshot()[&Counter::ConnectionsEnded(end)]
}

/// Who hangs up before it has read everything breaks the line.
fn hung_up(metrics: &Metrics) -> u64 {
    ended(metrics, End::Closed) + ended(metrics, End::Broken)
}

/// Waits until something can be seen in the counters.
async fn until(metrics: &Metrics, is_so: impl Fn(&Metrics) -> bool) -> Result<()> {
    let waiting = async {
        while !is_so(metrics) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.with_context(|| format!("{:?}", metrics.snapshot()))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_refused_or_has_ended_or_is_open() -> Result<()> {
    let stage = Stage::with_pages().await?;
    let metrics = stage.collector.ground().metrics.clone();
    let address = stage.collector.intake_address();
    ensure!(open(&metrics) == 1, "the home that was taken in");

    // One hangs up, one speaks something else, one breaks off its handshake, one says nothing at all.
    let mut polite = Raw::connect(address).await?;
    ensure!(polite.health(1).await? == 1);
    drop(polite);
    until(&metrics, |metrics| hung_up(metrics) == 1).await?;
    let mut other = TcpStream::connect(address).await?;
    other
        .write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        .await?;
    // Whether it is told anything or only cut is not what this is about.
    let _ = other.read_to_end(&mut Vec::new()).await;
    until(&metrics, |metrics| ended(metrics, End::Misspoken) == 1).await?;
    for first in [&[0x16][..], &[]] {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(first).await?;
    }
    until(&metrics, |metrics| open(metrics) == 1).await?;
    let mut staying = Raw::connect(address).await?;
    ensure!(staying.health(1).await? == 1);
    ensure!(open(&metrics) == 2, "{:?}", metrics.snapshot());

    // Of readers too.
    let pages = stage.collector.http_address().context("pages")?;
    for _ in 0..3 {
        raw::get(pages, "/healthz").await?;
    }
    until(&metrics, |metrics| {
        let snapshot = metrics.snapshot();
        let ended = End::ALL.map(|end| snapshot[&Counter::ReadersEnded(end)]);
        snapshot[&Counter::ReadersReceived] == 3 && ended.iter().sum::<u64>() == 3
    })
    .await?;
    ensure!(metrics.snapshot()[&Counter::ReadersEnded(End::Closed)] == 3);

    // Who is still there when it stops ends for that, and then nothing is open.
    let Stage { collector, .. } = stage;
    let stopping = tokio::spawn(collector.stop());
    until(&metrics, |metrics| ended(metrics, End::Stopping) == 1).await?;
    drop(staying);
    stopping.await?;
    until(&metrics, |metrics| open(metrics) == 0).await?;
    ensure!(ended(&metrics, End::Stopping) == 2);
    Ok(())
}

/// A home whose machine went without a word: the line is there, and nobody answers on it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and a half: so long the collector waits for somebody silent"]
async fn who_does_not_answer_is_cut_and_counted_as_silent() -> Result<()> {
    let stage = Stage::set().await?;
    let metrics = stage.collector.ground().metrics.clone();
    let mut mute = Raw::connect(stage.collector.intake_address()).await?;
    ensure!(mute.health(1).await? == 1);
    let silent = async {
        while ended(&metrics, End::Silent) == 0 {
            tokio::task::yield_now().await;
            // The one thing to wait for is the collector's own timer.
            let _ = tokio::time::timeout(Duration::from_millis(200), std::future::pending::<()>())
                .await;
        }
    };
    tokio::time::timeout(2 * PATIENCE, silent)
        .await
        .context("it is cut")?;
    ensure!(
        open(&metrics) == 1,
        "and nobody else: {:?}",
        metrics.snapshot()
    );
    stage.collector.stop().await;
    Ok(())
}
