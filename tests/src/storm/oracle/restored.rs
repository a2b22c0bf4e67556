//! What is true after the database was lost and a copy of it was put in its place.

use super::super::happened::Happened;
use super::State;
use phonehome_collector::store::WeekState;
use phonehome_proto::id::HomeId;

impl State {
    /// This is what was true when the database was lost, `kept` when it was copied; gives what is true of
    /// the copy once the ledger has told it what happened since. What was acknowledged since is lost, by
    /// the nature of a copy. What a copy must not bring back is gone: homes that left, homes that were
    /// revoked, weeks that are over.
    #[must_use]
    pub fn restored(&self, kept: &Self, happened: &mut Happened) -> Self {
        let mut now = kept.clone();
        // Before weeks are released: a release made since may have been counted without them.
        let revoked: Vec<HomeId> = self.barred.iter().copied().collect();
        for home in revoked {
            let member = now.homes.get(&home);
            let is_back = member.is_some_and(|member| !member.is_revoked());
            happened.note_if(is_back, "restore", "who was revoked stays out");
            now.take_out(home);
        }
        for (week, state) in &mut now.weeks {
            let later = self.weeks.get(week).copied().unwrap_or(*state);
            let is_closed = *state == WeekState::Open && later > WeekState::Open;
            happened.note_if(is_closed, "restore", "a week is closed again");
            let is_destroyed = *state < WeekState::Final && later == WeekState::Final;
            happened.note_if(is_destroyed, "restore", "a week is destroyed again");
            *state = later.max(*state);
            if *state == WeekState::Final {
                now.held.remove(week);
                now.thinned.remove(week);
            }
        }
        let gone: Vec<HomeId> = self.left.iter().copied().collect();
        for home in gone {
            let is_back = now.homes.contains_key(&home);
            happened.note_if(is_back, "restore", "who left stays gone");
            now.forget_home(home);
        }
        let back = self
            .releases
            .keys()
            .any(|id| !now.releases.contains_key(id));
        happened.note_if(back, "restore", "a release comes back");
        now.releases.clone_from(&self.releases);
        now.left.clone_from(&self.left);
        now.barred.clone_from(&self.barred);
        // Their keys are there; whoever reports of them finds that out.
        let unknown = self
            .weeks
            .iter()
            .filter(|(week, state)| **state != WeekState::Final && !now.weeks.contains_key(week));
        now.perhaps = unknown.map(|(week, _)| *week).collect();
        let still = self.perhaps.iter();
        now.perhaps
            .extend(still.filter(|week| !kept.weeks.contains_key(week)));
        let rows = |state: &Self| -> usize { state.held.values().map(|held| held.len()).sum() };
        happened.note_if(rows(&now) < rows(self), "restore", "batches since are lost");
        now
    }

    /// Whether a home is in, however it stands.
    #[must_use]
    pub fn knows(&self, home: HomeId) -> bool {
        self.homes.contains_key(&home)
    }
}
