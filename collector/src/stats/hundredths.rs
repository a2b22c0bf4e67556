//! A small number with two decimals: what is left of a float that is no share once it leaves here.

use std::fmt;

/// Hundredths, of either sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hundredths(pub i32);

impl Hundredths {
    /// The largest that is not above `value`; at the ends of the range, the end.
    #[must_use]
    pub fn below(value: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        Self((value * 100.0).floor() as i32)
    }
}

impl fmt::Display for Hundredths {
    /// With two decimals, `-0.07`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", size / 100, size % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_print_and_round_down() {
        assert_eq!(Hundredths::below(3.999).to_string(), "3.99");
        assert_eq!(Hundredths::below(-0.061).to_string(), "-0.07");
        assert_eq!(Hundredths::below(-2.5).to_string(), "-2.50");
        assert_eq!(Hundredths::below(1e300), Hundredths(i32::MAX));
    }
}
