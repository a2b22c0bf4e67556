//! What readers' TLS is certified with: two files that somebody renews while the collector runs.
//!
//! Takes a chain of certificates and the key of the first, both in PEM; gives TLS 1.3 with HTTP/1.1 inside.
//! Whoever renews writes one file after the other, so in between they do not go together: what was in use
//! stays until both are whole and belong to each other, and connections that are open keep what they began with.
//! No date is looked at; that is the matter of whoever reads, and of whoever renews.

use crate::config::CertificateFiles;
use phonehome_proto::id::Hash;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use zeroize::Zeroizing;

/// The certificate in use, and the files it is renewed from.
#[derive(Debug)]
pub(in crate::run) struct Certificate {
    files: CertificateFiles,
    provider: Arc<CryptoProvider>,
    in_use: Mutex<InUse>,
}

#[derive(Clone, Debug)]
struct InUse {
    certified: Arc<CertifiedKey>,
    /// Of both files' bytes.
    hash: Hash,
}

/// Why two files certify nothing.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// One cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key is anybody's to read.
    #[error("{} can be read by everybody on this machine: chmod 640 it", .0.display())]
    Open(PathBuf),
    /// One is larger than any chain.
    #[error("{} is longer than {} KiB", .0.display(), FILE_BYTES_MAX / 1024)]
    Long(PathBuf),
    /// The chain is none.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoChain(PathBuf),
    /// The key is none.
    #[error("{} holds no private key in PEM", .0.display())]
    NoKey(PathBuf),
    /// The two are not a pair, or of a kind that is not known here.
    #[error("{} and {} certify nothing together: {source}", files.chain.display(), files.key.display())]
    NoPair {
        /// Which.
        files: CertificateFiles,
        /// Why.
        source: rustls::Error,
    },
}

/// Bytes of either file: a chain of twenty certificates has a quarter of that.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// What is spoken inside (RFC 7301).
const ALPN: &[u8] = b"http/1.1";

impl Certificate {
    /// What these files hold.
    ///
    /// # Errors
    /// [`CertificateError`] when they certify nothing.
    pub(in crate::run) fn open(files: CertificateFiles) -> Result<Arc<Self>, CertificateError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, key) = read(&files)?;
        let in_use = Mutex::new(certify(&files, &provider, &chain, &key)?);
        Ok(Arc::new(Self {
            files,
            provider,
            in_use,
        }))
    }

    /// TLS for connections that begin from now on, whatever is taken up later.
    pub(in crate::run) fn config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider knows TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN.to_vec()];
        Arc::new(config)
    }

    /// Uses what the files hold now; gives whether that is something else.
    ///
    /// # Errors
    /// [`CertificateError`]; then what was in use stays.
    pub(in crate::run) fn take_up(&self) -> Result<bool, CertificateError> {
        let (chain, key) = read(&self.files)?;
        if self.in_use().hash == hash(&chain, &key) {
            return Ok(false);
        }
        let renewed = certify(&self.files, &self.provider, &chain, &key)?;
        *self.in_use() = renewed;
        Ok(true)
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        // It is replaced in one statement, whoever panicked.
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificate {
    /// The one there is, whatever name was asked for.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.in_use().certified))
    }
}

type Bytes = Zeroizing<Vec<u8>>;

fn read(files: &CertificateFiles) -> Result<(Bytes, Bytes), CertificateError> {
    let key = read_one(&files.key, true)?;
    Ok((read_one(&files.chain, false)?, key))
}

fn read_one(path: &Path, is_secret: bool) -> Result<Bytes, CertificateError> {
    let fail = |source| CertificateError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fail)?;
    // A group may: that of whoever renews.
    if is_secret && file.metadata().map_err(fail)?.permissions().mode() & 0o007 != 0 {
        return Err(CertificateError::Open(path.to_owned()));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let mut bounded = file.take(FILE_BYTES_MAX + 1);
    if bounded.read_to_end(&mut bytes).map_err(fail)? as u64 > FILE_BYTES_MAX {
        return Err(CertificateError::Long(path.to_owned()));
    }
    Ok(bytes)
}

fn certify(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    chain: &[u8],
    key: &[u8],
) -> Result<InUse, CertificateError> {
    let hash = hash(chain, key);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| CertificateError::NoChain(files.chain.clone()))?;
    let key = PrivateKeyDer::from_pem_slice(key);
    let key = key.map_err(|_| CertificateError::NoKey(files.key.clone()))?;
    let certified = CertifiedKey::from_der(chain, key, provider);
    let certified = certified.map_err(|source| CertificateError::NoPair {
        files: files.clone(),
        source,
    })?;
    Ok(InUse {
        certified: Arc::new(certified),
        hash,
    })
}

fn hash(chain: &[u8], key: &[u8]) -> Hash {
    let hashes = [chain, key].map(|bytes| *Hash::of(bytes).as_bytes());
    Hash::of(hashes.as_flattened())
}
