//! `[admin]` as written, and what makes it valid.

use super::{Wrong, address, wrong};
use serde::Deserialize;
use std::net::SocketAddr;
use toml::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAdmin {
    listen: Option<Spanned<String>>,
}

const LISTEN: &str = "127.0.0.1:9464";

impl RawAdmin {
    /// Where counters are served: nowhere, or on an address that only this machine reaches.
    pub(super) fn listen(&self) -> Result<Option<SocketAddr>, Wrong> {
        let Some(text) = self
            .listen
            .as_ref()
            .filter(|text| !text.as_ref().is_empty())
        else {
            return Ok(None);
        };
        let listen = address(Some(text), "admin.listen", LISTEN)?;
        if listen.ip().to_canonical().is_loopback() {
            return Ok(Some(listen));
        }
        Err(wrong(
            text,
            "'admin.listen' is not an address of this machine alone: what it shows of weeks that are \
             open passed no gate",
        ))
    }
}
