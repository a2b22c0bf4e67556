//! The daemon's privileges, as the kernel tells them while it runs: no socket that hears a network before
//! the household agrees, nobody who listens at any time, and nothing left of root where packets are read.

use super::namespace::{Namespace, Process};
use super::patience::until;
use anyhow::{Context, Result, ensure};
use phonehome_agent::capture::live::RINGS_MAX;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The daemon, as root starts it on a router.
struct Daemon {
    process: Process,
    folder: tempfile::TempDir,
    router: Namespace,
}

/// What holds sockets open: a process, and what it is confined to.
#[derive(Debug)]
struct Holder {
    id: u32,
    /// The inodes of its sockets.
    sockets: BTreeSet<u64>,
}

/// How long it may take to look at the state folder, open everything and begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tables of sockets below `/proc/PID/net`, and in which column of each the inode stands.
const HEARING: [(&str, usize); 4] = [("packet", 8), ("netlink", 9), ("raw", 9), ("raw6", 9)];

const NO_CAPABILITY: &str = "0000000000000000";
const NET_ADMIN: &str = "0000000000001000";

#[test]
#[ignore = "needs root and network namespaces"]
fn privileges_begin_with_consent_and_end_before_the_first_packet() -> Result<()> {
    let daemon = Daemon::start()?;
    daemon.reaches("waiting_for_consent")?;
    let [alone] = &daemon.holders()?[..] else {
        anyhow::bail!("an asker before consent");
    };
    ensure!(hearing(alone)? == 0, "it hears something before consent");
    ensure!(listening(alone)?.is_empty(), "it listens");

    daemon.command(&["consent", "grant", "--yes"])?;
    daemon.reaches("watching")?;
    let holders = daemon.holders()?;
    let [main, asker] = &holders[..] else {
        anyhow::bail!("no asker, or several: {holders:?}");
    };
    ensure!(hearing(main)? > 0, "it hears nothing");
    for holder in [main, asker] {
        ensure!(listening(holder)?.is_empty(), "somebody listens");
        // The kernel's sign that its user may not trace it, nor read its memory (proc(5)).
        let memory = fs::metadata(format!("/proc/{}/mem", holder.id))?;
        ensure!(
            std::os::unix::fs::MetadataExt::uid(&memory) == 0,
            "its user may look into it"
        );
    }
    let threads = threads(main.id)?;
    ensure!(threads.len() >= 2, "capture has a thread of its own");
    for status in &threads {
        confined(status, NO_CAPABILITY)?;
    }
    for status in self::threads(asker.id)? {
        confined(&status, NET_ADMIN)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root and network namespaces"]
fn what_root_decides_the_daemon_reads() -> Result<()> {
    let daemon = Daemon::start()?;
    daemon.reaches("waiting_for_consent")?;
    daemon.command(&["consent", "grant", "--yes"])?;
    daemon.command(&["device", "allow", "0a1b2c3d", "--name", "Ana"])?;
    daemon.reaches("watching")?;
    daemon.command(&["device", "deny", "0a1b2c3d"])?;
    let whose = |path: &Path| {
        Ok::<_, std::io::Error>(std::os::unix::fs::MetadataExt::uid(&fs::metadata(path)?))
    };
    let state = daemon.folder.path().join("state");
    for entry in fs::read_dir(&state)? {
        let path = entry?.path();
        ensure!(
            whose(&path)? == whose(&state)?,
            "{} is root's",
            path.display()
        );
    }
    ensure!(whose(&state)? != 0, "the folder is root's");
    Ok(())
}

/// Of more networks than can be heard, `status` is to name those that are not.
#[test]
#[ignore = "needs root and network namespaces"]
fn a_network_that_is_not_heard_is_named_until_it_is() -> Result<()> {
    let daemon = Daemon::start()?;
    daemon.reaches("waiting_for_consent")?;
    let numbers = || 2..RINGS_MAX + 2;
    let links: String = numbers()
        .map(|n| format!("add br{n} type bridge\nset br{n} up\n"))
        .collect();
    daemon.router.link(&links)?;
    let addresses: String = numbers()
        .map(|n| format!("add 192.168.{n}.1/24 dev br{n}\n"))
        .collect();
    daemon.router.ip("addr", &addresses)?;
    daemon.command(&["consent", "grant", "--yes"])?;
    daemon.reaches("watching")?;
    let unheard = |count: usize| {
        until("what is not heard", PATIENCE, || {
            let live = daemon.live()?;
            let unheard = live["unheard"].as_array().cloned().unwrap_or_default();
            Ok((unheard.len() == count).then_some(unheard))
        })
    };
    let [sentence] = &unheard(1)?[..] else {
        anyhow::bail!("one too many is one");
    };
    let sentence = sentence.as_str().context("a sentence")?;
    let limit = format!("at most {RINGS_MAX} interfaces");
    ensure!(
        sentence.starts_with("br") && sentence.contains(&limit),
        "{sentence}"
    );
    // Another goes, and leaves its place.
    let gone = if sentence.starts_with("br2:") { 3 } else { 2 };
    daemon.router.link(&format!("del br{gone}"))?;
    unheard(0).map(drop)
}

/// The same eyes, where there is somebody to see.
#[test]
fn who_listens_is_seen() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let seen = || Ok::<_, anyhow::Error>(listening(&Holder::of(std::process::id())?)?.len());
    let before = seen()?;
    let _stream = std::net::TcpListener::bind("127.0.0.1:0")?;
    let _local = std::os::unix::net::UnixListener::bind(folder.path().join("socket"))?;
    ensure!(seen()? >= before + 2, "somebody listens unseen");
    Ok(())
}

impl Daemon {
    /// Starts it on a router with a network of its own and a line that leads nowhere.
    fn start() -> Result<Self> {
        let router = Namespace::create("router")?;
        router.set(
            "ipv4/ip_forward 1
             netfilter/nf_conntrack_acct 1",
        )?;
        router.link(
            "add br-lan type bridge
             set br-lan up
             add wan type veth peer name isp
             set wan up
             set isp up",
        )?;
        router.ip(
            "addr",
            "add 192.168.1.1/24 dev br-lan
             add 192.0.2.130/30 dev wan",
        )?;
        router.ip("route", "add default via 192.0.2.129 dev wan")?;

        let folder = tempfile::tempdir()?;
        // Else nobody but root could reach the folders in it.
        fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
        let config = folder.path().join("agent.toml");
        fs::write(
            &config,
            "state_dir = \"state\"\nrun_dir = \"run\"\nuser = \"nobody\"\n",
        )?;
        let mut daemon = router.command(PROGRAM);
        daemon.arg("outside").arg(folder.path().join("state"));
        daemon.args(["0", "agent", "run", "--config"]).arg(config);
        daemon.stdin(Stdio::null()).stdout(Stdio::null());
        let process = Process(daemon.spawn()?);
        Ok(Self {
            process,
            folder,
            router,
        })
    }

    /// A command the household types, as root.
    fn command(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(PROGRAM);
        command.arg("outside").arg(self.folder.path().join("state"));
        let output = command.args(["0", "agent"]).args(words).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(said.lines().last() == Some("done"), "{words:?}: {said}");
        Ok(())
    }

    /// Waits until it says that it is this far; at no time does anybody listen.
    fn reaches(&self, phase: &str) -> Result<()> {
        until(phase, PATIENCE, || {
            for holder in self.holders()? {
                ensure!(listening(&holder)?.is_empty(), "it listens");
            }
            Ok((self.live()?["phase"] == phase).then_some(()))
        })
    }

    /// What it has written of how it fares; null while it has not.
    fn live(&self) -> Result<Value> {
        let Ok(text) = fs::read_to_string(self.folder.path().join("run/live.json")) else {
            return Ok(Value::Null);
        };
        Ok(serde_json::from_str(&text)?)
    }

    /// The daemon and its children.
    fn holders(&self) -> Result<Vec<Holder>> {
        let main = self.process.0.id();
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children"))?;
        let children = children.split_whitespace().map(str::parse);
        let mut holders = vec![Holder::of(main)?];
        for child in children {
            holders.push(Holder::of(child?)?);
        }
        Ok(holders)
    }
}

impl Holder {
    fn of(id: u32) -> Result<Self> {
        let mut sockets = BTreeSet::new();
        for entry in fs::read_dir(format!("/proc/{id}/fd"))? {
            // One that was closed meanwhile.
            let Ok(target) = fs::read_link(entry?.path()) else {
                continue;
            };
            let target = target.to_string_lossy();
            let inode = target
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'));
            sockets.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
        }
        Ok(Self { id, sockets })
    }

    /// The rows of a table below `/proc/PID/net` that are of its sockets.
    fn rows(&self, table: &str, inode_column: usize) -> Result<Vec<Vec<String>>> {
        let path = PathBuf::from(format!("/proc/{}/net/{table}", self.id));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let rows = text.lines().skip(1).map(|line| {
            let cells = line.split_whitespace().map(str::to_owned);
            cells.collect::<Vec<_>>()
        });
        let is_ours = |row: &Vec<String>| {
            let inode = row.get(inode_column).and_then(|cell| cell.parse().ok());
            inode.is_some_and(|inode: u64| self.sockets.contains(&inode))
        };
        Ok(rows.filter(is_ours).collect())
    }
}

/// How many sockets of a process hear packets or the kernel.
pub(crate) fn hears(process: u32) -> Result<usize> {
    hearing(&Holder::of(process)?)
}

/// How many of its sockets hear packets or the kernel.
fn hearing(holder: &Holder) -> Result<usize> {
    let mut count = 0;
    for (table, column) in HEARING {
        count += holder.rows(table, column)?.len();
    }
    Ok(count)
}

/// Its sockets that wait for a connection: TCP in the state LISTEN (0A), UNIX with `SO_ACCEPTCON`.
fn listening(holder: &Holder) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for table in ["tcp", "tcp6"] {
        rows.extend(
            holder
                .rows(table, 9)?
                .into_iter()
                .filter(|row| row[3] == "0A"),
        );
    }
    rows.extend(
        holder
            .rows("unix", 6)?
            .into_iter()
            .filter(|row| row[3] == "00010000"),
    );
    Ok(rows)
}

/// The status files of a process's threads.
fn threads(process: u32) -> Result<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))?;
    tasks
        .map(|task| Ok(fs::read_to_string(task?.path().join("status"))?))
        .collect()
}

/// Checks that a thread is nobody's, has these capabilities and can gain none.
fn confined(status: &str, held: &str) -> Result<()> {
    let says = |name: &str| {
        let rest = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        rest.unwrap_or_default().trim()
    };
    for (name, value) in [
        ("Uid", "65534\t65534\t65534\t65534"),
        ("Groups", ""),
        ("CapPrm", held),
        ("CapEff", held),
        ("CapInh", NO_CAPABILITY),
        ("CapBnd", NO_CAPABILITY),
        ("CapAmb", NO_CAPABILITY),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        ensure!(says(name) == value, "{name} is {}: {status}", says(name));
    }
    Ok(())
}

/// The agent's command line, with its own code; outside of any sandbox but its own.
const PROGRAM: &str = env!("CARGO_BIN_EXE_inmate");
