//! Batch -> [`SealedBatch`]: encoded once, signed once.
//!
//! Takes a [`Batch`] and the home's key, gives the bytes that are spooled, shown, sent and stored.
//! Nothing after this stage encodes or signs again: a second sealing would be a second truth, and
//! `preview` would show something that is never sent.

pub mod file;
mod ours;

pub use ours::OurKeys;

use phonehome_proto::batch::Batch;
use phonehome_proto::encode;
use phonehome_proto::limits;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};

/// Signs a batch with the home's key.
///
/// # Panics
/// When the batch encodes to more than [`limits::PAYLOAD_BYTES_MAX`], which its own bounds forbid.
#[must_use]
pub fn seal(batch: &Batch, key: &SigningKey) -> SealedBatch {
    let payload = encode::batch(batch);
    assert!(
        payload.len() <= limits::PAYLOAD_BYTES_MAX,
        "a full batch fits its payload"
    );
    SealedBatch::seal(PayloadType::Batch, payload, key)
}
