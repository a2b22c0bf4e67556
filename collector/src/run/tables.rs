//! The tables a collector stands on: those compiled in, those its configuration names, and those its
//! operator installed.
//!
//! Installed ones lie in `data_dir/atlas`: databases, `set.json`, which lists those in use with their
//! sums, and `domains.json`, what registries answered. The list is written last and by one rename, so
//! whoever reads the folder finds the old set or the new one, whole; databases that are listed no
//! more are removed after it. A database is installed only if it is of the right type, whole, and not
//! older than the one it would replace; else nothing changes.

use super::RunError;
use crate::config::Config;
use crate::geo::AtlasSource;
use crate::geo::atlas::{Atlas, Older};
use crate::geo::country::CountrySource;
use crate::geo::owner::registry::{Refused, RegistryAnswers};
use phonehome_proto::id::Hash;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes of a country database; the largest that is sold has a tenth.
const DATABASE_BYTES_MAX: u64 = 1 << 30;
/// Bytes of the list of databases, and of the registries' answers.
const LIST_BYTES_MAX: u64 = 1024 * 1024;
/// Databases that may be installed: each is asked for every prefix.
const DATABASES_MAX: usize = 8;
/// Characters of a database's name.
const NAME_CHARACTERS_MAX: usize = 64;

const SET: &str = "set.json";
const ANSWERS: &str = "domains.json";
const ENDING: &str = "mmdb";

/// The tables of a configuration, read.
pub struct Tables {
    /// All of them, as one atlas.
    pub atlas: Atlas,
    /// What registries answered, if it is in use.
    pub answers: RegistryAnswers,
    /// Installed tables that are not used, each with the reason.
    pub passed_over: Vec<String>,
    /// Which set it is.
    pub stamp: Stamp,
    files: Vec<(String, PathBuf)>,
}

/// Tells one set of installed tables from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    set: Option<Hash>,
    answers: Option<Hash>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    databases: Vec<Member>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    /// Under which it stands on releases.
    name: String,
    /// In the folder.
    file: String,
    /// SHA-256, 64 hex digits.
    sha256: String,
}

impl Tables {
    /// Where a table was read from.
    #[must_use]
    pub fn origin(&self, source: &AtlasSource) -> String {
        let file = self
            .files
            .iter()
            .rev()
            .find(|(name, _)| *name == source.name);
        file.map_or_else(
            || "compiled in".to_owned(),
            |(_, path)| path.display().to_string(),
        )
    }
}

/// The tables compiled in and what the configuration and the installed set add to them, or put in
/// the place of an older build. An installed table that is older than its twin in use, or answers of
/// registries that cannot be used, are passed over: a program that was updated may bring newer ones.
///
/// # Errors
/// When a database cannot be read or is none, or when one that the configuration names is older than
/// its twin.
pub fn load(config: &Config) -> Result<Tables, RunError> {
    let mut tables = Tables {
        atlas: Atlas::embedded().with_exercise(config.exercise.clone()),
        answers: RegistryAnswers::default(),
        passed_over: Vec::new(),
        stamp: stamp(config),
        files: Vec::new(),
    };
    for path in &config.databases {
        let source = source(path, &name_of(path), read(path, DATABASE_BYTES_MAX)?)?;
        tables.atlas = tables.atlas.replace(source)?;
        tables.files.push((name_of(path), path.clone()));
    }
    let folder = folder(config);
    for member in installed(config)?.databases {
        let path = folder.join(&member.file);
        let bytes = read(&path, DATABASE_BYTES_MAX)?;
        if Hash::of(&bytes).to_hex() != member.sha256 {
            return Err(RunError::Altered { path });
        }
        match tables.atlas.replace(source(&path, &member.name, bytes)?) {
            Ok(atlas) => {
                tables.atlas = atlas;
                tables.files.push((member.name, path));
            }
            Err(older) => tables.passed_over.push(older.to_string()),
        }
    }
    let path = folder.join(ANSWERS);
    if let Some(bytes) = read_if_there(&path, LIST_BYTES_MAX)? {
        let answers = String::from_utf8(bytes)
            .map_err(|_| Refused::Damaged("they are not UTF-8".to_owned()))
            .and_then(|text| RegistryAnswers::read(&text))
            .and_then(|answers| Ok((tables.atlas.owners().with_answers(&answers)?, answers)));
        match answers {
            Ok((owners, answers)) => {
                let [_, about] = owners.about();
                tables.files.push((about.name, path));
                tables.atlas = tables.atlas.with_owners(owners);
                tables.answers = answers;
            }
            Err(refused) => tables
                .passed_over
                .push(format!("{}: {refused}", path.display())),
        }
    }
    Ok(tables)
}

/// Which set of tables is installed now; cheap enough to ask every minute.
#[must_use]
pub fn stamp(config: &Config) -> Stamp {
    // What cannot be read now is found out, in words, by whoever loads it.
    let hash = |name| {
        let bytes = read_if_there(&folder(config).join(name), LIST_BYTES_MAX);
        bytes.ok().flatten().map(|bytes| Hash::of(&bytes))
    };
    Stamp {
        set: hash(SET),
        answers: hash(ANSWERS),
    }
}

/// Checks every file and installs all of them, or none. Gives the tables as they are then.
///
/// # Errors
/// The first file that is no whole country database, or older than the one in use, with its name; or
/// the disk refuses.
pub fn install(config: &Config, files: &[PathBuf]) -> Result<Tables, RunError> {
    let before = load(config)?;
    let mut atlas = before.atlas;
    let mut added = Vec::new();
    for path in files {
        let name = name_of(path);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_plain) {
            return Err(RunError::Name { path: path.clone() });
        }
        let bytes = read(path, DATABASE_BYTES_MAX)?;
        let hash = Hash::of(&bytes).to_hex();
        let source = source(path, &name, bytes.clone())?;
        source.check_whole().map_err(|source| RunError::Geo {
            path: path.clone(),
            source,
        })?;
        let build = source.about().build.clone();
        atlas = atlas
            .replace(source)
            .map_err(|older: Older| RunError::Older(older))?;
        let file = format!("{name}.{build}.{}.{ENDING}", &hash[..8]);
        let member = Member {
            name,
            file,
            sha256: hash,
        };
        added.push((member, bytes));
    }
    let in_use: Vec<String> = atlas
        .sources()
        .into_iter()
        .map(|about| about.name)
        .collect();
    let mut set = installed(config)?;
    set.databases.retain(|member| {
        in_use.contains(&member.name) && added.iter().all(|(new, _)| new.name != member.name)
    });
    set.databases
        .extend(added.iter().map(|(member, _)| member.clone()));
    if set.databases.len() > DATABASES_MAX {
        return Err(RunError::TooManyDatabases(DATABASES_MAX));
    }
    let folder = folder(config);
    for (member, bytes) in &added {
        put(&folder, &member.file, bytes)?;
    }
    let list = serde_json::to_string_pretty(&set).expect("plain text serialises") + "\n";
    put(&folder, SET, list.as_bytes())?;
    remove_unlisted(&folder, &set);
    load(config)
}

/// Writes what registries answered, for whoever loads the tables next.
///
/// # Errors
/// When the disk refuses.
pub fn put_answers(config: &Config, answers: &RegistryAnswers) -> Result<(), RunError> {
    put(&folder(config), ANSWERS, answers.to_json().as_bytes())
}

fn folder(config: &Config) -> PathBuf {
    config.data_dir.join("atlas")
}

fn installed(config: &Config) -> Result<Set, RunError> {
    let path = folder(config).join(SET);
    let Some(bytes) = read_if_there(&path, LIST_BYTES_MAX)? else {
        return Ok(Set::default());
    };
    let set = serde_json::from_slice::<Set>(&bytes).ok();
    // Names in the list lead nowhere but into the folder.
    let is_plain = |member: &Member| !member.file.contains('/');
    set.filter(|set| set.databases.len() <= DATABASES_MAX && set.databases.iter().all(is_plain))
        .ok_or(RunError::Altered { path })
}

/// The name of a table that stands in this file.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn source(path: &Path, name: &str, bytes: Vec<u8>) -> Result<CountrySource, RunError> {
    CountrySource::read(name, bytes).map_err(|source| RunError::Geo {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, RunError> {
    let unreadable = |source| RunError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if length as u64 > bytes_max {
        return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

fn read_if_there(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, RunError> {
    match read(path, bytes_max) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(RunError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes a file beside its place and renames it there, each step flushed.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), RunError> {
    let draft = folder.join(format!(".{name}.draft"));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, folder.join(name))?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| RunError::Unwritable {
        path: folder.join(name),
        source,
    })
}

/// Removes databases that are listed no more. Best effort: the next installation tries again.
fn remove_unlisted(folder: &Path, set: &Set) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_listed = set.databases.iter().any(|member| *member.file == *name);
        if !is_listed && path.extension().is_some_and(|ending| ending == ENDING) {
            drop(fs::remove_file(&path));
        }
    }
}

#[cfg(test)]
mod tests;
