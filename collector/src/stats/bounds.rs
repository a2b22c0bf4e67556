//! Bounds: how far the truth may lie from a share that was counted in few homes, then rounded.
//!
//! Wilson's score interval (Wilson, 1927) at 95 %, which behaves for few homes, for none and for all.
//! Counts come rounded, so an interval is the union over every pair of counts that rounds to them;
//! because Wilson's limits rise with x and fall with n, its ends lie at corners of that rectangle.

use super::share::BasisPoints;

/// The normal distribution's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;

/// Counts rounded to the nearest multiple of a step, halves up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding(u32);

/// Every count a published one may stand for, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRange {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl Rounding {
    /// Rounds to multiples of `step`.
    ///
    /// # Panics
    /// If `step` is zero.
    #[must_use]
    pub const fn to(step: u32) -> Self {
        assert!(step > 0, "nothing is a multiple of zero");
        Self(step)
    }

    /// The multiple nearest to `count`.
    #[must_use]
    pub const fn round(self, count: u32) -> u32 {
        (count + self.0 / 2) / self.0 * self.0
    }

    /// The multiple at or below `count`.
    #[must_use]
    pub const fn floor(self, count: u32) -> u32 {
        count / self.0 * self.0
    }

    /// Every count that rounds to `rounded`.
    #[must_use]
    pub const fn preimage(self, rounded: u32) -> CountRange {
        let half = self.0 / 2;
        CountRange {
            min: rounded.saturating_sub(half),
            max: rounded + (self.0 - 1 - half),
        }
    }
}

impl CountRange {
    /// A count that is known.
    #[must_use]
    pub const fn exactly(count: u32) -> Self {
        Self {
            min: count,
            max: count,
        }
    }
}

/// Wilson's limits for `x` out of `n`.
///
/// # Panics
/// If `n` is zero or `x` is larger.
#[must_use]
pub fn wilson(x: u32, n: u32) -> (f64, f64) {
    assert!(n > 0 && x <= n, "a share is a part of something");
    let (x, n) = (f64::from(x), f64::from(n));
    wilson_of_share(x / n, n)
}

/// Wilson's limits for a share of `n` homes, which need not be whole: an effective number is none.
///
/// # Panics
/// If `n` is not above zero or the share not between 0 and 1.
#[must_use]
pub fn wilson_of_share(p: f64, n: f64) -> (f64, f64) {
    assert!(
        n > 0.0 && (0.0..=1.0).contains(&p),
        "a share is a part of something"
    );
    let z2 = Z * Z;
    let middle = p + z2 / (2.0 * n);
    let spread = Z * ((p * (1.0 - p) + z2 / (4.0 * n)) / n).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the formula is exact but for the last bits.
    let low = if p == 0.0 {
        0.0
    } else {
        (middle - spread) / scale
    };
    let high = if p == 1.0 {
        1.0
    } else {
        (middle + spread) / scale
    };
    (low, high)
}

/// From Wilson's lower limit of `x_low / n` to the upper limit of `x_high / n`, over every count in
/// the ranges; pairs with more than n are impossible and left out.
///
/// # Panics
/// If no pair is possible.
#[must_use]
pub fn interval(
    x_low: CountRange,
    x_high: CountRange,
    n: CountRange,
) -> (BasisPoints, BasisPoints) {
    let (low, _) = wilson(x_low.min, n.max);
    // The least n that holds as many as it may: below it x would shrink with n, and x = n is the top.
    let least = n.min.max(1);
    let (_, high) = wilson(x_high.max.min(least), least);
    (BasisPoints::below(low), BasisPoints::above(high))
}

/// The largest of 3, 5, 10, 20, 50, 100, 200, 500, ... that is not above `count`: what "at least"
/// says of it. 0 below 3.
#[must_use]
pub const fn at_least(count: u32) -> u32 {
    if count < 5 {
        return if count < 3 { 0 } else { 3 };
    }
    let decade = 10_u32.pow(count.ilog10());
    match count / decade {
        1 => decade,
        2..=4 => 2 * decade,
        _ => 5 * decade,
    }
}

#[cfg(test)]
mod tests;
