//! Files that are whole or absent.
//!
//! Takes a path and bytes. When [`write()`] returns, the bytes are on the disk under that name; a
//! crash at any moment leaves the old file or the new one, never a part of either. What a crash can
//! leave besides is one temporary file, which [`sweep`] removes and nobody ever reads. Files are of
//! mode 0600 and new folders of mode 0700: what stands in them is the household's.
//!
//! Root types commands while the daemon runs as an ordinary user. So what root makes in another's
//! folder belongs to that other (`owner`), and no link that stands there is ever followed: whoever
//! owns a folder cannot make root write elsewhere.

mod owner;

pub use owner::{Exposed, give, is_private};

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How a file is called until it is whole.
const UNFINISHED: &str = ".unfinished";

/// Writes a file of mode 0600: beside its place, synced, renamed onto it, and the folder synced.
///
/// # Errors
/// Whatever the disk says; the old file, if there was one, still stands.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place(path, bytes)?;
    match path.parent() {
        Some(folder) => settle(folder),
        None => Ok(()),
    }
}

/// The first half of [`write()`]: the file is whole under its name, but a crash may still undo the
/// rename until its folder is [settled](settle). For many files of one folder.
///
/// # Errors
/// Whatever the disk says; the old file, if there was one, still stands.
pub fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path);
    let placed = (|| {
        // What a crash left there; that it cannot be removed shows in the next line.
        let _ = remove(&unfinished);
        let mut file = make_file(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    })();
    if placed.is_err() {
        // A full disk needs the room back. That it cannot be had tells nothing new.
        let _ = fs::remove_file(&unfinished);
    }
    placed
}

/// Makes the names in a folder durable.
///
/// # Errors
/// Whatever the disk says.
pub fn settle(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file; one that is not there is removed already. A crash may bring it back until its
/// folder is [settled](settle).
///
/// # Errors
/// Whatever the disk says.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Reads a file whole, if it is there and holds at most `bytes_max` bytes.
///
/// # Errors
/// Whatever the disk says; [`io::ErrorKind::FileTooLarge`] for one that is larger.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(
        &mut io::Read::take(file, bytes_max.saturating_add(1)),
        &mut bytes,
    )?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= bytes_max) {
        Ok(Some(bytes))
    } else {
        Err(io::ErrorKind::FileTooLarge.into())
    }
}

/// Opens a file that is there to be locked, and makes it if it is not there.
///
/// # Errors
/// Whatever the disk says; one that is a link is refused.
pub fn open_to_lock(path: &Path) -> io::Result<File> {
    match make_file(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new()
            .write(true)
            .custom_flags(owner::NO_LINK)
            .open(path),
        made => made,
    }
}

/// Makes a folder, and those it stands in, of mode 0700; one that is there stays as it is.
///
/// # Errors
/// Whatever the disk says.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => owner::hand_over(&owner::open_folder(path)?, path),
    }
}

/// Removes what a crash left unfinished in a folder.
///
/// # Errors
/// Whatever the disk says.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(UNFINISHED) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Makes a file of mode 0600 that was not there.
fn make_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    owner::hand_over(&file, path)?;
    Ok(file)
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_its_owner_reads_a_file() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let inner = folder.path().join("a/b");
        make_folder(&inner)?;
        let path = inner.join("file");
        write(&path, b"old")?;
        write(&path, b"new")?;
        assert_eq!(read(&path, 3)?.as_deref(), Some(&b"new"[..]));
        let mode = |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
        assert_eq!((mode(&path)?, mode(&inner)?), (0o600, 0o700));
        assert_eq!(
            read(&path, 2).map_err(|e| e.kind()),
            Err(io::ErrorKind::FileTooLarge)
        );
        remove(&path)?;
        remove(&path)?;
        assert_eq!(read(&path, 3)?, None);
        Ok(())
    }

    #[test]
    fn what_a_crash_left_is_swept() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        write(&path, b"whole")?;
        fs::write(unfinished(&path), b"ha")?;
        sweep(folder.path())?;
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        assert_eq!(read(&path, 9)?.as_deref(), Some(&b"whole"[..]));
        Ok(())
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        write(&path, b"old")?;
        // A folder in the temporary file's place fails the write for every user, root too.
        fs::create_dir(unfinished(&path))?;
        assert!(write(&path, b"new").is_err());
        assert_eq!(read(&path, 9)?.as_deref(), Some(&b"old"[..]));
        Ok(())
    }

    #[test]
    fn a_file_that_finds_no_place_leaves_nothing() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("taken");
        fs::create_dir(&path)?;
        assert!(write(&path, b"file").is_err());
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
