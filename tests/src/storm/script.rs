//! A storm as data: drawn from a seed, written as text, read again.
//!
//! The text begins with `seed N`, which decides keys and all other randomness, and `homes N`; then comes
//! an operation a line. A line that begins with `#` says something to people.

use super::operation::{Gust, NotAnOperation, Operation, Weather};
use crate::simulation::dice::Dice;
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
pub const HOMES_MAX: u8 = 16;

/// Days that a drawn storm lasts, about, before it calms down: the first week passes through all of its
/// states, and the second is closed.
const DAYS: usize = 17;

impl Script {
    /// The storm of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x0073_746f_726d);
        // Now and then homes enough that a release shows something.
        let homes = if dice.below(16) == 0 {
            dice.between(12, usize::from(HOMES_MAX))
        } else {
            dice.between(1, 5)
        };
        let homes = u8::try_from(homes).expect("few homes");
        let mut operations = Vec::new();
        for home in 0..homes {
            if !dice.happens(0.1) {
                operations.push(Operation::Join(home, weather(&mut dice, 0.3)));
            }
        }
        // Some storms are about one thing, so that what is rare meets what is rare.
        let mood = Mood::draw(&mut dice);
        for _ in 0..DAYS {
            day(&mut dice, homes, &mood, &mut operations);
        }
        operations.push(Operation::Free);
        operations.push(Operation::Fold);
        operations.push(Operation::Live(24 * 14));
        operations.push(Operation::Tick);
        Self {
            seed,
            homes,
            operations,
        }
    }
}

/// How likely things are in one storm.
struct Mood {
    bad_weather: f64,
    mischief: f64,
    crashes: f64,
    clocks: f64,
    membership: f64,
    full_disk: f64,
}

impl Mood {
    fn draw(dice: &mut Dice) -> Self {
        let mut level = || [0.0, 0.05, 0.2, 0.6][dice.below(4)];
        Self {
            bad_weather: level(),
            mischief: level(),
            crashes: level(),
            clocks: level() / 3.0,
            membership: level() / 2.0,
            full_disk: level() / 4.0,
        }
    }
}

/// What happens on one day: it passes, most homes report, and something goes wrong.
fn day(dice: &mut Dice, homes: u8, mood: &Mood, out: &mut Vec<Operation>) {
    let hours = if dice.happens(0.15) {
        dice.between(1, 60)
    } else {
        24
    };
    out.push(Operation::Live(u32::try_from(hours).expect("few hours")));
    if dice.happens(mood.clocks) {
        out.push(clock(dice, homes));
    }
    if dice.happens(0.7) {
        let tick = Operation::Tick;
        out.push(cut(dice, mood.crashes * 0.4, tick));
    }
    let mut order: Vec<u8> = (0..homes).collect();
    order = dice.shuffled(&order);
    if homes > 1 && dice.happens(0.2) {
        let some = dice.between(2, usize::from(homes));
        out.push(Operation::Together(order.split_off(order.len() - some)));
    }
    for home in order {
        if dice.happens(0.75) {
            let send = Operation::Send(home, weather(dice, mood.bad_weather));
            out.push(cut(dice, mood.crashes * 0.3, send));
        }
        if dice.happens(mood.mischief * 0.5) {
            out.push(mischief(dice));
        }
        if dice.happens(mood.membership * 0.4) {
            let change = membership(dice, home, mood.bad_weather);
            out.push(cut(dice, mood.crashes * 0.5, change));
        }
    }
    if dice.happens(mood.crashes) {
        out.push(match dice.below(4) {
            0 => Operation::Restart,
            1 => Operation::CutInCheckpoint(throw(dice)),
            _ => Operation::Crash,
        });
    }
    if dice.happens(mood.full_disk) {
        let pages = u32::try_from(dice.below(6)).expect("few pages");
        out.push(Operation::Full(pages));
    } else if dice.happens(0.5) && out.iter().any(|done| matches!(done, Operation::Full(_))) {
        out.push(Operation::Free);
    }
    if dice.happens(0.05) {
        out.push(Operation::Atlas);
    }
    if dice.happens(0.08) {
        out.push(Operation::Fold);
    }
}

fn clock(dice: &mut Dice, homes: u8) -> Operation {
    let reach = [30, 400, 7_200, 86_400, 3 * 86_400, 9 * 86_400][dice.below(6)];
    let seconds = i64::try_from(dice.between(1, reach)).expect("some days");
    let seconds = if dice.happens(0.5) { seconds } else { -seconds };
    if dice.happens(0.5) {
        Operation::Jump(seconds)
    } else {
        Operation::Skew(one_of(dice, homes), seconds)
    }
}

fn mischief(dice: &mut Dice) -> Operation {
    let which = throw(dice);
    match dice.below(4) {
        0 => Operation::Deliver(which),
        1 => Operation::Replay(which),
        2 => Operation::Conflict(which),
        _ => Operation::Forge(which),
    }
}

fn membership(dice: &mut Dice, home: u8, bad_weather: f64) -> Operation {
    let weather = weather(dice, bad_weather);
    match dice.below(8) {
        0..3 => Operation::Rotate(home, weather),
        3 => Operation::Withdraw(home, weather),
        4 => Operation::Revoke(home),
        5 => Operation::Reboot(home),
        _ => Operation::Join(home, weather),
    }
}

fn cut(dice: &mut Dice, probability: f64, during: Operation) -> Operation {
    if dice.happens(probability) {
        Operation::Cut(throw(dice), Box::new(during))
    } else {
        during
    }
}

fn weather(dice: &mut Dice, bad: f64) -> Weather {
    let mut gusts = Vec::new();
    while gusts.len() < 6 && dice.happens(bad) {
        gusts.push(dice.one_of(&[
            Gust::LosesRequest,
            Gust::LosesAnswer,
            Gust::LosesAnswer,
            Gust::Repeats,
            Gust::Delays,
        ]));
    }
    Weather(gusts)
}

fn one_of(dice: &mut Dice, homes: u8) -> u8 {
    u8::try_from(dice.below(usize::from(homes))).expect("few homes")
}

fn throw(dice: &mut Dice) -> u32 {
    u32::try_from(dice.below(100_000)).expect("below a hundred thousand")
}

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
        assert_eq!("seed 1\nhomes 17".parse::<Script>(), Err(NotAScript::Homes));
        for line in [
            "rain", "live", "send", "send x", "send 1 *", "cut 1", "tick 1", "together",
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
