use super::*;
use crate::format::fixture;
use std::collections::BTreeSet;

/// A key without its plural form.
fn stem(key: &str) -> &str {
    ["one", "few", "many", "other"]
        .iter()
        .find_map(|form| key.strip_suffix(&format!(".{form}")))
        .unwrap_or(key)
}

/// The places of a text, `{name}`.
fn places(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0))
        .collect()
}

#[test]
fn every_table_has_the_keys_and_places_of_the_english_one() {
    let english: BTreeMap<&str, BTreeSet<&str>> = rows(Language::En.source())
        .map(|(key, text)| (stem(key), places(text)))
        .collect();
    for language in Language::ALL {
        let mut seen = BTreeSet::new();
        for (key, text) in rows(language.source()) {
            let tag = language.tag();
            assert!(seen.insert(key), "{tag}: {key} stands twice");
            assert_eq!(Some(&places(text)), english.get(stem(key)), "{tag}: {key}");
            assert!(!text.contains(['<', '>', '"']), "{tag}: {key} has markup");
        }
        let stems: BTreeSet<&str> = seen.iter().map(|key| stem(key)).collect();
        assert_eq!(
            stems,
            english.keys().copied().collect(),
            "{}",
            language.tag()
        );
    }
}

#[test]
fn counts_have_the_plural_of_the_language() {
    let plurals =
        |language: Language| [0, 1, 2, 5, 11, 12, 14, 21, 22, 25, 111].map(|n| language.plural(n));
    let (one, few, many, other) = ("one", "few", "many", "other");
    assert_eq!(
        plurals(Language::Ru),
        [many, one, few, many, many, many, many, one, few, many, many]
    );
    assert_eq!(plurals(Language::Fr)[..3], [one, one, other]);
    assert_eq!(plurals(Language::De)[..3], [other, one, other]);
    assert!(plurals(Language::Zh).iter().all(|form| *form == other));
    assert_eq!(Language::Ru.counted("countries", 22, &[]), "22 страны");
    assert_eq!(Language::Ru.counted("countries", 25, &[]), "25 стран");
    assert_eq!(
        Language::En.counted("vendors", 1, &[]),
        "phones of 1 vendor"
    );
}

#[test]
fn numbers_are_written_as_the_language_writes_them() {
    let written = Language::ALL.map(|language| language.number(12_345));
    assert_eq!(
        written,
        [
            "12,345",
            "12.345",
            "12\u{202f}345",
            "12\u{a0}345",
            "12\u{a0}345",
            "12,345"
        ]
    );
    assert_eq!(Language::Es.number(1_234), "1234");
    assert_eq!(Language::En.number(999), "999");
    assert_eq!(Language::En.number(1_000_000), "1,000,000");
    assert_eq!(Language::Fr.percent(BasisPoints(6_250)), "63\u{202f}%");
    assert_eq!(Language::De.percent(BasisPoints(40)), "unter 1\u{a0}%");
    assert_eq!(Language::Zh.percent(BasisPoints(0)), "0%");
}

#[test]
fn every_country_has_a_name_in_every_language() {
    for shape in borders::shapes() {
        let country = Country::parse(shape.code).expect("a code");
        for language in Language::ALL {
            let name = language.country(country);
            assert!(
                !name.is_empty() && name != shape.code,
                "{} in {}",
                shape.code,
                language.tag()
            );
        }
    }
    let singapore = Country::parse("SG").expect("a code");
    let names = Language::ALL.map(|language| language.country(singapore));
    assert_eq!(
        names,
        [
            "Singapore",
            "Singapur",
            "Singapour",
            "Singapur",
            "Сингапур",
            "新加坡"
        ]
    );
}

/// Two ways to say the same in English must not come apart.
#[test]
fn english_says_what_the_other_formats_say() {
    for cell in fixture::release().server.values() {
        assert_eq!(Language::En.cell(cell), crate::map::words::of_cell(cell));
    }
    for column in [Column::Anycast, Column::Unknown] {
        assert_eq!(
            Language::En.column(&column),
            crate::map::words::of_column(&column)
        );
    }
    assert_eq!(Language::En.text("exercise"), crate::map::words::EXERCISE);
}

#[test]
fn nobody_says_that_data_is_sent_to_a_country_by_a_server_there() {
    for (key, text) in rows(Language::En.source()) {
        assert!(
            !text.contains("data sent to") && !text.contains("sends data to"),
            "{key}"
        );
    }
}
