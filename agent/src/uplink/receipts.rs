//! A collector's word that it holds something, verified.

use phonehome_proto::decode;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::receipt::Receipt;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use thiserror::Error;

/// A verified receipt: the collector holds exactly these bytes of ours, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    receipt: Receipt,
    sealed: SealedBatch,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadReceipt {
    /// The signature is missing, or of another key.
    #[error("a receipt is not signed with the key of your collector")]
    NotSigned,
    /// It cannot be read.
    #[error("a receipt cannot be read")]
    Unreadable,
    /// It speaks of another collector, home, kind or payload.
    #[error("a receipt is for something else than what was sent")]
    ForSomethingElse,
}

impl Held {
    /// The proof in `receipt` that `collector` holds what `sent` holds.
    ///
    /// # Errors
    /// [`BadReceipt`].
    pub fn verify(
        receipt: SealedBatch,
        kind: PayloadType,
        sent: &SealedBatch,
        collector: &VerifyingKey,
    ) -> Result<Self, BadReceipt> {
        let payload = receipt
            .open(PayloadType::Receipt, collector)
            .map_err(|_| BadReceipt::NotSigned)?;
        let read = decode::receipt(payload).map_err(|_| BadReceipt::Unreadable)?;
        // The home's first key is its only one in this version, and every envelope shows it.
        let home = VerifyingKey::from_bytes(&sent.public_key).map(|key| key.home());
        let fits = read.audience == collector.audience()
            && home.is_ok_and(|home: HomeId| home == read.home)
            && read.payload_type == kind
            && read.payload_hash == Hash::of(&sent.payload);
        if fits {
            Ok(Self {
                receipt: read,
                sealed: receipt,
            })
        } else {
            Err(BadReceipt::ForSomethingElse)
        }
    }

    /// What the collector says.
    #[must_use]
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The same as it was signed, to be kept.
    #[must_use]
    pub const fn sealed(&self) -> &SealedBatch {
        &self.sealed
    }
}
