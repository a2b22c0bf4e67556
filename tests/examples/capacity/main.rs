//! What many collectors and shards do under all homes of a day: a simulation that takes measured figures as
//! input. `capacity [NAME=NUMBER]...`; without arguments, the figures that `docs/scale.md` quotes.
//!
//! Homes, collectors and shards of the database are queues over one clock of hundredths of a second. Homes
//! upload at a moment drawn evenly from the hours after midnight, and wait as agents wait when a
//! collector sends them away or does not answer. A collector serves the newest first, on so many processors, from a
//! line that is bounded, and sends away whoever it has no room or time for. A shard commits in groups:
//! one wait for the disk, and a little for each batch. Homes are counted, not told apart, so that a hundred
//! million of them are no slower than one; what each draws is drawn for all that draw at once.
//!
//! It knows nothing of the network between them, of TLS but by its price, or of processors that do something else.

#![allow(clippy::print_stdout, reason = "a simulation prints what it has found")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of at most a hundred million, and shares of them"
)]

mod dice;

use dice::Dice;
use std::collections::{BTreeMap, VecDeque};

/// Parts of a second.
const TICKS: u64 = 100;

const DAY_SECONDS: usize = 86_400;

/// Requests that a home sends in one upload before it waits for longer (`agent/src/uplink/patience.rs`).
const TRIES_MAX: usize = 5;

/// Doublings of the pause between two uploads, from 5 minutes to 6 hours.
const FAILURES_MAX: usize = 7;

/// What is put in. Times in microseconds.
#[derive(Clone, Copy)]
struct Figures {
    homes: f64,
    spread_hours: f64,
    collectors: f64,
    /// Of each collector, for homes alone.
    processors: f64,
    /// Of a collector's processors, for one batch and for one TLS handshake.
    batch_us: f64,
    handshake_us: f64,
    /// Batches that may wait in one collector.
    line: f64,
    shards: f64,
    /// Until a shard's disk, and its standby's, has a group; and for each batch in it.
    commit_us: f64,
    row_us: f64,
    /// The hours in which nobody can be reached.
    outage_from: f64,
    outage_hours: f64,
    /// The hour from which on this many collectors are left.
    left_from: f64,
    left: f64,
}

/// Homes that come at a second, by tries in this upload and uploads that failed.
type Due = BTreeMap<(usize, usize), u64>;

/// A collector: who waits in it, the newest last, as (tick, tries and failures, homes).
#[derive(Default)]
struct Collector {
    line: VecDeque<(u64, (usize, usize), u64)>,
    waiting: u64,
    /// Processor time in hand, in microseconds.
    time: f64,
    /// Homes sent away since the line was empty.
    away: u64,
}

/// A shard: who waits, who is being committed, and when that ends; as (tick of arrival, batches).
#[derive(Default)]
struct Shard {
    waiting: VecDeque<(u64, u64)>,
    waiting_count: u64,
    group: Vec<(u64, u64)>,
    ends: f64,
}

/// What was found.
#[derive(Default)]
struct Found {
    offered_max: u64,
    line_max: u64,
    shard_max: u64,
    away: u64,
    unanswered: u64,
    acknowledged: u64,
    /// By hundredths of a second.
    waits: Vec<u64>,
    last: usize,
}

/// Most in a group (`collector/src/journal.rs`), and homes' patience in a line, in seconds.
const GROUP_MAX: u64 = 1_024;
const PATIENCE_SECONDS: u64 = 20;

/// Batches on their way to all shards from one collector, at most: beyond, it waits.
const ON_THE_WAY_MAX: u64 = 7_000;

fn simulate(figures: &Figures, dice: &mut Dice) -> Found {
    let days = 3;
    let mut due: Vec<Due> = vec![Due::new(); days * DAY_SECONDS];
    let spread = figures.spread_hours * 3_600.0;
    for minute in 0..(spread / 60.0) as u64 {
        let share = (minute + 1) * figures.homes as u64 / (spread / 60.0) as u64
            - minute * figures.homes as u64 / (spread / 60.0) as u64;
        let from = minute as f64 * 60.0;
        dice.scatter(&mut due, (0, 0), share, from, from + 60.0);
    }
    let mut collectors: Vec<Collector> = Vec::new();
    collectors.resize_with(figures.collectors as usize, Collector::default);
    let mut shards: Vec<Shard> = Vec::new();
    shards.resize_with(figures.shards as usize, Shard::default);
    let mut found = Found {
        waits: vec![0; 100 * 120],
        ..Found::default()
    };
    let homes = figures.homes as u64;
    for second in 0..due.len() {
        let hour = second as f64 / 3_600.0;
        let is_out =
            (figures.outage_from..figures.outage_from + figures.outage_hours).contains(&hour);
        let open = if hour >= figures.left_from {
            figures.left
        } else {
            figures.collectors
        } as usize;
        // Who waits in one that dies gets no answer, and asks another.
        for collector in &mut collectors[open..] {
            for (_, (tries, failures), count) in std::mem::take(&mut collector.line) {
                found.unanswered += count;
                send_away(&mut due, dice, second, 0, (tries, failures), count);
            }
            collector.waiting = 0;
        }
        let coming = std::mem::take(&mut due[second]);
        if is_out {
            for ((_, failures), count) in coming {
                found.unanswered += count;
                later(&mut due, dice, second, failures, count);
            }
            continue;
        }
        found.offered_max = found.offered_max.max(coming.values().sum());
        if coming.is_empty() && collectors.iter().all(|collector| collector.waiting == 0) {
            if found.acknowledged >= homes {
                break;
            }
            if shards
                .iter()
                .all(|shard| shard.waiting_count == 0 && shard.group.is_empty())
            {
                continue;
            }
        }
        let (mut left, mut away) = (coming, Vec::new());
        for tick in 0..TICKS {
            let now = second as u64 * TICKS + tick;
            arrive(
                &mut collectors[..open],
                &mut left,
                dice,
                now,
                TICKS - tick,
                &mut found,
            );
            for collector in &mut collectors[..open] {
                serve(
                    collector,
                    figures,
                    &mut shards,
                    dice,
                    now,
                    &mut away,
                    &mut found,
                );
            }
            for shard in &mut shards {
                commit(shard, figures, now, &mut found, second);
            }
        }
        // All of a second at once: what each is asked for differs by less than it draws.
        let mut sent: BTreeMap<(usize, usize), (u64, u64)> = BTreeMap::new();
        for (before, kind, count) in away {
            let all = sent.entry(kind).or_default();
            *all = (all.0.max(before), all.1 + count);
        }
        for (kind, (before, count)) in sent {
            found.away += count;
            send_away(&mut due, dice, second, before, kind, count);
        }
    }
    found
}

/// Homes of this second come at one of its ticks, to one of the collectors.
fn arrive(
    collectors: &mut [Collector],
    left: &mut Due,
    dice: &mut Dice,
    now: u64,
    ticks_left: u64,
    found: &mut Found,
) {
    for (kind, count) in left.iter_mut() {
        let mut here = if ticks_left == 1 {
            *count
        } else {
            dice.of(*count, 1.0 / ticks_left as f64)
        };
        *count -= here;
        let places = collectors.len();
        for (at, collector) in collectors.iter_mut().enumerate() {
            let share = if at + 1 == places {
                here
            } else {
                dice.of(here, 1.0 / (places - at) as f64)
            };
            here -= share;
            if share > 0 {
                collector.line.push_back((now, *kind, share));
                collector.waiting += share;
                found.line_max = found.line_max.max(collector.waiting);
            }
        }
    }
}

/// One tick of a collector: sends away whom it has no room or time for, serves the newest.
fn serve(
    collector: &mut Collector,
    figures: &Figures,
    shards: &mut [Shard],
    dice: &mut Dice,
    now: u64,
    away: &mut Vec<(u64, (usize, usize), u64)>,
    found: &mut Found,
) {
    let cost = figures.batch_us + figures.handshake_us;
    let tick_us = 1_000_000.0 / TICKS as f64;
    collector.time =
        (collector.time + figures.processors * tick_us).min(2.0 * figures.processors * tick_us);
    let on_the_way: u64 = shards.iter().map(|shard| shard.waiting_count).sum();
    let mut room = (ON_THE_WAY_MAX * figures.collectors as u64).saturating_sub(on_the_way);
    while let Some((at, kind, count)) = collector.line.pop_back() {
        let served = count.min((collector.time / cost) as u64).min(room);
        collector.time -= served as f64 * cost;
        collector.waiting -= served;
        room -= served;
        let mut left = served;
        let places = shards.len();
        for (number, shard) in shards.iter_mut().enumerate() {
            let share = if number + 1 == places {
                left
            } else {
                dice.of(left, 1.0 / (places - number) as f64)
            };
            left -= share;
            if share > 0 {
                shard.waiting.push_back((at, share));
                shard.waiting_count += share;
                found.shard_max = found.shard_max.max(shard.waiting_count);
            }
        }
        if served < count {
            collector.line.push_back((at, kind, count - served));
            break;
        }
    }
    if collector.waiting == 0 {
        collector.away = 0;
    }
    while let Some((at, kind, count)) = collector.line.pop_front() {
        let over = collector
            .waiting
            .saturating_sub(figures.line as u64)
            .min(count);
        let gone = if now - at >= PATIENCE_SECONDS * TICKS {
            count
        } else {
            over
        };
        collector.waiting -= gone;
        collector.away += gone;
        if gone > 0 {
            away.push((collector.away, kind, gone));
        }
        if gone < count {
            collector.line.push_front((at, kind, count - gone));
            break;
        }
    }
}

/// One tick of a shard: a group ends, the next begins.
fn commit(shard: &mut Shard, figures: &Figures, now: u64, found: &mut Found, second: usize) {
    let tick_us = 1_000_000.0 / TICKS as f64;
    let (begins, ends) = (now as f64 * tick_us, (now + 1) as f64 * tick_us);
    let mut clock = shard.ends.max(begins);
    while clock < ends {
        for (at, count) in std::mem::take(&mut shard.group) {
            let hundredths = (clock / tick_us - at as f64).max(0.0).ceil() as usize;
            let longest = found.waits.len() - 1;
            found.waits[hundredths.min(longest)] += count;
            found.acknowledged += count;
            found.last = second;
        }
        let mut size = 0;
        while let Some((at, count)) = shard.waiting.pop_front() {
            let taken = count.min(GROUP_MAX - size);
            size += taken;
            shard.group.push((at, taken));
            if taken < count {
                shard.waiting.push_front((at, count - taken));
                break;
            }
        }
        if size == 0 {
            shard.group.clear();
            return;
        }
        shard.waiting_count -= size;
        clock += figures.commit_us + size as f64 * figures.row_us;
        shard.ends = clock;
    }
}

/// As a collector asks: ten seconds, and more the more it has sent away; after so many tries the home waits
/// as if nobody had answered.
fn send_away(
    due: &mut [Due],
    dice: &mut Dice,
    second: usize,
    away: u64,
    (tries, failures): (usize, usize),
    count: u64,
) {
    if tries + 1 >= TRIES_MAX {
        later(due, dice, second, failures, count);
        return;
    }
    // As many are asked to come back in a second as `collector/src/intake/deferral.rs` says.
    let asked = (10.0 + away as f64 / 50.0).min(900.0);
    let from = second as f64 + 10.0;
    // No pause within an upload is longer than two minutes.
    let to = second as f64 + (1.5 * asked).min(120.0) + 1.0;
    dice.scatter(due, (tries + 1, failures), count, from, to);
}

/// A minute, and a share of 5, 10, 20 minutes and so on, of 6 hours at most.
fn later(due: &mut [Due], dice: &mut Dice, second: usize, failures: usize, count: u64) {
    let from = second as f64 + 60.0;
    let range = (300.0 * f64::from(1 << failures.min(FAILURES_MAX))).min(6.0 * 3_600.0);
    let kind = (0, (failures + 1).min(FAILURES_MAX));
    dice.scatter(due, kind, count, from, from + range);
}

fn hundredth(found: &Found, share: f64) -> f64 {
    let wanted = found.acknowledged as f64 * share;
    let mut sum = 0;
    for (hundredths, count) in found.waits.iter().enumerate() {
        sum += count;
        if sum as f64 >= wanted {
            return hundredths as f64 * 10.0;
        }
    }
    f64::INFINITY
}

fn print(name: &str, figures: &Figures, seed: u64) {
    let found = simulate(figures, &mut Dice(seed));
    println!(
        "| {name} | {:.0} | {:.0}, {:.0} | {} | {} | {} | {} | {:.0}, {:.0} ms | {} | {:.1} h |",
        figures.homes / 1e6,
        figures.collectors,
        figures.shards,
        found.offered_max,
        found.line_max,
        found.shard_max,
        found.away,
        hundredth(&found, 0.5),
        hundredth(&found, 0.99),
        figures.homes as u64 - found.acknowledged.min(figures.homes as u64),
        found.last as f64 / 3_600.0,
    );
}

fn main() {
    let mut base = Figures {
        homes: 1e6,
        spread_hours: 6.0,
        collectors: 1.0,
        processors: 2.0,
        batch_us: 341.0,
        handshake_us: 1_000.0,
        line: 8_600.0,
        shards: 1.0,
        commit_us: 5_000.0,
        row_us: 150.0,
        outage_from: 0.0,
        outage_hours: 0.0,
        left_from: 1e9,
        left: 0.0,
    };
    for argument in std::env::args().skip(1) {
        let (name, number) = argument.split_once('=').unwrap_or((&argument, ""));
        let field = match name {
            "batch_us" => &mut base.batch_us,
            "handshake_us" => &mut base.handshake_us,
            "commit_us" => &mut base.commit_us,
            "row_us" => &mut base.row_us,
            "processors" => &mut base.processors,
            "spread_hours" => &mut base.spread_hours,
            "line" => &mut base.line,
            _ => {
                println!(
                    "capacity [batch_us=N] [handshake_us=N] [commit_us=N] [row_us=N] [processors=N] [spread_hours=N] [line=N]"
                );
                return;
            }
        };
        let Ok(number) = number.parse() else {
            println!("{name} is a number");
            return;
        };
        *field = number;
    }
    println!(
        "| case | million homes | collectors, shards | most in a second | longest line | longest at a shard | sent away | acknowledged: middle, 99 of 100 | without receipt after 3 days | the last at |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (homes, collectors, shards) in [(1e6, 1.0, 1.0), (1e7, 2.0, 1.0), (1e8, 8.0, 4.0)] {
        let size = Figures {
            homes,
            collectors,
            shards,
            ..base
        };
        print("a quiet night", &size, 1);
        print(
            "all in one hour",
            &Figures {
                spread_hours: 1.0,
                ..size
            },
            2,
        );
        print(
            "away from 0 to 6",
            &Figures {
                outage_hours: 6.0,
                ..size
            },
            3,
        );
        print(
            "away from 0 to 24",
            &Figures {
                outage_hours: 24.0,
                ..size
            },
            4,
        );
        if collectors > 1.0 {
            let left = (collectors / 2.0_f64).floor();
            print(
                "half of them die at 3",
                &Figures {
                    left_from: 3.0,
                    left,
                    ..size
                },
                5,
            );
        }
    }
}
