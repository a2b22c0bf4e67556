//! Scales: what leaves a home is a step, never a measurement.
//!
//! Volumes go by [`Magnitude`], the 1-2-5 scale; round-trip times by [`RttStep`], rounded *up*, so
//! that a step refutes no more than the measurement did.

/// A step of the 1-2-5 scale: 0 is nothing, 1 is `[1, 2)`, 2 is `[2, 5)`, 3 is `[5, 10)`, 4 is
/// `[10, 20)` and so on; the last step has no upper end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Magnitude(u8);

/// A round-trip time's step, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RttStep(u8);

/// The steps, in milliseconds. A longer time says nothing worth the telling and is left out.
pub const RTT_STEPS_MS: [u16; 24] = [
    5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100, 120, 150, 200,
    300,
];

impl Magnitude {
    /// Step 37, `[10^12, ..)`: more than a home moves in a day.
    pub const LAST: Self = Self(37);

    /// The step `amount` lies in.
    #[must_use]
    pub fn of(amount: u64) -> Self {
        let mut step = 0;
        while step < Self::LAST.0 && Self(step + 1).floor() <= amount {
            step += 1;
        }
        Self(step)
    }

    /// The step with this number, as on the wire.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .map(Self)
            .filter(|step| *step <= Self::LAST)
    }

    /// The number of the step, as on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// The least amount in the step.
    #[must_use]
    pub const fn floor(self) -> u64 {
        if self.0 == 0 {
            return 0;
        }
        let leading = [1, 2, 5][(self.0 as usize - 1) % 3];
        leading * 10_u64.pow((self.0 as u32 - 1) / 3)
    }

    /// The least amount above the step; `None` for the last.
    #[must_use]
    pub fn ceiling(self) -> Option<u64> {
        (self < Self::LAST).then(|| Self(self.0 + 1).floor())
    }

    /// The step of two amounts together, as near as two steps can tell: that of their floors' sum,
    /// and at least the larger one.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self::of(self.floor().saturating_add(other.floor()))
    }
}

impl RttStep {
    /// The least step that is not below `nanos` nanoseconds; `None` above the last, or for a time
    /// that is not positive.
    #[must_use]
    pub fn covering(nanos: i64) -> Option<Self> {
        if nanos <= 0 {
            return None;
        }
        let at = RTT_STEPS_MS
            .iter()
            .position(|&ms| nanos <= i64::from(ms) * 1_000_000)?;
        Some(Self(u8::try_from(at).expect("the table is short")))
    }

    /// The step of exactly this many milliseconds, as on the wire.
    #[must_use]
    pub fn from_ms(ms: u32) -> Option<Self> {
        let at = RTT_STEPS_MS.binary_search(&ms.try_into().ok()?).ok()?;
        Some(Self(u8::try_from(at).expect("the table is short")))
    }

    /// Its milliseconds.
    #[must_use]
    pub fn ms(self) -> u32 {
        u32::from(RTT_STEPS_MS[usize::from(self.0)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_scale_reads_one_two_five() {
        let floors: Vec<_> = (0..8).map(|n| Magnitude(n).floor()).collect();
        assert_eq!(floors, [0, 1, 2, 5, 10, 20, 50, 100]);
        assert_eq!(Magnitude::LAST.floor(), 1_000_000_000_000);
        assert_eq!(Magnitude::of(u64::MAX), Magnitude::LAST);
    }

    #[test]
    fn round_trips_go_up() {
        let step = |nanos| RttStep::covering(nanos).map(RttStep::ms);
        assert_eq!(step(1), Some(5));
        assert_eq!(step(5_000_000), Some(5));
        assert_eq!(step(5_000_001), Some(10));
        assert_eq!(step(100_000_001), Some(120));
        assert_eq!(step(300_000_000), Some(300));
        assert_eq!(step(300_000_001), None);
        assert_eq!(step(0), None);
    }

    proptest! {
        #[test]
        fn every_amount_lies_in_its_step(amount: u64) {
            let step = Magnitude::of(amount);
            prop_assert!(step.floor() <= amount);
            prop_assert!(step.ceiling().is_none_or(|ceiling| amount < ceiling));
            prop_assert_eq!(Magnitude::from_number(step.number()), Some(step));
        }
    }
}
