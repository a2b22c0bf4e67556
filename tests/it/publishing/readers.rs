//! What others read: packages, catalogues and tables, by their own programs.

use super::Published;
use super::attack::{self, Listed, Published as Files};
use anyhow::{Result, ensure};
use phonehome_collector::format::csv;
use phonehome_collector::format::table::{Table, TableName};
use phonehome_collector::release::Release;
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::vendor::Vendor;
use phonehome_tests::golden;
use std::process::Command;

/// Names the Python that has frictionless, mlcroissant, pandas, pyarrow and duckdb.
const PYTHON: &str = "PHONEHOME_PYTHON";

#[test]
#[ignore = "needs a Python with frictionless, mlcroissant, pandas, pyarrow and duckdb: PHONEHOME_PYTHON"]
fn programs_of_others_read_a_release() -> Result<()> {
    let published = Published::new()?;
    let python = std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
    let script = golden::root().join("tests/it/publishing/readers.py");
    let read = Command::new(python)
        .args(["-B", "-W", "ignore"])
        .arg(script)
        .arg(published.path())
        .output()?;
    ensure!(
        read.status.success(),
        "{}{}",
        String::from_utf8_lossy(&read.stdout),
        String::from_utf8_lossy(&read.stderr)
    );
    Ok(())
}

/// The attack of the collector's own tests, on a release that was folded from batches.
#[test]
fn nothing_suppressed_can_be_worked_out_of_a_folded_release() -> Result<()> {
    let release = super::small_world()?;
    let tables = TableName::ALL.map(|name| {
        let text = csv::write(&Table::of(&release, name));
        (format!("{}.csv", name.file_stem()), text)
    });
    let listed = |vendor: &str, endpoint: &str| {
        let listed = EndpointId::all().find(|of| of.pattern() == endpoint);
        let listed = listed.expect("a listed endpoint");
        Listed {
            is_own: Vendor::from_id(vendor).is_some_and(|vendor| listed.is_own_of(vendor)),
            owner: listed.owner_country().as_str().to_owned(),
        }
    };
    let found = attack::attack(&Files {
        tables: tables.into(),
        listed: &listed,
        is_told_more: false,
    });
    ensure!(
        !found.suppressed.is_empty() && found.all.len() > 100,
        "there is something to find"
    );
    for (name, bounds) in &found.suppressed {
        let is_solved = bounds.least == bounds.most && bounds.most < attack::GATE;
        ensure!(
            !is_solved || is_nobody(&release, name),
            "{name:?}: {bounds:?}"
        );
    }
    Ok(())
}

/// Whether the world's cell says, exactly, that nobody did it.
fn is_nobody(release: &Release, name: &[String]) -> bool {
    let [table, vendor, country, _] = name else {
        return false;
    };
    let mut cells = release.server.iter();
    let world = cells.find(|((of, at), _)| of.id() == vendor && at.code() == country);
    table == "home" && world.is_some_and(|(_, cell)| cell.state() == "zero")
}
