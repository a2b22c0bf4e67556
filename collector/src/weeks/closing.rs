//! A closed week -> its counters: the journal is read home by home, twice.
//!
//! First everybody's round trips are heard, because places need them all; then every home is
//! counted. Each home is decrypted, united, passed on and dropped: nothing of it is written. The
//! week is cut into slices of the home tokens, each read by one thread, and what slices give is added;
//! how many there are, in which order they are read and how often changes nothing in the result.

use crate::count::Counters;
use crate::enrich::{LightReport, Places, Survey};
use crate::fold::HomeWeek;
use crate::geo::atlas::Atlas;
use crate::geo::light::Quorum;
use crate::geo::network::Origin;
use crate::journal::week_key::WeekKey;
use crate::metrics::{Counter, Metrics};
use crate::store::{HomeToken, JournalRow, Slice, Store, StoreError};
use phonehome_proto::batch::Batch;
use phonehome_proto::decode;
use phonehome_proto::time::Week;
use tokio::runtime::Handle;

/// What reading a week needs.
pub struct Closing<'a> {
    /// Holds the rows.
    pub store: &'a Store,
    /// Opens them.
    pub key: &'a WeekKey,
    /// Says where everything stands.
    pub atlas: &'a Atlas,
    /// How many homes must contradict a database.
    pub quorum: Quorum,
    /// Counts what does not open.
    pub metrics: &'a Metrics,
    /// Drives the store's answers.
    pub runtime: &'a Handle,
}

/// Sealed bytes a slice holds in memory at a time, beside the home it is at.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Asked between two pages: whether to go on.
pub(super) type GoOn<'a> = &'a mut dyn FnMut() -> Result<bool, StoreError>;

impl<'a> Closing<'a> {
    /// The counters of the week, by so many threads that read a slice each. Blocks: call it where that
    /// is allowed.
    ///
    /// # Errors
    /// When the store fails.
    pub fn counters(&self, slices: u16) -> Result<Counters, StoreError> {
        let surveys = each_slice(slices, |slice| self.hear(slice, &mut || Ok(true)))?;
        let mut heard = Survey::new(self.atlas);
        surveys.into_iter().for_each(|survey| heard.add(survey));
        let places = self.settle(heard);
        let counted = each_slice(slices, |slice| {
            self.count(slice, &mut places.clone(), &mut || Ok(true))
        })?;
        let mut all = Counters::default();
        counted.into_iter().for_each(|counters| all.add(counters));
        self.metrics
            .add(Counter::ContactsShed, shed(all.shed_contacts()));
        Ok(all)
    }

    /// What the homes of a slice have heard; `None` if it was not to go on to the end.
    pub(super) fn hear(
        &self,
        slice: Slice,
        go_on: GoOn<'_>,
    ) -> Result<Option<Survey<'a>>, StoreError> {
        let mut survey = Survey::new(self.atlas);
        let read = self.each_home(slice, |home| survey.hear(home), go_on)?;
        Ok(read.map(|_| survey))
    }

    /// Everybody was heard: where everything stands, and what light changed of that.
    pub(super) fn settle(&self, heard: Survey<'a>) -> Places<'a> {
        self.metrics
            .add(Counter::RoundTripsShed, shed(heard.shed_round_trips()));
        let places = heard.settle(self.quorum);
        self.tell(places.light_report());
        places
    }

    /// What the homes of a slice count; `None` if it was not to go on to the end. Places remember what
    /// was asked of them.
    pub(super) fn count(
        &self,
        slice: Slice,
        places: &mut Places<'a>,
        go_on: GoOn<'_>,
    ) -> Result<Option<Counters>, StoreError> {
        let mut counters = Counters::default();
        let read = self.each_home(slice, |home| counters.count(home, places), go_on)?;
        Ok(read.map(|left| {
            self.metrics.add(Counter::RowsUnreadable, left.unreadable);
            self.metrics
                .add(Counter::RowsOnProbation, left.on_probation);
            counters
        }))
    }

    /// What light changed in this week's places, and how many homes could have made it up.
    fn tell(&self, report: LightReport) {
        tracing::info!(
            week = %self.key.week(),
            prefixes = report.prefixes,
            anycast = report.anycast,
            impossible = report.impossible,
            implausible = report.implausible,
            liars_min = report.liars_min,
            liars_guaranteed = self.quorum.liars_min(),
            "places held against the speed of light"
        );
    }

    /// Visits the homes of a slice one by one; gives how many rows were left out, or nothing if it was
    /// not to go on.
    fn each_home(
        &self,
        slice: Slice,
        mut visit: impl FnMut(&HomeWeek),
        go_on: GoOn<'_>,
    ) -> Result<Option<Left>, StoreError> {
        let (mut after, mut home, mut left) = (None, None::<OneHome>, Left::default());
        let mut finish = |home: Option<OneHome>| {
            let home = home.and_then(|home| home.unite(self.key.week()));
            home.iter().for_each(&mut visit);
        };
        loop {
            let page = self
                .store
                .journal_page(self.key.week(), slice, after, PAGE_BYTES_MAX);
            let page = self.runtime.block_on(page)?;
            let Some(last) = page.last() else { break };
            after = Some((last.home, last.batch));
            for row in &page {
                // As if it had not been said, whatever else its home said of the week.
                if row.is_on_probation {
                    left.on_probation += 1;
                    continue;
                }
                let Some(batch) = self.open(row) else {
                    left.unreadable += 1;
                    continue;
                };
                match &mut home {
                    Some(home) if home.token == row.home => home.batches.push((batch, row.origin)),
                    _ => {
                        let batches = vec![(batch, row.origin)];
                        finish(home.replace(OneHome {
                            token: row.home,
                            batches,
                        }));
                    }
                }
            }
            if !go_on()? {
                return Ok(None);
            }
        }
        finish(home);
        Ok(Some(left))
    }

    /// The batch in a row. It was verified before it was sealed, and the seal is whole.
    fn open(&self, row: &JournalRow) -> Option<Batch> {
        let (sealed, _) = self.key.open(row)?;
        decode::batch(&sealed.payload).ok()
    }
}

/// Reads every slice on a thread of its own.
fn each_slice<T: Send>(
    slices: u16,
    read: impl Fn(Slice) -> Result<Option<T>, StoreError> + Sync,
) -> Result<Vec<T>, StoreError> {
    let read = &read;
    std::thread::scope(|scope| {
        let threads: Vec<_> = Slice::all(slices)
            .into_iter()
            .map(|slice| scope.spawn(move || read(slice)))
            .collect();
        let read = threads.into_iter().map(|thread| {
            let read = thread.join().expect("folding does not panic")?;
            Ok(read.expect("nothing keeps it from going on"))
        });
        read.collect()
    })
}

/// Rows of a slice that count in nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Left {
    /// They did not open.
    unreadable: usize,
    /// Their home was on probation on their day.
    on_probation: usize,
}

/// A count of what was shed, as counters take it.
pub(super) fn shed(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// What is in memory of the home that is being read; at most
/// [`crate::store::HOME_WEEK_BATCHES_MAX`] batches.
struct OneHome {
    token: HomeToken,
    batches: Vec<(Batch, Option<Origin>)>,
}

impl OneHome {
    fn unite(self, week: Week) -> Option<HomeWeek> {
        HomeWeek::of(
            week,
            self.batches.iter().map(|(batch, origin)| (batch, *origin)),
        )
    }
}
