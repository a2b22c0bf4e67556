//! What concerns the home itself: joining, another key, leaving.
//!
//! Each call sends one sealed payload and gives the collector's word on it, verified, or its refusal.
//! All of them may be repeated with the same bytes. Only joining needs rules that hold: a household
//! can change its key, and leave, under any.

use super::{Erased, Held, Pace, Refusal, Rules, Uplink, UplinkError};
use phonehome_proto::id::HomeId;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::v1;

impl Uplink {
    /// Asks to be taken in; the collector's word is a receipt or a refusal.
    ///
    /// # Errors
    /// [`UplinkError`].
    pub async fn enrol(
        &mut self,
        _under: &Rules,
        enrolment: &SealedBatch,
        invite_token: Option<[u8; 16]>,
        pace: &mut Pace<'_>,
    ) -> Result<Result<Held, Refusal>, UplinkError> {
        let request = v1::EnrolRequest {
            enrolment: Some(status::envelope_to_wire(enrolment.clone())),
            invite_token: invite_token.map_or_else(Vec::new, |token| token.to_vec()),
        };
        let mut tries = 0;
        let answer = loop {
            match self.client.enrol(request.clone()).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) => self.pause_or_fail(&status, &mut tries, pace).await?,
            }
        };
        // The key that enrols becomes the home.
        let key = VerifyingKey::from_bytes(&enrolment.public_key);
        let home = key.expect("an enrolment is signed with a key").home();
        self.held(answer.outcome, PayloadType::Enrol, (home, enrolment))
    }

    /// Asks that `home` be known by another key.
    ///
    /// # Errors
    /// [`UplinkError`].
    pub async fn rotate(
        &mut self,
        (home, rotation): (HomeId, &SealedBatch),
        pace: &mut Pace<'_>,
    ) -> Result<Result<Held, Refusal>, UplinkError> {
        let request = v1::RotateKeyRequest {
            rotation: Some(status::envelope_to_wire(rotation.clone())),
        };
        let mut tries = 0;
        let answer = loop {
            match self.client.rotate_key(request.clone()).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) => self.pause_or_fail(&status, &mut tries, pace).await?,
            }
        };
        self.held(answer.outcome, PayloadType::Rotate, (home, rotation))
    }

    /// Asks that `home` be forgotten.
    ///
    /// # Errors
    /// [`UplinkError`].
    pub async fn withdraw(
        &mut self,
        (home, withdrawal): (HomeId, &SealedBatch),
        pace: &mut Pace<'_>,
    ) -> Result<Result<Erased, Refusal>, UplinkError> {
        let request = v1::WithdrawRequest {
            withdrawal: Some(status::envelope_to_wire(withdrawal.clone())),
        };
        let mut tries = 0;
        let answer = loop {
            match self.client.withdraw(request.clone()).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) => self.pause_or_fail(&status, &mut tries, pace).await?,
            }
        };
        match self.word(answer.outcome)? {
            Ok(erasure) => Erased::verify(erasure, (home, withdrawal), &self.collector)
                .map(Ok)
                .map_err(|bad| self.no_answer(bad)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// The receipt in an outcome, verified, or the refusal.
    fn held(
        &self,
        outcome: Option<v1::Outcome>,
        kind: PayloadType,
        sent: (HomeId, &SealedBatch),
    ) -> Result<Result<Held, Refusal>, UplinkError> {
        match self.word(outcome)? {
            Ok(receipt) => Held::verify(receipt, kind, sent, &self.collector)
                .map(Ok)
                .map_err(|bad| self.no_answer(bad)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// What the collector signed, not yet verified, or its refusal.
    fn word(
        &self,
        outcome: Option<v1::Outcome>,
    ) -> Result<Result<SealedBatch, Refusal>, UplinkError> {
        let outcome = outcome.and_then(status::outcome_from_wire);
        Ok(
            match outcome.ok_or_else(|| self.no_answer("the outcome is missing"))? {
                Outcome::Receipt(sealed) => Ok(sealed),
                Outcome::Refused(reject) => Err(Refusal::Known(reject)),
                Outcome::RefusedUnknown { is_final } => Err(Refusal::Unknown { is_final }),
            },
        )
    }
}
