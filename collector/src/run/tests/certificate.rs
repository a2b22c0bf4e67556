//! Readers over TLS, with a certificate that is renewed meanwhile.

use super::bench::{folder, serve_with};
use crate::metrics::Counter;
use crate::run::{Handle, RunError};
use crate::verify::fixture::tuesday_noon;
use phonehome_proto::time::ManualClock;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const NAME: &str = "observatory.example";
const HTTP: &str = "certificate = 'chain.pem'\nkey = 'key.pem'";

/// A certificate, and the collector's folder it is put into.
struct Pair {
    chain: CertificateDer<'static>,
    chain_pem: String,
    key_pem: String,
}

impl Pair {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
        Self {
            chain: cert.der().clone(),
            chain_pem: cert.pem(),
            key_pem: signing_key.serialize_pem(),
        }
    }

    fn put_chain(&self, folder: &Path) {
        fs::write(folder.join("chain.pem"), &self.chain_pem).expect("writes");
    }

    fn put_key(&self, folder: &Path) {
        let path = folder.join("key.pem");
        fs::write(&path, &self.key_pem).expect("writes");
        set_mode(&path, 0o640);
    }

    fn put(&self, folder: &Path) {
        self.put_chain(folder);
        self.put_key(folder);
    }

    /// Connects as somebody who believes this certificate and no other.
    async fn connect(&self, handle: &Handle) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.chain.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let address = handle.http_address().expect("readers are served");
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(NAME).expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    async fn is_in_use(&self, handle: &Handle) -> bool {
        match self.connect(handle).await {
            Ok(mut stream) => {
                let (_, session) = stream.get_ref();
                assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
                assert!(get(&mut stream).await.starts_with("HTTP/1.1 200 "));
                true
            }
            Err(error) => {
                assert!(error.to_string().contains("certificate"), "{error}");
                false
            }
        }
    }
}

fn set_mode(path: &PathBuf, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changes");
}

/// Asks once, keeping the connection; gives the answer's head.
async fn get<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut S) -> String {
    let request = format!("GET /openapi.json HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asks");
    let mut answer = [0; 512];
    let length = stream.read(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let (folder, clock) = (folder(), ManualClock::new(tuesday_noon()));
    let (first, second) = (Pair::new(), Pair::new());
    first.put(folder.path());
    let handle = serve_with(&folder, ("", HTTP), &clock).await;
    let handle = handle.expect("serves");
    assert!(first.is_in_use(&handle).await && !second.is_in_use(&handle).await);
    let mut open = first.connect(&handle).await.expect("connects");

    // Whoever renews is between its two files.
    second.put_chain(folder.path());
    handle.tick().await.expect("the weeks go on");
    assert!(first.is_in_use(&handle).await, "half a pair is none");
    second.put_key(folder.path());
    assert!(first.is_in_use(&handle).await, "nobody has looked yet");
    handle.tick().await.expect("ticks");
    assert!(second.is_in_use(&handle).await && !first.is_in_use(&handle).await);
    let head = get(&mut open).await;
    assert!(
        head.starts_with("HTTP/1.1 200 "),
        "it is open still: {head}"
    );

    let key = folder.path().join("key.pem");
    for break_it in [
        |key: &PathBuf| fs::write(key, "no key").expect("writes"),
        |key: &PathBuf| set_mode(key, 0o644),
        |key: &PathBuf| fs::remove_file(key).expect("removes"),
    ] {
        second.put(folder.path());
        break_it(&key);
        handle.tick().await.expect("ticks");
        assert!(second.is_in_use(&handle).await);
    }
    handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_is_sent_away_and_its_place_is_free() {
    let (folder, clock) = (folder(), ManualClock::new(tuesday_noon()));
    let pair = Pair::new();
    pair.put(folder.path());
    let handle = serve_with(&folder, ("", HTTP), &clock).await;
    let handle = handle.expect("serves");
    let address = handle.http_address().expect("readers are served");
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request).await.expect("asks");
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(pair.is_in_use(&handle).await);
    let metrics = handle.ground().metrics.clone();
    handle.stop().await;
    let counted = metrics.snapshot();
    let ended = |(counter, count): (&Counter, &u64)| {
        matches!(counter, Counter::ReadersEnded(_)).then_some(*count)
    };
    let ended: u64 = counted.iter().filter_map(ended).sum();
    assert_eq!((counted[&Counter::ReadersReceived], ended), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_certifies_nothing_is_one_sentence() {
    let (folder, clock) = (folder(), ManualClock::new(tuesday_noon()));
    let (first, second) = (Pair::new(), Pair::new());
    let refused = async || {
        let served = serve_with(&folder, ("", HTTP), &clock).await;
        let Err(why @ RunError::Certificate(_)) = served else {
            panic!("it serves");
        };
        let sentence = why.to_string();
        assert_eq!((sentence.lines().count(), why.exit_code()), (1, 64));
        sentence
    };
    let (chain, key) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
    assert!(refused().await.contains("key.pem cannot be read"));
    first.put(folder.path());
    set_mode(&key, 0o644);
    assert!(refused().await.contains("by everybody on this machine"));
    first.put(folder.path());
    fs::write(&chain, "no chain").expect("writes");
    assert!(refused().await.contains("holds no certificate"));
    second.put_chain(folder.path());
    assert!(refused().await.contains("certify nothing together"));
    first.put_chain(folder.path());
    fs::write(&key, first.chain_pem.as_bytes()).expect("writes");
    assert!(refused().await.contains("holds no private key"));
    fs::write(&chain, vec![b'a'; 256 * 1024 + 1]).expect("writes");
    first.put_key(folder.path());
    assert!(refused().await.contains("longer than 256 KiB"));
}
