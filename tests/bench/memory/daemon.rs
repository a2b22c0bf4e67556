//! Daemons with nothing to do, as processes.

use super::child;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What one takes.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    /// What it does.
    pub(super) what: String,
    /// What is resident of it.
    pub(super) bytes: u64,
    /// The same of its child, which asks the kernel about connections; 0 where there is none.
    pub(super) asker_bytes: u64,
}

/// A daemon; killed when dropped.
struct Daemon(Child);

/// Looks at how far it is, and the pause between two.
const LOOKS_MAX: u32 = 600;
const PAUSE: Duration = Duration::from_millis(50);

/// How it comes into a network namespace of its own, with so many networks.
const ROUTER: &str = "set -e
echo 1 >/proc/sys/net/ipv4/ip_forward
for n in $(seq $NETWORKS); do
    ip link add br$n type bridge
    ip link set br$n up
    ip addr add 192.168.$n.1/24 dev br$n
done
echo 1 >/proc/sys/net/netfilter/nf_conntrack_acct
exec \"$0\" \"$@\"";

/// One that waits for consent.
pub(super) fn waiting() -> Result<Idle> {
    let folder = folder("auto")?;
    let mut agent = child::agent()?;
    agent
        .args(["run", "--config"])
        .arg(folder.path().join("agent.toml"));
    let what = "a daemon that waits for consent".to_owned();
    Daemon::start(agent, folder.path(), "waiting_for_consent")?.idle(what)
}

/// One that watches so many networks on which nothing happens.
pub(super) fn watching(source: &str, networks: usize) -> Result<Idle> {
    let folder = folder(source)?;
    let state = folder.path().join("state");
    let mut consent = child::agent()?;
    consent.args(["consent", "grant", "--yes", "--state"]);
    let consented = consent.arg(&state).stdout(Stdio::null()).status()?;
    ensure!(consented.success(), "no consent: {consented}");
    let agent = child::agent()?;
    let mut router = Command::new("unshare");
    router
        .args(["--net", "sh", "-c", ROUTER])
        .arg(agent.get_program());
    router.args(agent.get_args()).args(["run", "--config"]);
    router.arg(folder.path().join("agent.toml"));
    router.env("NETWORKS", networks.to_string());
    let what = format!("a daemon that watches (networks: {networks}, source: {source})");
    Daemon::start(router, folder.path(), "watching")?.idle(what)
}

/// Where a daemon may live, whoever it becomes.
fn folder(source: &str) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let config = format!("state_dir = \"state\"\nrun_dir = \"run\"\nsource = \"{source}\"\n");
    fs::write(folder.path().join("agent.toml"), config)?;
    Ok(folder)
}

impl Daemon {
    /// Starts it, and waits until it is in this phase.
    fn start(mut command: Command, folder: &Path, phase: &str) -> Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = Self(command.spawn()?);
        for _ in 0..LOOKS_MAX {
            if let Some(end) = daemon.0.try_wait()? {
                anyhow::bail!("the daemon ended: {end}");
            }
            let live = fs::read(folder.join("run/live.json")).unwrap_or_default();
            let live: Value = serde_json::from_slice(&live).unwrap_or_default();
            if live["phase"] == phase {
                return Ok(daemon);
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a process says nothing when it is ready"
            )]
            std::thread::sleep(PAUSE);
        }
        anyhow::bail!("the daemon never came to {phase}");
    }

    fn idle(&self, what: String) -> Result<Idle> {
        let main = self.0.id();
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children"))?;
        let children = children.split_whitespace().map(str::parse::<u32>);
        let mut asker_bytes = 0;
        for asker in children {
            asker_bytes += child::memory_bytes(asker?, "VmRSS:")?;
        }
        let bytes = child::memory_bytes(main, "VmRSS:").context("it lives")?;
        Ok(Idle {
            what,
            bytes,
            asker_bytes,
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
