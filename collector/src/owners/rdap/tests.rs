use super::*;
use proptest::prelude::*;
use serde_json::json;

fn facts(entities: &Value, redacted: &Value) -> Facts {
    let answer = json!({
        "objectClassName": "domain", "ldhName": "MIUI.com", "entities": entities, "redacted": redacted,
    });
    read(answer.to_string().as_bytes(), "miui.com").expect("an answer")
}

fn of_address(parameters: &Value, value: &Value) -> Registered {
    let card = json!(["vcard", [["adr", parameters, "text", value]]]);
    let registrar = json!({"roles": ["registrar"], "vcardArray":
        ["vcard", [["adr", {"cc": "US"}, "text", ["", "", "", "", "", "", ""]]]]});
    let registrant = json!({"roles": ["technical", "registrant"], "vcardArray": card});
    facts(&json!([registrar, registrant]), &json!([])).registered
}

fn published(code: &str) -> Registered {
    Registered::Published(Country::parse(code).expect("a code"))
}

#[test]
fn countries_as_people_write_them() {
    let at = |country: &str| json!(["", "", "", "", "", "", country]);
    let nothing = json!({});
    assert_eq!(of_address(&json!({"cc": "cn"}), &at("")), published("CN"));
    assert_eq!(of_address(&nothing, &at("CN")), published("CN"));
    assert_eq!(of_address(&nothing, &at("China")), published("CN"));
    assert_eq!(
        of_address(&nothing, &at("REDACTED FOR PRIVACY")),
        Registered::Redacted
    );
    for none in ["", "Middle-earth", "ZZ", "86"] {
        assert_eq!(
            of_address(&nothing, &at(none)),
            Registered::Absent,
            "{none}"
        );
    }
    // An address in one piece names no country that a program can read.
    let label = json!({"label": "Beijing\nChina"});
    assert_eq!(of_address(&label, &json!("China")), Registered::Absent);
}

#[test]
fn redaction_is_told_from_absence() {
    let redacted = |row: Value| facts(&json!([]), &json!([row])).registered;
    for row in [
        json!({"name": {"type": "Registrant Country"}}),
        json!({"name": {"description": "Registrant country code"}}),
        json!({"name": {"type": "Registrant"}}),
        json!({"prePath": "$.entities[?(@.roles[0]=='registrant')]"}),
        json!({"prePath": "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='adr')]"}),
        json!({"postPath": "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='adr')][3][6]"}),
    ] {
        assert_eq!(redacted(row.clone()), Registered::Redacted, "{row}");
    }
    for row in [
        json!({"name": {"type": "Registrant Name"}}),
        json!({"name": {"type": "Tech Country"}}),
        json!({"prePath": "$.entities[?(@.roles[0]=='registrant')].handle"}),
        json!({"prePath": "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='adr')][3][3]"}),
        json!({"prePath": "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][?(@[0]=='email')]"}),
        json!({"prePath": "$.entities[?(@.roles[0]=='technical')]"}),
        json!("redacted"),
    ] {
        assert_eq!(redacted(row.clone()), Registered::Absent, "{row}");
    }
}

#[test]
fn organisations_and_links() {
    let card = json!(["vcard", [["org", {}, "text", ["Xiaomi\n Inc.", "Legal"]]]]);
    let entity = json!({"roles": ["registrant"], "vcardArray": card});
    assert_eq!(
        facts(&json!([entity]), &json!([])).organisation.as_deref(),
        Some("Xiaomi Inc.")
    );
    let link = |rel: &str, kind: &str| {
        let link = json!({"rel": rel, "type": kind, "href": "https://registrar.example/"});
        let answer = json!({"objectClassName": "domain", "ldhName": "a.com", "links": [link]});
        read(answer.to_string().as_bytes(), "a.com")
            .expect("an answer")
            .related
    };
    assert!(link("related", RDAP).is_some());
    assert!(link("self", RDAP).is_none() && link("related", "text/html").is_none());
}

#[test]
fn what_is_about_something_else_is_no_answer() {
    for (text, why) in [
        ("", "it is not JSON"),
        ("[]", "it is about no domain"),
        (
            "{\"objectClassName\": \"entity\", \"ldhName\": \"miui.com\"}",
            "it is about no domain",
        ),
        (
            "{\"objectClassName\": \"domain\", \"ldhName\": \"mi.com\"}",
            "it is about another domain",
        ),
        (
            "{\"objectClassName\": \"domain\"}",
            "it is about another domain",
        ),
    ] {
        assert_eq!(read(text.as_bytes(), "miui.com"), Err(why), "{text}");
    }
}

/// Any JSON of small depth.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "(registrant|adr|org|cc|redacted|CN|.{0,4})".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let keys = "(roles|vcardArray|cc|name|type|prePath|rel|href|.{0,2})";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..4)
                .prop_map(|rows| Value::Object(rows.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics(entities in values(), redacted in values(), links in values(), bytes: Vec<u8>) {
        let _ = read(&bytes, "miui.com");
        let answer = json!({
            "objectClassName": "domain", "ldhName": "miui.com", "entities": entities,
            "redacted": redacted, "links": links,
        });
        let facts = read(answer.to_string().as_bytes(), "miui.com").expect("it is about the domain");
        if let Registered::Published(country) = facts.registered {
            prop_assert!(answer.to_string().contains(country.as_str()));
        }
    }
}
