//! A released week is counted again, once, with the tables in use now and the homes that are left.
//!
//! Until a week is final its journal still gives counts, and newer tables may place its servers
//! elsewhere, or the operator may have taken homes out. What may be told of that is decided by
//! [`crate::release::revision`]; here stands when it may be asked. A withdrawal is no reason for a
//! revision. A home that withdrew since is missing from the new counts, and the rule for cells hides
//! that, as it hides a single home that was revoked.

use super::{FOLDS_MAX, Weeks, WeeksError, closes_at, slices};
use crate::format::json;
use crate::metrics::Counter;
use crate::release::gate::METHOD;
use crate::release::{Release, ReleaseId, revision};
use crate::store::{ReleaseRow, Stored, WeekState};
use phonehome_proto::time::{Timestamp, Week};

/// What became of a request to revise a week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revised {
    /// It is revised now.
    Now(ReleaseId),
    /// Its last release was made with these very tables, and nobody was taken out since.
    SameTables(ReleaseId),
    /// Tables or homes are other ones, but no cell changed by enough homes: the release stays, and a
    /// revision is still possible.
    NothingToTell(ReleaseId),
    /// It was revised before; once is all.
    Twice(ReleaseId),
    /// It takes batches until then.
    StillOpen(Timestamp),
    /// It was never released.
    NotReleased,
    /// Its reports are destroyed.
    Final(ReleaseId),
    /// The first release was counted by another method, and what that changed is not for a revision.
    OtherMethod(ReleaseId),
}

impl Weeks {
    /// Revises one week by hand.
    ///
    /// # Errors
    /// When store or key fail.
    pub async fn revise(&self, week: Week, now: Timestamp) -> Result<Revised, WeeksError> {
        if now < closes_at(week) {
            return Ok(Revised::StillOpen(closes_at(week)));
        }
        for _ in 0..FOLDS_MAX {
            let releases = self.releases().await?;
            let mut releases = releases.iter().filter(|release| release.id.week == week);
            let Some(first) = releases.next() else {
                return Ok(Revised::NotReleased);
            };
            let last = releases.next_back().unwrap_or(first);
            // Read before folding: a home that withdraws meanwhile was told that it is not counted.
            let row = self.row(week).await?;
            let Some(row) = row.filter(|row| row.state < WeekState::Final) else {
                return Ok(Revised::Final(last.id));
            };
            let is_after_revocation = row.revocations > 0;
            if last.atlas == self.atlas.now().sources() && !is_after_revocation {
                return Ok(Revised::SameTables(last.id));
            }
            if last.id.revision == revision::REVISION_MAX {
                return Ok(Revised::Twice(last.id));
            }
            if first.method != METHOD {
                return Ok(Revised::OtherMethod(first.id));
            }
            let counted = self.fold(week, slices()).await?;
            let Some(revised) = revision::revise(first, &counted, is_after_revocation) else {
                return Ok(Revised::NothingToTell(first.id));
            };
            if self.keep(&revised, row.erasures, now).await? == Stored::Fresh {
                self.metrics.count(Counter::ReleasesMade);
                tracing::info!(release = %revised.id, "revision made");
                return Ok(Revised::Now(revised.id));
            }
        }
        Err(WeeksError::Restless(week))
    }

    /// Signs a release and stores it.
    pub(super) async fn keep(
        &self,
        release: &Release,
        erasures: u32,
        now: Timestamp,
    ) -> Result<Stored, WeeksError> {
        let text = json::to_json(release);
        let signature = self.identity.sign_release(&text);
        let row = ReleaseRow {
            week: release.id.week,
            revision: release.id.revision,
            text,
            signature,
        };
        Ok(self.store.release_week(row, erasures, now).await?)
    }
}
