use super::registry::RegistryAnswer;
use super::*;
use phonehome_proto::vendor::Vendor;

fn answers(date: &str, rows: &[(&str, Registered)]) -> RegistryAnswers {
    let rows = rows.iter().map(|&(domain, registered)| {
        let answer = RegistryAnswer {
            registered,
            organisation: None,
            source: "https://rdap.example/".to_owned(),
            date: date.to_owned(),
        };
        (domain.to_owned(), answer)
    });
    RegistryAnswers {
        date: date.to_owned(),
        domains: rows.collect(),
    }
}

fn cn() -> Country {
    Country::parse("CN").expect("a code")
}

/// The endpoint list, the vendors and this table name the same domains and the same seats.
#[test]
fn every_listed_domain_has_a_row_that_agrees() {
    let table = OwnerTable::embedded();
    for endpoint in EndpointId::all() {
        let row = table.of(endpoint);
        assert_eq!(row.seat, endpoint.owner_country(), "{endpoint}");
        if let Some(vendor) = endpoint.owner_vendor() {
            assert!(
                vendor.domains().contains(&row.domain.as_str()),
                "{endpoint}"
            );
        }
    }
    for vendor in Vendor::all() {
        for domain in vendor.domains() {
            let row = table
                .rows
                .get(*domain)
                .unwrap_or_else(|| panic!("{domain}"));
            assert_eq!(row.seat, vendor.country(), "{domain}");
        }
    }
    assert!(table.domains().len() >= 60);
    assert!(table.of_name("example.net").is_none());
    assert!(table.of_name("com").is_none());
}

/// No registry could be asked when the table was typed, and it does not pretend otherwise.
#[test]
fn the_committed_rows_claim_no_answer_of_a_registry() {
    for row in OwnerTable::embedded().domains() {
        let rests = row.evidence;
        assert!(
            !matches!(rests, Evidence::RdapPublished | Evidence::RdapRedacted),
            "{row:?}"
        );
        assert_eq!(row.country(), row.seat);
        assert!(!row.source.is_empty());
    }
    let founding = EndpointId::of_name("tracking.rus.miui.com").expect("it is listed");
    let table = OwnerTable::embedded();
    let row = table.of(founding);
    assert_eq!(
        (row.domain.as_str(), row.owner.as_str()),
        ("miui.com", "Xiaomi")
    );
    assert_eq!(table.place(founding), Place::known(cn()));
    assert!(
        row.note
            .as_ref()
            .is_some_and(|note| note.contains("registered in China"))
    );
}

#[test]
fn a_registry_s_answer_goes_before_the_seat() {
    let table = OwnerTable::embedded();
    let us = Country::parse("US").expect("a code");
    let rows = [
        ("miui.com", Registered::Published(us)),
        ("xiaomi.com", Registered::Redacted),
        ("mi.com", Registered::Absent),
    ];
    let asked = table
        .with_answers(&answers("2027-01-02", &rows))
        .expect("newer");
    let row = |domain: &str| asked.of_name(domain).expect("it is listed");
    assert_eq!(
        (row("miui.com").country(), row("miui.com").evidence),
        (us, Evidence::RdapPublished)
    );
    assert_eq!(
        (row("xiaomi.com").country(), row("xiaomi.com").evidence),
        (cn(), Evidence::RdapRedacted)
    );
    assert_eq!(row("xiaomi.com").date, "2027-01-02");
    assert_eq!(
        Some(row("mi.com")),
        table.of_name("mi.com"),
        "an empty answer changes nothing"
    );
    assert!(
        asked.about()[1]
            .build
            .ends_with("registries asked 2027-01-02")
    );
}

#[test]
fn old_foreign_and_damaged_answers_are_refused() {
    let table = OwnerTable::embedded();
    let old = table.with_answers(&answers("2020-05-01", &[]));
    assert!(matches!(old, Err(Refused::Older { .. })));
    let foreign = [("example.net", Registered::Redacted)];
    let foreign = table.with_answers(&answers("2027-01-02", &foreign));
    assert_eq!(foreign, Err(Refused::Unlisted("example.net".to_owned())));
    for damaged in [
        "",
        "{}",
        r#"{"date": "yesterday", "domains": []}"#,
        r#"{"date": "2027-01-02", "domains": [{"domain": "mi.com", "registrant_country": "China", "source": "", "date": "2027-01-02"}]}"#,
    ] {
        assert!(
            matches!(RegistryAnswers::read(damaged), Err(Refused::Damaged(_))),
            "{damaged}"
        );
    }
    let mut whole = answers("2027-01-02", &[("mi.com", Registered::Published(cn()))]);
    let row = whole.domains.get_mut("mi.com").expect("just put there");
    row.organisation = Some("\"Xiaomi\" Inc.".to_owned());
    assert_eq!(RegistryAnswers::read(&whole.to_json()), Ok(whole));
}

#[test]
fn a_bad_row_is_refused() {
    let head = "date = \"2026-11-22\"\nowner = [{ id = \"a\", name = \"A\", seat = \"CN\", source = \"s\" }]\n";
    let row = |rest: &str| {
        OwnerTable::read(&format!(
            "{head}domain = [{{ domain = \"a.com\", owner = \"a\", {rest} }}]"
        ))
    };
    assert!(row("evidence = \"unknown\", date = \"2026-11-22\"").is_ok());
    for wrong in [
        "evidence = \"hearsay\", date = \"2026-11-22\"",
        "evidence = \"unknown\", date = \"today\"",
        "evidence = \"rdap-published\", date = \"2026-11-22\"",
        "evidence = \"unknown\", registrant_country = \"CN\", date = \"2026-11-22\"",
    ] {
        assert!(row(wrong).is_err(), "{wrong}");
    }
    let lone = format!(
        "{head}domain = [{{ domain = \"a.com\", owner = \"b\", evidence = \"unknown\", date = \"2026-11-22\" }}]"
    );
    assert!(OwnerTable::read(&lone).is_err());
}
