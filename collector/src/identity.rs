//! The collector's identity: one Ed25519 key, and everything it signs.
//!
//! Takes facts, gives envelopes: the manifest, the clock statement, receipts, erasures, releases. The TLS
//! certificate is made from the same key, self-signed, so that an invite which pins the key pins
//! the connection too. The key lives in a file of mode 0600 and leaves it for memory only.

use crate::secret_file::{self, SecretFileError};
use hmac::{Hmac, KeyInit, Mac};
use phonehome_proto::chance::Chance;
use phonehome_proto::encode;
use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::limits;
use phonehome_proto::manifest::{
    ClockStatement, EnrolmentMode, Manifest, ManifestLimits, Purpose, Retention,
};
use phonehome_proto::receipt::Receipt;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey, VerifyingKey};
use phonehome_proto::time::Timestamp;
use phonehome_proto::withdrawal::Erasure;
use sha2::Sha256;
use std::path::Path;
use zeroize::Zeroizing;

/// The key, and in whose name it signs.
#[derive(Debug)]
pub struct Identity {
    key: SigningKey,
    audience: Audience,
    purpose: Purpose,
    enrolment: EnrolmentMode,
}

/// Keeps this use of the key apart from signing.
const LISTED_LABEL: &[u8] = b"phonehome homes that were erased";

/// What a collector promises about a volunteer's data, in one paragraph; part of its manifest.
const PRIVACY_LABEL: &str = "\
    Your home sends, once a day, which makers' phones were present and which listed servers of a \
    public list they contacted: never a name, an address or a time of day. What it sends is kept \
    encrypted until its week is counted and destroyed seven days after the week's end; until then \
    whoever holds this collector's database and its keys could read it. Of your address only the \
    country and the network are kept, and, of the month in which you join and the next, how many homes \
    joined from around it, under a key that is then destroyed. A number is published only when at least ten homes of at \
    least three networks stand behind it.";

impl Identity {
    /// The identity in the key file at `path`.
    ///
    /// # Errors
    /// When there is none, or it holds no key.
    pub fn load(path: &Path, purpose: Purpose) -> Result<Self, SecretFileError> {
        secret_file::read(path).map(|seed| Self::new(SigningKey::from_seed(&seed), purpose))
    }

    /// A new identity, written to a key file at `path` where there must be none yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(
        path: &Path,
        purpose: Purpose,
        chance: &mut impl Chance,
    ) -> Result<Self, SecretFileError> {
        let seed = Zeroizing::new(chance.bytes());
        secret_file::create(path, &seed)?;
        Ok(Self::new(SigningKey::from_seed(&seed), purpose))
    }

    /// The identity that signs with `key`.
    #[must_use]
    pub fn new(key: SigningKey, purpose: Purpose) -> Self {
        let audience = key.public().audience();
        Self {
            key,
            audience,
            purpose,
            enrolment: EnrolmentMode::default(),
        }
    }

    /// The same, announcing what becomes of homes without an invite.
    #[must_use]
    pub const fn announcing(mut self, enrolment: EnrolmentMode) -> Self {
        self.enrolment = enrolment;
        self
    }

    /// The public key: in invites, in `collector.pub`, in the TLS certificate.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        self.key.public()
    }

    /// The audience every payload for this collector must name.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        self.audience
    }

    /// Findings, or an exercise.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What becomes of a home that brings no invite.
    #[must_use]
    pub const fn enrolment(&self) -> EnrolmentMode {
        self.enrolment
    }

    /// The private key, for the one certificate and for `publish`.
    #[must_use]
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The rules, but for serial and date, which [`Self::manifest`] adds.
    #[must_use]
    pub fn rules(&self) -> Manifest {
        let bound = |value: usize| u32::try_from(value).expect("limits are far below 4 GiB");
        let days = |seconds: i64| u32::try_from(seconds / 86_400).expect("a few days");
        Manifest {
            audience: self.audience,
            serial: 1,
            valid_until: Timestamp::from_seconds(0),
            next_key: None,
            purpose: self.purpose,
            k: limits::GATE_HOMES_MIN,
            network_homes_max: limits::NETWORK_HOMES_MAX,
            rounding: limits::ROUNDING,
            limits: ManifestLimits {
                batch_bytes_max: bound(limits::PAYLOAD_BYTES_MAX),
                request_batches_max: bound(limits::REQUEST_BATCHES_MAX),
                request_bytes_max: bound(limits::REQUEST_BYTES_MAX),
                skew_seconds_max: u32::try_from(limits::SKEW_SECONDS_MAX).expect("minutes"),
            },
            retention: Retention {
                accept_days: days(limits::WEEK_ACCEPT_SECONDS),
                destroy_days: days(limits::WEEK_DESTROY_SECONDS),
            },
            accepted_types: vec![
                PayloadType::Batch,
                PayloadType::Enrol,
                PayloadType::Rotate,
                PayloadType::Withdraw,
            ],
            endpoint_list_versions: counted_lists(ENDPOINT_LIST_VERSION),
            privacy_label: PRIVACY_LABEL.to_owned(),
            enrolment: self.enrolment,
        }
    }

    /// What tells one set of rules from another.
    #[must_use]
    pub fn rules_hash(&self) -> Hash {
        Hash::of(&encode::manifest(&self.rules()))
    }

    /// The sealed manifest of the day `now` lies in: the same bytes all day, valid for 14 days from
    /// that midnight.
    #[must_use]
    pub fn manifest(&self, serial: u64, now: Timestamp) -> SealedBatch {
        let midnight = now.day().map_or(now, |day| day.start());
        let valid_until = midnight.plus_seconds(limits::MANIFEST_VALID_SECONDS_MAX);
        let manifest = Manifest {
            serial,
            valid_until,
            ..self.rules()
        };
        self.seal(PayloadType::Manifest, encode::manifest(&manifest))
    }

    /// The collector's word on the time.
    #[must_use]
    pub fn clock(&self, nonce: [u8; 16], manifest: &SealedBatch, now: Timestamp) -> SealedBatch {
        let manifest_hash = Hash::of(&manifest.payload);
        let time = Timestamp::from_seconds(now.seconds());
        self.seal(
            PayloadType::Clock,
            encode::clock(&ClockStatement {
                nonce,
                manifest_hash,
                time,
            }),
        )
    }

    /// The collector's word that it holds a payload.
    #[must_use]
    pub fn receipt(
        &self,
        home: HomeId,
        payload_type: PayloadType,
        payload_hash: Hash,
        now: Timestamp,
    ) -> SealedBatch {
        let receipt = Receipt {
            audience: self.audience,
            home,
            payload_type,
            payload_hash,
            received_at: Timestamp::from_seconds(now.seconds()),
            purpose: self.purpose,
        };
        self.seal(PayloadType::Receipt, encode::receipt(&receipt))
    }

    /// The collector's word that it has forgotten a home.
    #[must_use]
    pub fn erasure(&self, erasure: &Erasure) -> SealedBatch {
        self.seal(PayloadType::Erasure, encode::erasure(erasure))
    }

    /// The signature of a release's text.
    #[must_use]
    pub fn sign_release(&self, text: &str) -> [u8; 64] {
        self.key.sign(PayloadType::Release, text.as_bytes())
    }

    /// What stands for a home in the ledger: HMAC under a key that grows from this one. Who has the
    /// ledger can tell nothing from it; who has this key can tell whether a home that it knows is
    /// there.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn listed(&self, home: HomeId) -> Hash {
        let mac = |key: &[u8], message: &[u8]| -> [u8; 32] {
            let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
            mac.chain_update(message).finalize().into_bytes().into()
        };
        let key = Zeroizing::new(mac(&*self.key.seed(), LISTED_LABEL));
        Hash::new(mac(&*key, home.as_bytes()))
    }

    /// The signature of a link of the ledger, or of what stands at the end of a backup.
    #[must_use]
    pub fn sign_ledger(&self, text: &str) -> [u8; 64] {
        self.key.sign(PayloadType::Ledger, text.as_bytes())
    }

    /// Whether this collector signed `text` so.
    #[must_use]
    pub fn has_signed_ledger(&self, text: &str, signature: &[u8]) -> bool {
        let key = self.public();
        key.verify(PayloadType::Ledger, text.as_bytes(), signature)
            .is_ok()
    }

    fn seal(&self, payload_type: PayloadType, payload: Vec<u8>) -> SealedBatch {
        SealedBatch::seal(payload_type, payload, &self.key)
    }
}

/// Versions of the endpoint list that are counted by a collector that was built with this one: it, and those
/// before, since an id means one endpoint for ever and homes are slower to change their agent than operators
/// their collector. A later list is not: nobody here knows who owns what it names, and agents that have one
/// go by their compiled-in list instead.
fn counted_lists(newest: u32) -> Vec<u32> {
    let most = u32::try_from(limits::ENDPOINT_LIST_VERSIONS_MAX).unwrap_or(u32::MAX);
    let oldest = newest.saturating_sub(most - 1).max(1);
    (oldest..=newest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_with_an_older_list_are_counted_and_those_with_a_later_one_told() {
        assert_eq!(counted_lists(1), [1]);
        assert_eq!(counted_lists(3), [1, 2, 3]);
        let many = counted_lists(100);
        assert_eq!(many.len(), limits::ENDPOINT_LIST_VERSIONS_MAX);
        assert_eq!(many.last(), Some(&100));
    }
}
