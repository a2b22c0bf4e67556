//! The uplink: gRPC to one pinned collector, and nobody else.
//!
//! Takes a spool, gives receipts. It promises that
//! - nothing is sent to whoever does not hold the key that came with the invite, over TLS and in
//!   every answer: rules, enrolment and receipts must each be signed with it;
//! - no batch is sent under rules that are not verified, or while a gate is shut: [`Uplink::submit`]
//!   takes [`Rules`] and [`MaySend`](crate::consent::MaySend);
//! - a batch leaves the spool on a verified receipt or a final refusal, and is counted either way;
//! - every failure leaves the spool as it was and is one sentence ([`UplinkError`]).
//!
//! Delivery is at least once: a receipt lost on the way is asked for again with the same bytes, and
//! the collector gives the first one again.

mod address;
mod connect;
mod membership;
mod patience;
mod pin;
mod receipts;
mod rules;
mod submit;

pub use address::{CollectorUrl, NotAnAddress, Security};
pub use connect::ConnectFailure;
pub use patience::{PAUSE_SECONDS_MAX, TRIES_MAX, Waits, later};
pub use receipts::{BadReceipt, Erased, Held};
pub use rules::{Rules, RulesRefused};
pub use submit::{Refusal, Submitted};

use crate::spool::SpoolError;
use phonehome_proto::chance::Chance;
use phonehome_proto::limits;
use phonehome_proto::seal::VerifyingKey;
use phonehome_proto::status;
use phonehome_proto::v1;
use phonehome_proto::v1::intake_client::IntakeClient;
use thiserror::Error;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// A connection to the pinned collector.
pub struct Uplink {
    client: IntakeClient<Channel>,
    url: CollectorUrl,
    collector: VerifyingKey,
}

/// Chance and patience, which only `run` has.
pub struct Pace<'a> {
    /// Where jitter and nonces come from.
    pub chance: &'a mut dyn Chance,
    /// Who waits.
    pub waits: &'a mut dyn Waits,
}

/// Why something could not be sent. Nothing is lost by it.
#[derive(Debug, Error)]
pub enum UplinkError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectFailure),
    /// There are no rules to send by.
    #[error(transparent)]
    Rules(#[from] RulesRefused),
    /// The collector has no time for us.
    #[error("the collector at {url} is busy; {tries} tries did not help, so try again later")]
    Busy {
        /// Where.
        url: CollectorUrl,
        /// How often.
        tries: u32,
        /// How long a pause it asked for last.
        asked_seconds: Option<u64>,
    },
    /// The collector answered with something else.
    #[error("the collector at {url} gave an answer that is none: {what}")]
    Answer {
        /// Where.
        url: CollectorUrl,
        /// What was wrong.
        what: String,
    },
    /// The spool failed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Uplink {
    /// Connects to whoever holds `collector` at `url`.
    ///
    /// # Errors
    /// [`ConnectFailure`].
    pub async fn connect(
        url: CollectorUrl,
        collector: VerifyingKey,
    ) -> Result<Self, ConnectFailure> {
        let channel = connect::channel(&url, &collector).await?;
        Ok(Self::over(channel, url, collector))
    }

    /// The same over a channel that is there already: whoever made it answers for where it leads, and
    /// every answer must still be signed with `collector`. A simulation's channels lead through memory.
    #[must_use]
    pub fn over(channel: Channel, url: CollectorUrl, collector: VerifyingKey) -> Self {
        let client =
            IntakeClient::new(channel).max_decoding_message_size(limits::REQUEST_BYTES_MAX);
        Self {
            client,
            url,
            collector,
        }
    }

    /// Asks for the collector's rules and verifies them.
    ///
    /// `serial_seen` is the highest serial it has shown before; `lists` are the versions of the endpoint
    /// lists that the home could go by.
    ///
    /// # Errors
    /// [`UplinkError`].
    pub async fn rules(
        &mut self,
        (serial_seen, lists): (Option<u64>, &[u32]),
        pace: &mut Pace<'_>,
    ) -> Result<Rules, UplinkError> {
        let mut nonce = [0; 16];
        pace.chance.fill(&mut nonce);
        let request = v1::GetManifestRequest {
            nonce: nonce.to_vec(),
        };
        let mut tries = 0;
        let answer = loop {
            match self.client.get_manifest(request.clone()).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) => self.pause_or_fail(&status, &mut tries, pace).await?,
            }
        };
        let (Some(manifest), Some(clock)) = (answer.manifest, answer.clock) else {
            return Err(RulesRefused::NotSigned.into());
        };
        let clock = status::envelope_from_wire(clock);
        let envelopes = (status::envelope_from_wire(manifest), &clock);
        Ok(Rules::verify(
            envelopes,
            &self.collector,
            &nonce,
            (serial_seen, lists),
        )?)
    }

    /// Waits if the collector asked for it or is out of reach for the moment, and tells when not to
    /// try again.
    async fn pause_or_fail(
        &self,
        status: &Status,
        tries: &mut u32,
        pace: &mut Pace<'_>,
    ) -> Result<(), UplinkError> {
        *tries += 1;
        let failure = ConnectFailure::within(status);
        let passes = match &failure {
            Some(failure) => matches!(failure, ConnectFailure::Unreachable { .. }),
            // Cancelled is how tonic says that its own deadline passed. All requests may be repeated.
            None => matches!(
                status.code(),
                Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Unknown
            ),
        };
        let asked = status::retry_after_seconds(status);
        let is_soon = asked.is_none_or(|seconds| seconds <= PAUSE_SECONDS_MAX);
        if passes && is_soon && *tries < TRIES_MAX {
            tracing::debug!(tries, code = ?status.code(), "collector not available, waiting");
            pace.waits
                .wait(patience::pause(*tries, asked, pace.chance))
                .await;
            return Ok(());
        }
        Err(match failure {
            Some(failure) => failure.into(),
            None if passes => UplinkError::Busy {
                url: self.url.clone(),
                tries: *tries,
                asked_seconds: asked,
            },
            None => self.no_answer(format_args!("{:?}", status.code())),
        })
    }

    fn no_answer(&self, what: impl ToString) -> UplinkError {
        UplinkError::Answer {
            url: self.url.clone(),
            what: what.to_string(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
