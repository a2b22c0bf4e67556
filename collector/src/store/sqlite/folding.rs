//! Folding in parts, where one process has the file: remembered in memory, and begun anew when it ends.

use super::Sqlite;
use crate::store::{Fold, Lease, StoreError, Taken, WeekState};
use phonehome_proto::time::Timestamp;
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
    pub(in crate::store) async fn keep_part(
        &self,
        fold: Fold,
        part: u16,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let mut folds = self.folds.lock();
        if let Some(part) = folds
            .get_mut(&fold)
            .and_then(|all| all.get_mut(usize::from(part)))
        {
            part.sealed.get_or_insert(sealed);
        }
        Ok(())
    }

    #[expect(clippy::unused_async, reason = "as every engine's")]
    pub(in crate::store) async fn parts(&self, fold: Fold) -> Result<Vec<Vec<u8>>, StoreError> {
        let folds = self.folds.lock();
        let all = folds.get(&fold).into_iter().flatten();
        let sealed: Option<Vec<_>> = all.map(|part| part.sealed.clone()).collect();
        Ok(sealed.unwrap_or_default())
    }
}

impl Folds {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Fold, Vec<Part>>> {
        // The map is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
