//! Which weeks answer: one, a range, a list with cursors.

use super::*;
use crate::release::Release;

/// Findings of so many weeks, from 2026-W40 on.
fn weeks(count: u32) -> Vec<Release> {
    let release = |week| {
        let mut release = fixture::release();
        release.id = format!("2026-W{week}.0").parse().expect("a release");
        release.purpose = Purpose::Observatory;
        release
    };
    (40..40 + count).map(release).collect()
}

#[tokio::test]
async fn meta_says_on_what_the_numbers_rest() {
    let served = Served::with(weeks(2)).await;
    let answer = json(
        &served
            .get("/v1/vendors/xiaomi?by=owner&week=2026-W40")
            .await,
    );
    let (meta, release) = (&answer["meta"], fixture::release());
    assert_eq!(meta["releases"], parsed("[\"2026-W40.0\"]"));
    assert_eq!(meta["period"]["from"], "2026-W40");
    assert_eq!(meta["k"], release.k);
    assert_eq!(meta["method"], release.method);
    assert_eq!(meta["databases"][0]["build"], release.atlas[0].build);
    assert_eq!(meta["licence"], crate::format::json::LICENCE);
    assert!(
        meta["citation"]
            .as_str()
            .expect("words")
            .contains("release 2026-W40.0")
    );
    let cells = meta["cells"].as_object().expect("counts");
    let counted: u64 = cells.values().filter_map(Value::as_u64).sum();
    assert_eq!(
        counted,
        answer["rows"].as_array().expect("rows").len() as u64
    );
    assert_eq!(
        meta["permalink"],
        "/v1/vendors/xiaomi.json?by=owner&release=2026-W40.0"
    );
    let frozen = json(
        &served
            .get("/v1/vendors/xiaomi.json?by=owner&release=2026-W40.0")
            .await,
    );
    assert_eq!(frozen, answer);
    let exercise = Served::with(vec![fixture::release()]).await;
    let meta = json(&exercise.get("/v1/matrix").await)["meta"].take();
    assert_eq!(
        (&meta["purpose"], &meta["notice"]),
        (
            &parsed("\"exercise\""),
            &parsed(&format!("\"{}\"", crate::map::words::EXERCISE))
        )
    );
}

#[tokio::test]
async fn a_range_is_the_list_of_its_weeks_and_their_plain_mean() {
    let mut all = weeks(4);
    all.remove(1);
    let served = Served::with(all).await;
    let answer = json(&served.get("/v1/matrix?from=2026-W40&to=2026-W42").await);
    let meta = &answer["meta"];
    assert_eq!(meta["releases"], parsed("[\"2026-W40.0\", \"2026-W42.0\"]"));
    assert_eq!(meta["period"]["missing"], parsed("[\"2026-W41\"]"));
    assert_eq!(meta["homes"], Value::Null, "weeks do not add up");
    let mut rows = Vec::new();
    for week in ["2026-W40", "2026-W42"] {
        let one = json(&served.get(&format!("/v1/matrix?week={week}")).await);
        rows.extend(one["rows"].as_array().expect("rows").clone());
    }
    assert_eq!(answer["rows"], Value::Array(rows.clone()));
    // The weeks are alike, so their mean is each of them.
    let means = answer["means"].as_array().expect("means");
    assert_eq!(means.len() * 2, rows.len());
    assert!(
        answer["means_are"]
            .as_str()
            .expect("words")
            .contains("never a count of homes")
    );
    for (mean, row) in means.iter().zip(&rows) {
        assert_eq!(
            (&mean["vendor"], &mean["country"]),
            (&row["vendor"], &row["country"])
        );
        assert_eq!(mean["mean_of_weekly_shares"], row["share"]);
        assert_eq!(mean["weeks"], 2);
        assert!(mean.get("n").is_none() && mean.get("x_low").is_none());
    }
    let csv = served.get("/v1/matrix.csv?from=2026-W40").await;
    assert_eq!(
        text(&csv).lines().count(),
        1 + rows.len() / 2 * 3,
        "until the newest"
    );
    let one = json(&served.get("/v1/matrix?from=2026-W42&to=2026-W42").await);
    assert_eq!(one["means"].as_array().map(Vec::len), Some(rows.len() / 2));
}

#[tokio::test]
async fn weeks_that_were_counted_otherwise_have_no_mean() {
    let mut all = weeks(3);
    all[1].method += 1;
    let served = Served::with(all).await;
    let mixed = served.get("/v1/matrix?from=2026-W40&to=2026-W42").await;
    assert_eq!(mixed.status, 409);
    assert!(text(&mixed).contains("/problems/mixed-weeks"));
    let mut all = weeks(2);
    all[0].purpose = Purpose::Exercise;
    let served = Served::with(all).await;
    assert_eq!(served.get("/v1/matrix?from=2026-W40").await.status, 409);
}

#[tokio::test]
async fn cursors_lead_through_the_list_whatever_is_released_meanwhile() {
    let served = Served::with(weeks(7)).await;
    let whole = json(&served.get("/v1/releases").await);
    assert_eq!(whole["next"], Value::Null);
    let (mut seen, mut path) = (Vec::new(), "/v1/releases?limit=3".to_owned());
    for page in 0.. {
        let reply = served.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        let answer = json(&reply);
        seen.extend(answer["releases"].as_array().expect("releases").clone());
        let Some(next) = answer["next"].as_str() else {
            assert_eq!(reply.header("link"), None);
            break;
        };
        assert_eq!(
            reply.header("link"),
            Some(&format!("<{next}>; rel=\"next\"")[..])
        );
        path = next.to_owned();
        assert!(page < 3, "a list ends");
        served.shelf.replace(weeks(8 + page));
    }
    assert_eq!(Value::Array(seen), whole["releases"]);
}
