//! `migrate`: the store moves from its file to a server.

use super::Found;
use crate::config::Config;
use crate::run::RunError;
use crate::store::Store;
use crate::store::moving::{self, Moved};
use crate::store::postgres::{SESSIONS, Server};
use std::fmt::Write as _;
use std::path::PathBuf;

/// `migrate --to URL`: moves the file of `config` to a server, and says what was moved and what is left
/// to do.
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
    let Moved { tables } = moving::move_to(&config.database(), server.clone()).await?;
    if let Some(setting) = Store::connect(server, false).await?.fragility().await? {
        return Err(RunError::Fragile(setting));
    }
    let mut text = String::new();
    for (table, rows, hash) in tables {
        let digits = hash.to_hex();
        writeln!(text, "{table:<12} {rows:>10} rows  {digits}").expect("a string takes text");
    }
    writeln!(
        text,
        "the store is on the server; name it in [store] of the configuration and start the collector anew"
    )
    .expect("a string takes text");
    Ok(Found::good(text))
}
