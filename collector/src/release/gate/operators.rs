//! Which companies run the networks that a vendor's phones are answered from, by name.
//!
//! A closed table, vendor by operator, whose cells are a name or nothing. What it holds to:
//!
//! - A name shows when the homes whose phones of the vendor contacted an endpoint of its own in a network
//!   that certainly is this operator's pass the gate. They are homes of the vendor's cell by network
//!   country as well, so that cell is shown too.
//! - A name has no number, so nothing can be subtracted from it but the least there can be: k homes. So
//!   that this is nothing either, the cell must tell of 2k certain homes: what is left when k of them
//!   are taken away still speaks of k and more.
//! - Nothing else decides. Whether there are homes in other networks of the country changes no name: a
//!   complement that took one away would show a single home there.

use super::GateRules;
use crate::count::{Counters, Question};
use crate::geo::network::operator::Operator;
use crate::release::{Cell, Column, Matrix, NetworkOperator};
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeSet;

/// The names that show; at most [`OPERATORS_MAX`](crate::release::OPERATORS_MAX) of each vendor, for
/// there are no more operators.
pub(super) fn named(
    counters: &Counters,
    rules: &GateRules,
    network: &Matrix,
) -> BTreeSet<(Vendor, NetworkOperator)> {
    let pairs = counters.questions().filter_map(|(vendor, question)| {
        let Question::Operator(operator) = question else {
            return None;
        };
        let column = Column::Country(operator.country());
        let is_large = network
            .get(&(vendor, column))
            .is_some_and(|cell| is_large(rules, cell));
        let homes = &counters.answers(vendor, question)?.low.world;
        (is_large && rules.passes(homes)).then(|| (vendor, operator.into()))
    });
    pairs.collect()
}

/// Whether k of the certain homes can be taken away and the rest still be k.
fn is_large(rules: &GateRules, cell: &Cell) -> bool {
    let numbers = cell.numbers();
    numbers.is_some_and(|numbers| numbers.x_low >= 2 * rules.k)
}

impl From<Operator> for NetworkOperator {
    fn from(operator: Operator) -> Self {
        Self {
            name: operator.name().to_owned(),
            country: operator.country(),
        }
    }
}

#[cfg(test)]
mod tests;
