//! `migrate`: the store moves from its file to a server.

use super::Found;
use crate::config::Config;
use crate::run::RunError;
use crate::store::moving::{self, Moved, Pause};
use crate::store::postgres::{SESSIONS, Server};
use std::fmt::Write as _;
use std::path::PathBuf;

/// `migrate --to URL`: moves the file of `config` to a server, and says what was moved, how long nothing was
/// accepted meanwhile, and what is left to do.
///
/// # Errors
/// When it was not moved; the file goes on as it was.
pub async fn migrate(
    config: &Config,
    url: &str,
    password_file: Option<PathBuf>,
    root_certificates: Option<PathBuf>,
) -> Result<Found, RunError> {
    if config.server.is_some() {
        return Err(RunError::OnServer);
    }
    let server = Server::parse(url, password_file, root_certificates, SESSIONS)?;
    let Moved { tables, pause } = moving::move_to(&config.database(), server).await?;
    let mut text = String::new();
    for (table, rows, hash) in tables {
        let digits = hash.to_hex();
        writeln!(text, "{table:<12} {rows:>10} rows  {digits}").expect("a string takes text");
    }
    if let Some(pause) = pause {
        writeln!(text, "{}", paused(pause)).expect("a string takes text");
    }
    writeln!(
        text,
        "the store is on the server; name it in [store] of the configuration and start the collector anew"
    )
    .expect("a string takes text");
    Ok(Found::good(text))
}

/// How long nothing was accepted, and why so short: what had been copied before.
fn paused(pause: Pause) -> String {
    let Pause {
        milliseconds,
        batches,
        batches_before,
    } = pause;
    let (seconds, tenths) = (milliseconds / 1_000, milliseconds % 1_000 / 100);
    format!(
        "acceptance was paused for {seconds}.{tenths} s to copy the last {batches} batches; \
         {batches_before} had been copied before"
    )
}
