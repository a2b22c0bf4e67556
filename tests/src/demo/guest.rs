//! The user's own capture as a home of the exercise: what it sends is shown before it is sent.

use crate::traffic::city::BERLIN;
use crate::traffic::home::Home;
use crate::traffic::population;
use crate::world::World;
use anyhow::{Context, Result};
use phonehome_agent::run::status::Format;
use phonehome_agent::run::{Failure, enrol, household, preview};
use phonehome_collector::release::Release;
use phonehome_proto::vendor::Vendor;
use serde_json::Value;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Lets the home in, shows what it would send, and sends it.
pub(super) async fn welcome(
    world: &mut World,
    capture: &Path,
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let number = u32::try_from(world.homes.len()).context("too many homes")?;
    // In no network of the table: it is counted like any home, and weighs nothing in the gate.
    let home = Home::new(population::SEED, number, BERLIN, NO_NETWORK, &[]);
    let resident = world.settle(home).await?;
    let url = format!("https://{}", resident.relay.address());
    let agent = &mut resident.agent;
    let name = capture.display();
    writeln!(out, "{name} as a home of its own:")?;

    let rows = agent.devices(capture).with_context(|| name.to_string())?;
    let is = |known: Value| rows.iter().filter(move |row| row["is_phone"] == known);
    let mut phones: Vec<_> = is(Value::Bool(true)).collect();
    if phones.is_empty() {
        // A household may know better than the evidence.
        phones = is(Value::Null).take(UNSURE_MAX).collect();
        writeln!(
            out,
            "  nothing in it is known to be a phone; what may be one is taken for one"
        )?;
    }
    let mut quiet = Vec::new();
    household::consent_grant(&mut agent.environment, true, &mut quiet)?;
    for (number, row) in phones.iter().enumerate() {
        let tag = row["device"]
            .as_str()
            .context("a device has a tag")?
            .parse()?;
        let vendor = row["vendor"].as_str().and_then(Vendor::from_id);
        writeln!(
            out,
            "  device {tag}: {}",
            vendor.map_or("vendor unknown", Vendor::name)
        )?;
        let name = format!("phone {}", number + 1).parse()?;
        household::device_allow(&mut agent.environment, tag, name, None, &mut quiet)?;
    }
    household::send(&mut agent.environment, true, &mut quiet)?;
    let mut err = Vec::new();
    let known = url.parse()?;
    let invite = &resident.invite;
    enrol::enrol(
        &mut agent.environment,
        invite,
        Some(known),
        &mut quiet,
        &mut err,
    )
    .await?;

    writeln!(out, "exactly this is sent:")?;
    let files = [PathBuf::from(capture)];
    preview::preview(&mut agent.environment, &files, Format::Table, out, &mut err)?;
    match agent.report(&files, &url, invite).await {
        Ok(reported) => {
            write!(out, "{}", reported.out)?;
            write!(out, "{}", reported.err)?;
        }
        // A batch that is refused, such as a day of a closed week, is told and ends nothing.
        Err(error) => match error.downcast_ref::<Failure>() {
            Some(failure) => writeln!(out, "{failure}")?,
            None => return Err(error),
        },
    }
    Ok(())
}

/// Documentation space that belongs to no network of the exercise.
const NO_NETWORK: [u8; 6] = [0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff];

/// Devices taken for phones where none is known to be one.
const UNSURE_MAX: usize = 8;

/// The cells that differ between two releases of the same week, by their names.
pub(super) fn moved_cells(without: &Release, with: &Release) -> Vec<String> {
    let mut moved = Vec::new();
    for (name, without, with) in [
        ("server", &without.server, &with.server),
        ("network", &without.network, &with.network),
        ("owner", &without.owner, &with.owner),
    ] {
        differences(without, with, |(vendor, column)| {
            format!("{name} {vendor} {}", column.code())
        })
        .for_each(|cell| moved.push(cell));
    }
    differences(&without.home, &with.home, |(vendor, column, home)| {
        format!("home {vendor} {} {home:?}", column.code())
    })
    .for_each(|cell| moved.push(cell));
    differences(&without.endpoints, &with.endpoints, |(vendor, endpoint)| {
        format!("endpoints {vendor} {endpoint}")
    })
    .for_each(|cell| moved.push(cell));
    moved
}

fn differences<'a, K: Ord, V: PartialEq, T: Display>(
    without: &'a std::collections::BTreeMap<K, V>,
    with: &'a std::collections::BTreeMap<K, V>,
    name: impl Fn(&K) -> T + 'a,
) -> impl Iterator<Item = String> + 'a {
    let gone = without.keys().filter(|key| !with.contains_key(key));
    let other = with
        .iter()
        .filter(|(key, cell)| without.get(key) != Some(cell))
        .map(|(key, _)| key);
    gone.chain(other).map(move |key| name(key).to_string())
}
