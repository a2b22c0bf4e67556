//! A week is placed by one database, a newer one arrives while the collector runs, and the week is
//! revised: once, in the open, and so that nobody can subtract the two.

use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::format::json;
use phonehome_collector::publish;
use phonehome_collector::release::{Cell, Column, PlaceStatus, Release};
use phonehome_collector::run::RunError;
use phonehome_collector::run::commands;
use phonehome_collector::weeks::{closes_at, destroyed_at};
use phonehome_proto::net::{Country, Prefix};
use phonehome_proto::time::{Clock, Week};
use phonehome_proto::vendor::Vendor;
use phonehome_tests::database::{self, Layout};
use phonehome_tests::traffic::day::Pace;
use phonehome_tests::traffic::ground::Ground;
use phonehome_tests::traffic::population;
use phonehome_tests::world::World;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Enough for the vendors' cells to pass the gate, and to change by more than ten homes.
const HOMES: u32 = 64;

/// 2026-12-01, after the embedded database and whatever has its name.
const BUILT: u64 = 1_796_083_200;

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

/// What DB-IP would say had it found out that Samsung's servers in Korea stand in `there`, and those of
/// clouds in Singapore in Hong Kong.
fn newer(world: &World, built: u64, there: &str) -> Result<PathBuf> {
    let mut rows = Vec::new();
    for ground in Ground::ALL
        .into_iter()
        .filter(|ground| *ground != Ground::Nowhere)
    {
        let code = match ground {
            Ground::SamsungKorea => there,
            Ground::AlibabaSingapore | Ground::AmazonSingapore => "HK",
            _ => ground.city().country,
        };
        let v4 = ground.prefixes().iter().map(|prefix| Prefix::V4(*prefix));
        let v6 = ground.prefix_v6().map(|[a, b, c]| {
            let [a, b, c] = [a, b, c].map(u16::to_be_bytes);
            Prefix::V6([a[0], a[1], b[0], b[1], c[0], c[1]])
        });
        let networks = v4.chain(v6).map(Prefix::first);
        rows.extend(networks.map(|first| ((first, if first.is_ipv4() { 24 } else { 48 }), code)));
    }
    let file = world.folder().join("dbip-country.mmdb");
    let bytes = database::write("DBIP-Country-Lite", built, Layout::Flat, rows);
    fs::write(&file, bytes)?;
    Ok(file)
}

fn cell(release: &Release, vendor: &str, code: &str) -> Option<Cell> {
    let vendor = Vendor::from_id(vendor)?;
    let column = Column::Country(Country::parse(code)?);
    release.server.get(&(vendor, column)).copied()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_gives_one_revision_with_difference_and_reason() -> Result<()> {
    let week = week()?;
    let mut world = World::begin(population::homes(population::SEED, HOMES), week, None).await?;
    world.live(week, Pace::QUIET, Arc::new(|_| ())).await?;
    let config = Config::load(&world.config)?;
    // Asks as another process would: with a ground of its own.
    let ask = async |world: &World| -> Result<String> {
        let ground = world.ground().await?;
        let found = commands::revise(&ground, week, world.clock.now()).await?;
        Ok(format!("{} {}", u8::from(found.is_finding), found.text))
    };
    ensure!(ask(&world).await?.starts_with("1 2026-W46 is open"));
    world.clock.set(closes_at(week));
    let said = ask(&world).await?;
    ensure!(said.contains("never released"), "{said}");
    world.close(week).await?;
    let said = ask(&world).await?;
    ensure!(said.starts_with("0 nothing changed: 2026-W46.0"), "{said}");

    // The running collector takes the newer database up by itself, in the place of the old one.
    let file = newer(&world, BUILT, "JP")?;
    let said = commands::geo_update(&config, std::slice::from_ref(&file))?.text;
    ensure!(
        said.contains("out of use: DB-IP Lite country of 2026-06-01"),
        "{said}"
    );
    ensure!(
        said.contains("in use: dbip-country of 2026-12-01"),
        "{said}"
    );
    let in_use = || world.collector.ground().atlas.now().sources();
    ensure!(
        in_use()[0].build == "2026-06-01",
        "not before its next tick"
    );
    ensure!(
        world.collector.tick().await?.is_empty(),
        "a tick revises nothing"
    );
    ensure!(in_use()[0].build == "2026-12-01");
    let status = commands::geo_status(&config)?;
    ensure!(!status.is_finding && status.text.contains("from     compiled in"));
    ensure!(
        status.text.contains("/atlas/dbip-country.2026-12-01."),
        "{}",
        status.text
    );

    let said = ask(&world).await?;
    ensure!(said == "0 revised: 2026-W46.1\n", "{said}");
    let ledger = fs::read_to_string(config.ledger())?;
    let is_told = ledger.contains(" released 2026-W46.1 ");
    ensure!(is_told, "a restore would not know of it");
    let said = ask(&world).await?;
    ensure!(said.starts_with("0 nothing changed: 2026-W46.1"), "{said}");
    let releases = world.releases().await?;
    let [first, revised] = &releases[..] else {
        anyhow::bail!("two releases: {}", releases.len());
    };
    let was = cell(first, "samsung", "KR").context("a cell")?;
    let moved = cell(revised, "samsung", "JP").context("a new column")?;
    let (was, moved) = (
        *was.numbers().context("shown")?,
        *moved.numbers().context("shown")?,
    );
    ensure!(
        (was.x_low, was.x_high, was.n) == (moved.x_low, moved.x_high, moved.n),
        "{was:?} {moved:?}"
    );
    let is = cell(revised, "samsung", "KR");
    ensure!(matches!(is, Some(Cell::Zero(_))), "{is:?}");
    // Xiaomi's names still say Singapore: two opinions, and both countries are candidates.
    let doubted = cell(revised, "xiaomi", "HK").context("a new column")?;
    let doubted = doubted.numbers().context("shown")?;
    ensure!(doubted.x_low == 0 && doubted.x_high > 0, "{doubted:?}");
    ensure!(doubted.place_status == PlaceStatus::Disputed);
    let russia = |release| cell(release, "xiaomi", "RU");
    ensure!(russia(first) == russia(revised), "what did not move stays");
    let told = revised.revision.as_ref().context("it is a revision")?;
    ensure!(
        told.reasons.len() == 2,
        "one database went, one came: {:?}",
        told.reasons
    );
    ensure!(!told.before.server.is_empty() && told.before.network.is_empty());
    ensure!(json::from_json(&json::to_json(revised))? == *revised);

    // Both are published side by side, and hold without us.
    let out = world.folder().join("published");
    let ground = world.ground().await?;
    commands::publish(&ground, &out).await?;
    let verified = publish::verify(&out, Some(&ground.identity.public()))?;
    let verified: Vec<String> = verified
        .releases
        .iter()
        .map(|one| one.id.to_string())
        .collect();
    ensure!(verified == ["2026-W46.0", "2026-W46.1"], "{verified:?}");
    let page = fs::read_to_string(out.join("2026-W46.1/index.html"))?;
    ensure!(
        page.contains("What this revision changed") && page.contains("dbip-country of 2026-12-01")
    );
    ensure!(!fs::read_to_string(out.join("2026-W46.0/index.html"))?.contains("What this revision"));

    // Older is refused by name, and once is all.
    let older = newer(&world, BUILT - 86_400, "KR")?;
    let refused = commands::geo_update(&config, &[older]);
    ensure!(matches!(&refused, Err(RunError::Older(_))), "{refused:?}");
    let newest = newer(&world, BUILT + 86_400, "KR")?;
    commands::geo_update(&config, &[newest])?;
    let said = ask(&world).await?;
    ensure!(
        said.starts_with("1 2026-W46 was revised before, as 2026-W46.1"),
        "{said}"
    );
    ensure!(world.releases().await? == releases);
    world.make_final(week).await?;
    world.clock.set(destroyed_at(week));
    let said = ask(&world).await?;
    ensure!(said.starts_with("1 2026-W46 is final"), "{said}");
    world.end().await;
    Ok(())
}
