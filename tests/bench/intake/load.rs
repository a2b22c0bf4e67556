//! Homes that report, many at once: as fast as they are answered, or at a pace of their own.
//!
//! Takes signed batches, one request each, over connections that stay open; gives how long each answer
//! took, and looks at every receipt when the clock has stopped. At a pace, a request's time begins when it was due, so that a collector which holds
//! everybody up is not excused by nobody having asked.

use anyhow::{Context, Result, bail, ensure};
use hyper_util::rt::TokioIo;
use phonehome_proto::decode;
use phonehome_proto::id::Hash;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::v1::SubmitRequest;
use phonehome_proto::v1::intake_client::IntakeClient;
use phonehome_tests::relay::believing_anything;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

/// Whether homes speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// As agents do.
    Tls,
    /// As on one machine.
    Plain,
}

/// What came of a load.
pub(crate) struct Answered {
    pub(crate) wall: Duration,
    /// Of each request, sorted.
    pub(crate) waits: Vec<Duration>,
    /// Requests told to come back.
    pub(crate) deferred: usize,
    receipts: Vec<Receipt>,
}

/// The SHA-256 of a payload, and what was answered for it.
type Receipt = (Hash, SealedBatch);

/// A request, and the SHA-256 of its payload.
type Asked = (Hash, SubmitRequest);

/// Open connections of homes.
pub(crate) struct Homes(Vec<IntakeClient<Channel>>);

impl Homes {
    /// So many connections.
    pub(crate) async fn connect(address: SocketAddr, count: usize, wire: Wire) -> Result<Self> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(IntakeClient::new(channel(address, wire).await?));
        }
        Ok(Self(clients))
    }

    /// Sends everything, `at_once` requests at a time.
    pub(crate) async fn flood(
        &self,
        batches: Vec<SealedBatch>,
        at_once: usize,
    ) -> Result<Answered> {
        let requests = Arc::new(Mutex::new(requests(batches).into_iter()));
        let start = now();
        let mut senders = JoinSet::new();
        for sender in 0..at_once {
            let mut client = self.0[sender % self.0.len()].clone();
            let requests = Arc::clone(&requests);
            let next = move || requests.lock().map_or(None, |mut requests| requests.next());
            senders.spawn(async move {
                let mut told = Told::default();
                while let Some((hash, request)) = next() {
                    let asked = now();
                    match send(&mut client, request).await? {
                        Some(receipt) => told.held(now() - asked, (hash, receipt)),
                        None => told.deferred += 1,
                    }
                }
                anyhow::Ok(told)
            });
        }
        gather(start, senders).await
    }

    /// Sends everything, so many requests a second, whoever is still waiting.
    pub(crate) async fn trickle(
        &self,
        batches: Vec<SealedBatch>,
        a_second: f64,
    ) -> Result<Answered> {
        let start = now();
        let mut timer = tokio::time::interval(Duration::from_millis(1));
        let mut senders = JoinSet::new();
        let mut requests = requests(batches).into_iter().enumerate();
        let mut next = requests.next();
        while next.is_some() {
            timer.tick().await;
            let elapsed = now() - start;
            while let Some((number, request)) = next.take() {
                #[expect(clippy::cast_precision_loss, reason = "thousands are exact")]
                let due = Duration::from_secs_f64(number as f64 / a_second);
                if due > elapsed {
                    next = Some((number, request));
                    break;
                }
                let mut client = self.0[number % self.0.len()].clone();
                senders.spawn(async move {
                    let mut told = Told::default();
                    let (hash, request) = request;
                    match send(&mut client, request).await? {
                        Some(receipt) => {
                            told.held((now() - start).saturating_sub(due), (hash, receipt));
                        }
                        None => told.deferred += 1,
                    }
                    anyhow::Ok(told)
                });
                next = requests.next();
            }
        }
        gather(start, senders).await
    }
}

impl Answered {
    /// Whether each receipt says, in the collector's name, that it holds the payload it was asked to.
    pub(crate) fn verify(&self, collector: &VerifyingKey) -> Result<()> {
        for (hash, sealed) in &self.receipts {
            let payload = sealed.open(PayloadType::Receipt, collector)?;
            let receipt = decode::receipt(payload)?;
            ensure!(
                receipt.payload_hash == *hash,
                "a receipt is for another payload"
            );
        }
        ensure!(self.receipts.len() == self.waits.len(), "a receipt each");
        Ok(())
    }

    /// The wait that so many of a hundred did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let at = (self.waits.len() * percent / 100).min(self.waits.len().saturating_sub(1));
        self.waits.get(at).copied().unwrap_or_default()
    }

    /// Requests answered with a receipt, a second.
    #[expect(clippy::cast_precision_loss, reason = "thousands are exact")]
    pub(crate) fn rate(&self) -> f64 {
        self.waits.len() as f64 / self.wall.as_secs_f64()
    }
}

/// What was answered to one sender.
#[derive(Default)]
struct Told {
    waits: Vec<Duration>,
    deferred: usize,
    receipts: Vec<Receipt>,
}

impl Told {
    fn held(&mut self, wait: Duration, receipt: Receipt) {
        self.waits.push(wait);
        self.receipts.push(receipt);
    }
}

fn requests(batches: Vec<SealedBatch>) -> Vec<Asked> {
    let ask = |batch: SealedBatch| {
        let hash = Hash::of(&batch.payload);
        let batches = vec![status::envelope_to_wire(batch)];
        (hash, SubmitRequest { batches })
    };
    batches.into_iter().map(ask).collect()
}

/// The receipt; `None` if it is told to come back.
async fn send(
    client: &mut IntakeClient<Channel>,
    request: SubmitRequest,
) -> Result<Option<SealedBatch>> {
    match client.submit(request).await {
        Ok(answer) => {
            let outcome = answer.into_inner().outcomes.pop().context("an outcome")?;
            match status::outcome_from_wire(outcome) {
                Some(Outcome::Receipt(receipt)) => Ok(Some(receipt)),
                other => bail!("not a receipt: {other:?}"),
            }
        }
        Err(status) if status::retry_after_seconds(&status).is_some() => Ok(None),
        Err(status) => bail!("no answer: {status}"),
    }
}

async fn gather(start: Instant, mut senders: JoinSet<Result<Told>>) -> Result<Answered> {
    let mut all = Told::default();
    while let Some(told) = senders.join_next().await {
        let told = told??;
        all.waits.extend(told.waits);
        all.receipts.extend(told.receipts);
        all.deferred += told.deferred;
    }
    let wall = now() - start;
    all.waits.sort_unstable();
    Ok(Answered {
        wall,
        waits: all.waits,
        deferred: all.deferred,
        receipts: all.receipts,
    })
}

async fn channel(address: SocketAddr, wire: Wire) -> Result<Channel> {
    if wire == Wire::Plain {
        return Ok(Endpoint::try_from(format!("http://{address}"))?
            .connect()
            .await?);
    }
    let tls = tokio_rustls::TlsConnector::from(believing_anything());
    let connector = tower::service_fn(move |_| {
        let tls = tls.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from("collector.example").expect("a name");
            tls.connect(name, stream).await.map(TokioIo::new)
        }
    });
    let endpoint = Channel::from_static("http://collector.example");
    Ok(endpoint.connect_with_connector(connector).await?)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
