//! Where the database server is, and how one gets in.
//!
//! Takes a URL without its secret, and the file that holds the secret; gives what a session is opened
//! with. The password is read from its file each time a session is opened, so that it can be changed
//! while the collector runs; it is in no URL, no log and no message. A server that is not this machine
//! is spoken to by TLS only. `sslmode=require` means here what it says: the certificate is verified, and the
//! name in it, as `verify-full` has it elsewhere, which may be written too.

use crate::store::StoreError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

/// A database server, or several of which one takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    url: String,
    password_file: Option<PathBuf>,
    root_certificates: Option<PathBuf>,
    sessions: u8,
}

/// Why a text is no address of a server: one sentence.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotAServer {
    /// It does not read.
    #[error("it is not a URL like postgresql://USER@HOST/DATABASE?sslmode=require")]
    Form,
    /// It holds a secret.
    #[error("it holds a password: put that into a file of its own and name it")]
    Secret,
    /// What would be sent could be read on the way.
    #[error("a server that is not this machine needs sslmode=require in its URL")]
    Plain,
    /// No session could do anything.
    #[error("it needs from 2 to 64 sessions")]
    Sessions,
}

/// Sessions, where nothing else is said: what commits takes turns with what folds.
pub const SESSIONS: u8 = 8;

/// Bytes of a file with a password.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// A server that does not answer within this time is passed over for the next one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that vanishes without a word is noticed after so long.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What a URL says. Whoever asks for TLS gets a certificate that is verified, so that both words are one.
fn read_url(url: &str) -> Option<tokio_postgres::Config> {
    let url = url.replace("sslmode=verify-full", "sslmode=require");
    url.parse().ok()
}

impl Server {
    /// The server at `url`, whose password stands in `password_file`. `root_certificates` is a PEM file
    /// of those that may certify it; without one, the usual authorities may.
    ///
    /// # Errors
    /// [`NotAServer`].
    pub fn parse(
        url: &str,
        password_file: Option<PathBuf>,
        root_certificates: Option<PathBuf>,
        sessions: u8,
    ) -> Result<Self, NotAServer> {
        let is_url = ["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        let read = read_url(url).ok_or(NotAServer::Form)?;
        if !is_url || read.get_hosts().is_empty() {
            return Err(NotAServer::Form);
        }
        if read.get_password().is_some() {
            return Err(NotAServer::Secret);
        }
        let is_near = read.get_hosts().iter().all(is_this_machine)
            && read.get_hostaddrs().iter().all(IpAddr::is_loopback);
        if !is_near && read.get_ssl_mode() != SslMode::Require {
            return Err(NotAServer::Plain);
        }
        if !(2..=64).contains(&sessions) {
            return Err(NotAServer::Sessions);
        }
        Ok(Self {
            url: url.to_owned(),
            password_file,
            root_certificates,
            sessions,
        })
    }

    /// Sessions one collector holds, at most.
    pub(super) const fn sessions(&self) -> u8 {
        self.sessions
    }

    /// What a session is opened with: of several servers, the one that takes writes.
    pub(super) fn config(&self) -> Result<tokio_postgres::Config, StoreError> {
        let mut config = read_url(&self.url).expect("a server is read before it exists");
        if let Some(file) = &self.password_file {
            let secret = read(file).map_err(|source| refused(file, source))?;
            config.password(secret.trim_end_matches(['\r', '\n']).as_bytes());
        }
        config
            .application_name("phonehome-collector")
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives_idle(SILENCE_MAX)
            .keepalives_interval(SILENCE_MAX / 4)
            .keepalives_retries(3);
        Ok(config)
    }

    /// The TLS it is spoken to with, if its URL asks for any.
    pub(super) fn tls(&self) -> Result<MakeRustlsConnect, StoreError> {
        let mut roots = RootCertStore::empty();
        match &self.root_certificates {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                let refuse = |source: &dyn std::error::Error| {
                    refused(file, std::io::Error::other(source.to_string()))
                };
                let read = CertificateDer::pem_file_iter(file).map_err(|error| refuse(&error))?;
                for certificate in read {
                    let certificate = certificate.map_err(|error| refuse(&error))?;
                    roots.add(certificate).map_err(|error| refuse(&error))?;
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows the protocol's versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(client))
    }
}

impl fmt::Display for Server {
    /// Its URL, which holds no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: IpAddr| address.is_loopback())
        }
    }
}

/// A secret text in a file that only its owner can read.
fn read(file: &Path) -> std::io::Result<Zeroizing<String>> {
    use std::io::{Error, Read};
    use std::os::unix::fs::PermissionsExt;
    let opened = std::fs::File::open(file)?;
    if opened.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(Error::other("others can read it: chmod 600 it"));
    }
    let mut text = Zeroizing::new(String::new());
    opened.take(PASSWORD_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn refused(file: &Path, source: std::io::Error) -> StoreError {
    StoreError::Unreadable {
        path: file.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Server, NotAServer> {
        Server::parse(url, None, None, SESSIONS)
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for near in [
            "postgresql://phonehome@localhost/phonehome",
            "postgres://phonehome@127.0.0.1:5433,[::1]/phonehome",
            "postgresql://phonehome@%2Frun%2Fpostgresql/phonehome",
        ] {
            assert!(parse(near).is_ok(), "{near}");
        }
        let far = "postgresql://phonehome@db.example,db2.example/phonehome";
        assert_eq!(parse(far), Err(NotAServer::Plain));
        assert_eq!(
            parse(&format!("{far}?sslmode=prefer")),
            Err(NotAServer::Plain)
        );
        assert!(parse(&format!("{far}?sslmode=require")).is_ok());
        let hidden = "postgresql://phonehome@localhost/phonehome?hostaddr=192.0.2.1";
        assert_eq!(parse(hidden), Err(NotAServer::Plain));
    }

    #[test]
    fn a_url_holds_no_secret_and_is_a_url() {
        let secret = "postgresql://phonehome:hunter2@localhost/phonehome";
        assert_eq!(parse(secret), Err(NotAServer::Secret));
        for form in ["host=localhost", "http://localhost/", "postgresql:///x", ""] {
            assert_eq!(parse(form), Err(NotAServer::Form), "{form}");
        }
        let url = "postgresql://localhost/";
        assert_eq!(Server::parse(url, None, None, 1), Err(NotAServer::Sessions));
    }

    #[test]
    fn the_password_is_read_from_a_file_of_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2\n").expect("writes");
        let chmod = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file, mode).expect("changes");
        };
        let url = "postgresql://phonehome@localhost/phonehome";
        let server = Server::parse(url, Some(file.clone()), None, SESSIONS).expect("a server");
        chmod(0o644);
        assert!(server.config().is_err());
        chmod(0o600);
        let config = server.config().expect("reads");
        assert_eq!(config.get_password(), Some(&b"hunter2"[..]));
        assert!(!format!("{server:?} {config:?}").contains("hunter2"));
    }
}
