//! What a page that stands alone has around it: head, policy, style, banner. It loads nothing at all.

use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::Release;
use phonehome_proto::id::Hash;

const STYLE: &str = include_str!("style.css");

/// A whole page. `body` is markup, `title` is text.
pub(super) fn page(release: Option<&Release>, title: &str, body: &str) -> String {
    let banner = release
        .and_then(words::of_exercise)
        .map_or_else(String::new, |words| {
            format!(
                "<p class=\"exercise\" role=\"note\">{}</p>\n",
                escape(words)
            )
        });
    let purpose = release.map_or("", |release| release.purpose.as_str());
    let mark = release
        .and_then(words::of_exercise)
        .map_or("", |_| "[Exercise, synthetic homes] ");
    format!(
        "<!doctype html>\n<html lang=\"en\" data-purpose=\"{purpose}\">\n<head>\n\
         <meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{mark}{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         {banner}<main>\n{body}</main>\n{banner}</body>\n</html>\n",
        policy(),
        escape(title)
    )
}

/// Nothing is loaded but the style sheet in the page, known by its hash.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        base64(Hash::of(STYLE.as_bytes()).as_bytes())
    )
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= chunk.len() {
                let index = (group >> (18 - 6 * digit)) & 63;
                text.push(char::from(
                    DIGITS[usize::try_from(index).expect("six bits")],
                ));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
    }

    /// `#rgb` or `#rrggbb` to relative luminance (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let digits = colour.trim_start_matches('#');
        let wide: String = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit; 2]).collect(),
            _ => digits.to_owned(),
        };
        let channel = |at: usize| {
            let value = u8::from_str_radix(&wide[at..at + 2], 16).expect("two hex digits");
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// What follows `name:` in a rule.
    fn value<'a>(rule: &'a str, name: &str) -> Option<&'a str> {
        let (_, rest) = rule.split_once(&format!("{name}:"))?;
        rest.split([';', '}', ' ']).next()
    }

    #[test]
    fn text_stands_out_by_day_and_by_night() {
        let mut styles = STYLE.lines().filter(|line| line.contains(":root{"));
        let (day, night) = (styles.next().expect("a style"), styles.next().expect("two"));
        assert!(night.contains("prefers-color-scheme:dark"));
        for style in [day, night] {
            for ground in ["--page", "--head"] {
                let ground = value(style, ground).expect("a ground");
                for ink in ["--ink", "--soft", "--link"] {
                    let ink = value(style, ink).expect("an ink");
                    assert!(contrast(ink, ground) >= 7.0, "{ink} on {ground}");
                }
            }
        }
        assert!(contrast(value(day, "--alarm").expect("an alarm"), "#fff") >= 7.0);
    }

    /// Cells keep the colours of the map by night, and so their ink.
    #[test]
    fn every_cell_can_be_read() {
        let rule = |class: &str, property: &str| {
            let mut rules = STYLE.lines().flat_map(|line| line.split_inclusive('}'));
            let names = |rule: &&str| {
                let (selectors, _) = rule.split_once('{').unwrap_or_default();
                selectors
                    .split(',')
                    .any(|name| name == format!("td.{class}"))
            };
            let last = rules.by_ref().filter(names).filter_map(|rule| {
                let body = rule.split_once('{').map_or("", |(_, body)| body);
                let mut declared = body.trim_end_matches('}').split(';');
                declared.find_map(|one| one.strip_prefix(property)?.strip_prefix(':'))
            });
            last.last().map(str::to_owned)
        };
        for class in [
            "k1",
            "k2",
            "k3",
            "k4",
            "k5",
            "zero",
            "suppressed",
            "not_applicable",
        ] {
            let ground = rule(class, "background").expect("a ground");
            let ink = rule(class, "color").expect("an ink");
            assert!(contrast(&ink, &ground) >= 4.5, "{class}: {ink} on {ground}");
        }
    }
}
