use super::*;
use crate::format::fixture;
use crate::identity::Identity;
use crate::query;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::SigningKey;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

mod described;
mod limited;
mod negotiated;
mod refused;
mod weeks;

pub(super) fn shelf() -> Shelf {
    let key = SigningKey::from_seed(&[7; 32]);
    Shelf::new(Arc::new(Identity::new(key, Purpose::Exercise)))
}

/// A served shelf, and a way to ask it.
pub(super) struct Served {
    url: String,
    pub(super) shelf: Shelf,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    pub(super) async fn with(releases: Vec<crate::release::Release>) -> Self {
        let shelf = shelf();
        shelf.replace(releases);
        Self::on(shelf).await
    }

    async fn on(shelf: Shelf) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = router(shelf.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shelf, server }
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> query::Reply {
        query::exchange(method, &self.url, path, headers)
            .await
            .expect("an answer")
    }

    pub(super) async fn get(&self, path: &str) -> query::Reply {
        self.ask("GET", path, "").await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn text(reply: &query::Reply) -> &str {
    std::str::from_utf8(&reply.body).expect("text")
}

pub(super) fn json(reply: &query::Reply) -> Value {
    parsed(text(reply))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A finding, and the exercise before it.
pub(super) fn two() -> Vec<crate::release::Release> {
    let before = fixture::release();
    let mut newest = fixture::release();
    newest.id = "2026-W47.0".parse().expect("a release");
    newest.purpose = Purpose::Observatory;
    vec![before, newest]
}

#[tokio::test]
async fn answers_are_the_published_bytes() {
    let served = Served::with(two()).await;
    let key = SigningKey::from_seed(&[7; 32]);
    let log = crate::publish::Log::up_to(two()[0].id, &two(), &key.public());
    let files = crate::publish::signed_files(&two()[0], &log, &key);
    for (name, bytes) in &files {
        let reply = served.get(&format!("/releases/2026-W46.0/{name}")).await;
        assert_eq!((reply.status, &reply.body), (200, bytes), "{name}");
    }
    let file = |name: &str| {
        let (_, bytes) = files
            .iter()
            .find(|(known, _)| known == name)
            .expect("a file");
        std::str::from_utf8(bytes).expect("text")
    };
    for by in ["server", "network", "owner", "home"] {
        let reply = served
            .get(&format!("/v1/matrix?by={by}&week=2026-W46"))
            .await;
        assert_eq!(
            json(&reply)["rows"],
            parsed(file(&format!("matrix-{by}.json")))
        );
        for path in ["/v1/matrix.csv?", "/v1/matrix?format=csv&"] {
            let reply = served.get(&format!("{path}by={by}&week=2026-W46")).await;
            assert_eq!(text(&reply), file(&format!("matrix-{by}.csv")));
            assert!(
                reply
                    .header("content-type")
                    .expect("a type")
                    .starts_with("text/csv")
            );
        }
    }
    let mut release = json(&served.get("/v1/releases/2026-W46.0").await);
    let meta = release
        .as_object_mut()
        .and_then(|release| release.remove("meta"));
    assert_eq!(meta.expect("a block")["releases"][0], "2026-W46.0");
    assert_eq!(release, parsed(file("release.json")));
    assert_eq!(
        json(&served.get("/v1/endpoints?week=2026-W46").await)["rows"],
        parsed(file("endpoints.json"))
    );
    for name in ["matrix-owner.parquet", "matrix-owner.geojson"] {
        let ending = name.rsplit('.').next().expect("an ending");
        let path = format!("/v1/matrix.{ending}?by=owner&release=2026-W46.0");
        let (_, bytes) = files
            .iter()
            .find(|(known, _)| known == name)
            .expect("a file");
        assert_eq!(&served.get(&path).await.body, bytes, "{path}");
    }
    // Names without cells: no file, but a key of the release and a table of the API.
    for path in [
        "/v1/operators?week=2026-W46",
        "/v1/operators?vendor=xiaomi&week=2026-W46",
    ] {
        let told = json(&served.get(path).await)["rows"].take();
        assert_eq!(told, release["operators"], "{path}");
        assert_eq!(told[0]["operator"], "Alibaba Cloud");
    }
    assert_eq!(
        text(&served.get("/v1/operators.csv?vendor=vivo").await),
        "week,vendor,operator,country\n"
    );
    // Without a week, the newest.
    assert!(text(&served.get("/v1/matrix.csv").await).contains("2026-W47,"));
    assert_eq!(
        served.get("/map.svg").await.header("phonehome-release"),
        Some("2026-W47.0")
    );
    let list = json(&served.get("/v1/releases").await)["releases"].take();
    assert_eq!(list[0]["id"], "2026-W47.0");
    assert_eq!(list[1]["notice"], crate::map::words::EXERCISE);
}

#[tokio::test]
async fn what_was_downloaded_verifies() {
    let served = Served::with(two()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let sums = served.get("/releases/2026-W47.0/SHA256SUMS").await;
    let listed = text(&sums).lines().map(|line| &line[66..]);
    for name in listed.chain([crate::publish::SUMS, crate::publish::SIGNATURE]) {
        let reply = served.get(&format!("/releases/2026-W47.0/{name}")).await;
        std::fs::write(folder.path().join(name), reply.body).expect("written");
    }
    let key = SigningKey::from_seed(&[7; 32]).public();
    let report = crate::publish::verify(folder.path(), Some(&key)).expect("whole");
    assert_eq!(report.releases[0].origin, crate::publish::Origin::Proven);
}

#[tokio::test]
async fn a_country_and_a_vendor_are_rows_of_the_matrix() {
    let served = Served::with(two()).await;
    let whole = served.get("/v1/matrix.csv").await;
    let rows = |with: &str| -> Vec<String> {
        text(&whole)
            .lines()
            .filter(|line| line.contains(with))
            .map(str::to_owned)
            .collect()
    };
    for (path, with) in [
        ("/v1/countries/SG.csv", ",SG,"),
        ("/v1/countries/anycast.csv?by=server", ",anycast,"),
        ("/v1/vendors/xiaomi?format=csv", ",xiaomi,"),
    ] {
        let reply = served.get(path).await;
        let lines: Vec<&str> = text(&reply).lines().skip(1).collect();
        assert_eq!(lines, rows(with), "{path}");
        assert!(!lines.is_empty());
    }
    assert_eq!(
        json(&served.get("/v1/countries/FR").await)["rows"],
        parsed("[]")
    );
    for page in [
        "/",
        "/releases",
        "/releases/2026-W46.0/",
        "/vendors/xiaomi",
        "/countries/SG",
    ] {
        let reply = served.get(page).await;
        assert_eq!(reply.status, 200, "{page}");
        assert_eq!(
            reply.header("content-type"),
            Some("text/html; charset=utf-8")
        );
    }
}

#[tokio::test]
async fn links_of_pages_lead_somewhere() {
    let served = Served::with(two()).await;
    let mut links = BTreeSet::new();
    for page in [
        "/",
        "/releases",
        "/vendors/xiaomi",
        "/countries/SG",
        "/api",
        "/v1",
        "/problems",
    ] {
        let reply = served.get(page).await;
        let found = text(&reply)
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split(['"', '#', '?']).next());
        links.extend(found.filter_map(|link| resolved(page, link)));
    }
    assert!(links.len() > 30, "{links:?}");
    for link in links {
        assert_eq!(served.get(&link).await.status, 200, "{link}");
    }
}

/// Where a link of a page leads on the same host.
fn resolved(page: &str, link: &str) -> Option<String> {
    if link.is_empty() || link.contains(':') {
        return None;
    }
    if link.starts_with('/') {
        return Some(link.to_owned());
    }
    let folder = &page[..page.rfind('/')?];
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." => {}
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

#[tokio::test]
async fn what_the_asker_has_is_not_sent_again() {
    let served = Served::with(two()).await;
    let first = served.get("/v1/matrix").await;
    let etag = first.header("etag").expect("a tag").to_owned();
    for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let again = served
            .ask("GET", "/v1/matrix", &format!("If-None-Match: {tags}\r\n"))
            .await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), Some(&etag[..]));
    }
    let other = served
        .ask("GET", "/v1/matrix", "If-None-Match: \"x\"\r\n")
        .await;
    assert_eq!(other.status, 200);
    let head = served.ask("HEAD", "/v1/matrix", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("etag"), Some(&etag[..]));
    assert_eq!(
        head.header("content-length"),
        Some(&first.body.len().to_string()[..])
    );
    assert_ne!(
        served.get("/v1/matrix.csv").await.header("etag"),
        Some(&etag[..])
    );
}

#[tokio::test]
async fn only_a_finding_by_its_name_is_kept_for_ever() {
    let served = Served::with(two()).await;
    for (path, keep) in [
        (
            "/v1/releases/2026-W47.0",
            "public, max-age=31536000, immutable",
        ),
        (
            "/releases/2026-W47.0/map.svg",
            "public, max-age=31536000, immutable",
        ),
        ("/v1/matrix?week=2026-W47", "public, max-age=300"),
        ("/v1/matrix", "public, max-age=300"),
        ("/v1/releases/2026-W46.0", "no-cache"),
        ("/releases/2026-W46.0/map.svg", "no-cache"),
        ("/healthz", "no-store"),
    ] {
        let reply = served.get(path).await;
        assert_eq!(reply.header("cache-control"), Some(keep), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    }
    let exercise = served.get("/v1/matrix?week=2026-W46").await;
    assert_eq!(exercise.header("phonehome-purpose"), Some("exercise"));
}

#[tokio::test]
async fn a_browser_that_asks_first_may_read() {
    let served = Served::with(two()).await;
    let preflight = served.ask("OPTIONS", "/v1/matrix", "").await;
    assert_eq!(
        (preflight.status, preflight.header("allow")),
        (204, Some("GET, HEAD, OPTIONS"))
    );
}

#[tokio::test]
async fn an_empty_shelf_says_so() {
    let served = Served::with(Vec::new()).await;
    assert_eq!(text(&served.get("/healthz").await), "ok\n");
    let list = json(&served.get("/v1/releases").await);
    assert_eq!(
        list,
        parsed("{\"meta\": null, \"next\": null, \"releases\": []}")
    );
    assert!(text(&served.get("/").await).contains("No week has been released yet"));
    for path in ["/v1/matrix", "/map.svg", "/vendors/xiaomi"] {
        let reply = served.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(text(&reply).contains("nothing-released"));
    }
}

#[test]
fn a_revision_takes_its_weeks_place() {
    let shelf = shelf();
    let mut revised = fixture::release();
    revised.id.revision = 1;
    shelf.replace(vec![revised.clone(), fixture::release()]);
    let kept = shelf.of_week(revised.id.week).expect("on the shelf");
    assert_eq!(kept.release().id.revision, 1);
    let map = kept.file("map.svg").expect("a map").as_ptr();
    shelf.replace(vec![revised.clone()]);
    let again = shelf.named(revised.id).expect("on the shelf");
    assert_eq!(
        again.file("map.svg").expect("a map").as_ptr(),
        map,
        "files are made once"
    );
    assert_eq!(shelf.all().len(), 1);
}
