//! Text in SVG: escaped, and wrapped by an estimate of its width.
//!
//! No font is read, so the estimate is on the wide side of the usual sans-serif faces: a line may
//! end early, never run out of the picture.

/// Width of a character in ems, as an upper estimate of the mean.
const EM_PER_CHAR: f64 = 0.56;

/// `text` with the five characters escaped that mean something to XML and HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML 1.0 has no place for control characters, escaped or not.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The width a text takes at most, about.
#[must_use]
pub fn width_px(text: &str, size_px: f64) -> f64 {
    let chars = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    f64::from(chars) * size_px * EM_PER_CHAR
}

/// `text` in lines that fit `line_px` at this size, broken at spaces.
#[must_use]
pub fn wrap(text: &str, size_px: f64, line_px: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // Not at non-breaking spaces: split_whitespace would.
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if width_px(line, size_px) + width_px(word, size_px) + size_px < line_px => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            escape("<a b='c\"'>&\u{7}"),
            "&lt;a b=&#39;c&quot;&#39;&gt;&amp; "
        );
    }

    #[test]
    fn lines_break_at_spaces_only() {
        assert_eq!(wrap("one two three", 10.0, 60.0), ["one two", "three"]);
        assert_eq!(wrap("62\u{a0}%", 10.0, 1.0), ["62\u{a0}%"]);
        assert!(wrap("", 10.0, 60.0).is_empty());
    }
}
