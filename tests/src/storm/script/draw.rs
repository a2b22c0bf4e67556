//! A storm is drawn from a seed.
//!
//! Pure: the same seed gives the same storm. It lasts until the first week has passed through all of its
//! states and the second is closed; then the weather clears, and everything is brought to its end. A storm
//! is about a few things, drawn as its mood, so that what is rare meets what is rare; taken together they
//! are about everything.

use super::super::operation::{Gust, Operation, Weather};
use super::{HOMES_MAX, Script};
use crate::simulation::dice::Dice;
use phonehome_proto::manifest::EnrolmentMode;

/// Hours that a storm lasts before it calms down.
const HOURS: u32 = 24 * 18;

/// Homes enough that a release shows something, and a revision tells something.
const MANY_HOMES: usize = 16;

/// How likely things are in one storm.
struct Mood {
    bad_weather: f64,
    mischief: f64,
    crashes: f64,
    clocks: f64,
    membership: f64,
    full_disk: f64,
    /// What its operator does: tables, approvals, rules.
    operator: f64,
    /// Whether the database is lost and restored.
    is_lost: bool,
}

impl Script {
    /// The storm of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x0073_746f_726d);
        let has_many = dice.below(20) == 0;
        let homes = if has_many {
            dice.between(MANY_HOMES, usize::from(HOMES_MAX))
        } else {
            dice.between(1, 5)
        };
        let homes = u8::try_from(homes).expect("few homes");
        let mood = Mood::draw(&mut dice, has_many);
        let mut operations = Vec::new();
        if dice.happens(0.3) {
            operations.push(mode(&mut dice));
        }
        for home in 0..homes {
            if has_many || !dice.happens(0.1) {
                let weather = weather(&mut dice, 0.3);
                operations.push(if dice.happens(0.3) && !has_many {
                    Operation::Knock(home, weather)
                } else {
                    Operation::Join(home, weather)
                });
            }
        }
        if has_many && dice.happens(0.2) {
            // They come to a full disk first, and again when there is room.
            let joins = std::mem::take(&mut operations);
            rush(joins.iter().cloned(), &mut operations);
            operations.extend(joins);
        }
        let mut hours = 0;
        while hours < HOURS {
            hours += round(&mut dice, homes, &mood, &mut operations);
            if has_many && dice.happens(0.04) {
                let change = dice.one_of(&[Operation::Rotate, Operation::Withdraw]);
                let all = (0..homes).map(|home| change(home, Weather::default()));
                rush(all, &mut operations);
            }
        }
        operations.push(Operation::Free);
        operations.push(Operation::Fold);
        // By the collector's clock alone: what homes would report of these days nobody waits for.
        operations.push(Operation::Jump(14 * 86_400));
        operations.push(Operation::Tick);
        Self {
            seed,
            homes,
            operations,
        }
    }
}

impl Mood {
    fn draw(dice: &mut Dice, has_many: bool) -> Self {
        let mut level = || [0.0, 0.05, 0.2, 0.6][dice.below(4)];
        let mut mood = Self {
            bad_weather: level(),
            mischief: level(),
            crashes: level(),
            clocks: level() / 3.0,
            membership: level() / 2.0,
            full_disk: level() / 4.0,
            operator: level(),
            is_lost: false,
        };
        mood.is_lost = dice.below(6) == 0;
        if has_many {
            // So that now and then nobody leaves whom a number needs.
            mood.membership /= 4.0;
        }
        mood
    }
}

/// Some hours pass, homes report, and something goes wrong; gives the hours.
fn round(dice: &mut Dice, homes: u8, mood: &Mood, out: &mut Vec<Operation>) -> u32 {
    let hours = match dice.below(20) {
        0..6 => 24,
        6..13 => 48,
        13..17 => 72,
        _ => dice.between(1, 60),
    };
    let hours = u32::try_from(hours).expect("few hours");
    out.push(Operation::Live(hours));
    if dice.happens(mood.clocks) {
        out.push(clock(dice, homes));
    }
    if dice.happens(0.7) {
        out.push(cut(dice, mood.crashes * 0.4, Operation::Tick));
    }
    let mut order: Vec<u8> = (0..homes).collect();
    order = dice.shuffled(&order);
    if homes > 1 && dice.happens(0.2) {
        let some = dice.between(2, usize::from(homes));
        out.push(Operation::Together(order.split_off(order.len() - some)));
    }
    for home in order {
        if dice.happens(0.65) {
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
        // Whoever joins, changes a key or leaves meets it before batches have used up what is left.
        while dice.happens(0.6) {
            let home = one_of(dice, homes);
            out.push(membership(dice, home, mood.bad_weather));
        }
    } else if dice.happens(0.5) && out.iter().any(|done| matches!(done, Operation::Full(_))) {
        out.push(Operation::Free);
    }
    operate(dice, homes, mood, out);
    hours
}

/// Everybody does the same while the disk has no room: a table grows by a page only now and then.
fn rush(all: impl Iterator<Item = Operation>, out: &mut Vec<Operation>) {
    out.push(Operation::Full(0));
    out.extend(all);
    out.push(Operation::Free);
}

/// What the operator does.
fn operate(dice: &mut Dice, homes: u8, mood: &Mood, out: &mut Vec<Operation>) {
    if dice.happens(0.03 + mood.operator * 0.3) {
        out.push(Operation::Atlas);
    }
    if dice.happens(0.03 + mood.operator * 0.5) {
        out.push(Operation::Revise);
    }
    if dice.happens(mood.operator * 0.3) {
        // Tables come twice before homes do.
        out.extend([Operation::Atlas, Operation::Tick, Operation::Revise]);
        out.extend([Operation::Atlas, Operation::Tick, Operation::Revise]);
    }
    if dice.happens(mood.operator * 0.15) {
        out.push(mode(dice));
    }
    if dice.happens(0.05 + mood.operator * 0.5) {
        out.push(Operation::Approve(one_of(dice, homes)));
    }
    if dice.happens(0.1) {
        out.push(Operation::Fold);
    }
    if mood.is_lost && dice.happens(0.35) {
        out.push(Operation::Backup);
    }
    if mood.is_lost && dice.happens(0.2) {
        out.push(Operation::Restore);
    }
}

fn mode(dice: &mut Dice) -> Operation {
    Operation::Mode(dice.one_of(&EnrolmentMode::ALL))
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
    match dice.below(10) {
        0..3 => Operation::Rotate(home, weather),
        3 => Operation::Withdraw(home, weather),
        4 => Operation::Revoke(home),
        5 => Operation::Reboot(home),
        6 => Operation::Approve(home),
        7 => Operation::Knock(home, weather),
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
