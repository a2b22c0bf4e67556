//! What is held against the oracle.

use super::super::collector::Collector;
use super::super::oracle::{Counted, Tally};
use super::World;
use anyhow::{Context, Result, anyhow, ensure};
use phonehome_collector::count::Counters;
use phonehome_collector::format::json;
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::metrics::Counter;
use phonehome_collector::release::gate::GateRules;
use phonehome_collector::weeks::closing::Closing;
use phonehome_proto::id::Hash;
use phonehome_proto::time::Week;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::runtime::Handle;

/// In so many slices a week is folded.
const SLICES: [u16; 2] = [1, 3];

impl World {
    /// Holds what can be seen of the collector against the oracle.
    pub(super) async fn look(&mut self) -> Result<()> {
        let Some(collector) = &self.collector else {
            return Ok(());
        };
        let seen = match self.fresh.take() {
            Some(seen) => seen,
            None => collector.glance().await?,
        };
        self.oracle.compare(&seen).map_err(|wrong| anyhow!(wrong))?;
        let metrics = collector.works.ground.metrics.snapshot();
        counts_hold(&metrics, &self.oracle.state.counted)?;
        let rows: usize = seen.rows.values().map(|rows| rows.len()).sum();
        writeln!(self.trace, "{:?} {rows}", seen.weeks)?;
        Ok(())
    }

    /// Folds a week in one slice and in several, and holds the counters against the oracle; gives the
    /// text of the release that they would make.
    pub(super) async fn fold(&mut self, week: Week) -> Result<String> {
        let collector = self.collector.as_ref().context("a collector")?;
        let expected = self.oracle.expected(week);
        let mut folded: Vec<Counters> = Vec::new();
        for slices in SLICES {
            folded.push(counters(collector, week, slices).await?);
        }
        ensure!(
            folded.windows(2).all(|pair| pair[0] == pair[1]),
            "{week}: slices change the result"
        );
        let text = json::to_json(&collector.works.weeks.fold(week, 1).await?);
        expected
            .check_counters(&folded[0])
            .map_err(|wrong| anyhow!("{week}: {wrong}"))?;
        writeln!(self.trace, "{week} {}", Hash::of(text.as_bytes()).to_hex())?;
        Ok(text)
    }

    /// Reads a week's rows with its key: what was first said stands beside what was sent.
    pub(super) async fn open_rows(&self, week: Week) -> Result<()> {
        let collector = self.collector.as_ref().context("a collector")?;
        let receipts = collector.receipts(week).await?;
        self.oracle
            .check_receipts(week, &receipts)
            .map_err(|wrong| anyhow!("{week}: {wrong}"))
    }

    /// Folds and opens every week that is not final.
    pub(super) async fn fold_all(&mut self) -> Result<()> {
        for (week, _) in self.oracle.weeks_at_hand() {
            let text = self.fold(week).await?;
            let expected = self.oracle.expected(week);
            expected
                .check_release(&text, self.in_use)
                .map_err(|wrong| anyhow!("{week}: {wrong}"))?;
            self.open_rows(week).await?;
        }
        Ok(())
    }
}

/// A week's counters, as they are before the gate.
async fn counters(collector: &Collector, week: Week, slices: u16) -> Result<Counters> {
    let weeks = collector.works.weeks.clone();
    let key = weeks.keys.existing(week)?.context("its key")?;
    let atlas: Arc<Atlas> = collector.works.ground.atlas.now();
    let runtime = Handle::current();
    let counted = tokio::task::spawn_blocking(move || {
        let closing = Closing {
            store: &weeks.store,
            key: &key,
            atlas: &atlas,
            quorum: GateRules::default().quorum(),
            metrics: &weeks.metrics,
            runtime: &runtime,
        };
        closing.counters(slices)
    });
    Ok(counted.await??)
}

/// What came in is what was taken, repeated, refused or put off; and as much as the oracle heard.
fn counts_hold(metrics: &BTreeMap<Counter, u64>, counted: &Counted) -> Result<()> {
    let sum = |is: &dyn Fn(&Counter) -> bool| -> u64 {
        metrics
            .iter()
            .filter(|(counter, _)| is(counter))
            .map(|(_, value)| value)
            .sum()
    };
    use Counter as C;
    let batches = Tally {
        received: metrics[&C::BatchesReceived],
        accepted: metrics[&C::BatchesAccepted],
        repeated: metrics[&C::BatchesRepeated],
        rejected: sum(&|counter| matches!(counter, C::BatchesRejected(_))),
        deferred: metrics[&C::BatchesDeferred],
    };
    let enrolments = Tally {
        received: metrics[&C::EnrolmentsReceived],
        accepted: metrics[&C::EnrolmentsAccepted],
        repeated: metrics[&C::EnrolmentsRepeated],
        rejected: sum(&|counter| matches!(counter, C::EnrolmentsRejected(_))),
        deferred: metrics[&C::EnrolmentsDeferred],
    };
    let rotations = Tally {
        received: metrics[&C::RotationsReceived],
        accepted: metrics[&C::RotationsAccepted],
        repeated: metrics[&C::RotationsRepeated],
        rejected: sum(&|counter| matches!(counter, C::RotationsRejected(_))),
        deferred: metrics[&C::RotationsDeferred],
    };
    let withdrawals = Tally {
        received: metrics[&C::WithdrawalsReceived],
        accepted: metrics[&C::WithdrawalsAccepted],
        repeated: metrics[&C::WithdrawalsRepeated],
        rejected: sum(&|counter| matches!(counter, C::WithdrawalsRejected(_))),
        deferred: metrics[&C::WithdrawalsDeferred],
    };
    let found = Counted {
        batches,
        enrolments,
        rotations,
        withdrawals,
    };
    for tally in [batches, enrolments, rotations, withdrawals] {
        ensure!(
            tally.balances(),
            "what came in and what became of it: {tally:?}"
        );
    }
    ensure!(
        found == *counted,
        "counted are {found:?}, and should be {counted:?}"
    );
    ensure!(metrics[&C::RowsUnreadable] == 0, "a row could not be read");
    Ok(())
}
