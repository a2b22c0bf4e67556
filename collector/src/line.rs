//! Those who wait: bounded by bytes, everybody in turn, the newest first.
//!
//! Pure. Takes things with their size and whom they come from, gives them out again, and says which
//! had to go:
//! - at most so many bytes wait. When more come, something goes: of whoever has most waiting, the
//!   oldest. Amounts are compared by [`SHARE_BYTES`], so that homes with much to say are no worse off
//!   than others, and one who sends without end pushes out what is its own;
//! - everybody is served in turn, and who comes anew is served next: under overload whoever has just
//!   come is still there, and whoever has waited long has probably hung up.
//!
//! (<https://encore.dev/blog/queueing> compares the ways to queue.)

pub(crate) mod crowd;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// Whom something comes from, as far as turns go: an IPv4 address, an IPv6 /56, or nobody knows. In
/// memory only, as long as it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Whom(Option<IpAddr>);

/// Names one thing in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    whom: Whom,
    number: u64,
}

/// The line.
#[derive(Debug)]
pub(crate) struct Line<T> {
    bytes_max: usize,
    bytes: usize,
    number: u64,
    waiting: BTreeMap<Whom, Waiting<T>>,
    /// Who is served next stands in front.
    turns: VecDeque<Whom>,
    /// Who has to give something up stands last.
    weights: BTreeSet<Weight>,
}

/// What waits of one.
#[derive(Debug)]
struct Waiting<T> {
    bytes: usize,
    /// By age, with the size of each.
    things: BTreeMap<u64, (usize, T)>,
}

/// Shares that are taken, and since when.
type Weight = (usize, Reverse<u64>, Whom);

/// Bytes that anybody may have waiting before it counts as having more than others: a whole payload.
const SHARE_BYTES: usize = phonehome_proto::limits::PAYLOAD_BYTES_MAX;

impl Whom {
    /// Whoever has this address, and who shares it.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d & 0xff00, 0, 0, 0, 0])
            }
            v4 => v4,
        }))
    }
}

impl<T> Line<T> {
    /// A line in which nobody waits.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            number: 0,
            waiting: BTreeMap::new(),
            turns: VecDeque::new(),
            weights: BTreeSet::new(),
        }
    }

    /// Puts something in; gives its place, and what had to go for it.
    pub(crate) fn enter(&mut self, whom: Whom, bytes: usize, thing: T) -> (Place, Vec<T>) {
        let number = self.number;
        self.number += 1;
        self.reweigh(whom, |waiting| {
            waiting.bytes += bytes;
            waiting.things.insert(number, (bytes, thing));
        });
        self.bytes += bytes;
        (Place { whom, number }, self.make_room())
    }

    /// Something became larger; gives what had to go for it, which may be that thing itself.
    pub(crate) fn grow(&mut self, place: Place, bytes: usize) -> Vec<T> {
        let mut is_there = false;
        if self.waiting.contains_key(&place.whom) {
            self.reweigh(place.whom, |waiting| {
                if let Some((size, _)) = waiting.things.get_mut(&place.number) {
                    *size += bytes;
                    waiting.bytes += bytes;
                    is_there = true;
                }
            });
        }
        self.bytes += if is_there { bytes } else { 0 };
        self.make_room()
    }

    /// Takes out one thing, if it is still there.
    pub(crate) fn leave(&mut self, place: Place) -> Option<T> {
        let Place { whom, number } = place;
        self.waiting.get(&whom)?.things.get(&number)?;
        self.remove(whom, |things| things.remove(&number))
    }

    /// Takes out whoever's turn it is.
    pub(crate) fn next(&mut self) -> Option<(usize, T)> {
        let whom = *self.turns.front()?;
        let mut size = 0;
        let thing = self.remove(whom, |things| {
            let (_, newest) = things.pop_last()?;
            size = newest.0;
            Some(newest)
        })?;
        if self.turns.front() == Some(&whom) {
            self.turns.rotate_left(1);
        }
        Some((size, thing))
    }

    /// Bytes that wait.
    #[cfg(test)]
    const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn make_room(&mut self) -> Vec<T> {
        let mut gone = Vec::new();
        while self.bytes > self.bytes_max
            && let Some(&(_, _, whom)) = self.weights.last()
        {
            let oldest = self.remove(whom, |things| things.pop_first().map(|(_, thing)| thing));
            gone.extend(oldest);
        }
        gone
    }

    /// Takes something out of what one has waiting, and one out of the line with the last of it.
    fn remove(
        &mut self,
        whom: Whom,
        take: impl FnOnce(&mut BTreeMap<u64, (usize, T)>) -> Option<(usize, T)>,
    ) -> Option<T> {
        let mut taken = None;
        self.reweigh(whom, |waiting| {
            taken = take(&mut waiting.things);
            waiting.bytes -= taken.as_ref().map_or(0, |(bytes, _)| *bytes);
        });
        let (bytes, thing) = taken?;
        self.bytes -= bytes;
        Some(thing)
    }

    /// Changes what one has waiting, and keeps turns and weights in step with it.
    fn reweigh(&mut self, whom: Whom, change: impl FnOnce(&mut Waiting<T>)) {
        let waiting = self.waiting.entry(whom).or_insert_with(|| {
            self.turns.push_front(whom);
            Waiting {
                bytes: 0,
                things: BTreeMap::new(),
            }
        });
        if let Some(weight) = waiting.weight(whom) {
            self.weights.remove(&weight);
        }
        change(waiting);
        match waiting.weight(whom) {
            Some(weight) => {
                self.weights.insert(weight);
            }
            None => {
                self.waiting.remove(&whom);
                self.turns.retain(|turn| *turn != whom);
            }
        }
    }
}

impl<T> Waiting<T> {
    /// `None` if nothing waits.
    fn weight(&self, whom: Whom) -> Option<Weight> {
        let (oldest, _) = self.things.first_key_value()?;
        Some((self.bytes / SHARE_BYTES, Reverse(*oldest), whom))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whom(last: u8) -> Whom {
        Whom::of(Some(IpAddr::from([192, 0, 2, last])))
    }

    fn all<T>(line: &mut Line<T>) -> Vec<T> {
        std::iter::from_fn(|| line.next().map(|(_, thing)| thing)).collect()
    }

    #[test]
    fn who_comes_anew_is_next_and_everybody_has_a_turn() {
        let mut line = Line::new(1_000);
        for (from, thing) in [(1, "a"), (1, "b"), (1, "c"), (2, "x"), (3, "y"), (3, "z")] {
            assert_eq!(line.enter(whom(from), 10, thing).1, [] as [&str; 0]);
        }
        assert_eq!(all(&mut line), ["z", "x", "c", "y", "b", "a"]);
        assert!(line.is_empty() && line.bytes() == 0);
    }

    #[test]
    fn of_equals_the_oldest_goes() {
        let mut line = Line::new(30);
        for from in 1..=3 {
            line.enter(whom(from), 10, from);
        }
        assert_eq!(line.enter(whom(4), 10, 4).1, [1]);
        // One that has more than others, but no more than a share, is no worse off.
        assert_eq!(line.enter(whom(4), 10, 5).1, [2]);
        assert_eq!(all(&mut line), [5, 3, 4]);
    }

    #[test]
    fn who_sends_without_end_pushes_out_its_own() {
        let mut line = Line::new(10 * SHARE_BYTES);
        for honest in 1..=5 {
            line.enter(whom(honest), SHARE_BYTES - 1, honest);
        }
        let mut gone = Vec::new();
        for _ in 0..1_000 {
            gone.extend(line.enter(whom(66), SHARE_BYTES / 2, 66).1);
        }
        assert!(gone.iter().all(|from| *from == 66), "{gone:?}");
        let served = all(&mut line);
        assert!(
            served[..6].iter().collect::<BTreeSet<_>>().len() == 6,
            "{served:?}"
        );
    }

    #[test]
    fn neighbours_share_a_turn() {
        let of = |text: &str| Whom::of(text.parse().ok());
        assert_eq!(of("2001:db8:1:2aa::1"), of("2001:db8:1:2ff::9"));
        assert_ne!(of("2001:db8:1:2aa::1"), of("2001:db8:1:3aa::1"));
        assert_eq!(of("::ffff:192.0.2.1"), whom(1));
        assert_ne!(whom(1), whom(2));
    }

    proptest! {
        #[test]
        fn what_enters_comes_out_once_and_the_bound_holds(
            steps in prop::collection::vec((0_u8..4, 0_u8..5, 1_usize..400_000), 0..200),
        ) {
            let bound = 1_000_000;
            let mut line = Line::new(bound);
            let (mut places, mut inside, mut out) = (Vec::new(), BTreeSet::new(), 0);
            for (number, (what, from, bytes)) in steps.into_iter().enumerate() {
                let mut gone = Vec::new();
                match what {
                    0 | 1 => {
                        let (place, shed) = line.enter(whom(from), bytes, number);
                        places.push(place);
                        inside.insert(number);
                        gone.extend(shed);
                    }
                    2 => gone.extend(line.next().map(|(_, thing)| thing)),
                    _ => {
                        let Some(&place) = places.get(usize::from(from)) else { continue };
                        if bytes % 2 == 0 {
                            gone.extend(line.leave(place));
                        } else {
                            gone.extend(line.grow(place, bytes));
                        }
                    }
                }
                for thing in gone {
                    prop_assert!(inside.remove(&thing), "{thing} came out twice");
                    out += 1;
                }
                prop_assert!(line.bytes() <= bound);
                let things = line.waiting.values().flat_map(|waiting| waiting.things.values());
                prop_assert_eq!(line.bytes(), things.map(|(bytes, _)| bytes).sum::<usize>());
                prop_assert_eq!(line.turns.len(), line.waiting.len());
                prop_assert_eq!(line.weights.len(), line.waiting.len());
            }
            let rest = all(&mut line);
            prop_assert_eq!(rest.len(), inside.len());
            prop_assert_eq!(out + rest.len(), places.len());
        }
    }
}
