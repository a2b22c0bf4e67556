//! Whose address counts: what a named proxy says, and nobody else.

use super::{NAMED, Stage, is_receipt, report, week};
use anyhow::{Result, ensure};
use phonehome_collector::intake::Refusal;
use phonehome_collector::intake::forwarded::Misforwarded;
use phonehome_collector::metrics::Counter;
use phonehome_tests::liar::Liar;
use phonehome_tests::relay::Relay;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

/// Asks for a receipt; the code it gets instead.
async fn code(liar: &mut Liar) -> Result<Option<Code>> {
    match report(liar, week()?.monday(), 1).await {
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(error.downcast::<tonic::Status>()?.code())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_header_is_refused_and_counted() -> Result<()> {
    let stage = Stage::set("", "").await?;
    let mut liar = stage.home(1).await?;
    for header in ["forwarded", "x-forwarded-for"] {
        liar.headers = vec![(header, "for=192.0.2.7".to_owned())];
        let ask = async || code(&mut liar).await;
        let counts = [(Counter::RequestsMisforwarded(Misforwarded::Stranger), 1)];
        let code = stage.moves(ask, &counts).await?;
        ensure!(code == Some(Code::InvalidArgument), "{header}: {code:?}");
    }
    ensure!(stage.rows()? == 0);
    liar.headers.clear();
    ensure!(is_receipt(&report(&mut liar, week()?.monday(), 1).await?));
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_proxy_must_say_whom_it_speaks_for() -> Result<()> {
    let stage = Stage::set(NAMED, "").await?;
    let invite = stage.collector.invite(1, "127.0.0.1:4317").await?.remove(0);
    // What the client made up stands first; the fourth prefix of the exercise is in Warsaw.
    let mut liar = stage
        .stranger_at(1, "2001:db8:9::1, 2001:db8:3:700::1")
        .await?;
    ensure!(is_receipt(&liar.enrol(&invite).await?));
    ensure!(is_receipt(&report(&mut liar, week()?.monday(), 1).await?));
    let there = "SELECT count(*) FROM journal WHERE country = 'PL' AND network = 64499";
    ensure!(stage.count(there)? == 1);
    for (headers, why) in [
        (vec![], Misforwarded::Missing),
        // The header it was not told to read may be the client's own.
        (vec![("forwarded", "for=192.0.2.7")], Misforwarded::Missing),
        (
            vec![("x-forwarded-for", "192.0.2.7, ")],
            Misforwarded::Unreadable,
        ),
        (
            vec![("x-forwarded-for", "x"), ("x-forwarded-for", "192.0.2.7")],
            Misforwarded::Unreadable,
        ),
    ] {
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()));
        liar.headers = headers.collect();
        let ask = async || code(&mut liar).await;
        let counts = [(Counter::RequestsMisforwarded(why), 1)];
        let code = stage.moves(ask, &counts).await?;
        ensure!(code == Some(Code::InvalidArgument), "{why:?}: {code:?}");
    }
    ensure!(stage.rows()? == 1);

    // Behind such a proxy nobody speaks TLS here.
    let mut stream = TcpStream::connect(stage.collector.intake_address()).await?;
    stream.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]).await?;
    let _closed = stream.read(&mut [0; 64]).await;
    let metrics = stage.collector.metrics();
    ensure!(
        metrics[&Counter::ConnectionsRefused(Refusal::Tls)] == 1,
        "{metrics:?}"
    );
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_ends_tls_may_say_it_with_a_proxy_header() -> Result<()> {
    let home = "2001:db8:3:700::1".parse()?;
    for (tls, is_taken) in [("tls = false", true), ("", false)] {
        let stage = Stage::set(&format!("{tls}\n"), "").await?;
        stage.collector.stop().await;
        // The relay on this machine is a listed proxy.
        let text = std::fs::read_to_string(&stage.config)?;
        let listed = text.replace("proxies = []", "proxies = ['127.0.0.1']");
        std::fs::write(&stage.config, listed)?;
        let collector = phonehome_tests::world::start(&stage.config, &stage.clock, 1).await?;
        let relay = Relay::open(home, collector.intake_address()).await?;
        let invite = collector.invite(1, "127.0.0.1:4317").await?.remove(0);
        let audience = collector.key().audience();
        let enrolled = match Liar::connect(1, relay.address(), audience).await {
            Ok(mut liar) => liar
                .enrol(&invite)
                .await
                .is_ok_and(|outcome| is_receipt(&outcome)),
            Err(_) => false,
        };
        ensure!(enrolled == is_taken, "{tls}");
        let metrics = collector.metrics();
        let plain = metrics[&Counter::ConnectionsRefused(Refusal::Plaintext)];
        ensure!((plain == 0) == is_taken, "{tls}: {plain}");
        collector.stop().await;
    }
    Ok(())
}
