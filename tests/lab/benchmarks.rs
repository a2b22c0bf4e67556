//! What the agent costs its router while much passes: printed, beside its limit.

use super::agent::Agent;
use super::credentials::KeyExchange;
use super::exchange::Exchange;
use super::handset::{Carrier, Visit};
use super::home::{Home, Plan};
use super::observatory::Observatory;
use super::router::Lan;
use super::sites::{Family, XIAOMI_UPDATE};
use anyhow::Result;
use phonehome_tests::traffic::phone::{Make, Openness};
use std::time::Instant;

const GIBIBYTE: usize = 1 << 30;

/// Of one core's time while the bytes pass, in hundredths.
const LIMIT: f64 = 2.0;

#[test]
#[ignore = "a benchmark; needs root and network namespaces"]
fn bench_a_gibibyte_through_the_router() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let observatory = Observatory::open(&home.internet)?;
    let agent = Agent::new(&home.router.namespace, "auto")?;
    let phone = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 61)?;
    agent.open_gates(&observatory, &[&phone.phone])?;
    let daemon = agent.watch()?;
    let tls = Carrier::Tls(KeyExchange::PostQuantum);
    for (carrier, exchange) in [
        (tls, Exchange::Download(GIBIBYTE)),
        (tls, Exchange::Upload(GIBIBYTE)),
        (Carrier::Http, Exchange::UploadInPieces(GIBIBYTE)),
    ] {
        let before = daemon.processor_time()?;
        let start = now();
        phone.visit(Visit {
            site: XIAOMI_UPDATE,
            family: Family::V4,
            carrier,
            exchange,
        })?;
        let passed = now() - start;
        let used = daemon.processor_time()?.saturating_sub(before);
        let share = used.as_secs_f64() / passed.as_secs_f64() * 100.0;
        println!(
            "1 GiB, {exchange:?}: {passed:.2?}; the agent's processor time {used:.2?}, {share:.2} % of \
             a core, limit {LIMIT} %; its memory {} KiB",
            daemon.resident_bytes()? / 1_024
        );
    }
    daemon.end()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}
