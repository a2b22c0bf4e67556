//! Weighting: what homes would say together if they had their phones in known proportions.
//!
//! Post-stratification: the homes of each stratum count together for as much as the stratum does in
//! the population, however many of them there are. That costs precision, and how much is said beside it.
//!
//! - L. Kish, "Survey Sampling" (1965), 11.7; "Weighting for unequal P_i", Journal of Official
//!   Statistics 8 (1992), 183-200: effective sample size and design effect.
//! - F. J. Potter, "A study of procedures to identify and trim extreme sampling weights", ASA Proceedings
//!   of the Section on Survey Research Methods (1990), 225-230: trimming at a multiple of the median.
//! - E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small expected number of
//!   positive counts", Survey Methodology 24 (1998), 193-201: the effective size a variance implies.

/// Weights above so many medians are cut down to that.
pub const TRIM_MEDIANS: f64 = 5.0;

/// A part of the population, and the homes that speak for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratum {
    /// Its part of the population; parts need not add up to one.
    pub population: f64,
    /// Its homes, at least two.
    pub homes: u32,
}

/// How much each home counts for, by stratum.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighting {
    strata: Vec<Stratum>,
    /// For each stratum the weight of one of its homes; over all homes the mean is one.
    weights: Vec<f64>,
    trimmed: f64,
}

impl Weighting {
    /// The homes of each stratum together weigh as much as the stratum: w = (W / sum W) / (n / N).
    ///
    /// # Panics
    /// If there is no stratum, or one with nothing in it or fewer than two homes.
    #[must_use]
    pub fn of(strata: &[Stratum]) -> Self {
        let fits = |stratum: &Stratum| stratum.population > 0.0 && stratum.homes >= 2;
        assert!(
            !strata.is_empty() && strata.iter().all(fits),
            "strata of at least two homes"
        );
        let homes: f64 = strata.iter().map(|stratum| f64::from(stratum.homes)).sum();
        let population: f64 = strata.iter().map(|stratum| stratum.population).sum();
        let weight = |stratum: &Stratum| {
            (stratum.population / population) / (f64::from(stratum.homes) / homes)
        };
        Self {
            weights: strata.iter().map(weight).collect(),
            strata: strata.to_vec(),
            trimmed: 0.0,
        }
    }

    /// The same with no home above `medians` times the median home: what is over is cut off and
    /// everybody scaled up alike, which leaves the median's proportion to the largest as it is.
    #[must_use]
    pub fn trimmed(mut self, medians: f64) -> Self {
        let cap = self.median() * medians;
        let whole = self.mass();
        self.weights
            .iter_mut()
            .for_each(|weight| *weight = weight.min(cap));
        let left = self.mass();
        self.weights
            .iter_mut()
            .for_each(|weight| *weight *= whole / left);
        self.trimmed = 1.0 - (1.0 - self.trimmed) * (left / whole);
        self
    }

    /// For each stratum, what one of its homes weighs.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The part of all weight that trimming took from the heaviest.
    #[must_use]
    pub const fn moved(&self) -> f64 {
        self.trimmed
    }

    /// Kish's effective sample size, (sum w)² / sum w²: as many homes of equal weight say as much.
    #[must_use]
    pub fn effective_homes(&self) -> f64 {
        let squares = self.sum(|weight| weight * weight);
        self.mass() * self.mass() / squares
    }

    /// Kish's design effect: by how much weighting multiplies the variance.
    #[must_use]
    pub fn design_effect(&self) -> f64 {
        self.sum(|_| 1.0) / self.effective_homes()
    }

    /// The weighted share, from each stratum's.
    ///
    /// # Panics
    /// If there are not as many shares as strata.
    #[must_use]
    pub fn share(&self, shares: &[f64]) -> f64 {
        self.parts(shares)
            .map(|(part, share, _)| part * share)
            .sum()
    }

    /// The variance of [`Weighting::share`]: that between homes within strata, s² = m/(m-1) p(1-p) for
    /// each, and that of parts of the population each known to a standard deviation of `population_sd`.
    ///
    /// # Panics
    /// If there are not as many shares as strata.
    #[must_use]
    pub fn variance(&self, shares: &[f64], population_sd: f64) -> f64 {
        let whole = self.share(shares);
        let population: f64 = self.strata.iter().map(|stratum| stratum.population).sum();
        let within = |(part, share, homes): (f64, f64, f64)| {
            let sampling = part * part * share * (1.0 - share) / (homes - 1.0);
            let off = (share - whole) * population_sd / population;
            sampling + off * off
        };
        self.parts(shares).map(within).sum()
    }

    /// How many homes, drawn at random, would tell a share with these parts as well: Kish's number, or
    /// what the variance implies if that is less.
    ///
    /// # Panics
    /// If there are not as many shares as strata.
    #[must_use]
    pub fn homes_for_interval(&self, shares: &[f64], population_sd: f64) -> f64 {
        let (share, variance) = (self.share(shares), self.variance(shares, population_sd));
        let kish = self.effective_homes();
        if variance > 0.0 {
            kish.min(share * (1.0 - share) / variance)
        } else {
            kish
        }
    }

    /// Each stratum's part of all weight, its share and its homes.
    fn parts<'a>(&'a self, shares: &'a [f64]) -> impl Iterator<Item = (f64, f64, f64)> + 'a {
        assert_eq!(shares.len(), self.strata.len(), "a share for each stratum");
        let whole = self.mass();
        let strata = self.strata.iter().zip(&self.weights).zip(shares);
        strata.map(move |((stratum, weight), &share)| {
            let homes = f64::from(stratum.homes);
            (weight * homes / whole, share, homes)
        })
    }

    /// The median over homes.
    fn median(&self) -> f64 {
        let mut order: Vec<(f64, u64)> = self
            .weights
            .iter()
            .zip(&self.strata)
            .map(|(&weight, stratum)| (weight, u64::from(stratum.homes)))
            .collect();
        order.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let homes: u64 = order.iter().map(|(_, homes)| homes).sum();
        let at = |rank: u64| {
            let mut below = 0;
            let reaches = |&&(_, homes): &&(f64, u64)| {
                below += homes;
                rank < below
            };
            order
                .iter()
                .find(reaches)
                .expect("a rank below all homes")
                .0
        };
        f64::midpoint(at((homes - 1) / 2), at(homes / 2))
    }

    fn mass(&self) -> f64 {
        self.sum(|weight| weight)
    }

    /// Over all homes.
    fn sum(&self, of: impl Fn(f64) -> f64) -> f64 {
        let strata = self.weights.iter().zip(&self.strata);
        strata
            .map(|(&weight, stratum)| f64::from(stratum.homes) * of(weight))
            .sum()
    }
}

#[cfg(test)]
mod tests;
