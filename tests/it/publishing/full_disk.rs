//! A disk that is really full, or may not be written: the last good release stays, and one sentence says why.
//!
//! Each disk is a small file system in memory, mounted where only the publisher sees it. What stands on it
//! when the publisher has ended is copied off before it vanishes.

use super::interrupted::{GOOD, NEXT, key, publish, publisher_command};
use anyhow::{Context, Result, ensure};
use phonehome_collector::publish;
use std::fs;
use std::path::Path;

/// The unit a file system in memory gives out.
const PAGE_BYTES: u64 = 4_096;

/// Mounts a disk with the options `$1` on `$2`, lays the folder `$3` on it, mounts it again with the options
/// `$4`, publishes with what follows, and copies what then stands there to `$5`.
const SCRIPT: &str = r#"
options=$1 disk=$2 good=$3 then=$4 after=$5; shift 5
mount -t tmpfs -o "$options" none "$disk"
cp -a "$good/." "$disk"
mount -o "remount,$then" "$disk"
code=0; "$@" || code=$?
cp -a "$disk/." "$after"
exit "$code"
"#;

/// What becomes of a publisher on such a disk: what it said, and what it left in `after`.
fn publish_on(options: &str, then: &str, good: &Path, after: &Path) -> Result<String> {
    let disk = tempfile::tempdir()?;
    let mut command = publisher_command(disk.path(), |program| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-euc", SCRIPT, "sh", options]);
        command.args([disk.path(), good]).arg(then).arg(after);
        command.arg(program);
        command
    })?;
    let output = command.output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(!output.status.success(), "it cannot be published: {said}");
    Ok(said)
}

#[test]
#[ignore = "needs root: mounts small file systems in a namespace of its own"]
fn a_full_or_read_only_disk_leaves_the_last_good_release() -> Result<()> {
    let good = tempfile::tempdir()?;
    publish(good.path(), GOOD)?;
    let folder = fs::read_dir(good.path().join(GOOD))?;
    let sizes = folder
        .map(|entry| Ok(entry?.metadata()?.len()))
        .collect::<Result<Vec<u64>>>()?;
    let pages: u64 = sizes.iter().map(|bytes| bytes.div_ceil(PAGE_BYTES)).sum();
    // The disk itself, the release's folder, its files.
    let names = sizes.len() + 2;
    let full = "No space left on device";
    let mut disks = Vec::new();
    // Room for so many pages more than the good release takes, and for so many names.
    for more in [0, 1, 16, pages / 2, pages - 1] {
        let options = format!("size={}", (pages + more) * PAGE_BYTES);
        disks.push((options, "rw", full));
    }
    for more in [0, 1, 5, sizes.len()] {
        disks.push((format!("nr_inodes={}", names + more), "rw", full));
    }
    disks.push(("size=64m".to_owned(), "ro", "Read-only file system"));
    for (options, then, reason) in disks {
        let after = tempfile::tempdir()?;
        let said = publish_on(&options, then, good.path(), after.path())?;
        let sentence = said.lines().find(|line| line.contains("cannot write '"));
        let sentence = sentence.with_context(|| format!("{options}: {said}"))?;
        ensure!(sentence.contains(reason), "{options}: {sentence}");
        let report = publish::verify(after.path(), Some(&key().public()))?;
        ensure!(report.releases.len() == 1, "{options}: {report:?}");
        ensure!(report.releases[0].id.to_string() == GOOD, "{report:?}");
        let draft = after.path().join(format!(".{NEXT}.draft"));
        ensure!(!draft.exists(), "{options}: it cleaned up");
    }
    Ok(())
}
