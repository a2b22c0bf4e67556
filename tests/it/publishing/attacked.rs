//! The attack of the collector's own tests, on releases that were folded from batches.

use super::attack::{self, Listed, Published};
use anyhow::{Result, ensure};
use phonehome_collector::format::table::{Table, TableName};
use phonehome_collector::format::{csv, json};
use phonehome_collector::release::Release;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::vendor::Vendor;
use std::fs;
use std::path::Path;

#[test]
fn nothing_suppressed_can_be_worked_out_of_a_folded_release() -> Result<()> {
    attacked(&super::small_world()?)
}

/// Attacks every release in a folder; gives how many there are.
pub(crate) fn all_attacked(out: &Path) -> Result<usize> {
    let mut releases = 0;
    for folder in fs::read_dir(out)? {
        let text = fs::read_to_string(folder?.path().join("release.json"))?;
        attacked(&json::from_json(&text)?)?;
        releases += 1;
    }
    Ok(releases)
}

/// Attacks a release as somebody who has its tables and the public list.
fn attacked(release: &Release) -> Result<()> {
    let tables = TableName::ALL.map(|name| {
        let text = csv::write(&Table::of(release, name));
        (format!("{}.csv", name.file_stem()), text)
    });
    let listed = |vendor: &str, endpoint: &str| {
        let listed = EndpointId::all().find(|of| of.pattern() == endpoint);
        let listed = listed.expect("a listed endpoint");
        Listed {
            is_own: Vendor::from_id(vendor).is_some_and(|vendor| listed.is_own_of(vendor)),
            owner: listed.owner_country().as_str().to_owned(),
        }
    };
    let found = attack::attack(&Published {
        tables: tables.into(),
        listed: &listed,
        is_told_more: false,
    });
    ensure!(
        !found.suppressed.is_empty() && found.all.len() > 100,
        "there is something to find"
    );
    for (name, bounds) in &found.suppressed {
        let is_solved = bounds.least == bounds.most && bounds.most < attack::GATE;
        ensure!(
            !is_solved || is_nobody(release, name),
            "{}: {name:?}: {bounds:?}",
            release.id
        );
    }
    Ok(())
}

/// Whether the world's cell says, exactly, that nobody did it.
fn is_nobody(release: &Release, name: &[String]) -> bool {
    let [table, vendor, country, _] = name else {
        return false;
    };
    let mut cells = release.server.iter();
    let world = cells.find(|((of, at), _)| of.id() == vendor && at.code() == country);
    table == "home" && world.is_some_and(|(_, cell)| cell.state() == "zero")
}
