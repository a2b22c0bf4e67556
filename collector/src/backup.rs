//! A backup: the database's bytes, and at their end, in a kilobyte of text, what they are.
//!
//! Takes a copy of the database, gives a file that says whose it is, of which schema and hour, how far
//! its ledger went, and what its bytes hash to, signed by the collector. A file is a backup from the
//! moment it has its name: it is written under another one first, and never over one that is there.
//! Week keys are in none. `tail -c 1024 FILE` shows what a backup says of itself.

use crate::identity::Identity;
use crate::ledger::Head;
use phonehome_proto::id::{Audience, Hash, from_hex, to_hex};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::Timestamp;
use ring::digest::{Context, SHA256};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The collector's.
    pub audience: Audience,
    /// Findings, or an exercise.
    pub purpose: Purpose,
    /// Of the database.
    pub schema: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// The last link of the ledger in it.
    pub head: Head,
    /// Length of the database.
    pub bytes: u64,
    /// SHA-256 of the database.
    pub hash: Hash,
}

/// Why a backup was not written or read.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{} is there already: name a file that is not", .0.display())]
    Taken(PathBuf),
    /// The system refused.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It does not end as a backup does: it is none, or was cut off.
    #[error("{} is not a whole backup of a collector", .0.display())]
    NotWhole(PathBuf),
    /// Another collector made it.
    #[error("{} was made by another collector than the one of this identity", .0.display())]
    Foreign(PathBuf),
    /// It is of a collector with another purpose.
    #[error("{} is of a collector with another purpose", .0.display())]
    OtherPurpose(PathBuf),
    /// Its bytes are not those that were signed.
    #[error("{} was altered since it was made", .0.display())]
    Altered(PathBuf),
    /// A newer version of this program made it.
    #[error("{} has schema {found}, and this version knows only up to {known}", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// The newest this program can read.
        known: u32,
    },
}

/// Bytes of the text at the end.
pub const LABEL_BYTES: usize = 1_024;

/// Read at a time.
const BLOCK_BYTES: usize = 256 * 1024;

const TITLE: &str = "phonehome-backup 1";

/// A backup that is being written. Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    file: PathBuf,
    part: PathBuf,
    is_finished: bool,
}

impl Draft {
    /// Prepares to write a backup to `file`: makes an empty file, for its owner only, beside it.
    ///
    /// # Errors
    /// [`BackupError::Taken`] if there is such a file, or one is being written.
    pub fn begin(file: &Path) -> Result<Self, BackupError> {
        if fs::symlink_metadata(file).is_ok() {
            return Err(BackupError::Taken(file.to_owned()));
        }
        let part = beside(file, ".part");
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(&part);
        made.map_err(|source| of_io(&part, source))?;
        Ok(Self {
            file: file.to_owned(),
            part,
            is_finished: false,
        })
    }

    /// Where the database's bytes go.
    #[must_use]
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Signs what was written and gives the file its name; it is durable when this returns. Length and
    /// hash of `label` are those found.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no backup.
    pub fn finish(mut self, label: Label, identity: &Identity) -> Result<Label, BackupError> {
        let fail = |source| of_io(&self.part, source);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .open(&self.part)
            .map_err(fail)?;
        let (bytes, hash) = pass_on(&mut file, u64::MAX, None).map_err(fail)?;
        let label = Label {
            bytes,
            hash,
            ..label
        };
        file.write_all(label.seal(identity).as_bytes())
            .map_err(fail)?;
        file.sync_all().map_err(fail)?;
        // A link is refused where a name is taken; renaming would not be.
        fs::hard_link(&self.part, &self.file).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Taken(self.file.clone()),
            _ => of_io(&self.file, source),
        })?;
        fs::remove_file(&self.part).map_err(fail)?;
        self.is_finished = true;
        sync_folder(&self.file).map_err(|source| of_io(&self.file, source))?;
        Ok(label)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished {
            // Nothing more can be done about what cannot be removed.
            let _ = fs::remove_file(&self.part);
        }
    }
}

impl Label {
    /// What `file` says of itself, if the collector of `identity` made it and nobody altered what it says.
    ///
    /// # Errors
    /// [`BackupError`] says what is wrong with it.
    pub fn read(file: &Path, identity: &Identity, known: u32) -> Result<Self, BackupError> {
        let fail = |source| of_io(file, source);
        let mut opened = File::open(file).map_err(fail)?;
        let length = opened.metadata().map_err(fail)?.len();
        let not_whole = || BackupError::NotWhole(file.to_owned());
        let bytes = length
            .checked_sub(LABEL_BYTES as u64)
            .ok_or_else(not_whole)?;
        opened.seek(SeekFrom::Start(bytes)).map_err(fail)?;
        let mut text = String::new();
        // What is no text is no label.
        opened.read_to_string(&mut text).map_err(|_| not_whole())?;
        let (said, signature) = text.split_once("signature ").ok_or_else(not_whole)?;
        let label = Self::parse(said).ok_or_else(not_whole)?;
        let signature = from_hex(signature.trim_end()).ok_or_else(not_whole)?;
        if label.audience != identity.audience() {
            return Err(BackupError::Foreign(file.to_owned()));
        }
        if !identity.has_signed_ledger(said, &signature) || label.bytes != bytes {
            return Err(BackupError::Altered(file.to_owned()));
        }
        if label.purpose != identity.purpose() {
            return Err(BackupError::OtherPurpose(file.to_owned()));
        }
        if label.schema > known {
            return Err(BackupError::Newer {
                path: file.to_owned(),
                found: label.schema,
                known,
            });
        }
        Ok(label)
    }

    /// Copies the database in `file` to a new file at `to`, for its owner only, if its bytes are those
    /// that were signed.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no file at `to` unless there was one before.
    pub fn unpack(&self, file: &Path, to: &Path) -> Result<(), BackupError> {
        let mut from = File::open(file).map_err(|source| of_io(file, source))?;
        let fail = |source| of_io(to, source);
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(to);
        let mut copy = made.map_err(fail)?;
        let copied = pass_on(&mut from, self.bytes, Some(&mut copy)).and_then(|copied| {
            copy.sync_all()?;
            Ok(copied)
        });
        let problem = match copied {
            Ok(found) if found == (self.bytes, self.hash) => return Ok(()),
            Ok(_) => BackupError::Altered(file.to_owned()),
            Err(source) => fail(source),
        };
        // Half a database must not be taken for one.
        let _ = fs::remove_file(to);
        Err(problem)
    }

    /// The text, signed, at its full length.
    fn seal(&self, identity: &Identity) -> String {
        let said = self.text();
        let signature = to_hex(&identity.sign_ledger(&said));
        let mut text = format!("{said}signature {signature}\n");
        while text.len() < LABEL_BYTES {
            text.push('\n');
        }
        text
    }

    fn text(&self) -> String {
        let mut text = format!("{TITLE}\n");
        let rows = [
            ("audience", to_hex(self.audience.as_bytes())),
            ("purpose", self.purpose.as_str().to_owned()),
            ("schema", self.schema.to_string()),
            ("made", self.made_at.seconds().to_string()),
            ("links", self.head.number.to_string()),
            ("head", self.head.hash.to_hex()),
            ("bytes", self.bytes.to_string()),
            ("sha256", self.hash.to_hex()),
        ];
        for (name, value) in rows {
            writeln!(text, "{name} {value}").expect("a string takes text");
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return None;
        }
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let hash = |text: &str| <[u8; 32]>::try_from(from_hex(text)?).ok();
        let label = Self {
            audience: Audience::new(hash(value("audience")?)?),
            purpose: match value("purpose")? {
                "observatory" => Purpose::Observatory,
                "exercise" => Purpose::Exercise,
                _ => return None,
            },
            schema: value("schema")?.parse().ok()?,
            made_at: Timestamp::from_seconds(value("made")?.parse().ok()?),
            head: Head {
                number: value("links")?.parse().ok()?,
                hash: Hash::new(hash(value("head")?)?),
            },
            bytes: value("bytes")?.parse().ok()?,
            hash: Hash::new(hash(value("sha256")?)?),
        };
        (label.text() == text).then_some(label)
    }
}

/// Reads at most `bytes` from where `from` stands, gives how many there were and what they hash to; writes
/// them to `to` as well.
fn pass_on(from: &mut File, bytes: u64, mut to: Option<&mut File>) -> io::Result<(u64, Hash)> {
    let mut from = from.take(bytes);
    let (mut context, mut passed) = (Context::new(&SHA256), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = from.read(&mut block)?;
        if read == 0 {
            break;
        }
        context.update(&block[..read]);
        passed += read as u64;
        if let Some(to) = &mut to {
            to.write_all(&block[..read])?;
        }
    }
    let hash = <[u8; 32]>::try_from(context.finish().as_ref()).expect("SHA-256 has 32 bytes");
    Ok((passed, Hash::new(hash)))
}

/// The same path with something after its name.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes a name in a folder survive a power cut.
///
/// # Errors
/// What the system says.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn of_io(path: &Path, source: io::Error) -> BackupError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Taken(path.to_owned()),
        _ => BackupError::Io {
            path: path.to_owned(),
            source,
        },
    }
}

#[cfg(test)]
mod tests;
