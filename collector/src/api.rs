//! The numbers over HTTP: what is on the shelf, and nothing else.
//!
//! - The API sees a [`Shelf`] of released weeks; it has no way to ask for an open one. The tables are
//!   the release's closed list; the only filters are one vendor, one country, and whole weeks.
//! - Reads need no key. The kind of an answer follows from the ending of its path, else `?format=`, else
//!   `Accept`; the columns are those of the published files, and JSON has a block `meta` before its rows.
//! - Every answer has a strong `ETag` (SHA-256 of its body); a matching `If-None-Match` is a 304. What
//!   is asked for by a release's name never changes and may be kept for ever, except an exercise's.
//! - Every refusal is `application/problem+json` (RFC 9457), one of a closed list, each with a page of its own. A
//!   parameter that is not known is refused, so that a misspelt one is not silently ignored.
//! - `routes` is all there is of it; the description at `/openapi.json` is made of the same table. Pages
//!   have the paths of the static site.
//! - What takes long is done aside, `DRAWN_MAX` at a time, and what was made is kept; before all of it
//!   stands a [`Door`].

mod asked;
mod cursor;
mod door;
mod guide;
mod kept;
mod kind;
mod made;
mod means;
mod meta;
mod observatory;
mod openapi;
mod page;
mod problem;
mod reply;
mod routes;
mod selection;
mod shelf;
mod v1;

pub use door::{Caller, Door};
pub use observatory::observatory;
pub use problem::Problem;
pub use shelf::{Shelf, Shelved};

use asked::Asked;
use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kept::Kept;
use kind::Kind;
use made::Made;
use routes::{Handler, PAGES, ROUTES};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Answers that take long and are made at one time.
const DRAWN_MAX: usize = 2;
/// Of those, so many more may wait; further ones are told to come again.
const WAITING_MAX: usize = 32;
/// When.
const COME_AGAIN_SECONDS: u64 = 2;

/// What all routes share.
#[derive(Clone)]
struct Served {
    shelf: Shelf,
    kept: Kept,
    /// Those that are made or wait.
    line: Arc<Semaphore>,
    /// Those that are made.
    desks: Arc<Semaphore>,
}

/// A path, ready to answer.
#[derive(Clone, Copy)]
struct Place {
    path: &'static str,
    ending: Option<Kind>,
    handler: Handler,
    is_heavy: bool,
}

/// The routes over a shelf, ready to be served.
pub fn router(shelf: Shelf) -> Router {
    let api = ROUTES.iter().flat_map(|route| {
        let paths = route.paths().into_iter();
        paths.map(|(path, ending)| {
            let place = Place {
                path: route.path,
                ending,
                handler: route.handler,
                is_heavy: route.is_heavy,
            };
            (path, place)
        })
    });
    let pages = PAGES.iter().map(|&(path, handler, is_heavy)| {
        let place = Place {
            path,
            ending: None,
            handler,
            is_heavy,
        };
        (path.to_owned(), place)
    });
    let mut router = Router::new();
    for (path, place) in api.chain(pages) {
        let handle =
            move |State(served): State<Served>,
                  parts: Result<RawPathParams, RawPathParamsRejection>,
                  RawQuery(query): RawQuery,
                  headers: HeaderMap| { answer(place, served, parts, query, headers) };
        router = router.route(&path, get(handle));
    }
    router
        .fallback(any_page)
        .method_not_allowed_fallback(other_method)
        .with_state(Served {
            shelf,
            kept: Kept::new(),
            line: Arc::new(Semaphore::new(DRAWN_MAX + WAITING_MAX)),
            desks: Arc::new(Semaphore::new(DRAWN_MAX)),
        })
}

/// One answer at one of the paths.
async fn answer(
    place: Place,
    served: Served,
    parts: Result<RawPathParams, RawPathParamsRejection>,
    query: Option<String>,
    headers: HeaderMap,
) -> Response {
    // A path that is no text in UTF-8 is none of ours.
    let Ok(parts) = parts else {
        return Problem::NoSuchRoute.into_response();
    };
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let asked = Arc::new(Asked {
        path: place.path,
        ending: place.ending,
        parts: parts.iter().map(|(_, value)| value.to_owned()).collect(),
        query: query.unwrap_or_default(),
        accept: accept.join(","),
    });
    let make = async {
        if place.is_heavy {
            aside(&served, place.handler, Arc::clone(&asked)).await
        } else {
            (place.handler)(&served.shelf, &asked).map(Made::of)
        }
    };
    match served.kept.answer(&served.shelf, &asked, make).await {
        Ok(made) => made.response_for(&headers),
        Err(problem) => problem.into_response(),
    }
}

/// Makes an answer that takes long, when it is its turn, where it keeps nobody else waiting.
async fn aside(served: &Served, handler: Handler, asked: Arc<Asked>) -> Result<Made, Problem> {
    let place = served.line.try_acquire();
    let _place = place.map_err(|_| Problem::Busy(COME_AGAIN_SECONDS))?;
    let desk = Arc::clone(&served.desks).acquire_owned().await;
    let desk = desk.map_err(|_| Problem::OurFault)?;
    let shelf = served.shelf.clone();
    let made = tokio::task::spawn_blocking(move || {
        // Taken until it is done, also when the reader has hung up meanwhile.
        let _desk = desk;
        handler(&shelf, &asked).map(Made::of)
    });
    made.await.map_err(|_| Problem::OurFault)?
}

/// Pages have paths of their own, the same as in a static folder (`site::address`).
async fn any_page(
    State(served): State<Served>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return Problem::NoSuchRoute.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let asked = Arc::new(Asked {
        parts: vec![path.to_owned()],
        ..Asked::default()
    });
    let make = async { page::at(&served.shelf, path).map(Made::of) };
    match served.kept.answer(&served.shelf, &asked, make).await {
        Ok(made) => made.response_for(&headers),
        Err(problem) => problem.into_response(),
    }
}

/// Everything is read-only; a browser that asks first is told so.
async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        let headers = [
            (header::ALLOW, "GET, HEAD, OPTIONS"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "accept, if-none-match, if-range, range",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        ];
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    Problem::ReadOnly.into_response()
}

#[cfg(test)]
mod tests;
