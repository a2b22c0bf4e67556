//! gRPC Intake: bytes in, outcomes out.
//!
//! Takes connections, gives every sealed payload to the stage that decides over it, and answers
//! with what that stage said. A home's country and network are read from its address here, in
//! memory; the address goes nowhere else. Refusals are outcomes; an error on the wire only ever
//! means "come back": `UNAVAILABLE` with a time to wait.

mod bodies;
mod deferral;
mod desk;
pub mod ending;
pub mod forwarded;
pub mod listener;
pub mod proxy;
pub mod tls;

pub use bodies::BODIES_BYTES_MAX;
pub use deferral::{Deferral, RETRY_SECONDS_MAX, RETRY_SECONDS_MIN, Waits};
pub use desk::Desk;

use crate::geo::in_use::AtlasInUse;
use crate::geo::network::Origin;
use crate::identity::Identity;
use crate::journal::Accepted;
use crate::line::Whom;
use crate::metrics::{Counter, Metrics};
use crate::readiness::{Readiness, Unready};
use crate::registry::place::Whence;
use crate::registry::window::Spent;
use crate::registry::{Answer, Registry};
use crate::store::StoreError;
use crate::withdrawal::{Withdrawals, Withdrawn};
use bodies::Guarded;
use forwarded::Forwarders;
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::Clock;
use phonehome_proto::v1;
use phonehome_proto::v1::intake_server::{self, IntakeServer};
use phonehome_proto::v1::observatory_server;
use proxy::Source;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;

/// Why a connection did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Too many are open.
    NoRoom,
    /// A listed proxy did not begin with its header.
    ProxyHeader,
    /// No TLS, and not from this machine itself.
    Plaintext,
    /// The TLS handshake failed.
    Tls,
    /// It took too long.
    TimedOut,
    /// The collector stops.
    Stopping,
    /// It broke.
    Io,
}

/// What the service needs of the rest.
#[derive(Clone)]
pub struct Intake {
    /// Signs what is handed out.
    pub identity: Arc<Identity>,
    /// The serial of the rules in force.
    pub serial: u64,
    /// Knows who may report.
    pub registry: Registry,
    /// Decides over what is reported.
    pub desk: Desk,
    /// Forgets who leaves.
    pub withdrawals: Withdrawals,
    /// Proxies that say in each request whom it speaks for.
    pub forwarders: Option<Arc<Forwarders>>,
    /// Knows where an address stands.
    pub atlas: AtlasInUse,
    /// Knows the time.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: Metrics,
    /// What gRPC's health service follows.
    pub readiness: Readiness,
    /// Spreads those who are sent away.
    pub waits: Waits,
    /// Told when the store can no longer be written.
    pub failure: watch::Sender<Option<Arc<StoreError>>>,
}

/// A request that is not answered after so long is dropped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Streams of one connection.
const STREAMS_MAX: u32 = 16;

/// A silent connection is asked after so long, and closed if it stays silent.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// After so long a connection is asked to end, so that homes spread over restarts and collectors.
const CONNECTION_AGE: Duration = Duration::from_secs(3_600);

impl Intake {
    /// Serves `connections`, and `beside` itself what is for readers, until `shutdown` resolves; requests under way
    /// are finished.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn serve(
        self,
        connections: tokio::sync::mpsc::Receiver<listener::Connection>,
        beside: Routes,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), tonic::transport::Error> {
        let (health, health_service) = tonic_health::server::health_reporter();
        let follows = follow(health, self.readiness.watch());
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(v1::FILE_DESCRIPTOR_SET)
            .build_v1()
            .expect("the build made the descriptor set");
        let (waits, metrics) = (self.waits.clone(), self.metrics.clone());
        let forwarders = self.forwarders.clone();
        let service = IntakeServer::new(self)
            .max_decoding_message_size(limits::REQUEST_BYTES_MAX)
            .max_encoding_message_size(limits::REQUEST_BYTES_MAX);
        let serving = tonic::transport::Server::builder()
            .timeout(REQUEST_TIMEOUT)
            .max_concurrent_streams(STREAMS_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .max_connection_age(CONNECTION_AGE)
            .max_connection_age_grace(REQUEST_TIMEOUT)
            .add_routes(beside)
            .add_service(Guarded::new(service, forwarders, waits, metrics))
            .add_service(health_service)
            .add_service(reflection)
            .serve_with_incoming_shutdown(
                ReceiverStream::new(connections).map(Ok::<_, std::io::Error>),
                shutdown,
            );
        tokio::select! {
            served = serving => served,
            never = follows => match never {},
        }
    }

    /// The country and network of whoever speaks; all that is ever taken from an address.
    fn origin<T>(&self, request: &Request<T>) -> Option<Origin> {
        match request.extensions().get::<Source>() {
            Some(Source::Client(address)) => self.atlas.now().origin(*address),
            Some(Source::Unknown) | None => None,
        }
    }

    /// Where a home enrols from: its address goes no further than this, and under an HMAC into counters.
    fn whence<T>(&self, request: &Request<T>) -> Whence {
        let address = match request.extensions().get::<Source>() {
            Some(Source::Client(address)) => Some(*address),
            Some(Source::Unknown) | None => None,
        };
        let network = self.origin(request).map(|origin| origin.network);
        Whence { address, network }
    }

    /// "Come back", and a word to the operator if the store is the reason.
    fn defer(&self, why: &Deferral) -> Status {
        if let Deferral::Store(error) = why {
            if error.passes() {
                tracing::warn!(%error, "nothing is acknowledged for now");
            } else {
                tracing::error!(%error, "nothing is acknowledged any more");
                self.failure.send_replace(Some(Arc::clone(error)));
            }
        }
        self.metrics
            .count(Counter::RequestsTurnedAway(why.as_str()));
        status::overloaded(self.waits.seconds())
    }

    /// Counts what a home is told about itself, and puts it in the wire's words.
    fn tell(
        &self,
        answer: Answer,
        [fresh, repeated]: [Counter; 2],
        rejected: fn(Reject) -> Counter,
    ) -> Option<v1::Outcome> {
        let (counter, outcome) = match answer {
            Answer::Fresh(receipt) => (fresh, Outcome::Receipt(receipt)),
            Answer::Repeated(receipt) => (repeated, Outcome::Receipt(receipt)),
            Answer::Refused(reject) => (rejected(reject), Outcome::Refused(reject)),
        };
        self.metrics.count(counter);
        Some(status::outcome_to_wire(outcome))
    }

    async fn submit(
        &self,
        whom: Whom,
        mut sealed: Vec<SealedBatch>,
        origin: Option<Origin>,
    ) -> Result<Vec<Outcome>, Deferral> {
        let surplus = sealed.split_off(sealed.len().min(limits::REQUEST_BATCHES_MAX));
        let now = self.clock.now();
        // Counted only once all of the request is decided: a request that fails is sent again whole.
        let decided = self.desk.submit(whom, sealed, origin, now).await?;
        let surplus = surplus.into_iter().map(|_| Err(Reject::TooMany));
        let tell = |outcome: Result<Accepted, Reject>| match outcome {
            Ok(batch) => {
                self.metrics.count(if batch.is_fresh() {
                    Counter::BatchesAccepted
                } else {
                    Counter::BatchesRepeated
                });
                Outcome::Receipt(batch.into_receipt())
            }
            Err(reject) => {
                self.metrics.count(Counter::BatchesRejected(reject));
                Outcome::Refused(reject)
            }
        };
        Ok(decided.into_iter().chain(surplus).map(tell).collect())
    }
}

#[tonic::async_trait]
impl intake_server::Intake for Intake {
    async fn get_manifest(
        &self,
        request: Request<v1::GetManifestRequest>,
    ) -> Result<Response<v1::GetManifestResponse>, Status> {
        let nonce = request.into_inner().nonce;
        let nonce: [u8; 16] = nonce
            .try_into()
            .map_err(|_| Status::invalid_argument("a nonce is 16 bytes"))?;
        let now = self.clock.now();
        let manifest = self.identity.manifest(self.serial, now);
        let clock = self.identity.clock(nonce, &manifest, now);
        Ok(Response::new(v1::GetManifestResponse {
            manifest: Some(status::envelope_to_wire(manifest)),
            clock: Some(status::envelope_to_wire(clock)),
        }))
    }

    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        self.metrics.count(Counter::EnrolmentsReceived);
        let undecided = Undecided::new(&self.metrics, Counter::EnrolmentsDeferred, 1);
        let whence = self.whence(&request);
        let v1::EnrolRequest {
            enrolment,
            invite_token,
        } = request.into_inner();
        let now = self.clock.now();
        let answer = if self.registry.attempt(&whence, now) == Spent::Over {
            Answer::Refused(Reject::TooMany)
        } else {
            // An absent envelope is an empty one: it has no type that is taken.
            let sealed = status::envelope_from_wire(enrolment.unwrap_or_default());
            let enrolled = self
                .registry
                .enrol(&sealed, &invite_token, &whence, &self.identity, now)
                .await;
            enrolled.map_err(|error| self.defer(&error.into()))?
        };
        undecided.decide();
        let outcome = self.tell(
            answer,
            [Counter::EnrolmentsAccepted, Counter::EnrolmentsRepeated],
            Counter::EnrolmentsRejected,
        );
        Ok(Response::new(v1::EnrolResponse { outcome }))
    }

    async fn rotate_key(
        &self,
        request: Request<v1::RotateKeyRequest>,
    ) -> Result<Response<v1::RotateKeyResponse>, Status> {
        self.metrics.count(Counter::RotationsReceived);
        let undecided = Undecided::new(&self.metrics, Counter::RotationsDeferred, 1);
        let rotation = request.into_inner().rotation.unwrap_or_default();
        let sealed = status::envelope_from_wire(rotation);
        let now = self.clock.now();
        let rotated = self.registry.rotate(&sealed, &self.identity, now).await;
        let answer = rotated.map_err(|error| self.defer(&Deferral::Store(Arc::new(error))))?;
        undecided.decide();
        let outcome = self.tell(
            answer,
            [Counter::RotationsAccepted, Counter::RotationsRepeated],
            Counter::RotationsRejected,
        );
        Ok(Response::new(v1::RotateKeyResponse { outcome }))
    }

    async fn withdraw(
        &self,
        request: Request<v1::WithdrawRequest>,
    ) -> Result<Response<v1::WithdrawResponse>, Status> {
        self.metrics.count(Counter::WithdrawalsReceived);
        let undecided = Undecided::new(&self.metrics, Counter::WithdrawalsDeferred, 1);
        let withdrawal = request.into_inner().withdrawal.unwrap_or_default();
        let sealed = status::envelope_from_wire(withdrawal);
        let withdrawn = self.withdrawals.withdraw(&sealed, self.clock.now()).await;
        let Withdrawn { answer, batches } =
            withdrawn.map_err(|error| self.defer(&Deferral::of(&error)))?;
        undecided.decide();
        self.metrics.add(Counter::BatchesErased, batches);
        let outcome = self.tell(
            answer,
            [Counter::WithdrawalsAccepted, Counter::WithdrawalsRepeated],
            Counter::WithdrawalsRejected,
        );
        Ok(Response::new(v1::WithdrawResponse { outcome }))
    }

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let origin = self.origin(&request);
        let whom = Source::whom(request.extensions().get());
        let batches = request.into_inner().batches;
        let received = batches.len();
        self.metrics.add(Counter::BatchesReceived, received);
        let undecided = Undecided::new(&self.metrics, Counter::BatchesDeferred, received);
        let sealed = batches
            .into_iter()
            .map(status::envelope_from_wire)
            .collect();
        match self.submit(whom, sealed, origin).await {
            Ok(outcomes) => {
                undecided.decide();
                let outcomes = outcomes.into_iter().map(status::outcome_to_wire).collect();
                Ok(Response::new(v1::SubmitResponse { outcomes }))
            }
            Err(error) => Err(self.defer(&error)),
        }
    }
}

/// Has the health service say what readiness says, for ever.
async fn follow(
    health: tonic_health::server::HealthReporter,
    mut readiness: watch::Receiver<BTreeSet<Unready>>,
) -> Infallible {
    loop {
        let is_ready = readiness.borrow_and_update().is_empty();
        let status = if is_ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in [
            intake_server::SERVICE_NAME,
            observatory_server::SERVICE_NAME,
        ] {
            health.set_service_status(service, status).await;
        }
        if readiness.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

// === conservation ===

/// Counts what came in as deferred, unless it is decided first: also when the request is dropped on
/// the way, because its home hung up or its time ran out.
struct Undecided<'a> {
    metrics: &'a Metrics,
    counter: Counter,
    several: usize,
}

impl<'a> Undecided<'a> {
    const fn new(metrics: &'a Metrics, counter: Counter, several: usize) -> Self {
        Self {
            metrics,
            counter,
            several,
        }
    }

    fn decide(mut self) {
        self.several = 0;
    }
}

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        self.metrics.add(self.counter, self.several);
    }
}

// === impl Refusal ===

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 7] = [
        Self::NoRoom,
        Self::ProxyHeader,
        Self::Plaintext,
        Self::Tls,
        Self::TimedOut,
        Self::Stopping,
        Self::Io,
    ];

    /// The counter's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRoom => "no_room",
            Self::ProxyHeader => "proxy_header",
            Self::Plaintext => "plaintext",
            Self::Tls => "tls",
            Self::TimedOut => "timed_out",
            Self::Stopping => "stopping",
            Self::Io => "io",
        }
    }
}
