//! What the API says of itself, held against what it does: schemathesis asks whatever the description at
//! `/openapi.json` allows, and what it does not, with all its checks.

use super::Served;
use anyhow::{Context, Result, ensure};
use phonehome_tests::demo::HOMES;
use phonehome_tests::golden;
use phonehome_tests::programs::{python, said};

/// Cases it makes at random for each path, beside those that it works out.
const CASES: &str = "40";

/// It asks no less than this, or it has not understood the description.
const REQUESTS_MIN: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Python with schemathesis: PHONEHOME_PYTHON"]
#[allow(clippy::print_stdout, reason = "the figures, with --nocapture")]
async fn the_api_is_what_its_description_says() -> Result<()> {
    let served = Served::after(HOMES, 2).await?;
    let description = served.url()? + "/openapi.json";
    // It leaves what it found where it is started.
    let folder = tempfile::tempdir()?;
    let mut schemathesis = python();
    schemathesis
        .args(["-m", "schemathesis.cli", "run", &description])
        .args(["--checks", "all", "--max-examples", CASES])
        .args(["--generation-deterministic", "--seed", "1"])
        .args(["--continue-on-failure", "--no-color"])
        .env(
            "SCHEMATHESIS_HOOKS",
            golden::root().join("tests/it/api/contract.py"),
        )
        .current_dir(folder.path());
    let text = said(&mut schemathesis)?;
    let (_, summary) = text.split_once("Test cases:").context("a summary")?;
    let cases = summary.split_whitespace().next().unwrap_or_default();
    let cases: usize = cases.parse()?;
    ensure!(
        !text.contains("Missing test data"),
        "some paths were never met: {text}"
    );
    println!("{cases} requests");
    ensure!(cases >= REQUESTS_MIN, "it asked {cases} times: {text}");
    served.world.end().await;
    Ok(())
}
