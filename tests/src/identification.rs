//! How well makers are told in captures written by others: right, unknown, wrong.
//!
//! Small, old and full of one vendor's phones: this shows that nothing is claimed wrongly, not how much
//! is found. The same captures are looked at twice, as they are and with every MAC address
//! [masked](crate::mask), as phones of today show it.

use crate::captures;
use crate::mask;
use anyhow::{Context, Result, ensure};
use phonehome_agent::run::Environment;
use phonehome_agent::run::devices;
use phonehome_agent::run::inspect::Format;
use serde_json::Value;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What became of the devices whose makers are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// The maker was stated, and is it.
    pub right: u32,
    /// No maker was stated.
    pub unknown: u32,
    /// Another maker was stated, or a phone called something else; in words.
    pub wrong: Vec<String>,
}

/// Whether addresses are as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// As captured: most of these phones show their factory address.
    AsCaptured,
    /// As if every device had made its address up.
    Masked,
}

/// Lets the agent judge the captures, and counts. `None`, and a line on standard error, where there are
/// no captures.
///
/// # Errors
/// When a capture cannot be masked, or the agent fails.
pub fn score(addresses: Addresses) -> Result<Option<Score>> {
    let Some(files) = captures::files("identification") else {
        return Ok(None);
    };
    let truth = captures::folder()
        .context("the folder was there")?
        .join("phones.jsonl");
    let truths = fs::read_to_string(truth)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Value>, _>>()?;
    let is_known = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        truths.iter().any(|truth| truth["capture"].as_str() == name)
    };
    let files: Vec<_> = files.into_iter().filter(is_known).collect();
    let folder = tempfile::tempdir()?;
    let files = match addresses {
        Addresses::AsCaptured => files,
        Addresses::Masked => masked(&files, folder.path())?,
    };
    let rows = judged(&files)?;
    if addresses == Addresses::Masked {
        let shown = rows.iter().find(|row| row["mac_kind"] == "global");
        ensure!(shown.is_none(), "an address was not masked: {shown:?}");
    }
    let mut score = Score::default();
    for mut truth in truths {
        if addresses == Addresses::Masked {
            mask_prefix(&mut truth)?;
        }
        score.add(&truth, &rows);
    }
    Ok(Some(score))
}

/// What `devices` says of captures, row by row.
///
/// # Errors
/// When the agent fails.
pub fn judged(files: &[PathBuf]) -> Result<Vec<Value>> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let folder = tempfile::tempdir()?;
    let mut environment = Environment::system(folder.path().to_path_buf());
    devices::devices(&mut environment, files, Format::Jsonl, &mut out, &mut err)?;
    let rows = std::str::from_utf8(&out)?.lines();
    Ok(rows.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

impl Score {
    fn add(&mut self, truth: &Value, rows: &[Value]) {
        let claims: Vec<_> = rows.iter().filter(|row| is_about(row, truth)).collect();
        let stated: Vec<_> = claims
            .iter()
            .filter(|row| !row["vendor"].is_null())
            .collect();
        if stated.iter().any(|row| row["vendor"] != truth["vendor"])
            || truth["phone"] == true && stated.iter().any(|row| row["is_phone"] == false)
        {
            self.wrong.push(format!("{truth}: {claims:?}"));
        } else if stated.is_empty() {
            self.unknown += 1;
        } else {
            self.right += 1;
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            right,
            unknown,
            wrong,
        } = self;
        write!(f, "{right} right, {unknown} unknown, {} wrong", wrong.len())
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsCaptured => "MAC addresses as captured",
            Self::Masked => "MAC addresses masked",
        })
    }
}

fn masked(files: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    let mut masked = Vec::new();
    for file in files {
        let name = file.file_name().context("a file has a name")?;
        let path = folder.join(name);
        mask::mask(file, &path).with_context(|| name.display().to_string())?;
        masked.push(path);
    }
    Ok(masked)
}

/// `70:3e:ac` becomes `72:3e:ac`.
fn mask_prefix(truth: &mut Value) -> Result<()> {
    let Some(prefix) = truth["mac"].as_str() else {
        return Ok(());
    };
    let (first, rest) = prefix.split_at(2);
    let first = u8::from_str_radix(first, 16)? | 2;
    truth["mac"] = format!("{first:02x}{rest}").into();
    Ok(())
}

/// Whether a row speaks of a known device: the same capture, and the same prefix where one is known.
fn is_about(row: &Value, truth: &Value) -> bool {
    let file = |value: &Value| {
        value
            .as_str()
            .and_then(|path| Path::new(path).file_name())
            .map(ToOwned::to_owned)
    };
    file(&row["capture"]) == file(&truth["capture"])
        && (truth["mac"].is_null() || row["mac_prefix"] == truth["mac"])
}
