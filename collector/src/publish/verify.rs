//! Checking published folders, with nothing else than what is in them.
//!
//! A folder passes when its list is signed by the key in it, when the list is written exactly as
//! this program writes it, and when the folder holds the listed files and no other, each a plain
//! file with one name and the listed sum, and when its log of releases ends with the tables in it. In a
//! folder of them each log goes on where the earlier ones end. So any changed byte, in any file, is found: a listed file
//! by its sum, the list by its signature, the signature and the key because they have one spelling.
//! What that cannot show is *who* holds the key: origin is unproven until the reader names the key.

use super::folder::is_draft;
use super::{LOG, Log, PUBLIC_KEY, SIGNATURE, SUMS, fingerprint, log};
use crate::format::json;
use crate::release::ReleaseId;
use phonehome_proto::id::{Hash, from_hex, to_hex};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::{PayloadType, VerifyingKey};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A folder with more entries than this is no release; a folder of releases may have as many.
const ENTRIES_MAX: usize = 10_000;
/// No file of a release is larger; larger ones are refused unread.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What was checked, and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each release folder, in the order of their names.
    pub releases: Vec<VerifiedRelease>,
}

/// A release folder that is whole and unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRelease {
    /// Which release.
    pub id: ReleaseId,
    /// Findings or an exercise.
    pub purpose: Purpose,
    /// How many files its list names.
    pub files: usize,
    /// The fingerprint of the key that signed it.
    pub fingerprint: String,
    /// Whether that key is the one the reader named.
    pub origin: Origin,
    /// Its list of the releases up to itself; older folders have none.
    pub log: Option<Log>,
}

/// Whether it is known whose key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The reader's key: the folder comes from its holder.
    Proven,
    /// The reader named none: the folder is of one piece, and anybody may have made it.
    Unproven,
}

/// Why a folder is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing to check.
    #[error("it holds no release")]
    Empty,
    /// Something lies beside the releases.
    #[error("'{0}' is not a release folder")]
    NotARelease(String),
    /// A file stands there that the list does not name.
    #[error("'{0}' is not on the list")]
    Unlisted(String),
    /// The list names a file that does not stand there.
    #[error("'{0}' is missing")]
    Missing(String),
    /// A link, or a file with a second name, through which others can change it.
    #[error("'{0}' is a link, not a file of this folder alone")]
    Linked(String),
    /// Neither a file nor a link.
    #[error("'{0}' is not a file")]
    NotAFile(String),
    /// Its bytes are not the signed ones.
    #[error("'{0}' was changed")]
    Changed(String),
    /// The list is not written as it must be.
    #[error("the list of sums is malformed")]
    MalformedSums,
    /// The signature is not the key's over the list.
    #[error("the signature does not match the list of sums")]
    BadSignature,
    /// The key in the folder is not the one the reader named.
    #[error("it is signed by another key, {0}")]
    OtherKey(String),
    /// Its log is malformed, or does not end with it.
    #[error("its list of releases is not the one of this release")]
    OtherLog,
    /// Its log does not go on where that of an earlier release ends.
    #[error("its list of releases contradicts that of {0}")]
    OtherHistory(ReleaseId),
    /// The folder's name is not that of the release in it.
    #[error("it holds release {0}")]
    OtherRelease(ReleaseId),
}

/// Why a check did not pass.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A finding: this folder is not what was published.
    #[error("'{folder}' is refused: {reason}")]
    Refused {
        /// The release folder, or the folder of them.
        folder: PathBuf,
        /// The first thing wrong with it.
        reason: Refusal,
    },
    /// The disk refused to show it.
    #[error("cannot read '{path}': {source}")]
    Read {
        /// What was being read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Checks one release folder, or a folder that holds release folders and nothing else.
///
/// # Errors
/// [`VerifyError::Refused`] with the first finding, [`VerifyError::Read`] when the disk refuses.
pub fn verify(folder: &Path, key: Option<&VerifyingKey>) -> Result<Report, VerifyError> {
    let entries = list(folder)?;
    let is_release = entries.contains_key(SUMS) || entries.contains_key("release.json");
    if is_release {
        return Ok(Report {
            releases: vec![check(folder, &entries, key)?],
        });
    }
    let refuse = |reason| VerifyError::Refused {
        folder: folder.to_owned(),
        reason,
    };
    if entries.is_empty() {
        return Err(refuse(Refusal::Empty));
    }
    let mut releases: Vec<VerifiedRelease> = Vec::new();
    // What a run left that did not end is no release, and no finding either.
    let finished = entries
        .iter()
        .filter(|(name, kind)| **kind != Kind::Folder || !is_draft(name));
    for (name, kind) in finished {
        let id: ReleaseId = match (kind, name.parse()) {
            (Kind::Folder, Ok(id)) => id,
            (Kind::Link, _) => return Err(refuse(Refusal::Linked(name.clone()))),
            _ => return Err(refuse(Refusal::NotARelease(name.clone()))),
        };
        let path = folder.join(name);
        let release = check(&path, &list(&path)?, key)?;
        if release.id != id {
            let reason = Refusal::OtherRelease(release.id);
            return Err(VerifyError::Refused {
                folder: path,
                reason,
            });
        }
        if let Some(earlier) = releases.iter().rev().find(|of| contradicts(of, &release)) {
            let reason = Refusal::OtherHistory(earlier.id);
            return Err(VerifyError::Refused {
                folder: path,
                reason,
            });
        }
        releases.push(release);
    }
    if releases.is_empty() {
        return Err(refuse(Refusal::Empty));
    }
    Ok(Report { releases })
}

/// Whether two folders signed with one key tell two histories.
fn contradicts(earlier: &VerifiedRelease, later: &VerifiedRelease) -> bool {
    let logs = earlier.log.as_ref().zip(later.log.as_ref());
    let same_key = earlier.fingerprint == later.fingerprint;
    same_key && logs.is_some_and(|(earlier, later)| !earlier.is_continued_by(later))
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// The names in a folder; no link is followed.
fn list(folder: &Path) -> Result<BTreeMap<String, Kind>, VerifyError> {
    let read = |source| VerifyError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = fs::symlink_metadata(entry.path()).map_err(read)?;
        let kind = match metadata.file_type() {
            kind if kind.is_symlink() => Kind::Link,
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_file() && names(&metadata) > 1 => Kind::Link,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Other,
        };
        entries.insert(name.clone(), kind);
        if entries.len() > ENTRIES_MAX {
            let reason = Refusal::Unlisted(name);
            return Err(VerifyError::Refused {
                folder: folder.to_owned(),
                reason,
            });
        }
    }
    Ok(entries)
}

/// How many names lead to a file.
#[cfg(unix)]
fn names(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
const fn names(_: &fs::Metadata) -> u64 {
    1
}

/// Checks one release folder.
fn check(
    folder: &Path,
    entries: &BTreeMap<String, Kind>,
    key: Option<&VerifyingKey>,
) -> Result<VerifiedRelease, VerifyError> {
    let refuse = |reason| VerifyError::Refused {
        folder: folder.to_owned(),
        reason,
    };
    // Before anything is opened: a link may lead to what must not be read, or never ends.
    for (name, kind) in entries {
        match kind {
            Kind::File => {}
            Kind::Link => return Err(refuse(Refusal::Linked(name.clone()))),
            Kind::Folder | Kind::Other => return Err(refuse(Refusal::NotAFile(name.clone()))),
        }
    }
    let read = |name: &str| read(folder, entries, name);
    let sums = read(SUMS)?;
    let signer = signer(&read(PUBLIC_KEY)?)
        .ok_or_else(|| refuse(Refusal::Changed(PUBLIC_KEY.to_owned())))?;
    let signature = signature(&read(SIGNATURE)?)
        .ok_or_else(|| refuse(Refusal::Changed(SIGNATURE.to_owned())))?;
    signer
        .verify(PayloadType::Release, &sums, &signature)
        .map_err(|_| refuse(Refusal::BadSignature))?;
    if key.is_some_and(|key| *key != signer) {
        return Err(refuse(Refusal::OtherKey(fingerprint(&signer))));
    }
    let listed = parse_sums(&sums).ok_or_else(|| refuse(Refusal::MalformedSums))?;
    let beside = |name: &String| name == SUMS || name == SIGNATURE;
    if let Some(name) = entries
        .keys()
        .find(|name| !beside(name) && !listed.contains_key(*name))
    {
        return Err(refuse(Refusal::Unlisted(name.clone())));
    }
    if !listed.contains_key(PUBLIC_KEY) {
        return Err(refuse(Refusal::MalformedSums));
    }
    for (name, sum) in &listed {
        if Hash::of(&read(name)?) != *sum {
            return Err(refuse(Refusal::Changed(name.clone())));
        }
    }
    let text = String::from_utf8_lossy(&read("release.json")?).into_owned();
    let release = json::from_json(&text)
        .map_err(|_| refuse(Refusal::NotARelease("release.json".to_owned())))?;
    let log = match entries.contains_key(LOG) {
        true => Some(
            history(&read(LOG)?, &sums, release.id, &signer)
                .ok_or_else(|| refuse(Refusal::OtherLog))?,
        ),
        false => None,
    };
    Ok(VerifiedRelease {
        id: release.id,
        purpose: release.purpose,
        files: listed.len(),
        fingerprint: fingerprint(&signer),
        origin: if key.is_some() {
            Origin::Proven
        } else {
            Origin::Unproven
        },
        log,
    })
}

/// The log in these bytes, if it ends with the release and the tables that are listed.
fn history(bytes: &[u8], sums: &[u8], id: ReleaseId, signer: &VerifyingKey) -> Option<Log> {
    let log = Log::read(std::str::from_utf8(bytes).ok()?, signer)?;
    let tables = log::of_sums(std::str::from_utf8(sums).ok()?);
    log.ends_with(id, tables).then_some(log)
}

/// The bytes of a file of the folder.
fn read(
    folder: &Path,
    entries: &BTreeMap<String, Kind>,
    name: &str,
) -> Result<Vec<u8>, VerifyError> {
    let refuse = |reason| VerifyError::Refused {
        folder: folder.to_owned(),
        reason,
    };
    if !entries.contains_key(name) {
        return Err(refuse(Refusal::Missing(name.to_owned())));
    }
    let path = folder.join(name);
    let failed = |source| VerifyError::Read {
        path: path.clone(),
        source,
    };
    if fs::symlink_metadata(&path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(refuse(Refusal::Changed(name.to_owned())));
    }
    fs::read(&path).map_err(failed)
}

/// The key in `collector.pub`: 64 lower-case hex digits and nothing else.
fn signer(text: &[u8]) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&spelled(text)?).ok()
}

/// The signature: 128 lower-case hex digits and a newline.
fn signature(text: &[u8]) -> Option<Vec<u8>> {
    spelled(text.strip_suffix(b"\n")?).filter(|bytes| bytes.len() == 64)
}

/// The bytes that hex digits spell, in the one way this program writes them.
fn spelled(digits: &[u8]) -> Option<Vec<u8>> {
    let digits = std::str::from_utf8(digits).ok()?;
    from_hex(digits).filter(|bytes| to_hex(bytes) == digits)
}

/// The sums by name; `None` unless the list is sorted, each name once and plain, every line whole.
fn parse_sums(list: &[u8]) -> Option<BTreeMap<String, Hash>> {
    let list = std::str::from_utf8(list).ok()?;
    let mut sums = BTreeMap::new();
    let mut written = String::new();
    for line in list.lines() {
        let (sum, name) = line.split_once("  ")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !name.bytes().all(plain) || name.starts_with('.') || name == SUMS || name == SIGNATURE {
            return None;
        }
        sums.insert(
            name.to_owned(),
            Hash::from_slice(&spelled(sum.as_bytes())?)?,
        );
    }
    for (name, sum) in &sums {
        written.push_str(&format!("{}  {name}\n", sum.to_hex()));
    }
    (written == list).then_some(sums)
}

impl fmt::Display for Report {
    /// A paragraph for each release, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for release in &self.releases {
            let exercise = match release.purpose {
                Purpose::Exercise => " (exercise, synthetic homes)",
                Purpose::Observatory => "",
            };
            writeln!(
                f,
                "{}{exercise}: {} files, none changed",
                release.id, release.files
            )?;
            writeln!(f, "  signed by {}", release.fingerprint)?;
            writeln!(f, "  {}", release.origin)?;
        }
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proven => "origin: proven, this is the key you gave",
            Self::Unproven => {
                "origin: unproven, anybody can sign with a key of their own; give the collector's with --key"
            }
        })
    }
}
