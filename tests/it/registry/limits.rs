//! What one place and one home may ask, and what is kept of where homes come from.

use super::{NAMED, Stage, holds, is_receipt, refused, report, today, week};
use anyhow::{Result, ensure};
use phonehome_collector::metrics::Counter;
use phonehome_proto::reject::Reject;
use phonehome_proto::time::Clock;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn one_place_sends_so_many_homes() -> Result<()> {
    let tables = "[enrolment]\nmode = 'open'\nhomes_per_ipv6_48 = 5\nhomes_per_network = 7\nattempts_per_hour = 4";
    let stage = Stage::set(NAMED, tables).await?;
    let public = stage.for_everybody();
    let asks = async |seed: u8, address: &str| -> Result<_> {
        stage.stranger_at(seed, address).await?.enrol(&public).await
    };
    // Two of a household, in whichever /64 of its /56.
    for (seed, address) in [(1, "2001:db8:3:700::1"), (2, "2001:db8:3:7ff::2")] {
        ensure!(is_receipt(&asks(seed, address).await?));
    }
    let third = async || asks(3, "2001:db8:3:780::3").await;
    let counts = [
        (Counter::EnrolmentsReceived, 1),
        (Counter::EnrolmentsRejected(Reject::TooMany), 1),
    ];
    let outcome = stage.moves(third, &counts).await?;
    ensure!(outcome == refused(Reject::TooMany) && !Reject::TooMany.is_final());
    // The network of the exercise's third prefix: five of its /48.
    for (seed, address) in [
        (4, "2001:db8:3:100::1"),
        (5, "2001:db8:3:200::1"),
        (6, "2001:db8:3:300::1"),
    ] {
        ensure!(is_receipt(&asks(seed, address).await?), "{seed}");
    }
    ensure!(asks(7, "2001:db8:3:400::1").await? == refused(Reject::TooMany));
    // Elsewhere there is room, and who is in may ask again.
    ensure!(is_receipt(&asks(7, "192.0.2.7").await?));
    ensure!(is_receipt(&asks(2, "2001:db8:3:7ff::2").await?));
    // A fifth attempt of a household in an hour is not even looked at.
    ensure!(asks(1, "2001:db8:3:700::1").await? == refused(Reject::TooMany));
    stage.clock.set(stage.clock.now().plus_seconds(3_600));
    ensure!(is_receipt(&asks(1, "2001:db8:3:700::1").await?));

    // What is kept: counters under names that say nothing, and one key that is no backup's.
    ensure!(stage.count("SELECT count(*) FROM places")? == 8);
    ensure!(stage.count("SELECT max(homes) FROM places")? == 5);
    let data = stage.folder.path().join("data");
    for secret in [
        &b"2001:db8"[..],
        b"192.0.2.7",
        &[0x20, 1, 0xd, 0xb8],
        &[192, 0, 2, 7],
    ] {
        ensure!(!holds(&data, secret)?, "an address is kept");
    }
    let keys = || -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(stage.folder.path().join("keys"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(Some(name).filter(|name| name.ends_with(".month.key")));
        }
        Ok(names)
    };
    ensure!(keys()? == ["2026-11.month.key"], "{:?}", keys()?);
    // It holds over the end of the month, and is gone with the next.
    stage.clock.set(today()?.plus(20).start());
    stage.collector.tick().await?;
    ensure!(asks(8, "2001:db8:3:780::3").await? == refused(Reject::TooMany));
    stage.clock.set(today()?.plus(50).start());
    stage.collector.tick().await?;
    ensure!(stage.collector.metrics()[&Counter::PlacesForgotten] == 8);
    ensure!(stage.count("SELECT count(*) FROM places")? == 0);
    ensure!(keys()? == ["2026-12.month.key"], "{:?}", keys()?);
    ensure!(is_receipt(&asks(8, "2001:db8:3:780::3").await?));
    stage.collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_home_sends_so_much_a_day() -> Result<()> {
    let stage = Stage::set("", "[quotas]\nbatches_per_day = 64").await?;
    let (mut loud, mut quiet) = (stage.home(1).await?, stage.home(2).await?);
    let day = week()?.monday();
    // Nonsense that it signs costs it as much as sense.
    let nonsense = (0..63_u8).map(|number| loud.seal(vec![0xff; 40 + usize::from(number)]));
    let nonsense = nonsense.collect();
    let outcomes = loud.submit(nonsense).await?;
    ensure!(
        outcomes
            .iter()
            .all(|outcome| *outcome == refused(Reject::Malformed))
    );
    // What others make up in its name does not.
    let mut forged = loud.sealed(loud.header(day, 1));
    forged.signature[7] ^= 1;
    let outcomes = quiet.submit(vec![forged; 64]).await?;
    ensure!(
        outcomes
            .iter()
            .all(|outcome| *outcome == refused(Reject::BadSignature))
    );
    ensure!(is_receipt(&report(&mut loud, day, 1).await?), "its last");
    let more = async || report(&mut loud, day, 1).await;
    let counts = [
        (Counter::BatchesReceived, 1),
        (Counter::BatchesRejected(Reject::TooMany), 1),
    ];
    let outcome = stage.moves(more, &counts).await?;
    ensure!(
        outcome == refused(Reject::TooMany),
        "even what is held: {outcome:?}"
    );
    ensure!(
        is_receipt(&report(&mut quiet, day, 1).await?),
        "nobody else's"
    );
    stage.clock.set(today()?.end());
    ensure!(is_receipt(&report(&mut loud, day, 1).await?), "tomorrow");
    ensure!(stage.rows()? == 2);
    stage.collector.stop().await;
    Ok(())
}
