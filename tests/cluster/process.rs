//! A collector's process: started, asked, killed, started again.

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A collector that can be killed, and where it listens in each of its lives.
pub(crate) struct Collector {
    /// Where homes arrive.
    pub address: SocketAddr,
    config: PathBuf,
    clock: PathBuf,
    life: Option<Life>,
}

struct Life {
    child: Child,
    orders: ChildStdin,
    said: mpsc::Receiver<String>,
}

/// A loopback port that nobody uses.
pub(crate) fn port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Collector {
    /// Starts the collector of `config`, which listens on `port`, on the clock in the file `clock`.
    pub(crate) fn start(config: &Path, port: u16, clock: &Path) -> Result<Self> {
        let mut collector = Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            config: config.to_owned(),
            clock: clock.to_owned(),
            life: None,
        };
        collector.restart()?;
        Ok(collector)
    }

    /// Starts it anew.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.kill();
        let mut child = Command::new(env!("CARGO_BIN_EXE_timed-collector"))
            .args([&self.config, &self.clock])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(self.config.with_extension("log"))?)
            .spawn()?;
        let (told, said) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().context("it was asked for")?);
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // A test that does not listen any more has what it wanted.
                let _ = told.send(line);
            }
        });
        let orders = child.stdin.take().context("it was asked for")?;
        self.life = Some(Life {
            child,
            orders,
            said,
        });
        let first = self.hear()?;
        ensure!(first == "serving", "{first}");
        Ok(())
    }

    /// Has it ask the week's clock, and says what it answered.
    pub(crate) fn tick(&mut self) -> Result<String> {
        self.order()?;
        self.hear()
    }

    /// The same, without waiting for the answer.
    pub(crate) fn order(&mut self) -> Result<()> {
        let life = self.life.as_mut().context("it lives")?;
        writeln!(life.orders, "tick")?;
        Ok(life.orders.flush()?)
    }

    fn hear(&self) -> Result<String> {
        let life = self.life.as_ref().context("it lives")?;
        match life.said.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(_) => bail!(
                "it says nothing: {}",
                std::fs::read_to_string(self.config.with_extension("log"))?
            ),
        }
    }

    /// Kills it where it stands.
    pub(crate) fn kill(&mut self) {
        if let Some(mut life) = self.life.take() {
            let _ = life.child.kill();
            let _ = life.child.wait();
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.kill();
    }
}
