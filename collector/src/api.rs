//! The numbers over HTTP: what is on the shelf, and nothing else.
//!
//! - The API sees a [`Shelf`] of released weeks; it has no way to ask for an open one. The tables are
//!   the release's closed list; the only filters are one vendor and one country.
//! - Reads need no key. JSON by default, CSV by the ending `.csv` or `?format=csv`; the columns are
//!   those of the published files.
//! - Every answer has a strong `ETag` (SHA-256 of its body); a matching `If-None-Match` is a 304. What
//!   is asked for by a release's name never changes and may be kept for ever, except an exercise's.
//! - Every refusal is `application/problem+json` (RFC 9457), one of a closed list. A parameter that is
//!   not known is refused, so that a misspelt one is not silently ignored.
//! - `ROUTES` is all there is; `openapi.json` beside this file describes it, and a test compares.

mod page;
mod problem;
mod reply;
mod shelf;
mod v1;

pub use problem::Problem;
pub use shelf::{Shelf, Shelved};

use axum::Router;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use reply::Reply;

/// What answers a route: the shelf and what was asked, to an answer or a refusal.
type Handler = fn(&Shelf, &Asked) -> Result<Reply, Problem>;

/// Every route, as axum writes them.
const ROUTES: &[(&str, Handler)] = &[
    ("/", page::home),
    ("/map.svg", page::map),
    ("/releases", page::releases),
    ("/releases/{id}", page::release),
    ("/releases/{id}/", page::release),
    ("/releases/{id}/{file}", page::file),
    ("/vendors/{id}", page::vendor),
    ("/countries/{code}", page::country),
    ("/openapi.json", page::openapi),
    ("/healthz", page::healthz),
    ("/v1/releases", v1::releases),
    ("/v1/releases/{id}", v1::release),
    ("/v1/matrix", v1::matrix),
    ("/v1/matrix.json", v1::matrix),
    ("/v1/matrix.csv", v1::matrix),
    ("/v1/endpoints", v1::endpoints),
    ("/v1/endpoints.json", v1::endpoints),
    ("/v1/endpoints.csv", v1::endpoints),
    ("/v1/operators", v1::operators),
    ("/v1/operators.json", v1::operators),
    ("/v1/operators.csv", v1::operators),
    ("/v1/countries/{code}", v1::country),
    ("/v1/vendors/{id}", v1::vendor),
];

/// A request, without what no handler may depend on.
#[derive(Debug, Default)]
struct Asked {
    /// The path as matched, `/v1/matrix.csv`.
    path: &'static str,
    /// The parts of the path in braces, in their order.
    parts: Vec<String>,
    /// What follows the question mark.
    query: String,
}

/// The routes over a shelf, ready to be served.
pub fn router(shelf: Shelf) -> Router {
    let mut router = Router::new();
    for &(path, handler) in ROUTES {
        let answer = move |State(shelf): State<Shelf>,
                           parts: RawPathParams,
                           RawQuery(query): RawQuery,
                           headers: HeaderMap| async move {
            let parts = parts.iter().map(|(_, value)| value.to_owned()).collect();
            let asked = Asked {
                path,
                parts,
                query: query.unwrap_or_default(),
            };
            match handler(&shelf, &asked) {
                Ok(reply) => reply.into_response_for(&headers),
                Err(problem) => problem.into_response(),
            }
        };
        router = router.route(path, get(answer));
    }
    router
        .fallback(|| async { Problem::NoSuchRoute.into_response() })
        .method_not_allowed_fallback(other_method)
        .with_state(shelf)
}

/// Everything is read-only; a browser that asks first is told so.
async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        let headers = [
            (header::ALLOW, "GET, HEAD, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "if-none-match"),
        ];
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    Problem::ReadOnly.into_response()
}

#[cfg(test)]
mod tests;
