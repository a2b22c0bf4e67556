//! Whose a file is.
//!
//! A folder's owner owns what is in it. Files are looked at and handed over through an open descriptor,
//! never by name, so that nobody can put another in their place in between.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Why a folder is no place for a household's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposed {
    /// Others than its owner may write to it.
    Writable,
    /// It is a link that another user made, who could turn it elsewhere.
    ForeignLink,
    /// It is something else.
    NoFolder,
}

/// Opens no symbolic link (open(2)).
pub(super) const NO_LINK: i32 = libc::O_NOFOLLOW;

/// Folders within folders, at most, that are handed over: a state folder has one level.
const DEPTH_MAX: usize = 4;

const ROOT: u32 = 0;

/// Whether only its owner can write to a folder, and nobody else decides where it is.
///
/// # Errors
/// Whatever the disk says.
pub fn is_private(folder: &Path) -> io::Result<Result<(), Exposed>> {
    let here = fs::symlink_metadata(folder)?;
    let behind = fs::metadata(folder)?;
    Ok(if !behind.is_dir() {
        Err(Exposed::NoFolder)
    } else if here.is_symlink() && here.uid() != ROOT && here.uid() != behind.uid() {
        Err(Exposed::ForeignLink)
    } else if behind.mode() & 0o022 != 0 {
        Err(Exposed::Writable)
    } else {
        Ok(())
    })
}

/// Gives a folder and all that is in it to a user. Links are not followed, and are not given: a file
/// with a second name could be anybody's.
///
/// # Errors
/// Whatever the disk says; for one with a second name, [`io::ErrorKind::InvalidData`].
pub fn give(folder: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let mut open = vec![(folder.to_path_buf(), 0)];
    while let Some((path, depth)) = open.pop() {
        // The folder itself may stand behind a link, which `is_private` looks at.
        let it = if depth == 0 {
            File::open(&path)?
        } else {
            open_any(&path)?
        };
        let meta = it.metadata()?;
        if meta.is_file() && meta.nlink() > 1 {
            let twice = format!("{} has a second name", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, twice));
        }
        if (meta.uid(), meta.gid()) != (uid, gid) {
            fchown(&it, Some(uid), Some(gid))?;
        }
        if meta.is_dir() && depth < DEPTH_MAX {
            open.extend(inside(&path)?.into_iter().map(|path| (path, depth + 1)));
        }
    }
    Ok(())
}

/// The files and folders in a folder; nothing else is given.
fn inside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() || kind.is_dir() {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// Opens what stands there to look at it, whatever its kind, but no link.
fn open_any(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(NO_LINK | libc::O_NONBLOCK)
        .open(path)
}

/// Opens a folder that was just made.
pub(super) fn open_folder(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(NO_LINK | libc::O_DIRECTORY)
        .open(path)
}

/// Gives what root just made to the owner of the folder it stands in. Anybody else's stays theirs.
pub(super) fn hand_over(made: &File, path: &Path) -> io::Result<()> {
    if made.metadata()?.uid() != ROOT {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = fs::metadata(folder)?;
    if folder.uid() == ROOT {
        return Ok(());
    }
    fchown(made, Some(folder.uid()), Some(folder.gid()))
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writable => {
                "can be written to by others than its owner; chmod go-w it, or name another folder"
            }
            Self::ForeignLink => "is a link that another user made; name the folder itself",
            Self::NoFolder => "is no folder",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    #[test]
    fn a_folder_others_write_to_is_told_apart() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(is_private(folder.path())?, Ok(()));
        for mode in [0o720, 0o702, 0o777] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode))?;
            assert_eq!(
                is_private(folder.path())?,
                Err(Exposed::Writable),
                "{mode:o}"
            );
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let link = folder.path().join("link");
        symlink(folder.path(), &link)?;
        assert_eq!(is_private(&link)?, Ok(()), "the owner's own link");
        let file = folder.path().join("file");
        fs::write(&file, b"")?;
        assert_eq!(is_private(&file)?, Err(Exposed::NoFolder));
        Ok(())
    }

    #[test]
    #[ignore = "needs root: gives files away"]
    fn what_root_makes_belongs_to_the_folders_owner() -> anyhow::Result<()> {
        const NOBODY: u32 = 65_534;
        let folder = tempfile::tempdir()?;
        chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        let inner = folder.path().join("state/spool");
        crate::durable::make_folder(&inner)?;
        crate::durable::write(&inner.join("file"), b"x")?;
        crate::durable::open_to_lock(&inner.join("lock"))?;
        for path in [
            "state",
            "state/spool",
            "state/spool/file",
            "state/spool/lock",
        ] {
            let meta = fs::metadata(folder.path().join(path))?;
            assert_eq!((meta.uid(), meta.gid()), (NOBODY, NOBODY), "{path}");
        }
        give(folder.path(), 12_345, 12_346)?;
        let meta = fs::metadata(inner.join("file"))?;
        assert_eq!((meta.uid(), meta.gid()), (12_345, 12_346));

        let link = tempfile::tempdir()?;
        let link = link.path().join("link");
        symlink(folder.path(), &link)?;
        std::os::unix::fs::lchown(&link, Some(NOBODY), None)?;
        assert_eq!(is_private(&link)?, Err(Exposed::ForeignLink));
        Ok(())
    }

    #[test]
    #[ignore = "needs root: it is root who must not be led astray"]
    fn nobodys_link_leads_root_elsewhere() -> anyhow::Result<()> {
        let (folder, elsewhere) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let target = elsewhere.path().join("target");
        fs::write(&target, b"untouched")?;
        for name in ["file", "file.unfinished", "lock"] {
            symlink(&target, folder.path().join(name))?;
        }
        crate::durable::write(&folder.path().join("file"), b"new")?;
        assert!(crate::durable::open_to_lock(&folder.path().join("lock")).is_err());
        give(folder.path(), 12_345, 12_345)?;
        assert_eq!(fs::read(&target)?, b"untouched");
        assert_eq!(fs::metadata(&target)?.uid(), ROOT);

        fs::hard_link(&target, folder.path().join("second"))?;
        let refused = give(folder.path(), 12_345, 12_345).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::InvalidData));
        assert_eq!(fs::metadata(&target)?.uid(), ROOT);
        Ok(())
    }
}
