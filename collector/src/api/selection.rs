//! Which released weeks an answer is made of.
//!
//! One, named by `week`, by `release`, or the newest; or a range of whole weeks, `from` to `to`, both
//! included. A range is the list of its weeks and nothing else: weeks never add up to a longer period.

use super::asked::bad;
use super::reply::Keep;
use super::shelf::Shelved;
use super::{Problem, Shelf};
use crate::release::{Release, ReleaseId};
use phonehome_proto::time::Week;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters that choose weeks.
pub(super) const ONE: [&str; 2] = ["week", "release"];

/// Weeks that a range may span: a year, the longest there is.
pub(super) const WEEKS_MAX: usize = 53;

/// Released weeks, the oldest first; at least one.
#[derive(Debug)]
pub(super) struct Chosen {
    releases: Vec<Arc<Shelved>>,
    /// Weeks of the range that are not released.
    pub(super) missing: Vec<Week>,
    /// How long an answer may be kept.
    pub(super) keep: Keep,
    /// The first and the last week asked for, if a range was.
    pub(super) range: Option<(Week, Week)>,
}

impl Chosen {
    /// What the parameters choose.
    pub(super) fn of(
        shelf: &Shelf,
        parameters: &BTreeMap<&'static str, &str>,
    ) -> Result<Self, Problem> {
        let get = |name| parameters.get(name).copied();
        let given = ["week", "release", "from"].map(get);
        if given.iter().flatten().count() > 1 {
            let value = get("from").or_else(|| get("release")).unwrap_or_default();
            let name = if get("from").is_some() {
                "from"
            } else {
                "release"
            };
            return Err(bad(
                name,
                value,
                "give a week, a release or a range, not two of them",
            ));
        }
        if let (None, Some(to)) = (get("from"), get("to")) {
            return Err(bad("to", to, "a range begins with 'from'"));
        }
        match given {
            [Some("latest"), ..] | [_, Some("latest"), _] | [None, None, None] => Ok(Self::one(
                shelf.latest().ok_or(Problem::NothingReleased)?,
                Keep::AWhile,
            )),
            [Some(text), ..] => {
                let shelved = shelf.of_week(week("week", text)?);
                // A week may be revised once, so only a release's own name is for ever.
                let shelved = shelved.ok_or_else(|| Problem::NoSuchRelease(text.to_owned()))?;
                Ok(Self::one(shelved, Keep::AWhile))
            }
            [_, Some(text), _] => {
                let id: ReleaseId = text
                    .parse()
                    .map_err(|_| bad("release", text, "it is a release, 2026-W46.0, or latest"))?;
                let shelved = shelf.named(id);
                let shelved = shelved.ok_or_else(|| Problem::NoSuchRelease(text.to_owned()))?;
                Ok(Self::one(shelved, Keep::ForEver))
            }
            [None, None, Some(text)] => Self::range(shelf, text, get("to")),
        }
    }

    /// One release.
    pub(super) fn one(shelved: Arc<Shelved>, keep: Keep) -> Self {
        Self {
            releases: vec![shelved],
            missing: Vec::new(),
            keep,
            range: None,
        }
    }

    fn range(shelf: &Shelf, first: &str, last: Option<&str>) -> Result<Self, Problem> {
        let newest = shelf.latest().ok_or(Problem::NothingReleased)?;
        let from = week("from", first)?;
        let to = match last {
            None | Some("latest") => newest.release().id.week,
            Some(last) => week("to", last)?,
        };
        if from > to {
            return Err(bad("from", first, "the range ends before it begins"));
        }
        let (mut releases, mut missing) = (Vec::new(), Vec::new());
        let mut at = from;
        for asked in 0.. {
            if asked == WEEKS_MAX {
                return Err(bad("from", first, "a range has at most 53 weeks"));
            }
            match shelf.of_week(at) {
                Some(shelved) => releases.push(shelved),
                None => missing.push(at),
            }
            if at == to {
                break;
            }
            at = at.next();
        }
        let Some(newest) = releases.last() else {
            return Err(Problem::NoSuchRelease(format!("{from} to {to}")));
        };
        let rules = |release: &Release| {
            (
                release.purpose,
                release.method,
                release.k,
                release.network_homes_max,
                release.rounding,
            )
        };
        let like = rules(newest.release());
        if releases
            .iter()
            .any(|shelved| rules(shelved.release()) != like)
        {
            return Err(Problem::MixedWeeks(from.to_string(), to.to_string()));
        }
        Ok(Self {
            releases,
            missing,
            keep: Keep::AWhile,
            range: Some((from, to)),
        })
    }

    /// The releases, the oldest first.
    pub(super) fn releases(&self) -> impl DoubleEndedIterator<Item = &Release> {
        self.releases.iter().map(|shelved| shelved.release())
    }

    /// The newest of them.
    pub(super) fn newest(&self) -> &Arc<Shelved> {
        self.releases.last().expect("at least one is chosen")
    }
}

fn week(name: &'static str, text: &str) -> Result<Week, Problem> {
    text.parse()
        .map_err(|_| bad(name, text, "it is an ISO week, 2026-W46, or latest"))
}
