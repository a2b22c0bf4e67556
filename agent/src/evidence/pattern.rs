//! The pattern language of `proto/data/vendors.toml`.
//!
//! Takes a pattern of the compiled-in tables and a text off the network, says whether the one fits
//! the whole other. `*` is any run of characters, `#` a digit, `@` a letter, a blank is a hyphen,
//! underscore or blank; anything else stands for itself. Case does not matter. Never more steps than
//! pattern times text, both of which are short.

/// Whether `pattern` fits the whole of `text`.
pub(super) fn fits(pattern: &str, text: &[u8]) -> bool {
    let pattern = pattern.as_bytes();
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on when the run after the last star turns out too short.
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                at_pattern += 1;
                retry = Some((at_pattern, at_text));
            }
            Some(&sign) if stands_for(sign, text[at_text]) => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((after_star, begun)) = retry else {
                    return false;
                };
                at_pattern = after_star;
                at_text = begun + 1;
                retry = Some((after_star, at_text));
            }
        }
    }
    pattern[at_pattern..].iter().all(|sign| *sign == b'*')
}

/// The first of `patterns` that fits `text`.
pub(super) fn first_fit(patterns: &[&'static str], text: &[u8]) -> Option<&'static str> {
    patterns.iter().copied().find(|pattern| fits(pattern, text))
}

/// Whether `host` is `domain` or lies below it.
pub(super) fn lies_below(host: &str, domain: &str) -> bool {
    // The dot is looked for first: most names have none there, and need not be compared.
    match host.len().checked_sub(domain.len()) {
        Some(0) => host == domain,
        Some(at) => host.as_bytes()[at - 1] == b'.' && host.ends_with(domain),
        None => false,
    }
}

const fn stands_for(sign: u8, byte: u8) -> bool {
    match sign {
        b'#' => byte.is_ascii_digit(),
        b'@' => byte.is_ascii_alphabetic(),
        b' ' => matches!(byte, b' ' | b'-' | b'_'),
        own => own == byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn signs_mean_what_they_should() {
        for (pattern, text, expected) in [
            ("galaxy s#*", "Galaxy-S21", true),
            ("galaxy s#*", "galaxy_s9+ of somebody", true),
            ("galaxy s#*", "Galaxy-Stratos", false),
            ("*iphone", "Monicas-iPhone", true),
            ("*iphone", "iphones", false),
            ("pixel", "pixel 4", false),
            ("pixel", "Pixel", true),
            ("m2###@*", "M2010J19SG", true),
            ("cph####*", "CPH2399", true),
            ("cph####*", "CPH239", false),
            ("* tv *", "my tv set", true),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
        ] {
            assert_eq!(fits(pattern, text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn domains_end_at_dots() {
        assert!(lies_below("miui.com", "miui.com"));
        assert!(lies_below("a.b.miui.com", "miui.com"));
        assert!(!lies_below("notmiui.com", "miui.com"));
        assert!(!lies_below("com", "miui.com"));
    }

    /// The meaning of a pattern, letter by letter, in the shortest words.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                naive(rest, text)
                    || text
                        .split_first()
                        .is_some_and(|(_, tail)| naive(pattern, tail))
            }
            ([sign, rest @ ..], [byte, tail @ ..]) => stands_for(*sign, *byte) && naive(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_reading(pattern in "[ab*#@ ]{0,8}", text in "[aAb1 _]{0,10}") {
            prop_assert_eq!(fits(&pattern, text.as_bytes()), naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn any_bytes_are_answered(text: Vec<u8>) {
            fits("*iphone *", &text);
        }
    }
}
