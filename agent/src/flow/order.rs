//! Places in the order of their last use, in several queues: a doubly linked list over indexes.
//!
//! Every operation takes constant time, so that a packet costs the same in a full table as in an
//! empty one.

/// `QUEUES` queues over the same places; each place stands in at most one.
pub(super) struct Order<const QUEUES: usize> {
    links: Vec<Link>,
    ends: [Link; QUEUES],
    has_new_front: bool,
}

/// A place's neighbours; of a queue, its last and its first place.
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

impl<const QUEUES: usize> Order<QUEUES> {
    pub(super) const fn new() -> Self {
        Self {
            links: Vec::new(),
            ends: [Link::NONE; QUEUES],
            has_new_front: false,
        }
    }

    /// Whether another place, or none, came to the front of a queue since that was last heeded.
    #[inline]
    pub(super) const fn has_new_front(&self) -> bool {
        self.has_new_front
    }

    /// The fronts are looked at.
    pub(super) const fn heed_fronts(&mut self) {
        self.has_new_front = false;
    }

    /// The place in a queue that was pushed first.
    pub(super) fn front(&self, queue: usize) -> Option<u32> {
        Some(self.ends[queue].after).filter(|&place| place != NOWHERE)
    }

    /// The place in a queue that was pushed last.
    pub(super) fn back(&self, queue: usize) -> Option<u32> {
        Some(self.ends[queue].before).filter(|&place| place != NOWHERE)
    }

    /// Puts a place that stands in no queue at the end of one.
    pub(super) fn push(&mut self, queue: usize, place: u32) {
        if self.links.len() <= place as usize {
            self.links.resize(place as usize + 1, Link::NONE);
        }
        let last = self.ends[queue].before;
        self.links[place as usize] = Link {
            before: last,
            after: NOWHERE,
        };
        self.link_after(queue, last, place);
        self.ends[queue].before = place;
    }

    /// Takes a place out of the queue it stands in.
    pub(super) fn remove(&mut self, queue: usize, place: u32) {
        let Link { before, after } = self.links[place as usize];
        self.link_after(queue, before, after);
        if after == NOWHERE {
            self.ends[queue].before = before;
        } else {
            self.links[after as usize].before = before;
        }
    }

    /// Makes `place` follow `before`, which may be a queue's beginning.
    fn link_after(&mut self, queue: usize, before: u32, place: u32) {
        if before == NOWHERE {
            self.ends[queue].after = place;
            self.has_new_front = true;
        } else {
            self.links[before as usize].after = place;
        }
    }
}

impl Link {
    const NONE: Self = Self {
        before: NOWHERE,
        after: NOWHERE,
    };
}

const NOWHERE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// The naive model: one `VecDeque` per queue.
        #[test]
        fn keeps_the_order_of_pushes(steps in prop::collection::vec((0_usize..2, 0_u32..8), 0..200)) {
            let mut order = Order::<2>::new();
            let mut model = [VecDeque::new(), VecDeque::new()];
            let mut fronts_before = [None; 2];
            for (queue, place) in steps {
                for (other, places) in model.iter_mut().enumerate() {
                    if let Some(at) = places.iter().position(|&p| p == place) {
                        places.remove(at);
                        order.remove(other, place);
                    }
                }
                model[queue].push_back(place);
                order.push(queue, place);
                let fronts = model.each_ref().map(|places| places.front().copied());
                prop_assert!(order.has_new_front() || fronts == fronts_before);
                fronts_before = fronts;
                order.heed_fronts();
                for (queue, places) in model.iter().enumerate() {
                    prop_assert_eq!(order.front(queue), places.front().copied());
                    prop_assert_eq!(order.back(queue), places.back().copied());
                }
            }
            for (queue, places) in model.iter_mut().enumerate() {
                while let Some(place) = places.pop_front() {
                    prop_assert_eq!(order.front(queue), Some(place));
                    order.remove(queue, place);
                }
                prop_assert_eq!(order.front(queue), None);
            }
        }
    }
}
