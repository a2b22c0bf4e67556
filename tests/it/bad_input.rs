//! Bad input: everything readable is used, the rest is counted and named, and what stops a command is
//! one clear sentence with the right exit code.

use anyhow::{Result, ensure};
use phonehome_agent::run::inspect::{self, Format, Inspect};
use phonehome_agent::run::{Exit, Failure};
use phonehome_proto::time::{ManualClock, Timestamp};
use phonehome_tests::traffic::home::Home;
use phonehome_tests::traffic::{day, population};
use phonehome_tests::world::home::HomeAgent;
use std::fs;
use std::path::{Path, PathBuf};

/// What `inspect` said.
struct Said {
    rows: usize,
    err: String,
    result: Result<(), Failure>,
}

fn home() -> Home {
    population::homes(population::SEED, 1).remove(0)
}

fn good_capture(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("good.pcap");
    let home = home();
    day::write(&home, &day::days_at_home(&home, "2026-W46".parse()?), day::Pace::QUIET, &file)?;
    Ok(file)
}

fn inspect(folder: &Path, files: Vec<PathBuf>) -> Said {
    let clock = ManualClock::new(Timestamp::from_seconds(1_794_000_000));
    let mut agent = HomeAgent::new(home(), folder.join("state"), &clock);
    let request = Inspect { files, all: true, format: Format::Jsonl, geo: None };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let result = inspect::run(&mut agent.environment, &request, &mut out, &mut err);
    let rows = out.iter().filter(|byte| **byte == b'\n').count();
    Said { rows, err: String::from_utf8_lossy(&err).into_owned(), result }
}

fn is_one_sentence(failure: &Failure) -> Result<()> {
    let text = failure.to_string();
    ensure!(!text.is_empty() && !text.contains('\n'), "one sentence: {text:?}");
    Ok(())
}

#[test]
fn a_cut_capture_gives_what_it_holds() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let good = good_capture(folder.path())?;
    let whole = inspect(folder.path(), vec![good.clone()]);
    whole.result?;
    ensure!(whole.err.is_empty(), "nothing to tell: {}", whole.err);

    let bytes = fs::read(&good)?;
    let cut = folder.path().join("cut.pcap");
    fs::write(&cut, &bytes[..bytes.len() / 2 + 5])?;
    let half = inspect(folder.path(), vec![cut]);
    half.result?;
    ensure!((whole.rows / 4..whole.rows).contains(&half.rows), "{} of {}", half.rows, whole.rows);
    ensure!(half.err.contains("cut.pcap"), "the loss is named: {}", half.err);
    Ok(())
}

#[test]
fn a_corrupt_stretch_costs_only_itself() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let good = good_capture(folder.path())?;
    let whole = inspect(folder.path(), vec![good.clone()]);
    let mut bytes = fs::read(&good)?;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 500].fill(0xa5);
    let corrupt = folder.path().join("corrupt.pcap");
    fs::write(&corrupt, &bytes)?;
    let rest = inspect(folder.path(), vec![corrupt]);
    rest.result?;
    ensure!(rest.rows * 10 >= whole.rows * 9, "{} of {} rows left", rest.rows, whole.rows);
    ensure!(rest.err.contains("corrupt.pcap"), "the loss is named: {}", rest.err);
    Ok(())
}

#[test]
fn only_when_nothing_can_be_read_it_fails() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let good = good_capture(folder.path())?;
    let bad = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).map(|()| file)
    };
    let hopeless = [
        bad("empty.pcap", b"")?,
        bad("letter.pcap", b"Dear Sir or Madam, this is no capture.")?,
        bad("short.pcap", &[0xd4, 0xc3, 0xb2])?,
        folder.path().join("absent.pcap"),
    ];
    for file in &hopeless {
        let said = inspect(folder.path(), vec![file.clone()]);
        let Err(failure) = said.result else { anyhow::bail!("{} was read", file.display()) };
        ensure!(failure.exit() == Exit::BadInput, "{failure}: {:?}", failure.exit());
        is_one_sentence(&failure)?;
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        ensure!(said.err.contains(&*name), "{name} is named: {}", said.err);
    }
    let mut all = hopeless.to_vec();
    all.push(good);
    let said = inspect(folder.path(), all);
    said.result?;
    ensure!(said.rows > 0, "the one that can be read is used");
    ensure!(said.err.lines().count() >= hopeless.len(), "each other is named: {}", said.err);
    Ok(())
}
