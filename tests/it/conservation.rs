//! In = out + each counted loss, at every stage, on captures of all kinds.

use anyhow::{Context as _, Result, ensure};
use phonehome_agent::batch;
use phonehome_agent::capture::CaptureError;
use phonehome_agent::observe::{Account, Contact, Observer, Rules};
use phonehome_agent::run::world::{self, Unlisted, World};
use phonehome_proto::batch::Source;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::endpoint::EndpointList;
use phonehome_proto::id::{Audience, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::observation::{NamedBy, VolumeTrust};
use phonehome_tests::captures;
use phonehome_tests::traffic::{day, population};
use std::path::Path;

#[test]
fn nothing_is_lost_uncounted_in_others_captures() -> Result<()> {
    let Some(files) = captures::files("conservation") else {
        return Ok(());
    };
    let mut frames = 0;
    for file in &files {
        // A file nothing can be read from gives nothing, and says why.
        if read(file).is_ok() {
            frames += balance(file)?;
        }
    }
    ensure!(frames > 1_000, "the captures were read: {frames} frames");
    Ok(())
}

#[test]
fn nothing_is_lost_in_a_synthetic_home() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("home.pcap");
    let home = &population::homes(population::SEED, 1)[0];
    let days = day::days_at_home(home, "2026-W46".parse()?);
    day::write(home, &days, day::Pace::QUIET, &file)?;
    balance(&file)?;
    let counts = read(&file)?.counts;
    ensure!(counts.capture.lost.total() == 0, "no frame is lost");
    ensure!(
        counts.packets.skipped.total() == 0,
        "every frame is a packet"
    );
    Ok(())
}

/// Checks every stage's sum; gives the number of frames.
fn balance(file: &Path) -> Result<u64> {
    let world = read(file)?;
    let counts = &world.counts;
    let name = file.display();
    ensure!(
        counts.capture.frames == counts.packets.frames,
        "{name}: frames reach packet"
    );
    let read = counts.packets.packets + counts.packets.skipped.total();
    ensure!(counts.packets.frames == read, "{name}: packets and skipped");
    ensure!(
        counts.packets.packets == counts.flows.packets,
        "{name}: packets reach flow"
    );
    let listed: u64 = world
        .flows
        .iter()
        .map(|seen| seen.flow.up.packets + seen.flow.down.packets)
        .sum();
    let unlisted = counts.unlisted.of(Unlisted::Packets);
    ensure!(
        counts.flows.packets == listed + unlisted,
        "{name}: packets in flows"
    );
    let flows = u64::try_from(world.flows.len())? + counts.unlisted.of(Unlisted::Flows);
    ensure!(counts.flows.flows == flows, "{name}: flows given");
    observed(&world).with_context(|| name.to_string())?;
    Ok(counts.capture.frames)
}

/// Has every device allowed and every flow observed: a contact is part of an observation, or withheld
/// for a reason; an observation is in exactly one batch.
fn observed(world: &World) -> Result<()> {
    let devices = &world.devices;
    let allowed = devices.ids().map(|id| devices.tag(id)).collect();
    let mut observer = Observer::new(Rules {
        allowed,
        purpose: Purpose::Exercise,
        list: EndpointList::compiled_in(),
    });
    for seen in &world.flows {
        let flow = &seen.flow;
        let name = flow
            .named
            .name
            .as_ref()
            .map(|name| (name.as_str(), NamedBy::Sni));
        let contact = Contact {
            start: flow.start,
            client: flow.client.address,
            server: flow.server.address,
            service: flow.service,
            name,
            is_intercepted: flow.is_intercepted,
            tap: Account {
                bytes_up: flow.up.bytes,
                bytes_down: flow.down.bytes,
                trust: VolumeTrust::Exact,
            },
            kernel: None,
            rtt: flow.rtt.map(|rtt| (rtt.nanos_min, rtt.samples)),
        };
        let decided = observer.handle_contact(&contact, seen.device.map(|id| devices.tag(id)));
        let counts = observer.counts();
        ensure!(
            counts.contacts == counts.observed + counts.withheld.total(),
            "after {decided:?}"
        );
    }
    let verdicts = devices
        .ids()
        .map(|id| (devices.tag(id), devices.verdict(id)))
        .collect();
    let (days, counts) = observer.finish(Source::File, &verdicts);
    ensure!(
        counts.contacts == u64::try_from(world.flows.len())?,
        "every flow reaches observe"
    );
    ensure!(
        counts.contacts == counts.observed + counts.withheld.total(),
        "{counts:?}"
    );
    for day in &days {
        let mut chance = SeededChance::new(1);
        let (audience, home) = (Audience::new([1; 32]), HomeId::new([2; 32]));
        let batches = batch::batches(day, audience, home, &mut chance);
        let told: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch.observations())
            .collect();
        ensure!(
            told.iter().copied().eq(&day.observations),
            "each observation is in one batch"
        );
    }
    let connections: u64 = days
        .iter()
        .flat_map(|day| &day.observations)
        .map(|observation| observation.connections().floor())
        .sum();
    ensure!(connections <= counts.observed, "steps round down");
    ensure!(
        (connections == 0) == (counts.observed == 0),
        "what is observed is told"
    );
    Ok(())
}

fn read(file: &Path) -> Result<World, CaptureError> {
    world::read(file, 7, &[7; 32], std::iter::empty())
}
