use super::*;
use proptest::prelude::*;

fn pattern_of(name: &str) -> Option<&'static str> {
    EndpointId::of_name(name).map(EndpointId::pattern)
}

#[test]
fn the_closest_row_wins() {
    assert_eq!(
        pattern_of("sa.api.intl.miui.com"),
        Some("sa.api.intl.miui.com")
    );
    assert_eq!(
        pattern_of("other.api.intl.miui.com"),
        Some("*.intl.miui.com")
    );
    assert_eq!(
        pattern_of("connect.rom.miui.com"),
        Some("connect.rom.miui.com")
    );
    assert_eq!(pattern_of("hicloud.com"), Some("*.hicloud.com"));
    assert_eq!(pattern_of("a.b.c.hicloud.com"), Some("*.hicloud.com"));
    for unlisted in [
        "",
        ".",
        "com",
        "nothicloud.com",
        "hicloud.com.example",
        "miui.com",
    ] {
        assert_eq!(pattern_of(unlisted), None, "{unlisted}");
    }
}

#[test]
fn numbers_and_names_lead_to_the_same_row() {
    assert!(EndpointId::all().len() >= 100);
    for endpoint in EndpointId::all() {
        assert_eq!(EndpointId::from_number(endpoint.number()), Some(endpoint));
        let name = endpoint.pattern().trim_start_matches("*.");
        assert_eq!(EndpointId::of_name(name), Some(endpoint), "{endpoint}");
    }
    assert_eq!(EndpointId::from_number(0), None);
    assert_eq!(EndpointId::from_number(65_535), None);
}

#[test]
fn names_say_where_their_owners_put_them() {
    for (name, country) in [
        ("sa.api.intl.miui.com", Some("SG")),
        ("mcc.intl.inf.miui.com", Some("SG")),
        ("data.mistat.rus.xiaomi.com", Some("RU")),
        ("anything.india.miui.com", Some("IN")),
        ("datacollector-drru.dt.hicloud.com", Some("RU")),
        ("metrics1-drcn.dt.dbankcloud.cn", Some("CN")),
        ("metrics-drru.dt.hihonorcloud.com", Some("RU")),
        ("asia-stsdk.vivoglobal.com", Some("SG")),
        ("in-vcode-api.vivoglobal.com", Some("IN")),
        ("obus-dc-us.heytapmobile.com", Some("US")),
        ("dragate-in-dc.heytapmobile.com", Some("IN")),
        // Many countries, or nobody knows which.
        ("tracking.eu.miui.com", None),
        ("eu-stsdk.vivoglobal.com", None),
        ("metrics-dra.dt.hicloud.com", None),
        // No token, though the domain itself ends in a country's letters.
        ("tracking.miui.com", None),
        ("grs.dbankcloud.cn", None),
        ("grs.platform.dbankcloud.ru", None),
        ("wifi.vivo.com.cn", None),
        // A token of somebody else's.
        ("in.appcenter.ms", None),
        ("xp.apple.com", None),
    ] {
        let endpoint = EndpointId::of_name(name).expect(name);
        let said = endpoint.region();
        assert_eq!(said.as_ref().map(Country::as_str), country, "{name}");
    }
}

#[test]
fn only_vendors_own_core_and_telemetry() {
    for endpoint in EndpointId::all().filter(|e| e.class().is_vendors_own()) {
        assert!(endpoint.owner_vendor().is_some(), "{endpoint}");
    }
}

/// Whether a row fits a name, in the words of the list's own explanation.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => name == pattern,
        Some(domain) => name == domain || name.ends_with(&format!(".{domain}")),
    }
}

proptest! {
    #[test]
    fn agrees_with_the_naive_reading(
        front in "([a-z]{1,3}\\.){0,2}",
        at in 0..EndpointId::all().len(),
        cut in 0..3_usize,
    ) {
        let listed = EndpointId::all().nth(at).expect("in range").pattern();
        let tail = listed.trim_start_matches("*.").split('.').skip(cut).collect::<Vec<_>>();
        let name = format!("{front}{}", tail.join("."));
        let fitting = || EndpointId::all().filter(|e| fits(e.pattern(), &name));
        let own = fitting().find(|e| !e.pattern().starts_with("*."));
        let longest = fitting().max_by_key(|e| e.pattern().len());
        prop_assert_eq!(EndpointId::of_name(&name), own.or(longest), "{}", name);
    }
}
