//! Which parts of a published whole may be told, so that nobody can subtract the others out of it.
//!
//! A reader who knows a whole and some of its parts knows what is left. So what is left must be
//! nothing, or enough homes to pass the gate by itself; while it is neither, the smallest part that
//! is still shown goes too, and joins what is left.

use crate::count::Tally;
use std::collections::{BTreeMap, BTreeSet};

/// The parts that may be shown: those that pass and leave nothing behind that does not. A part with
/// no homes passes when it stands for itself: it adds nothing to the sum.
///
/// # Panics
/// If the parts are not parts of the whole.
pub(super) fn complement<K: Copy + Ord>(
    whole: &Tally,
    parts: &BTreeMap<K, Tally>,
    passes: impl Fn(&Tally) -> bool,
) -> BTreeSet<K> {
    let empty = |tally: &Tally| tally.homes() == 0;
    let mut shown: BTreeSet<K> = parts
        .iter()
        .filter(|(_, part)| passes(part) || empty(part))
        .map(|(&key, _)| key)
        .collect();
    let mut rest = shown
        .iter()
        .fold(whole.clone(), |rest, key| rest.minus(&parts[key]));
    while !empty(&rest) && !passes(&rest) {
        let smallest = shown
            .iter()
            .filter(|key| !empty(&parts[key]))
            .min_by_key(|key| (parts[key].homes(), **key))
            .copied();
        let Some(smallest) = smallest else { break };
        shown.remove(&smallest);
        rest.plus(&parts[&smallest]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::network::Asn;

    fn tally(homes: u32, first_network: u32) -> Tally {
        let mut tally = Tally::default();
        (0..homes).for_each(|home| tally.add(Some(Asn(first_network + home))));
        tally
    }

    fn shown(whole: u32, parts: &[u32]) -> Vec<usize> {
        let mut first = 0;
        let parts = parts.iter().enumerate().map(|(at, &homes)| {
            let part = tally(homes, first);
            first += homes;
            (at, part)
        });
        let parts = parts.collect();
        complement(&tally(whole, 0), &parts, |rest| rest.weight(4) >= 10)
            .into_iter()
            .collect()
    }

    #[test]
    fn nothing_left_hides_nothing() {
        assert_eq!(shown(50, &[20, 30]), [0, 1]);
        assert_eq!(shown(50, &[20, 0, 30]), [0, 1, 2]);
    }

    #[test]
    fn a_small_rest_takes_the_smallest_part_with_it() {
        // The third part is hidden; alone it could be subtracted out.
        assert_eq!(shown(53, &[20, 30, 3]), [1]);
        // Homes in no part at all do the same.
        assert_eq!(shown(53, &[20, 30]), [1]);
        // Two hidden parts that pass together hide each other.
        assert_eq!(shown(62, &[20, 30, 6, 6]), [0, 1]);
        // What goes may need company itself.
        assert_eq!(shown(33, &[30, 3]), Vec::<usize>::new());
    }
}
