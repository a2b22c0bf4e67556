//! Programs of others that tests run: what they say if they do well, and all of it if they do not.

use anyhow::{Context, Result, ensure};
use std::process::Command;

/// Names the Python that has the packages which `.ci/run` installs.
const PYTHON: &str = "PHONEHOME_PYTHON";

/// That Python, or the system's.
#[must_use]
pub fn python() -> Command {
    let program = std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
    let mut python = Command::new(program);
    python.args(["-B", "-W", "ignore"]);
    python
}

/// What a program says that does well.
///
/// # Errors
/// When it cannot be started, does not do well, or says what is no text; with all that it said.
pub fn said(program: &mut Command) -> Result<String> {
    let output = program
        .output()
        .with_context(|| format!("{program:?} cannot be started"))?;
    ensure!(
        output.status.success(),
        "{program:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
