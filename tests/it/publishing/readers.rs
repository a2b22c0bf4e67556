//! What others read: packages, catalogues and tables, by their own programs.

use super::Published;
use anyhow::Result;
use phonehome_tests::golden;
use phonehome_tests::programs::{python, said};

#[test]
#[ignore = "needs a Python with frictionless, mlcroissant, pandas, pyarrow and duckdb: PHONEHOME_PYTHON"]
fn programs_of_others_read_a_release() -> Result<()> {
    let published = Published::new()?;
    let script = golden::root().join("tests/it/publishing/readers.py");
    said(python().arg(script).arg(published.path())).map(drop)
}
