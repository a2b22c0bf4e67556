//! Many at once, slow ones, and one that never stops: whoever is honest is served.
//!
//! Nothing here is timed. What is asserted is that honest requests get their receipts while the others
//! are at it, and that everything that came in is counted as what became of it.

use super::raw::{self, Raw};
use super::{Stage, balances, moved};
use anyhow::{Context as _, Result, ensure};
use phonehome_collector::intake::ending::End;
use phonehome_collector::metrics::Counter;
use phonehome_collector::run::Handle;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::status::Outcome;
use phonehome_proto::time::ManualClock;
use phonehome_tests::liar::Liar;
use phonehome_tests::relay::Relay;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Requests of the honest home in each test.
const HONEST: u8 = 20;

/// Has the home report so many days of its own making; each must get its receipt.
async fn reports(home: &mut Liar) -> Result<()> {
    let day = super::today()?.previous();
    for number in 0..HONEST {
        let sealed = home.sealed(home.header(day, number));
        let outcomes = home.submit(vec![sealed]).await?;
        let held = matches!(outcomes.as_slice(), [Outcome::Receipt(_)]);
        ensure!(held, "{number}: {}", super::words(&outcomes));
    }
    Ok(())
}

/// A home behind a relay of its own, taken in.
async fn behind(collector: &Handle, seed: u8, address: Ipv6Addr) -> Result<(Relay, Liar)> {
    let relay = Relay::open(address, collector.intake_address()).await?;
    let mut home = Liar::connect(seed, relay.address(), collector.key().audience()).await?;
    let invites = collector.invite(1, "127.0.0.1:4317").await?;
    let outcome = home.enrol(&invites[0]).await?;
    ensure!(
        matches!(outcome, Outcome::Receipt(_)),
        "the home is taken in"
    );
    Ok((relay, home))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_nonsense_without_end_keeps_nobody_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = ground::write(folder.path(), Reach::Relays, None)?;
    let text = fs::read_to_string(&config)?;
    // The relays end TLS, as it were.
    fs::write(
        &config,
        text.replace("[intake]\n", "[intake]\ntls = false\n"),
    )?;
    let clock = ManualClock::new(super::today()?.start().plus_seconds(12 * 3_600));
    let collector = world::start(&config, &clock, 0).await?;
    let (_near, mut honest) = behind(&collector, 7, "2001:db8:1::1".parse()?).await?;
    let (_far, greedy) = behind(&collector, 66, "2001:db8:2::1".parse()?).await?;
    let (stop, sent) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut nonsense = JoinSet::new();
    for _ in 0..12 {
        let (mut greedy, stop, sent) = (greedy.twin(), Arc::clone(&stop), Arc::clone(&sent));
        let mut forged = greedy.sealed(greedy.header(super::today()?.previous(), 1));
        forged.signature[10] ^= 1;
        nonsense.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let outcomes = greedy.submit(vec![forged.clone(); 64]).await?;
                let refused = Outcome::Refused(Reject::BadSignature);
                ensure!(
                    outcomes.iter().all(|outcome| *outcome == refused),
                    "nonsense"
                );
                sent.fetch_add(64, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    // Only once it is well under way.
    while sent.load(Ordering::Relaxed) < 1_000 {
        tokio::task::yield_now().await;
    }
    let before = sent.load(Ordering::Relaxed);
    reports(&mut honest).await?;
    let during = sent.load(Ordering::Relaxed) - before;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = nonsense.join_next().await {
        ended??;
    }
    // In turns: between two honest requests no more was served than was under way already.
    let fair = (u64::from(HONEST) + 1) * 12 * 64 * 4;
    ensure!(during <= fair, "{during} were served meanwhile, not {fair}");
    let metrics = collector.metrics();
    ensure!(
        metrics[&Counter::BatchesAccepted] == u64::from(HONEST),
        "{metrics:?}"
    );
    ensure!(
        metrics[&Counter::BatchesRejected(Reject::BadSignature)] == sent.load(Ordering::Relaxed),
        "each of them is counted"
    );
    balances(&metrics)?;
    collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_end_keep_nobody_out() -> Result<()> {
    let mut stage = Stage::set().await?;
    let before = stage.collector.metrics();
    let address = stage.collector.intake_address();
    // More than may be on their way at once, sixteen on a connection.
    let (connections, streams) = (264, 16);
    let mut slow = Vec::new();
    for _ in 0..connections {
        let mut raw = Raw::connect(address).await?;
        for stream in 0..streams {
            raw.begin(2 * stream + 1, &[]).await?;
            raw.send(2 * stream + 1, &raw::message_head(false, 1_000_000), false)
                .await?;
        }
        slow.push(raw);
    }
    slow[0].ended(1).await?;
    let mut honest = stage.liar.twin();
    reports(&mut honest).await?;
    let counted = moved(&before, &stage.collector.metrics());
    let cut = counted[&Counter::RequestsTurnedAway("body")];
    let surplus = u64::from(connections * streams) - 4_096;
    ensure!(cut >= surplus, "{cut} were cut off, not {surplus}");
    ensure!(
        counted[&Counter::BatchesAccepted] == u64::from(HONEST),
        "{counted:?}"
    );
    // They hang up: each is counted as what became of it.
    drop(slow);
    while !requests_balance(&stage) {
        tokio::task::yield_now().await;
    }
    stage.liar = honest;
    stage.collector.stop().await;
    Ok(())
}

/// Requests in = answered + deferred + unreadable + abandoned, and each deferred one has its reason.
fn requests_balance(stage: &Stage) -> bool {
    let metrics = stage.collector.metrics();
    let ends = [
        Counter::RequestsAnswered,
        Counter::RequestsDeferred,
        Counter::RequestsUnreadable,
        Counter::RequestsAbandoned,
    ];
    let ended: u64 = ends.iter().map(|end| metrics[end]).sum();
    metrics[&Counter::RequestsReceived] == ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_and_a_lie_about_length_are_no_requests() -> Result<()> {
    let stage = Stage::set().await?;
    let before = stage.collector.metrics();
    let address = stage.collector.intake_address();
    let mut raw = Raw::connect(address).await?;
    // Compressed, which nobody here unpacks: by header and flag, and by flag alone.
    raw.begin(1, &[("grpc-encoding", "gzip")]).await?;
    let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    raw.send(1, &[&raw::message_head(true, 10)[..], &bomb].concat(), true)
        .await?;
    raw.ended(1).await?;
    raw.begin(3, &[]).await?;
    raw.send(3, &[&raw::message_head(true, 10)[..], &bomb].concat(), true)
        .await?;
    raw.ended(3).await?;
    // One byte more than a request may have, of which none needs to come.
    let too_long = u32::try_from(phonehome_proto::limits::REQUEST_BYTES_MAX + 1)?;
    raw.begin(5, &[]).await?;
    raw.send(5, &raw::message_head(false, too_long), false)
        .await?;
    raw.ended(5).await?;
    // Something that is no message.
    raw.begin(7, &[]).await?;
    raw.send(
        7,
        &[&raw::message_head(false, 4)[..], &[0xff; 4]].concat(),
        true,
    )
    .await?;
    raw.ended(7).await?;
    let counted = moved(&before, &stage.collector.metrics());
    ensure!(counted[&Counter::RequestsUnreadable] == 4, "{counted:?}");
    ensure!(
        !counted.contains_key(&Counter::BatchesReceived),
        "{counted:?}"
    );
    ensure!(requests_balance(&stage), "{counted:?}");
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_keep_nobody_out() -> Result<()> {
    let wanted = 10_000;
    let mut limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limits.current = limits.maximum;
    // Who may not open as many tries with fewer.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limits);
    let possible = limits
        .current
        .map_or(u64::MAX, |files| files.saturating_sub(5_500));
    let count = wanted.min(possible.min(u64::from(u32::MAX)));
    if count < 4_200 {
        #[allow(clippy::print_stderr, reason = "a test that was left out says so")]
        {
            eprintln!("skipped: only {possible} files may be open");
        }
        return Ok(());
    }
    let mut stage = Stage::set().await?;
    let address = stage.collector.intake_address();
    let before = stage.collector.metrics();
    let mut silent = Vec::new();
    for number in 0..count {
        let mut stream = connect(address).await?;
        // Every other one begins to speak and stops.
        if number % 2 == 0 {
            // It may have been cut off already.
            let _ = stream.write_all(&[0x16]).await;
        }
        silent.push(stream);
    }
    let mut honest = Liar::connect(7, address, stage.collector.key().audience()).await?;
    reports(&mut honest).await?;
    stage.liar = honest;
    drop(silent);
    let refused = |stage: &Stage| -> u64 {
        let counted = moved(&before, &stage.collector.metrics());
        let refused = |(counter, value): (&Counter, &u64)| {
            matches!(counter, Counter::ConnectionsRefused(_)).then_some(*value)
        };
        counted.iter().filter_map(refused).sum()
    };
    while refused(&stage) < count {
        tokio::task::yield_now().await;
    }
    ensure!(refused(&stage) == count, "each is counted once");
    stage.collector.stop().await;
    Ok(())
}

/// A connection, tried again while the other side's queue is full.
async fn connect(address: SocketAddr) -> Result<TcpStream> {
    for _ in 0..1_000 {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
        tokio::task::yield_now().await;
    }
    anyhow::bail!("nobody accepts")
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_are_slow_keep_nobody_out() -> Result<()> {
    let stage = Stage::with_pages().await?;
    let address = stage.collector.http_address().context("pages")?;
    let mut slow = Vec::new();
    for _ in 0..1_100 {
        let mut stream = connect(address).await?;
        // It may have been cut off already.
        let _ = stream.write_all(b"GET /healthz HTT").await;
        slow.push(stream);
    }
    for _ in 0..5 {
        let answer = raw::get(address, "/healthz").await?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let cut = || {
        let metrics = stage.collector.metrics();
        metrics[&Counter::ReadersEnded(End::NoRoom)]
    };
    ensure!(
        cut() >= 1_100 - 1_024,
        "each that had to go is counted: {}",
        cut()
    );
    drop(slow);
    stage.collector.stop().await;
    Ok(())
}

/// One more observation than a batch may hold, and one second beside each edge of the week's clock.
#[tokio::test(flavor = "multi_thread")]
async fn every_edge_is_where_it_is_said_to_be() -> Result<()> {
    use phonehome_proto::limits;
    let mut stage = Stage::set().await?;
    let day = super::today()?;
    let at = async |stage: &mut Stage, seconds: i64, number: u8| -> Result<Option<Reject>> {
        stage.clock.set(day.end().plus_seconds(seconds));
        let sealed: SealedBatch = stage.liar.sealed(stage.liar.header(day, number));
        Ok(match stage.liar.submit(vec![sealed]).await?.as_slice() {
            [Outcome::Refused(reject)] => Some(*reject),
            _ => None,
        })
    };
    let skew = limits::SKEW_SECONDS_MAX;
    ensure!(
        at(&mut stage, -skew - 1, 1).await? == Some(Reject::TooEarly),
        "before"
    );
    ensure!(at(&mut stage, -skew, 1).await?.is_none(), "at the edge");
    let closes = day.week().end().plus_seconds(limits::WEEK_ACCEPT_SECONDS);
    let closes = closes.seconds() - day.end().seconds();
    ensure!(
        at(&mut stage, closes - 1, 2).await?.is_none(),
        "the last second"
    );
    ensure!(
        at(&mut stage, closes, 3).await? == Some(Reject::TooLate),
        "closed"
    );
    // A second time it is still what it was.
    ensure!(
        at(&mut stage, closes, 2).await?.is_none(),
        "a repetition has no edge"
    );
    stage.clock.set(day.end());
    stage.collector.stop().await;
    Ok(())
}
