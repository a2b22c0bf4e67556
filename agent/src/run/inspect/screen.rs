//! What the terminal can show.
//!
//! Takes the environment's variables and the size of standard output, gives the width to keep to and
//! whether letters beyond ASCII and colours may be used. Without a word to the contrary a terminal is
//! taken for the plainest one.

use std::ffi::OsString;

/// Where text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// How many characters fit side by side.
    pub columns: usize,
    /// The locale's encoding is UTF-8.
    pub is_utf8: bool,
    /// It is a terminal, and nobody has asked for no colours.
    pub is_coloured: bool,
}

// === impl Screen ===

impl Screen {
    /// A file, or a terminal of which nothing is known.
    pub const PLAIN: Self = Self {
        columns: 80,
        is_utf8: false,
        is_coloured: false,
    };

    /// Standard output: `terminal_columns` is the terminal's width, `None` where it is none;
    /// `variable` reads the environment.
    #[must_use]
    pub fn of(terminal_columns: Option<u16>, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let word = |name| variable(name).filter(|word| !word.is_empty());
        // POSIX: the first of these that says anything decides.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(word);
        let locale = locale.map(|word| word.to_string_lossy().to_ascii_lowercase());
        let is_dumb = word("TERM").is_none_or(|word| word == "dumb");
        Self {
            // A terminal that does not know its width says 0.
            columns: terminal_columns
                .filter(|columns| *columns > 0)
                .map_or(Self::PLAIN.columns, usize::from),
            is_utf8: locale.is_some_and(|word| word.ends_with("utf-8") || word.ends_with("utf8")),
            is_coloured: terminal_columns.is_some() && !is_dumb && word("NO_COLOR").is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(columns: Option<u16>, variables: &[(&str, &str)]) -> Screen {
        Screen::of(columns, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, word)| word.into())
        })
    }

    #[test]
    fn the_locale_and_the_terminal_decide() {
        assert_eq!(screen(None, &[]), Screen::PLAIN);
        assert_eq!(screen(Some(0), &[]), Screen::PLAIN);
        let usual = [("LANG", "de_DE.UTF-8"), ("TERM", "xterm")];
        let whole = Screen {
            columns: 132,
            is_utf8: true,
            is_coloured: true,
        };
        assert_eq!(screen(Some(132), &usual), whole);
        assert!(!screen(None, &usual).is_coloured, "a file has no colours");
        for (name, word) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let said = [&[(name, word)], usual.as_slice()].concat();
            assert!(!screen(Some(132), &said).is_coloured, "{name}");
        }
        let empty = [&[("NO_COLOR", "")], usual.as_slice()].concat();
        assert_eq!(
            screen(Some(132), &empty),
            whole,
            "an empty word says nothing"
        );
        let overruled = [&[("LC_ALL", "C")], usual.as_slice()].concat();
        assert!(!screen(Some(132), &overruled).is_utf8);
        assert!(screen(None, &[("LC_CTYPE", "en_US.utf8")]).is_utf8);
    }
}
