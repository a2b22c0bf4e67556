//! Processes that are measured: what they use, as the kernel tells it.

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// First words with which this program plays a part in its own measurement.
pub(crate) const AS_AGENT: &str = "as-agent";
pub(crate) const AS_READER: &str = "as-reader";
pub(crate) const AS_WALKER: &str = "as-walker";
pub(crate) const AS_COLLECTOR: &str = "as-collector";
pub(crate) const AS_FOLDER: &str = "as-folder";
pub(crate) const AS_PUBLISHER: &str = "as-publisher";

/// Names the agent that is measured.
const NAMED: &str = "PHONEHOME_AGENT";

/// What a process used from its beginning to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) wall: Duration,
    /// Of all its threads, in the program and in the kernel; told in hundredths of a second.
    pub(crate) processor: Duration,
    /// The most that was resident; what it grew in its last millisecond is missed.
    pub(crate) peak_bytes: u64,
}

/// The agent that is measured.
pub(crate) fn agent() -> Result<Command> {
    match std::env::var_os(NAMED) {
        Some(agent) => Ok(Command::new(agent)),
        None => own(AS_AGENT),
    }
}

/// Whether an agent is named, and none is played.
pub(crate) fn is_named() -> bool {
    std::env::var_os(NAMED).is_some()
}

/// This program in another part.
pub(crate) fn own(part: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(part);
    Ok(command)
}

/// Runs a program to its end, and lets nobody see what it says.
pub(crate) fn measure(command: &mut Command) -> Result<Used> {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = now();
    let mut child = command.spawn()?;
    let end = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let mut peak_bytes = 0;
    loop {
        peak_bytes = peak_bytes.max(memory_bytes(child.id(), "VmHWM:").unwrap_or(0));
        let millisecond = Timespec {
            tv_sec: 0,
            tv_nsec: 1_000_000,
        };
        if poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&millisecond))? > 0 {
            break;
        }
    }
    let wall = now() - start;
    // It is over, and not forgotten before it was waited for.
    let processor = processor_time(&child)?;
    let status = child.wait()?;
    let program = command.get_program().display();
    ensure!(status.success(), "{program} ended with {status}");
    Ok(Used {
        wall,
        processor,
        peak_bytes,
    })
}

/// A line of the kernel's about a process's memory, in bytes: `VmRSS:` or `VmHWM:`.
pub(crate) fn memory_bytes(process: u32, line: &str) -> Result<u64> {
    memory_in(&fs::read_to_string(status(process, "status"))?, line)
}

/// The same about this process.
pub(crate) fn own_memory_bytes(line: &str) -> Result<u64> {
    memory_in(&fs::read_to_string("/proc/self/status")?, line)
}

/// The middle one of what was measured, each for itself.
pub(crate) fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// Whether a program is installed.
pub(crate) fn is_installed(program: impl AsRef<OsStr>) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program.as_ref()).is_file())
}

fn memory_in(status: &str, line: &str) -> Result<u64> {
    let amount = status.lines().find_map(|text| text.strip_prefix(line));
    let kibibytes = amount.and_then(|amount| amount.split_whitespace().next());
    Ok(kibibytes.context("memory is told")?.parse::<u64>()? * 1_024)
}

/// Processor time of a process so far, of all its threads.
pub(crate) fn processor_time(child: &Child) -> Result<Duration> {
    let stat = fs::read_to_string(status(child.id(), "stat"))?;
    // The name in parentheses may hold blanks; behind it the times are words 12 and 13.
    let (_, words) = stat.rsplit_once(')').context("a name in parentheses")?;
    let words: Vec<&str> = words.split_whitespace().collect();
    let ticks = words[11].parse::<u64>()? + words[12].parse::<u64>()?;
    let ticks_a_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(ticks * 1_000 / ticks_a_second))
}

fn status(process: u32, file: &str) -> String {
    format!("/proc/{process}/{file}")
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}
