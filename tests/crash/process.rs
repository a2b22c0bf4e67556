//! The collector as a process of its own, on folders and ports that outlive it.

use anyhow::{Context, Result, bail, ensure};
use phonehome_collector::config::Config;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::id::Audience;
use phonehome_proto::time::{Clock, ManualClock, SystemClock};
use phonehome_tests::liar::Liar;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Where a collector lives, started or not.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) address: SocketAddr,
}

/// A collector at work. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_collector");

/// How long a process may take to begin, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often one looks whether it has.
const PAUSE: Duration = Duration::from_millis(5);

impl Site {
    /// A place for a collector in `folder`, on a port nobody else has.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let config = ground::write(folder, Reach::Direct, None)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let text = fs::read_to_string(&config)?;
        fs::write(&config, text.replace("127.0.0.1:0", &port.to_string()))?;
        Ok(Self {
            folder: folder.to_owned(),
            config,
            address: port,
        })
    }

    /// The same place, copied to another folder with everything in it.
    pub(crate) fn copy_to(&self, folder: &Path) -> Result<Self> {
        copy(&self.folder, folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            config: folder.join("collector.toml"),
            address: self.address,
        })
    }

    /// What the collector is told.
    pub(crate) fn settings(&self) -> Result<Config> {
        Ok(Config::load(&self.config)?)
    }

    /// Its audience, once it has begun.
    pub(crate) fn audience(&self) -> Result<Audience> {
        let config = self.settings()?;
        let identity =
            phonehome_collector::identity::Identity::load(&config.identity, config.purpose)?;
        Ok(identity.audience())
    }

    /// Makes the collector and so many invites, in this process.
    pub(crate) async fn make(
        &self,
        invites: u32,
    ) -> Result<Vec<phonehome_proto::enrolment::Invite>> {
        let clock = ManualClock::new(SystemClock.now());
        let collector = world::start(&self.config, &clock, 0).await?;
        let invites = collector.invite(invites, "127.0.0.1:4317").await?;
        collector.stop().await;
        Ok(invites)
    }

    /// Starts the collector.
    pub(crate) fn start(&self) -> Result<Process> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        // What the database's engine would put into a temporary file would land here.
        let scratch = self.folder.join("tmp");
        fs::create_dir_all(&scratch)?;
        let child = Command::new(PROGRAM)
            .args(["serve", "--config"])
            .arg(&self.config)
            .env("TMPDIR", &scratch)
            .env("SQLITE_TMPDIR", &scratch)
            .stdin(Stdio::null())
            .stdout(File::options().append(true).open(self.log_file())?)
            .stderr(log)
            .spawn()?;
        Ok(Process { child })
    }

    /// What every process of this place has said so far.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.log_file())?)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Waits until `process` answers homes.
    pub(crate) async fn ready(&self, process: &mut Process) -> Result<()> {
        let end = now() + PATIENCE;
        loop {
            if let Ok(mut liar) = Liar::connect(255, self.address, Audience::new([0; 32])).await
                && liar.submit(Vec::new()).await.is_ok()
            {
                return Ok(());
            }
            if let Some(status) = process.ended()? {
                bail!("the collector ended with {status}: {}", self.log()?);
            }
            ensure!(
                now() < end,
                "the collector does not answer: {}",
                self.log()?
            );
            pause(PAUSE).await;
        }
    }
}

impl Process {
    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Kills it, in the middle of whatever it is at.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits until it did.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        let id = i32::try_from(self.child.id())?;
        let pid = Pid::from_raw(id).context("a process has a number")?;
        kill_process(pid, Signal::TERM)?;
        self.end().await
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn end(&mut self) -> Result<ExitStatus> {
        let end = now() + PATIENCE;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            ensure!(now() < end, "the collector does not end");
            pause(PAUSE).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a folder and everything in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            // Keeps the mode: a key file that others can read is refused.
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A number in `0..bound`.
pub(crate) fn below(dice: &mut SeededChance, bound: Duration) -> Duration {
    let bound = u32::try_from(bound.as_micros()).unwrap_or(u32::MAX);
    Duration::from_micros(dice.below(bound.max(1)).into())
}

/// Lets a process run for so long.
#[expect(
    clippy::disallowed_methods,
    reason = "a process lives in real time, and is killed at a point of it"
)]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// For how long one has waited.
#[expect(clippy::disallowed_methods, reason = "a process lives in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
