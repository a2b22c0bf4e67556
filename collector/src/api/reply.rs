//! An answer: bytes, their kind, and how long they may be kept.

use crate::release::Release;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use phonehome_proto::id::Hash;
use phonehome_proto::manifest::Purpose;

/// The release an answer is from.
const RELEASE_HEADER: HeaderName = HeaderName::from_static("phonehome-release");
/// `observatory`, or `exercise` when the homes are synthetic.
const PURPOSE_HEADER: HeaderName = HeaderName::from_static("phonehome-purpose");

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Csv,
    Svg,
    Html,
    Text,
}

/// How long an answer may be kept without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It is about a release by its name.
    ForEver,
    /// It follows the newest release, or the newest revision.
    AWhile,
    /// Not at all.
    Never,
}

/// An answer, before it is known whether the asker has it already.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    kind: Kind,
    keep: Keep,
    body: Vec<u8>,
    /// The release's name and purpose, where the answer is from one.
    from: Option<(String, Purpose)>,
    /// What a browser that saves it calls it.
    name: Option<String>,
}

impl Kind {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Svg => "image/svg+xml",
            Self::Html => "text/html; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The kind of a published file, by the ending of its name.
    pub(super) fn of_file(name: &str) -> Self {
        match name.rsplit('.').next() {
            Some("json") => Self::Json,
            Some("csv") => Self::Csv,
            Some("svg") => Self::Svg,
            Some("html") => Self::Html,
            _ => Self::Text,
        }
    }
}

impl Reply {
    pub(super) fn new(kind: Kind, keep: Keep, body: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            keep,
            body: body.into(),
            from: None,
            name: None,
        }
    }

    /// Says which release it is from. An exercise's names are used again by the next exercise, so
    /// nothing of it is kept without asking.
    pub(super) fn from(mut self, release: &Release) -> Self {
        if release.purpose == Purpose::Exercise && self.keep == Keep::ForEver {
            self.keep = Keep::AWhile;
        }
        self.from = Some((release.id.to_string(), release.purpose));
        self
    }

    /// Says what a browser that saves it should call it.
    pub(super) fn named(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }

    const fn cache_control(&self) -> &'static str {
        match (self.keep, &self.from) {
            (Keep::Never, _) => "no-store",
            // Names of exercises come again with other numbers: always ask, the ETag makes it cheap.
            (_, Some((_, Purpose::Exercise))) => "no-cache",
            (Keep::ForEver, _) => "public, max-age=31536000, immutable",
            (Keep::AWhile, _) => "public, max-age=300",
        }
    }

    /// The response: 304 if the asker has these bytes already.
    pub(super) fn into_response_for(self, asker: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", Hash::of(&self.body).to_hex());
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            // Every value here is made of names and digits of ours; one that is not is left out.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "etag, phonehome-release, phonehome-purpose",
        );
        set(header::CACHE_CONTROL, self.cache_control());
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::ETAG, &etag);
        if let Some((id, purpose)) = &self.from {
            set(RELEASE_HEADER, id);
            set(PURPOSE_HEADER, purpose.as_str());
        }
        if has(asker, &etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, self.kind.media_type());
        if let Some(name) = &self.name {
            set(
                header::CONTENT_DISPOSITION,
                &format!("inline; filename=\"{name}\""),
            );
        }
        (StatusCode::OK, headers, self.body).into_response()
    }
}

/// Whether `If-None-Match` names this tag, or anything (RFC 9110, section 13.1.2: weak comparison).
fn has(asker: &HeaderMap, etag: &str) -> bool {
    asker
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| {
            list.split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
        })
}
