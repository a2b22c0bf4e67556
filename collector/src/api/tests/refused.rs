//! Whatever is asked, the answer is an answer or a problem of the list.

use super::*;
use crate::api::problem::SORTS;
use proptest::prelude::*;
use std::sync::LazyLock;

/// One for all cases: its releases' files are drawn once.
static SHELF: LazyLock<Shelf> = LazyLock::new(|| {
    let shelf = shelf();
    shelf.replace(two());
    shelf
});

/// Each refusal, and what gets it.
const REFUSED: &[(u16, &str, &[&str])] = &[
    (
        404,
        "no-such-route",
        &[
            "/v2/matrix",
            "/v1/matrix.xlsx",
            "/v1/vendors/%ff",
            "/v1/../etc/passwd",
            "//v1//matrix",
        ],
    ),
    (
        404,
        "no-such-release",
        &[
            "/v1/releases/2026-W45.0",
            "/v1/releases/newest",
            "/v1/matrix?week=2026-W48",
            "/v1/matrix?release=2026-W46.1",
            "/v1/matrix?from=2026-W40&to=2026-W41",
        ],
    ),
    (
        404,
        "no-such-file",
        &[
            "/releases/2026-W46.0/SHA512SUMS",
            "/releases/2026-W46.0/..%2Fcollector.key",
        ],
    ),
    (
        404,
        "no-such-vendor",
        &[
            "/v1/vendors/nokia",
            "/v1/vendors/xiaomi.xlsx",
            "/v1/vendors/xiaomi.csv.csv",
            "/v1/vendors/..%2f..%2fetc%2fpasswd",
            "/v1/operators?vendor=nokia",
        ],
    ),
    (
        404,
        "no-such-country",
        &["/v1/countries/sg", "/v1/countries/%00"],
    ),
    (
        404,
        "no-such-map",
        &["/v1/maps/nokia-server", "/embed/world"],
    ),
    (404, "no-such-problem", &["/problems/none"]),
    (
        400,
        "unknown-parameter",
        &[
            "/v1/matrix?home=DE",
            "/v1/endpoints?by=server",
            "/healthz?week=2026-W46",
        ],
    ),
    (
        400,
        "bad-parameter",
        &[
            "/v1/matrix?by=endpoints",
            "/v1/matrix?by=server&by=owner",
            "/v1/matrix?week=2026-46",
            "/v1/matrix?week=2026-W54",
            "/v1/matrix?release=2026-W46",
            "/v1/matrix?week=2026-W46&release=2026-W46.0",
            "/v1/matrix?from=2026-W46&week=2026-W46",
            "/v1/matrix?from=2026-W47&to=2026-W46",
            "/v1/matrix?to=2026-W46",
            "/v1/matrix?from=1970-W01",
            "/v1/matrix?from=2199-W52",
            "/v1/matrix?from=2026-W01&to=2199-W52",
            "/v1/matrix?format=xml",
            "/v1/matrix.csv?format=json",
            "/v1/matrix.parquet?from=2026-W47",
            "/v1/matrix.geojson?by=home",
            "/v1/endpoints?format=geojson",
            "/v1/releases?limit=0",
            "/v1/releases?limit=0100",
            "/v1/releases?limit=99999999999999999999",
            "/v1/maps/world-server.png?width=15",
            "/v1/maps/world-server.png?width=1e3",
            "/v1/maps/world-server.svg?width=900",
        ],
    ),
    (
        400,
        "bad-cursor",
        &["/v1/releases?cursor=", "/v1/releases?cursor=00"],
    ),
];

/// The same with another method, or a header.
const REFUSED_SO: &[(&str, &str, &str, u16, &str)] = &[
    ("POST", "/v1/matrix", "", 405, "read-only"),
    ("DELETE", "/v1/releases/2026-W46.0", "", 405, "read-only"),
    (
        "GET",
        "/v1/matrix",
        "Accept: image/png\r\n",
        406,
        "not-acceptable",
    ),
    (
        "GET",
        "/v1/maps/world-server",
        "Accept: text/csv\r\n",
        406,
        "not-acceptable",
    ),
];

#[tokio::test]
async fn bad_questions_are_problems() {
    let served = Served::with(two()).await;
    let plain = REFUSED.iter().flat_map(|&(status, slug, paths)| {
        let paths = paths.iter();
        paths.map(move |&path| ("GET", path, "", status, slug))
    });
    let long = format!("/v1/matrix?by={}", "s".repeat(3_000));
    let long = ("GET", &long[..], "", 400, "bad-parameter");
    for (method, path, headers, status, slug) in
        plain.chain(REFUSED_SO.iter().copied()).chain([long])
    {
        let reply = served.ask(method, path, headers).await;
        assert_eq!(reply.status, status, "{path}: {}", text(&reply));
        let kind = reply.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{path}");
        let problem = json(&reply);
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{path}");
        assert_eq!(problem["status"], status, "{path}");
        assert_eq!(keys_of(&problem), ["detail", "status", "title", "type"]);
    }
}

fn keys_of(problem: &Value) -> Vec<&str> {
    let object = problem.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn every_problem_has_a_page() {
    let served = Served::with(two()).await;
    let all = served.get("/problems").await;
    for sort in SORTS {
        let page = served.get(&format!("/problems/{}", sort.slug)).await;
        assert_eq!(page.status, 200, "{}", sort.slug);
        assert!(text(&page).contains(&sort.title()));
        assert!(text(&all).contains(&format!("/problems/{}", sort.slug)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_asked_is_answered_or_refused(
        paths in proptest::collection::vec(path(), 24),
        accept in "[ -~]{0,40}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let served = Served::on(SHELF.clone()).await;
            for path in paths {
                let reply = served.ask("GET", &path, &format!("Accept: {accept}\r\n")).await;
                let kind = reply.header("content-type").unwrap_or_default();
                let is_problem = kind == "application/problem+json";
                assert!(reply.status < 500, "{path}");
                assert_eq!(reply.status >= 400, is_problem, "{path}: {} {kind}", reply.status);
            }
        });
    }
}

/// Paths that nearly mean something, of what may stand in an address at all (RFC 3986).
fn path() -> impl Strategy<Value = String> {
    let head = prop_oneof![
        Just("/v1/matrix"),
        Just("/v1/matrix.csv"),
        Just("/v1/vendors/"),
        Just("/v1/countries/"),
        Just("/v1/releases"),
        Just("/v1/releases/"),
        Just("/releases/2026-W46.0/"),
        Just("/embed/"),
        Just("/problems/"),
        Just("/v1/operators"),
        Just("/"),
    ];
    let tail = prop_oneof![
        "[A-Za-z0-9._~!$'()*+,;:@/%-]{0,12}",
        "(xiaomi|SG|anycast|2026-W46\\.0|latest|%2e%2e%2f|%ff|\\.\\.)(\\.(csv|json|parquet|exe))?",
        Just(String::new()),
    ];
    let name = "(by|week|release|from|to|format|limit|cursor|vendor|[a-z]{1,4})";
    let value = "(server|home|2026-W4[0-9]|2026-W46\\.0|latest|csv|parquet|[0-9a-f]{0,40}|[A-Za-z0-9._~!$'()*+,;:@/%-]{0,9})";
    let query = proptest::collection::vec((name, value), 0..4);
    (head, tail, query).prop_map(|(head, tail, query)| {
        let query: Vec<String> = query
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{head}{tail}?{}", query.join("&"))
    })
}
