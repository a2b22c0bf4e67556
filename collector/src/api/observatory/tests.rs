use super::*;
use crate::api::tests::{Served, json as body_of, two};
use crate::metrics::{Counter, Metrics};
use phonehome_proto::v1::observatory_client::ObservatoryClient;
use phonehome_proto::v1::row::Cell;
use prost::Message;
use serde_json::{Value, json};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};

/// The service on a socket, and a client.
async fn client_of(shelf: Shelf, metrics: Metrics) -> ObservatoryClient<Channel> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = observatory(shelf, Door::new(metrics, None));
    let server = Server::builder().add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
    ObservatoryClient::new(channel.connect().await.expect("a server"))
}

/// A row as REST gives it.
fn as_json(row: &v1::Row, keys: &[&str]) -> Value {
    let (state, numbers) = match row.cell.as_ref().expect("a state") {
        Cell::Value(numbers) => ("value", Some(numbers)),
        Cell::Zero(numbers) => ("zero", Some(numbers)),
        Cell::Imprecise(numbers) => ("imprecise", Some(numbers)),
        Cell::Suppressed(_) => ("suppressed", None),
        Cell::NoData(_) => ("no_data", None),
        Cell::NotApplicable(_) => ("not_applicable", None),
    };
    let share = |of: fn(&v1::Numbers) -> u32| {
        numbers.map_or(Value::Null, |all| (f64::from(of(all)) / 10_000.0).into())
    };
    let count = |of: fn(&v1::Numbers) -> u32| numbers.map_or(Value::Null, |all| of(all).into());
    let mut map = serde_json::Map::new();
    for key in keys {
        let value = match *key {
            "week" => row.week.clone().into(),
            "vendor" => row.vendor.clone().into(),
            "country" => row.country.clone().into(),
            "home_country" => row.home_country.clone().into(),
            "endpoint" => row.endpoint.clone().into(),
            "class" => row.class.clone().into(),
            "owner" => row.owner.clone().into(),
            "state" => state.into(),
            "share" => share(|all| all.share_basis_points),
            "share_low" => share(|all| all.share_low_basis_points),
            "share_high" => share(|all| all.share_high_basis_points),
            "x_low" => count(|all| all.x_low),
            "x_high" => count(|all| all.x_high),
            "n" => count(|all| all.n),
            "networks" => count(|all| all.networks),
            "radius" => count(|all| all.radius),
            "place_status" => numbers.map_or(Value::Null, |all| all.place_status.clone().into()),
            other => panic!("'{other}' is not on the wire"),
        };
        map.insert((*key).to_owned(), value);
    }
    Value::Object(map)
}

/// What both say is one thing; columns and numbers alike.
fn compare(answer: &v1::GetTableResponse, rest: &Value, path: &str) {
    let rows = rest["rows"].as_array().expect("rows");
    assert_eq!(answer.rows.len(), rows.len(), "{path}");
    for (row, expected) in answer.rows.iter().zip(rows) {
        let keys: Vec<&str> = expected
            .as_object()
            .expect("a row")
            .keys()
            .map(String::as_str)
            .collect();
        let (mut found, mut expected) = (as_json(row, &keys), expected.clone());
        // As numbers: 0 and 0.0 are written alike by nobody but them.
        for name in ["share", "share_low", "share_high"] {
            for row in [&mut found, &mut expected] {
                row[name] = row[name].as_f64().map_or(Value::Null, Value::from);
            }
        }
        assert_eq!(found, expected, "{path}");
    }
    compare_meta(answer.meta.as_ref(), &rest["meta"]);
}

/// The block as REST gives it, key by key.
fn compare_meta(meta: Option<&v1::Meta>, of: &Value) {
    let meta = meta.expect("meta").clone();
    let nothing = |text: String| Some(text).filter(|text| !text.is_empty());
    let cells = meta.cells.expect("cells");
    let databases = meta.databases.iter().map(|database| {
        json!({"name": database.name, "build": database.build, "licence": database.licence})
    });
    let found = json!({
        "period": {
            "from": meta.from,
            "to": meta.to,
            "weeks": meta.releases.len(),
            "missing": meta.missing,
        },
        "releases": meta.releases,
        "closed_at": meta.closed_at,
        "purpose": meta.purpose,
        "notice": nothing(meta.notice),
        "homes": meta.homes,
        "networks": meta.networks,
        "k": meta.k,
        "network_homes_max": meta.network_homes_max,
        "rounding": meta.rounding,
        "method": meta.method,
        "cells": {
            "value": cells.value,
            "zero": cells.zero,
            "imprecise": cells.imprecise,
            "suppressed": cells.suppressed,
            "no_data": cells.no_data,
            "not_applicable": cells.not_applicable,
        },
        "databases": databases.collect::<Vec<_>>(),
        "boundaries": meta.boundaries,
        "licence": meta.licence,
        "citation": meta.citation,
        "permalink": nothing(meta.permalink),
    });
    assert_eq!(&found, of);
}

#[tokio::test]
async fn rest_and_grpc_say_the_same_cell_by_cell() {
    let mut releases = two();
    releases[0].purpose = releases[1].purpose;
    let served = Served::with(releases).await;
    let mut client = client_of(served.shelf.clone(), Metrics::default()).await;
    let weeks = [
        ("", None),
        ("week=2026-W46", Some(Weeks::Week("2026-W46".to_owned()))),
        (
            "release=2026-W47.0",
            Some(Weeks::Release("2026-W47.0".to_owned())),
        ),
        (
            "from=2026-W45&to=2026-W47",
            Some(Weeks::Range(v1::WeekRange {
                from: "2026-W45".to_owned(),
                to: "2026-W47".to_owned(),
            })),
        ),
    ];
    for (query, weeks) in weeks {
        for (by, table) in [
            ("server", v1::TableName::Server),
            ("network", v1::TableName::Network),
            ("owner", v1::TableName::Owner),
            ("home", v1::TableName::Home),
            ("", v1::TableName::Endpoints),
        ] {
            let mut asked = vec![("/v1/matrix", None)];
            if by.is_empty() {
                asked = vec![("/v1/endpoints", None)];
            } else {
                asked.push((
                    "/v1/vendors/xiaomi",
                    Some(Rows::Vendor("xiaomi".to_owned())),
                ));
                asked.push(("/v1/countries/SG", Some(Rows::Country("SG".to_owned()))));
            }
            for (path, rows) in asked {
                let by = if by.is_empty() {
                    String::new()
                } else {
                    format!("by={by}&")
                };
                let path = format!("{path}.json?{by}{query}");
                let reply = served.get(&path).await;
                assert_eq!(reply.status, 200, "{path}");
                let question = v1::GetTableRequest {
                    table: table.into(),
                    rows,
                    weeks: weeks.clone(),
                };
                let answer = client
                    .get_table(question)
                    .await
                    .expect("an answer")
                    .into_inner();
                let rest = body_of(&reply);
                compare(&answer, &rest, &path);
                let means = rest["means"].as_array().map_or(0, Vec::len);
                assert_eq!(answer.means.len(), means, "{path}");
                for (mean, expected) in answer
                    .means
                    .iter()
                    .zip(rest["means"].as_array().into_iter().flatten())
                {
                    let share = mean
                        .share_basis_points
                        .map(|points| f64::from(points) / 10_000.0);
                    assert_eq!(expected["mean_of_weekly_shares"].as_f64(), share);
                    assert_eq!(expected["vendor"], mean.vendor);
                    assert_eq!(expected["country"], mean.country);
                    assert_eq!(expected["weeks"], mean.weeks);
                }
            }
        }
    }
}

#[tokio::test]
async fn rest_and_grpc_name_the_same_operators() {
    let served = Served::with(two()).await;
    let mut client = client_of(served.shelf.clone(), Metrics::default()).await;
    let release = "2026-W46.0".to_owned();
    for (query, vendor, weeks) in [
        ("", "", None),
        ("?vendor=xiaomi", "xiaomi", None),
        ("?vendor=vivo", "vivo", None),
        (
            "?week=2026-W46",
            "",
            Some(OperatorWeeks::Week("2026-W46".to_owned())),
        ),
        (
            "?release=2026-W46.0&vendor=xiaomi",
            "xiaomi",
            Some(OperatorWeeks::Release(release)),
        ),
    ] {
        let question = v1::GetOperatorsRequest {
            vendor: vendor.to_owned(),
            weeks,
        };
        let answer = client.get_operators(question).await.expect("an answer");
        let answer = answer.into_inner();
        let rest = body_of(&served.get(&format!("/v1/operators.json{query}")).await);
        let rows = answer.rows.iter().map(|row| {
            json!({
                "week": row.week, "vendor": row.vendor, "operator": row.operator, "country": row.country,
            })
        });
        assert_eq!(Value::Array(rows.collect()), rest["rows"], "{query}");
        assert_eq!(answer.rows.is_empty(), vendor == "vivo", "{query}");
        compare_meta(answer.meta.as_ref(), &rest["meta"]);
    }
    for (vendor, week, code, name) in [
        ("nokia", "", Code::NotFound, "no-such-vendor"),
        ("", "2026-W01", Code::NotFound, "no-such-release"),
        ("", "2026-01", Code::InvalidArgument, "bad-parameter"),
    ] {
        let question = v1::GetOperatorsRequest {
            vendor: vendor.to_owned(),
            weeks: (!week.is_empty()).then(|| OperatorWeeks::Week(week.to_owned())),
        };
        let status = client.get_operators(question).await.expect_err("refused");
        let found = status.metadata().get(PROBLEM_HEADER);
        let found = found.and_then(|name| name.to_str().ok());
        assert_eq!((status.code(), found), (code, Some(name)), "{vendor}{week}");
    }
}

#[tokio::test]
async fn rest_and_grpc_give_the_same_files() {
    let served = Served::with(two()).await;
    let mut client = client_of(served.shelf.clone(), Metrics::default()).await;
    let question = |release: &str, name: &str| v1::GetFileRequest {
        release: release.to_owned(),
        name: name.to_owned(),
    };
    let sums = served.get("/releases/2026-W46.0/SHA256SUMS").await.body;
    let sums = String::from_utf8(sums).expect("text");
    let listed = sums.lines().map(|line| &line[66..]);
    for name in listed.chain(["SHA256SUMS", "SHA256SUMS.sig"]) {
        let answer = client.get_file(question("2026-W46.0", name)).await;
        let answer = answer.expect("a file").into_inner();
        let rest = served.get(&format!("/releases/2026-W46.0/{name}")).await;
        assert_eq!(answer.content, rest.body, "{name}");
        assert_eq!(Some(&answer.media_type[..]), rest.header("content-type"));
    }
    for (release, name, problem) in [
        ("2026-W46.0", "../identity.key", "no-such-file"),
        ("2026-W46.0", "", "no-such-file"),
        ("2026-W46", "map.svg", "no-such-release"),
    ] {
        let status = client.get_file(question(release, name)).await;
        let status = status.expect_err("refused");
        let found = status.metadata().get(PROBLEM_HEADER);
        let found = found.and_then(|name| name.to_str().ok());
        assert_eq!((status.code(), found), (Code::NotFound, Some(problem)));
    }
}

#[tokio::test]
async fn the_list_goes_on_at_the_cursor_of_either() {
    let served = Served::with(two()).await;
    let mut client = client_of(served.shelf.clone(), Metrics::default()).await;
    let question = |limit, cursor: &str| v1::ListReleasesRequest {
        limit,
        cursor: cursor.to_owned(),
    };
    let first = client
        .list_releases(question(1, ""))
        .await
        .expect("a list")
        .into_inner();
    assert_eq!(first.releases[0].releases, ["2026-W47.0"]);
    let rest = body_of(&served.get("/v1/releases?limit=1").await);
    let next = rest["next"].as_str().expect("it goes on");
    assert_eq!(
        next,
        format!("/v1/releases?limit=1&cursor={}", first.next_cursor)
    );
    let last = client.list_releases(question(1, &first.next_cursor)).await;
    let last = last.expect("a list").into_inner();
    assert_eq!(last.releases[0].releases, ["2026-W46.0"]);
    assert_eq!(last.next_cursor, "");
}

#[tokio::test]
async fn refusals_are_those_of_rest() {
    let served = Served::with(two()).await;
    let metrics = Metrics::default();
    let mut client = client_of(served.shelf.clone(), metrics.clone()).await;
    let ask = |rows, weeks| v1::GetTableRequest {
        table: 0,
        rows,
        weeks,
    };
    let week = |week: &str| Some(Weeks::Week(week.to_owned()));
    let range = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        Some(Weeks::Range(v1::WeekRange { from, to }))
    };
    let vendor = |id: &str| Some(Rows::Vendor(id.to_owned()));
    let cases = [
        (ask(vendor("nokia"), None), Code::NotFound, "no-such-vendor"),
        (
            ask(vendor("xiaomi&by=owner"), None),
            Code::NotFound,
            "no-such-vendor",
        ),
        (
            ask(Some(Rows::Country("sg".to_owned())), None),
            Code::NotFound,
            "no-such-country",
        ),
        (
            ask(None, week("2026-W01")),
            Code::NotFound,
            "no-such-release",
        ),
        (
            ask(None, week("../../etc")),
            Code::InvalidArgument,
            "bad-parameter",
        ),
        (
            ask(None, range("0001-W01", "9999-W52")),
            Code::InvalidArgument,
            "bad-parameter",
        ),
        (
            ask(None, range("2026-W46", "2026-W47")),
            Code::FailedPrecondition,
            "mixed-weeks",
        ),
        (
            v1::GetTableRequest {
                table: 99,
                ..ask(None, None)
            },
            Code::InvalidArgument,
            "bad-parameter",
        ),
        (
            v1::GetTableRequest {
                table: 4,
                ..ask(vendor("xiaomi"), None)
            },
            Code::InvalidArgument,
            "bad-parameter",
        ),
    ];
    let count = cases.len();
    for (question, code, name) in cases {
        let words = format!("{question:?}");
        let status = client.get_table(question).await.expect_err("refused");
        let found = status
            .metadata()
            .get(PROBLEM_HEADER)
            .and_then(|name| name.to_str().ok());
        assert_eq!((status.code(), found), (code, Some(name)), "{words}");
    }
    let forged = v1::ListReleasesRequest {
        limit: 0,
        cursor: "00".to_owned(),
    };
    let status = client.list_releases(forged).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let counted = metrics.snapshot();
    assert_eq!(counted[&Counter::ReadsReceived], count as u64 + 1);
    assert_eq!(counted[&Counter::ReadsRefused], count as u64 + 1);
}

#[test]
fn the_wire_is_this() {
    let mut releases = two();
    releases.truncate(1);
    let shelf = crate::api::tests::shelf();
    shelf.replace(releases);
    let golden = |name: &str, bytes: &[u8]| {
        let text = format!("{}\n", phonehome_proto::id::to_hex(bytes));
        crate::format::fixture::golden(name, &text);
    };
    let question = v1::GetTableRequest {
        table: 0,
        rows: Some(Rows::Country("SG".to_owned())),
        weeks: None,
    };
    let answer = table(&shelf, question.clone()).expect("an answer");
    golden("table.hex", &answer.encode_to_vec());
    let question = v1::GetTableRequest {
        table: v1::TableName::Endpoints.into(),
        rows: None,
        ..question
    };
    let answer = table(&shelf, question).expect("an answer");
    golden("endpoints.hex", &answer.encode_to_vec());
    let answer = operators(&shelf, v1::GetOperatorsRequest::default()).expect("an answer");
    golden("operators.hex", &answer.encode_to_vec());
}
