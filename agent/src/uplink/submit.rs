//! Emptying the spool.
//!
//! Batches go oldest first, in requests that keep to the collector's limits and ours. Outcomes are
//! matched by order; one too many or too few, or one receipt that proves nothing, ends the sending
//! with everything unproven still in the spool.

use super::{Held, Pace, Rules, Uplink, UplinkError};
use crate::consent::MaySend;
use crate::seal::OurKeys;
use crate::spool::{Slot, Spool};
use phonehome_proto::id::Hash;
use phonehome_proto::limits;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::v1;

/// What became of the batches, so far.
#[derive(Debug, Default)]
pub struct Submitted {
    /// Held by the collector; gone from the spool.
    pub held: Vec<Held>,
    /// Not taken, by payload hash; gone from the spool where the refusal is final.
    pub refused: Vec<(Hash, Refusal)>,
}

/// Why a collector does not take something, as far as this version knows the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A reason of the closed list.
    Known(Reject),
    /// One that is newer than this version.
    Unknown {
        /// The same bytes will never be taken.
        is_final: bool,
    },
}

impl Uplink {
    /// Sends what waits in the spool, which takes the proof that every gate is open. `submitted` grows
    /// as answers come, so that it tells the truth also when an error ends the sending.
    ///
    /// # Errors
    /// [`UplinkError`]; what has no answer yet is still in the spool.
    pub async fn submit(
        &mut self,
        (_, rules): (&MaySend, &Rules),
        spool: &mut Spool,
        home: &OurKeys,
        pace: &mut Pace<'_>,
        submitted: &mut Submitted,
    ) -> Result<(), UplinkError> {
        let mut slots = spool.slots().into_iter().peekable();
        let mut carried = None;
        loop {
            let mut request = Request::new(rules);
            if let Some((slot, sealed)) = carried.take() {
                request.push(slot, sealed);
            }
            while let Some(&slot) = slots.peek() {
                slots.next();
                let Some(sealed) = spool.read(slot, home)? else {
                    continue;
                };
                if !request.fits(&sealed) {
                    carried = Some((slot, sealed));
                    break;
                }
                request.push(slot, sealed);
            }
            if request.batches.is_empty() {
                return Ok(());
            }
            let outcomes = self.send(&request, pace).await?;
            self.settle(request, outcomes, (spool, home), submitted)?;
        }
    }

    async fn send(
        &mut self,
        request: &Request,
        pace: &mut Pace<'_>,
    ) -> Result<Vec<v1::Outcome>, UplinkError> {
        let batches = request
            .batches
            .iter()
            .map(|(_, sealed)| status::envelope_to_wire(sealed.clone()));
        let message = v1::SubmitRequest {
            batches: batches.collect(),
        };
        let mut tries = 0;
        loop {
            match self.client.submit(message.clone()).await {
                Ok(answer) => return Ok(answer.into_inner().outcomes),
                Err(status) => self.pause_or_fail(&status, &mut tries, pace).await?,
            }
        }
    }

    fn settle(
        &self,
        request: Request,
        outcomes: Vec<v1::Outcome>,
        (spool, home): (&mut Spool, &OurKeys),
        submitted: &mut Submitted,
    ) -> Result<(), UplinkError> {
        let (sent, got) = (request.batches.len(), outcomes.len());
        if sent != got {
            return Err(self.no_answer(format_args!("{got} outcomes to {sent} batches")));
        }
        for ((slot, sealed), outcome) in request.batches.into_iter().zip(outcomes) {
            let outcome = status::outcome_from_wire(outcome);
            let refusal = match outcome.ok_or_else(|| self.no_answer("an outcome is missing"))? {
                Outcome::Receipt(receipt) => {
                    let held = Held::verify(
                        receipt,
                        PayloadType::Batch,
                        (home.id(), &sealed),
                        &self.collector,
                    )
                    .map_err(|bad| self.no_answer(bad))?;
                    spool.remove(slot)?;
                    submitted.held.push(held);
                    continue;
                }
                // A key of ours that was replaced, and is forgotten: its batches come too late for good.
                Outcome::Refused(Reject::UnknownKey) if home.is_former(&sealed) => {
                    Refusal::Known(Reject::KeyRetired)
                }
                Outcome::Refused(reject) => Refusal::Known(reject),
                Outcome::RefusedUnknown { is_final } => Refusal::Unknown { is_final },
            };
            if refusal.is_final() {
                spool.remove(slot)?;
            }
            submitted.refused.push((Hash::of(&sealed.payload), refusal));
        }
        Ok(())
    }
}

/// Batches that go together.
struct Request {
    batches: Vec<(Slot, SealedBatch)>,
    bytes: usize,
    batches_max: usize,
    bytes_max: usize,
}

impl Request {
    fn new(rules: &Rules) -> Self {
        let (batches_max, bytes_max) = rules.request_limits();
        Self {
            batches: Vec::new(),
            bytes: 0,
            batches_max,
            bytes_max,
        }
    }

    /// The first one always fits: that it is too large is the collector's to say.
    fn fits(&self, sealed: &SealedBatch) -> bool {
        self.batches.is_empty()
            || self.batches.len() < self.batches_max
                && self.bytes + Self::bytes_of(sealed) <= self.bytes_max
    }

    fn push(&mut self, slot: Slot, sealed: SealedBatch) {
        self.bytes += Self::bytes_of(&sealed);
        self.batches.push((slot, sealed));
    }

    fn bytes_of(sealed: &SealedBatch) -> usize {
        sealed.payload.len() + limits::ENVELOPE_BYTES_MAX
    }
}

impl Refusal {
    /// Whether the same bytes will never be taken.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Known(reject) => reject.is_final(),
            Self::Unknown { is_final } => is_final,
        }
    }

    /// The word in counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known(reject) => reject.as_str(),
            Self::Unknown { .. } => "unknown",
        }
    }

    /// One sentence for whoever reads the agent's output.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Known(reject) => reject.sentence(),
            Self::Unknown { .. } => {
                "the collector gives a reason that this version of the agent does not know"
            }
        }
    }
}
