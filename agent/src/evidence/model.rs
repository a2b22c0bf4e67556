//! The model: clues in, a verdict out.
//!
//! ```text
//! score(v)  = log prior(v) + sum over families of TEMPER * max over clues of nats(clue, v)
//! p(v)      = softmax over the vendors and one more, "anything else", whose prior is one half
//! ```
//!
//! The best clue of a family counts, because clues of one family repeat each other; families are
//! added, tempered, because naive Bayes is over-confident. Whoever a clue rules out has p = 0. Being a
//! phone is decided apart, by its own sum, so that a television's MAC prefix cannot make it one. The
//! prior is the world's, not the home's country's, which the agent does not know; no clue is negative
//! but by ruling out; weights are set by hand until there are labelled captures to fit them to.
//!
//! A vendor is *stated* only
//! - when the device's holder declared it ([`Basis::Declared`]); else
//! - at p >= [`STATED_MIN`] with a decisive clue ([`Basis::Decisive`]) or two families that speak for
//!   it ([`Basis::Inferred`]), both without any evidence from the servers contacted: these neither add
//!   to nor take from it, so that what is counted never chooses who is counted; else
//! - at the same line with that evidence ([`Basis::Circular`]), which carries it into no share.
//!
//! Whether a device is a phone is decided on the same clues as its vendor, for the same reason.

use super::{Clue, Evidence, Family, weight};
use phonehome_proto::census::Basis;
use phonehome_proto::vendor::Vendor;

/// The probability from which a vendor is stated.
pub const STATED_MIN: f64 = 0.9;

/// The prior of everything that is no listed vendor's phone.
pub const UNKNOWN_PRIOR: f64 = 0.5;

/// What is known of a device, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The vendor, if it can be stated, and on what grounds.
    pub stated: Option<Statement>,
    /// The likeliest vendor, if anything speaks for one.
    pub guess: Option<Vendor>,
    /// The probability of the stated vendor, else of the guess; 0 without either.
    pub p: f64,
    /// Whether it is a phone; `None` when that cannot be told.
    pub is_phone: Option<bool>,
    /// What speaks for it: families with the rows that matched.
    pub evidence: Vec<(Family, Vec<String>)>,
}

/// A vendor that may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whose phone.
    pub vendor: Vendor,
    /// How it is known.
    pub basis: Basis,
}

// === impl Verdict ===

impl Verdict {
    /// The verdict on a device, from what was seen of it and what its holder declared.
    #[must_use]
    pub fn of(evidence: &Evidence, declared: Option<Vendor>) -> Self {
        let with_all = Posterior::of(evidence.clues().iter());
        let without_servers = evidence
            .clues()
            .iter()
            .filter(|clue| !clue.family.is_circular());
        let gold = Posterior::of(without_servers.clone());
        let state = |vendor, basis| Some(Statement { vendor, basis });
        let (stated, p, is_phone) = if let Some(vendor) = declared {
            // Whoever declares a vendor declares a phone of that vendor.
            (state(vendor, Basis::Declared), 1.0, Some(true))
        } else if let Some(statement) = gold.statement() {
            (Some(statement), gold.p, is_phone(without_servers.clone()))
        } else if let Some(Statement { vendor, .. }) = with_all.statement() {
            let stated = state(vendor, Basis::Circular);
            (stated, with_all.p, is_phone(evidence.clues().iter()))
        } else {
            (None, with_all.p, is_phone(evidence.clues().iter()))
        };
        Self {
            stated,
            guess: stated.map(|statement| statement.vendor).or(with_all.best),
            p,
            is_phone,
            evidence: by_family(evidence.clues()),
        }
    }

    /// The vendor, if it can be stated.
    #[must_use]
    pub fn vendor(&self) -> Option<Vendor> {
        self.stated.map(|statement| statement.vendor)
    }

    /// How the stated vendor is known.
    #[must_use]
    pub fn basis(&self) -> Option<Basis> {
        self.stated.map(|statement| statement.basis)
    }
}

/// Probabilities of the vendors, by some clues.
struct Posterior {
    /// The likeliest vendor, if anything speaks for one.
    best: Option<Vendor>,
    /// Its probability.
    p: f64,
    /// Families that speak for it.
    families: usize,
    /// Whether one clue for it is decisive.
    decisive: bool,
}

impl Posterior {
    fn of<'a>(clues: impl Iterator<Item = &'a Clue> + Clone) -> Self {
        let score = |vendor: Vendor| {
            if clues.clone().any(|clue| clue.rules_out.concerns(vendor)) {
                return f64::NEG_INFINITY;
            }
            let weights = Family::ALL.map(|family| family_nats(clues.clone(), family, vendor));
            prior(vendor).ln() + weight::TEMPER * weights.iter().sum::<f64>()
        };
        let supported = |vendor: &Vendor| clues.clone().any(|clue| clue.vendor == Some(*vendor));
        let scores: Vec<(Vendor, f64)> = Vendor::all()
            .map(|vendor| (vendor, score(vendor)))
            .collect();
        let total = UNKNOWN_PRIOR + scores.iter().map(|(_, score)| score.exp()).sum::<f64>();
        let best = scores
            .iter()
            .filter(|(vendor, score)| supported(vendor) && score.is_finite())
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some(&(vendor, score)) = best else {
            return Self {
                best: None,
                p: 0.0,
                families: 0,
                decisive: false,
            };
        };
        let families = Family::ALL
            .iter()
            .filter(|family| family_nats(clues.clone(), **family, vendor) > 0.0)
            .count();
        let decisive = clues
            .clone()
            .any(|clue| clue.decisive && clue.vendor == Some(vendor));
        Self {
            best: Some(vendor),
            p: score.exp() / total,
            families,
            decisive,
        }
    }

    /// The vendor, if these clues may state it.
    fn statement(&self) -> Option<Statement> {
        let vendor = self.best.filter(|_| self.p >= STATED_MIN)?;
        let basis = match (self.decisive, self.families) {
            (true, _) => Basis::Decisive,
            (false, 2..) => Basis::Inferred,
            (false, _) => return None,
        };
        Some(Statement { vendor, basis })
    }
}

/// What the best clue of a family weighs for a vendor.
fn family_nats<'a>(clues: impl Iterator<Item = &'a Clue>, family: Family, vendor: Vendor) -> f64 {
    clues
        .filter(|clue| clue.family == family && clue.vendor == Some(vendor))
        .map(|clue| clue.nats)
        .fold(0.0, f64::max)
}

/// Prior of a vendor: its share of world shipments in the first quarter of 2020, those without a
/// figure sharing the rest evenly, of the half that is not "anything else". Wrong for any one country,
/// and weak beside any clue.
fn prior(vendor: Vendor) -> f64 {
    let known: u16 = Vendor::all()
        .filter_map(Vendor::shipments_2020q1_permille)
        .sum();
    let others = Vendor::all()
        .filter(|v| v.shipments_2020q1_permille().is_none())
        .count();
    let share = match vendor.shipments_2020q1_permille() {
        Some(permille) => f64::from(permille) / 1000.0,
        None => f64::from(1000 - known) / 1000.0 / f64::from(u16::try_from(others).unwrap_or(1)),
    };
    (1.0 - UNKNOWN_PRIOR) * share
}

/// Whether these clues make it a phone: each family's strongest, either way, added up.
fn is_phone<'a>(clues: impl Iterator<Item = &'a Clue> + Clone) -> Option<bool> {
    let sum: f64 = Family::ALL
        .iter()
        .map(|family| {
            clues
                .clone()
                .filter(|clue| clue.family == *family)
                .map(|clue| clue.phone_nats)
                .max_by(|a, b| a.abs().total_cmp(&b.abs()))
                .unwrap_or(0.0)
        })
        .sum();
    let line = (STATED_MIN / (1.0 - STATED_MIN)).ln();
    if sum >= line {
        Some(true)
    } else if sum <= -line {
        Some(false)
    } else {
        None
    }
}

fn by_family(clues: &[Clue]) -> Vec<(Family, Vec<String>)> {
    Family::ALL
        .iter()
        .map(|family| {
            let rows = clues.iter().filter(|clue| clue.family == *family);
            (*family, rows.map(Clue::words).collect::<Vec<_>>())
        })
        .filter(|(_, rows)| !rows.is_empty())
        .collect()
}
