//! Where weeks stand, and what is forgotten with them.

use super::super::edition::Edition;
use super::state::{Made, Member};
use super::{ACCEPTED_FOR, DESTROYED_AFTER, Expected, Oracle, PENDING_FOR, Seen, State, Wrong};
use phonehome_collector::release::ReleaseId;
use phonehome_collector::store::{Standing, WeekState};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::{Day, Timestamp, Week};
use std::collections::BTreeMap;

/// What a tick of the week's clock should do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Weeks that are released.
    pub released: Vec<Week>,
    /// Weeks that become final.
    pub finished: Vec<Week>,
}

impl State {
    /// What is due at `now`.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Due {
        let mut due = Due::default();
        for (week, state) in &self.weeks {
            if now >= week.end().plus_seconds(ACCEPTED_FOR) && *state < WeekState::Released {
                due.released.push(*week);
            }
            if now >= week.end().plus_seconds(DESTROYED_AFTER) && *state < WeekState::Final {
                due.finished.push(*week);
            }
        }
        due
    }

    /// Everything that was due was done, and its releases are there since, made with the tables of this
    /// edition of what was held. A week that is destroyed may lack one if there was no room for it when it
    /// was tried.
    ///
    /// # Errors
    /// A release that is not there.
    fn ticked(
        &mut self,
        now: Timestamp,
        seen: &Seen,
        (edition, expected): (Edition, &BTreeMap<Week, Expected>),
        may_lack: bool,
    ) -> Result<(), Wrong> {
        let due = self.due(now);
        for week in due.released {
            let id = ReleaseId { week, revision: 0 };
            let text = seen
                .releases
                .as_ref()
                .and_then(|releases| releases.get(&id));
            if let Some(text) = text {
                let made = Made {
                    text: text.clone(),
                    edition,
                    expected: expected.get(&week).cloned().unwrap_or_default(),
                };
                // One that came back with the ledger stays what it was.
                self.releases.entry(id).or_insert(made);
            } else if !may_lack || !due.finished.contains(&week) {
                return Err(format!("{id} was not made"));
            }
            self.weeks.insert(week, WeekState::Released);
        }
        for week in due.finished {
            self.weeks.insert(week, WeekState::Final);
            self.thinned.remove(&week);
            self.held.remove(&week);
        }
        self.forget(now);
        Ok(())
    }

    /// What is forgotten by the clock: replaced keys whose last week is final by now, and erasures.
    fn forget(&mut self, now: Timestamp) {
        let homes = &self.homes;
        self.keys.retain(|_, key| {
            let is_revoked = homes.get(&key.home).is_some_and(Member::is_revoked);
            let is_over = |week: Week| now >= week.end().plus_seconds(DESTROYED_AFTER);
            is_revoked || !key.last_day.map(Day::week).is_some_and(is_over)
        });
        self.erasures.retain(|_, (_, until)| now < *until);
        let last = now.plus_seconds(-PENDING_FOR).day();
        let waits = |(_, home): &(&HomeId, &Member)| home.standing == Standing::Pending;
        let is_over = |home: &Member| last.is_some_and(|last| home.enrolled < last);
        let over = self.homes.iter().filter(waits);
        let over: Vec<HomeId> = over
            .filter(|(_, home)| is_over(home))
            .map(|(id, _)| *id)
            .collect();
        for home in over {
            self.forget_home(home);
        }
    }
}

impl Oracle {
    /// The collector's clock was asked at `now`, and what it should have done is done; its releases say what
    /// they should. Gives the weeks that were released.
    ///
    /// # Errors
    /// What was not done, or is told wrongly.
    pub fn ticked(
        &mut self,
        now: Timestamp,
        seen: &Seen,
        edition: Edition,
        may_lack: bool,
    ) -> Result<Vec<Week>, Wrong> {
        let due = self.state.due(now);
        let expected = due.released.iter();
        let expected: BTreeMap<Week, Expected> =
            expected.map(|week| (*week, self.expected(*week))).collect();
        self.state.take_up_perhaps(seen);
        self.state
            .ticked(now, seen, (edition, &expected), may_lack)?;
        for (week, expected) in &expected {
            let Some(text) = self.release(*week) else {
                self.happened.note("week", "no room for its release");
                continue;
            };
            expected
                .check_release(text, edition)
                .map_err(|wrong| format!("{week}: {wrong}"))?;
            let word = if expected.shows() {
                "released with numbers"
            } else {
                "released without numbers"
            };
            self.happened.note("week", word);
        }
        self.happened
            .note_many("week", "destroyed", due.finished.len());
        Ok(due.released)
    }

    /// The first release of a week as it was made.
    #[must_use]
    pub fn release(&self, week: Week) -> Option<&str> {
        let id = ReleaseId { week, revision: 0 };
        self.state.releases.get(&id).map(|made| made.text.as_str())
    }

    /// Every release as it was made.
    pub fn releases(&self) -> impl Iterator<Item = (ReleaseId, &str)> {
        let releases = self.state.releases.iter();
        releases.map(|(id, made)| (*id, made.text.as_str()))
    }

    /// The payload of one of a week's batches, by hash.
    #[must_use]
    pub fn a_payload(&self, week: Week) -> Option<Hash> {
        let held = self.state.held.get(&week)?.values().next();
        held.map(|held| held.payload)
    }

    /// The weeks that are not final, in order.
    #[must_use]
    pub fn weeks_at_hand(&self) -> Vec<(Week, WeekState)> {
        let weeks = self.state.weeks.iter();
        weeks
            .filter(|(_, state)| **state != WeekState::Final)
            .map(|(week, state)| (*week, *state))
            .collect()
    }
}
