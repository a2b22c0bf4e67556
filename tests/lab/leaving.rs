//! A home that leaves while its collector is out of reach: nothing is heard any more, and the daemon tells
//! the collector when it can, over a restart too.
//!
//! In a machine where hours pass in seconds, since the daemon's tries are minutes apart.

use super::agent::{Agent, Daemon};
use super::home::{Home, Plan};
use super::machine;
use super::observatory::Observatory;
use super::patience::until_at_last;
use super::privileges::hears;
use super::router::Lan;
use anyhow::{Result, ensure};
use phonehome_collector::metrics::Counter;
use phonehome_tests::traffic::phone::{Make, Openness};
use std::time::Duration;

const NAME: &str = "leaving::a_collector_out_of_reach_is_told_when_it_is_back";

const NOON: &str = "2026-12-01T12:00:00";

/// The way to the collector ends in nothing.
const AWAY: &str = "table inet away {
      chain out {
        type filter hook output priority filter
        tcp dport 4317 drop
      }
    }";

/// Until a try has failed: five in a row, each given up after ten seconds.
const UNTIL_FAILED: Duration = Duration::from_secs(5 * 60);

/// Until another is made, at the latest.
const UNTIL_TOLD: Duration = Duration::from_secs(60 * 60);

#[test]
#[ignore = "needs root, qemu-system-x86, busybox-static, kmod and Debian's kernel"]
fn a_collector_out_of_reach_is_told_when_it_is_back() -> Result<()> {
    machine::inside_from(NAME, NOON, || {
        let home = Home::build(Plan::PLAIN)?;
        let observatory = Observatory::open(&home.internet)?;
        let agent = Agent::new(&home.router.namespace, "auto")?;
        let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 56)?;
        agent.open_gates(&observatory, &[&phone.phone])?;
        let mut daemon = agent.watch()?;
        ensure!(hears(daemon.id())? > 0, "it hears the home");

        home.router.rule(AWAY)?;
        let refused = agent.say(&["consent", "withdraw"]);
        let said = format!("{:?}", refused.err());
        ensure!(said.contains("signed and waits here"), "{said}");
        is_leaving(&agent, &mut daemon)?;
        // As when the router is started anew.
        daemon.end()?;
        ensure!(agent.state().withdrawal()?.is_some(), "it still waits");
        let mut daemon = agent.begin()?;
        is_leaving(&agent, &mut daemon)?;
        let status = agent.say(&["status"])?;
        ensure!(
            status.contains("telling the collector that you have left"),
            "{status}"
        );

        let table = ["delete", "table", "inet", "away"];
        home.router.namespace.run("nft", &table)?;
        let end = until_at_last("the daemon's end", UNTIL_TOLD, || daemon.ended())?;
        ensure!(end.success(), "{end}");
        let state = agent.state();
        ensure!(state.erasure()?.is_some(), "the collector's answer is kept");
        ensure!(
            state.withdrawal()?.is_none() && state.home_key()?.is_none(),
            "and nothing else"
        );
        let counts = observatory.counts()?;
        ensure!(counts[&Counter::WithdrawalsAccepted] == 1, "{counts:?}");
        Ok(())
    })
}

/// Waits until it has tried in vain; it hears nothing then.
fn is_leaving(agent: &Agent<'_>, daemon: &mut Daemon<'_>) -> Result<()> {
    until_at_last("a try in vain", UNTIL_FAILED, || {
        if let Some(end) = daemon.ended()? {
            anyhow::bail!("it ended: {end}");
        }
        // What the one before has left says so too.
        let is_running = agent.state().is_running()?;
        Ok((is_running && daemon.is("leaving")?).then_some(()))
    })?;
    ensure!(hears(daemon.id())? == 0, "it still hears something");
    Ok(())
}
