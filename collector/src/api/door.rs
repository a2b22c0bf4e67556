//! Before any answer: who asks, how often, and with how much.
//!
//! One place (an IPv4 address, an IPv6 /56) may make so many requests a minute; the headers `RateLimit` and
//! `RateLimit-Policy` of every answer say how many are left (draft-ietf-httpapi-ratelimit-headers), and who has used
//! them up is told when to come again. Places are held in memory only, at most [`PLACES_MAX`] of them,
//! and only as long as they are not full again. This machine itself is a place with a larger share: a
//! web server that stands in front speaks for many. One that is listed as a forwarder says for whom.

use super::Problem;
use crate::intake::forwarded::{Forwarders, Peer};
use crate::intake::proxy::Source;
use crate::line::Whom;
use crate::metrics::{Counter, Metrics};
use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Bytes of a path and its query.
const ADDRESS_BYTES_MAX: usize = 2_048;
/// Bytes of all headers.
const HEADERS_BYTES_MAX: usize = 16 * 1_024;
/// Places that are watched at one time. Of more, further ones are let in unwatched, and counted.
const PLACES_MAX: usize = 16_384;

const POLICY_HEADER: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT_HEADER: HeaderName = HeaderName::from_static("ratelimit");

/// Where a request comes from: the other end of its connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub SocketAddr);

/// How many requests, in how many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    name: &'static str,
    requests: u64,
    window_seconds: u64,
}

/// One place's share.
const PLACE: Policy = Policy {
    name: "place",
    requests: 600,
    window_seconds: 60,
};

/// The share of this machine itself.
const MACHINE: Policy = Policy {
    name: "machine",
    requests: 600_000,
    window_seconds: 60,
};

/// Who has asked lately. Clones know the same.
#[derive(Clone, Debug)]
pub struct Door {
    metrics: Metrics,
    forwarders: Option<Arc<Forwarders>>,
    places: Arc<Mutex<Places>>,
    begun: Instant,
}

/// What is left to each place, in requests times milliseconds of the window.
#[derive(Debug, Default)]
struct Places {
    used: HashMap<Whom, Used>,
    swept_ms: u64,
}

/// What a place has used and not got back yet, and when that was so.
#[derive(Clone, Copy, Debug)]
struct Used {
    amount: u64,
    at_ms: u64,
}

/// What a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    policy: Policy,
    left: u64,
    /// Until everything is there again.
    whole_in_seconds: u64,
    /// Until one request is there again, if none is.
    come_again_in_seconds: Option<u64>,
}

impl Door {
    /// A door that nobody has come through.
    #[must_use]
    pub fn new(metrics: Metrics, forwarders: Option<Forwarders>) -> Self {
        Self {
            metrics,
            forwarders: forwarders.map(Arc::new),
            places: Arc::default(),
            begun: Instant::now(),
        }
    }

    /// Puts the door before these routes.
    pub fn before(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, pass))
    }

    /// One request over gRPC, counted and let in as those over HTTP are; `peer` is the other end of its
    /// connection, as the homes' door told it.
    pub(super) fn admit(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Problem> {
        let verdict = self.take(peer, headers);
        verdict.and_then(Verdict::refusal).map_or(Ok(()), Err)
    }

    /// Takes one request of the place it speaks for; `None` if that is not watched.
    fn take(&self, peer: Option<Peer>, headers: &HeaderMap) -> Option<Verdict> {
        self.metrics.count(Counter::ReadsReceived);
        let (whom, policy) = self.whom(peer?, headers)?;
        // What is counted is whole between any two requests, whoever panicked.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = places.take(whom, policy, self.now_ms());
        if verdict.is_none() {
            self.metrics.count(Counter::ReadsUnwatched);
        }
        verdict
    }

    /// Whom a request speaks for, and by which policy; `None` if nobody can say.
    fn whom(&self, peer: Peer, headers: &HeaderMap) -> Option<(Whom, Policy)> {
        if peer.is_forwarder
            && let Ok(Source::Client(client)) = peer.resolve(self.forwarders.as_deref(), headers)
        {
            return Some((Whom::of(Some(client)), PLACE));
        }
        let Source::Client(address) = peer.source else {
            return None;
        };
        // A proxy that does not say for whom speaks for itself; a header from anybody else is nobody's word.
        let is_large = peer.is_forwarder || address.to_canonical().is_loopback();
        Some((
            Whom::of(Some(address)),
            if is_large { MACHINE } else { PLACE },
        ))
    }

    /// The other end of a reader's connection.
    fn peer(&self, Caller(address): Caller) -> Peer {
        let address = address.ip().to_canonical();
        let forwarders = self.forwarders.as_deref();
        Peer {
            source: Source::Client(address),
            is_forwarder: forwarders.is_some_and(|listed| listed.proxies.contains(&address)),
        }
    }

    /// Counts what became of a request.
    pub(super) fn count(&self, status: StatusCode) {
        self.metrics.count(match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Counter::ReadsDeferred
            }
            status if status.is_server_error() => Counter::ReadsFailed,
            status if status.is_client_error() => Counter::ReadsRefused,
            _ => Counter::ReadsAnswered,
        });
    }

    fn now_ms(&self) -> u64 {
        let passed = Instant::now().duration_since(self.begun).as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }
}

impl Places {
    /// Takes one request of a place; `None` if it finds no room to be watched.
    fn take(&mut self, whom: Whom, policy: Policy, now_ms: u64) -> Option<Verdict> {
        let window_ms = policy.window_seconds * 1_000;
        let whole = policy.requests * window_ms;
        if self.used.len() >= PLACES_MAX && !self.used.contains_key(&whom) {
            self.sweep(now_ms);
            if self.used.len() >= PLACES_MAX {
                return None;
            }
        }
        let used = self.used.entry(whom).or_insert(Used {
            amount: 0,
            at_ms: now_ms,
        });
        // In a window everything comes back, evenly.
        let back = now_ms
            .saturating_sub(used.at_ms)
            .saturating_mul(policy.requests);
        used.amount = used.amount.saturating_sub(back);
        used.at_ms = now_ms;
        let is_allowed = used.amount + window_ms <= whole;
        if is_allowed {
            used.amount += window_ms;
        }
        let seconds = |amount: u64| amount.div_ceil(policy.requests).div_ceil(1_000);
        Some(Verdict {
            policy,
            left: (whole - used.amount) / window_ms,
            whole_in_seconds: seconds(used.amount),
            come_again_in_seconds: (!is_allowed)
                .then(|| seconds(used.amount + window_ms - whole).max(1)),
        })
    }

    /// Forgets whoever has everything back; once a second at most.
    fn sweep(&mut self, now_ms: u64) {
        if now_ms < self.swept_ms.saturating_add(1_000) && self.swept_ms > 0 {
            return;
        }
        self.swept_ms = now_ms;
        let window_ms = PLACE.window_seconds * 1_000;
        self.used.retain(|_, used| {
            let back = now_ms
                .saturating_sub(used.at_ms)
                .saturating_mul(PLACE.requests);
            used.amount > back && now_ms < used.at_ms.saturating_add(window_ms)
        });
    }
}

impl Verdict {
    /// Why the request is not answered now, if it is not.
    fn refusal(self) -> Option<Problem> {
        self.come_again_in_seconds.map(Problem::TooManyRequests)
    }

    /// The headers that say so.
    fn write(self, headers: &mut HeaderMap) {
        let Policy {
            name,
            requests,
            window_seconds,
        } = self.policy;
        let policy = format!("\"{name}\";q={requests};w={window_seconds}");
        let limit = format!("\"{name}\";r={};t={}", self.left, self.whole_in_seconds);
        for (header, value) in [(POLICY_HEADER, policy), (LIMIT_HEADER, limit)] {
            headers.insert(
                header,
                HeaderValue::from_str(&value).expect("digits and a name"),
            );
        }
    }
}

/// One request through the door.
async fn pass(State(door): State<Door>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<ConnectInfo<Caller>>();
    let peer = caller.map(|ConnectInfo(caller)| door.peer(*caller));
    let verdict = door.take(peer, request.headers());
    let refusal = verdict.and_then(Verdict::refusal);
    let mut response = match refusal.or_else(|| too_large(&request)) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    if let Some(verdict) = verdict {
        verdict.write(response.headers_mut());
    }
    door.count(response.status());
    response
}

/// Why a request is larger than any that means something.
fn too_large(request: &Request) -> Option<Problem> {
    let address = request
        .uri()
        .path_and_query()
        .map_or(0, |all| all.as_str().len());
    if address > ADDRESS_BYTES_MAX {
        return Some(Problem::AddressTooLong(ADDRESS_BYTES_MAX));
    }
    let headers = request.headers().iter();
    let bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    (bytes > HEADERS_BYTES_MAX).then_some(Problem::HeadersTooLarge(HEADERS_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn whom(last: u32) -> Whom {
        Whom::of(Some(IpAddr::from((0xcb00_7100 + last).to_be_bytes())))
    }

    #[test]
    fn a_place_has_its_share_and_gets_it_back_evenly() {
        let mut places = Places::default();
        for taken in 1..=PLACE.requests {
            let verdict = places.take(whom(1), PLACE, 5).expect("watched");
            assert_eq!(verdict.left, PLACE.requests - taken);
            assert_eq!(verdict.come_again_in_seconds, None);
        }
        let full = places.take(whom(1), PLACE, 5).expect("watched");
        assert_eq!((full.left, full.whole_in_seconds), (0, 60));
        assert_eq!(full.come_again_in_seconds, Some(1));
        // Another place has its own.
        assert_eq!(
            places.take(whom(2), PLACE, 5).map(|verdict| verdict.left),
            Some(599)
        );
        // A tenth of a second is one request.
        let soon = places.take(whom(1), PLACE, 105).expect("watched");
        assert_eq!((soon.left, soon.come_again_in_seconds), (0, None));
        let later = places.take(whom(1), PLACE, 60_105).expect("watched");
        assert_eq!(later.left, PLACE.requests - 1);
        // A clock that goes back gives nothing, and takes nothing.
        assert!(places.take(whom(1), PLACE, 0).is_some());
    }

    #[test]
    fn places_are_bounded_and_forgotten_when_whole() {
        let mut places = Places::default();
        for place in 0..u32::try_from(PLACES_MAX).expect("small") {
            assert!(places.take(whom(place), PLACE, 1_000).is_some());
        }
        assert_eq!(places.take(whom(99_999), PLACE, 1_000), None);
        assert!(
            places.take(whom(7), PLACE, 1_001).is_some(),
            "who is known is watched still"
        );
        assert!(places.take(whom(99_999), PLACE, 63_000).is_some());
        assert!(places.used.len() < 3, "{}", places.used.len());
    }
}
