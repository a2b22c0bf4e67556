//! The site in a real browser: `tests/browser/walk.mjs` says what every page is held to, `links.mjs` what a
//! folder on somebody's web server is.

use anyhow::{Context, Result, ensure};
use phonehome_collector::format::json;
use phonehome_collector::publish;
use phonehome_collector::run::commands;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::time::Week;
use phonehome_tests::demo::{FIRST_WEEK, HOMES};
use phonehome_tests::golden;
use phonehome_tests::programs::said;
use phonehome_tests::traffic::day::Pace;
use phonehome_tests::traffic::population;
use phonehome_tests::world::World;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// Files of the walk, copied beside what npm installs, so that nothing is installed into the tree.
const WALK: [&str; 4] = ["package.json", "package-lock.json", "walk.mjs", "links.mjs"];

#[test]
#[ignore = "needs chromium, node and npm, which fetches two pinned packages from its registry"]
fn every_page_holds_in_a_browser() -> Result<()> {
    let text = fs::read_to_string(golden::root().join("tests/data/small-world.json"))?;
    let older = json::from_json(&text)?;
    // A second week, so that there is something to slide to.
    let mut newer = older.clone();
    newer.id.week = older.id.week.next();
    let site = tempfile::tempdir()?;
    let releases = [older, newer];
    let key = SigningKey::from_seed(&[5; 32]);
    publish::publish(&releases, &site.path().join("releases"), &key)?;
    let releases: Vec<_> = releases.iter().collect();
    publish::write_site(&releases, site.path())?;

    let walk = installed()?;
    let site = site
        .path()
        .to_str()
        .context("a temporary folder has a plain name")?;
    run(walk.path(), "node", &["walk.mjs", site])
}

/// What the collector of a world of synthetic homes publishes, on a web server that knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, node, npm as above, and python3 as a web server"]
async fn a_published_site_is_whole_on_any_web_server() -> Result<()> {
    let first: Week = FIRST_WEEK.parse()?;
    let homes = population::homes(population::SEED, HOMES);
    let mut world = World::begin(homes, first, None).await?;
    for week in [first, first.next()] {
        world.live(week, Pace::USUAL, Arc::new(|_| ())).await?;
        world.close(week).await?;
        world.make_final(week).await?;
    }
    let site = tempfile::tempdir()?;
    let found = commands::publish_site(&world.ground().await?, site.path()).await?;
    ensure!(!found.is_finding, "{}", found.text);
    world.end().await;

    let walk = installed()?;
    let server = FileServer::of(site.path())?;
    run(walk.path(), "node", &["links.mjs", &server.url])
}

/// Python's file server on a port of its choice; ends when dropped.
struct FileServer {
    process: Child,
    url: String,
}

impl FileServer {
    fn of(folder: &Path) -> Result<Self> {
        let mut process = Command::new("python3")
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("python3 is not installed")?;
        let mut said = String::new();
        let stdout = process.stdout.take().context("it was piped")?;
        BufReader::new(stdout).read_line(&mut said)?;
        // Serving HTTP on 127.0.0.1 port 43211 (http://127.0.0.1:43211/) ...
        let url = said
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .map(|(url, _)| url.to_owned());
        let server = Self {
            process,
            url: url.unwrap_or_default(),
        };
        ensure!(!server.url.is_empty(), "the file server said {said:?}");
        Ok(server)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A folder with the walks and what they need.
fn installed() -> Result<TempDir> {
    let walk = tempfile::tempdir()?;
    for name in WALK {
        let from = golden::root().join("tests/browser").join(name);
        fs::copy(from, walk.path().join(name)).with_context(|| name.to_owned())?;
    }
    run(
        walk.path(),
        "npm",
        &["ci", "--no-audit", "--no-fund", "--ignore-scripts"],
    )?;
    Ok(walk)
}

/// Runs a program in a folder.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    said(Command::new(program).args(arguments).current_dir(folder)).map(drop)
}
