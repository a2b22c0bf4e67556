use super::*;
use crate::run::inspect::screen::Screen;
use std::fs;
use std::path::Path;

/// Compares with a file below `agent/tests/map`; `UPDATE_GOLDEN=1` writes it.
fn is_as_agreed(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/map")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, made).expect("the tree can be written");
    }
    let agreed = fs::read_to_string(&path).expect("the golden file is there");
    assert!(made == agreed, "{name} differs:\n{made}");
}

fn country(code: &str) -> Whereabouts {
    Whereabouts::Country(Country::parse(code).expect("a code"))
}

/// Three phones; many of the countries are too small for a dot, or crowded.
fn chart() -> Chart {
    let mut chart = Chart::new("geo.mmdb (Test <&> of 2026-06-01)");
    let tag = |text: &str| text.parse::<DeviceTag>().expect("a tag");
    let xiaomi = (tag("00000001"), Vendor::from_id("xiaomi"));
    let samsung = (tag("00000002"), Vendor::from_id("samsung"));
    let unknown = (tag("00000003"), None);
    for (place, flows, (phone, vendor)) in [
        (country("SG"), 40, xiaomi),
        (country("SG"), 2, unknown),
        (country("RU"), 12, xiaomi),
        (country("DE"), 9, samsung),
        (country("NL"), 9, samsung),
        (country("BE"), 5, samsung),
        (country("IE"), 4, unknown),
        (country("LU"), 3, samsung),
        (country("HK"), 3, xiaomi),
        (country("MO"), 2, xiaomi),
        (country("MT"), 2, samsung),
        (country("US"), 150, samsung),
        (country("BR"), 1, unknown),
        (country("NZ"), 1, unknown),
        (country("FJ"), 1, unknown),
        (country("EU"), 1, samsung),
        (country("AQ"), 1, samsung),
        (Whereabouts::Anycast, 7, samsung),
        (Whereabouts::Unknown, 2, unknown),
    ] {
        for _ in 0..flows {
            chart.count(place, phone, vendor);
        }
    }
    chart
}

fn screen(columns: usize, is_utf8: bool) -> Screen {
    Screen {
        columns,
        is_utf8,
        ..Screen::PLAIN
    }
}

#[test]
fn the_pictures_are_what_was_agreed_on() {
    let chart = chart();
    is_as_agreed("braille.txt", &text(&chart, screen(100, true)));
    is_as_agreed("ascii.txt", &text(&chart, screen(80, false)));
    is_as_agreed("narrow.txt", &text(&chart, screen(44, false)));
    is_as_agreed("map.svg", &svg(&chart));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    let lines = |columns| text(&chart(), screen(columns, true)).lines().count();
    assert!(
        lines(40) > lines(39) + 5,
        "too narrow for a world is the legend alone"
    );
    for columns in 36..120 {
        for is_utf8 in [true, false] {
            let shown = text(&chart(), screen(columns, is_utf8));
            for line in shown.lines() {
                assert!(
                    line.chars().count() <= columns.max(50),
                    "{columns}: {line:?}"
                );
                assert!(is_utf8 || line.is_ascii(), "{line:?}");
                assert!(!line.contains('\x1b'), "no colour was asked for");
            }
        }
    }
}

#[test]
fn every_country_has_its_letter_and_the_rest_stands_beside() {
    let chart = chart();
    let rows = chart.rows();
    let marked: String = rows.iter().filter_map(|row| row.mark).collect();
    assert_eq!(marked, "ABCDEFGHIJKLMN");
    assert!(rows[14..].iter().all(|row| row.at.is_none()));
    let shown = text(&chart, screen(76, true));
    let world: Vec<_> = shown
        .lines()
        .skip_while(|line| !line.is_empty())
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    for mark in marked.chars() {
        let times = world
            .iter()
            .map(|line| line.matches(mark).count())
            .sum::<usize>();
        assert_eq!(times, 1, "{mark}");
        assert_eq!(svg(&chart).matches(&format!(">{mark}</text>\n")).count(), 1);
    }
    for row in [
        "many places at once (anycast)",
        "no country known",
        "EU (no one country)",
    ] {
        let line = shown.lines().find(|line| line.contains(row));
        assert!(line.is_some_and(|line| line.starts_with('-')), "{row}");
    }
}

#[test]
fn colour_changes_nothing_else() {
    let plain = screen(80, true);
    let coloured = Screen {
        is_coloured: true,
        ..plain
    };
    let shown = text(&chart(), coloured);
    assert!(shown.contains("\x1b[1;7mA\x1b[0m"));
    let bare = shown.replace("\x1b[1;7m", "").replace("\x1b[0m", "");
    assert_eq!(bare, text(&chart(), plain));
}

#[test]
fn more_countries_than_letters_keep_their_rows() {
    let mut chart = Chart::new("all");
    let phone = "00000001".parse().expect("a tag");
    let codes = ('A'..='Z').flat_map(|a| ('A'..='Z').map(move |b| format!("{a}{b}")));
    for code in codes {
        chart.count(country(&code), phone, None);
    }
    let rows = chart.rows();
    assert_eq!(rows.len(), 26 * 26);
    assert_eq!(
        rows.iter().filter(|row| row.mark.is_some()).count(),
        MARKS.len()
    );
    assert!(rows.iter().all(|row| row.share == "<1 %"));
    assert!(text(&chart, screen(80, true)).contains("ZW Zimbabwe"));
    assert!(svg(&chart).contains("ZW Zimbabwe"));
}

#[test]
fn what_a_database_calls_itself_moves_no_cursor_and_opens_no_element() {
    let mut chart = Chart::new("\x1b[2J<script>");
    chart.count(
        Whereabouts::Unknown,
        "00000001".parse().expect("a tag"),
        None,
    );
    assert!(!text(&chart, screen(80, true)).contains('\x1b'));
    assert!(svg(&chart).contains("\u{fffd}[2J&lt;script&gt;"));
}
