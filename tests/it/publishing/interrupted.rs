//! A publisher that is killed, or whose disk refuses, leaves the last good release in place.

use super::small_world;
use anyhow::{Context, Result, ensure};
use phonehome_collector::publish::{self, Outcome};
use phonehome_collector::release::Release;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::seal::SigningKey;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where the publisher publishes; without it, it is nobody's child and does nothing.
const OUT: &str = "PHONEHOME_PUBLISH_TO";
/// Publishers killed.
const KILLS: u32 = 24;
/// The release that stands there, and the one that is published.
pub(super) const GOOD: &str = "2026-W46.0";
pub(super) const NEXT: &str = "2026-W47.0";

pub(super) fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn releases() -> Result<Vec<Release>> {
    let good = Release {
        id: GOOD.parse()?,
        ..small_world()?
    };
    let next = Release {
        id: NEXT.parse()?,
        ..good.clone()
    };
    Ok(vec![good, next])
}

pub(super) fn publish(out: &Path, id: &str) -> Result<Outcome> {
    let id = id.parse()?;
    let outcome = publish::publish_some(&releases()?, |of| of == id, out, &key())?;
    Ok(outcome)
}

#[test]
#[ignore = "the process that the tests below start and kill"]
fn publisher() -> Result<()> {
    if let Some(out) = std::env::var_os(OUT) {
        publish(Path::new(&out), NEXT)?;
    }
    Ok(())
}

/// The publisher as a process of its own, started by the command that `starter` makes of its path.
pub(super) fn publisher_command(
    out: &Path,
    starter: impl FnOnce(&Path) -> Command,
) -> Result<Command> {
    let mut command = starter(&std::env::current_exe()?);
    command
        .args(["--exact", "publishing::interrupted::publisher", "--ignored"])
        .env(OUT, out);
    Ok(command)
}

/// The publisher at work, begun by `shell` if there is one.
fn start(out: &Path, shell: Option<&str>) -> Result<Child> {
    let mut command = publisher_command(out, |program| match shell {
        None => Command::new(program),
        Some(script) => {
            let mut command = Command::new("sh");
            command.args(["-c", script]).arg(program);
            command
        }
    })?;
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child)
}

/// How many files the draft has; none if there is no draft.
fn drafted(out: &Path) -> Option<usize> {
    let entries = fs::read_dir(out.join(format!(".{NEXT}.draft"))).ok()?;
    Some(entries.count())
}

#[test]
fn a_killed_publisher_leaves_the_last_good_release() -> Result<()> {
    let out = tempfile::tempdir()?;
    publish(out.path(), GOOD)?;
    let files = fs::read_dir(out.path().join(GOOD))?.count();
    let mut chance = SeededChance::new(46);
    let (mut halves, mut wholes) = (0, 0);
    for round in 0..KILLS {
        let enough = usize::try_from(chance.below(u32::try_from(files)? + 1))?;
        let mut child = start(out.path(), None)?;
        // Until so many files are written, or all of them stand in place.
        while child.try_wait()?.is_none() && drafted(out.path()).is_none_or(|are| are < enough) {
            std::thread::yield_now();
        }
        child.kill()?;
        child.wait()?;

        let next = out.path().join(NEXT);
        let is_whole = next.exists();
        halves += u32::from(!is_whole && drafted(out.path()).is_some());
        wholes += u32::from(is_whole);
        let report = publish::verify(out.path(), Some(&key().public()))
            .with_context(|| format!("round {round}, {enough} files"))?;
        ensure!(
            report.releases.len() == 1 + usize::from(is_whole),
            "{report:?}"
        );
        ensure!(report.releases[0].id.to_string() == GOOD, "{report:?}");
        if is_whole {
            fs::remove_dir_all(next)?;
        }
    }
    ensure!(
        halves > KILLS / 4,
        "killed at work {halves} times, {wholes} too late"
    );
    // Whoever comes next finds nothing in the way, and leaves nothing.
    let outcome = publish(out.path(), NEXT)?;
    ensure!(outcome.written.len() == 1, "{outcome:?}");
    let names = fs::read_dir(out.path())?.count();
    ensure!(names == 2, "{names} folders");
    Ok(())
}

#[test]
fn a_disk_that_refuses_leaves_the_last_good_release() -> Result<()> {
    let out = tempfile::tempdir()?;
    publish(out.path(), GOOD)?;
    // No file may grow beyond so many blocks: writes fail as on a full disk.
    for blocks in [0, 8, 64, 512] {
        let shell = format!(r#"trap '' XFSZ; ulimit -f {blocks}; exec "$0" "$@""#);
        let status = start(out.path(), Some(&shell))?.wait()?;
        ensure!(!status.success(), "{blocks} blocks are not enough");
        ensure!(drafted(out.path()).is_none(), "it cleaned up");
        let report = publish::verify(out.path(), Some(&key().public()))?;
        ensure!(report.releases.len() == 1, "{report:?}");
    }
    Ok(())
}

#[test]
fn two_publishers_at_once_write_one_release() -> Result<()> {
    let out = tempfile::tempdir()?;
    publish(out.path(), GOOD)?;
    let mut children = (0..3)
        .map(|_| start(out.path(), None))
        .collect::<Result<Vec<_>>>()?;
    for child in &mut children {
        ensure!(child.wait()?.success(), "the others found it done");
    }
    let report = publish::verify(out.path(), Some(&key().public()))?;
    ensure!(report.releases.len() == 2, "{report:?}");
    Ok(())
}
