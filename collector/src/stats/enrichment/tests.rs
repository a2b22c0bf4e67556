use super::*;
use proptest::prelude::*;

const fn part(these: u32, all: u32) -> Part {
    Part { these, all }
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * b.abs()
}

#[test]
fn few_contacts_prove_little() {
    let many = log_odds(part(12, 400), part(1, 2_000), 10.0).expect("odds");
    assert!((many.delta - 4.06).abs() < 0.005, "{many:?}");
    assert!((many.z - 3.99).abs() < 0.005, "{many:?}");
    // The odds look larger, and are worth less.
    let few = log_odds(part(3, 100), part(0, 2_000), 10.0).expect("odds");
    assert!((few.delta - 8.3).abs() < 0.05, "{few:?}");
    assert!((few.z - 0.99).abs() < 0.005, "{few:?}");
}

#[test]
fn odds_need_something_on_either_side() {
    assert_eq!(log_odds(part(0, 10), part(0, 10), 10.0), None);
    assert_eq!(log_odds(part(10, 10), part(5, 5), 10.0), None);
    let alike = log_odds(part(5, 50), part(50, 500), 10.0).expect("odds");
    assert!(alike.delta.abs() < 1e-12 && alike.z.abs() < 1e-12);
}

#[test]
fn fisher_agrees_with_published_values() {
    for (own, others, expected) in [
        (part(5, 8), part(2, 60), 1.0e-4),
        (part(3, 5), part(0, 40), 7.0e-4),
        (part(2, 3), part(0, 40), 3.3e-3),
        // The lady tasting tea: all four of eight.
        (part(4, 4), part(0, 4), 1.0 / 70.0),
        (part(3, 4), part(1, 4), 17.0 / 70.0),
    ] {
        let p = fisher(own, others);
        assert!(close(p, expected, 0.05), "{own:?} {others:?}: {p}");
    }
    assert_eq!(fisher(part(0, 5), part(3, 5)), 1.0);
    assert_eq!(fisher(part(0, 0), part(0, 0)), 1.0);
    // Too small for a double, and far from the mode: still no panic and no NaN.
    let p = fisher(part(1_000_000, 1_000_000), part(0, 1_000_000));
    assert_eq!(p, 0.0);
}

fn choose(n: u32, k: u32) -> u128 {
    (0..k).fold(1, |so_far, i| {
        so_far * u128::from(n - i) / u128::from(i + 1)
    })
}

/// By the definition, in whole numbers.
fn naive_fisher(own: Part, others: Part) -> f64 {
    let these = own.these + others.these;
    let ways = |i: u32| {
        if i > these || i > own.all || these - i > others.all {
            return 0;
        }
        choose(own.all, i) * choose(others.all, these - i)
    };
    let tail: u128 = (own.these..=own.all).map(ways).sum();
    let total: u128 = (0..=own.all).map(ways).sum();
    #[expect(clippy::cast_precision_loss, reason = "an oracle to 1e-12")]
    let p = tail as f64 / total as f64;
    p
}

/// Their rule as they state it: the largest rank k whose p is at most k/m of the rate, and all below.
fn naive_discoveries(p: &[f64], rate: f64) -> Vec<bool> {
    let mut sorted = p.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tests = count(p.len());
    let threshold = sorted
        .iter()
        .enumerate()
        .filter(|(rank, p)| **p * tests / count(rank + 1) <= rate)
        .map(|(_, p)| *p)
        .next_back();
    p.iter()
        .map(|p| threshold.is_some_and(|threshold| *p <= threshold))
        .collect()
}

#[test]
fn adjusted_as_published() {
    // Benjamini and Hochberg (1995), section 3.3: fifteen p-values, four discoveries at 5 %.
    let p = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0000,
    ];
    let rates = false_discovery_rates(&p);
    assert_eq!(rates.iter().filter(|rate| **rate <= 0.05).count(), 4);
    assert!(close(rates[0], 0.0015, 1e-12) && close(rates[3], 0.035_625, 1e-12));
    assert!(false_discovery_rates(&[]).is_empty());
}

proptest! {
    #[test]
    fn fisher_is_what_it_is_defined_to_be(
        own_all in 0_u32..50, others_all in 0_u32..50, own in 0_u32..50, others in 0_u32..50,
    ) {
        let own = part(own.min(own_all), own_all);
        let others = part(others.min(others_all), others_all);
        let (got, expected) = (fisher(own, others), naive_fisher(own, others));
        prop_assert!(close(got, expected, 1e-12), "{} {}", got, expected);
    }

    /// What makes the least favourable of rounded counts a corner of their rectangle.
    #[test]
    fn fisher_is_monotone(
        own in 1_u32..60, own_more in 0_u32..60, others in 0_u32..60, others_more in 1_u32..60,
    ) {
        let (own, others) = (part(own, own + own_more), part(others, others + others_more));
        let p = fisher(own, others) * (1.0 + 1e-12);
        prop_assert!(fisher(part(own.these - 1, own.all), others) >= p * (1.0 - 2e-12));
        prop_assert!(fisher(part(own.these, own.all + 1), others) >= p * (1.0 - 2e-12));
        prop_assert!(fisher(own, part(others.these + 1, others.all)) >= p * (1.0 - 2e-12));
        prop_assert!(fisher(own, part(others.these, others.all - 1)) >= p * (1.0 - 2e-12));
    }

    #[test]
    fn sides_are_opposite(
        own in 0_u32..100, own_more in 1_u32..100, others in 0_u32..100, others_more in 1_u32..100,
        prior in 0.5_f64..500.0,
    ) {
        let (own, others) = (part(own, own + own_more), part(others, others + others_more));
        let (there, back) = (log_odds(own, others, prior), log_odds(others, own, prior));
        match (there, back) {
            (Some(there), Some(back)) => {
                prop_assert!((there.delta + back.delta).abs() < 1e-9);
                prop_assert!((there.z + back.z).abs() < 1e-9);
            }
            (None, None) => prop_assert_eq!(own.these + others.these, 0),
            _ => prop_assert!(false),
        }
    }

    #[test]
    fn discoveries_are_theirs(p in prop::collection::vec(0.0_f64..1.0, 0..40), rate in 0.01_f64..0.5) {
        let p: Vec<f64> = p.into_iter().map(|p| p * p * p).collect();
        let ours: Vec<bool> = false_discovery_rates(&p).iter().map(|q| *q <= rate).collect();
        prop_assert_eq!(ours, naive_discoveries(&p, rate));
    }
}
