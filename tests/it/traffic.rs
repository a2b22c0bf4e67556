//! The generator, read by the agent: what was written is what is seen.

use anyhow::{Context, Result, ensure};
use phonehome_agent::capture::file::FileSource;
use phonehome_agent::capture::{Event, Frame};
use phonehome_agent::flow::{FlowLimits, FlowTable};
use phonehome_agent::name::{NameSource, NameStatus};
use phonehome_agent::packet::PacketCounts;
use phonehome_collector::geo::atlas::Atlas;
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::observation::Service;
use phonehome_proto::time::{ManualClock, Timestamp};
use phonehome_tests::traffic::ground::Ground;
use phonehome_tests::traffic::phone::Openness;
use phonehome_tests::traffic::{day, population, site};
use phonehome_tests::world::home::{self, HomeAgent};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

#[test]
fn the_agent_names_every_synthetic_connection() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("home.pcap");
    let mut named: BTreeMap<String, u32> = BTreeMap::new();
    let (mut by_source, mut with_ech, mut timed) = (BTreeMap::new(), 0, 0);
    for home in population::homes(population::SEED, 8) {
        let days = day::days_at_home(&home, "2026-W46".parse()?);
        ensure!(
            (5..=7).contains(&days.len()),
            "a home reports five to seven days"
        );
        day::write(&home, &days, day::Pace::QUIET, &file)?;
        let mut source = FileSource::open(&file)?;
        let (mut packets, mut table) =
            (PacketCounts::default(), FlowTable::new(FlowLimits::FILE, 7));
        let mut flows = Vec::new();
        loop {
            match source.next() {
                Event::Frame(frame) => read(&frame, &mut packets, &mut table),
                Event::Lost { why, .. } => anyhow::bail!("a frame was lost: {why:?}"),
                Event::Counters(_) | Event::Swept | Event::Idle => {
                    anyhow::bail!("a file has neither counters nor patience")
                }
                Event::End => break,
            }
            flows.extend(std::iter::from_fn(|| table.poll_expired()));
        }
        table.finish();
        flows.extend(std::iter::from_fn(|| table.poll_expired()));
        ensure!(
            packets.skipped.total() == 0,
            "every frame is a packet: {:?}",
            packets.skipped
        );
        for flow in flows {
            if matches!(flow.server.port, 53 | 67 | 68) {
                continue;
            }
            ensure!(
                flow.service != Service::Other,
                "{:?} is a service",
                flow.server
            );
            let name = flow.named.name.context("every connection says a name")?;
            *named.entry(name.as_str().to_owned()).or_default() += 1;
            *by_source
                .entry(flow.named.source.map(NameSource::as_str))
                .or_insert(0) += 1;
            with_ech += u32::from(flow.named.ech && flow.named.status == NameStatus::SniClear);
            timed += u32::from(flow.rtt.is_some_and(|rtt| rtt.nanos_min > 4_000_000));
        }
    }
    for source in ["sni", "quic", "http"] {
        ensure!(
            by_source
                .get(&Some(source))
                .is_some_and(|flows| *flows > 10),
            "{by_source:?}"
        );
    }
    ensure!(
        with_ech > 10 && timed > 100,
        "{with_ech} with GREASE, {timed} timed"
    );
    for page in &site::UNLISTED {
        ensure!(
            named.contains_key(page.host),
            "somebody reads {}",
            page.host
        );
    }
    ensure!(
        named.contains_key("sa.api.intl.miui.com"),
        "the story happens: {named:?}"
    );
    Ok(())
}

fn read(frame: &Frame<'_>, packets: &mut PacketCounts, table: &mut FlowTable) {
    if let Some(packet) = packets.read(frame) {
        table.handle_packet(&packet, packet.time);
    }
}

#[test]
fn grounds_stand_where_the_embedded_tables_say() -> Result<()> {
    let atlas = Atlas::embedded();
    for ground in Ground::ALL
        .into_iter()
        .filter(|ground| *ground != Ground::Nowhere)
    {
        let v4 = ground.prefixes().iter().map(|prefix| Prefix::V4(*prefix));
        let v6 = ground
            .prefix_v6()
            .map(|[a, b, c]| Prefix::of(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 1))));
        for prefix in v4.chain(v6) {
            let place = atlas.locate(prefix);
            let countries: Vec<_> = place.candidates().iter().map(Country::as_str).collect();
            ensure!(
                countries == [ground.city().country],
                "{ground:?} {prefix}: {place:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_phone_gives_away_as_much_as_its_home_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("home.pcap");
    let clock = ManualClock::new(Timestamp::from_seconds(1_794_000_000));
    let mut wrong = Vec::new();
    for home in population::homes(population::SEED, 24) {
        let days = day::days_at_home(&home, "2026-W46".parse()?);
        day::write(&home, &days[..1], day::Pace::QUIET, &file)?;
        let state = folder.path().join(home.number.to_string());
        let mut agent = HomeAgent::new(home, state, &clock);
        let rows = agent.devices(&file)?;
        for (phone, _) in &agent.home.phones {
            let row = home::row_of(phone, &rows).context("the capture shows every phone")?;
            let counted = row["vendor"] == phone.make.vendor().id() && row["basis"] != "circular";
            if counted != (phone.openness == Openness::Open) {
                wrong.push(format!("{:?} {:?}: {row}", phone.make, phone.openness));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
