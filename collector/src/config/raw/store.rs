//! Where everything is kept, as written.

use super::{Wrong, resolve, wrong};
use crate::store::postgres::{SESSIONS, Server};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStore {
    url: Option<Spanned<String>>,
    password_file: Option<Spanned<PathBuf>>,
    root_certificates: Option<Spanned<PathBuf>>,
    sessions: Option<Spanned<u8>>,
}

impl RawStore {
    /// The server; `None` for the file beneath `data_dir`.
    pub(super) fn server(&self, folder: &Path) -> Result<Option<Server>, Wrong> {
        let path = |path: &Option<Spanned<PathBuf>>| {
            path.as_ref().map(|path| resolve(folder, path.as_ref()))
        };
        let Some(url) = &self.url else {
            let files = [&self.password_file, &self.root_certificates];
            let sessions = self.sessions.as_ref();
            let sentence = "it means nothing without 'store.url'";
            let idle = files
                .into_iter()
                .flatten()
                .map(|file| wrong(file, sentence));
            return match idle
                .chain(sessions.map(|sessions| wrong(sessions, sentence)))
                .next()
            {
                Some(wrong) => Err(wrong),
                None => Ok(None),
            };
        };
        let sessions = self
            .sessions
            .as_ref()
            .map_or(SESSIONS, |sessions| *sessions.as_ref());
        let (password, roots) = (path(&self.password_file), path(&self.root_certificates));
        let server = Server::parse(url.as_ref(), password, roots, sessions);
        server
            .map(Some)
            .map_err(|why| wrong(url, &format!("'store.url' cannot be used: {why}")))
    }
}
