//! The description and what is served agree.

use super::*;
use crate::api::routes::PAGES;
use crate::format::table::{Table, TableName};

#[test]
fn the_description_is_what_was_agreed_on() {
    fixture::golden("openapi.json", &openapi::TEXT);
}

#[test]
fn the_description_lists_what_there_is() {
    let document = &*openapi::DOCUMENT;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    for route in ROUTES {
        assert!(paths.contains_key(route.path), "{}", route.path);
        assert!(!PAGES.iter().any(|(path, ..)| *path == route.path));
    }
    // Every reference leads somewhere, every part of a path is described, no two operations share a name.
    let text = document.to_string();
    for reference in text
        .split("\"$ref\":\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let mut names = BTreeSet::new();
    for (path, item) in paths {
        let operation = &item["get"];
        assert!(names.insert(operation["operationId"].as_str().expect("a name")));
        let parameters = operation["parameters"].as_array();
        let parts = parameters
            .into_iter()
            .flatten()
            .filter(|p| p["in"] == "path");
        let parts: Vec<&str> = parts.map(|p| p["name"].as_str().expect("a name")).collect();
        assert_eq!(parts.len(), path.matches('{').count(), "{path}");
        for name in parts {
            assert!(
                path.contains(&format!("{{{name}}}")),
                "{path} has no {name}"
            );
        }
        for parameter in parameters.into_iter().flatten() {
            assert_ne!(parameter["description"], "", "{path} {}", parameter["name"]);
        }
    }
}

/// Values with which every parameter of the description means something.
fn filled(path: &str) -> String {
    path.replace("releases/{id}", "releases/2026-W46.0")
        .replace("{id}", "xiaomi")
        .replace("{file}", "SHA256SUMS")
        .replace("{code}", "SG")
        .replace("{map}", "world-server")
}

#[tokio::test]
async fn every_documented_path_answers_as_documented() {
    let served = Served::with(two()).await;
    let document = &*openapi::DOCUMENT;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let content = item["get"]["responses"]["200"]["content"]
            .as_object()
            .expect("kinds");
        let endings = item["get"]["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|parameter| parameter["name"] == "ending")
            .map_or_else(
                || vec![Value::Null],
                |ending| ending["schema"]["enum"].as_array().expect("kinds").clone(),
            );
        for ending in endings {
            let path = filled(path).replace("{ending}", ending.as_str().unwrap_or_default());
            let reply = served.get(&path).await;
            assert_eq!(
                reply.status,
                200,
                "{path}: {}",
                String::from_utf8_lossy(&reply.body)
            );
            let kind = reply
                .header("content-type")
                .expect("a type")
                .split(';')
                .next();
            assert!(
                content.contains_key(kind.expect("a type")),
                "{path}: {kind:?}"
            );
            let described =
                &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
            if kind == Some("application/json")
                && let Some(reference) = described["$ref"].as_str()
            {
                let schema = document.pointer(&reference[1..]).expect("a schema");
                let body = json(&reply);
                for key in schema["required"].as_array().into_iter().flatten() {
                    assert!(
                        body.get(key.as_str().expect("a key")).is_some(),
                        "{path}: {key}"
                    );
                }
                if let Some(meta) = body.get("meta") {
                    assert_eq!(keys(meta), properties(document, "Meta"), "{path}");
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    // Each parameter of each operation is known to the route, and each kind can be asked for in three ways.
    for route in ROUTES {
        for kind in route
            .kinds
            .iter()
            .filter(|_| route.parameters.contains(&"format"))
        {
            let path = filled(route.path);
            let format = served
                .get(&format!("{path}?format={}", kind.ending()))
                .await;
            let accept = format!("Accept: {}\r\n", kind.essence());
            let accept = served.ask("GET", &path, &accept).await;
            for reply in [&format, &accept] {
                assert_eq!(reply.status, 200, "{path} {kind:?}");
                assert_eq!(reply.header("content-type"), Some(kind.media_type()));
            }
            assert_eq!(format.body, accept.body, "{path} {kind:?}");
            // Who asked by the address has the same answer, whatever else is accepted.
            let varies = |reply: &query::Reply| {
                let vary = reply.header("vary").unwrap_or_default();
                vary.split(", ").any(|header| header == "accept")
            };
            assert_eq!((varies(&format), varies(&accept)), (false, true));
        }
    }
}

#[tokio::test]
async fn the_viewer_shows_every_path_and_loads_nothing() {
    let served = Served::with(two()).await;
    let viewer = served.get("/v1").await;
    assert_eq!(viewer.status, 200);
    let policy = viewer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"));
    for path in openapi::DOCUMENT["paths"]
        .as_object()
        .expect("paths")
        .keys()
    {
        assert!(
            text(&viewer).contains(&format!("<code>GET {path}</code>")),
            "{path}"
        );
    }
    for word in ["<script", "src=", "http://", "url("] {
        assert!(!text(&viewer).contains(word), "{word}");
    }
    let anchors = text(&viewer).split("href=\"#").skip(1);
    for anchor in anchors.filter_map(|rest| rest.split('"').next()) {
        assert!(
            text(&viewer).contains(&format!("id=\"{anchor}\"")),
            "{anchor}"
        );
    }
}

#[test]
fn rows_are_as_described() {
    let document = &*openapi::DOCUMENT;
    let release = fixture::release();
    for (table, schema) in [
        (TableName::Server, "MatrixRow"),
        (TableName::Home, "HomeRow"),
        (TableName::Endpoints, "EndpointRow"),
    ] {
        let table = Table::of(&release, table);
        let rows: Value =
            serde_json::from_str(&crate::format::json::of_table(&table)).expect("JSON");
        assert_eq!(properties(document, schema), keys(&rows[0]));
        let columns: BTreeSet<&str> = table.columns.iter().copied().collect();
        assert!(columns.is_subset(&keys(&rows[0])), "{schema}");
    }
    let whole: Value = serde_json::from_str(&crate::format::json::to_json(&release)).expect("JSON");
    let singapore = whole["weighted"]["countries"].as_array().expect("rows");
    let singapore = singapore.iter().find(|row| row["country"] == "SG");
    for (row, schema) in [
        (&whole["composition"][0], "CompositionRow"),
        (&whole["belonging"]["tested"][0], "BelongingRow"),
        (&whole["operators"][0], "OperatorRow"),
        (singapore.expect("a row"), "WeightedRow"),
    ] {
        assert_eq!(properties(document, schema), keys(row), "{schema}");
    }
    let facts: Value = serde_json::from_str(&crate::format::json::of_meta(&release)).expect("JSON");
    // A first release, made of the committed tables alone, has all that must be there and no more.
    let required = document["components"]["schemas"]["ReleaseFacts"]["required"].as_array();
    let required = required.expect("a list").iter().filter_map(Value::as_str);
    assert_eq!(keys(&facts), required.collect());
    assert!(keys(&facts).is_subset(&properties(document, "ReleaseFacts")));
}

fn keys(object: &Value) -> BTreeSet<&str> {
    let keys = object.as_object().expect("an object").keys();
    keys.map(String::as_str).collect()
}

/// What the description says of an object.
fn properties<'a>(document: &'a Value, schema: &str) -> BTreeSet<&'a str> {
    keys(&document["components"]["schemas"][schema]["properties"])
}
