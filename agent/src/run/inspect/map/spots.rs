//! Room for marks: no two may lie on one another.
//!
//! Takes where marks belong, in their order, gives where they are drawn: there, or at the nearest spot
//! that is free and on the picture. Pure arithmetic on whole numbers.

/// A lattice of spots on a picture.
pub(super) struct Spots {
    /// How wide and high the picture is.
    pub(super) size: (i32, i32),
    /// From one spot that is tried to the next.
    pub(super) step: i32,
    /// How many steps a mark may move, at most.
    pub(super) reach: i32,
    /// Two marks lie on one another when nearer than this, both across and down.
    pub(super) apart: i32,
    /// How often as long a way down is as one across.
    pub(super) aspect: i32,
}

// === impl Spots ===

impl Spots {
    /// Where each mark is drawn; `None` for one for which there is no room.
    pub(super) fn place(&self, wanted: &[(i32, i32)]) -> Vec<Option<(i32, i32)>> {
        let reach = -self.reach..=self.reach;
        let mut ways: Vec<_> = reach
            .clone()
            .flat_map(|dx| reach.clone().map(move |dy| (dx, dy)))
            .collect();
        ways.sort_by_key(|(dx, dy)| dx * dx + self.aspect * self.aspect * dy * dy);
        let mut taken: Vec<(i32, i32)> = Vec::new();
        let place = |&(x, y): &(i32, i32)| {
            let mut spots = ways
                .iter()
                .map(|(dx, dy)| (x + dx * self.step, y + dy * self.step));
            let free = spots.find(|spot| self.holds(*spot) && self.is_free(*spot, &taken))?;
            taken.push(free);
            Some(free)
        };
        wanted.iter().map(place).collect()
    }

    fn holds(&self, (x, y): (i32, i32)) -> bool {
        (0..self.size.0).contains(&x) && (0..self.size.1).contains(&y)
    }

    fn is_free(&self, (x, y): (i32, i32), taken: &[(i32, i32)]) -> bool {
        let is_near =
            |(a, b): &(i32, i32)| (a - x).abs() < self.apart && (b - y).abs() < self.apart;
        !taken.iter().any(is_near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_move_aside_and_stay_on_the_picture() {
        let spots = Spots {
            size: (3, 2),
            step: 1,
            reach: 3,
            apart: 1,
            aspect: 2,
        };
        let placed = spots.place(&[(0, 0); 7]);
        let (last, rest) = placed.split_last().expect("seven");
        assert_eq!(*last, None, "six spots hold six marks");
        let mut seen: Vec<_> = rest.iter().flatten().collect();
        let near = [(0, 0), (1, 0), (0, 1)].map(Some);
        assert_eq!(rest[..3], near, "one down is as far as two across");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
    }
}
