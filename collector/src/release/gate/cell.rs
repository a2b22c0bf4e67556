//! One cell: what a reader may know about homes that were asked and homes that did it.

use super::GateRules;
use crate::count::Tally;
use crate::map::classes;
use crate::release::{BasisPoints, Cell, Numbers, PlaceStatus};
use crate::stats::bounds::{self, CountRange};

/// One whole or part as the gate sees it.
pub(super) struct Answered<'a> {
    /// The homes asked.
    pub(super) asked: &'a Tally,
    /// Those that certainly did it.
    pub(super) low: &'a Tally,
    /// Those that possibly did it.
    pub(super) high: &'a Tally,
    /// How the places behind it are known.
    pub(super) status: PlaceStatus,
}

/// What may be said of them.
pub(super) fn cell(rules: &GateRules, answered: &Answered<'_>) -> Cell {
    let Answered {
        asked,
        high,
        status,
        ..
    } = *answered;
    if asked.homes() == 0 {
        return Cell::NoData;
    }
    if !rules.passes(asked) {
        return Cell::Suppressed;
    }
    if high.homes() == 0 {
        return Cell::Zero(zero(rules, asked, status));
    }
    if !rules.passes(high) {
        return Cell::Suppressed;
    }
    let numbers = numbers(rules, answered);
    let is_doubtful = matches!(status, PlaceStatus::Single | PlaceStatus::Disputed);
    if is_doubtful || classes::spans_classes(numbers.share_low, numbers.share_high) {
        Cell::Imprecise(numbers)
    } else {
        Cell::Value(numbers)
    }
}

/// None of the homes asked did it: that count is exact, and one home that lies undoes it.
fn zero(rules: &GateRules, asked: &Tally, status: PlaceStatus) -> Numbers {
    let n = rules.rounding().round(asked.homes());
    let none = CountRange::exactly(0);
    let (share_low, share_high) = bounds::interval(none, none, rules.rounding().preimage(n));
    Numbers {
        share: BasisPoints(0),
        share_low,
        share_high,
        x_low: 0,
        x_high: 0,
        n,
        networks: bounds::at_least(asked.networks()),
        radius: 1,
        place_status: status,
    }
}

fn numbers(rules: &GateRules, answered: &Answered<'_>) -> Numbers {
    let rounding = rules.rounding();
    let n = rounding.round(answered.asked.homes());
    let x_high = rounding.round(answered.high.homes());
    // Too few certain homes to be told: "at least none" is weaker, and true.
    let (x_low, low_range) = if rules.passes(answered.low) {
        let x_low = rounding.round(answered.low.homes());
        (x_low, rounding.preimage(x_low))
    } else {
        (0, CountRange::exactly(0))
    };
    let (share_low, share_high) =
        bounds::interval(low_range, rounding.preimage(x_high), rounding.preimage(n));
    let weight = rounding.floor(answered.high.weight(rules.network_homes_max));
    Numbers {
        share: BasisPoints::midway(x_low, x_high, n),
        share_low,
        share_high,
        x_low,
        x_high,
        n,
        networks: bounds::at_least(answered.high.networks()),
        radius: (weight + 1).saturating_sub(rules.k).max(1),
        place_status: answered.status,
    }
}
