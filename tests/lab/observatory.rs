//! A collector in a namespace of its own, beyond the home's line: an exercise's, on real time.

use super::namespace::Namespace;
use super::router::WAN_V6;
use anyhow::{Context, Result, bail};
use phonehome_collector::config::Config;
use phonehome_collector::metrics::Counter;
use phonehome_collector::run;
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::time::SystemClock;
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::sync::mpsc as questions;

/// A collector at work; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Observatory {
    /// Lets one home in.
    pub(crate) invite: Invite,
    questions: Option<questions::Sender<Answer>>,
    thread: Option<JoinHandle<Result<()>>>,
    _namespace: Namespace,
    _folder: TempDir,
}

/// Every counter and where it stands.
pub(crate) type Counts = BTreeMap<Counter, u64>;

/// Where a question about the counters is answered.
type Answer = mpsc::Sender<Counts>;

const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 2);
const GATEWAY: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 1);
const PORT: u16 = 4317;

impl Observatory {
    /// Joins the Internet and takes homes in; returns when it does.
    pub(crate) fn open(internet: &Namespace) -> Result<Self> {
        let namespace = Namespace::create("observatory")?;
        join(internet, &namespace)?;
        let folder = tempfile::tempdir()?;
        let config = write(folder.path())?;
        let (ready, open) = mpsc::channel();
        let (questions, mut asked) = questions::channel::<Answer>(1);
        let thread = namespace.spawn(move || {
            // Its threads are where this one is.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let config = Config::load(&config)?;
                let authority = config.intake.public_address.clone();
                let chance = SharedChance::new(SystemChance);
                let collector = run::serve(config, Arc::new(SystemClock), chance).await?;
                let mut invites = collector.invite(1, &authority).await?;
                ready.send(invites.pop().context("one was made")?)?;
                while let Some(answer) = asked.recv().await {
                    answer.send(collector.metrics())?;
                }
                collector.stop().await;
                Ok(())
            })
        })?;
        let Ok(invite) = open.recv() else {
            thread.join().ok().context("the collector panicked")??;
            bail!("the collector ended before it was open");
        };
        Ok(Self {
            invite,
            questions: Some(questions),
            thread: Some(thread),
            _namespace: namespace,
            _folder: folder,
        })
    }

    /// Where it is, for commands that are told.
    pub(crate) fn url() -> String {
        format!("https://[{ADDRESS}]:{PORT}")
    }

    /// What it has counted so far.
    pub(crate) fn counts(&self) -> Result<Counts> {
        let (answer, counts) = mpsc::channel();
        let questions = self.questions.as_ref().context("it is open")?;
        questions.blocking_send(answer)?;
        Ok(counts.recv()?)
    }
}

impl Drop for Observatory {
    fn drop(&mut self) {
        drop(self.questions.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn join(internet: &Namespace, observatory: &Namespace) -> Result<()> {
    observatory.set(
        "ipv6/conf/all/accept_dad 0
         ipv6/conf/default/accept_dad 0",
    )?;
    internet.link(&format!(
        "add obs0 type veth peer name eth0 netns {}
         set obs0 up",
        observatory.name()
    ))?;
    internet.ip("addr", &format!("add {GATEWAY}/64 dev obs0 nodad"))?;
    observatory.link("set eth0 up")?;
    observatory.ip("addr", &format!("add {ADDRESS}/64 dev eth0 nodad"))?;
    observatory.ip("route", &format!("add default via {GATEWAY} dev eth0"))
}

/// Writes what a collector is told; gives the path.
fn write(folder: &Path) -> Result<PathBuf> {
    // Where the home's router comes from, and nobody else.
    let home = format!("[[network]]\nprefix = \"{WAN_V6}/128\"\ncountry = \"DE\"\nasn = 64500\n");
    fs::write(folder.join("networks.toml"), home)?;
    let config = folder.join("collector.toml");
    fs::write(
        &config,
        format!(
            r#"purpose = "exercise"
data_dir = "data"
keys_dir = "keys"
identity = "identity.key"

[intake]
listen = "[{ADDRESS}]:{PORT}"
public_address = "[{ADDRESS}]:{PORT}"

[http]
listen = ""

[exercise]
networks = "networks.toml"
"#
        ),
    )?;
    Ok(config)
}
