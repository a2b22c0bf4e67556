//! Release folders on disk: written whole, renamed into place, never overwritten.

use super::{File, signed_files};
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

/// Writes each release that is not yet in `out` to a folder of its own.
///
/// # Errors
/// [`PublishError`] when the disk refuses; folders already in place stay whole.
pub fn publish(
    releases: &[Release],
    out: &Path,
    key: &SigningKey,
) -> Result<Outcome, PublishError> {
    let mut outcome = Outcome::default();
    if releases.is_empty() {
        return Ok(outcome);
    }
    fs::create_dir_all(out).map_err(write_error(out))?;
    for release in releases {
        let files = signed_files(release, key);
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

/// Writes files to a hidden folder beside `folder` and renames it there, each step flushed.
fn put(out: &Path, folder: &Path, files: &[File]) -> Result<(), PublishError> {
    let name = folder
        .file_name()
        .expect("a release folder has a name")
        .to_string_lossy();
    let draft = out.join(format!(".{name}.draft"));
    // A draft that is still there was left by a run that did not end; it is nobody's.
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(write_error(&draft)(error));
        }
        _ => {}
    }
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
