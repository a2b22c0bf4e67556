//! The whole observatory in one command: homes, agents, collector, a release, a site.
//!
//! Takes options, gives a published release and, unless it was to be done once, pages on
//! [`HTTP_ADDRESS`]. Everything it says goes to the writer it is given; progress goes to the
//! terminal, if there is one. It is an exercise, and everything it makes says so: the homes are
//! synthetic and stand in documentation networks.

mod guest;
mod progress;

use crate::traffic::day::Pace;
use crate::traffic::population::{self, NETWORKS};
use crate::world::World;
use anyhow::{Context, Result, bail};
use phonehome_agent::capture::file::FileSource;
use phonehome_agent::run::{Exit, Failure};
use phonehome_collector::format::table::TableName;
use phonehome_collector::publish::{self, Outcome};
use phonehome_collector::query::{self, Format, Question, Source, Subject};
use phonehome_collector::release::{Release, ReleaseId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::VerifyingKey;
use phonehome_proto::time::Week;
use progress::Progress;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Synthetic homes, at most [`HOMES_MAX`].
    pub homes: u32,
    /// Weeks they live through, 1 to [`WEEKS_MAX`].
    pub weeks: u32,
    /// Capture files that are homes of their own.
    pub captures: Vec<PathBuf>,
    /// Publish and end, instead of serving pages.
    pub once: bool,
    /// Where the release folders go.
    pub out: PathBuf,
}

/// Where pages are served.
pub const HTTP_ADDRESS: &str = "127.0.0.1:8080";

/// Homes of the world everybody sees first: enough for its story to pass its own gate, and none of
/// its counts so near a step that one more home would move it.
pub const HOMES: u32 = 70;

/// More homes than this are no demo: captures would take gigabytes.
pub const HOMES_MAX: u32 = 1_000;

/// A quarter of a year.
pub const WEEKS_MAX: u32 = 13;

/// The first week the homes live through.
pub const FIRST_WEEK: &str = "2026-W46";

/// Runs the demo; returns when it was to be done once, or when somebody presses Ctrl-C.
///
/// # Errors
/// A port in use, a disk that is full, a capture that cannot be read: one sentence each.
pub async fn run(options: &Options, out: &mut (dyn Write + Send)) -> Result<()> {
    // Dropping the world removes its folder, so nothing is left behind either way.
    let mut world = tokio::select! {
        turned = turn(options, out) => turned?,
        pressed = tokio::signal::ctrl_c() => {
            pressed?;
            bail!("stopped before anything was published");
        }
    };
    if let Some(address) = world.collector.http_address() {
        writeln!(out, "pages and API: http://{address} until Ctrl-C")?;
        out.flush()?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed?,
            failure = world.collector.failed() => return Err(failure.into()),
        }
    }
    world.end().await;
    Ok(())
}

/// Lets the homes live through their weeks and publishes; gives the world as it stands then.
async fn turn(options: &Options, out: &mut (dyn Write + Send)) -> Result<World> {
    for capture in &options.captures {
        // Told before the homes live through their weeks, not after.
        FileSource::open(capture).map_err(|error| {
            Failure::new(Exit::BadInput, format!("{}: {error}", capture.display()))
        })?;
    }
    let weeks = weeks(options.weeks);
    let http = (!options.once).then_some(HTTP_ADDRESS);
    let homes = population::homes(population::SEED, options.homes);
    let mut world = World::begin(homes, weeks[0], http).await?;
    let progress = Progress::new(options.homes);
    for week in &weeks {
        progress.week(*week);
        world.live(*week, Pace::USUAL, progress.watcher()).await?;
        if Some(week) == weeks.last() && !options.captures.is_empty() {
            progress.hide();
            welcome(&mut world, *week, &options.captures, out).await?;
        }
        progress.closing(*week);
        world.close(*week).await?;
        world.make_final(*week).await?;
    }
    progress.end();

    let releases = world.releases().await?;
    tell_world(&world, weeks.len(), progress.receipts(), out)?;
    let tables = [
        (TableName::Server, "where the servers stand"),
        (
            TableName::Network,
            "where the operators of their networks are registered",
        ),
        (
            TableName::Owner,
            "where the owners of their domains are registered",
        ),
    ];
    for (by, title) in tables {
        writeln!(out, "\n{title}")?;
        let question = Question {
            subject: Subject::Matrix,
            by,
            week: None,
        };
        query::run(&question, Source::Releases(&releases), Format::Table, out).await?;
    }
    publish(&world, &releases, &options.out, out).await?;
    Ok(world)
}

/// The weeks the homes live through.
fn weeks(count: u32) -> Vec<Week> {
    let first: Week = FIRST_WEEK.parse().expect("a week");
    let count = usize::try_from(count.clamp(1, WEEKS_MAX)).expect("a few");
    std::iter::successors(Some(first), |week| Some(week.next()))
        .take(count)
        .collect()
}

/// Lets the user's own captures be homes for a moment, and shows that they move no cell.
async fn welcome(
    world: &mut World,
    week: Week,
    captures: &[PathBuf],
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let ground = world.ground().await?;
    let weeks = ground.weeks(ground.keys());
    let without = weeks.fold(week, SLICES).await?;
    for capture in captures {
        guest::welcome(world, capture, out).await?;
    }
    let with = weeks.fold(week, SLICES).await?;
    let who = if captures.len() == 1 {
        "that home"
    } else {
        "those homes"
    };
    match guest::moved_cells(&without, &with).as_slice() {
        [] => writeln!(out, "{who} moved no cell of {week}\n")?,
        moved => writeln!(
            out,
            "cells of {week} that {who} moved: {}\n",
            moved.join(", ")
        )?,
    }
    Ok(())
}

fn tell_world(world: &World, weeks: usize, receipts: usize, out: &mut dyn Write) -> Result<()> {
    let countries: BTreeSet<_> = NETWORKS
        .iter()
        .map(|network| network.city.country)
        .collect();
    writeln!(
        out,
        "{} homes in {} countries and {} networks, weeks lived through: {weeks}, batches received \
         over gRPC: {receipts}",
        world.homes.len(),
        countries.len(),
        NETWORKS.len(),
    )?;
    Ok(())
}

/// Writes the release folders; those an earlier demo left there are replaced.
async fn publish(
    world: &World,
    releases: &[Release],
    folder: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let ground = world.ground().await?;
    for release in releases {
        remove_earlier(
            &folder.join(release.id.to_string()),
            release.id,
            &world.collector.key(),
        )?;
    }
    let Outcome { differing, .. } = publish::publish(releases, folder, ground.identity.key())?;
    if let Some(id) = differing.first() {
        bail!(
            "{} holds something else under the name of this release; give --out another folder",
            folder.join(id.to_string()).display()
        );
    }
    for release in releases {
        writeln!(
            out,
            "release: {}",
            folder.join(release.id.to_string()).display()
        )?;
    }
    writeln!(
        out,
        "to check it: phonehome-collector verify {}",
        folder.display()
    )?;
    Ok(())
}

/// Removes a release folder if it is provably an earlier demo's: whole, an exercise, and signed with
/// the key that every demo makes from the same seed.
fn remove_earlier(folder: &Path, id: ReleaseId, key: &VerifyingKey) -> Result<()> {
    let Ok(report) = publish::verify(folder, Some(key)) else {
        return Ok(());
    };
    let is_ours = |verified: &publish::VerifiedRelease| {
        verified.id == id && verified.purpose == Purpose::Exercise
    };
    if report.releases.iter().all(is_ours) {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// Folding in slices or not gives the same release.
const SLICES: u16 = 1;
