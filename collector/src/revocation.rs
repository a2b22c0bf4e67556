//! Revocation: the operator takes homes out of every week that is not final.
//!
//! Takes homes, gives what became of each. In one transaction go the homes' batches of every week that
//! is not final, with what told their repetitions; their keys stay, so that what they sign is refused
//! for good. A batch that was under way finds its home out, in the transaction that would have appended
//! it. A week that was released before may be revised for that reason; one that was not is counted
//! without them.
//!
//! **It survives a restore.** The ledger names each home as it names those that withdrew, by an HMAC that
//! only the identity's holder can tell, and beside them how many homes went out of which weeks. The ledger's
//! copy is on the disk before the operator is told. So whoever puts a database back from a backup may rely
//! on this: a home that was revoked since and is in the backup is revoked in it, its batches of every week
//! that is not final are gone, and one that the backup does not know is refused when it comes again.

use crate::identity::Identity;
use crate::journal::keys::{WeekKeyError, WeekKeys};
use crate::ledger::{LedgerCopy, LedgerError};
use crate::store::{
    HomeToRevoke, RevokeAttempt, Revoked, RevokedHome, Store, StoreError, WeekState,
};
use phonehome_proto::id::HomeId;
use phonehome_proto::time::Timestamp;
use std::sync::Arc;
use thiserror::Error;

/// Takes homes out. Clones act on the same ones.
#[derive(Clone, Debug)]
pub struct Revocations {
    /// Holds what is to go.
    pub store: Store,
    /// Know under which tokens.
    pub keys: WeekKeys,
    /// Knows what the ledger calls them.
    pub identity: Arc<Identity>,
    /// Remembers that they are out when the store is put back from a backup.
    pub ledger: LedgerCopy,
}

/// Why no home was taken out.
#[derive(Debug, Error)]
pub enum RevocationError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A week's key cannot be used: nobody can say which of its rows are the homes'.
    #[error(transparent)]
    Key(#[from] WeekKeyError),
    /// They are out, but the ledger's copy does not say so yet: a collector that serves, or the next
    /// command, writes it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Weeks begin or end each time somebody looks.
    #[error("weeks are beginning or ending just now: try again")]
    Restless,
}

/// Homes in one transaction: their tokens are in memory meanwhile.
pub const REVOKED_TOGETHER_MAX: usize = 1_024;

/// Weeks that begin and end between looking and doing are looked at again, so often.
const ROUNDS_MAX: u32 = 16;

impl Revocations {
    /// Takes homes out, at most [`REVOKED_TOGETHER_MAX`] at once; one answer for each, in order. A home
    /// that is named twice is out the first time.
    ///
    /// # Errors
    /// [`RevocationError`]; the homes of whole groups before may be out.
    pub async fn revoke(
        &self,
        homes: &[HomeId],
        now: Timestamp,
    ) -> Result<Vec<RevokedHome>, RevocationError> {
        let mut answers = Vec::with_capacity(homes.len());
        for group in homes.chunks(REVOKED_TOGETHER_MAX) {
            answers.extend(self.revoke_together(group, now).await?);
        }
        Ok(answers)
    }

    async fn revoke_together(
        &self,
        homes: &[HomeId],
        now: Timestamp,
    ) -> Result<Vec<RevokedHome>, RevocationError> {
        for _ in 0..ROUNDS_MAX {
            let attempt = self.attempt(homes, now).await?;
            match self.store.revoke(attempt).await? {
                Revoked::Done(answers) => {
                    // Before anybody is told.
                    self.ledger.follow(&self.store).await?;
                    return Ok(answers);
                }
                Revoked::Otherwise => {}
            }
        }
        Err(RevocationError::Restless)
    }

    /// What to ask of the store if no week begins or ends meanwhile.
    async fn attempt(
        &self,
        homes: &[HomeId],
        now: Timestamp,
    ) -> Result<RevokeAttempt, RevocationError> {
        let mut keys = Vec::new();
        for row in self.store.weeks().await? {
            if row.state != WeekState::Final {
                let key = self.keys.existing(row.week)?;
                let key = key.filter(|key| key.check() == row.key_check);
                keys.push(key.ok_or(WeekKeyError::Exchanged(row.week))?);
            }
        }
        let to_revoke = |home: &HomeId| {
            let tokens = keys.iter().map(|key| (key.week(), key.home_token(*home)));
            HomeToRevoke {
                home: *home,
                held: tokens.collect(),
                listed: self.identity.listed(*home),
            }
        };
        Ok(RevokeAttempt {
            homes: homes.iter().map(to_revoke).collect(),
            now,
        })
    }
}
