//! Lists a person loads to look at their own captures with: they change what is shown, and nothing
//! that is told.

use anyhow::{Context, Result, ensure};
use phonehome_agent::run::inspect::{self, Format, Inspect, screen::Screen};
use phonehome_agent::run::status::Format as Document;
use phonehome_agent::run::{Exit, preview};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::time::{ManualClock, Timestamp};
use phonehome_tests::traffic::home::Home;
use phonehome_tests::traffic::{day, population};
use phonehome_tests::world::home::HomeAgent;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A home with an agent and a capture.
struct Ground {
    agent: HomeAgent,
    capture: PathBuf,
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let capture = folder.path().join("home.pcap");
        let home: Home = population::homes(population::SEED, 1).remove(0);
        let days = day::days_at_home(&home, "2026-W46".parse()?);
        day::write(&home, &days, day::Pace::QUIET, &capture)?;
        let clock = ManualClock::new(Timestamp::from_seconds(1_795_000_000));
        let agent = HomeAgent::new(home, folder.path().join("state"), &clock);
        Ok(Self {
            agent,
            capture,
            folder,
        })
    }

    fn list(&self, name: &str, text: &[u8]) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    fn inspect(&mut self, lists: &[&Path], format: Format) -> Result<(Vec<u8>, String)> {
        let request = Inspect {
            files: vec![self.capture.clone()],
            all: true,
            format,
            geo: None,
            map: None,
            screen: Screen::PLAIN,
            lists: lists.iter().map(|path| path.to_path_buf()).collect(),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        inspect::run(&mut self.agent.environment, &request, &mut out, &mut err)?;
        Ok((out, String::from_utf8(err)?))
    }

    /// What would be sent, to the byte: the same chance gives the same batch ids.
    fn preview(&mut self) -> Result<Vec<u8>> {
        let environment = &mut self.agent.environment;
        environment.chance = Box::new(SeededChance::new(7));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let files = [self.capture.clone()];
        preview::preview(environment, &files, Document::Json, &mut out, &mut err)?;
        Ok(out)
    }
}

fn rows(out: &[u8]) -> Result<Vec<Value>> {
    let lines = std::str::from_utf8(out)?.lines();
    Ok(lines.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

#[test]
fn lists_say_which_of_them_name_a_server_and_widen_nothing() -> Result<()> {
    let mut ground = Ground::new()?;
    // The first makes the home's keys, of the same chance.
    ground.preview()?;
    let before = ground.preview()?;
    ensure!(before.len() > 1_000, "something would be sent");
    let (plain, _) = ground.inspect(&[], Format::Jsonl)?;

    // Every server of the capture, one way or another, and what no endpoint list holds.
    let names: BTreeMap<String, u32> = rows(&plain)?
        .iter()
        .filter_map(|row| row["name"].as_str())
        .fold(BTreeMap::new(), |mut names, name| {
            *names.entry(name.to_owned()).or_default() += 1;
            names
        });
    let (one, flows) = names.first_key_value().context("names")?;
    let hosts = ground.list(
        "hosts",
        format!("0.0.0.0 localhost\n0.0.0.0 {one}\n").as_bytes(),
    )?;
    let all: String = names.keys().map(|name| format!("||{name}^\n")).collect();
    let adblock = format!("! all but one\n{all}@@||{one}^\n/banner/\n");
    let adblock = ground.list("easy.txt", adblock.as_bytes())?;

    let (out, err) = ground.inspect(&[&hosts, &adblock], Format::Jsonl)?;
    ensure!(
        err.contains("easy.txt: rules that name no whole host are left out: 1"),
        "{err}"
    );
    let mut listed = rows(&out)?;
    let path = |path: &Path| Value::from(path.to_string_lossy().into_owned());
    let mut counts = [0, 0, 0];
    for row in &mut listed {
        let lists = row.as_object_mut().and_then(|row| row.remove("lists"));
        let expected: &[Value] = match row["name"].as_str() {
            None => &[],
            Some(name) if name == one => &[path(&hosts)],
            Some(_) => &[path(&adblock)],
        };
        ensure!(lists == Some(Value::from(expected)), "{row}: {lists:?}");
        counts
            [usize::from(row["name"] == one.as_str()) + usize::from(row["name"].is_null()) * 2] +=
            1;
    }
    ensure!(counts[0] > 0 && counts[1] == *flows, "{counts:?}");
    // The contract's fields stay as they were.
    ensure!(listed == rows(&plain)?, "the other fields are the same");

    let (plain, _) = ground.inspect(&[], Format::Table)?;
    let (with, _) = ground.inspect(&[&hosts], Format::Table)?;
    let heading = |out: &[u8]| {
        String::from_utf8_lossy(out)
            .lines()
            .next()
            .map(ToOwned::to_owned)
    };
    ensure!(heading(&plain).is_some_and(|line| line.ends_with("  country")));
    ensure!(heading(&with).is_some_and(|line| line.ends_with("  lists")));

    ensure!(
        ground.preview()? == before,
        "what would be sent is the same, to the byte"
    );
    Ok(())
}

#[test]
fn a_list_that_is_wrong_is_refused_at_its_line() -> Result<()> {
    let mut ground = Ground::new()?;
    for (text, place) in [
        (
            &b"a.example.com\n*.com\n"[..],
            "line 2: a wildcard over a public suffix",
        ),
        (
            b"! x\n||co.uk^\n",
            "line 2: a wildcard over a public suffix",
        ),
        (b"a.example.com\n\xff\n", "line 2: this is not UTF-8"),
        (b"a.example.com\nwhat is this\n", "line 2: this is neither"),
        (&[b'a'; 20_000], "line 1: a line has at most 16384 bytes"),
    ] {
        let list = ground.list("bad.txt", text)?;
        let error = ground.inspect(&[&list], Format::Jsonl).err();
        let failure = error
            .as_ref()
            .and_then(|error| error.downcast_ref::<phonehome_agent::run::Failure>())
            .with_context(|| format!("{place}: taken"))?;
        let sentence = failure.to_string();
        ensure!(failure.exit() == Exit::BadInput, "{sentence}");
        ensure!(
            sentence.contains("bad.txt is refused: ") && sentence.contains(place),
            "{sentence}"
        );
    }
    let missing = ground.folder.path().join("missing.txt");
    let error = ground
        .inspect(&[&missing], Format::Jsonl)
        .err()
        .context("taken")?;
    ensure!(
        error.to_string().contains("missing.txt cannot be read"),
        "{error}"
    );
    Ok(())
}
