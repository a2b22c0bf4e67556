//! `backup FILE`: a copy of the database while the collector serves.

use super::Found;
use crate::backup::{Draft, Label};
use crate::ledger::Head;
use crate::run::RunError;
use crate::run::ground::Ground;
use phonehome_proto::id::Hash;
use phonehome_proto::time::Timestamp;
use std::path::Path;

/// `backup FILE`: writes what the database holds now to a file that is not there yet.
///
/// # Errors
/// When the store or the disk fails; then there is no such file.
pub async fn backup(ground: &Ground, file: &Path, now: Timestamp) -> Result<Found, RunError> {
    let draft = Draft::begin(file)?;
    let snapshot = ground.store.snapshot(draft.part().to_owned()).await?;
    let head = snapshot.last.as_ref().map_or(Head::NONE, Head::of);
    let label = Label {
        audience: ground.identity.audience(),
        purpose: ground.identity.purpose(),
        schema: snapshot.schema,
        made_at: now,
        head,
        bytes: 0,
        hash: Hash::new([0; 32]),
    };
    // What the backup holds, its ledger's copy tells too: without that it cannot be restored.
    ground.ledger.follow(&ground.store).await?;
    let label = draft.finish(label, &ground.identity)?;
    Ok(Found::good(format!(
        "{}: {} bytes, up to link {} of the ledger\n",
        file.display(),
        label.bytes,
        head.number
    )))
}
