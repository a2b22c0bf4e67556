//! Kinds, ranges of bytes, pictures and frames.

use super::*;
use crate::format::picture::Picture;
use crate::map;

#[tokio::test]
async fn an_ending_goes_before_format_and_format_before_accept() {
    let served = Served::with(two()).await;
    let csv = "Accept: text/csv\r\n";
    for (path, headers, kind) in [
        ("/v1/matrix", "", "application/json"),
        ("/v1/matrix", csv, "text/csv"),
        ("/v1/matrix.json", csv, "application/json"),
        (
            "/v1/matrix?format=parquet",
            csv,
            "application/vnd.apache.parquet",
        ),
        (
            "/v1/matrix.geojson?format=geojson",
            csv,
            "application/geo+json",
        ),
        ("/v1/vendors/xiaomi", csv, "text/csv"),
        (
            "/v1/countries/SG.parquet",
            csv,
            "application/vnd.apache.parquet",
        ),
        ("/v1/maps/world-server", "", "image/svg+xml"),
        (
            "/v1/maps/world-server",
            "Accept: image/png,*/*;q=0.1\r\n",
            "image/png",
        ),
        ("/v1/maps/world-owner.pdf", "", "application/pdf"),
    ] {
        let reply = served.ask("GET", path, headers).await;
        let found = reply
            .header("content-type")
            .and_then(|kind| kind.split(';').next());
        assert_eq!((reply.status, found), (200, Some(kind)), "{path} {headers}");
    }
}

#[tokio::test]
async fn text_is_packed_for_who_can_unpack_it() {
    use std::io::Read;
    let served = Served::with(two()).await;
    let gzip = "Accept-Encoding: br, gzip\r\n";
    let whole = served.get("/v1/matrix").await;
    let packed = served.ask("GET", "/v1/matrix", gzip).await;
    assert_eq!(whole.header("content-encoding"), None);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    for reply in [&whole, &packed] {
        assert_eq!(reply.header("vary"), Some("accept, accept-encoding"));
    }
    assert!(packed.body.len() * 4 < whole.body.len(), "it pays");
    let mut unpacked = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&packed.body[..]);
    reader.read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, whole.body);
    // Each has a tag of its own, since the bytes differ.
    let tags = [&whole, &packed].map(|reply| reply.header("etag").expect("a tag").to_owned());
    assert_ne!(tags[0], tags[1]);
    for (tag, headers, status) in [
        (&tags[1], gzip, 304),
        (&tags[0], "", 304),
        (&tags[1], "", 200),
        (&tags[0], gzip, 200),
    ] {
        let headers = format!("{headers}If-None-Match: {tag}\r\n");
        assert_eq!(
            served.ask("GET", "/v1/matrix", &headers).await.status,
            status
        );
    }
    // A part is a part of the bytes as they are; what is packed already and what is short goes out as it is.
    let part = format!("{gzip}Range: bytes=0-9\r\n");
    let part = served.ask("GET", "/v1/matrix", &part).await;
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[..10]));
    for path in ["/v1/matrix.parquet", "/healthz"] {
        let reply = served.ask("GET", path, gzip).await;
        assert_eq!(reply.header("content-encoding"), None, "{path}");
    }
}

#[tokio::test]
async fn parquet_is_read_in_ranges() {
    let served = Served::with(two()).await;
    let path = "/v1/matrix.parquet?release=2026-W47.0";
    let whole = served.get(path).await;
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let end = served.ask("GET", path, "Range: bytes=-8\r\n").await;
    assert_eq!(end.status, 206);
    assert_eq!(end.body, whole.body[whole.body.len() - 8..]);
    assert!(end.body.ends_with(b"PAR1"));
    let length = whole.body.len();
    let range = format!("bytes {}-{}/{length}", length - 8, length - 1);
    assert_eq!(end.header("content-range"), Some(&range[..]));
    let etag = whole.header("etag").expect("a tag");
    let same = format!("Range: bytes=0-3\r\nIf-Range: {etag}\r\n");
    assert_eq!(served.ask("GET", path, &same).await.body, b"PAR1");
    let other = served
        .ask("GET", path, "Range: bytes=0-3\r\nIf-Range: \"x\"\r\n")
        .await;
    assert_eq!((other.status, other.body.len()), (200, length));
    let beyond = served.ask("GET", path, "Range: bytes=99999999-\r\n").await;
    assert_eq!(beyond.status, 416);
    assert_eq!(
        beyond.header("content-range"),
        Some(&format!("bytes */{length}")[..])
    );
    assert!(text(&beyond).contains("/problems/bad-byte-range"));
}

#[tokio::test]
async fn pictures_are_the_releases_own() {
    let served = Served::with(two()).await;
    let release = &two()[0];
    let maps = json(&served.get("/v1/maps?release=2026-W46.0").await);
    let maps = maps["maps"].as_array().expect("a list");
    assert_eq!(maps.len(), map::pictures(release).len());
    for (entry, (name, fact, view)) in maps.iter().zip(map::pictures(release)).take(6) {
        assert_eq!(entry["name"], name);
        let svg = served.get(entry["svg"].as_str().expect("a link")).await;
        assert_eq!(text(&svg), map::svg_by(release, fact, view));
        let embed = served.get(entry["embed"].as_str().expect("a link")).await;
        assert!(
            text(&embed).contains(text(&svg).trim_start_matches(|c| c != '<')),
            "{name}"
        );
        assert!(text(&embed).contains(map::words::EXERCISE), "{name}");
        let policy = embed.header("content-security-policy").expect("a policy");
        assert!(!policy.contains("frame-ancestors"), "anybody may frame it");
    }
    let png = served
        .get("/v1/maps/world-server.png?release=2026-W46.0&width=320")
        .await;
    let svg = map::svg_by(release, map::Fact::Server, map::View::World);
    assert_eq!(Some(png.body), Picture::of(&svg).png(320));
    // Live, it follows the newest.
    let live = served.get("/embed/world-server").await;
    assert_eq!(live.header("phonehome-release"), Some("2026-W47.0"));
    assert_eq!(live.header("cache-control"), Some("public, max-age=300"));
    let frozen = served.get("/embed/world-server?release=2026-W47.0").await;
    assert_eq!(
        frozen.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
}
