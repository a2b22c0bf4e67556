//! `[http]` as written, and what makes it valid.

use super::{Wrong, address, resolve, wrong};
use crate::config::{CertificateFiles, HttpConfig};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttp {
    listen: Option<Spanned<String>>,
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
}

const LISTEN: &str = "127.0.0.1:8080";

impl RawHttp {
    /// Where readers arrive; `None`: nowhere.
    pub(super) fn validate(&self, folder: &Path) -> Result<Option<HttpConfig>, Wrong> {
        if (self.listen.as_ref()).is_some_and(|text| text.as_ref().is_empty()) {
            return Ok(None);
        }
        let certificate = match (&self.certificate, &self.key) {
            (Some(chain), Some(key)) => Some(CertificateFiles {
                chain: resolve(folder, chain.as_ref()),
                key: resolve(folder, key.as_ref()),
            }),
            (None, None) => None,
            (Some(alone), None) | (None, Some(alone)) => {
                let sentence = "'http.certificate' and 'http.key' need each other";
                return Err(wrong(alone, sentence));
            }
        };
        Ok(Some(HttpConfig {
            listen: address(self.listen.as_ref(), "http.listen", LISTEN)?,
            certificate,
        }))
    }
}
