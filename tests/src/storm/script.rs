//! A storm as data: drawn from a seed, written as text, read again.
//!
//! The text begins with `seed N`, which decides keys and all other randomness, and `homes N`; then comes
//! an operation a line. A line that begins with `#` says something to people.

mod draw;

use super::operation::{NotAnOperation, Operation};
use std::fmt::{self, Write as _};
use std::str::FromStr;
use thiserror::Error;

/// A storm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Decides keys, ids and nonces; not what happens.
    pub seed: u64,
    /// How many homes there are.
    pub homes: u8,
    /// What happens, in order.
    pub operations: Vec<Operation>,
}

/// A text that is no script.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotAScript {
    /// It does not begin with `seed` and `homes`.
    #[error("a script begins with 'seed N' and 'homes N'")]
    Head,
    /// It has too many homes.
    #[error("a script has 1 to {HOMES_MAX} homes")]
    Homes,
    /// A line cannot be read.
    #[error("line {line}: {source}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: NotAnOperation,
    },
}

/// Homes of one storm, at most.
pub const HOMES_MAX: u8 = 20;

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}\nhomes {}", self.seed, self.homes)?;
        self.operations
            .iter()
            .try_for_each(|operation| writeln!(f, "{operation}"))
    }
}

impl FromStr for Script {
    type Err = NotAScript;

    fn from_str(text: &str) -> Result<Self, NotAScript> {
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut head = |word| {
            let (_, line) = lines.next()?;
            line.strip_prefix(word)?.trim().parse::<u64>().ok()
        };
        let (seed, homes) = (head("seed "), head("homes "));
        let (Some(seed), Some(homes)) = (seed, homes) else {
            return Err(NotAScript::Head);
        };
        let homes = u8::try_from(homes).map_err(|_| NotAScript::Homes)?;
        if !(1..=HOMES_MAX).contains(&homes) {
            return Err(NotAScript::Homes);
        }
        let operations = lines.map(|(at, line)| {
            line.parse().map_err(|source| NotAScript::Line {
                line: at + 1,
                source,
            })
        });
        Ok(Self {
            seed,
            homes,
            operations: operations.collect::<Result<_, _>>()?,
        })
    }
}

/// The script as a file that tells its reader what it is about.
#[must_use]
pub fn to_file(script: &Script, about: &str) -> String {
    let mut text = String::new();
    for line in about.lines() {
        writeln!(text, "# {line}").expect("a string takes text");
    }
    write!(text, "{script}").expect("a string takes text");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for seed in 0..200 {
            let script = Script::draw(seed);
            let text = to_file(&script, "why it is\nkept");
            assert_eq!(text.parse(), Ok(script));
        }
    }

    #[test]
    fn what_is_no_script_is_refused() {
        assert_eq!("homes 1".parse::<Script>(), Err(NotAScript::Head));
        assert_eq!("seed 1\nhomes 0".parse::<Script>(), Err(NotAScript::Homes));
        assert_eq!("seed 1\nhomes 21".parse::<Script>(), Err(NotAScript::Homes));
        for line in [
            "rain",
            "live",
            "send",
            "send x",
            "send 1 *",
            "cut 1",
            "tick 1",
            "together",
            "mode shut",
        ] {
            let text = format!("seed 1\nhomes 1\n# a comment\n{line}");
            let refused = text.parse::<Script>();
            assert!(
                matches!(refused, Err(NotAScript::Line { line: 4, .. })),
                "{line}"
            );
        }
    }

    #[test]
    fn everything_happens_in_some_storm() {
        let all: String = (0..400)
            .map(|seed| Script::draw(seed).to_string())
            .collect();
        for word in [
            "live ",
            "jump -",
            "knock ",
            "approve ",
            "mode invite",
            "mode approval",
            "mode open",
            "revise",
            "backup",
            "restore",
            "skew ",
            "join ",
            "send ",
            "together ",
            "deliver ",
            "replay ",
            "conflict ",
            "forge ",
            "rotate ",
            "withdraw ",
            "revoke ",
            "reboot ",
            "\ntick",
            "restart",
            "crash",
            "\ncut ",
            " tick",
            "cut-in-checkpoint ",
            "full ",
            "free",
            "atlas",
            "fold",
        ] {
            assert!(all.contains(word), "{word}");
        }
        for gust in ['?', '!', '+', '~'] {
            assert!(all.contains(gust), "{gust}");
        }
    }
}
