//! What readers ask: an address and headers, each on a line of its own.
//!
//! Whatever they are, the answer is an answer or a problem document, never our fault.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use phonehome_collector::api::{Shelf, router};
use phonehome_collector::format::json;
use phonehome_collector::identity::Identity;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::SigningKey;
use std::sync::{Arc, LazyLock};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// The headers that decide something, in the order of the lines.
const HEADERS: [header::HeaderName; 5] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::IF_NONE_MATCH,
    header::RANGE,
    header::IF_RANGE,
];

/// Kinds that are drawn: each takes too long to be tried millions of times.
const DRAWN: [&str; 3] = ["png", "pdf", "releases/"];

static SERVED: LazyLock<(Router, Runtime)> = LazyLock::new(|| {
    let identity = Identity::new(SigningKey::from_seed(&[7; 32]), Purpose::Exercise);
    let shelf = Shelf::new(Arc::new(identity));
    let release = json::from_json(include_str!("../../data/small-world.json"));
    shelf.replace(vec![release.expect("a release of our own reads")]);
    let runtime = Builder::new_current_thread().build();
    (router(shelf), runtime.expect("a runtime without a driver"))
});

/// Asks, and looks at the answer.
pub fn run(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let address = lines.next().unwrap_or_default();
    let mut request = Request::builder().uri(address);
    for (name, value) in HEADERS.into_iter().zip(lines) {
        request = request.header(name, value);
    }
    // What is no address and no header is refused before us.
    let Ok(request) = request.body(Body::empty()) else {
        return;
    };
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    if DRAWN.iter().any(|kind| text.contains(kind)) {
        return;
    }
    let (router, runtime) = &*SERVED;
    let response = runtime.block_on(router.clone().oneshot(request));
    is_sound(&response.unwrap_or_else(|never| match never {}));
}

fn is_sound(response: &Response<Body>) {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_problem = kind.is_some_and(|kind| kind == "application/problem+json");
    let is_answer = status.is_success() || status == StatusCode::NOT_MODIFIED;
    assert!(is_answer || status.is_client_error(), "{status}");
    assert_eq!(is_problem, !is_answer, "{status}");
}
