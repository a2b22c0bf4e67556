//! Refusals as RFC 9457 problems: a closed list, each with its status and its words.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use thiserror::Error;

/// Why a request gets no numbers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// No such path.
    #[error("there is nothing at this path; /openapi.json lists what there is")]
    NoSuchRoute,
    /// Something else than reading.
    #[error("this API is read-only: use GET or HEAD")]
    ReadOnly,
    /// The shelf is empty.
    #[error("no week has been released yet; open weeks are never shown")]
    NothingReleased,
    /// A release or week that is not on the shelf.
    #[error("'{0}' is not released; /v1/releases lists what is")]
    NoSuchRelease(String),
    /// A file that no release has.
    #[error("a release has no file '{0}'")]
    NoSuchFile(String),
    /// A vendor that is not on the list.
    #[error("'{0}' is not a vendor of the list; write it like xiaomi")]
    NoSuchVendor(String),
    /// Not a country's code.
    #[error("'{0}' is not a country; write it like SG, or anycast, or unknown")]
    NoSuchCountry(String),
    /// A parameter this path does not have.
    #[error("this path has no parameter '{0}'")]
    UnknownParameter(String),
    /// A parameter with a value it cannot have, or given twice.
    #[error("parameter '{name}' cannot be '{value}': {expected}")]
    BadParameter {
        /// Which parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
}

impl Problem {
    /// Its name in the problem's `type`, never changed once published.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::NoSuchRoute => "no-such-route",
            Self::ReadOnly => "read-only",
            Self::NothingReleased => "nothing-released",
            Self::NoSuchRelease(_) => "no-such-release",
            Self::NoSuchFile(_) => "no-such-file",
            Self::NoSuchVendor(_) => "no-such-vendor",
            Self::NoSuchCountry(_) => "no-such-country",
            Self::UnknownParameter(_) => "unknown-parameter",
            Self::BadParameter { .. } => "bad-parameter",
        }
    }

    /// Its HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnknownParameter(_) | Self::BadParameter { .. } => StatusCode::BAD_REQUEST,
            Self::NoSuchRoute
            | Self::NothingReleased
            | Self::NoSuchRelease(_)
            | Self::NoSuchFile(_)
            | Self::NoSuchVendor(_)
            | Self::NoSuchCountry(_) => StatusCode::NOT_FOUND,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": format!("urn:phonehome:problem:{}", self.slug()),
            "title": self.slug().replace('-', " "),
            "status": self.status().as_u16(),
            "detail": self.to_string(),
        });
        let headers = [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let mut response = (self.status(), headers, format!("{body}\n")).into_response();
        if self == Self::ReadOnly {
            let allow = axum::http::HeaderValue::from_static("GET, HEAD, OPTIONS");
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}
