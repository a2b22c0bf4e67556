//! A collector's word that it holds something, or nothing any more, verified.

use phonehome_proto::decode;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::receipt::Receipt;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::withdrawal::Erasure;
use thiserror::Error;

/// A verified receipt: the collector holds exactly these bytes of ours, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    receipt: Receipt,
    sealed: SealedBatch,
}

/// A verified erasure: the collector has forgotten this home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    erasure: Erasure,
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
    /// The proof in `receipt` that `collector` holds what `home` sent.
    ///
    /// Which of the home's keys signed it says nothing: a receipt names the home.
    ///
    /// # Errors
    /// [`BadReceipt`].
    pub fn verify(
        receipt: SealedBatch,
        kind: PayloadType,
        (home, sent): (HomeId, &SealedBatch),
        collector: &VerifyingKey,
    ) -> Result<Self, BadReceipt> {
        let payload = receipt
            .open(PayloadType::Receipt, collector)
            .map_err(|_| BadReceipt::NotSigned)?;
        let read = decode::receipt(payload).map_err(|_| BadReceipt::Unreadable)?;
        let fits = read.audience == collector.audience()
            && read.home == home
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

impl Erased {
    /// The proof in `erasure` that `collector` did what `home` asked for with the withdrawal `sent`.
    ///
    /// # Errors
    /// [`BadReceipt`].
    pub fn verify(
        erasure: SealedBatch,
        (home, sent): (HomeId, &SealedBatch),
        collector: &VerifyingKey,
    ) -> Result<Self, BadReceipt> {
        let payload = erasure
            .open(PayloadType::Erasure, collector)
            .map_err(|_| BadReceipt::NotSigned)?;
        let read = decode::erasure(payload).map_err(|_| BadReceipt::Unreadable)?;
        let fits = read.audience == collector.audience()
            && read.home == home
            && read.withdrawal_hash == Hash::of(&sent.payload);
        if fits {
            Ok(Self {
                erasure: read,
                sealed: erasure,
            })
        } else {
            Err(BadReceipt::ForSomethingElse)
        }
    }

    /// What the collector says.
    #[must_use]
    pub const fn erasure(&self) -> &Erasure {
        &self.erasure
    }

    /// The same as it was signed, to be kept.
    #[must_use]
    pub const fn sealed(&self) -> &SealedBatch {
        &self.sealed
    }
}
