//! Bad input: everything readable is used, the rest is counted and named, and what stops a command is
//! one clear sentence with the right exit code.

use anyhow::{Context, Result, ensure};
use phonehome_agent::run::inspect::{self, Format, Inspect, screen::Screen};
use phonehome_agent::run::{Exit, Failure, household};
use phonehome_collector::config::Config;
use phonehome_collector::run::{Handle, RunError};
use phonehome_proto::id::BatchId;
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{ManualClock, Timestamp, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::traffic::home::Home;
use phonehome_tests::traffic::{day, population};
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use phonehome_tests::world::home::HomeAgent;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    day::write(
        &home,
        &day::days_at_home(&home, "2026-W46".parse()?),
        day::Pace::QUIET,
        &file,
    )?;
    Ok(file)
}

fn inspect(folder: &Path, files: Vec<PathBuf>) -> Said {
    let clock = ManualClock::new(Timestamp::from_seconds(1_794_000_000));
    let mut agent = HomeAgent::new(home(), folder.join("state"), &clock);
    let request = Inspect {
        files,
        all: true,
        format: Format::Jsonl,
        geo: None,
        map: None,
        screen: Screen::PLAIN,
        lists: Vec::new(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let result = inspect::run(&mut agent.environment, &request, &mut out, &mut err);
    let rows = out.iter().filter(|byte| **byte == b'\n').count();
    Said {
        rows,
        err: String::from_utf8_lossy(&err).into_owned(),
        result,
    }
}

fn is_one_sentence(failure: &Failure) -> Result<()> {
    let text = failure.to_string();
    ensure!(
        !text.is_empty() && !text.contains('\n'),
        "one sentence: {text:?}"
    );
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
    ensure!(
        (whole.rows / 4..whole.rows).contains(&half.rows),
        "{} of {}",
        half.rows,
        whole.rows
    );
    ensure!(
        half.err.contains("cut.pcap"),
        "the loss is named: {}",
        half.err
    );
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
    ensure!(
        rest.rows * 10 >= whole.rows * 9,
        "{} of {} rows left",
        rest.rows,
        whole.rows
    );
    ensure!(
        rest.err.contains("corrupt.pcap"),
        "the loss is named: {}",
        rest.err
    );
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
        let Err(failure) = said.result else {
            anyhow::bail!("{} was read", file.display())
        };
        ensure!(
            failure.exit() == Exit::BadInput,
            "{failure}: {:?}",
            failure.exit()
        );
        is_one_sentence(&failure)?;
        let name = file
            .file_name()
            .map(|name| name.to_string_lossy())
            .unwrap_or_default();
        ensure!(said.err.contains(&*name), "{name} is named: {}", said.err);
    }
    let mut all = hopeless.to_vec();
    all.push(good);
    let said = inspect(folder.path(), all);
    said.result?;
    ensure!(said.rows > 0, "the one that can be read is used");
    ensure!(
        said.err.lines().count() >= hopeless.len(),
        "each other is named: {}",
        said.err
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_cannot_start_says_why_in_one_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = ground::write(folder.path(), Reach::Direct, None)?;
    let clock = ManualClock::new("2026-W46".parse::<Week>()?.end());

    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let text = fs::read_to_string(&config)?;
    fs::write(
        &config,
        text.replace(
            "listen = \"127.0.0.1:0\"",
            &format!("listen = \"{address}\""),
        ),
    )?;
    unavailable(world::start(&config, &clock, 0).await, &address)?;

    fs::write(&config, &text)?;
    world::start(&config, &clock, 0).await?.stop().await;
    let database = Config::load(&config)?.database();
    fs::remove_file(&database)?;
    unavailable(world::start(&config, &clock, 1).await, "collector.db")?;
    ensure!(!database.exists(), "a lost database is not made anew");
    Ok(())
}

fn unavailable(started: Result<Handle>, named: &str) -> Result<()> {
    let Err(error) = started else {
        anyhow::bail!("it started")
    };
    let error = error.downcast::<RunError>()?;
    let said = error.to_string();
    ensure!(error.exit_code() == 69 && !said.contains('\n'), "{said}");
    ensure!(said.contains(named), "{named} is named: {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "mounts a small tmpfs, which takes root"]
async fn a_full_disk_stops_the_collector_and_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = ground::write(folder.path(), Reach::Direct, None)?;
    let disk = SmallDisk::mount(folder.path().join("data"), "400k")?;
    let week: Week = "2026-W46".parse()?;
    let clock = ManualClock::new(week.end());
    let mut collector = world::start(&config, &clock, 0).await?;
    let audience = collector.key().audience();
    let mut home = Liar::connect(1, collector.intake_address(), audience).await?;
    home.enrol(&collector.invite(1, "127.0.0.1:4317").await?[0])
        .await?;

    let mut receipts = Vec::new();
    let sealed = |home: &Liar, number: u16| {
        let mut header = home.header(week.monday(), 0);
        header.batch_id = BatchId::new([number.to_be_bytes(); 8].concat().try_into().expect("16"));
        home.sealed(header)
    };
    let mut full = None;
    for number in 0..2_000 {
        match home.submit(vec![sealed(&home, number)]).await {
            Ok(outcomes) => receipts.extend(outcomes),
            Err(error) => {
                full = Some((number, error));
                break;
            }
        }
    }
    let (number, _busy) = full.context("the disk is full before 2,000 batches are held")?;
    ensure!(
        receipts.len() == usize::from(number),
        "each has its receipt"
    );
    let failure = collector.failed().await;
    let said = failure.to_string();
    ensure!(failure.exit_code() == 69 && said.contains("full"), "{said}");
    collector.stop().await;

    disk.grow("8m")?;
    let collector = world::start(&config, &clock, 1).await?;
    let mut home = Liar::connect(1, collector.intake_address(), audience).await?;
    for (number, receipt) in (0..).zip(receipts) {
        let again = home.submit(vec![sealed(&home, number)]).await?;
        let same = match (again.as_slice(), receipt) {
            ([Outcome::Receipt(again)], Outcome::Receipt(receipt)) => *again == receipt,
            _ => false,
        };
        ensure!(same, "batch {number} was acknowledged, so it is held");
    }
    let last = home.submit(vec![sealed(&home, number)]).await?;
    ensure!(
        matches!(last.as_slice(), [Outcome::Receipt(_)]),
        "and the home may go on"
    );
    collector.stop().await;
    Ok(())
}

#[test]
#[ignore = "mounts a small tmpfs, which takes root"]
fn a_full_disk_stops_the_agent_and_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = SmallDisk::mount(folder.path().join("state"), "64k")?;
    let clock = ManualClock::new(Timestamp::from_seconds(1_794_000_000));
    let mut agent = HomeAgent::new(home(), disk.0.clone(), &clock);
    let mut out = Vec::new();
    household::consent_grant(&mut agent.environment, true, &mut out)?;
    let consent = fs::read(disk.0.join("consent"))?;
    // What is left of the disk goes to something else.
    let filler = disk.0.join("filler");
    while fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&filler)?
        .write_all(&[0; 512])
        .is_ok()
    {}
    let Err(failure) = household::send(&mut agent.environment, true, &mut out) else {
        anyhow::bail!("there was room")
    };
    ensure!(failure.exit() == Exit::Unavailable, "{failure}");
    is_one_sentence(&failure)?;
    ensure!(
        fs::read(disk.0.join("consent"))? == consent,
        "what was there is there"
    );
    fs::remove_file(&filler)?;
    household::send(&mut agent.environment, true, &mut out)?;
    Ok(())
}

/// A tmpfs of a few kilobytes, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf, size: &str) -> Result<Self> {
        fs::create_dir(&path)?;
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=700"),
                "tmpfs",
            ])
            .arg(&path)
            .status()?;
        ensure!(mounted.success(), "mounting takes root");
        Ok(Self(path))
    }

    fn grow(&self, size: &str) -> Result<()> {
        let grown = Command::new("mount")
            .args(["-o", &format!("remount,size={size},mode=700")])
            .arg(&self.0)
            .status()?;
        ensure!(grown.success(), "mounting takes root");
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have files open.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}
