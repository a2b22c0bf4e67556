//! The collector's configuration: TOML as written -> [`Config`], valid by existing.
//!
//! Parsed wholly before any port or file is opened; a mistake is one sentence with file and line.
//! Every key has a default but `identity` and `intake.public_address`. Secrets are given by path,
//! and paths are relative to the file they stand in. `deploy/collector.toml` shows every key.

mod raw;

use crate::geo::exercise::ExerciseTable;
use crate::intake::forwarded::Forwarders;
use crate::owners::Address;
use crate::registry::Limits;
use crate::store::postgres::Server;
use phonehome_proto::manifest::{EnrolmentMode, Purpose};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Everything a collector is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Findings, or an exercise.
    pub purpose: Purpose,
    /// Holds the database, unless a server does, and installed tables.
    pub data_dir: PathBuf,
    /// Holds the week keys; neither above nor beneath `data_dir`.
    pub keys_dir: PathBuf,
    /// The identity's key file.
    pub identity: PathBuf,
    /// The server that holds the database; `None`: it is a file beneath `data_dir`.
    pub server: Option<Server>,
    /// The gRPC side.
    pub intake: IntakeConfig,
    /// What becomes of a home that brings no invite.
    pub enrolment: EnrolmentMode,
    /// What one place and one home may ask.
    pub limits: Limits,
    /// How readers reach REST and pages; `None`: not at all.
    pub http: Option<HttpConfig>,
    /// Where counters and readiness are served, to this machine alone; `None`: nowhere.
    pub admin: Option<SocketAddr>,
    /// Country databases asked beside the embedded one, in MaxMind's format.
    pub databases: Vec<PathBuf>,
    /// Where the homes of an exercise stand; empty for an observatory.
    pub exercise: ExerciseTable,
    /// Where `owners update` asks who registered a domain.
    pub owners: Address,
    /// Where `serve` writes each release when it is made; `None`: only `publish` does.
    pub publish: Option<PathBuf>,
}

/// How homes reach the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// `HOST:PORT` in invites: what homes dial.
    pub public_address: String,
    /// Peers that must begin with a PROXY v2 header, and are believed.
    pub proxies: BTreeSet<IpAddr>,
    /// Whether it speaks TLS itself. If not, only proxies and this machine itself are let in.
    pub tls: bool,
    /// Peers that end TLS and say in each request whom they speak for, and how.
    pub forwarders: Option<Forwarders>,
}

/// How readers reach the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What it is certified with; `None`: it speaks plain HTTP.
    pub certificate: Option<CertificateFiles>,
}

/// A certificate for TLS, as others keep it renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those behind it, in PEM.
    pub chain: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why a text is no configuration: where, and one sentence.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    sentence: String,
}

/// Bytes of a configuration file, or of an exercise's table.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl Config {
    /// The configuration in a file.
    ///
    /// # Errors
    /// [`ConfigError`], also when the file cannot be read.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read(file).map_err(|sentence| ConfigError::of(file, None, sentence))?;
        Self::parse(&text, file)
    }

    /// The configuration in `text`, which stands in `file`: paths are relative to its folder, and
    /// messages name it. Reads nothing but the exercise's table, if there is one.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong, and in which line.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        raw::parse(text)
            .and_then(|raw| raw.validate(file.parent().unwrap_or_else(|| Path::new(""))))
            .map_err(|wrong| {
                let line = wrong
                    .at
                    .map(|at| 1 + text[..at.min(text.len())].matches('\n').count());
                ConfigError::of(file, line, wrong.sentence)
            })
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("collector.db")
    }

    /// What readers' TLS is certified with, if the collector ends it.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateFiles> {
        self.http.as_ref()?.certificate.as_ref()
    }

    /// The ledger's copy: beside the identity, with which it is kept and without which it says nothing.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.identity.with_extension("ledger")
    }
}

/// A whole text file, if it is one and not too long.
fn read(file: &Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 > FILE_BYTES_MAX => Err("it is longer than 1 MiB".to_owned()),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

impl ConfigError {
    fn of(file: &Path, line: Option<usize>, sentence: String) -> Self {
        Self {
            file: file.to_owned(),
            line,
            sentence,
        }
    }
}

impl fmt::Display for ConfigError {
    /// `collector.toml:7: 'intake.listen' is not an address with a port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.sentence)
    }
}

#[cfg(test)]
mod tests;
