use super::*;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use phonehome_proto::net::Country;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

const JSON: &str = "application/rdap+json";

/// A registry, its registrar and a list of services, on one port of this machine.
struct Registry {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Desk {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = Arc::default();
        let desk = Desk {
            base: base.clone(),
            asked: Arc::clone(&asked),
        };
        let router = Router::new()
            .route("/dns.json", get(services))
            .route("/com/domain/{domain}", get(registry))
            .route("/registrar/domain/{domain}", get(registrar))
            .route("/round", get(round))
            .with_state(desk);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, asked }
    }

    /// Asks for one domain; gives the report and every pause that was made.
    async fn ask(&self, path: &str, domains: &[&str]) -> (Report, Vec<Duration>) {
        let address: Address = format!("{}{path}", self.base).parse().expect("an address");
        let client = Client::new(address.is_loopback()).with_timeout(Duration::from_millis(700));
        let waits = RefCell::new(Vec::new());
        let domains = domains.iter().map(ToString::to_string);
        let wait = async |pause| waits.borrow_mut().push(pause);
        let report = ask_all(&client, &address, domains, "2027-01-02", wait).await;
        let mut waits = waits.into_inner();
        waits.retain(|pause| !pause.is_zero());
        (report, waits)
    }

    async fn silence(&self, domain: &str) -> Silence {
        let (report, _) = self.ask("/com", &[domain]).await;
        assert!(report.answers.is_empty(), "{report:?}");
        report.silent[domain].clone()
    }
}

fn rdap(body: &Value) -> Response {
    ([("content-type", JSON)], body.to_string()).into_response()
}

async fn services(State(desk): State<Desk>) -> Response {
    let services = json!([[["com"], [format!("{}/com/", desk.base)]]]);
    let list = json!({"version": "1.0", "services": services}).to_string();
    ([("content-type", "application/json")], list).into_response()
}

/// A thin registry, and everything that goes wrong at one.
async fn registry(State(desk): State<Desk>, Path(domain): Path<String>) -> Response {
    desk.asked.lock().expect("whole").push(domain.clone());
    let count = desk.asked.lock().expect("whole").len();
    let thin = |href: &str| {
        let link = json!({"rel": "related", "type": JSON, "href": href});
        rdap(
            &json!({"objectClassName": "domain", "ldhName": domain.to_uppercase(), "links": [link]}),
        )
    };
    match domain.as_str() {
        "absent.com" => rdap(&json!({"objectClassName": "domain", "ldhName": domain})),
        "bad.com" => ([("content-type", JSON)], "{\"objectClassName\": ").into_response(),
        "html.com" => ([("content-type", "text/html")], "<p>RDAP").into_response(),
        "unregistered.com" => axum::http::StatusCode::NOT_FOUND.into_response(),
        "broken.com" => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "busy.com" if count == 1 => (
            axum::http::StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", "7")],
        )
            .into_response(),
        "never.com" => (
            axum::http::StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", "86400")],
        )
            .into_response(),
        "endless.com" => {
            let piece = || Ok::<_, Infallible>(vec![b' '; 65_536]);
            let body = Body::from_stream(tokio_stream::iter(std::iter::repeat_with(piece)));
            ([("content-type", JSON)], body).into_response()
        }
        "slow.com" => std::future::pending().await,
        "round.com" => (axum::http::StatusCode::FOUND, [("location", "/round")]).into_response(),
        "moved.com" => {
            let there = "/com/domain/absent.com";
            (axum::http::StatusCode::FOUND, [("location", there)]).into_response()
        }
        "inside.com" => thin("http://10.0.0.1/domain/inside.com"),
        "plain.com" => thin("http://192.0.2.1/domain/plain.com"),
        "metadata.com" => thin("https://169.254.169.254/domain/metadata.com"),
        _ => thin(&format!("{}/registrar/domain/{domain}", desk.base)),
    }
}

async fn round() -> Response {
    (axum::http::StatusCode::FOUND, [("location", "/round")]).into_response()
}

async fn registrar(State(desk): State<Desk>, Path(domain): Path<String>) -> Response {
    let card = |address: Value| {
        json!([
            "vcard",
            [
                ["version", {}, "text", "4.0"],
                ["org", {}, "text", "Xiaomi Inc."],
                address
            ]
        ])
    };
    let streets = json!(["", "", "", "", "", "", ""]);
    let (address, redacted) = match domain.as_str() {
        "hidden.com" => (
            json!(["adr", {}, "text", streets]),
            json!([{"name": {"type": "Registrant Country"}, "method": "emptyValue"}]),
        ),
        "nowhere.com" => (json!(["tel", {}, "uri", "tel:+86"]), json!([])),
        _ => (json!(["adr", {"cc": "CN"}, "text", streets]), json!([])),
    };
    let registrant =
        json!({"objectClassName": "entity", "roles": ["registrant"], "vcardArray": card(address)});
    // A registrar that points on: that link is not followed.
    let link = json!({"rel": "related", "type": JSON, "href": format!("{}/round", desk.base)});
    rdap(&json!({
        "objectClassName": "domain", "ldhName": domain, "entities": [registrant],
        "redacted": redacted, "links": [link],
    }))
}

fn cn() -> Registered {
    Registered::Published(Country::parse("CN").expect("a code"))
}

#[tokio::test]
async fn a_thin_registry_leads_to_its_registrar() {
    let registry = Registry::open().await;
    let domains = [
        "miui.com",
        "hidden.com",
        "nowhere.com",
        "absent.com",
        "dbankcloud.cn",
    ];
    let (report, waits) = registry.ask("/dns.json", &domains).await;
    let registered = |domain: &str| report.answers[domain].registered;
    assert_eq!(registered("miui.com"), cn());
    assert_eq!(registered("hidden.com"), Registered::Redacted);
    assert_eq!(registered("nowhere.com"), Registered::Absent);
    assert_eq!(registered("absent.com"), Registered::Absent);
    let answer = &report.answers["miui.com"];
    assert_eq!(answer.organisation.as_deref(), Some("Xiaomi Inc."));
    assert!(answer.source.ends_with("/registrar/domain/miui.com"));
    assert_eq!(answer.date, "2027-01-02");
    assert_eq!(report.silent.len(), 1);
    assert_eq!(report.silent["dbankcloud.cn"], Silence::NoService);
    // The list, four domains, three registrars: each once.
    assert_eq!(report.queries, 8);
    assert!(waits.is_empty(), "this machine needs no manners");
}

#[tokio::test]
async fn every_failure_has_its_name() {
    let registry = Registry::open().await;
    assert_eq!(
        registry.silence("unregistered.com").await,
        Silence::Unregistered
    );
    assert_eq!(registry.silence("broken.com").await, Silence::Status(500));
    assert_eq!(registry.silence("endless.com").await, Silence::TooLong);
    assert_eq!(registry.silence("slow.com").await, Silence::TooSlow);
    assert_eq!(registry.silence("round.com").await, Silence::Redirected);
    for wrong in ["bad.com", "html.com"] {
        let silence = registry.silence(wrong).await;
        assert!(
            matches!(silence, Silence::NotRdap(_)),
            "{wrong}: {silence:?}"
        );
    }
    // A redirection is followed, and the answer is still about something else.
    assert_eq!(
        registry.silence("moved.com").await,
        Silence::NotRdap("it is about another domain")
    );
    let (report, _) = Registry {
        base: "http://127.0.0.1:1".to_owned(),
        asked: Arc::default(),
    }
    .ask("/com", &["miui.com"])
    .await;
    assert!(matches!(report.silent["miui.com"], Silence::Unreachable(_)));
    let (report, _) = registry.ask("/none.json", &["miui.com", "mi.com"]).await;
    assert_eq!(
        (report.silent.len(), report.queries),
        (2, 1),
        "without a list nobody is asked"
    );
}

/// What a registry answers does not lead into the collector's own network.
#[tokio::test]
async fn links_lead_nowhere_but_outside() {
    let registry = Registry::open().await;
    for inside in ["inside.com", "plain.com", "metadata.com"] {
        assert_eq!(
            registry.silence(inside).await,
            Silence::Forbidden,
            "{inside}"
        );
    }
    let strict = Client::new(false);
    let at = format!("{}/dns.json", registry.base)
        .parse()
        .expect("a URI");
    assert!(matches!(strict.get(&at).await, Err(Silence::Forbidden)));
    let at = "https://localhost/".parse().expect("a URI");
    assert!(matches!(strict.get(&at).await, Err(Silence::Forbidden)));
}

#[tokio::test]
async fn who_is_busy_is_left_alone() {
    let registry = Registry::open().await;
    let (report, waits) = registry.ask("/com", &["busy.com"]).await;
    assert_eq!(
        report.answers["busy.com"].registered,
        cn(),
        "asked again, later"
    );
    assert_eq!(waits, [Duration::from_secs(7)]);
    let (report, waits) = registry.ask("/com", &["never.com", "miui.com"]).await;
    assert_eq!(report.silent["never.com"], Silence::Busy);
    assert_eq!(report.silent["miui.com"], Silence::Busy, "the same server");
    assert_eq!((report.queries, waits.len()), (1, 0));
    let asked = registry.asked.lock().expect("whole").clone();
    assert_eq!(asked, ["busy.com", "busy.com", "never.com"]);
}

#[tokio::test]
async fn an_update_ends() {
    let registry = Registry::open().await;
    let names: Vec<String> = (0..400).map(|at| format!("a{at}.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (report, _) = registry.ask("/com", &names).await;
    assert_eq!(report.queries, QUERIES_MAX);
    assert_eq!(report.answers.len(), 150, "two requests each");
    assert_eq!(report.silent["a399.com"], Silence::OutOfQueries);
}

#[test]
fn addresses() {
    for good in [
        IANA,
        "https://rdap.example.net/",
        "http://127.0.0.1:8080/com",
        "http://[::1]:80/",
    ] {
        let address: Address = good.parse().expect(good);
        assert_eq!(address.is_loopback(), good.starts_with("http://"), "{good}");
    }
    for wrong in [
        "",
        "rdap",
        "http://rdap.example.net/",
        "ftp://x/",
        "https://u@x/",
        "https://x/?q",
        "/dns.json",
    ] {
        assert!(wrong.parse::<Address>().is_err(), "{wrong}");
    }
}
