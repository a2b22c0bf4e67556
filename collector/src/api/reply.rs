//! An answer: bytes, their kind, and how long they may be kept.
//!
//! Its `ETag` is strong: SHA-256 of these very bytes, so that it differs between kinds and changes with
//! whatever changes the answer, a later version of this program included. Who has it already gets a 304; who asks
//! for a range of bytes gets that (RFC 9110, section 14), which is how Parquet is read over HTTP.

use super::Problem;
use super::kind::Kind;
use crate::release::Release;
use crate::site;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use phonehome_proto::id::Hash;
use phonehome_proto::manifest::Purpose;
use std::ops::Range;

/// The release an answer is from.
const RELEASE_HEADER: HeaderName = HeaderName::from_static("phonehome-release");
/// `observatory`, or `exercise` when the homes are synthetic.
const PURPOSE_HEADER: HeaderName = HeaderName::from_static("phonehome-purpose");

/// What scripts of other sites may read of an answer.
const EXPOSED: &str = "etag, link, content-range, phonehome-release, phonehome-purpose, ratelimit, \
                       ratelimit-policy, retry-after";

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
    /// Where the list goes on.
    next: Option<String>,
    /// Whether `Accept` was asked which kind it is to be.
    varies: bool,
    /// What a page may do.
    policy: Option<String>,
}

impl Reply {
    pub(super) fn new(kind: Kind, keep: Keep, body: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            keep,
            body: body.into(),
            from: None,
            name: None,
            next: None,
            varies: false,
            policy: None,
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

    /// Says where the list goes on (RFC 8288).
    pub(super) fn going_on(mut self, next: Option<String>) -> Self {
        self.next = next;
        self
    }

    /// Says that `Accept` had a word in it.
    pub(super) const fn varying(mut self, varies: bool) -> Self {
        self.varies = varies;
        self
    }

    /// Says what a page may load.
    pub(super) fn under(mut self, policy: impl Into<String>) -> Self {
        self.policy = Some(policy.into());
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

    /// The response: 304 if the asker has these bytes already, 206 if it asks for some of them.
    pub(super) fn into_response_for(self, asker: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", Hash::of(&self.body).to_hex());
        let mut headers = HeaderMap::new();
        set(&mut headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(&mut headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        set(&mut headers, header::CACHE_CONTROL, self.cache_control());
        set(&mut headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(&mut headers, header::ETAG, &etag);
        if self.varies {
            set(&mut headers, header::VARY, "accept");
        }
        if let Some((id, purpose)) = &self.from {
            set(&mut headers, RELEASE_HEADER, id);
            set(&mut headers, PURPOSE_HEADER, purpose.as_str());
        }
        if has(asker, &etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        set(&mut headers, header::ACCEPT_RANGES, "bytes");
        set(&mut headers, header::CONTENT_TYPE, self.kind.media_type());
        if let Some(name) = &self.name {
            let name = format!("inline; filename=\"{name}\"");
            set(&mut headers, header::CONTENT_DISPOSITION, &name);
        }
        if let Some(next) = &self.next {
            set(
                &mut headers,
                header::LINK,
                &format!("<{next}>; rel=\"next\""),
            );
        }
        let of_site = (self.kind == Kind::Page).then_some(site::POLICY);
        if let Some(policy) = self.policy.as_deref().or(of_site) {
            set(&mut headers, header::CONTENT_SECURITY_POLICY, policy);
        }
        let length = self.body.len();
        match wanted(asker, &etag, length) {
            Wanted::Whole => (StatusCode::OK, headers, self.body).into_response(),
            Wanted::Part(part) => {
                let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                set(&mut headers, header::CONTENT_RANGE, &range);
                let part = self.body[part].to_vec();
                (StatusCode::PARTIAL_CONTENT, headers, part).into_response()
            }
            Wanted::Nothing => Problem::BadByteRange(length).into_response(),
        }
    }
}

/// Every value here is made of names and digits of ours; one that is not is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
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

/// Which bytes of a body are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<usize>),
    Nothing,
}

/// One range of bytes is answered; several, other units and what is malformed are passed over, as RFC 9110
/// allows, and the whole is sent. `If-Range` must name the very bytes.
fn wanted(asker: &HeaderMap, etag: &str, length: usize) -> Wanted {
    let text = |name: HeaderName| asker.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Wanted::Whole;
    }
    let range = text(header::RANGE).and_then(|range| range.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| -> Option<usize> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    let part = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.is_empty() => first..length,
        (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::Whole,
    };
    if part.is_empty() || part.start >= length {
        Wanted::Nothing
    } else {
        Wanted::Part(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_answered() {
        let whole = Wanted::Whole;
        for (range, expected) in [
            ("bytes=0-3", Wanted::Part(0..4)),
            ("bytes=4-", Wanted::Part(4..10)),
            ("bytes=-4", Wanted::Part(6..10)),
            ("bytes=-40", Wanted::Part(0..10)),
            ("bytes=9-99999999999999999999999", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=3-2", whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("pages=1-2", Wanted::Whole),
        ] {
            let mut asker = HeaderMap::new();
            set(&mut asker, header::RANGE, range);
            assert_eq!(wanted(&asker, "\"x\"", 10), expected, "{range}");
            set(&mut asker, header::IF_RANGE, "\"y\"");
            assert_eq!(wanted(&asker, "\"x\"", 10), Wanted::Whole);
        }
    }
}
