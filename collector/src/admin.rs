//! What an operator sees of a collector that runs: counters, health, readiness.
//!
//! Plain HTTP on an address of this machine alone, or nowhere: a count of an open week's batches is a
//! number that passed no gate, so none of this is ever served where readers come. Three answers:
//! - `/metrics`: every counter, from zero on, in Prometheus' text format, and whether it is ready. What
//!   came in is the sum of what became of it, for requests, batches, enrolments, rotations and
//!   withdrawals, so that whoever scrapes can check that nothing is lost uncounted; connections that came in
//!   were refused, or have ended, or are open;
//! - `/healthz`: 200 as long as it answers at all;
//! - `/readyz`: 200 if homes should be sent here, else 503 and the reasons, one a line, each a word of a closed
//!   list: no address, name or path stands in them.

use crate::metrics::Metrics;
use crate::metrics::exposition;
use crate::readiness::{Readiness, Unready};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;

/// What the answers are made of.
#[derive(Clone)]
struct Seen {
    metrics: Metrics,
    readiness: Readiness,
}

/// An answer: its status, its type, its text.
type Answer = (StatusCode, [(HeaderName, &'static str); 2], String);

/// The routes, ready to be served.
pub fn router(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(counters))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(Seen { metrics, readiness })
}

async fn counters(State(seen): State<Seen>) -> Answer {
    let reasons = seen.readiness.reasons();
    let mut text = exposition::counters(&seen.metrics.snapshot());
    text.push_str(&exposition::gauge(
        "phonehome_collector_ready",
        "Whether homes should be sent here.",
        None,
        [(None, u64::from(reasons.is_empty()))],
    ));
    text.push_str(&exposition::gauge(
        "phonehome_collector_unready",
        "Why homes should not be sent here.",
        Some("reason"),
        Unready::ALL.map(|why| (Some(why.as_str()), u64::from(reasons.contains(&why)))),
    ));
    answer(StatusCode::OK, exposition::MEDIA_TYPE, text)
}

async fn healthz() -> Answer {
    answer(StatusCode::OK, TEXT, "ok\n".to_owned())
}

async fn readyz(State(seen): State<Seen>) -> Answer {
    let reasons = seen.readiness.reasons();
    if reasons.is_empty() {
        return answer(StatusCode::OK, TEXT, "ready\n".to_owned());
    }
    let lines = reasons.iter().map(|why| format!("{}\n", why.as_str()));
    answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, lines.collect())
}

const TEXT: &str = "text/plain; charset=utf-8";

const fn answer(status: StatusCode, media_type: &'static str, text: String) -> Answer {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text)
}

#[cfg(test)]
mod tests;
