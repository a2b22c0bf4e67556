//! Captures in, release out: a small world from end to end, held against the naive model.

use anyhow::{Context, Result, ensure};
use phonehome_collector::format::table::{Table, TableName};
use phonehome_collector::format::{csv, json};
use phonehome_collector::metrics::Counter;
use phonehome_collector::release::{Cell, Column, Release};
use phonehome_proto::limits;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::time::Week;
use phonehome_proto::vendor::Vendor;
use phonehome_tests::golden;
use phonehome_tests::oracle::{self, rounded};
use phonehome_tests::traffic::day::Pace;
use phonehome_tests::traffic::home::Home;
use phonehome_tests::traffic::population;
use phonehome_tests::world::World;
use std::collections::BTreeSet;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_small_world_says_what_the_naive_model_says() -> Result<()> {
    let week: Week = "2026-W46".parse()?;
    let homes = population::homes(population::SEED, 30);
    let mut world = World::begin(homes.clone(), week, None).await?;
    world.live(week, Pace::QUIET, Arc::new(|_| ())).await?;
    let metrics = world.collector.metrics();
    ensure!(
        metrics[&Counter::BatchesReceived] == metrics[&Counter::BatchesAccepted],
        "whatever an agent sends is taken: {metrics:?}"
    );
    ensure!(
        metrics[&Counter::EnrolmentsAccepted] == 30,
        "every home is in"
    );

    ensure!(
        world.releases().await?.is_empty(),
        "an open week has no numbers"
    );
    let made = world.close(week).await?;
    ensure!(made.len() == 1, "one week, one release: {made:?}");
    let release = world
        .releases()
        .await?
        .pop()
        .context("the release is kept")?;
    ensure!(release.purpose == Purpose::Exercise, "an exercise says so");
    agrees(&release, &homes)?;
    let table = Table::of(&release, TableName::Server);
    golden::check("tests/data/small-world.csv", csv::write(&table).as_bytes());
    golden::check(
        "tests/data/small-world.json",
        json::to_json(&release).as_bytes(),
    );
    world.make_final(week).await?;
    ensure!(
        world.releases().await? == [release],
        "a final week keeps its release"
    );
    world.end().await;
    Ok(())
}

/// Every cell of the server table is what the naive model adds up, behind the gate.
fn agrees(release: &Release, homes: &[Home]) -> Result<()> {
    let expected = oracle::by_server_country(homes);
    let mut states = BTreeSet::new();
    for ((vendor, column), cell) in &release.server {
        let place = format!("{vendor} {}", column.code());
        states.insert(cell.state());
        let n = asked(*vendor, homes);
        let x = match column {
            Column::Country(country) => expected
                .get(&(*vendor, country.as_str()))
                .map_or(0, |cell| cell.x),
            Column::Anycast | Column::Unknown => 0,
        };
        match cell {
            Cell::NoData => ensure!(n == 0, "{place}: {n} homes were asked"),
            Cell::Zero(numbers) => {
                ensure!(
                    x == 0 && numbers.n == rounded(n),
                    "{place}: {x} of {n}, {numbers:?}"
                );
            }
            Cell::Value(numbers) | Cell::Imprecise(numbers) => {
                let same = (numbers.x_low, numbers.x_high, numbers.n)
                    == (rounded(x), rounded(x), rounded(n));
                ensure!(same, "{place}: {x} of {n}, {numbers:?}");
                ensure!(
                    x >= limits::GATE_HOMES_MIN,
                    "{place}: {x} homes do not pass the gate"
                );
            }
            Cell::Suppressed => ensure!(n > 0, "{place}: nobody was asked"),
            Cell::NotApplicable => {}
        }
    }
    for (vendor, country) in expected.keys() {
        let country = Country::parse(country).context("a country")?;
        let cell = release.server.get(&(*vendor, Column::Country(country)));
        ensure!(cell.is_some(), "{vendor} {country} has a cell");
    }
    for state in ["imprecise", "zero", "suppressed", "no_data"] {
        ensure!(states.contains(state), "some cell is {state}: {states:?}");
    }
    Ok(())
}

/// Homes with a phone that can be told to be this vendor's.
fn asked(vendor: Vendor, homes: &[Home]) -> u32 {
    oracle::homes_with(homes).get(&vendor).copied().unwrap_or(0)
}
