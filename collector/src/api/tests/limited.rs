//! The door: shares, sizes, and what is counted.

use super::*;
use crate::api::{Caller, Door};
use crate::intake::forwarded::{Forwarders, Header, Peer};
use crate::intake::proxy::Source;
use crate::metrics::{Counter, Metrics};
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::http::{HeaderValue, Request};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use tower::ServiceExt;

fn door(metrics: &Metrics) -> Door {
    let forwarders = Forwarders {
        header: Header::XForwardedFor,
        proxies: BTreeSet::from([IpAddr::from([192, 0, 2, 1])]),
    };
    Door::new(metrics.clone(), Some(forwarders))
}

fn behind(door: Door) -> Router {
    let shelf = shelf();
    shelf.replace(two());
    door.before(router(shelf))
}

async fn ask(router: &Router, from: [u8; 4], path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).expect("a request");
    let caller = Caller(SocketAddr::from((from, 4_711)));
    request.extensions_mut().insert(ConnectInfo(caller));
    let answer = router.clone().oneshot(request).await;
    answer.expect("a router always answers")
}

fn left(response: &Response) -> u64 {
    let header = response.headers().get("ratelimit").expect("a header");
    let text = header.to_str().expect("text");
    let left = text
        .split(";r=")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    left.expect("a number").parse().expect("a number")
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let metrics = Metrics::new();
    let router = behind(door(&metrics));
    let first = ask(&router, [198, 51, 100, 7], "/healthz", &[]).await;
    assert_eq!(first.headers()["ratelimit-policy"], "\"place\";q=600;w=60");
    assert_eq!((first.status().as_u16(), left(&first)), (200, 599));
    let mut refused = None;
    for _ in 0..2_000 {
        let response = ask(&router, [198, 51, 100, 7], "/healthz", &[]).await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("a share ends");
    let headers = refused.headers();
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(left(&refused), 0);
    // Others have their own share; this machine a larger one; a client of a proxy its own.
    assert_eq!(
        left(&ask(&router, [198, 51, 100, 8], "/healthz", &[]).await),
        599
    );
    assert_eq!(
        left(&ask(&router, [127, 0, 0, 1], "/healthz", &[]).await),
        599_999
    );
    let client = [("x-forwarded-for", "198.51.100.9")];
    assert_eq!(
        left(&ask(&router, [192, 0, 2, 1], "/healthz", &client).await),
        599
    );
    let same = [("x-forwarded-for", "198.51.100.7")];
    let response = ask(&router, [192, 0, 2, 1], "/healthz", &same).await;
    assert!(left(&response) < 5);
    // A header from anybody else is nobody's word.
    let made_up = [("x-forwarded-for", "203.0.113.77")];
    let response = ask(&router, [198, 51, 100, 7], "/healthz", &made_up).await;
    assert!(left(&response) < 5);
    let counted = metrics.snapshot();
    assert!(counted[&Counter::ReadsDeferred] >= 1);
    let parts = [
        Counter::ReadsAnswered,
        Counter::ReadsRefused,
        Counter::ReadsDeferred,
        Counter::ReadsFailed,
    ];
    let parts: u64 = parts.iter().map(|counter| counted[counter]).sum();
    assert_eq!(parts, counted[&Counter::ReadsReceived]);
}

#[tokio::test]
async fn a_place_has_one_share_over_http_and_grpc() {
    let door = door(&Metrics::new());
    let router = behind(door.clone());
    let over_grpc = |from: [u8; 4], is_forwarder, client: Option<&'static str>| {
        let peer = Peer {
            source: Source::Client(from.into()),
            is_forwarder,
        };
        let mut headers = HeaderMap::new();
        if let Some(client) = client {
            headers.insert("x-forwarded-for", HeaderValue::from_static(client));
        }
        assert_eq!(door.admit(Some(peer), &headers), Ok(()));
    };
    over_grpc([198, 51, 100, 7], false, None);
    over_grpc([192, 0, 2, 1], true, Some("198.51.100.7"));
    // Nobody is believed who may not speak for others.
    over_grpc([198, 51, 100, 7], false, Some("203.0.113.77"));
    let response = ask(&router, [198, 51, 100, 7], "/healthz", &[]).await;
    assert_eq!(left(&response), 600 - 4);
    // A proxy that does not say for whom has the machine's share, here as there.
    over_grpc([192, 0, 2, 1], true, None);
    let response = ask(&router, [192, 0, 2, 1], "/healthz", &[]).await;
    assert_eq!(left(&response), 600_000 - 2);
}

#[tokio::test]
async fn floods_are_problems() {
    let metrics = Metrics::new();
    let router = behind(door(&metrics));
    let long = format!("/v1/matrix?{}", "a".repeat(3_000));
    let response = ask(&router, [198, 51, 100, 7], &long, &[]).await;
    assert_eq!(response.status(), 414);
    let value = "v".repeat(9_000);
    let flood = [("x-a", &value[..]), ("x-b", &value[..])];
    let response = ask(&router, [198, 51, 100, 7], "/v1/matrix", &flood).await;
    assert_eq!(response.status(), 431);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(metrics.snapshot()[&Counter::ReadsRefused], 2);
}
