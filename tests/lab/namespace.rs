//! Network namespaces: small machines of the laboratory's own.
//!
//! A [`Namespace`] is made under a name nobody else has, its loopback is up, and it is gone when it
//! is dropped, with every interface in it. Programs run in it with [`Namespace::run`], our own code
//! with [`Namespace::inside`], on a thread that has moved there and ends there: nothing ever comes
//! back into a thread of the test. What tests that were killed have left is taken away first.

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// One namespace.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

/// Where `ip netns` keeps them.
const FOLDER: &str = "/run/netns";

/// What the laboratory's begin with; then the test's process, then a number.
const PREFIX: &str = "phl";

/// Counts the namespaces of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Namespace {
    /// Makes one; `role` is for whoever looks at the machine meanwhile.
    pub(crate) fn create(role: &str) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            sweep()?;
        }
        let name = format!("{PREFIX}-{}-{number}-{role}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]), "")?;
        let namespace = Self { name };
        namespace.link("set lo up")?;
        Ok(namespace)
    }

    /// Its name, for `ip netns` and `ip -n`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program in it to its end; gives what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        run(self.command(program).args(arguments), "")
    }

    /// The same, with `input` to read.
    pub(crate) fn feed(&self, program: &str, arguments: &[&str], input: &str) -> Result<String> {
        run(self.command(program).args(arguments), input)
    }

    /// A program to be run in it.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command.arg(program.as_ref());
        command
    }

    /// `ip link` in it, a change a line.
    pub(crate) fn link(&self, changes: &str) -> Result<()> {
        self.ip("link", changes)
    }

    /// `ip OBJECT` in it, a change a line.
    pub(crate) fn ip(&self, object: &str, changes: &str) -> Result<()> {
        let lines = changes
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let batch: String = lines.map(|line| format!("{object} {line}\n")).collect();
        let mut ip = Command::new("ip");
        run(ip.args(["-n", &self.name, "-batch", "-"]), &batch)?;
        Ok(())
    }

    /// Sets kernel parameters below `/proc/sys/net`, written `path value`, one a line.
    pub(crate) fn set(&self, parameters: &'static str) -> Result<()> {
        self.inside(move || {
            for line in parameters
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
            {
                let (path, value) = line.split_once(' ').context("path and value")?;
                let path = Path::new("/proc/sys/net").join(path);
                fs::write(&path, value).with_context(|| path.display().to_string())?;
            }
            Ok(())
        })
    }

    /// Runs our own code in it, on a thread of its own, and waits for it.
    pub(crate) fn inside<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        self.spawn(work)?.join().map_err(|panic| {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            anyhow::anyhow!("panicked in {}: {}", self.name, words.unwrap_or_default())
        })?
    }

    /// Starts our own code in it, on a thread of its own.
    pub(crate) fn spawn<T, F>(&self, work: F) -> Result<thread::JoinHandle<Result<T>>>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let door = self.door()?;
        let thread = thread::Builder::new().name(self.name.clone());
        Ok(thread.spawn(move || {
            enter(&door)?;
            work()
        })?)
    }

    /// What a thread goes in by.
    pub(crate) fn door(&self) -> Result<File> {
        Ok(File::open(Path::new(FOLDER).join(&self.name))?)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing can be done about one that stays; the next run's sweep tries again.
        let _ = run(Command::new("ip").args(["netns", "del", &self.name]), "");
    }
}

/// Moves this thread through a namespace's door, for good.
pub(crate) fn enter(door: &File) -> Result<()> {
    move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))
        .context("moving into a network namespace")
}

/// A process of the laboratory; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command to its end with `input` to read; gives what it printed, or what it complained of.
pub(crate) fn run(command: &mut Command, input: &str) -> Result<String> {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    // A program that reads nothing closes its end; that is no failure of ours.
    let _ = child
        .stdin
        .take()
        .context("piped")?
        .write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} {input:?}: {complaint}");
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Removes the namespaces of laboratories whose process is gone.
fn sweep() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "the laboratory needs root"
    );
    let Ok(entries) = fs::read_dir(FOLDER) else {
        return Ok(());
    };
    for entry in entries {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(process) = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').nth(1))
        else {
            continue;
        };
        if !PathBuf::from("/proc").join(process).exists() {
            // Another laboratory may be sweeping too.
            let _ = run(Command::new("ip").args(["netns", "del", name]), "");
        }
    }
    Ok(())
}
