use super::*;
use proptest::prelude::*;

/// Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
/// (1998), table I, method 3; and the project's own published examples.
#[test]
fn wilson_agrees_with_published_values() {
    for (x, n, low, high) in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (60, 100, 0.5020, 0.6906),
    ] {
        let (got_low, got_high) = wilson(x, n);
        assert!((got_low - low).abs() < 5e-5, "{x}/{n}: {got_low}");
        assert!((got_high - high).abs() < 5e-5, "{x}/{n}: {got_high}");
    }
    assert_eq!(wilson(7, 7).1, 1.0);
}

#[test]
fn counts_round_to_the_nearest_five() {
    let five = Rounding::to(5);
    let rounded: Vec<_> = (10..=18).map(|count| five.round(count)).collect();
    assert_eq!(rounded, [10, 10, 10, 15, 15, 15, 15, 15, 20]);
    assert_eq!(five.floor(14), 10);
    assert_eq!(five.preimage(15), CountRange { min: 13, max: 17 });
    assert_eq!(five.preimage(0), CountRange { min: 0, max: 2 });
}

#[test]
fn networks_are_told_in_steps() {
    let steps: Vec<_> = [
        0, 2, 3, 4, 5, 9, 10, 19, 20, 49, 50, 99, 100, 199, 200, 499, 500, 1_999, 2_000,
    ]
    .map(at_least)
    .into();
    let expected = [
        0, 0, 3, 3, 5, 5, 10, 10, 20, 20, 50, 50, 100, 100, 200, 200, 500, 1_000, 2_000,
    ];
    assert_eq!(steps, expected);
    assert_eq!(at_least(u32::MAX), 2_000_000_000);
}

proptest! {
    #[test]
    fn preimage_is_the_inverse(count in 0_u32..100_000, step in 1_u32..12) {
        let rounding = Rounding::to(step);
        let range = rounding.preimage(rounding.round(count));
        prop_assert!(range.min <= count && count <= range.max);
        for other in range.min..=range.max {
            prop_assert_eq!(rounding.round(other), rounding.round(count));
        }
    }

    /// Brute force: the interval covers Wilson's for every pair of counts that rounds so, and no
    /// interval that is a whole basis point tighter does.
    #[test]
    fn intervals_cover_all_that_rounds_so(n in 10_u32..200, low in 0_u32..=200, high in 0_u32..=200) {
        let (low, high) = (low.min(high).min(n), high.min(n));
        let five = Rounding::to(5);
        let ranges = [low, high, n].map(|count| five.preimage(five.round(count)));
        let (got_low, got_high) = interval(ranges[0], ranges[1], ranges[2]);
        let pairs = |x: CountRange| {
            (ranges[2].min..=ranges[2].max)
                .flat_map(move |n| (x.min..=x.max.min(n)).map(move |x| wilson(x, n)))
        };
        let least = pairs(ranges[0]).map(|(low, _)| low).fold(1.0, f64::min);
        let most = pairs(ranges[1]).map(|(_, high)| high).fold(0.0, f64::max);
        prop_assert_eq!(got_low, BasisPoints::below(least));
        prop_assert_eq!(got_high, BasisPoints::above(most));
    }
}
