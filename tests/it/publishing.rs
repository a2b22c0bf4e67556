//! A published release: the same bytes every time, and not one of them can be changed unseen.

// It names nothing of the collector: the same attack, from outside.
#[path = "../../collector/src/publish/tests/attack.rs"]
mod attack;
pub(crate) mod attacked;
mod by_hand;
mod full_disk;
mod interrupted;
mod printed;
mod readers;

use anyhow::{Context, Result, ensure};
use phonehome_collector::format::json;
use phonehome_collector::publish::{self, Origin, VerifyError};
use phonehome_collector::release::Release;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::seal::SigningKey;
use phonehome_tests::golden;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Files up to this size have every byte flipped, larger ones [`FLIPS`] of theirs in all.
const SMALL_BYTES_MAX: usize = 300;

/// Bytes flipped in larger files, chosen by a seed.
const FLIPS: u32 = 200;

struct Published {
    folder: TempDir,
    key: SigningKey,
    release: Release,
}

/// The small world's release.
fn small_world() -> Result<Release> {
    let text = fs::read_to_string(golden::root().join("tests/data/small-world.json"))?;
    Ok(json::from_json(&text)?)
}

impl Published {
    /// The small world's release, published once.
    fn new() -> Result<Self> {
        let published = Self {
            folder: tempfile::tempdir()?,
            key: SigningKey::from_seed(&[5; 32]),
            release: small_world()?,
        };
        let outcome = published.publish(published.folder.path())?;
        ensure!(outcome.written == [published.release.id], "{outcome:?}");
        Ok(published)
    }

    fn publish(&self, out: &Path) -> Result<publish::Outcome> {
        Ok(publish::publish(
            std::slice::from_ref(&self.release),
            out,
            &self.key,
        )?)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.release.id.to_string())
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files: Vec<_> = fs::read_dir(self.path())?
            .map(|file| Ok(file?.path()))
            .collect::<Result<_>>()?;
        files.sort();
        Ok(files)
    }

    fn is_refused(&self) -> bool {
        matches!(
            publish::verify(&self.path(), None),
            Err(VerifyError::Refused { .. })
        )
    }
}

#[test]
fn publishing_twice_gives_the_same_bytes() -> Result<()> {
    let published = Published::new()?;
    let again = published.publish(published.folder.path())?;
    ensure!(
        again.unchanged == [published.release.id] && again.written.is_empty(),
        "{again:?}"
    );
    let elsewhere = tempfile::tempdir()?;
    published.publish(elsewhere.path())?;
    for file in published.files()? {
        let name = file.file_name().context("a name")?;
        let other = elsewhere
            .path()
            .join(published.release.id.to_string())
            .join(name);
        ensure!(fs::read(&file)? == fs::read(other)?, "{}", file.display());
    }
    Ok(())
}

#[test]
fn a_published_release_verifies_and_says_whose_it_is() -> Result<()> {
    let published = Published::new()?;
    for folder in [published.path(), published.folder.path().to_path_buf()] {
        let report = publish::verify(&folder, None)?;
        ensure!(report.releases.len() == 1, "{report:?}");
        ensure!(
            report.releases[0].origin == Origin::Unproven,
            "nobody named a key"
        );
        let report = publish::verify(&folder, Some(&published.key.public()))?;
        ensure!(
            report.releases[0].origin == Origin::Proven,
            "the key was named"
        );
        let other = SigningKey::from_seed(&[6; 32]).public();
        ensure!(
            publish::verify(&folder, Some(&other)).is_err(),
            "another key was named"
        );
    }
    Ok(())
}

#[test]
fn any_flipped_byte_is_found() -> Result<()> {
    let published = Published::new()?;
    let mut large = Vec::new();
    let mut small = 0;
    for file in published.files()? {
        let bytes = fs::read(&file)?;
        if bytes.len() > SMALL_BYTES_MAX {
            large.push((file, bytes));
            continue;
        }
        small += 1;
        for at in 0..bytes.len() {
            flip(&published, &file, &bytes, at)?;
        }
    }
    ensure!(
        small >= 3 && large.len() >= 3,
        "{small} small files, {} larger",
        large.len()
    );
    let mut chance = SeededChance::new(11);
    for _ in 0..FLIPS {
        let count = u32::try_from(large.len())?;
        let (file, bytes) = &large[usize::try_from(chance.below(count))?];
        let at = usize::try_from(chance.below(u32::try_from(bytes.len())?))?;
        flip(&published, file, bytes, at)?;
    }
    publish::verify(&published.path(), None).context("restored, it verifies again")?;
    Ok(())
}

/// Flips one bit of a file, sees it refused, and restores it.
fn flip(published: &Published, file: &Path, bytes: &[u8], at: usize) -> Result<()> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1 << (at % 8);
    fs::write(file, &flipped)?;
    ensure!(published.is_refused(), "{}: byte {at}", file.display());
    fs::write(file, bytes)?;
    Ok(())
}

#[test]
fn a_file_added_missing_or_linked_is_found() -> Result<()> {
    let published = Published::new()?;
    let extra = published.path().join("note.txt");
    fs::write(&extra, "hello")?;
    ensure!(published.is_refused(), "a file was added");
    fs::remove_file(&extra)?;
    fs::create_dir(&extra)?;
    ensure!(published.is_refused(), "a folder was added");
    fs::remove_dir(&extra)?;

    let aside = tempfile::tempdir()?;
    for file in published.files()? {
        let moved = aside.path().join(file.file_name().context("a name")?);
        fs::rename(&file, &moved)?;
        ensure!(published.is_refused(), "{} is missing", file.display());
        symlink(&moved, &file)?;
        ensure!(published.is_refused(), "{} is a link", file.display());
        fs::remove_file(&file)?;
        fs::hard_link(&moved, &file)?;
        ensure!(
            published.is_refused(),
            "{} has a second name",
            file.display()
        );
        fs::remove_file(&file)?;
        fs::rename(&moved, &file)?;
    }
    publish::verify(&published.path(), None).context("restored, it verifies again")?;
    Ok(())
}

#[test]
fn what_stands_there_is_never_overwritten() -> Result<()> {
    let published = Published::new()?;
    let page = published.path().join("index.html");
    fs::write(&page, "another page")?;
    let outcome = published.publish(published.folder.path())?;
    ensure!(
        outcome.differing == [published.release.id] && outcome.is_finding(),
        "{outcome:?}"
    );
    ensure!(fs::read(&page)? == b"another page", "it was not touched");
    Ok(())
}
