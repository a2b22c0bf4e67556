//! What an operator sees: that nothing is lost uncounted, whether it is ready, and that it drains.

use super::Stage;
use super::raw::{self, Raw};
use anyhow::{Context as _, Result, ensure};
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::status::Outcome;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The samples of `/metrics`, by name with label.
async fn scrape(address: SocketAddr) -> Result<BTreeMap<String, u64>> {
    let answer = raw::get(address, "/metrics").await?;
    let (head, text) = answer.split_once("\r\n\r\n").context("head and body")?;
    ensure!(head.contains("text/plain; version=0.0.4"), "{head}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').context("a value")?;
            Ok((name.to_owned(), value.parse()?))
        })
        .collect()
}

/// In = the sum of what became of it, from the text alone, for everything that comes in.
fn balances(samples: &BTreeMap<String, u64>) -> Result<()> {
    let sum = |noun: &str| -> u64 {
        let family = format!("phonehome_collector_{noun}_total");
        let of = |name: &str| name.split('{').next() == Some(family.as_str());
        samples
            .iter()
            .filter(|(name, _)| of(name))
            .map(|(_, value)| value)
            .sum()
    };
    for noun in ["batches", "enrolments", "rotations", "withdrawals"] {
        let ends = ["accepted", "repeated", "rejected", "deferred"];
        let ended: u64 = ends.iter().map(|end| sum(&format!("{noun}_{end}"))).sum();
        ensure!(
            sum(&format!("{noun}_received")) == ended,
            "{noun}: {samples:?}"
        );
    }
    let ends = ["answered", "deferred", "unreadable", "abandoned"];
    let ended: u64 = ends.iter().map(|end| sum(&format!("requests_{end}"))).sum();
    ensure!(sum("requests_received") == ended, "requests: {samples:?}");
    // Nobody but the home that is there from the start is connected.
    let gone = sum("connections_refused") + sum("connections_ended");
    ensure!(sum("connections_received") == gone + 1, "{samples:?}");
    ensure!(
        sum("requests_turned_away") == sum("requests_deferred"),
        "{samples:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counters_balance_from_outside_and_no_reader_sees_them() -> Result<()> {
    let mut stage = Stage::with_pages().await?;
    let admin = stage
        .collector
        .admin_address()
        .context("an admin address")?;
    let zero = scrape(admin).await?;
    let rejects = format!(
        "phonehome_collector_batches_rejected_total{{reason=\"{}\"}}",
        Reject::Conflict.as_str()
    );
    ensure!(
        zero.get(&rejects) == Some(&0),
        "there from the start: {zero:?}"
    );

    let day = super::today()?.previous();
    let honest = stage.liar.sealed(stage.liar.header(day, 1));
    let mut forged = stage.liar.sealed(stage.liar.header(day, 2));
    forged.signature[0] ^= 1;
    let early = stage.liar.sealed(stage.liar.header(super::today()?, 3));
    stage
        .liar
        .submit(vec![honest.clone(), honest, forged, early])
        .await?;
    let rotation = stage.liar.rotation(&SigningKey::from_seed(&[77; 32]));
    stage.liar.rotate(rotation.clone()).await?;
    stage.liar.rotate(rotation).await?;
    let mut raw = Raw::connect(stage.collector.intake_address()).await?;
    raw.begin(1, &[]).await?;
    raw.send(1, &raw::message_head(true, 1), true).await?;
    raw.ended(1).await?;
    drop(raw);
    let is_gone = |samples: &BTreeMap<String, u64>| {
        let ended = |why| {
            samples[&format!("phonehome_collector_connections_ended_total{{reason=\"{why}\"}}")]
        };
        // Who hangs up before it has read everything breaks the line.
        ended("closed") + ended("broken") == 1
    };
    let samples = loop {
        let samples = scrape(admin).await?;
        if is_gone(&samples) {
            break samples;
        }
    };
    balances(&samples)?;
    let total = |noun: &str| samples[&format!("phonehome_collector_{noun}_total")];
    ensure!(
        total("batches_received") == 4 && total("batches_accepted") == 1,
        "{samples:?}"
    );
    ensure!(
        total("batches_repeated") == 1 && total("rotations_repeated") == 1,
        "{samples:?}"
    );
    ensure!(total("requests_unreadable") == 1, "{samples:?}");
    ensure!(samples["phonehome_collector_ready"] == 1, "{samples:?}");

    let pages = stage.collector.http_address().context("pages")?;
    for path in ["/metrics", "/readyz"] {
        let answer = raw::get(pages, path).await?;
        ensure!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    let answer = raw::get(admin, "/v1/releases").await?;
    ensure!(
        answer.starts_with("HTTP/1.1 404"),
        "and the reverse: {answer}"
    );
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_is_unready_first_and_finishes_what_is_under_way() -> Result<()> {
    let stage = Stage::with_pages().await?;
    let admin = stage
        .collector
        .admin_address()
        .context("an admin address")?;
    let intake = stage.collector.intake_address();
    let ready = raw::get(admin, "/readyz").await?;
    ensure!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    // A request of which the last byte is missing.
    let sealed = stage
        .liar
        .sealed(stage.liar.header(super::today()?.previous(), 1));
    let body = request(sealed);
    let mut raw = Raw::connect(intake).await?;
    raw.begin(1, &[]).await?;
    raw.send(1, &body[..body.len() - 1], false).await?;
    while stage.collector.metrics()[&phonehome_collector::metrics::Counter::RequestsReceived] < 2 {
        tokio::task::yield_now().await;
    }
    let Stage {
        collector,
        liar,
        folder,
        ..
    } = stage;
    drop(liar);
    let stopping = tokio::spawn(collector.stop());
    let unready = loop {
        let answer = raw::get(admin, "/readyz").await?;
        if answer.starts_with("HTTP/1.1 503") {
            break answer;
        }
    };
    ensure!(unready.ends_with("draining\n"), "{unready}");
    let alive = raw::get(admin, "/healthz").await?;
    ensure!(alive.starts_with("HTTP/1.1 200"), "{alive}");
    raw.send(1, &body[body.len() - 1..], true).await?;
    raw.ended(1).await?;
    stopping.await?;
    ensure!(raw::get(admin, "/readyz").await.is_err(), "it has ended");
    ensure!(
        super::rows_in(folder.path())? == 1,
        "what was under way is held"
    );
    Ok(())
}

/// A Submit request with one batch, as it goes over the wire.
fn request(sealed: phonehome_proto::seal::SealedBatch) -> Vec<u8> {
    use prost::Message as _;
    let batches = vec![phonehome_proto::status::envelope_to_wire(sealed)];
    let message = phonehome_proto::v1::SubmitRequest { batches }.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a short message");
    [raw::message_head(false, length), message].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_behind_is_said_and_refuses_nobody() -> Result<()> {
    let mut stage = Stage::with_pages().await?;
    let admin = stage
        .collector
        .admin_address()
        .context("an admin address")?;
    let day = super::today()?.previous();
    let sealed = stage.liar.sealed(stage.liar.header(day, 1));
    stage.liar.submit(vec![sealed]).await?;
    let mut raw = Raw::connect(stage.collector.intake_address()).await?;
    ensure!(raw.health(1).await? == 1, "gRPC says so too");
    stage
        .clock
        .set(phonehome_proto::time::Timestamp::from_seconds(0));
    stage.collector.tick().await?;
    let mut stream = 3;
    // It follows readiness, a moment later.
    while raw.health(stream).await? != 2 {
        stream += 2;
    }
    let answer = raw::get(admin, "/readyz").await?;
    ensure!(
        answer.starts_with("HTTP/1.1 503") && answer.ends_with("clock\n"),
        "{answer}"
    );
    stage.clock.set(super::today()?.start());
    stage.collector.tick().await?;
    ensure!(
        raw::get(admin, "/readyz")
            .await?
            .starts_with("HTTP/1.1 200"),
        "well again"
    );
    let outcome = stage
        .liar
        .submit(vec![stage.liar.sealed(stage.liar.header(day, 2))])
        .await?;
    ensure!(
        matches!(outcome.as_slice(), [Outcome::Receipt(_)]),
        "it goes on"
    );
    stage.collector.stop().await;
    Ok(())
}
