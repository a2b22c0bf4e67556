//! An answer as a route gives it: bytes, their kind, how long they may be kept, and what is said beside them.

use super::kind::Kind;
use crate::release::Release;
use crate::site;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use phonehome_proto::manifest::Purpose;

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

/// An answer, whoever asked.
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

    /// Its bytes.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// What its bytes are.
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether `Accept` had a word in it.
    pub(super) const fn varies(&self) -> bool {
        self.varies
    }

    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
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

    /// What is said with every status.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        set(&mut headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(&mut headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        set(&mut headers, header::CACHE_CONTROL, self.cache_control());
        set(&mut headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if let Some((id, purpose)) = &self.from {
            set(&mut headers, RELEASE_HEADER, id);
            set(&mut headers, PURPOSE_HEADER, purpose.as_str());
        }
        headers
    }

    /// What is said where its bytes follow.
    pub(super) fn headers_of_body(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        set(&mut headers, header::ACCEPT_RANGES, "bytes");
        set(&mut headers, header::CONTENT_TYPE, self.kind.media_type());
        if let Some(name) = &self.name {
            let name = format!("inline; filename=\"{name}\"");
            set(&mut headers, header::CONTENT_DISPOSITION, &name);
        }
        if let Some(next) = &self.next {
            let next = format!("<{next}>; rel=\"next\"");
            set(&mut headers, header::LINK, &next);
        }
        let of_site = (self.kind == Kind::Page).then_some(site::POLICY);
        if let Some(policy) = self.policy.as_deref().or(of_site) {
            set(&mut headers, header::CONTENT_SECURITY_POLICY, policy);
        }
        headers
    }
}

/// Every value here is made of names and digits of ours; one that is not is left out.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
