//! A world in one process: homes with their agents, a relay for each, and a collector, all on one
//! clock that moves only when it is told to.
//!
//! Nothing is spawned and nothing is mocked: the agents and the collector are the functions behind
//! the programs' commands, they speak gRPC over TLS on loopback ports the system chooses, and the
//! collector keeps its SQLite database in a folder that is gone with the world.

pub mod ground;
pub mod home;

use crate::relay::Relay;
use crate::traffic::day::{self, Pace};
use crate::traffic::home::Home;
use anyhow::{Context, Result, ensure};
use ground::Reach;
use home::HomeAgent;
use phonehome_collector::config::Config;
use phonehome_collector::release::{Release, ReleaseId};
use phonehome_collector::run::ground::Ground;
use phonehome_collector::run::{self, Handle};
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::time::{ManualClock, Week};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Everything at once.
pub struct World {
    /// The one clock.
    pub clock: ManualClock,
    /// The collector at work.
    pub collector: Handle,
    /// What it was told.
    pub config: PathBuf,
    /// The homes; each may be away for a moment, while it reports.
    pub homes: Vec<Resident>,
    folder: TempDir,
}

/// A home, its way to the collector, and its invite.
pub struct Resident {
    /// The home and its agent.
    pub agent: HomeAgent,
    /// Its way to the collector; closed with it.
    pub relay: Relay,
    /// Lets it in once.
    pub invite: Invite,
}

/// What has just been done, for whoever shows progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A home's week was written as a capture file of so many bytes.
    Recorded(u64),
    /// A home's agent has so many receipts for it.
    Reported(usize),
}

/// Told of every step, from any thread.
pub type Watcher = Arc<dyn Fn(Step) + Send + Sync>;

impl World {
    /// A world in which `homes` live and `first` is about to begin. `http` is where pages are served.
    ///
    /// # Errors
    /// When the collector cannot start: a port in use, a disk that is full.
    pub async fn begin(homes: Vec<Home>, first: Week, http: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Relays, http)?;
        let clock = ManualClock::new(first.start());
        let collector = start(&config, &clock, 0).await?;
        let mut world = Self {
            clock,
            collector,
            config,
            homes: Vec::new(),
            folder,
        };
        for home in homes {
            world.settle(home).await?;
        }
        Ok(world)
    }

    /// Gives a home an agent, a relay and an invite.
    ///
    /// # Errors
    /// When no port is to be had, or the store fails.
    pub async fn settle(&mut self, home: Home) -> Result<&mut Resident> {
        let relay = Relay::open(home.address, self.collector.intake_address()).await?;
        let invites = self
            .collector
            .invite(1, &relay.address().to_string())
            .await?;
        let invite = invites.into_iter().next().context("an invite was made")?;
        let state = self.folder.path().join(format!("home-{}", home.number));
        let agent = HomeAgent::new(home, state, &self.clock);
        self.homes.push(Resident {
            agent,
            relay,
            invite,
        });
        self.homes.last_mut().context("it was just pushed")
    }

    /// Lets every home live through `week` and report it on the Monday after.
    ///
    /// # Errors
    /// The first home's failure.
    pub async fn live(&mut self, week: Week, pace: Pace, watcher: Watcher) -> Result<()> {
        self.clock.set(week.end().plus_seconds(REPORT_SECONDS));
        let captures = self.captures(week);
        std::fs::create_dir_all(&captures)?;
        // Reading a capture is work for a processor; more homes at once than those would only wait.
        let at_once = std::thread::available_parallelism().map_or(2, usize::from);
        let room = Arc::new(Semaphore::new(at_once));
        let mut away = JoinSet::new();
        for mut resident in self.homes.drain(..) {
            let permit = Arc::clone(&room).acquire_owned().await?;
            let (captures, watcher) = (captures.clone(), Arc::clone(&watcher));
            let runtime = tokio::runtime::Handle::current();
            away.spawn_blocking(move || {
                let lived = runtime.block_on(resident.live(week, pace, &captures, &watcher));
                drop(permit);
                (resident, lived)
            });
        }
        let mut failure = None;
        while let Some(back) = away.join_next().await {
            let (resident, lived) = back?;
            if let Err(error) = lived {
                let number = resident.agent.home.number;
                failure.get_or_insert_with(|| error.context(format!("home {number}")));
            }
            self.homes.push(resident);
        }
        self.homes
            .sort_by_key(|resident| resident.agent.home.number);
        failure.map_or(Ok(()), Err)
    }

    /// Moves the clock to the moment `week` closes; gives the releases that were made.
    ///
    /// # Errors
    /// When a week cannot be closed.
    pub async fn close(&self, week: Week) -> Result<Vec<ReleaseId>> {
        self.clock.set(phonehome_collector::weeks::closes_at(week));
        Ok(self.collector.tick().await?)
    }

    /// Moves the clock to the moment `week` is final, and what it held is destroyed.
    ///
    /// # Errors
    /// When it cannot be destroyed.
    pub async fn make_final(&self, week: Week) -> Result<()> {
        self.clock
            .set(phonehome_collector::weeks::destroyed_at(week));
        let made = self.collector.tick().await?;
        ensure!(made.is_empty(), "a week that is final is released no more");
        Ok(())
    }

    /// The collector's things, as its other commands open them.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn ground(&self) -> Result<Ground> {
        let config = Config::load(&self.config)?;
        Ok(Ground::open(config, chance(u64::MAX)).await?)
    }

    /// Every release there is, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn releases(&self) -> Result<Vec<Release>> {
        let ground = self.ground().await?;
        Ok(ground.weeks(ground.keys()).releases().await?)
    }

    /// Where everything of this world lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the captures of `week` lie.
    #[must_use]
    pub fn captures(&self, week: Week) -> PathBuf {
        self.folder.path().join("captures").join(week.to_string())
    }

    /// Ends the collector, then removes everything.
    pub async fn end(self) {
        self.collector.stop().await;
    }
}

impl Resident {
    /// Records the week, opens the gates if they are shut, and reports.
    async fn live(
        &mut self,
        week: Week,
        pace: Pace,
        captures: &Path,
        watcher: &Watcher,
    ) -> Result<()> {
        let home = &self.agent.home;
        let capture = captures.join(format!("home-{}.pcap", home.number));
        let days = day::days_at_home(home, week);
        day::write(home, &days, pace, &capture)?;
        watcher(Step::Recorded(std::fs::metadata(&capture)?.len()));
        self.agent.open_gates(&capture)?;
        let url = format!("https://{}", self.relay.address());
        let reported = self.agent.report(&[capture], &url, &self.invite).await?;
        ensure!(
            reported.held == days.len(),
            "every day has a receipt: {}",
            reported.err
        );
        watcher(Step::Reported(reported.held));
        Ok(())
    }
}

/// Starts the collector of `config` on `clock`; `beginning` counts its starts, so that chance differs.
///
/// # Errors
/// When it cannot start.
pub async fn start(config: &Path, clock: &ManualClock, beginning: u64) -> Result<Handle> {
    let config = Config::load(config)?;
    Ok(run::serve(config, Arc::new(clock.clone()), chance(beginning)).await?)
}

/// The collector's chance: the same in every run, so that the same world signs the same bytes.
fn chance(beginning: u64) -> SharedChance {
    SharedChance::new(SeededChance::new(0xc011 ^ beginning))
}

/// After the week's last day is over everywhere a clock may run slow.
const REPORT_SECONDS: i64 = 1_800;
