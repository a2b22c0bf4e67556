//! Refusals as RFC 9457 problems: a closed list, each with its status, its words and a page of its own.
//!
//! A problem's `type` is the path of that page, `/problems/NAME`: a reference that resolves against whatever
//! address the collector is reached at. Names are never changed once published.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

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
    /// A picture that this release does not have.
    #[error("this release has no map '{0}'; /v1/maps lists those it has")]
    NoSuchMap(String),
    /// A vendor that is not on the list.
    #[error("'{0}' is not a vendor of the list; write it like xiaomi")]
    NoSuchVendor(String),
    /// Not a country's code.
    #[error("'{0}' is not a country; write it like SG, or anycast, or unknown")]
    NoSuchCountry(String),
    /// A page about a problem that does not exist.
    #[error("there is no problem named '{0}'; /problems lists them")]
    NoSuchProblem(String),
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
    /// A cursor that this collector did not give for this list.
    #[error("this cursor was not given by this collector for this list; begin without one")]
    BadCursor,
    /// `Accept` allows nothing that there is.
    #[error("nothing that 'Accept' allows is made here; this path gives {0}")]
    NotAcceptable(String),
    /// A range of weeks that were not counted alike.
    #[error(
        "the weeks {0} to {1} were not counted by the same rules, so they have no common mean; ask for each"
    )]
    MixedWeeks(String, String),
    /// A range of bytes beyond the body.
    #[error("the body has {0} bytes, and the range lies beyond them")]
    BadByteRange(usize),
    /// An address that is too long to be one of ours.
    #[error("an address may have {0} bytes")]
    AddressTooLong(usize),
    /// More headers than any reader needs.
    #[error("headers may have {0} bytes in all")]
    HeadersTooLarge(usize),
    /// Somebody asks too often.
    #[error("too many requests from one place; ask again in {0} s")]
    TooManyRequests(u64),
    /// Too many pictures are being drawn.
    #[error("too many pictures are being drawn; ask again in {0} s")]
    Busy(u64),
    /// A bug of ours.
    #[error("this answer could not be made; it is our fault")]
    OurFault,
}

/// Which problem it is, without what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    /// Its name in the problem's `type`.
    pub(super) slug: &'static str,
    /// Its HTTP status.
    pub(super) status: u16,
    /// What its page says: what happened, and what helps.
    pub(super) meaning: &'static str,
}

/// A problem as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document {
    /// The path of a page that explains it.
    #[serde(rename = "type")]
    #[schema(example = "/problems/no-such-vendor")]
    page: String,
    /// Its name in words.
    title: String,
    /// The HTTP status once more.
    status: u16,
    /// What is wrong with this request.
    detail: String,
}

macro_rules! sorts {
    ($($name:ident, $slug:literal, $status:literal, $meaning:literal;)*) => {
        /// Every problem there is.
        pub(super) const SORTS: &[Sort] = &[$(Sort { slug: $slug, status: $status, meaning: $meaning }),*];

        impl Problem {
            /// Which one of the list it is.
            const fn sort(&self) -> Sort {
                match self {
                    $(Self::$name { .. } => Sort { slug: $slug, status: $status, meaning: $meaning },)*
                }
            }
        }
    };
}

sorts! {
    NoSuchRoute, "no-such-route", 404, "Nothing is served at this path. /openapi.json lists every path there is, and /v1 shows the same for people.";
    ReadOnly, "read-only", 405, "Everything here is for reading: only GET, HEAD and OPTIONS are answered.";
    NothingReleased, "nothing-released", 404, "No week has been closed and released yet. Open weeks are never shown, so there is nothing to tell until the first is closed, four days after it ends.";
    NoSuchRelease, "no-such-release", 404, "The week or release named is not released, or never will be. A week is written like 2026-W46 and a release like 2026-W46.0; /v1/releases lists all of them.";
    NoSuchFile, "no-such-file", 404, "A release's folder has no file of this name. Its SHA256SUMS lists the files it has.";
    NoSuchMap, "no-such-map", 404, "The release has no map of this name. A vendor or a home country without any number has none; /v1/maps lists those there are.";
    NoSuchVendor, "no-such-vendor", 404, "The vendor is not on the public list. Vendors have short names in small letters, such as xiaomi; the list is part of the source.";
    NoSuchCountry, "no-such-country", 404, "A country is its ISO 3166-1 alpha-2 code in capitals, such as SG, or XK for Kosovo. What stands in no country is anycast or unknown.";
    NoSuchProblem, "no-such-problem", 404, "No problem has this name. /problems lists all there are.";
    UnknownParameter, "unknown-parameter", 400, "The path does not have this parameter. What is not known is refused, so that a misspelt parameter is never silently ignored.";
    BadParameter, "bad-parameter", 400, "The parameter cannot have this value, or was given twice, or does not go with another. The detail says what would be right.";
    BadCursor, "bad-cursor", 400, "The cursor was cut, changed, or given for another list. Cursors are signed: take them from 'next' as they are, or begin without one.";
    NotAcceptable, "not-acceptable", 406, "The header Accept allows none of the kinds this path gives. An ending of the path or the parameter format goes before Accept.";
    MixedWeeks, "mixed-weeks", 409, "The weeks of the range were made by different methods or gates, or some are an exercise with synthetic homes. A mean over them would compare what cannot be compared; each week by itself can be had.";
    BadByteRange, "bad-byte-range", 416, "The header Range names bytes beyond the end of the body.";
    AddressTooLong, "address-too-long", 414, "The path and its parameters are longer than any that mean something here.";
    HeadersTooLarge, "headers-too-large", 431, "The headers of the request are larger than any reader needs.";
    TooManyRequests, "too-many-requests", 429, "More requests came from one place than anybody needs. The headers RateLimit and RateLimit-Policy tell how many are allowed, and Retry-After when to come again. Whoever needs everything takes the published folder.";
    Busy, "busy", 503, "Drawing a picture takes long, and too many are being drawn. Retry-After tells when to come again; files of a release are made already.";
    OurFault, "our-fault", 500, "The collector has a mistake. Its operator sees it counted; the same request may fail again.";
}

impl Problem {
    /// Its name in the problem's `type`, never changed once published.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.sort().slug
    }

    /// Its HTTP status.
    ///
    /// # Panics
    /// Never: every status of the list is one.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.sort().status).expect("a status of the list")
    }

    /// When to come again, where that helps.
    const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests(seconds) | Self::Busy(seconds) => Some(*seconds),
            _ => None,
        }
    }
}

impl Sort {
    /// Its name in words, `No such vendor`.
    pub(super) fn title(self) -> String {
        let words = self.slug.replace('-', " ");
        words[..1].to_uppercase() + &words[1..]
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let sort = self.sort();
        let document = Document {
            page: format!("/problems/{}", sort.slug),
            title: sort.title(),
            status: sort.status,
            detail: self.to_string(),
        };
        let body = serde_json::to_string(&document).expect("texts and a number");
        let headers = [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let mut response = (self.status(), headers, format!("{body}\n")).into_response();
        let headers = response.headers_mut();
        match &self {
            Self::ReadOnly => {
                headers.insert(
                    header::ALLOW,
                    HeaderValue::from_static("GET, HEAD, OPTIONS"),
                );
            }
            Self::NotAcceptable(_) => {
                headers.insert(header::VARY, HeaderValue::from_static("accept"));
            }
            Self::BadByteRange(length) => {
                let range = HeaderValue::from_str(&format!("bytes */{length}"));
                headers.insert(header::CONTENT_RANGE, range.expect("digits"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
