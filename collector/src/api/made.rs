//! An answer as it goes out: what everybody who asks the same gets, whole, in part, packed, or not again.
//!
//! Its `ETag` is strong: SHA-256 of these very bytes, so that it differs between kinds and changes with
//! whatever changes the answer, a later version of this program included; packed, it is another. Who has it
//! already gets a 304; who asks for a range of bytes gets that of the bytes as they are (RFC 9110, section 14),
//! which is how Parquet is read over HTTP. It is packed (gzip, RFC 1952) once, when first somebody takes it so.

use super::Problem;
use super::reply::{Reply, set};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use phonehome_proto::id::Hash;
use std::io::Write;
use std::ops::Range;
use std::sync::OnceLock;

/// What fits into a packet or two is sent as it is.
const PACKED_BYTES_MIN: usize = 2 * 1_024;

/// An answer, before it is known whether the asker has it already.
#[derive(Debug)]
pub(super) struct Made {
    headers: HeaderMap,
    headers_of_body: HeaderMap,
    whole: Bytes,
    /// SHA-256 of the whole, in hexadecimal digits.
    hash: String,
    /// Whether packing it pays.
    packs: bool,
    packed: OnceLock<Bytes>,
}

impl Made {
    /// Makes an answer ready to be sent.
    pub(super) fn of(reply: Reply) -> Self {
        let packs = reply.kind().packs() && reply.body().len() >= PACKED_BYTES_MIN;
        let vary = match (reply.varies(), packs) {
            (true, true) => Some("accept, accept-encoding"),
            (true, false) => Some("accept"),
            (false, true) => Some("accept-encoding"),
            (false, false) => None,
        };
        let (mut headers, headers_of_body) = (reply.headers(), reply.headers_of_body());
        if let Some(vary) = vary {
            set(&mut headers, header::VARY, vary);
        }
        Self {
            headers,
            headers_of_body,
            hash: Hash::of(reply.body()).to_hex(),
            whole: reply.into_body().into(),
            packs,
            packed: OnceLock::new(),
        }
    }

    /// Bytes it takes in memory, at most about: what is packed is half as long, or it would not pay.
    pub(super) fn size_bytes(&self) -> usize {
        let packed = if self.packs { self.whole.len() / 2 } else { 0 };
        self.whole.len() + packed
    }

    /// The response: 304 if the asker has these bytes already, 206 if it asks for some of them.
    pub(super) fn response_for(&self, asker: &HeaderMap) -> Response {
        let is_packed = self.packs && takes_gzip(asker) && !asker.contains_key(header::RANGE);
        let coding = if is_packed { "-gzip" } else { "" };
        let tag = format!("\"{}{coding}\"", self.hash);
        let mut headers = self.headers.clone();
        set(&mut headers, header::ETAG, &tag);
        if has(asker, &tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.extend(self.headers_of_body.clone());
        if is_packed {
            set(&mut headers, header::CONTENT_ENCODING, "gzip");
            let packed = self.packed.get_or_init(|| pack(&self.whole).into());
            return (headers, Body::from(packed.clone())).into_response();
        }
        let length = self.whole.len();
        match wanted(asker, &tag, length) {
            Wanted::Whole => (headers, Body::from(self.whole.clone())).into_response(),
            Wanted::Part(part) => {
                let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                set(&mut headers, header::CONTENT_RANGE, &range);
                let part = Body::from(self.whole.slice(part));
                (StatusCode::PARTIAL_CONTENT, headers, part).into_response()
            }
            Wanted::Nothing => Problem::BadByteRange(length).into_response(),
        }
    }
}

/// The same bytes for the same bytes: no name and no time is written into them.
fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let written = packer.write_all(bytes).and_then(|()| packer.finish());
    written.expect("a Vec takes whatever it is given")
}

/// Whether `Accept-Encoding` names gzip and does not refuse it (RFC 9110, section 12.5.3).
fn takes_gzip(asker: &HeaderMap) -> bool {
    let lists = asker.get_all(header::ACCEPT_ENCODING).iter();
    let lists = lists.filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=");
        let weight = weight.and_then(|weight| weight.parse().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight: f32| weight > 0.0)
    })
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

    #[test]
    fn gzip_is_for_those_who_name_it() {
        for (encodings, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.1, br", true),
            ("gzip; q=0.001", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=nan", false),
            ("gzip;level=9", false),
            ("br, identity", false),
            ("xgzip", false),
            ("", false),
        ] {
            let mut asker = HeaderMap::new();
            set(&mut asker, header::ACCEPT_ENCODING, encodings);
            assert_eq!(takes_gzip(&asker), expected, "{encodings}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
