//! Plays a script: does what each operation says, and asks the oracle after each.

mod clock;
mod happenings;
mod looks;
mod operator;
mod power;

use super::collector::{Collector, Settings};
use super::disk::Places;
use super::edition::Edition;
use super::happened::Happened;
use super::home::{Fact, Home};
use super::line::Network;
use super::operation::Operation;
use super::oracle::{Oracle, Seen, State};
use super::script::Script;
use anyhow::{Context, Result, anyhow, ensure};
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::id::{Hash, to_hex};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::{Day, ManualClock, Timestamp};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

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
    settings: Settings,
    /// What was installed last, and what the collector uses.
    installed: Edition,
    in_use: Edition,
    backup: Option<Backup>,
    backups: u64,
    happened: Happened,
    pages_left: Option<u32>,
    /// What was seen of the collector in this step, if nothing has reached it since.
    fresh: Option<Seen>,
    /// A tick failed, and none has succeeded since.
    has_tick_failed: bool,
    oracle: Oracle,
    trace: String,
}

/// A copy of the database.
struct Backup {
    file: PathBuf,
    /// What was true then.
    state: State,
    /// The ledger's copy of then.
    ledger: Vec<u8>,
}

/// What came of a storm in which all held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The hash of all that was said: the same every time.
    pub trace: Hash,
    /// What happened.
    pub happened: Happened,
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

/// Plays a script.
///
/// # Errors
/// The first [`Failure`].
pub async fn play(script: &Script) -> Result<Played, Failure> {
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
        let settings = Settings::default();
        let collector = Collector::start((&places, None), settings, &clock, chance).await?;
        let key = collector.works.ground.identity.public();
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
            settings,
            installed: Edition::default(),
            in_use: Edition::default(),
            backup: None,
            backups: 0,
            happened: Happened::default(),
            pages_left: None,
            fresh: None,
            has_tick_failed: false,
            oracle: Oracle::new(key),
            trace: String::new(),
        })
    }

    async fn step(&mut self, operation: &Operation) -> Result<()> {
        writeln!(self.trace, "{operation}")?;
        self.fresh = None;
        let is_done = self.happen(operation).await?;
        self.happened
            .note_if(is_done, "operation", operation.word());
        self.hear(self.pages_left.is_some())?;
        self.homes.iter().try_for_each(Home::balance)?;
        if self.collector.as_ref().is_some_and(Collector::has_failed) {
            // It ends by itself, and whoever watches it starts it anew.
            ensure!(
                self.pages_left.is_some(),
                "the collector gave up without a reason"
            );
            self.happened.note("disk", "the collector gave up");
            self.restart().await?;
        }
        match operation {
            // These do not reach the collector.
            Operation::Live(_)
            | Operation::Jump(_)
            | Operation::Skew(..)
            | Operation::Reboot(_) => Ok(()),
            _ if !is_done => Ok(()),
            _ => self.look().await,
        }
    }

    async fn end(mut self) -> Played {
        self.stop().await;
        self.happened.add(&self.network.take_happened());
        self.happened.add(&self.oracle.happened);
        Played {
            trace: Hash::of(self.trace.as_bytes()),
            happened: self.happened,
        }
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
                .hear(&told, (now, self.settings.mode), may_fail)
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

    fn chance(&self) -> SharedChance {
        // Another stream at each start, decided by the seed all the same.
        let seed = self.seed.rotate_left(32) ^ self.starts;
        SharedChance::new(SeededChance::new(seed))
    }
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
