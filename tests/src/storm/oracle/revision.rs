//! What becomes of a week that somebody wants counted again.

use super::super::edition::Edition;
use super::state::Made;
use super::{ACCEPTED_FOR, Oracle, Seen, Wrong};
use phonehome_collector::format::json;
use phonehome_collector::release::ReleaseId;
use phonehome_collector::store::WeekState;
use phonehome_collector::weeks::revision::Revised;
use phonehome_proto::time::{Timestamp, Week};

/// A cell is told anew if so many homes changed it, certainly: of a count that is told, two may be made up
/// by rounding.
const CHANGED_MIN: usize = 10;
const ROUNDED_UP: usize = 2;

impl Oracle {
    /// Holds the answer to whoever wants a week counted again, with the tables of `edition`, against what
    /// must be said; gives it in a word.
    ///
    /// # Errors
    /// What should have been said.
    pub fn revised(
        &mut self,
        (week, edition): (Week, Edition),
        said: &Revised,
        now: Timestamp,
    ) -> Result<&'static str, Wrong> {
        let id = |revision| ReleaseId { week, revision };
        let [first, second] = [0, 1].map(|revision| self.state.releases.get(&id(revision)));
        let last = second.or(first);
        let is_thinned = self.state.thinned.contains(&week);
        let state = self.state.weeks.get(&week);
        let until = week.end().plus_seconds(ACCEPTED_FOR);
        let foretold = match (first, last) {
            _ if now < until => Revised::StillOpen(until),
            (Some(_), Some(_)) if state.is_none_or(|state| *state == WeekState::Final) => {
                Revised::Final(id(u8::from(second.is_some())))
            }
            (Some(_), Some(last)) if last.edition == edition && !is_thinned => {
                Revised::SameTables(id(u8::from(second.is_some())))
            }
            (Some(_), Some(_)) if second.is_some() => Revised::Twice(id(1)),
            (Some(first), Some(_)) => match self.tells(week, first, edition) {
                Some(true) => Revised::Now(id(1)),
                Some(false) => Revised::NothingToTell(id(0)),
                // Homes have left or were taken out, and rounding decides; nothing else may be said.
                None if *said == Revised::Now(id(1)) => Revised::Now(id(1)),
                None => Revised::NothingToTell(id(0)),
            },
            _ => Revised::NotReleased,
        };
        if foretold == *said {
            Ok(word(said))
        } else {
            Err(format!(
                "{week}: {foretold:?} was foretold, {said:?} was said"
            ))
        }
    }

    /// Whether a revision has something to tell, where it is plain.
    fn tells(&self, week: Week, first: &Made, edition: Edition) -> Option<bool> {
        let now = self.expected(week);
        let most = first.expected.counted().max(now.counted());
        if most < CHANGED_MIN {
            return Some(false);
        }
        if now != first.expected {
            return None;
        }
        let moved = first.edition.elsewhere() != edition.elsewhere();
        let told = (now.counted() + 2) / 5 * 5;
        Some(moved && now.shows() && told >= CHANGED_MIN + ROUNDED_UP)
    }

    /// A revision was made with the tables of `edition`: takes it up.
    ///
    /// # Errors
    /// If it is not there, or says something else of what tables and departures do not change.
    pub fn take_up_revision(
        &mut self,
        (week, edition): (Week, Edition),
        seen: &Seen,
    ) -> Result<(), Wrong> {
        let [first, second] = [0, 1].map(|revision| ReleaseId { week, revision });
        let texts = seen.releases.as_ref();
        let text = texts.and_then(|texts| texts.get(&second));
        let text = text.ok_or_else(|| format!("{second} is not there"))?;
        let before = &self.state.releases[&first];
        let read =
            |text: &str| json::from_json(text).map_err(|error| format!("no release: {error}"));
        let (release, released) = (read(text)?, read(&before.text)?);
        let is_same = release.homes == released.homes
            && release.endpoints == released.endpoints
            && release.id == second
            && edition.is_among(&release.atlas);
        if !is_same {
            return Err(format!(
                "{second} says something else of what cannot have changed"
            ));
        }
        let made = Made {
            text: text.clone(),
            edition,
            expected: before.expected.clone(),
        };
        self.state.releases.insert(second, made);
        self.state.thinned.remove(&week);
        Ok(())
    }
}

const fn word(said: &Revised) -> &'static str {
    match said {
        Revised::Now(_) => "now",
        Revised::SameTables(_) => "same tables",
        Revised::NothingToTell(_) => "nothing to tell",
        Revised::Twice(_) => "twice",
        Revised::StillOpen(_) => "still open",
        Revised::NotReleased => "not released",
        Revised::Final(_) => "final",
        Revised::OtherMethod(_) => "other method",
    }
}
