//! One counter per arrow and one per reason, all there from the start, at zero.
//!
//! Incrementing is the only thing a stage can do with them. They count since the process began, are
//! written to the log when it ends, read by tests through the handle, and shown on the admin address.
//! No interface for readers shows them, because a count of an open week's batches is a number that
//! passed no gate.

pub mod exposition;

use crate::intake::ending::End;
use crate::intake::forwarded::Misforwarded;
use crate::intake::{Deferral, Refusal};
use phonehome_proto::reject::Reject;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Connections that came in: refused, ended, or open still.
    ConnectionsReceived,
    /// Connections that reached the service.
    ConnectionsAccepted,
    /// Connections that did not, and why.
    ConnectionsRefused(Refusal),
    /// Connections that reached the service and are not open any more, and why.
    ConnectionsEnded(End),
    /// Connections of readers, and of the operator, that came in: ended, or open still.
    ReadersReceived,
    /// Those that are not open any more, and why.
    ReadersEnded(End),
    /// Requests of readers that came in.
    ReadsReceived,
    /// Those that got what they asked for, or have it already.
    ReadsAnswered,
    /// Those that were refused.
    ReadsRefused,
    /// Those told to come again: too many from one place, or too much to draw.
    ReadsDeferred,
    /// Those that met a mistake of ours. Must stay zero.
    ReadsFailed,
    /// Requests from places that found no room to be watched.
    ReadsUnwatched,
    /// Requests that came in.
    RequestsReceived,
    /// Requests with an answer, be it a refusal.
    RequestsAnswered,
    /// Requests told to come back.
    RequestsDeferred,
    /// Requests told to come back, by why.
    RequestsTurnedAway(&'static str),
    /// Requests that were none, or larger than may be.
    RequestsUnreadable,
    /// Requests whose home hung up, or that took too long.
    RequestsAbandoned,
    /// Of the unreadable ones, those that nobody can say whom they speak for, and why.
    RequestsMisforwarded(Misforwarded),
    /// Batches that came in.
    BatchesReceived,
    /// Batches that are held, counted once.
    BatchesAccepted,
    /// Batches that were held before.
    BatchesRepeated,
    /// Batches refused, and why.
    BatchesRejected(Reject),
    /// Batches neither held nor refused: the journal was full or failed, or the home hung up before
    /// it had an answer. It asks again.
    BatchesDeferred,
    /// Enrolments that came in.
    EnrolmentsReceived,
    /// Homes that are in since.
    EnrolmentsAccepted,
    /// Homes that were in before.
    EnrolmentsRepeated,
    /// Enrolments refused, and why.
    EnrolmentsRejected(Reject),
    /// Enrolments neither taken nor refused, for the same reasons.
    EnrolmentsDeferred,
    /// Rotations that came in.
    RotationsReceived,
    /// Homes that are known by another key since.
    RotationsAccepted,
    /// Rotations that were done before.
    RotationsRepeated,
    /// Rotations refused, and why.
    RotationsRejected(Reject),
    /// Rotations neither taken nor refused, for the same reasons.
    RotationsDeferred,
    /// Withdrawals that came in.
    WithdrawalsReceived,
    /// Homes that are forgotten since.
    WithdrawalsAccepted,
    /// Withdrawals that were done before.
    WithdrawalsRepeated,
    /// Withdrawals refused, and why.
    WithdrawalsRejected(Reject),
    /// Withdrawals neither done nor refused, for the same reasons.
    WithdrawalsDeferred,
    /// Batches erased because their home withdrew.
    BatchesErased,
    /// Replaced keys whose last week is final.
    KeysForgotten,
    /// Receipts of withdrawals that are not repeated any more.
    ErasuresForgotten,
    /// Enrolments from addresses whose attempts found no room to be watched.
    EnrolmentsUnwatched,
    /// Batches of homes whose spending found no room to be watched.
    BatchesUnwatched,
    /// Invites that are used up or have expired.
    InvitesForgotten,
    /// Homes that nobody approved.
    PendingForgotten,
    /// Counters of places, of months that are over.
    PlacesForgotten,
    /// Journal rows of days on which their home was on probation, each time their week is counted.
    RowsOnProbation,
    /// Weeks that were closed.
    WeeksClosed,
    /// Journal rows left out of a fold because they did not open. Must stay zero.
    RowsUnreadable,
    /// Contacts beyond what is kept of one home's week.
    ContactsShed,
    /// Round trips that found no room; they would only have narrowed places.
    RoundTripsShed,
    /// Releases that were made.
    ReleasesMade,
    /// Weeks that were destroyed.
    WeeksDestroyed,
}

/// The counters. Clones count together.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<BTreeMap<Counter, AtomicU64>>);

impl Counter {
    /// Every counter.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [
            Self::ConnectionsReceived,
            Self::ConnectionsAccepted,
            Self::ReadersReceived,
            Self::ReadsReceived,
            Self::ReadsAnswered,
            Self::ReadsRefused,
            Self::ReadsDeferred,
            Self::ReadsFailed,
            Self::ReadsUnwatched,
            Self::RequestsReceived,
            Self::RequestsAnswered,
            Self::RequestsDeferred,
            Self::RequestsUnreadable,
            Self::RequestsAbandoned,
            Self::BatchesReceived,
            Self::BatchesAccepted,
            Self::BatchesRepeated,
            Self::BatchesDeferred,
            Self::EnrolmentsReceived,
            Self::EnrolmentsAccepted,
            Self::EnrolmentsRepeated,
            Self::EnrolmentsDeferred,
            Self::RotationsReceived,
            Self::RotationsAccepted,
            Self::RotationsRepeated,
            Self::RotationsDeferred,
            Self::WithdrawalsReceived,
            Self::WithdrawalsAccepted,
            Self::WithdrawalsRepeated,
            Self::WithdrawalsDeferred,
            Self::BatchesErased,
            Self::KeysForgotten,
            Self::ErasuresForgotten,
            Self::EnrolmentsUnwatched,
            Self::BatchesUnwatched,
            Self::InvitesForgotten,
            Self::PendingForgotten,
            Self::PlacesForgotten,
            Self::RowsOnProbation,
            Self::WeeksClosed,
            Self::RowsUnreadable,
            Self::ContactsShed,
            Self::RoundTripsShed,
            Self::ReleasesMade,
            Self::WeeksDestroyed,
        ];
        plain
            .into_iter()
            .chain(Refusal::ALL.map(Self::ConnectionsRefused))
            .chain(End::ALL.map(Self::ConnectionsEnded))
            .chain(End::ALL.map(Self::ReadersEnded))
            .chain(Deferral::LABELS.map(Self::RequestsTurnedAway))
            .chain(Misforwarded::ALL.map(Self::RequestsMisforwarded))
            .chain(Reject::ALL.map(Self::BatchesRejected))
            .chain(Reject::ALL.map(Self::EnrolmentsRejected))
            .chain(Reject::ALL.map(Self::RotationsRejected))
            .chain(Reject::ALL.map(Self::WithdrawalsRejected))
    }

    /// Its name and label as a dashboard reads them.
    #[must_use]
    pub fn name(self) -> String {
        let labelled =
            |noun, reason| format!("phonehome_collector_{noun}_total{{reason=\"{reason}\"}}");
        let plain = |noun| format!("phonehome_collector_{noun}_total");
        match self {
            Self::ConnectionsReceived => plain("connections_received"),
            Self::ConnectionsAccepted => plain("connections_accepted"),
            Self::ConnectionsRefused(refusal) => labelled("connections_refused", refusal.as_str()),
            Self::ConnectionsEnded(end) => labelled("connections_ended", end.as_str()),
            Self::ReadersReceived => plain("readers_received"),
            Self::ReadersEnded(end) => labelled("readers_ended", end.as_str()),
            Self::ReadsReceived => plain("reads_received"),
            Self::ReadsAnswered => plain("reads_answered"),
            Self::ReadsRefused => plain("reads_refused"),
            Self::ReadsDeferred => plain("reads_deferred"),
            Self::ReadsFailed => plain("reads_failed"),
            Self::ReadsUnwatched => plain("reads_unwatched"),
            Self::RequestsReceived => plain("requests_received"),
            Self::RequestsAnswered => plain("requests_answered"),
            Self::RequestsDeferred => plain("requests_deferred"),
            Self::RequestsTurnedAway(why) => labelled("requests_turned_away", why),
            Self::RequestsUnreadable => plain("requests_unreadable"),
            Self::RequestsAbandoned => plain("requests_abandoned"),
            Self::RequestsMisforwarded(why) => labelled("requests_misforwarded", why.as_str()),
            Self::BatchesReceived => plain("batches_received"),
            Self::BatchesAccepted => plain("batches_accepted"),
            Self::BatchesRepeated => plain("batches_repeated"),
            Self::BatchesRejected(reject) => labelled("batches_rejected", reject.as_str()),
            Self::BatchesDeferred => plain("batches_deferred"),
            Self::EnrolmentsReceived => plain("enrolments_received"),
            Self::EnrolmentsAccepted => plain("enrolments_accepted"),
            Self::EnrolmentsRepeated => plain("enrolments_repeated"),
            Self::EnrolmentsRejected(reject) => labelled("enrolments_rejected", reject.as_str()),
            Self::EnrolmentsDeferred => plain("enrolments_deferred"),
            Self::RotationsReceived => plain("rotations_received"),
            Self::RotationsAccepted => plain("rotations_accepted"),
            Self::RotationsRepeated => plain("rotations_repeated"),
            Self::RotationsRejected(reject) => labelled("rotations_rejected", reject.as_str()),
            Self::RotationsDeferred => plain("rotations_deferred"),
            Self::WithdrawalsReceived => plain("withdrawals_received"),
            Self::WithdrawalsAccepted => plain("withdrawals_accepted"),
            Self::WithdrawalsRepeated => plain("withdrawals_repeated"),
            Self::WithdrawalsRejected(reject) => labelled("withdrawals_rejected", reject.as_str()),
            Self::WithdrawalsDeferred => plain("withdrawals_deferred"),
            Self::BatchesErased => plain("batches_erased"),
            Self::KeysForgotten => plain("keys_forgotten"),
            Self::ErasuresForgotten => plain("erasures_forgotten"),
            Self::EnrolmentsUnwatched => plain("enrolments_unwatched"),
            Self::BatchesUnwatched => plain("batches_unwatched"),
            Self::InvitesForgotten => plain("invites_forgotten"),
            Self::PendingForgotten => plain("pending_forgotten"),
            Self::PlacesForgotten => plain("places_forgotten"),
            Self::RowsOnProbation => plain("rows_on_probation"),
            Self::WeeksClosed => plain("weeks_closed"),
            Self::RowsUnreadable => plain("rows_unreadable"),
            Self::ContactsShed => plain("contacts_shed"),
            Self::RoundTripsShed => plain("round_trips_shed"),
            Self::ReleasesMade => plain("releases_made"),
            Self::WeeksDestroyed => plain("weeks_destroyed"),
        }
    }
}

impl Metrics {
    /// Every counter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(
            Counter::all()
                .map(|counter| (counter, AtomicU64::new(0)))
                .collect(),
        ))
    }

    /// Counts one.
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Counts several.
    ///
    /// # Panics
    /// Never: every counter is there from the start.
    pub fn add(&self, counter: Counter, several: usize) {
        let several = u64::try_from(several).unwrap_or(u64::MAX);
        let cell = self
            .0
            .get(&counter)
            .expect("Counter::all lists every counter");
        cell.fetch_add(several, Ordering::Relaxed);
    }

    /// Every counter and where it stands.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<Counter, u64> {
        self.0
            .iter()
            .map(|(counter, cell)| (*counter, cell.load(Ordering::Relaxed)))
            .collect()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_counter_is_there_once_and_at_zero() {
        let metrics = Metrics::new();
        assert!(metrics.snapshot().values().all(|value| *value == 0));
        let names: BTreeSet<String> = Counter::all().map(Counter::name).collect();
        assert_eq!(names.len(), Counter::all().count());
        for counter in Counter::all() {
            metrics.count(counter);
        }
        assert!(metrics.snapshot().values().all(|value| *value == 1));
    }
}
