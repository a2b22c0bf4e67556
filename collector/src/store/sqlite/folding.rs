//! Folding in parts, where one process has the file: remembered in memory, and begun anew when it ends.
//!
//! Nobody else could go on with it, and what never was in the file need not be taken out of its free
//! pages, its log and its backups.

use super::Sqlite;
use crate::store::{Fold, Lease, StoreError, Taken, WeekState};
use phonehome_proto::time::{Timestamp, Week};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every part of every fold that goes on. Clones are the same ones.
#[derive(Clone, Default)]
pub(super) struct Folds(Arc<Mutex<BTreeMap<Fold, Vec<Part>>>>);

#[derive(Clone, Default)]
struct Part {
    lease: Option<Lease>,
    sealed: Option<Vec<u8>>,
}

impl Sqlite {
    pub(in crate::store) async fn take_part(
        &self,
        fold: Fold,
        parts: u16,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let weeks = self.weeks().await?;
        let row = weeks.into_iter().find(|row| row.week == fold.week);
        let is_closed = |state| matches!(state, WeekState::Closed);
        let mut folds = self.folds.lock();
        if !row.is_some_and(|row| is_closed(row.state) && row.erasures == fold.erasures) {
            folds.retain(|other, _| other.week != fold.week);
            return Ok(Taken::Outdated);
        }
        folds.retain(|other, _| other.week != fold.week || other.erasures == fold.erasures);
        let all = folds
            .entry(fold)
            .or_insert_with(|| vec![Part::default(); parts.into()]);
        let is_free = |part: &Part| {
            let mine = |held: Lease| held.holder == lease.holder || held.until <= now;
            part.sealed.is_none() && part.lease.is_none_or(mine)
        };
        Ok(match all.iter().position(is_free) {
            Some(at) => {
                all[at].lease = Some(lease);
                Taken::Part(u16::try_from(at).expect("there are as many as a u16 counts"))
            }
            None if all.iter().all(|part| part.sealed.is_some()) => Taken::Done,
            None => Taken::Busy,
        })
    }

    #[expect(clippy::unused_async, reason = "as every engine's")]
    pub(in crate::store) async fn hold_part(
        &self,
        fold: Fold,
        part: u16,
        lease: Lease,
    ) -> Result<bool, StoreError> {
        let mut folds = self.folds.lock();
        let part = folds
            .get_mut(&fold)
            .and_then(|all| all.get_mut(usize::from(part)));
        let is_held = |held: Lease| held.holder == lease.holder;
        let part = part.filter(|part| part.sealed.is_none() && part.lease.is_some_and(is_held));
        Ok(part.map(|part| part.lease = Some(lease)).is_some())
    }

    #[expect(clippy::unused_async, reason = "as every engine's")]
    pub(in crate::store) async fn keep_part(
        &self,
        fold: Fold,
        part: u16,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let mut folds = self.folds.lock();
        let part = folds
            .get_mut(&fold)
            .and_then(|all| all.get_mut(usize::from(part)));
        if let Some(part) = part {
            part.sealed.get_or_insert(sealed);
        }
        Ok(())
    }

    #[expect(clippy::unused_async, reason = "as every engine's")]
    pub(in crate::store) async fn part(
        &self,
        fold: Fold,
        part: u16,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let folds = self.folds.lock();
        let part = folds.get(&fold).and_then(|all| all.get(usize::from(part)));
        Ok(part.and_then(|part| part.sealed.clone()))
    }
}

impl Folds {
    /// Forgets what was found in weeks that are told, final, or have lost a home.
    pub(super) fn forget(&self, is_outdated: impl Fn(Week) -> bool) {
        self.lock().retain(|fold, _| !is_outdated(fold.week));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Fold, Vec<Part>>> {
        // The map is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
