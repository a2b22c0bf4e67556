//! Where weeks stand, and what is forgotten with them.

use super::{ACCEPTED_FOR, DESTROYED_AFTER, Oracle, Seen, State, Wrong};
use phonehome_collector::release::ReleaseId;
use phonehome_collector::store::WeekState;
use phonehome_proto::id::Hash;
use phonehome_proto::time::{Day, Timestamp, Week};

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

    /// Everything that was due was done, and its releases are there since. A week that is destroyed may
    /// lack one if there was no room for it when it was tried.
    ///
    /// # Errors
    /// A release that is not there.
    pub fn ticked(&mut self, now: Timestamp, seen: &Seen, may_lack: bool) -> Result<(), Wrong> {
        let due = self.due(now);
        for week in due.released {
            let id = ReleaseId { week, revision: 0 };
            let text = seen
                .releases
                .as_ref()
                .and_then(|releases| releases.get(&id));
            if let Some(text) = text {
                self.releases.insert(id, text.clone());
            } else if !may_lack || !due.finished.contains(&week) {
                return Err(format!("{id} was not made"));
            }
            self.weeks.insert(week, WeekState::Released);
        }
        for week in due.finished {
            self.weeks.insert(week, WeekState::Final);
            self.held.remove(&week);
        }
        self.forget(now);
        Ok(())
    }

    /// What is forgotten by the clock: replaced keys whose last week is final by now, and erasures.
    fn forget(&mut self, now: Timestamp) {
        let homes = &self.homes;
        self.keys.retain(|_, key| {
            let is_revoked = homes.get(&key.home).is_some_and(|home| home.is_revoked);
            let is_over = |week: Week| now >= week.end().plus_seconds(DESTROYED_AFTER);
            is_revoked || !key.last_day.map(Day::week).is_some_and(is_over)
        });
        self.erasures.retain(|_, (_, until)| now < *until);
    }
}

impl Oracle {
    /// The first release of a week as it was made.
    #[must_use]
    pub fn release(&self, week: Week) -> Option<&str> {
        let id = ReleaseId { week, revision: 0 };
        self.state.releases.get(&id).map(String::as_str)
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
