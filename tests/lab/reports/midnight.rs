//! A day ends while the daemon watches: it seals the day, keeps it, and sends it at an hour of its own.
//!
//! In a machine whose clock starts in the evening, so that midnight comes by itself, and so does the
//! hour after it.

use super::{PATIENCE, all_visits, holds_the_truth};
use crate::agent::Agent;
use crate::home::{Home, Plan};
use crate::machine;
use crate::observatory::Observatory;
use crate::patience::until_at_last;
use crate::router::Lan;
use anyhow::{Context, Result, ensure};
use phonehome_agent::seal::file;
use phonehome_collector::metrics::Counter;
use phonehome_proto::census::Basis;
use phonehome_proto::decode;
use phonehome_proto::time::{Clock, Day, SystemClock};
use phonehome_tests::traffic::phone::{Make, Openness};
use std::fs;
use std::time::Duration;

const NAME: &str =
    "reports::midnight::a_day_that_ends_is_sealed_and_sent_by_the_daemon_that_watched_it";

/// When the machine starts. A minute of its own is enough for everything to begin.
const EVENING: &str = "2026-12-01T23:50:00";

/// Until what is over is sealed, and until what is sealed is sent: ten minutes after midnight and then
/// an hour at most, see `schedule`.
const UNTIL_SEALED: Duration = Duration::from_secs(15 * 60);
const UNTIL_SENT: Duration = Duration::from_secs(75 * 60);
const SENT_FROM: &str = "2026-12-02T00:10:00";
const SENT_UNTIL: &str = "2026-12-02T01:11:00";

#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn a_day_that_ends_is_sealed_and_sent_by_the_daemon_that_watched_it() -> Result<()> {
    machine::inside_from(NAME, EVENING, || {
        let home = Home::build(Plan::PLAIN)?;
        let observatory = Observatory::open(&home.internet)?;
        let agent = Agent::new(&home.router.namespace, "auto")?;
        let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 55)?;
        agent.open_gates(&observatory, &[&phone.phone])?;
        let daemon = agent.watch()?;
        let visits = all_visits();
        for &visit in &visits {
            phone.visit(visit)?;
        }
        daemon.hear_all()?;
        let evening = today()?;
        println!("all visits are over at {}", SystemClock.now());
        ensure!(agent.spooled()?.is_empty(), "the day is not over");

        let sealed = until_at_last("a sealed day", UNTIL_SEALED, || Ok(agent.spooled()?.pop()))?;
        println!("sealed at {}", SystemClock.now());
        ensure!(today()? == evening.plus(1), "midnight has come");
        let batch = file::from_bytes(&fs::read(&sealed)?)?;
        let batch = decode::batch(&batch.payload).map_err(|why| anyhow::anyhow!("{why:?}"))?;
        ensure!(batch.header().day == evening, "{:?}", batch.header());
        holds_the_truth(&home, &visits, &batch, Basis::Declared)?;
        let status = agent.status()?;
        ensure!(
            status["spool_batches"] == 1 && status["last_accepted"].is_null(),
            "it waits: {status}"
        );

        // What comes after midnight is another day's.
        phone.visit(visits[0])?;
        let accepted = |count| -> Result<Option<()>> {
            let counts = observatory.counts()?;
            Ok((counts[&Counter::BatchesAccepted] == count).then_some(()))
        };
        ensure!(accepted(0)?.is_some(), "nothing is sent at once");
        until_at_last("the collector's count", UNTIL_SENT, || accepted(1))?;
        println!("sent at {}", SystemClock.now());
        let status = until_at_last("the receipt", PATIENCE, || {
            let status = agent.status()?;
            Ok((!status["last_accepted"].is_null()).then_some(status))
        })?;
        let received = status["last_accepted"].as_str().context("a time")?;
        // Such times sort as texts do.
        ensure!(
            (SENT_FROM..SENT_UNTIL).contains(&received),
            "within the hour that it may choose from: {status}"
        );
        ensure!(status["spool_batches"] == 0, "{status}");
        ensure!(
            status["losses"].as_object().context("counts")?.is_empty(),
            "{status}"
        );
        ensure!(
            status["daemon"]["last_day"] == evening.to_string(),
            "{status}"
        );
        ensure!(status["daemon"]["trouble"].is_null(), "{status}");

        daemon.end()?;
        let parts = agent.parts()?;
        let [(_, part)] = &parts[..] else {
            anyhow::bail!("one part of the new day: {parts:?}");
        };
        ensure!(part.header().day == evening.plus(1), "{part:?}");
        ensure!(part.observations().len() == 1, "{part:?}");
        Ok(())
    })
}

fn today() -> Result<Day> {
    SystemClock.now().day().context("after 1970")
}
