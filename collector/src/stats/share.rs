//! A share in basis points: what is left of a fraction once it leaves this module.

use std::fmt;

/// Hundredths of a per cent, 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BasisPoints(pub u16);

impl BasisPoints {
    /// Everything.
    pub const ONE: Self = Self(10_000);

    /// Midway between `a / n` and `b / n`, to the nearest basis point, halves up.
    ///
    /// # Panics
    /// If `n` is zero, or one of the parts is larger.
    #[must_use]
    pub fn midway(a: u32, b: u32, n: u32) -> Self {
        assert!(n > 0 && a <= n && b <= n, "a share is a part of something");
        let (sum, n) = (u64::from(a) + u64::from(b), u64::from(n));
        Self::of((sum * 10_000 + n) / (2 * n))
    }

    /// The share nearest to `fraction`, halves up.
    #[must_use]
    pub fn nearest(fraction: f64) -> Self {
        Self::of_float((fraction * 10_000.0 + 0.5).floor())
    }

    /// The largest share that is not above `fraction`.
    #[must_use]
    pub fn below(fraction: f64) -> Self {
        Self::of_float((fraction * 10_000.0).floor())
    }

    /// The least share that is not below `fraction`.
    #[must_use]
    pub fn above(fraction: f64) -> Self {
        Self::of_float((fraction * 10_000.0).ceil())
    }

    /// The share that is written as this number in a file; `None` for what is no share.
    #[must_use]
    pub fn read(number: f64) -> Option<Self> {
        let points = (number * 10_000.0).round();
        (0.0..=10_000.0)
            .contains(&points)
            .then(|| Self::of_float(points))
    }

    fn of(points: u64) -> Self {
        Self(u16::try_from(points).map_or(10_000, |points| points.min(10_000)))
    }

    fn of_float(points: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped"
        )]
        Self(points.clamp(0.0, 10_000.0) as u16)
    }
}

impl fmt::Display for BasisPoints {
    /// A share between 0 and 1 with four decimals, `0.4512`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_print_and_round() {
        assert_eq!(BasisPoints(4_512).to_string(), "0.4512");
        assert_eq!(BasisPoints::ONE.to_string(), "1.0000");
        assert_eq!(BasisPoints::midway(15, 20, 40), BasisPoints(4_375));
        assert_eq!(BasisPoints::midway(0, 1, 3), BasisPoints(1_667));
        assert_eq!(BasisPoints::midway(5, 5, 5), BasisPoints::ONE);
        assert_eq!(BasisPoints::nearest(0.123_45), BasisPoints(1_235));
        assert_eq!(BasisPoints::nearest(1.1), BasisPoints::ONE);
        assert_eq!(BasisPoints::below(0.123_49), BasisPoints(1_234));
        assert_eq!(BasisPoints::above(0.123_41), BasisPoints(1_235));
        assert_eq!(BasisPoints::above(1.2), BasisPoints::ONE);
        assert_eq!(BasisPoints::below(-0.1), BasisPoints(0));
    }
}
