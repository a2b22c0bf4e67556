use super::*;
use crate::api::{Shelf, router};
use crate::format::fixture;
use crate::identity::Identity;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::SigningKey;
use std::sync::Arc;

async fn printed(question: &Question, source: Source<'_>, format: Format) -> String {
    let mut out = Vec::new();
    run(question, source, format, &mut out)
        .await
        .expect("an answer");
    String::from_utf8(out).expect("text")
}

fn questions() -> Vec<Question> {
    let singapore = parse_column("sg").expect("a country");
    let xiaomi = Vendor::from_id("xiaomi").expect("a listed vendor");
    let week = Some(fixture::release().id.week);
    let mut questions = vec![Question {
        subject: Subject::Endpoints,
        by: TableName::Server,
        week,
    }];
    for by in [
        TableName::Server,
        TableName::Network,
        TableName::Owner,
        TableName::Home,
    ] {
        for subject in [
            Subject::Matrix,
            Subject::Country(singapore),
            Subject::Vendor(xiaomi),
        ] {
            questions.push(Question {
                subject,
                by,
                week: None,
            });
        }
    }
    questions
}

#[tokio::test]
async fn a_collector_and_its_releases_answer_alike() {
    let releases = [fixture::release()];
    let key = SigningKey::from_seed(&[7; 32]);
    let shelf = Shelf::new(Arc::new(Identity::new(key, Purpose::Exercise)));
    shelf.replace(releases.to_vec());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move { axum::serve(listener, router(shelf)).await });
    for question in questions() {
        for format in [Format::Table, Format::Json, Format::Csv] {
            let near = printed(&question, Source::Releases(&releases), format).await;
            let far = printed(&question, Source::Url(&url), format).await;
            assert_eq!(near, far, "{question:?} {format:?}");
        }
    }
    let later = Some("2026-W47".parse().expect("a week"));
    let question = Question {
        subject: Subject::Matrix,
        by: TableName::Server,
        week: later,
    };
    let mut near = Vec::new();
    let near = run(
        &question,
        Source::Releases(&releases),
        Format::Csv,
        &mut near,
    )
    .await;
    let mut far = Vec::new();
    let far = run(&question, Source::Url(&url), Format::Csv, &mut far).await;
    let words = |answer: Result<(), QueryError>| answer.expect_err("not released").to_string();
    assert_eq!(words(near), words(far));
    server.abort();
}

#[tokio::test]
async fn people_get_a_grid() {
    let releases = [fixture::release()];
    let question = Question {
        subject: Subject::Matrix,
        by: TableName::Server,
        week: None,
    };
    let text = printed(&question, Source::Releases(&releases), Format::Table).await;
    assert!(text.starts_with("EXERCISE"), "{text}");
    let line = |start: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(start))
            .expect("a line");
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        line("vendor"),
        "vendor CN DE HK IE JP KR MT NL RU SG US anycast unknown"
    );
    assert_eq!(
        line("Xiaomi"),
        "Xiaomi 13% 88% sup 0 n/a - 0 0 ~38% ~63% 0 0 sup"
    );
    assert!(text.contains("no data: Honor"));
    let homes = text.lines().last().expect("a last line");
    assert!(
        homes.starts_with(
            "homes by country: Samsung about 120 (not told); Huawei about 60 (not told)"
        ),
        "{homes}"
    );
    assert!(
        homes.contains("; Xiaomi about 40 (30 DE, rest not told); "),
        "{homes}"
    );
}

#[tokio::test]
async fn homes_stand_beneath_world_figures_and_names_beneath_networks() {
    let mut releases = [fixture::release()];
    let xiaomi = Vendor::from_id("xiaomi").expect("a listed vendor");
    let singapore = parse_column("sg").expect("a country");
    let key = (xiaomi, singapore, None);
    releases[0].home.insert(key, fixture::value(5, 10));
    for question in questions() {
        let text = printed(&question, Source::Releases(&releases), Format::Table).await;
        let is_world = question.by != TableName::Home;
        assert_eq!(
            text.contains("homes by country: "),
            is_world,
            "{question:?}"
        );
        let is_xiaomi = question.subject == Subject::Vendor(xiaomi);
        if is_xiaomi && is_world {
            assert!(
                text.contains(
                    "\nhomes by country: Xiaomi about 40 (30 DE, 10 in other countries)\n"
                )
            );
        }
        let named = match question.subject {
            Subject::Endpoints => continue,
            Subject::Country(_) => "operators named: none\n",
            _ => "operators named: Xiaomi: Alibaba Cloud (CN), Kingsoft Cloud (CN)\n",
        };
        assert_eq!(
            text.ends_with(named),
            question.by == TableName::Network,
            "{text}"
        );
    }
}

#[tokio::test]
async fn nobody_there_is_one_sentence() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let question = Question {
        subject: Subject::Matrix,
        by: TableName::Server,
        week: None,
    };
    for (source, words) in [
        (Source::Url(&url), "cannot reach"),
        (Source::Url("https://example.org"), "is not an address"),
        (Source::Releases(&[]), "no week has been released yet"),
    ] {
        let mut out = Vec::new();
        let error = run(&question, source, Format::Table, &mut out)
            .await
            .expect_err("no answer");
        assert!(
            error.to_string().contains(words) && out.is_empty(),
            "{error}"
        );
    }
}
