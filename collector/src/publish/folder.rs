//! Release folders on disk: written whole, renamed into place, never overwritten.
//!
//! Whenever a run ends, killed or out of disk, every folder that has its name is whole. What such a run
//! leaves behind is a draft with a hidden name, which [`super::verify()`] passes over and the next run
//! removes. Two runs at once wait for one another: the folder itself is the lock.

use super::{File, Log, signed_files};
use crate::release::{Release, ReleaseId};
use phonehome_proto::seal::SigningKey;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What a run of [`publish`] found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Folders written.
    pub written: Vec<ReleaseId>,
    /// Folders that stood there already, byte for byte.
    pub unchanged: Vec<ReleaseId>,
    /// Folders that stood there with other bytes; they were not touched.
    pub differing: Vec<ReleaseId>,
}

/// Why nothing could be published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The disk refused.
    #[error("cannot write '{path}': {source}")]
    Write {
        /// What was being written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk refused to show what is there.
    #[error("cannot read '{path}': {source}")]
    Read {
        /// What was being read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Outcome {
    /// Whether there is something for somebody to look at: other bytes, or nothing to publish.
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        !self.differing.is_empty() || (self.written.is_empty() && self.unchanged.is_empty())
    }
}

/// Writes each release that is not yet in `out` to a folder of its own. `releases` are all there are:
/// each folder lists those before it.
///
/// # Errors
/// [`PublishError`] when the disk refuses; folders already in place stay whole.
pub fn publish(
    releases: &[Release],
    out: &Path,
    key: &SigningKey,
) -> Result<Outcome, PublishError> {
    publish_some(releases, |_| true, out, key)
}

/// The same, of those of `releases` that are wanted.
///
/// # Errors
/// [`PublishError`] when the disk refuses; folders already in place stay whole.
pub fn publish_some(
    releases: &[Release],
    is_wanted: impl Fn(ReleaseId) -> bool,
    out: &Path,
    key: &SigningKey,
) -> Result<Outcome, PublishError> {
    let mut outcome = Outcome::default();
    if releases.is_empty() {
        return Ok(outcome);
    }
    fs::create_dir_all(out).map_err(write_error(out))?;
    // Released with the file, whatever becomes of this process.
    let lock = fs::File::open(out).map_err(write_error(out))?;
    lock.lock().map_err(write_error(out))?;
    remove_drafts(out)?;
    let mut in_order: Vec<&Release> = releases.iter().collect();
    in_order.sort_by_key(|release| release.id);
    let mut log = Log::new(&key.public());
    for release in in_order {
        log.add(release);
        if !is_wanted(release.id) {
            continue;
        }
        let files = signed_files(release, &log, key);
        let folder = out.join(release.id.to_string());
        if fs::symlink_metadata(&folder).is_ok() {
            let same = holds_exactly(&folder, &files).map_err(read_error(&folder))?;
            let list = if same {
                &mut outcome.unchanged
            } else {
                &mut outcome.differing
            };
            list.push(release.id);
        } else {
            put(out, &folder, &files)?;
            outcome.written.push(release.id);
        }
    }
    Ok(outcome)
}

/// Whether a folder holds these files and nothing else. A link is never the file it leads to.
fn holds_exactly(folder: &Path, files: &[File]) -> io::Result<bool> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(false);
    }
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    if entries.len() != files.len() {
        return Ok(false);
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() == bytes.len() as u64 => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        if fs::read(&path)? != *bytes {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The name of a release's folder while it is written.
fn draft_name(release: &str) -> String {
    format!(".{release}.draft")
}

/// Whether a name is that of a folder that was never finished.
pub(super) fn is_draft(name: &str) -> bool {
    let release = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(".draft"));
    release.is_some_and(|release| release.parse::<ReleaseId>().is_ok())
}

/// Removes what runs that did not end have left: it is nobody's.
fn remove_drafts(out: &Path) -> Result<(), PublishError> {
    let entries = fs::read_dir(out).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(read_error(out))? {
        if is_draft(&entry.file_name().to_string_lossy()) {
            fs::remove_dir_all(entry.path()).map_err(write_error(&entry.path()))?;
        }
    }
    Ok(())
}

/// Writes files to a hidden folder beside `folder` and renames it there, each step flushed.
fn put(out: &Path, folder: &Path, files: &[File]) -> Result<(), PublishError> {
    let name = folder
        .file_name()
        .expect("a release folder has a name")
        .to_string_lossy();
    let draft = out.join(draft_name(&name));
    let written = write_all(&draft, files).and_then(|()| {
        fs::rename(&draft, folder).map_err(write_error(folder))?;
        flush_folder(out).map_err(write_error(out))
    });
    if written.is_err() {
        // Best effort: the next run removes it too.
        drop(fs::remove_dir_all(&draft));
    }
    written
}

fn write_all(draft: &Path, files: &[File]) -> Result<(), PublishError> {
    fs::create_dir(draft).map_err(write_error(draft))?;
    for (name, bytes) in files {
        let path = draft.join(name);
        let write = || {
            let mut file = fs::File::create_new(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(write_error(&path))?;
    }
    flush_folder(draft).map_err(write_error(draft))
}

/// A new name is durable when its folder is.
fn flush_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Write { path, source }
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.to_owned();
    move |source| PublishError::Read { path, source }
}
