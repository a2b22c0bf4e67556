use super::*;
use proptest::prelude::*;
use std::fmt::Write;

fn list(text: &str) -> NameList {
    NameList::read(text.as_bytes()).expect(text)
}

#[test]
fn each_form_reaches_as_far_as_it_says() {
    let text = "\u{feff}# a list\n\
        127.0.0.1 localhost\n\
        0.0.0.0 0.0.0.0\n\
        ::1 ip6-localhost\n\
        0.0.0.0 Host.Example.com other.example.com # why\n\
        \n\
        domain.example.org\r\n\
        *.wild.example.org   # why\n\
        rooted.example.org.\n\
        ! a browser's from here\n\
        ||rule.example.net^\n\
        ||third.example.net^$third-party,important\n\
        @@||ok.rule.example.net^|\n\
        ||rule.example.net/banner.gif\n\
        ||ads.*.example.net^\n\
        ||x.example.net^$domain=example.org\n\
        /banner[0-9]+/\n\
        example.com##.ad\n\
        ##.ad\n\
        -banner-\n\
        @@/good/\n";
    let list = list(text);
    for (host, expected) in [
        ("host.example.com", true),
        ("other.example.com", true),
        // A hosts file names hosts.
        ("below.host.example.com", false),
        ("example.com", false),
        ("localhost", false),
        ("why", false),
        ("domain.example.org", true),
        ("below.domain.example.org", true),
        ("notdomain.example.org", false),
        ("wild.example.org", true),
        ("a.b.wild.example.org", true),
        ("rooted.example.org", true),
        ("rule.example.net", true),
        ("a.rule.example.net", true),
        ("third.example.net", true),
        ("ok.rule.example.net", false),
        ("below.ok.rule.example.net", false),
        ("x.example.net", false),
        ("", false),
        ("net", false),
    ] {
        assert_eq!(list.names(host), expected, "{host}");
    }
    assert_eq!((list.len(), list.left_out()), (8, 8));
}

#[test]
fn an_exception_wins_wherever_it_stands() {
    for text in [
        "@@||b.example.com^\n||a.b.example.com^\n",
        "a.b.example.com\n@@||b.example.com\n",
    ] {
        assert!(!list(text).names("a.b.example.com"), "{text}");
    }
}

#[test]
fn what_is_wrong_is_refused_at_its_line() {
    let long = format!("x\n# {}\n", "x".repeat(LINE_BYTES_MAX)).replace("x\n#", "a.example\n#");
    for (text, line, fault) in [
        ("a.example.com\n*.com\n", 2, Fault::PublicSuffix),
        ("a.example.com\n\n*.co.uk", 3, Fault::PublicSuffix),
        ("com", 1, Fault::PublicSuffix),
        ("||com^", 1, Fault::PublicSuffix),
        ("! x\n@@||com.cn^", 2, Fault::PublicSuffix),
        ("*", 1, Fault::NotAName),
        ("a..b", 1, Fault::NotAName),
        ("a.*.example.com", 1, Fault::NotAName),
        ("größe.example.com", 1, Fault::NotAName),
        (
            "0.0.0.0 good.example.com b@d.example.com",
            1,
            Fault::NotAName,
        ),
        ("two words", 1, Fault::NoForm),
        ("example.com two", 1, Fault::NoForm),
        (&long, 2, Fault::LineTooLong),
    ] {
        let refused = NameList::read(text.as_bytes()).map(|_| ()).expect_err(text);
        assert_eq!(refused, Refused { line, fault }, "{text}");
    }
    let refused = NameList::read(b"a.example\n\n\xff\n").map(|_| ());
    let expected = Refused {
        line: 3,
        fault: Fault::NotUtf8,
    };
    assert_eq!(refused, Err(expected.clone()));
    assert_eq!(expected.to_string(), "line 3: this is not UTF-8");
}

#[test]
fn a_list_is_bounded() {
    let mut text = String::new();
    for number in 0..=ENTRIES_MAX {
        writeln!(text, "h{number}.ab").expect("a String takes everything");
    }
    let refused = NameList::read(text.as_bytes()).map(|_| ());
    let expected = Refused {
        line: ENTRIES_MAX + 1,
        fault: Fault::ListTooLong,
    };
    assert_eq!(refused, Err(expected));
}

/// Some names that lie above and below each other.
const NAMES: &str = "(a\\.|b\\.){0,3}(x\\.test|y\\.test)";

proptest! {
    #[test]
    fn agrees_with_the_naive_reading(
        rows in proptest::collection::vec((0..3_u8, NAMES), 0..12),
        host in NAMES,
    ) {
        let text: String = rows
            .iter()
            .map(|(form, name)| match form {
                0 => format!("0.0.0.0 {name}\n"),
                1 => format!("||{name}^\n"),
                _ => format!("@@||{name}^\n"),
            })
            .collect();
        let lies_below = |name: &str| host == name || host.ends_with(&format!(".{name}"));
        let is_named = rows.iter().any(|(form, name)| match form {
            0 => host == *name,
            1 => lies_below(name),
            _ => false,
        });
        let is_out = rows.iter().any(|(form, name)| *form == 2 && lies_below(name));
        prop_assert_eq!(list(&text).names(&host), is_named && !is_out, "{} {}", text, host);
    }

    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, host: String) {
        if let Ok(list) = NameList::read(&bytes) {
            let _is_named = list.names(&host);
        }
    }
}
