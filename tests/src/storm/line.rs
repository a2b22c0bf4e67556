//! The network between homes and collector: it loses, delays and repeats.
//!
//! Takes requests as a home's uplink makes them; gives them to the collector, or does not, as the
//! [`Weather`] of the home wants it. What arrives at the collector, and what it said, is written down,
//! whether or not the home hears of it.

mod letter;

pub use letter::{Content, Letter, Told};

use super::happened::Happened;
use super::operation::{Gust, Weather};
use hyper_util::rt::TokioIo;
use letter::ask;
use phonehome_proto::v1;
use phonehome_proto::v1::intake_server::{Intake, IntakeServer};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::DuplexStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

/// The network. Clones are the same one.
#[derive(Clone, Default)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    collector: Option<Arc<dyn Intake>>,
    weather: BTreeMap<u8, VecDeque<Gust>>,
    addresses: BTreeMap<u8, IpAddr>,
    delayed: Vec<Letter>,
    told: Vec<Told>,
    happened: Happened,
    /// The next request is the last one that arrives, and nobody hears the answer.
    is_cut_after_one: bool,
}

/// One home's way to the collector.
#[derive(Clone)]
struct Line {
    network: Network,
    home: u8,
}

/// Bytes that a pipe holds; more wait for the other side to read.
const PIPE_BYTES: usize = 64 * 1_024;

/// Networks of the exercise that homes stand in.
pub const NETWORKS: u16 = 5;

/// Where the home of this number among all that ever were stands: a /48 of its own, in one of
/// [`NETWORKS`], each a /36.
///
/// # Panics
/// If there are more homes than a network has room for.
#[must_use]
pub fn address(identity: usize) -> IpAddr {
    let number = u16::try_from(identity).expect("few homes");
    assert!(number < 1 << 12, "few homes");
    let network = number % NETWORKS;
    Ipv6Addr::new(0x2001, 0xdb8, network << 12 | number, 0, 0, 0, 0, 1).into()
}

// === impl Network ===

impl Network {
    /// A channel for the home of this number, over which it may speak as long as the runtime runs.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn channel(&self, home: u8) -> Channel {
        let line = Line {
            network: self.clone(),
            home,
        };
        let connector = tower::service_fn(move |_| {
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            let service = IntakeServer::new(line.clone());
            let connection = Server::builder()
                .add_service(service)
                .serve_with_incoming(Once(Some(theirs)));
            tokio::spawn(connection);
            std::future::ready(Ok::<_, std::io::Error>(TokioIo::new(ours)))
        });
        let endpoint = Endpoint::from_static("http://storm.example");
        endpoint.connect_with_connector_lazy(connector)
    }

    /// Puts a collector at the other end, or nobody.
    pub fn lead_to(&self, collector: Option<Arc<dyn Intake>>) {
        self.state().collector = collector;
    }

    /// What becomes of a home's next requests.
    pub fn set_weather(&self, home: u8, weather: &Weather) {
        let gusts = weather.0.iter().copied().collect();
        self.state().weather.insert(home, gusts);
    }

    /// Where a home stands from now on.
    pub fn set_address(&self, home: u8, address: IpAddr) {
        self.state().addresses.insert(home, address);
    }

    /// How many requests were taken for lost and may arrive.
    #[must_use]
    pub fn delayed(&self) -> usize {
        self.state().delayed.len()
    }

    /// One that was taken for lost.
    #[must_use]
    pub fn late(&self, which: usize) -> Option<Letter> {
        self.state().delayed.get(which).cloned()
    }

    /// What reached the collector since the last call.
    pub fn take_told(&self) -> Vec<Told> {
        std::mem::take(&mut self.state().told)
    }

    /// What it did since the last call.
    pub fn take_happened(&self) -> Happened {
        std::mem::take(&mut self.state().happened)
    }

    /// Gives a request to the collector.
    ///
    /// # Errors
    /// Its own, or that there is none.
    pub async fn deliver(&self, letter: Letter) -> Result<Vec<v1::Outcome>, Status> {
        let gone = || Status::unavailable("nobody is there");
        let collector = self.state().collector.clone();
        let collector = collector.ok_or_else(gone)?;
        let outcomes = ask(&*collector, &letter).await;
        let answer = outcomes.as_ref().map_err(Status::code).cloned();
        let mut state = self.state();
        state.told.push(Told { letter, answer });
        if state.is_cut_after_one {
            state.collector = None;
            return Err(gone());
        }
        outcomes
    }

    /// The power will fail when one more request has arrived.
    pub fn cut_after_one(&self) {
        self.state().is_cut_after_one = true;
    }

    /// Nothing is about to fail.
    pub fn mend(&self) {
        self.state().is_cut_after_one = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Line ===

impl Line {
    async fn carry(&self, content: Content) -> Result<Vec<v1::Outcome>, Status> {
        let home = self.home;
        let (letter, gust) = {
            let mut state = self.network.state();
            let unknown = Ipv6Addr::UNSPECIFIED.into();
            let from = state.addresses.get(&home).copied().unwrap_or(unknown);
            let letter = Letter { from, content };
            let gusts = state.weather.entry(home).or_default();
            let gust = gusts.pop_front().unwrap_or(Gust::Calm);
            if gust == Gust::Delays {
                state.delayed.push(letter.clone());
            }
            if let Some(word) = gust.word() {
                state.happened.note("network", word);
            }
            (letter, gust)
        };
        let lost = || Err(Status::unavailable("the connection broke"));
        match gust {
            Gust::Calm => self.network.deliver(letter).await,
            Gust::LosesRequest | Gust::Delays => lost(),
            Gust::LosesAnswer => {
                let _ = self.network.deliver(letter).await;
                lost()
            }
            Gust::Repeats => {
                let _ = self.network.deliver(letter.clone()).await;
                self.network.deliver(letter).await
            }
        }
    }

    async fn carry_one(&self, content: Content) -> Result<Option<v1::Outcome>, Status> {
        Ok(self.carry(content).await?.pop())
    }
}

#[tonic::async_trait]
impl Intake for Line {
    async fn get_manifest(
        &self,
        request: Request<v1::GetManifestRequest>,
    ) -> Result<Response<v1::GetManifestResponse>, Status> {
        let collector = self.network.state().collector.clone();
        let collector = collector.ok_or_else(|| Status::unavailable("nobody is there"))?;
        collector.get_manifest(request).await
    }

    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let outcome = self.carry_one(Content::Enrol(request.into_inner())).await?;
        Ok(Response::new(v1::EnrolResponse { outcome }))
    }

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let outcomes = self.carry(Content::Submit(request.into_inner())).await?;
        Ok(Response::new(v1::SubmitResponse { outcomes }))
    }

    async fn rotate_key(
        &self,
        request: Request<v1::RotateKeyRequest>,
    ) -> Result<Response<v1::RotateKeyResponse>, Status> {
        let outcome = self
            .carry_one(Content::Rotate(request.into_inner()))
            .await?;
        Ok(Response::new(v1::RotateKeyResponse { outcome }))
    }

    async fn withdraw(
        &self,
        request: Request<v1::WithdrawRequest>,
    ) -> Result<Response<v1::WithdrawResponse>, Status> {
        let outcome = self
            .carry_one(Content::Withdraw(request.into_inner()))
            .await?;
        Ok(Response::new(v1::WithdrawResponse { outcome }))
    }
}

/// A stream of one connection.
struct Once(Option<DuplexStream>);

impl tokio_stream::Stream for Once {
    type Item = std::io::Result<DuplexStream>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Ok))
    }
}
