//! The natural logarithm out of operations that IEEE 754 fixes to the last bit.
//!
//! Every system's mathematics library rounds `ln` in its own way, and a release must be the same bytes
//! on all of them. This one is slower, a few units in the last place off, and the same everywhere.

/// Bits of a double's fraction.
const FRACTION_BITS: u32 = 52;
/// The exponent field of 1.0.
const BIAS: u64 = 1023;
/// Terms of the series: the next one is below 2^-60 of the first.
const TERMS: u32 = 12;

/// ln x, to about 1e-15 of its value.
///
/// x = m · 2^e with m between the roots of 1/2 and 2, and ln m = 2 (s + s³/3 + s⁵/5 + ...) with
/// s = (m - 1) / (m + 1), which is below 0.172 (Abramowitz and Stegun, 4.1.27).
///
/// # Panics
/// If `x` is not a positive, finite, normal number.
#[must_use]
pub fn ln(x: f64) -> f64 {
    assert!(x.is_normal() && x > 0.0, "only positive numbers have one");
    let bits = x.to_bits();
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    let mut mantissa = f64::from_bits(fraction | (BIAS << FRACTION_BITS));
    let mut exponent = f64::from(u16::try_from(bits >> FRACTION_BITS).expect("eleven bits"))
        - f64::from(u16::try_from(BIAS).expect("ten bits"));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..TERMS)
        .rev()
        .map(|term| 1.0 / f64::from(2 * term + 1))
        .fold(0.0, |sum, part| sum * square + part);
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(2.0), std::f64::consts::LN_2);
        assert!((ln(10.0) - std::f64::consts::LN_10).abs() < 1e-15);
        // Bits, not closeness: they are part of what a release is made of.
        assert_eq!(ln(0.030_29).to_bits(), 0xc00b_f9ba_72de_b05c);
    }

    proptest! {
        #[test]
        fn agrees_with_the_machine_at_hand(x in 1e-300_f64..1e300, y in 0.5_f64..2.0) {
            for x in [x, y] {
                let (ours, theirs) = (ln(x), x.ln());
                prop_assert!((ours - theirs).abs() <= 4e-16 + 1e-15 * theirs.abs(), "{}", x);
            }
        }
    }
}
