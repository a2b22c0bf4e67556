//! A home with its agent: the same commands a household types, in its order.
//!
//! Takes a synthetic [`Home`] and its captures, gives what the agent printed. Everything the agent
//! needs of the world is handed to it: the exercise's clock, seeded chance, a folder of its own, and
//! nobody who waits in real time.

use crate::traffic::home::Home;
use crate::traffic::phone::{Openness, Phone};
use anyhow::{Context, Result};
use phonehome_agent::endpoints::Shelf;
use phonehome_agent::run::inspect::Format;
use phonehome_agent::run::replay::{self, Replay};
use phonehome_agent::run::{Environment, devices, household};
use phonehome_agent::state::State;
use phonehome_agent::uplink::Waits;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::time::ManualClock;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A home and its agent.
pub struct HomeAgent {
    /// Who lives there.
    pub home: Home,
    /// What the agent is given.
    pub environment: Environment,
    /// Where it remembers.
    pub state: PathBuf,
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Batches the collector holds now.
    pub held: usize,
    /// What the agent printed.
    pub out: String,
    /// What else it had to say.
    pub err: String,
}

/// Does not wait: in an exercise, time passes only when it is moved.
#[derive(Clone, Copy, Debug)]
pub struct NoWaits;

impl Waits for NoWaits {
    fn wait(&mut self, _pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

impl HomeAgent {
    /// A home whose agent has nothing yet: every gate is shut.
    #[must_use]
    pub fn new(home: Home, state: PathBuf, clock: &ManualClock) -> Self {
        let environment = Environment {
            state: State::at(state.clone()),
            clock: Arc::new(clock.clone()),
            chance: Box::new(SeededChance::new(0xa9e7 ^ u64::from(home.number))),
            waits: Box::new(NoWaits),
            shelf: Shelf::default(),
        };
        Self {
            home,
            environment,
            state,
        }
    }

    /// Agrees, names and allows every phone seen in `capture`, and turns sending on.
    ///
    /// # Errors
    /// When a command fails, or the capture does not show a phone of the home.
    pub fn open_gates(&mut self, capture: &Path) -> Result<()> {
        let mut out = Vec::new();
        household::consent_grant(&mut self.environment, true, &mut out)?;
        let rows = self.devices(capture)?;
        for (number, (phone, _)) in self.home.phones.clone().iter().enumerate() {
            let row = row_of(phone, &rows).context("the capture shows every phone of the home")?;
            let tag = row["device"].as_str().context("a device has a tag")?;
            let vendor = (phone.openness == Openness::Declared).then(|| phone.make.vendor());
            let name = format!("phone {}", number + 1).parse()?;
            household::device_allow(&mut self.environment, tag.parse()?, name, vendor, &mut out)?;
        }
        household::send(&mut self.environment, true, &mut out)?;
        Ok(())
    }

    /// Replays captures to the collector at `url`, enrolling with `invite` the first time.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn report(
        &mut self,
        captures: &[PathBuf],
        url: &str,
        invite: &Invite,
    ) -> Result<Reported> {
        let request = Replay {
            files: captures.to_vec(),
            collector: url.parse()?,
            invite: Some(invite.clone()),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let replayed = replay::replay(&mut self.environment, &request, &mut out, &mut err).await?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Reported {
            held: replayed.held,
            out: text(&out),
            err: text(&err),
        })
    }

    /// What `devices --format jsonl` says about a capture.
    ///
    /// # Errors
    /// When the command fails.
    pub fn devices(&mut self, capture: &Path) -> Result<Vec<Value>> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let files = [capture.to_path_buf()];
        devices::devices(
            &mut self.environment,
            &files,
            Format::Jsonl,
            &mut out,
            &mut err,
        )?;
        let lines = std::str::from_utf8(&out)?.lines();
        lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// What `devices` says of `phone`, found by what a household can see: the beginning of its address.
#[must_use]
pub fn row_of<'a>(phone: &Phone, rows: &'a [Value]) -> Option<&'a Value> {
    let [a, b, c, ..] = phone.mac;
    let prefix = format!("{a:02x}:{b:02x}:{c:02x}");
    rows.iter().find(|row| row["mac_prefix"] == prefix.as_str())
}
