//! Devices in captures written by others, against what is known of them.
//!
//! Small, old and full of one vendor's phones: this shows that nothing is claimed wrongly, not how
//! much is found.

use anyhow::{Context, Result, ensure};
use phonehome_agent::run::Environment;
use phonehome_agent::run::devices;
use phonehome_agent::run::inspect::Format;
use phonehome_tests::captures;
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn nobody_is_called_what_they_are_not() -> Result<()> {
    let Some(files) = captures::files("devices") else {
        return Ok(());
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let folder = tempfile::tempdir()?;
    let mut environment = Environment::system(folder.path().to_path_buf());
    devices::devices(&mut environment, &files, Format::Jsonl, &mut out, &mut err)?;
    let rows: Vec<Value> = std::str::from_utf8(&out)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;

    let truth = captures::folder()
        .context("the folder was there")?
        .join("phones.jsonl");
    let (mut right, mut unknown, mut wrong) = (0, 0, Vec::new());
    for line in fs::read_to_string(truth)?.lines() {
        let truth: Value = serde_json::from_str(line)?;
        let claims: Vec<_> = rows.iter().filter(|row| is_about(row, &truth)).collect();
        let stated: Vec<_> = claims
            .iter()
            .filter(|row| !row["vendor"].is_null())
            .collect();
        if stated.iter().any(|row| row["vendor"] != truth["vendor"])
            || truth["phone"] == true && stated.iter().any(|row| row["is_phone"] == false)
        {
            wrong.push(format!("{truth}: {claims:?}"));
        } else if stated.is_empty() {
            unknown += 1;
        } else {
            right += 1;
        }
    }
    ensure!(
        wrong.is_empty(),
        "{right} right, {unknown} unknown, wrong: {wrong:#?}"
    );
    ensure!(right > 0, "nothing at all was told of {unknown} devices");
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
