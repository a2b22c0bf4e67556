//! One GET over plain HTTP, as small as it can be.
//!
//! It speaks HTTP/1.0 and reads to the end of the connection, so that a server neither keeps it open
//! nor divides the body into chunks. No TLS, no redirects, no cookies: it is for the collector on the
//! same machine or network; everything else has better tools, named in the API's pages. Bounded in
//! time and size.

use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer larger than this is refused; the largest table of a release is a thousandth of it.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The whole exchange takes at most this long.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a collector could not be asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is not one this client can use.
    #[error("'{0}' is not an address to ask: write it like http://127.0.0.1:8080")]
    NotAnAddress(String),
    /// Nobody answers there.
    #[error("cannot reach '{url}': {source}")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The answer did not end in time.
    #[error("'{0}' did not answer within 30 seconds")]
    TooSlow(String),
    /// What answers is no HTTP server, or says too much.
    #[error("what answers at '{0}' is not a collector")]
    NotHttp(String),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The first header with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Asks `url` for a path.
pub(super) async fn get(url: &str, path: &str) -> Result<Reply, ClientError> {
    exchange("GET", url, path, "").await
}

/// One request with any method and further header lines, for this crate's tests too.
pub(crate) async fn exchange(
    method: &str,
    url: &str,
    path: &str,
    headers: &str,
) -> Result<Reply, ClientError> {
    let (host, prefix) = split(url).ok_or_else(|| ClientError::NotAnAddress(url.to_owned()))?;
    let request = format!(
        "{method} {prefix}{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
    );
    let answer = tokio::time::timeout(TIMEOUT, talk(host, &request))
        .await
        .map_err(|_| ClientError::TooSlow(url.to_owned()))?
        .map_err(|source| ClientError::Unreachable {
            url: url.to_owned(),
            source,
        })?;
    parse(&answer).ok_or_else(|| ClientError::NotHttp(url.to_owned()))
}

async fn talk(host: &str, request: &str) -> std::io::Result<Vec<u8>> {
    let address = if has_port(host) {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX + 1)
        .read_to_end(&mut answer)
        .await?;
    Ok(answer)
}

/// Host (with its port) and path prefix of an `http` URL without user, query or fragment.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"@?#\\".contains(&byte);
    if !rest.bytes().all(plain) {
        return None;
    }
    let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (!host.is_empty()).then(|| (host, prefix.trim_end_matches('/')))
}

/// Whether a host ends in a port; the colons of an IPv6 address stand in brackets.
fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn parse(answer: &[u8]) -> Option<Reply> {
    if u64::try_from(answer.len()).ok()? > ANSWER_BYTES_MAX {
        return None;
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Option<Vec<_>>>()?;
    let reply = Reply {
        status,
        headers,
        body: answer[end + 4..].to_vec(),
    };
    // A body that stopped early is no answer.
    let whole = reply
        .header("content-length")
        .is_none_or(|length| length.parse() == Ok(reply.body.len()) || reply.body.is_empty());
    whole.then_some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_split_into_host_and_prefix() {
        assert_eq!(split("http://127.0.0.1:8080"), Some(("127.0.0.1:8080", "")));
        assert_eq!(
            split("http://[::1]:8080/phonehome/"),
            Some(("[::1]:8080", "/phonehome"))
        );
        for wrong in [
            "https://x",
            "x:80",
            "http://",
            "http:///v1",
            "http://a b",
            "http://u@h",
            "",
        ] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
        assert!(has_port("[::1]:80") && !has_port("[::1]") && !has_port("localhost"));
    }

    #[test]
    fn answers_are_whole_or_none() {
        let reply = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("an answer");
        assert_eq!((reply.status, &reply.body[..]), (200, &b"ok"[..]));
        for wrong in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"[..],
            b"HTTP/1.1 200 OK\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"",
        ] {
            assert!(parse(wrong).is_none());
        }
    }
}
