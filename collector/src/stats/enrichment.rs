//! Enrichment: whether the phones of one vendor contact an endpoint more than the phones of others do.
//!
//! Two answers to the same question. The log-odds ratio with a prior says *how much* more, shrunk
//! where there is little to go by; Fisher's exact test says how often chance alone would give as much,
//! and Benjamini and Hochberg say what is left of that when many endpoints are tried at once.
//!
//! - B. L. Monroe, M. P. Colaresi, K. M. Quinn, "Fightin' Words", Political Analysis 16 (2008), 372-403.
//! - R. A. Fisher, "The Design of Experiments" (1935), chapter 2.
//! - Y. Benjamini, Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995), 289-300.

use super::logarithm::ln;

/// So many out of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Those in question.
    pub these: u32,
    /// All of them.
    pub all: u32,
}

/// How much more often something happens on one side than on the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogOdds {
    /// The difference of the logarithms of the odds, with the prior's contacts added on both sides.
    pub delta: f64,
    /// The same in standard deviations.
    pub z: f64,
}

/// The weighted log-odds ratio with an informative Dirichlet prior: contacts with one endpoint among
/// all contacts, our own side against the others.
///
/// The prior is worth `prior_contacts` contacts (alpha zero), divided among the endpoints as the two
/// sides together divide theirs. `None` where the odds are: nobody contacted it, or nobody anything else.
///
/// # Panics
/// If a part is larger than its whole, or the prior is worth nothing.
#[must_use]
pub fn log_odds(own: Part, others: Part, prior_contacts: f64) -> Option<LogOdds> {
    for side in [own, others] {
        assert!(side.these <= side.all, "a part is no larger than its whole");
    }
    assert!(prior_contacts > 0.0, "without a prior small counts rule");
    let these = f64::from(own.these) + f64::from(others.these);
    let all = f64::from(own.all) + f64::from(others.all);
    if these == 0.0 || these == all {
        return None;
    }
    let alpha = prior_contacts * these / all;
    let log_odds = |side: Part| {
        let with = f64::from(side.these) + alpha;
        let without = f64::from(side.all) + prior_contacts - with;
        (ln(with / without), 1.0 / with)
    };
    let ((ours, our_variance), (theirs, their_variance)) = (log_odds(own), log_odds(others));
    let delta = ours - theirs;
    let z = delta / (our_variance + their_variance).sqrt();
    Some(LogOdds { delta, z })
}

/// Fisher's exact test, one-sided: were the two sides alike, how often would chance give our own side
/// as many of those in question, or more?
///
/// The hypergeometric terms come from their neighbours by one multiplication and one division, from
/// the largest downwards, so nothing overflows and no logarithm is needed. What is too small for a
/// double counts as nothing.
///
/// # Panics
/// If a part is larger than its whole, or both sides together are more than 2^32.
#[must_use]
pub fn fisher(own: Part, others: Part) -> f64 {
    for side in [own, others] {
        assert!(side.these <= side.all, "a part is no larger than its whole");
    }
    let all = own
        .all
        .checked_add(others.all)
        .expect("fewer homes than 2^32");
    let these = own.these + others.these;
    let (least, most) = (these.saturating_sub(others.all), these.min(own.all));
    if own.these <= least {
        return 1.0;
    }
    // Term `i` says: i of those in question are on our own side.
    let up = |i: u32| {
        f64::from(these - i) * f64::from(own.all - i)
            / (f64::from(i + 1) * f64::from(others.all + i + 1 - these))
    };
    let mode = (u64::from(these) + 1) * (u64::from(own.all) + 1) / (u64::from(all) + 2);
    let mode = u32::try_from(mode)
        .expect("no larger than either")
        .clamp(least, most);
    let (mut tail, mut total) = (0.0, 0.0);
    let mut note = |i: u32, term: f64| {
        total += term;
        if i >= own.these {
            tail += term;
        }
        term > 0.0
    };
    note(mode, 1.0);
    let mut term = 1.0;
    for i in mode..most {
        term *= up(i);
        if !note(i + 1, term) {
            break;
        }
    }
    term = 1.0;
    for i in (least..mode).rev() {
        term /= up(i);
        if !note(i, term) {
            break;
        }
    }
    tail / total
}

/// Benjamini and Hochberg's adjustment: for each p, in the order given, the least rate of false
/// discoveries at which it is still one.
#[must_use]
pub fn false_discovery_rates(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let tests = count(p.len());
    let mut rates = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (above, &at) in order.iter().enumerate() {
        let rank = count(p.len() - above);
        least = least.min(p[at] * tests / rank);
        rates[at] = least;
    }
    rates
}

fn count(tests: usize) -> f64 {
    f64::from(u32::try_from(tests).expect("fewer tests than cells, and fewer cells than homes"))
}

#[cfg(test)]
mod tests;
