//! What others read: packages, catalogues and tables, by their own programs.

use super::Published;
use anyhow::{Result, ensure};
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
