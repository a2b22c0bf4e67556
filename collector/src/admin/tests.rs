//! Dashboards and alerts name only what the admin address shows.

use super::*;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tower::ServiceExt;

/// Every sample the admin address shows: its family, and the values its one label has.
async fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let request = Request::get("/metrics")
        .body(Body::empty())
        .expect("a request");
    let answer = router(Metrics::new(), Readiness::new())
        .oneshot(request)
        .await;
    let body = to_bytes(answer.expect("an answer").into_body(), 1 << 20).await;
    let text = String::from_utf8(body.expect("a body").to_vec()).expect("text");
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(' ').next().expect("a name");
        let (family, label) = name.split_once('{').unwrap_or((name, ""));
        let values = shown.entry(family.to_owned()).or_default();
        values.extend(label.split('"').nth(1).map(str::to_owned));
    }
    shown
}

/// Each mention of a metric of ours, with what stands behind it.
fn mentions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("phonehome_collector_").map(|(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
        rest.split_at(end.unwrap_or(rest.len()))
    })
}

#[tokio::test]
async fn every_metric_of_dashboards_and_alerts_exists() {
    let shown = shown().await;
    let mut named = BTreeSet::new();
    for file in ["grafana/collector.json", "alerts/phonehome.yml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../deploy")
            .join(file);
        let text = std::fs::read_to_string(path).expect("a file of ours");
        // In JSON a quotation mark is escaped.
        let text = text.replace("\\\"", "\"");
        for (family, behind) in mentions(&text) {
            let values = shown.get(family);
            let values =
                values.unwrap_or_else(|| panic!("{file} names {family}, which nobody shows"));
            named.insert(family.to_owned());
            let labels = behind
                .strip_prefix('{')
                .and_then(|rest| rest.split('}').next());
            let reasons = labels.and_then(|labels| labels.split("reason=").nth(1));
            let reasons = reasons.and_then(|reasons| reasons.split('"').nth(1));
            for reason in reasons.into_iter().flat_map(|reasons| reasons.split('|')) {
                assert!(
                    values.contains(reason),
                    "{file}: {family} has no reason '{reason}'"
                );
            }
        }
    }
    // The dashboard leaves out only sums of what it shows.
    let sums = ["_received_total"];
    let left_out: Vec<_> = shown
        .keys()
        .filter(|family| !named.contains(*family) && !sums.iter().any(|end| family.ends_with(end)))
        .collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}

#[test]
fn the_dashboard_is_whole() {
    let text = include_str!("../../../deploy/grafana/collector.json");
    let board: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let mut ids = BTreeSet::new();
    for panel in board["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64().expect("a number")));
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("text");
            for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
                let count = |sign| expression.matches(sign).count();
                assert_eq!(count(open), count(close), "{expression}");
            }
        }
    }
    assert!(ids.len() > 15);
}
