//! What leaves the home: the daemon watches a day's part, ends in the middle of it, tells it when the
//! day is over, and a collector beyond the line takes it. Held against what the servers counted.

mod midnight;

use super::agent::Agent;
use super::credentials::KeyExchange;
use super::exchange::Exchange;
use super::handset::{Carrier, Visit};
use super::home::{Home, Plan};
use super::observatory::Observatory;
use super::patience::until;
use super::router::Lan;
use super::sites::{
    Family, HUAWEI_TELEMETRY, SAMSUNG_TELEMETRY, Site, UNLISTED, XIAOMI_TELEMETRY, XIAOMI_UPDATE,
};
use super::truth::Both;
use anyhow::{Context, Result, ensure};
use phonehome_agent::seal::file;
use phonehome_collector::metrics::Counter;
use phonehome_proto::batch::{Batch, BatchHeader, Source};
use phonehome_proto::census::Basis;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, RttSamples, Service, VolumeTrust,
};
use phonehome_proto::scale::Magnitude;
use phonehome_proto::{decode, encode};
use phonehome_tests::traffic::phone::{Make, Openness};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What the observed phone does, over both Internets.
const VISITS: [(Site, Carrier, Exchange); 5] = [
    (
        XIAOMI_TELEMETRY,
        Carrier::Tls(KeyExchange::PostQuantum),
        Exchange::Upload(1_300_000),
    ),
    (XIAOMI_TELEMETRY, Carrier::Quic, Exchange::Download(400_000)),
    (
        XIAOMI_UPDATE,
        Carrier::Tls(KeyExchange::Classical),
        Exchange::Download(3_000_000),
    ),
    (XIAOMI_UPDATE, Carrier::Http, Exchange::Download(0)),
    (
        UNLISTED,
        Carrier::Tls(KeyExchange::Classical),
        Exchange::Download(100_000),
    ),
];

/// What a report tells apart.
type Key = (EndpointId, Destination, Service, NamedBy);

/// How long the daemon may take to seal what is over.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs root and network namespaces"]
fn a_days_report_is_what_the_servers_counted() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let observatory = Observatory::open(&home.internet)?;
    let agent = Agent::new(&home.router.namespace, "auto")?;
    let observed = home.phone(Lan::Main, Make::Xiaomi, Openness::Declared, 51)?;
    let denied = home.phone(Lan::Main, Make::Samsung, Openness::Open, 52)?;
    let guest = home.phone(Lan::Guest, Make::Huawei, Openness::Open, 53)?;
    agent.open_gates(&observatory, &[&observed.phone])?;
    agent.say(&["device", "deny", &agent.tag(&denied.phone)?.to_string()])?;

    let daemon = agent.watch()?;
    let visits = all_visits();
    for &visit in &visits {
        observed.visit(visit)?;
    }
    for (phone, site) in [(&denied, SAMSUNG_TELEMETRY), (&guest, HUAWEI_TELEMETRY)] {
        phone.visit(Visit { site, ..visits[0] })?;
    }
    daemon.hear_all()?;
    daemon.end()?;

    // The day is not over: what was seen of it stays at home until it is.
    ensure!(
        agent.spooled()?.is_empty(),
        "nothing is sealed before its day is over"
    );
    let parts = agent.parts()?;
    let [(path, part)] = &parts[..] else {
        anyhow::bail!("one part of one day: {parts:?}");
    };
    ensure!(
        part.coverage().source == Source::ConntrackAndTap,
        "{:?}",
        part.coverage()
    );
    holds_the_truth(&home, &visits, part, Basis::Declared)?;

    // It is over: the part is yesterday's now.
    fs::write(path, encode::batch(&yesterdays(part)?))?;
    let daemon = agent.watch()?;
    let sealed = until("a sealed batch", PATIENCE, || Ok(agent.spooled()?.pop()))?;
    daemon.end()?;
    let batch = file::from_bytes(&fs::read(&sealed)?)?;
    let batch = decode::batch(&batch.payload).map_err(|why| anyhow::anyhow!("{why:?}"))?;
    ensure!(
        batch.observations() == part.observations(),
        "what was seen is what is sealed"
    );

    // The daemon sends at an hour of its own choice; a household that cannot wait sends by hand.
    let by_hand = agent.state().spool_folder();
    fs::create_dir_all(&by_hand)?;
    fs::rename(&sealed, by_hand.join(sealed.file_name().context("a file")?))?;
    let said = agent.say(&["replay", "--collector", &Observatory::url()])?;
    ensure!(said.contains("receipt"), "{said}");
    let counts = observatory.counts()?;
    ensure!(counts[&Counter::BatchesAccepted] == 1, "{counts:?}");
    ensure!(
        agent.status()?["last_accepted"].is_string(),
        "{}",
        agent.status()?
    );
    Ok(())
}

/// Where the kernel keeps no account, the tap's is told.
#[test]
#[ignore = "needs root and network namespaces"]
fn without_a_connection_table_the_tap_alone_tells_the_same() -> Result<()> {
    let home = Home::build(Plan::PLAIN)?;
    let observatory = Observatory::open(&home.internet)?;
    let agent = Agent::new(&home.router.namespace, "tap")?;
    let observed = home.phone(Lan::Main, Make::Xiaomi, Openness::Open, 54)?;
    agent.open_gates(&observatory, &[&observed.phone])?;
    let daemon = agent.watch()?;
    let visits = all_visits();
    for &visit in &visits {
        observed.visit(visit)?;
    }
    daemon.hear_all()?;
    daemon.end()?;
    let parts = agent.parts()?;
    let [(_, part)] = &parts[..] else {
        anyhow::bail!("one part of one day: {parts:?}");
    };
    ensure!(
        part.coverage().source == Source::Tap,
        "{:?}",
        part.coverage()
    );
    // Nobody said whose phone it is; its address and its manners do.
    holds_the_truth(&home, &visits, part, Basis::Decisive)
}

/// Every contact with a listed endpoint is told once, in the class of what its server counted; and
/// nothing of anybody else is.
fn holds_the_truth(home: &Home, visits: &[Visit], part: &Batch, basis: Basis) -> Result<()> {
    ensure!(part.coverage().losses.is_empty(), "{:?}", part.coverage());
    ensure!(
        part.census().rows.len() == 1,
        "one vendor: {:?}",
        part.census()
    );

    let mut truths: BTreeMap<Key, Both> = BTreeMap::new();
    for &visit in visits {
        if let Some(key) = key(visit) {
            truths.insert(key, home.counted_at(visit)?);
        }
    }
    let mut told: BTreeMap<Key, &Observation> = BTreeMap::new();
    for observation in part.observations() {
        let key = observation.key();
        let whose = (key.vendor.id(), key.basis);
        ensure!(whose == ("xiaomi", basis), "{observation:?}");
        let key = (key.endpoint, key.destination, key.service, key.named_by);
        ensure!(
            told.insert(key, observation).is_none(),
            "twice: {observation:?}"
        );
    }
    ensure!(
        told.keys().eq(truths.keys()),
        "told {:?}, true {:?}",
        told.keys(),
        truths.keys()
    );
    for (key, truth) in truths {
        let observation = told[&key];
        let classes = (observation.bytes_up(), observation.bytes_down());
        let expected = (
            Magnitude::of(truth.up.bytes),
            Magnitude::of(truth.down.bytes),
        );
        ensure!(classes == expected, "{observation:?} of {truth:?}");
        ensure!(
            observation.connections() == Magnitude::of(1),
            "{observation:?}"
        );
        ensure!(
            observation.volume_trust() == VolumeTrust::Exact,
            "{observation:?}"
        );
        let is_timed = key.2 != Service::Quic;
        ensure!(observation.rtt().is_some() == is_timed, "{observation:?}");
        if let Some(rtt) = observation.rtt() {
            let step = (rtt.min.ms(), rtt.samples);
            ensure!(step == (5, RttSamples::OneToFour), "{observation:?}");
        }
    }
    Ok(())
}

fn all_visits() -> Vec<Visit> {
    [Family::V4, Family::V6]
        .into_iter()
        .flat_map(visits_over)
        .collect()
}

fn visits_over(family: Family) -> impl Iterator<Item = Visit> {
    VISITS
        .into_iter()
        .map(move |(site, carrier, exchange)| Visit {
            site,
            family,
            carrier,
            exchange,
        })
}

/// What a report is to call a visit; nothing if it is to say nothing of it.
fn key(visit: Visit) -> Option<Key> {
    let endpoint = EndpointId::of_name(visit.site.name)?;
    let prefix = Prefix::of(visit.site.address(visit.family));
    let (service, named_by) = match visit.carrier {
        Carrier::Http => (Service::Http, NamedBy::Http),
        Carrier::Tls(_) => (Service::Tls, NamedBy::Sni),
        Carrier::Quic => (Service::Quic, NamedBy::Quic),
    };
    Some((endpoint, Destination::Prefix(prefix), service, named_by))
}

/// The same of the day before.
fn yesterdays(part: &Batch) -> Result<Batch> {
    let header = BatchHeader {
        day: part.header().day.previous(),
        ..part.header().clone()
    };
    let (census, coverage) = (part.census().clone(), part.coverage().clone());
    Ok(Batch::new(
        header,
        census,
        coverage,
        part.observations().to_vec(),
    )?)
}
