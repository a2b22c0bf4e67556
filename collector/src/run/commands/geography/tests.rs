use super::*;
use crate::geo::owner::Evidence;
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use phonehome_proto::net::Country;
use serde_json::json;

/// A registry that has Xiaomi's domains in Singapore, withholds Samsung's, and knows no others.
async fn registry() -> Address {
    let answer = async |Path(domain): Path<String>| -> Response {
        let address = json!(["adr", {"cc": "SG"}, "text", ["", "", "", "", "", "", ""]]);
        let card = json!([
            "vcard",
            [["org", {}, "text", "Xiaomi\u{1b}[31m Pte."], address]
        ]);
        let body = match domain.as_str() {
            name if name.contains("mi.com")
                || name.starts_with("xiaomi.")
                || name == "miui.com" =>
            {
                json!({
                    "objectClassName": "domain", "ldhName": domain,
                    "entities": [{"roles": ["registrant"], "vcardArray": card}],
                })
            }
            name if name.starts_with("samsung") => json!({
                "objectClassName": "domain", "ldhName": domain,
                "redacted": [{"name": {"type": "Registrant Country"}}],
            }),
            _ => return axum::http::StatusCode::NOT_FOUND.into_response(),
        };
        (
            [("content-type", "application/rdap+json")],
            body.to_string(),
        )
            .into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("bound"));
    let router = Router::new().route("/domain/{domain}", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address.parse().expect("an address")
}

fn config(folder: &std::path::Path) -> Config {
    let text = "data_dir = \"data\"\nkeys_dir = \"keys\"\nidentity = \"identity.key\"\n\
                [intake]\npublic_address = \"collector.example.net:4317\"\n";
    Config::parse(text, &folder.join("collector.toml")).expect("a configuration")
}

#[tokio::test]
async fn what_registries_say_is_shown_kept_and_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let now = Timestamp::from_seconds(1_800_000_000);
    let registry = registry().await;
    let ask = async || {
        owners_update(&config, &registry, now, async |_| ())
            .await
            .expect("asks")
    };
    let found = ask().await;
    assert!(found.is_finding, "others got no answer");
    for line in [
        "miui.com: CN (company-filing) -> SG (rdap-published)\n",
        "miui.com: the registrant (Xiaomi[31m Pte.) is in another country than the seat of Xiaomi\n",
        "samsung.com: KR (company-filing) -> KR (rdap-redacted)\n",
        "apple.com: no answer: the server knows no such domain\n",
    ] {
        assert!(found.text.contains(line), "{line} in {}", found.text);
    }
    let tables = tables::load(&config).expect("loads");
    let row = tables.atlas.owners().of_name("miui.com").expect("listed");
    assert_eq!(
        (row.country(), row.evidence),
        (
            Country::parse("SG").expect("a code"),
            Evidence::RdapPublished
        )
    );
    assert_eq!(row.date, "2027-01-15");
    assert_eq!(row.seat.as_str(), "CN", "the seat is another fact");

    // The same answers again: nothing is different. Nobody there: the last answers stay.
    let again = ask().await;
    assert!(
        !again.text.contains("->") && !again.text.contains("another country"),
        "{}",
        again.text
    );
    let nobody = "http://127.0.0.1:1/".parse().expect("an address");
    let silent = owners_update(&config, &nobody, now, async |_| ())
        .await
        .expect("asks");
    assert!(silent.is_finding && !silent.text.contains("->"));
    let after = tables::load(&config).expect("loads");
    assert_eq!(after.atlas.owners(), tables.atlas.owners());
}
