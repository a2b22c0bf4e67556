//! A collector in a process of its own, measured from outside.
//!
//! `PHONEHOME_COLLECTOR` names the program; without it this one plays it, with the same code.

use super::super::child;
use super::fleet::Fleet;
use anyhow::{Context, Result, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::run::ground::Ground;
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::id::Audience;
use phonehome_proto::seal::VerifyingKey;
use phonehome_proto::time::Timestamp;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Names the collector that is measured.
const NAMED: &str = "PHONEHOME_COLLECTOR";

/// A collector that runs; killed when dropped.
pub(crate) struct Collector {
    process: Child,
    /// Where homes arrive.
    pub(crate) intake: SocketAddr,
    /// Where readers arrive.
    pub(crate) http: SocketAddr,
}

/// A collector's files, before it runs.
pub(crate) struct Premises {
    config: PathBuf,
    intake: SocketAddr,
    http: SocketAddr,
    /// What is opened of them while nobody else does.
    pub(crate) ground: Ground,
}

impl Premises {
    /// Everything a collector of an exercise needs, in `folder`.
    pub(crate) async fn make(folder: &Path) -> Result<Self> {
        let (intake, http) = (free_port()?, free_port()?);
        let config = folder.join("collector.toml");
        fs::write(
            &config,
            format!(
                "purpose = \"exercise\"\ndata_dir = \"data\"\nkeys_dir = \"keys\"\n\
                 identity = \"identity.key\"\n[intake]\nlisten = \"{intake}\"\n\
                 public_address = \"127.0.0.1:4317\"\n[http]\nlisten = \"{http}\"\n"
            ),
        )?;
        let ground = Ground::make(Config::load(&config)?, SharedChance::new(SystemChance)).await?;
        Ok(Self {
            config,
            intake,
            http,
            ground,
        })
    }

    /// The collector that its homes report to.
    pub(crate) fn audience(&self) -> Audience {
        self.ground.identity.audience()
    }

    /// The key that its receipts are signed with.
    pub(crate) fn key(&self) -> VerifyingKey {
        self.ground.identity.public()
    }

    /// Takes a fleet in.
    pub(crate) async fn enrol(&self, fleet: &Fleet, now: Timestamp) -> Result<()> {
        fleet.enrol(&self.ground.store, now).await
    }

    /// Starts the collector on them, and waits until it answers.
    pub(crate) fn serve(self) -> Result<Collector> {
        drop(self.ground);
        let mut command = match std::env::var_os(NAMED) {
            Some(program) => {
                let mut command = Command::new(program);
                command.arg("serve").arg("--config");
                command
            }
            None => child::own(child::AS_COLLECTOR)?,
        };
        let process = command
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let collector = Collector {
            process,
            intake: self.intake,
            http: self.http,
        };
        for _ in 0..600 {
            if TcpStream::connect(collector.intake).is_ok() {
                return Ok(collector);
            }
            pause(Duration::from_millis(50));
        }
        anyhow::bail!("the collector does not answer")
    }
}

impl Collector {
    /// The most that was resident so far, in bytes.
    pub(crate) fn peak_bytes(&self) -> Result<u64> {
        child::memory_bytes(self.process.id(), "VmHWM:")
    }

    /// Processor time it used so far, of all its threads.
    pub(crate) fn processor(&self) -> Result<Duration> {
        child::processor_time(&self.process)
    }

    /// Has it stop as an operator would, and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the collector ended with {status}");
        Ok(())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended; then there is nobody to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Plays the collector: what its own `main` does with `serve`.
pub(crate) fn play(config: &Path) -> Result<()> {
    use phonehome_proto::time::SystemClock;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let config = Config::load(config)?;
        let chance = SharedChance::new(SystemChance);
        let clock = std::sync::Arc::new(SystemClock);
        let collector = phonehome_collector::run::serve(config, clock, chance).await?;
        let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        told.recv().await.context("a signal")?;
        collector.stop().await;
        Ok(())
    })
}

/// Bytes of all files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    let files = fs::read_dir(folder)?.map(|file| Ok(file?.metadata()?.len()));
    files.sum::<Result<u64>>()
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
