//! A collector in a folder of its own, and a home's side of the wire.

use crate::config::Config;
use crate::metrics::Counter;
use crate::run::{Handle, RunError, serve};
use crate::store::{JournalRow, Slice};
use crate::verify::fixture::{header, key, sealed, tuesday_noon, week};
use hyper_util::rt::TokioIo;
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::encode;
use phonehome_proto::enrolment::Enrolment;
use phonehome_proto::id::{Audience, Hash};
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::ManualClock;
use phonehome_proto::v1;
use phonehome_proto::v1::intake_client::IntakeClient;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Channel;

/// A collector of an exercise in a folder of its own, and the clock it goes by.
pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: ManualClock,
    pub(super) handle: Handle,
}

impl Bench {
    pub(super) async fn start(proxies: &str) -> Self {
        let (folder, clock) = (folder(), ManualClock::new(tuesday_noon()));
        let handle = serve_in(&folder, proxies, &clock).await.expect("serves");
        Self {
            folder,
            clock,
            handle,
        }
    }

    pub(super) fn audience(&self) -> Audience {
        self.handle.key().audience()
    }

    /// A batch of a home for this collector.
    pub(super) fn batch(&self, home: u8, batch: u8) -> SealedBatch {
        let mut header = header(home, batch);
        header.audience = self.audience();
        sealed(home, header)
    }

    /// A client over TLS, behind a PROXY header if one is given.
    pub(super) async fn client(&self, header: &'static [u8]) -> IntakeClient<Channel> {
        let (address, verifier) = (self.handle.intake_address(), Pinned(self.handle.key()));
        let connector = tower::service_fn(move |_| {
            let verifier = verifier.clone();
            async move {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(header).await?;
                let tls = tokio_rustls::TlsConnector::from(Arc::new(client_config(verifier)));
                let name = ServerName::try_from("anything.example").expect("a name");
                tls.connect(name, stream).await.map(TokioIo::new)
            }
        });
        let endpoint = Channel::from_static("http://collector.example");
        let channel = endpoint
            .connect_with_connector(connector)
            .await
            .expect("connects");
        IntakeClient::new(channel).max_encoding_message_size(usize::MAX)
    }

    /// Tries to agree on one of these protocols inside TLS, and waits until the collector hangs up.
    pub(super) async fn offer(&self, protocols: &[&[u8]]) {
        let mut config = client_config(Pinned(self.handle.key()));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let stream = TcpStream::connect(self.handle.intake_address()).await;
        let name = ServerName::try_from("anything.example").expect("a name");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        // A client is through before the server has made up its mind.
        if let Ok(mut stream) = connector.connect(name, stream.expect("connects")).await {
            let _hung_up = stream.read(&mut [0; 1]).await;
        }
    }

    /// Takes a home in with a fresh invite; gives the sealed enrolment and its token.
    pub(super) async fn enrol(
        &self,
        client: &mut IntakeClient<Channel>,
        home: u8,
    ) -> (SealedBatch, [u8; 16]) {
        let invite = self
            .handle
            .invite(1, "example.net:4317")
            .await
            .expect("invites")
            .remove(0);
        assert_eq!(invite.collector_key, self.handle.key());
        let enrolment = Enrolment {
            audience: self.audience(),
            invite_hash: invite.token_hash(),
            consent_hash: Hash::of(b"yes"),
        };
        let payload = encode::enrolment(&enrolment);
        let sealed = SealedBatch::seal(PayloadType::Enrol, payload, &key(home));
        let outcome = enrol(client, &sealed, invite.token_bytes()).await;
        assert!(matches!(outcome, Outcome::Receipt(_)), "{outcome:?}");
        (sealed, invite.token.expect("it has one"))
    }

    pub(super) fn count(&self, counter: Counter) -> u64 {
        self.handle.metrics()[&counter]
    }

    /// Waits until a counter stands at `value`: some are counted after the other side knows.
    pub(super) async fn reaches(&self, counter: Counter, value: u64) {
        let reached = async {
            while self.count(counter) != value {
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(60);
        let reached = tokio::time::timeout(patience, reached).await;
        reached.unwrap_or_else(|_| panic!("{counter:?} stays at {}", self.count(counter)));
    }

    pub(super) async fn rows(&self) -> Vec<JournalRow> {
        let store = &self.handle.works.ground.store;
        store
            .journal_page(week(), Slice::WHOLE, None, usize::MAX)
            .await
            .expect("reads")
    }
}

/// A folder with the table of an exercise in it.
pub(super) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let row = "[[network]]\nprefix = '2001:db8:7::/48'\ncountry = 'DE'\nasn = 64500\n";
    std::fs::write(folder.path().join("networks.toml"), row).expect("writes");
    folder
}

pub(super) async fn serve_in(
    folder: &tempfile::TempDir,
    proxies: &str,
    clock: &ManualClock,
) -> Result<Handle, RunError> {
    serve_with(folder, (proxies, ""), clock).await
}

/// The same, with more lines about how readers reach it.
pub(super) async fn serve_with(
    folder: &tempfile::TempDir,
    (proxies, http): (&str, &str),
    clock: &ManualClock,
) -> Result<Handle, RunError> {
    let text = format!(
        "purpose = 'exercise'\ndata_dir = 'data'\nkeys_dir = 'keys'\nidentity = 'collector.key'\n\
         [intake]\nlisten = '127.0.0.1:0'\npublic_address = 'example.net:4317'\n\
         proxies = [{proxies}]\n[http]\nlisten = '127.0.0.1:0'\n{http}\n\
         [publish]\nout = 'public'\n[exercise]\nnetworks = 'networks.toml'\n"
    );
    let config = Config::parse(&text, &folder.path().join("collector.toml")).expect("valid");
    serve(
        config,
        Arc::new(clock.clone()),
        SharedChance::new(SeededChance::new(8)),
    )
    .await
}

/// Believes one key and nothing else, as an agent does.
#[derive(Clone, Debug)]
struct Pinned(VerifyingKey);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let key = self.0.as_bytes();
        let holds = certificate.windows(key.len()).any(|bytes| bytes == key);
        assert!(holds, "the certificate is over the collector's key");
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn client_config(verifier: Pinned) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

pub(super) async fn enrol(
    client: &mut IntakeClient<Channel>,
    sealed: &SealedBatch,
    token: &[u8],
) -> Outcome {
    let enrolment = Some(status::envelope_to_wire(sealed.clone()));
    let request = v1::EnrolRequest {
        enrolment,
        invite_token: token.to_vec(),
    };
    let answer = client.enrol(request).await.expect("answers").into_inner();
    status::outcome_from_wire(answer.outcome.expect("an outcome")).expect("known")
}

pub(super) async fn submit(
    client: &mut IntakeClient<Channel>,
    batches: Vec<SealedBatch>,
) -> Vec<Outcome> {
    let batches = batches.into_iter().map(status::envelope_to_wire).collect();
    let answer = client
        .submit(v1::SubmitRequest { batches })
        .await
        .expect("answers")
        .into_inner();
    answer
        .outcomes
        .into_iter()
        .map(|o| status::outcome_from_wire(o).expect("known"))
        .collect()
}

/// PROXY v2 over IPv6 from 2001:db8:7::1.
pub(super) const FROM_HOME: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24\
    \x20\x01\x0d\xb8\x00\x07\0\0\0\0\0\0\0\0\0\x01\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x30\x39\x10\xdd";
