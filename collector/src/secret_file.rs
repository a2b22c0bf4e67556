//! A file that holds one secret: 32 bytes as 64 hexadecimal digits and a line feed, mode 0600.
//!
//! Written once, durably (the file and the folder's entry), and never over another; read only while
//! nobody else can; destroyed by overwriting, as far as the disk allows, and unlinking.

use phonehome_proto::id::{Hash, from_hex, to_hex};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a secret file was not read or written.
#[derive(Debug, Error)]
pub enum SecretFileError {
    /// There is none.
    #[error("there is no key file at {}", .0.display())]
    Missing(PathBuf),
    /// Others than its owner may read or write it.
    #[error("the key file {} can be read by others: chmod 600 it, or make a new one if it was", .0.display())]
    Exposed(PathBuf),
    /// It does not hold 64 hexadecimal digits and a line feed.
    #[error("the key file {} holds no key", .0.display())]
    NotAKey(PathBuf),
    /// The system refused.
    #[error("the key file {path} cannot be used: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// 64 digits, a line feed, and one byte more to see that nothing follows.
const FILE_BYTES_MAX: u64 = 66;

/// The secret in the file at `path`.
///
/// # Errors
/// [`SecretFileError`] says what is wrong with it.
pub fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, SecretFileError> {
    let fail = |source| of_io(path, source);
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.permissions().mode() & 0o077 != 0 {
        return Err(SecretFileError::Exposed(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(fail)?;
    let digits = text.strip_suffix('\n').unwrap_or(&text);
    let bytes = from_hex(digits).map(Zeroizing::new);
    let secret = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    secret
        .map(Zeroizing::new)
        .ok_or_else(|| SecretFileError::NotAKey(path.to_owned()))
}

impl SecretFileError {
    /// Whether another was faster: there is a file already.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }
}

/// Writes `secret` to a new file at `path`; when this returns, it survives a power cut. The file is
/// there whole or not at all, whoever else makes one at the same moment.
///
/// # Errors
/// [`SecretFileError::Io`], also when there is a file already: that one stays as it is.
pub fn create(path: &Path, secret: &[u8; 32]) -> Result<(), SecretFileError> {
    let write = || {
        // Written under another name first: a torn key file would be taken for a damaged key for ever.
        let draft = draft(path, secret);
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        let mut text = Zeroizing::new(to_hex(secret));
        text.push('\n');
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            // Unlike a rename, never over another.
            .and_then(|()| std::fs::hard_link(&draft, path));
        let removed = std::fs::remove_file(&draft);
        written.and(removed).and_then(|()| sync_folder(path))
    };
    write().map_err(|source| of_io(path, source))
}

/// Destroys the file at `path`; one that is gone already is destroyed.
///
/// # Errors
/// [`SecretFileError::Io`]; the secret may still be there.
pub fn destroy(path: &Path) -> Result<(), SecretFileError> {
    let overwrite = || {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(&[b'0'; 64]).and_then(|()| file.sync_all())?;
        std::fs::remove_file(path).and_then(|()| sync_folder(path))
    };
    match overwrite() {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(of_io(path, source)),
        _ => Ok(()),
    }
}

/// What a file is called while it is written: by a few bits of a hash of what will be in it, so that no two
/// who share the folder, on whichever machines, write to the same one.
fn draft(path: &Path, secret: &[u8; 32]) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", &Hash::of(secret).to_hex()[..8]));
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn of_io(path: &Path, source: io::Error) -> SecretFileError {
    match source.kind() {
        io::ErrorKind::NotFound => SecretFileError::Missing(path.to_owned()),
        io::ErrorKind::InvalidData => SecretFileError::NotAKey(path.to_owned()),
        _ => SecretFileError::Io {
            path: path.to_owned(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_written_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("week.key");
        assert!(matches!(read(&path), Err(SecretFileError::Missing(_))));
        create(&path, &[7; 32]).expect("writes");
        assert_eq!(*read(&path).expect("reads"), [7; 32]);
        assert!(matches!(
            create(&path, &[8; 32]),
            Err(SecretFileError::Io { .. })
        ));
        assert_eq!(*read(&path).expect("reads"), [7; 32]);
        destroy(&path).expect("destroys");
        assert!(!path.exists());
        destroy(&path).expect("twice is as good");
    }

    #[test]
    fn damaged_and_exposed_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("week.key");
        create(&path, &[7; 32]).expect("writes");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("changes");
        assert!(matches!(read(&path), Err(SecretFileError::Exposed(_))));
        for text in [
            "",
            "07",
            "zz",
            &"07".repeat(33),
            &format!("{}\n\n", "07".repeat(32)),
            "\u{e9}",
        ] {
            std::fs::write(&path, text).expect("writes");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("changes");
            assert!(
                matches!(read(&path), Err(SecretFileError::NotAKey(_))),
                "{text:?}"
            );
        }
    }
}
