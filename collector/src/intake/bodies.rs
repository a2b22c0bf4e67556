//! Requests on their way in: how much of them may be in memory before anybody looks at it.
//!
//! Stands around the service. Every request's bytes are counted as they come, in one [`Line`] of
//! [`BODIES_BYTES_MAX`]; when more come, of whoever has most on its way the oldest is cut off and told
//! to come back. So requests that are begun and never ended hold nobody else up. Every request is
//! counted when it comes and again as what became of it.

use super::Deferral;
use super::deferral::Waits;
use super::forwarded::{Forwarders, Peer};
use super::proxy::Source;
use crate::line::{Line, Place};
use crate::metrics::{Counter, Metrics};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use phonehome_proto::status;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::{Code, Status};

/// Bytes of requests that may be on their way in.
pub const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A request counts as so many bytes before its first one came: bounds their number.
const BODY_BYTES_MIN: usize = 16 * 1024;

/// The service, and what is on its way to it.
#[derive(Clone)]
pub(super) struct Guarded<S> {
    service: S,
    forwarders: Option<Arc<Forwarders>>,
    bodies: Arc<Mutex<Line<oneshot::Sender<()>>>>,
    waits: Waits,
    metrics: Metrics,
}

/// A body whose bytes are counted.
struct Counted {
    body: Body,
    bodies: Arc<Mutex<Line<oneshot::Sender<()>>>>,
    place: Place,
    /// Of what came, how much stands in the line.
    bytes: usize,
    cut: oneshot::Receiver<()>,
    waits: Waits,
    metrics: Metrics,
}

/// Counts a request as abandoned, unless something else became of it.
struct Counting(Option<Metrics>);

impl<S> Guarded<S> {
    pub(super) fn new(
        service: S,
        forwarders: Option<Arc<Forwarders>>,
        waits: Waits,
        metrics: Metrics,
    ) -> Self {
        Self {
            service,
            forwarders,
            bodies: Arc::new(Mutex::new(Line::new(BODIES_BYTES_MAX))),
            waits,
            metrics,
        }
    }
}

impl<S: NamedService> NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        self.metrics.count(Counter::RequestsReceived);
        let counting = Counting(Some(self.metrics.clone()));
        if let Some(peer) = request.extensions().get::<Peer>() {
            match peer.resolve(self.forwarders.as_deref(), request.headers()) {
                Ok(source) => drop(request.extensions_mut().insert(source)),
                Err(why) => {
                    self.metrics.count(Counter::RequestsMisforwarded(why));
                    let answer = Status::invalid_argument(why.sentence()).into_http();
                    counting.became(&answer);
                    return Box::pin(std::future::ready(Ok(answer)));
                }
            }
        }
        let whom = Source::whom(request.extensions().get());
        let (sender, cut) = oneshot::channel();
        let (place, gone) = locked(&self.bodies).enter(whom, BODY_BYTES_MIN, sender);
        cut_off(gone);
        let answer = self.service.call(request.map(|body| {
            Body::new(Counted {
                body,
                bodies: Arc::clone(&self.bodies),
                place,
                bytes: BODY_BYTES_MIN,
                cut,
                waits: self.waits.clone(),
                metrics: self.metrics.clone(),
            })
        }));
        Box::pin(async move {
            let answer = answer.await?;
            counting.became(&answer);
            Ok(answer)
        })
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        // Nobody cuts off what has left the line, and it leaves with this body.
        if Pin::new(&mut self.cut).poll(cx).is_ready() {
            self.metrics
                .count(Counter::RequestsTurnedAway(Deferral::Body.as_str()));
            return Poll::Ready(Some(Err(status::overloaded(self.waits.seconds()))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        let came = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref())
            .map_or(0, Bytes::len);
        let Self { bodies, place, .. } = &*self;
        // The first bytes are counted before they came.
        let gone = match came.checked_sub(self.bytes) {
            None | Some(0) => Vec::new(),
            Some(more) => locked(bodies).grow(*place, more),
        };
        cut_off(gone);
        self.bytes = self.bytes.saturating_sub(came);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let sender = locked(&self.bodies).leave(self.place);
        drop(sender);
    }
}

impl Counting {
    /// Counts what became of the request: the answer says it in its head if it is not one.
    fn became(mut self, answer: &http::Response<Body>) {
        let Some(metrics) = self.0.take() else { return };
        let code =
            Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code());
        metrics.count(match code {
            Code::Ok => Counter::RequestsAnswered,
            Code::Unavailable => Counter::RequestsDeferred,
            _ => Counter::RequestsUnreadable,
        });
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(metrics) = self.0.take() {
            metrics.count(Counter::RequestsAbandoned);
        }
    }
}

fn locked<T>(line: &Mutex<Line<T>>) -> MutexGuard<'_, Line<T>> {
    // The line is whole between any two of its methods, whoever panicked.
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cut_off(gone: Vec<oneshot::Sender<()>>) {
    for sender in gone {
        // Who has ended meanwhile needs no word.
        let _ = sender.send(());
    }
}
