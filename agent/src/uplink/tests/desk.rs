//! A collector's front desk, played: real gRPC over real TLS, and answers that a test decides.

use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::limits;
use phonehome_proto::manifest::{
    ClockStatement, EnrolmentMode, Manifest, ManifestLimits, Purpose, Retention,
};
use phonehome_proto::receipt::Receipt;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey, VerifyingKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::Timestamp;
use phonehome_proto::v1;
use phonehome_proto::v1::intake_server::{Intake, IntakeServer};
use phonehome_proto::withdrawal::Erasure;
use phonehome_proto::{decode, encode};
use rustls::pki_types::PrivateKeyDer;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

/// When the desk is open: 2026-11-23, a Monday.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_392_000);

type Answer = Box<dyn FnMut(&SealedBatch, Outcome) -> Option<Outcome> + Send>;

/// What the desk does, and what it was asked.
pub(crate) struct Script {
    /// Its time.
    pub(crate) time: Timestamp,
    /// Its rules.
    pub(crate) manifest: Manifest,
    /// Statuses given, in order, before anything is answered properly.
    pub(crate) busy: VecDeque<Status>,
    /// The same, before a Submit is answered.
    pub(crate) busy_submits: VecDeque<Status>,
    /// Makes another outcome of the honest one; `None` leaves it out.
    pub(crate) answer: Answer,
    /// How many batches each Submit held.
    pub(crate) submits: Vec<usize>,
}

/// A running desk.
pub(crate) struct Desk {
    pub(crate) address: SocketAddr,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) script: Arc<Mutex<Script>>,
}

impl Desk {
    /// Opens on a free port: with TLS made from the desk's key, or in plain text.
    pub(crate) async fn open(tls: bool) -> anyhow::Result<Self> {
        let key = Arc::new(SigningKey::from_seed(&[42; 32]));
        let script = Arc::new(Mutex::new(Script {
            time: NOW,
            manifest: manifest(&key.public()),
            busy: VecDeque::new(),
            busy_submits: VecDeque::new(),
            answer: Box::new(|_, outcome| Some(outcome)),
            submits: Vec::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let clerk = Clerk {
            key: Arc::clone(&key),
            script: Arc::clone(&script),
        };
        let acceptor = if tls { Some(acceptor(&key)?) } else { None };
        let (send, incoming) = tokio::sync::mpsc::channel::<io::Result<Line>>(1);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let line: Result<Box<dyn Duplex>, _> = match &acceptor {
                    None => Ok(Box::new(stream)),
                    Some(acceptor) => acceptor.accept(stream).await.map(|s| Box::new(s) as _),
                };
                // A failed handshake is the visitor's affair.
                if let Ok(line) = line
                    && send.send(Ok(Line(line))).await.is_err()
                {
                    return;
                }
            }
        });
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(IntakeServer::new(clerk))
                .serve_with_incoming(ReceiverStream::new(incoming)),
        );
        Ok(Self {
            address,
            key,
            script,
        })
    }

    /// Its address, with the scheme.
    pub(crate) fn url(&self, scheme: &str) -> crate::uplink::CollectorUrl {
        format!("{scheme}://{}", self.address)
            .parse()
            .expect("an address")
    }

    /// Changes what it does.
    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("no test panics holding it"));
    }

    /// Its receipt for `sent`.
    pub(crate) fn receipt(key: &SigningKey, kind: PayloadType, sent: &SealedBatch) -> SealedBatch {
        let receipt = Receipt {
            audience: key.public().audience(),
            home: home_of(sent),
            payload_type: kind,
            payload_hash: Hash::of(&sent.payload),
            received_at: NOW,
            purpose: Purpose::Exercise,
        };
        SealedBatch::seal(PayloadType::Receipt, encode::receipt(&receipt), key)
    }

    /// Its receipt for a withdrawal: four batches of one week.
    pub(crate) fn erasure(key: &SigningKey, sent: &SealedBatch) -> SealedBatch {
        let erasure = Erasure {
            audience: key.public().audience(),
            home: home_of(sent),
            withdrawal_hash: Hash::of(&sent.payload),
            erased_at: NOW,
            batches: 4,
            weeks: vec!["2026-W47".parse().expect("a week")],
            purpose: Purpose::Exercise,
        };
        SealedBatch::seal(PayloadType::Erasure, encode::erasure(&erasure), key)
    }
}

/// Whose it says it is; what says nothing is its key's own.
fn home_of(sent: &SealedBatch) -> HomeId {
    let said = decode::batch(&sent.payload).map(|batch| batch.header().home);
    said.or_else(|_| decode::rotation(&sent.payload).map(|rotation| rotation.facts.home))
        .or_else(|_| decode::withdrawal(&sent.payload).map(|withdrawal| withdrawal.home))
        .unwrap_or_else(|_| {
            let key = VerifyingKey::from_bytes(&sent.public_key);
            key.expect("a home's key").home()
        })
}

/// Honest rules.
pub(crate) fn manifest(key: &VerifyingKey) -> Manifest {
    Manifest {
        audience: key.audience(),
        serial: 7,
        valid_until: NOW.plus_seconds(limits::MANIFEST_VALID_SECONDS_MAX),
        next_key: None,
        purpose: Purpose::Exercise,
        k: limits::GATE_HOMES_MIN,
        network_homes_max: limits::NETWORK_HOMES_MAX,
        rounding: limits::ROUNDING,
        limits: ManifestLimits {
            batch_bytes_max: 256 * 1024,
            request_batches_max: 64,
            request_bytes_max: 4 * 1024 * 1024,
            skew_seconds_max: 300,
        },
        retention: Retention {
            accept_days: 4,
            destroy_days: 7,
        },
        accepted_types: vec![
            PayloadType::Batch,
            PayloadType::Enrol,
            PayloadType::Rotate,
            PayloadType::Withdraw,
        ],
        endpoint_list_versions: vec![ENDPOINT_LIST_VERSION],
        privacy_label: "An exercise.".to_owned(),
        enrolment: EnrolmentMode::Invite,
    }
}

/// An honest answer to `nonce`.
pub(crate) fn manifest_answer(
    manifest: &Manifest,
    nonce: [u8; 16],
    key: &SigningKey,
) -> (SealedBatch, SealedBatch) {
    answer_at(NOW, manifest, nonce, key)
}

/// The same, at another time.
fn answer_at(
    time: Timestamp,
    manifest: &Manifest,
    nonce: [u8; 16],
    key: &SigningKey,
) -> (SealedBatch, SealedBatch) {
    let manifest = SealedBatch::seal(PayloadType::Manifest, encode::manifest(manifest), key);
    let manifest_hash = Hash::of(&manifest.payload);
    let statement = ClockStatement {
        nonce,
        manifest_hash,
        time,
    };
    (
        manifest,
        SealedBatch::seal(PayloadType::Clock, encode::clock(&statement), key),
    )
}

struct Clerk {
    key: Arc<SigningKey>,
    script: Arc<Mutex<Script>>,
}

impl Clerk {
    fn script(&self) -> Result<std::sync::MutexGuard<'_, Script>, Status> {
        let mut script = self.script.lock().expect("no test panics holding it");
        script.busy.pop_front().map_or(Ok(script), Err)
    }
}

#[tonic::async_trait]
impl Intake for Clerk {
    async fn get_manifest(
        &self,
        request: Request<v1::GetManifestRequest>,
    ) -> Result<Response<v1::GetManifestResponse>, Status> {
        let script = self.script()?;
        let nonce = request.into_inner().nonce.try_into().expect("16 bytes");
        let (manifest, clock) = answer_at(script.time, &script.manifest, nonce, &self.key);
        Ok(Response::new(v1::GetManifestResponse {
            manifest: Some(status::envelope_to_wire(manifest)),
            clock: Some(status::envelope_to_wire(clock)),
        }))
    }

    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let sent = request.into_inner().enrolment.expect("an enrolment");
        let sent = status::envelope_from_wire(sent);
        let receipt = Outcome::Receipt(Desk::receipt(&self.key, PayloadType::Enrol, &sent));
        let outcome = (self.script()?.answer)(&sent, receipt).map(status::outcome_to_wire);
        Ok(Response::new(v1::EnrolResponse { outcome }))
    }

    async fn rotate_key(
        &self,
        request: Request<v1::RotateKeyRequest>,
    ) -> Result<Response<v1::RotateKeyResponse>, Status> {
        let sent = request.into_inner().rotation.expect("a rotation");
        let sent = status::envelope_from_wire(sent);
        let receipt = Outcome::Receipt(Desk::receipt(&self.key, PayloadType::Rotate, &sent));
        let outcome = (self.script()?.answer)(&sent, receipt).map(status::outcome_to_wire);
        Ok(Response::new(v1::RotateKeyResponse { outcome }))
    }

    async fn withdraw(
        &self,
        request: Request<v1::WithdrawRequest>,
    ) -> Result<Response<v1::WithdrawResponse>, Status> {
        let sent = request.into_inner().withdrawal.expect("a withdrawal");
        let sent = status::envelope_from_wire(sent);
        let erasure = Outcome::Receipt(Desk::erasure(&self.key, &sent));
        let outcome = (self.script()?.answer)(&sent, erasure).map(status::outcome_to_wire);
        Ok(Response::new(v1::WithdrawResponse { outcome }))
    }

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let mut script = self.script()?;
        if let Some(busy) = script.busy_submits.pop_front() {
            return Err(busy);
        }
        let batches = request.into_inner().batches;
        script.submits.push(batches.len());
        let outcomes = batches.into_iter().filter_map(|sent| {
            let sent = status::envelope_from_wire(sent);
            let receipt = Outcome::Receipt(Desk::receipt(&self.key, PayloadType::Batch, &sent));
            (script.answer)(&sent, receipt).map(status::outcome_to_wire)
        });
        Ok(Response::new(v1::SubmitResponse {
            outcomes: outcomes.collect(),
        }))
    }
}

/// TLS with a self-signed certificate of the desk's own key.
fn acceptor(key: &SigningKey) -> anyhow::Result<TlsAcceptor> {
    // An Ed25519 PrivateKeyInfo up to the seed (RFC 8410, section 7).
    const PKCS8_FRONT: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let pkcs8 = [&PKCS8_FRONT[..], &key.seed()[..]].concat();
    let private = PrivateKeyDer::Pkcs8(pkcs8.into());
    let pair = rcgen::KeyPair::from_der_and_sign_algo(&private, &rcgen::PKCS_ED25519)?;
    let certificate =
        rcgen::CertificateParams::new(["collector".to_owned()])?.self_signed(&pair)?;
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS13])?
    .with_no_client_auth()
    .with_single_cert(vec![certificate.der().clone()], private)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config).into())
}

// === connections, as tonic wants them ===

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl Duplex for TcpStream {}
impl Duplex for tokio_rustls::server::TlsStream<TcpStream> {}

struct Line(Box<dyn Duplex>);

impl Connected for Line {
    type ConnectInfo = ();
    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
