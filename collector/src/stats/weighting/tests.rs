use super::*;
use proptest::prelude::*;

fn strata(parts: &[(f64, u32)]) -> Vec<Stratum> {
    let parts = parts.iter();
    parts
        .map(|&(population, homes)| Stratum { population, homes })
        .collect()
}

/// A hundred homes: Samsung, Huawei, Apple, Xiaomi, and all others.
const HUNDRED: &[(f64, u32)] = &[
    (0.211, 30),
    (0.178, 5),
    (0.133, 40),
    (0.107, 15),
    (0.371, 10),
];
const SHARES: &[f64] = &[0.05, 0.2, 0.02, 0.8, 0.3];

#[test]
fn a_hundred_homes() {
    let weighting = Weighting::of(&strata(HUNDRED));
    for (weight, expected) in weighting
        .weights()
        .iter()
        .zip([0.70, 3.56, 0.33, 0.71, 3.71])
    {
        assert!((weight - expected).abs() < 0.005, "{weight} {expected}");
    }
    assert!((weighting.effective_homes() - 43.9).abs() < 0.05);
    assert!((weighting.design_effect() - 2.28).abs() < 0.005);
    assert!((weighting.share(SHARES) - 0.246).abs() < 0.000_5);
    assert!((weighting.variance(SHARES, 0.0).sqrt() - 0.068).abs() < 0.000_5);
    // A point of doubt in each part of the population adds a little.
    assert!((weighting.variance(SHARES, 0.01).sqrt() - 0.0688).abs() < 0.000_05);
    assert_eq!(weighting.moved(), 0.0);
}

#[test]
fn the_heaviest_are_trimmed_and_it_is_said() {
    // Five medians of .70 are 3.52: fifteen homes are just above.
    let weighting = Weighting::of(&strata(HUNDRED)).trimmed(TRIM_MEDIANS);
    let heaviest = weighting.weights()[4] / weighting.weights()[0];
    assert!((heaviest - 5.0).abs() < 1e-12);
    assert!(
        (weighting.moved() - 0.0215).abs() < 0.001,
        "{}",
        weighting.moved()
    );
    assert!((weighting.share(SHARES) - 0.245).abs() < 0.001);
    assert!(weighting.effective_homes() > 43.9);
    // Trimmed once is trimmed: the median rises with all others.
    let again = weighting.clone().trimmed(TRIM_MEDIANS);
    assert!((again.moved() - weighting.moved()).abs() < 1e-12);
    // The median home lies between two weights.
    let split = Weighting::of(&strata(&[(0.1, 10), (0.9, 10)]));
    assert!((split.median() - 1.0).abs() < 1e-12);
}

#[test]
fn unanimous_strata_have_no_variance_and_still_so_many_homes() {
    let weighting = Weighting::of(&strata(HUNDRED));
    let none = [0.0; 5];
    assert_eq!(weighting.variance(&none, 0.01), 0.0);
    assert_eq!(
        weighting.homes_for_interval(&none, 0.01),
        weighting.effective_homes()
    );
    // Where the heavy strata are the divided ones, Kish is too hopeful.
    assert!(weighting.homes_for_interval(SHARES, 0.01) < weighting.effective_homes());
}

fn any_strata() -> impl Strategy<Value = Vec<(f64, u32, u32)>> {
    prop::collection::vec((0.001_f64..1.0, 2_u32..40, 0_u32..40), 1..8)
}

proptest! {
    /// Home by home, as the textbook has it.
    #[test]
    fn agrees_with_a_list_of_homes(parts in any_strata(), trim in any::<bool>()) {
        let strata: Vec<Stratum> = parts
            .iter()
            .map(|&(population, homes, _)| Stratum { population, homes })
            .collect();
        let mut weighting = Weighting::of(&strata);
        let all: f64 = strata.iter().map(|s| f64::from(s.homes)).sum();
        let population: f64 = strata.iter().map(|s| s.population).sum();
        let mut homes: Vec<(f64, f64)> = Vec::new();
        for &(part, count, did) in &parts {
            let weight = part / population * all / f64::from(count);
            homes.extend((0..count).map(|home| (weight, f64::from(u8::from(home < did)))));
        }
        if trim {
            weighting = weighting.trimmed(TRIM_MEDIANS);
            let mut sorted: Vec<f64> = homes.iter().map(|(weight, _)| *weight).collect();
            sorted.sort_by(f64::total_cmp);
            let median = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
            let cut = |weight: f64| weight.min(5.0 * median);
            let moved = homes.iter().map(|(w, _)| w - cut(*w)).sum::<f64>() / all;
            homes.iter_mut().for_each(|(weight, _)| *weight = cut(*weight));
            prop_assert!((weighting.moved() - moved).abs() < 1e-9);
        }
        let sum: f64 = homes.iter().map(|(weight, _)| weight).sum();
        let squares: f64 = homes.iter().map(|(weight, _)| weight * weight).sum();
        let share = homes.iter().map(|(weight, did)| weight * did).sum::<f64>() / sum;
        let shares: Vec<f64> = parts
            .iter()
            .map(|&(_, count, did)| f64::from(did.min(count)) / f64::from(count))
            .collect();
        prop_assert!((weighting.effective_homes() - sum * sum / squares).abs() < 1e-6);
        prop_assert!((weighting.share(&shares) - share).abs() < 1e-9);
        prop_assert!(weighting.effective_homes() <= all + 1e-6);
        prop_assert!(weighting.design_effect() >= 1.0 - 1e-9);
        let heaviest = weighting.weights().iter().copied().fold(0.0, f64::max);
        if trim {
            prop_assert!(heaviest <= 5.0 * weighting.median() + 1e-9);
        }
        // No home carries more than this part of the weight.
        let one = heaviest / weighting.mass();
        prop_assert!(one * one <= 1.0 / weighting.effective_homes() + 1e-9);
    }
}
