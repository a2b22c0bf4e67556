//! A disk without room, and one that takes nothing any more.
//!
//! In a mount namespace of the test's own: what it mounts is gone with it.

use crate::books;
use crate::load::Load;
use crate::process::{Process, Site, below, now, pause};
use anyhow::{Context, Result, ensure};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::time::{Clock, ManualClock, SystemClock};
use phonehome_tests::world;
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Says that the process has mounts of its own.
const OWN: &str = "PHONEHOME_OWN_MOUNTS";

/// Bytes of the small disk: more than the engine's log grows to before it is taken back.
const DISK_MEBIBYTES: u32 = 80;

/// Room that is left on it when it is filled.
const ROOM_BYTES: u64 = 1 << 20;

/// The exit code that says: unavailable, start me again.
const UNAVAILABLE: i32 = 69;

/// Times the disk fills up and is emptied.
const ROUNDS: u32 = 4;

const LIFE: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "mounts a file system: root"]
async fn a_full_disk_loses_nothing() -> Result<()> {
    if !own_mounts("disk::a_full_disk_loses_nothing")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (site, invites) = on_small_disk(folder.path()).await?;
    let load = Load::begin(site.address, site.audience()?, invites, 1);
    let mut dice = SeededChance::new(1);
    for round in 0..ROUNDS {
        let mut process = site.start()?;
        site.ready(&mut process).await?;
        pause(below(&mut dice, LIFE)).await;
        fill(folder.path())?;
        let status = process.end().await?;
        ensure!(
            status.code() == Some(UNAVAILABLE),
            "round {round}: {status}"
        );
        let last = last_line(&site)?;
        ensure!(
            last.ends_with("the disk is full"),
            "round {round}: {last:?}"
        );
        // As long as there is no room it says so, and does not begin.
        fill_up(folder.path())?;
        let status = site.start()?.end().await?;
        ensure!(
            status.code() == Some(UNAVAILABLE),
            "round {round}: {status}"
        );
        let last = last_line(&site)?;
        ensure!(
            last.ends_with("the disk is full"),
            "round {round}: {last:?}"
        );
        make_room(folder.path())?;
    }
    come_to_an_end(&site, load).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "mounts a file system: root"]
async fn a_read_only_disk_loses_nothing() -> Result<()> {
    if !own_mounts("disk::a_read_only_disk_loses_nothing")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (site, invites) = on_small_disk(folder.path()).await?;
    let load = Load::begin(site.address, site.audience()?, invites, 2);
    let mut process = site.start()?;
    site.ready(&mut process).await?;
    pause(LIFE).await;
    // The kernel turns a disk read-only under open files only when it fails: its answers are given here
    // by whoever traces the process.
    let mut tracer = refuse_writes(&process)?;
    let status = process.end().await?;
    ensure!(status.code() == Some(UNAVAILABLE), "{status}");
    let last = last_line(&site)?;
    ensure!(
        last.starts_with("phonehome-collector: the database failed"),
        "{last:?}"
    );
    tracer.wait()?;

    remount(folder.path(), "ro")?;
    let status = site.start()?.end().await?;
    ensure!(status.code() == Some(UNAVAILABLE), "{status}");
    let last = last_line(&site)?;
    ensure!(
        last.starts_with("phonehome-collector: the database"),
        "{last:?}"
    );
    remount(folder.path(), "rw")?;
    come_to_an_end(&site, load).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "mounts a file system: root"]
async fn a_full_disk_is_said_before_anybody_reports() -> Result<()> {
    if !own_mounts("disk::a_full_disk_is_said_before_anybody_reports")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (site, _) = on_small_disk(folder.path()).await?;
    let config = fs::read_to_string(&site.config)?;
    fs::write(
        &site.config,
        format!("{config}[admin]\nlisten = '127.0.0.1:0'\n"),
    )?;
    let clock = ManualClock::new(SystemClock.now());
    let collector = world::start(&site.config, &clock, 1).await?;
    let admin = collector.admin_address().context("an address")?;
    for _ in 0..ROUNDS {
        ensure!(ready(admin).await?.ends_with("\r\n\r\nready\n"));
        // Its log holds on to room that was its own before: what it writes goes well still.
        fill(folder.path())?;
        collector.tick().await?;
        let answer = ready(admin).await?;
        ensure!(
            answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\ndisk_full\n"),
            "{answer}"
        );
        make_room(folder.path())?;
        collector.tick().await?;
    }
    collector.stop().await;
    Ok(())
}

/// What is answered to whoever asks whether the collector is ready.
async fn ready(admin: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = b"GET /readyz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Serves again, and agrees with the clients' books.
async fn come_to_an_end(site: &Site, load: Load) -> Result<()> {
    let mut process = site.start()?;
    site.ready(&mut process).await?;
    pause(LIFE).await;
    let told = load.end().await?;
    ensure!(process.stop().await?.success(), "told to, it ends well");
    let wrong = books::open(site).await?.against(&told);
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let acknowledged = told.batches.values().flatten().count();
    ensure!(acknowledged > 100, "there was a load: {acknowledged}");
    ensure!(told.sent_away > 0, "homes were told when to come back");
    let log = site.log()?;
    ensure!(!log.contains("panicked"), "{log}");
    #[allow(clippy::print_stdout, reason = "the figures, with --nocapture")]
    {
        println!(
            "{acknowledged} batches held, {} requests sent away",
            told.sent_away
        );
    }
    Ok(())
}

async fn on_small_disk(folder: &Path) -> Result<(Site, Vec<Invite>)> {
    let site = Site::prepare(folder)?;
    let data = site.settings()?.data_dir;
    fs::create_dir_all(&data)?;
    let size = format!("size={DISK_MEBIBYTES}m,mode=700");
    run(Command::new("mount")
        .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
        .arg(&data))?;
    let invites = site.make(400).await?;
    Ok((site, invites))
}

/// Runs the test named `name` again in a mount namespace of its own, unless this is that run: then it
/// says so.
fn own_mounts(name: &str) -> Result<bool> {
    if std::env::var_os(OWN).is_some() {
        return Ok(true);
    }
    run(Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(std::env::current_exe()?)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(OWN, "1"))?;
    Ok(false)
}

/// Takes all room but a little.
fn fill(folder: &Path) -> Result<()> {
    fill_up(folder)?;
    let filler = fs::File::options().write(true).open(filler(folder))?;
    let length = filler.metadata()?.len();
    filler.set_len(length.saturating_sub(ROOM_BYTES))?;
    Ok(())
}

/// Takes all room.
fn fill_up(folder: &Path) -> Result<()> {
    let mut filler = fs::File::options()
        .create(true)
        .append(true)
        .open(filler(folder))?;
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![0; size];
        loop {
            match filler.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn make_room(folder: &Path) -> Result<()> {
    Ok(fs::remove_file(filler(folder))?)
}

fn filler(folder: &Path) -> std::path::PathBuf {
    folder.join("data/filler")
}

fn remount(folder: &Path, mode: &str) -> Result<()> {
    run(Command::new("mount")
        .args(["-o", &format!("remount,{mode}")])
        .arg(folder.join("data")))
}

/// From now on the kernel refuses the process every write to a file, as of a disk that is read-only.
fn refuse_writes(process: &Process) -> Result<std::process::Child> {
    let calls = "inject=pwrite64,fdatasync,fsync,ftruncate:error=EROFS";
    let tracer = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=pwrite64",
            "-e",
            calls,
            "-p",
        ])
        .arg(process.id().to_string())
        .spawn();
    tracer.context("strace is installed")
}

fn last_line(site: &Site) -> Result<String> {
    let log = site.log()?;
    Ok(log.lines().last().context("it said something")?.to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let begun = now();
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?} after {:?}: {}{}",
        now().duration_since(begun),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
