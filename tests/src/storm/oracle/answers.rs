//! What the collector answers to batches.

use super::super::line::{Content, Told};
use super::state::Held;
use super::{ACCEPTED_FOR, HOME_WEEK_BATCHES_MAX, Oracle, SKEW, Tally, Wrong, name_of};
use phonehome_collector::store::{Standing, WeekState};
use phonehome_proto::decode;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::{Timestamp, Week};
use phonehome_proto::v1;
use tonic::Code;

/// What must be said to one thing that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Foretold {
    /// A receipt that was never given before.
    Fresh,
    /// This one again.
    Repeated(SealedBatch),
    /// No.
    Refused(Reject),
}

impl Oracle {
    /// Hears what reached the collector at `now`, and its answer. One that `may_fail`, because its disk
    /// is full, may put things off.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hear(
        &mut self,
        told: &Told,
        (now, mode): (Timestamp, EnrolmentMode),
        may_fail: bool,
    ) -> Result<(), Wrong> {
        let outcomes = match &told.answer {
            Ok(outcomes) => Some(outcomes.clone()),
            Err(Code::Unavailable) if may_fail => None,
            Err(code) => return Err(format!("was put off for no reason: {code:?}")),
        };
        match &told.letter.content {
            Content::Submit(request) => self.hear_batches(request, outcomes, now),
            Content::Enrol(request) => self.hear_enrolment(request, one(outcomes)?, (now, mode)),
            Content::Rotate(request) => self.hear_rotation(request, one(outcomes)?, now),
            Content::Withdraw(request) => self.hear_withdrawal(request, one(outcomes)?, now),
        }
    }

    fn hear_batches(
        &mut self,
        request: &v1::SubmitRequest,
        outcomes: Option<Vec<v1::Outcome>>,
        now: Timestamp,
    ) -> Result<(), Wrong> {
        let batches = request.batches.iter().cloned();
        let batches: Vec<SealedBatch> = batches.map(status::envelope_from_wire).collect();
        self.state.counted.batches.received += batches.len() as u64;
        let Some(outcomes) = outcomes else {
            self.state.counted.batches.deferred += batches.len() as u64;
            self.happened.note_many("batch", "put off", batches.len());
            for sealed in &batches {
                // Its week may have been opened, and nothing more.
                if self.foretell(sealed, now) == Foretold::Fresh {
                    let week = self.facts[&name_of(sealed)].day.week();
                    self.state.perhaps.insert(week);
                }
            }
            return Ok(());
        };
        if outcomes.len() != batches.len() {
            return Err(format!(
                "{} outcomes to {} batches",
                outcomes.len(),
                batches.len()
            ));
        }
        for (sealed, outcome) in batches.iter().zip(outcomes) {
            self.hear_batch(sealed, outcome, now)?;
        }
        Ok(())
    }

    fn hear_batch(
        &mut self,
        sealed: &SealedBatch,
        outcome: v1::Outcome,
        now: Timestamp,
    ) -> Result<(), Wrong> {
        let foretold = self.foretell(sealed, now);
        let name = name_of(sealed);
        let payload = name.0;
        let said = status::outcome_from_wire(outcome).ok_or("an outcome that is none")?;
        let about = (sealed, PayloadType::Batch);
        let home = self.facts.get(&name).map(|fact| fact.home);
        let fresh = self.check(&foretold, &said, about, (home, now))?;
        note(&mut self.state.counted.batches, &foretold);
        self.happened.note(
            "batch",
            match &foretold {
                Foretold::Fresh => "accepted",
                Foretold::Repeated(_) => "repeated",
                Foretold::Refused(why) => why.as_str(),
            },
        );
        if let (Some(fact), true) = (self.facts.get(&name), is_in_time(self, &name, now)) {
            let (week, state) = (fact.day.week(), &mut self.state);
            // Whatever came of it: it was asked for its key.
            if passes_verification(&foretold) && !state.weeks.contains_key(&week) {
                state.weeks.insert(week, WeekState::Open);
                self.happened.note("week", "opened");
            }
        }
        if let Some(receipt) = fresh {
            self.said.insert(receipt.payload.clone());
            let fact = &self.facts[&name];
            let standing = self.state.homes.get(&fact.home).map(|home| home.standing);
            let is_on_probation = matches!(
                standing,
                Some(Standing::Admitted { counted_from: Some(first) }) if fact.day < first
            );
            self.happened
                .note_if(is_on_probation, "batch", "held on probation");
            let week = self.state.held.entry(fact.day.week()).or_default();
            let held = Held {
                payload,
                receipt,
                fact: name.clone(),
                is_on_probation,
            };
            week.insert((fact.home, fact.batch_id), held);
        }
        Ok(())
    }

    fn foretell(&self, sealed: &SealedBatch, now: Timestamp) -> Foretold {
        let Some(key) = self.state.keys.get(&sealed.public_key) else {
            return Foretold::Refused(Reject::UnknownKey);
        };
        let Some(fact) = self.facts.get(&name_of(sealed)) else {
            return Foretold::Refused(Reject::BadSignature);
        };
        if fact.is_forged {
            return Foretold::Refused(Reject::BadSignature);
        }
        match self.state.homes.get(&key.home).map(|home| home.standing) {
            Some(Standing::Pending) => return Foretold::Refused(Reject::NotApproved),
            Some(Standing::Revoked) => return Foretold::Refused(Reject::Revoked),
            Some(Standing::Admitted { .. }) | None => {}
        }
        if key.home != fact.home {
            return Foretold::Refused(Reject::WrongHome);
        }
        if key.last_day.is_some_and(|last| fact.day > last) {
            return Foretold::Refused(Reject::KeyRetired);
        }
        let week = fact.day.week();
        let held = self.state.held.get(&week);
        if let Some(held) = held.and_then(|held| held.get(&(fact.home, fact.batch_id))) {
            return if held.payload == Hash::of(&sealed.payload) {
                Foretold::Repeated(held.receipt.clone())
            } else {
                Foretold::Refused(Reject::Conflict)
            };
        }
        if now.plus_seconds(SKEW) < fact.day.end() {
            return Foretold::Refused(Reject::TooEarly);
        }
        if now >= week.end().plus_seconds(ACCEPTED_FOR) || !self.takes(week) {
            return Foretold::Refused(Reject::TooLate);
        }
        let of_home = held.map_or(0, |held| {
            held.keys().filter(|(home, _)| *home == fact.home).count()
        });
        if of_home >= HOME_WEEK_BATCHES_MAX {
            return Foretold::Refused(Reject::TooMany);
        }
        Foretold::Fresh
    }

    /// Whether a week takes batches as far as its state goes.
    fn takes(&self, week: Week) -> bool {
        let state = self.state.weeks.get(&week);
        state.is_none_or(|state| *state == WeekState::Open)
    }

    /// Holds an answer against what was foretold; gives the receipt if it is a new one.
    pub(super) fn check(
        &self,
        foretold: &Foretold,
        said: &Outcome,
        (sent, kind): (&SealedBatch, PayloadType),
        (home, now): (Option<HomeId>, Timestamp),
    ) -> Result<Option<SealedBatch>, Wrong> {
        match (foretold, said) {
            (Foretold::Fresh, Outcome::Receipt(sealed)) => {
                let receipt = sealed
                    .open(PayloadType::Receipt, &self.collector)
                    .map_err(|broken| format!("a receipt is not sealed: {broken:?}"))
                    .and_then(|payload| {
                        decode::receipt(payload).map_err(|_| "a receipt is none".to_owned())
                    })?;
                let is_for_it = receipt.payload_hash == Hash::of(&sent.payload)
                    && receipt.payload_type == kind
                    && Some(receipt.home) == home
                    && receipt.audience == self.collector.audience()
                    && receipt.received_at.seconds() == now.seconds();
                if is_for_it {
                    Ok(Some(sealed.clone()))
                } else {
                    Err(format!("a receipt for something else: {receipt:?}"))
                }
            }
            (Foretold::Repeated(first), Outcome::Receipt(sealed)) if first == sealed => Ok(None),
            (Foretold::Repeated(_), Outcome::Receipt(_)) => {
                Err("a repetition got other bytes than the first".to_owned())
            }
            (Foretold::Refused(why), Outcome::Refused(said)) if why == said => Ok(None),
            _ => Err(format!(
                "{} was foretold, {} was said",
                word(foretold),
                word_of(said)
            )),
        }
    }
}

fn is_in_time(oracle: &Oracle, name: &(Hash, Vec<u8>), now: Timestamp) -> bool {
    oracle.facts.get(name).is_some_and(|fact| {
        now.plus_seconds(SKEW) >= fact.day.end()
            && now < fact.day.week().end().plus_seconds(ACCEPTED_FOR)
    })
}

/// Whether the journal was asked, and not only the registry.
const fn passes_verification(foretold: &Foretold) -> bool {
    match foretold {
        Foretold::Fresh | Foretold::Repeated(_) => true,
        Foretold::Refused(why) => {
            matches!(why, Reject::Conflict | Reject::TooLate | Reject::TooMany)
        }
    }
}

/// Counts one thing and what became of it.
pub(super) const fn note(tally: &mut Tally, foretold: &Foretold) {
    match foretold {
        Foretold::Fresh => tally.accepted += 1,
        Foretold::Repeated(_) => tally.repeated += 1,
        Foretold::Refused(_) => tally.rejected += 1,
    }
}

/// The one outcome of a request that has one; `None` where it was put off.
fn one(outcomes: Option<Vec<v1::Outcome>>) -> Result<Option<Outcome>, Wrong> {
    let Some(mut outcomes) = outcomes else {
        return Ok(None);
    };
    let outcome = outcomes.pop().and_then(status::outcome_from_wire);
    outcome.map(Some).ok_or_else(|| "no outcome".to_owned())
}

const fn word(foretold: &Foretold) -> &'static str {
    match foretold {
        Foretold::Fresh => "a new receipt",
        Foretold::Repeated(_) => "the first receipt",
        Foretold::Refused(why) => why.as_str(),
    }
}

/// An outcome in a word.
#[must_use]
pub(super) const fn word_of(said: &Outcome) -> &'static str {
    match said {
        Outcome::Receipt(_) => "a receipt",
        Outcome::Refused(why) => why.as_str(),
        Outcome::RefusedUnknown { .. } => "an unknown refusal",
    }
}
