//! The API as readers meet it: a collector of synthetic homes serves its releases on loopback, and programs
//! of others ask for them.

mod contract;
mod observatory;
mod one_liners;
mod ranges;
mod refusals;

use anyhow::{Context, Result, ensure};
use phonehome_collector::release::Release;
use phonehome_proto::time::Week;
use phonehome_tests::demo::FIRST_WEEK;
use phonehome_tests::traffic::day::Pace;
use phonehome_tests::traffic::population;
use phonehome_tests::world::World;
use std::sync::Arc;

/// A collector at work, and what it has released.
struct Served {
    world: World,
    /// The oldest first.
    releases: Vec<Release>,
}

impl Served {
    /// So many homes have lived through so many weeks.
    async fn after(homes: u32, weeks: usize) -> Result<Self> {
        let mut week: Week = FIRST_WEEK.parse()?;
        let homes = population::homes(population::SEED, homes);
        let mut world = World::begin(homes, week, Some("127.0.0.1:0")).await?;
        for _ in 0..weeks {
            world.live(week, Pace::QUIET, Arc::new(|_| ())).await?;
            world.close(week).await?;
            world.make_final(week).await?;
            week = week.next();
        }
        let releases = world.releases().await?;
        ensure!(releases.len() == weeks, "every week was released");
        Ok(Self { world, releases })
    }

    /// Where readers ask.
    fn url(&self) -> Result<String> {
        let address = self.world.collector.http_address();
        Ok(format!("http://{}", address.context("it serves readers")?))
    }

    /// What the API tells when nobody names a week.
    fn newest(&self) -> Result<&Release> {
        self.releases.last().context("a week was released")
    }
}
