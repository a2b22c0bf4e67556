//! Plays a script: does what each operation says, and asks the oracle after each.

mod happenings;
mod power;

use super::collector::{Collector, Edition};
use super::disk::Places;
use super::home::{Fact, Home};
use super::line::Network;
use super::operation::Operation;
use super::oracle::{Counted, Oracle, Tally};
use super::script::Script;
use anyhow::{Context, Result, anyhow, ensure};
use phonehome_collector::count::Counters;
use phonehome_collector::format::json;
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::metrics::Counter;
use phonehome_collector::release::gate::GateRules;
use phonehome_collector::weeks::closing::Closing;
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::id::{Hash, to_hex};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::{Day, ManualClock, Timestamp, Week};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Handle;

/// All of it.
pub struct World {
    folder: TempDir,
    seed: u64,
    /// What time it is where nobody's clock is wrong.
    now: Timestamp,
    /// Seconds by which the collector's clock runs ahead.
    ahead_seconds: i64,
    clock: ManualClock,
    network: Network,
    homes: Vec<Home>,
    identities: usize,
    facts: Vec<Fact>,
    collector: Option<Collector>,
    places: Places,
    starts: u64,
    edition: Edition,
    pages_left: Option<u32>,
    /// A tick failed, and none has succeeded since.
    has_tick_failed: bool,
    oracle: Oracle,
    trace: String,
}

/// A step at which something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Counted from 1; 0 is the beginning.
    pub step: usize,
    /// What happened there.
    pub operation: String,
    /// What did not hold.
    pub what: String,
}

/// Noon of a Wednesday.
const BEGINNING: u32 = 20_773;

/// In so many slices a week is folded.
const SLICES: [u16; 3] = [1, 2, 5];

/// Plays a script; gives the hash of all that was said, which is the same every time.
///
/// # Errors
/// The first [`Failure`].
pub async fn play(script: &Script) -> Result<Hash, Failure> {
    let failed = |step, operation: String, error: anyhow::Error| Failure {
        step,
        operation,
        what: format!("{error:#}"),
    };
    let world = World::begin(script).await;
    let mut world = world.map_err(|error| failed(0, "the beginning".to_owned(), error))?;
    for (at, operation) in script.operations.iter().enumerate() {
        let happened = world.step(operation).await;
        happened.map_err(|error| failed(at + 1, operation.to_string(), error))?;
    }
    Ok(world.end().await)
}

impl World {
    async fn begin(script: &Script) -> Result<Self> {
        let folder = scratch()?;
        let noon = Day::new(BEGINNING).context("a day")?.start();
        let now = noon.plus_seconds(12 * 3_600);
        let clock = ManualClock::new(now);
        let places = Places::make(folder.path().join("collector-0"))?;
        let chance = SharedChance::new(SeededChance::new(script.seed));
        let collector = Collector::start(&places, (&clock, now), chance, Edition::First).await?;
        let key = collector.ground.identity.public();
        let network = Network::default();
        network.lead_to(Some(collector.intake.clone()));
        let homes = (0..script.homes).map(|at| Home::new(at, script.seed, key, &network));
        Ok(Self {
            folder,
            seed: script.seed,
            now,
            ahead_seconds: 0,
            clock,
            homes: homes.collect::<Result<_>>()?,
            network,
            identities: 0,
            facts: Vec::new(),
            collector: Some(collector),
            places,
            starts: 0,
            edition: Edition::First,
            pages_left: None,
            has_tick_failed: false,
            oracle: Oracle::new(key),
            trace: String::new(),
        })
    }

    async fn step(&mut self, operation: &Operation) -> Result<()> {
        writeln!(self.trace, "{operation}")?;
        self.happen(operation).await?;
        self.hear(self.pages_left.is_some())?;
        self.homes.iter().try_for_each(Home::balance)?;
        if self.collector.as_ref().is_some_and(Collector::has_failed) {
            // It ends by itself, and whoever watches it starts it anew.
            ensure!(
                self.pages_left.is_some(),
                "the collector gave up without a reason"
            );
            self.restart().await?;
        }
        match operation {
            // These do not reach the collector.
            Operation::Live(_)
            | Operation::Jump(_)
            | Operation::Skew(..)
            | Operation::Reboot(_) => Ok(()),
            _ => self.look().await,
        }
    }

    async fn end(mut self) -> Hash {
        self.stop().await;
        Hash::of(self.trace.as_bytes())
    }

    /// What the collector's clock says.
    fn theirs(&self) -> Timestamp {
        self.now.plus_seconds(self.ahead_seconds)
    }

    /// Tells the oracle what reached the collector, and what it said.
    fn hear(&mut self, may_fail: bool) -> Result<()> {
        let mut told = self.network.take_told();
        // Of homes that spoke at the same time the order says nothing.
        told.sort_by_key(|told| told.letter.from);
        let now = self.theirs();
        for told in told {
            self.oracle
                .hear(&told, now, may_fail)
                .map_err(|wrong| anyhow!(wrong))?;
            write!(self.trace, "{} ", told.letter.from)?;
            match &told.answer {
                Ok(outcomes) => {
                    let outcomes = outcomes.iter().cloned();
                    for outcome in outcomes.map(status::outcome_from_wire) {
                        match outcome {
                            Some(Outcome::Receipt(sealed)) => {
                                write!(self.trace, "{} ", to_hex(&sealed.signature))?;
                            }
                            other => write!(self.trace, "{other:?} ")?,
                        }
                    }
                }
                Err(code) => write!(self.trace, "{code:?}")?,
            }
            writeln!(self.trace)?;
        }
        Ok(())
    }

    /// Holds what can be seen of the collector against the oracle.
    async fn look(&mut self) -> Result<()> {
        let Some(collector) = &self.collector else {
            return Ok(());
        };
        let seen = collector.glance().await?;
        self.oracle.compare(&seen).map_err(|wrong| anyhow!(wrong))?;
        let metrics = collector.ground.metrics.snapshot();
        counts_hold(&metrics, &self.oracle.state.counted)?;
        let rows: usize = seen.rows.values().map(|rows| rows.len()).sum();
        writeln!(self.trace, "{:?} {rows}", seen.weeks)?;
        Ok(())
    }

    /// Folds a week in one slice and in several, and holds the counters against the oracle; gives the
    /// text of the release that they would make.
    async fn fold(&mut self, week: Week) -> Result<String> {
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
        let text = json::to_json(&collector.weeks.fold(week, 1).await?);
        expected
            .check_counters(&folded[0])
            .map_err(|wrong| anyhow!("{week}: {wrong}"))?;
        writeln!(self.trace, "{week} {}", Hash::of(text.as_bytes()).to_hex())?;
        Ok(text)
    }

    /// Reads a week's rows with its key: what was first said stands beside what was sent.
    async fn open_rows(&self, week: Week) -> Result<()> {
        let collector = self.collector.as_ref().context("a collector")?;
        let receipts = collector.receipts(week).await?;
        self.oracle
            .check_receipts(week, &receipts)
            .map_err(|wrong| anyhow!("{week}: {wrong}"))
    }

    /// Folds and opens every week that is not final.
    async fn fold_all(&mut self) -> Result<()> {
        for (week, _) in self.oracle.weeks_at_hand() {
            let text = self.fold(week).await?;
            let expected = self.oracle.expected(week);
            expected
                .check_release(&text)
                .map_err(|wrong| anyhow!("{week}: {wrong}"))?;
            self.open_rows(week).await?;
        }
        Ok(())
    }

    fn chance(&self) -> SharedChance {
        // Another stream at each start, decided by the seed all the same.
        let seed = self.seed.rotate_left(32) ^ self.starts;
        SharedChance::new(SeededChance::new(seed))
    }
}

/// A week's counters, as they are before the gate.
async fn counters(collector: &Collector, week: Week, slices: u16) -> Result<Counters> {
    let weeks = collector.weeks.clone();
    let key = weeks.keys.existing(week)?.context("its key")?;
    let atlas: Arc<Atlas> = collector.ground.atlas.now();
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

/// A folder in memory where there is one: a storm syncs after every word.
fn scratch() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let parent: PathBuf = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    Ok(tempfile::Builder::new()
        .prefix("storm-")
        .tempdir_in(parent)?)
}
