use super::*;

fn findings(name: &str, ech: bool) -> Findings {
    Findings {
        name: ServerName::parse(name.as_bytes()),
        ech,
        ..Findings::default()
    }
}

fn status(findings: Findings, source: NameSource, whole: bool) -> (NameStatus, bool) {
    let named = Named::from_findings(findings, source, whole);
    assert_eq!(named.name.is_some(), named.source.is_some());
    (named.status, named.name.is_some())
}

#[test]
fn words_are_distinct() {
    let mut words: Vec<&str> = NameStatus::ALL.map(NameStatus::as_str).to_vec();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), NameStatus::ALL.len());
}

#[test]
fn a_front_is_no_name() {
    let front = "cloudflare-ech.com";
    let sni = |name, ech, whole| status(findings(name, ech), NameSource::Sni, whole);
    assert_eq!(sni(front, true, true), (NameStatus::SniOuter, false));
    // Whoever visits the front itself sends no ECH extension; a broken hello may have had one.
    assert_eq!(sni(front, false, true), (NameStatus::SniClear, true));
    assert_eq!(sni(front, false, false), (NameStatus::SniOuter, false));
    assert_eq!(
        sni("www.example.com", true, true),
        (NameStatus::SniClear, true)
    );
    assert_eq!(
        status(findings(front, false), NameSource::Http, true),
        (NameStatus::Http, true)
    );
}

#[test]
fn silence_and_illegibility_are_two_words() {
    let sni = |findings, whole| status(findings, NameSource::Sni, whole);
    let refused = Findings {
        name_refused: true,
        ..Findings::default()
    };
    assert_eq!(sni(Findings::default(), true), (NameStatus::NoSni, false));
    assert_eq!(sni(Findings::default(), false), (NameStatus::Unread, false));
    assert_eq!(sni(refused, true), (NameStatus::Unread, false));
}

#[test]
fn a_record_in_dns_can_show_that_a_name_is_a_front() {
    let with_ech = Named::from_findings(findings("a.example", true), NameSource::Quic, true);
    let fronted = with_ech.fronted();
    assert_eq!(
        (fronted.status, fronted.name, fronted.ech),
        (NameStatus::SniOuter, None, true)
    );
    let without = Named::from_findings(findings("a.example", false), NameSource::Quic, true);
    assert_eq!(without.clone().fronted(), without);
}
