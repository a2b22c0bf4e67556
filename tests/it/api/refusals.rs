//! Bad questions over a real socket: whatever comes, the answer is an answer or a refusal, and never our fault.
//!
//! What is HTTP is refused in a problem document. What is none, or more than HTTP's own layer takes, that layer
//! refuses before anybody of ours sees it: with a status and no body, and the connection ends.

use super::Served;
use anyhow::{Context, Result, ensure};
use phonehome_collector::metrics::Counter;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// So long a server may take to answer and to hang up.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, as it came.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    /// The status, the problem's name in `type`, and whether the document says the same status.
    fn problem(&self) -> Result<(u16, String)> {
        let status = self.status()?;
        let kind = self.header("content-type").unwrap_or_default();
        ensure!(kind == "application/problem+json", "it is '{kind}'");
        let document: serde_json::Value = serde_json::from_slice(&self.body)?;
        ensure!(document["status"] == status, "{document}");
        for key in ["title", "detail"] {
            ensure!(document[key].is_string(), "{document}");
        }
        let page = document["type"].as_str().unwrap_or_default();
        let name = page.strip_prefix("/problems/").context("a page of ours")?;
        Ok((status, name.to_owned()))
    }

    fn status(&self) -> Result<u16> {
        let word = self.head.split(' ').nth(1).context("a status")?;
        Ok(word.parse()?)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

/// Says these very bytes, and hears whatever comes until the server hangs up.
async fn hear(server: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    // Who floods may find that nobody listens any more.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut heard))
        .await
        .context("nobody hung up")?;
    Ok(heard)
}

/// One request and its answer. `line` is its first, without the version.
async fn ask(server: SocketAddr, line: &[u8], headers: &[u8]) -> Result<Answer> {
    let request = [
        line,
        b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        headers,
        b"\r\n",
    ]
    .concat();
    let heard = hear(server, &request).await?;
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.with_context(|| format!("an answer: {heard:?}"))?;
    Ok(Answer {
        head: String::from_utf8(heard[..end].to_vec())?,
        body: heard[end + 4..].to_vec(),
    })
}

/// A refusal, and the first lines of the requests that get it.
type Refused<'a> = (u16, &'a str, &'a [&'a [u8]]);

/// What nobody has: vendors, countries, weeks, kinds, cursors, and ranges of everything.
const UNKNOWN: &[Refused<'_>] = &[
    (
        404,
        "no-such-vendor",
        &[
            b"GET /v1/vendors/nokia",
            b"GET /v1/vendors/Xiaomi",
            b"GET /v1/vendors/xiaomi.exe",
            b"GET /v1/operators?vendor=",
        ],
    ),
    (
        404,
        "no-such-country",
        &[b"GET /v1/countries/Singapore", b"GET /v1/countries/sg.csv"],
    ),
    (
        404,
        "no-such-release",
        &[
            b"GET /v1/matrix?week=2026-W01",
            b"GET /v1/matrix?release=2026-W46.2",
            b"GET /v1/releases/2026-W46.1",
        ],
    ),
    (
        400,
        "bad-parameter",
        &[
            b"GET /v1/matrix?week=2027-W53",
            b"GET /v1/matrix?week=-1",
            b"GET /v1/matrix?format=xlsx",
            b"GET /v1/matrix?from=1970-W02&to=2199-W52",
            b"GET /v1/matrix?from=0000-W00&to=9999-W99",
            b"GET /v1/releases?limit=-1",
            b"GET /v1/releases?limit=18446744073709551616",
            b"GET /v1/maps/world-server.png?width=4294967295",
        ],
    ),
    (400, "unknown-parameter", &[b"GET /v1/matrix?by[]=server"]),
    (
        400,
        "bad-cursor",
        &[
            b"GET /v1/releases?cursor=zz",
            b"GET /v1/releases?cursor=%00",
        ],
    ),
    (404, "no-such-map", &[b"GET /v1/maps/world-server.bmp"]),
    (
        404,
        "no-such-route",
        &[b"GET /v1/matrix.xlsx", b"GET /v1/countries/"],
    ),
];

/// Ways to something else than what is served.
const TRICKS: &[Refused<'_>] = &[
    (
        404,
        "no-such-route",
        &[
            b"GET /../../etc/passwd",
            b"GET /v1/../v1/matrix",
            b"GET /v1/%2e%2e/%2e%2e/etc/passwd",
            b"GET /%2e%2e%2fidentity.key",
            b"GET //v1//matrix",
            b"GET /v1/matrix/",
            b"GET /v1/matrix;a=b",
            b"GET /V1/MATRIX",
            b"GET /v1/matrix%00.csv",
            b"GET /v1\\..\\..\\identity.key",
            b"GET /releases/2026-W46.0/../../identity.key",
            // '.', '/' and a surrogate in more bytes than UTF-8 has for them.
            b"GET /v1/vendors/%c0%ae%c0%ae%c0%af",
            b"GET /v1/vendors/%e0%80%af",
            b"GET /v1/vendors/%ed%a0%80",
        ],
    ),
    (
        404,
        "no-such-file",
        &[
            b"GET /releases/2026-W46.0/..%2f..%2fidentity.key",
            b"GET /releases/2026-W46.0/%2e%2e",
            b"GET /releases/2026-W46.0/index.html%00.csv",
        ],
    ),
    (
        404,
        "no-such-release",
        &[b"GET /releases/..%2f2026-W46.0/index.html"],
    ),
    (
        404,
        "no-such-vendor",
        &[
            b"GET /v1/vendors/xiaomi%00",
            b"GET /v1/vendors/%",
            b"GET /v1/vendors/%zz",
            b"GET /v1/vendors/%252e%252e",
        ],
    ),
    (400, "bad-parameter", &[b"GET /v1/matrix?by=%73erver"]),
    (404, "no-such-map", &[b"GET /embed/%3Cscript%3E"]),
];

/// Whatever is not reading.
const METHODS: &[Refused<'_>] = &[
    (
        405,
        "read-only",
        &[
            b"POST /v1/matrix",
            b"PUT /releases/2026-W46.0/index.html",
            b"DELETE /v1/releases/2026-W46.0",
            b"PATCH /healthz",
            b"TRACE /",
            b"PROPFIND /v1/matrix",
            b"get /v1/matrix",
        ],
    ),
    (
        404,
        "no-such-route",
        &[b"CONNECT example.org:443", b"POST /nothing"],
    ),
];

/// What is no HTTP, and which status its own layer answers with.
const NO_HTTP: &[(&[u8], u16)] = &[
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET /v1/matrix\x00 HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/vendors/\xff\xfe HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/matrix HTTP/9.9\r\n\r\n", 400),
    (b"GET /v1/matrix HTTP/1.1\r\nHost a\r\n\r\n", 400),
    (b"GET /v1/matrix HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET /v1/matrix HTTP/1.1\r\nA: \x00\r\n\r\n", 400),
    (
        b"GET /v1/matrix HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        400,
    ),
    (
        b"GET /v1/matrix HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        400,
    ),
    (
        b"GET /v1/matrix HTTP/1.1\r\nTransfer-Encoding: cow\r\n\r\n",
        400,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_badly_is_refused_in_a_problem() -> Result<()> {
    let served = Served::after(12, 1).await?;
    let server = served.world.collector.http_address();
    let server = server.context("it serves readers")?;

    let long = format!("GET /v1/releases?cursor={}", "0".repeat(3_000));
    let huge = format!("A: {}\r\n", "v".repeat(20_000));
    let many: String = (0..90)
        .map(|at| format!("A{at}: {}\r\n", "v".repeat(200)))
        .collect();
    let matrix: &[u8] = b"GET /v1/matrix";
    let mut cases: Vec<(&[u8], &str, u16, &str)> = vec![
        (long.as_bytes(), "", 414, "address-too-long"),
        (matrix, &huge, 431, "headers-too-large"),
        (matrix, &many, 431, "headers-too-large"),
        (matrix, "Accept: image/png\r\n", 406, "not-acceptable"),
        (matrix, "Range: bytes=99999999-\r\n", 416, "bad-byte-range"),
    ];
    for (status, name, lines) in [UNKNOWN, TRICKS, METHODS].concat() {
        cases.extend(lines.iter().map(|line| (*line, "", status, name)));
    }
    let mut wrong = Vec::new();
    for (line, headers, status, name) in cases {
        let words = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        let answer = ask(server, line, headers.as_bytes()).await;
        let answer = answer.context(words.clone())?;
        let allow = answer.header("allow").is_some();
        match answer.problem() {
            Ok(found) if found == (status, name.to_owned()) && allow == (status == 405) => {}
            other => wrong.push(format!("{words}: {other:?}, 'Allow' {allow}")),
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let counted = served.world.collector.metrics();
    ensure!(counted[&Counter::ReadsFailed] == 0, "nothing is our fault");
    served.world.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_refused_before_us_and_harms_nobody() -> Result<()> {
    let served = Served::after(12, 1).await?;
    let server = served.world.collector.http_address();
    let server = server.context("it serves readers")?;

    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101));
    let floods: [(&[u8], u16); 2] = [(long.as_bytes(), 414), (many.as_bytes(), 431)];
    for (bytes, status) in NO_HTTP.iter().chain(&floods) {
        let words = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let heard = hear(server, bytes).await.context(words.clone())?;
        let text = String::from_utf8_lossy(&heard);
        ensure!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{words}: {text}"
        );
        ensure!(
            text.contains("content-length: 0") && text.ends_with("\r\n\r\n"),
            "{words}: {text}"
        );
    }
    // More than it holds of any head: whether the refusal arrives depends on who is quicker.
    let endless = format!("GET / HTTP/1.1\r\nA: {}", "v".repeat(2 << 20));
    hear(server, endless.as_bytes()).await?;

    // A body is passed over, also one that looks like a request.
    let inner = "GET /v1/vendors/nokia HTTP/1.1\r\n\r\n";
    let two = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}GET /healthz HTTP/1.1\r\nHost: a\r\n\
         Connection: close\r\n\r\n",
        inner.len()
    );
    let heard = String::from_utf8(hear(server, two.as_bytes()).await?)?;
    ensure!(heard.matches("HTTP/1.1 200 OK").count() == 2, "{heard}");
    ensure!(heard.matches("HTTP/1.1 ").count() == 2, "{heard}");

    let answer = ask(server, b"GET /v1/matrix.csv", b"").await?;
    ensure!(answer.status()? == 200, "it answers still: {}", answer.head);
    let counted = served.world.collector.metrics();
    ensure!(counted[&Counter::ReadsFailed] == 0, "nothing is our fault");
    served.world.end().await;
    Ok(())
}
