//! The warden: starts inmates, hears what came of their attempts, and looks at them from outside.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::RwLock;

/// Read while a process starts: for a moment it holds open whatever this one does, locks included.
pub(crate) static STARTING: RwLock<()> = RwLock::new(());

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused(i32),
    /// By this signal.
    Killed(i32),
    /// It said something else.
    Other(String),
}

/// What an inmate said of its sandbox, and what came of its attempt.
pub(crate) struct Tried {
    pub(crate) report: String,
    pub(crate) outcome: Outcome,
}

pub(crate) fn inmate(role: &str, folder: &Path, port: u16, attempt: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inmate"));
    command.arg(role).arg(folder).arg(port.to_string());
    command.args(attempt);
    command
}

pub(crate) fn attempt(role: &str, folder: &Path, port: u16, attempt: &[&str]) -> Tried {
    let output = {
        let _starting = STARTING.read().expect("no test panics holding it");
        inmate(role, folder, port, attempt).output()
    };
    let output = output.expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let report = said.lines().next().unwrap_or_default().to_owned();
    let last = said.lines().last().unwrap_or_default();
    let outcome = match (output.status.signal(), last.split_once(' ')) {
        (Some(signal), _) => Outcome::Killed(signal),
        (None, None) if last == "done" => Outcome::Done,
        (None, Some(("refused", number))) => {
            Outcome::Refused(number.parse().expect("the number of an error"))
        }
        _ => Outcome::Other(format!("{said}{complaint}")),
    };
    Tried { report, outcome }
}

/// A folder to work in; `None`, said aloud, where this kernel has less than all is proved with. What the
/// kernel has and the sandbox does not use is a failure.
pub(crate) fn complete() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let Tried { report, outcome } = attempt("process", folder.path(), 0, &["getpid"]);
    assert_eq!(outcome, Outcome::Done, "{report}");
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let has_lists = cfg!(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    ));
    let is_listed = report.ends_with("listed system calls only");
    assert_eq!(
        has_lists && status.contains("\nSeccomp:"),
        is_listed,
        "{report}"
    );
    let has_landlock = attempt("outside", folder.path(), 0, &["landlock"]).outcome == Outcome::Done;
    let landlock = report
        .split("Landlock ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let version = landlock.and_then(|version| version.parse::<u8>().ok());
    assert_eq!(has_landlock, version.is_some(), "{report}");
    if is_listed && version.is_some_and(|version| version >= PORTS_FROM) {
        return Some(folder);
    }
    #[allow(clippy::print_stdout, reason = "a test says what it could not prove")]
    {
        println!("not proved on this kernel: {report}");
    }
    None
}

/// Landlock's first version that knows TCP ports.
const PORTS_FROM: u8 = 4;

/// The lines of a process's threads' status files, thread by thread, while it waits.
pub(crate) fn statuses(mut command: Command) -> Vec<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut inmate = {
        let _starting = STARTING.read().expect("no test panics holding it");
        command.spawn().expect("it starts")
    };
    let mut said = BufReader::new(inmate.stdout.take().expect("it is piped"));
    let waits = said
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .any(|line| line == "waiting");
    assert!(waits, "it waits");
    let tasks = fs::read_dir(format!("/proc/{}/task", inmate.id())).expect("it lives");
    let statuses = tasks
        .map(|task| fs::read_to_string(task.expect("it lives").path().join("status")))
        .collect::<Result<_, _>>()
        .expect("it lives");
    drop(inmate.stdin.take());
    assert!(inmate.wait().expect("it is ours").success());
    statuses
}

/// Whether a status file has a line with this name and these words.
fn has(status: &str, name: &str, words: &[&str]) -> bool {
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    let mut named = lines.filter(|(of, _)| *of == name);
    named.any(|(_, rest)| rest.split_whitespace().eq(words.iter().copied()))
}

pub(crate) const NONE: &str = "0000000000000000";
pub(crate) const NET_ADMIN: &str = "0000000000001000";
pub(crate) const NOBODY: &str = "65534";

/// Checks a confined thread: nobody, these capabilities, no way to gain any, filtered.
pub(crate) fn is_confined(status: &str, held: &str, bounding: Option<&str>) {
    for name in ["Uid", "Gid"] {
        assert!(has(status, name, &[NOBODY; 4]), "{name}: {status}");
    }
    assert!(has(status, "Groups", &[]), "{status}");
    for (name, set) in [
        ("CapInh", NONE),
        ("CapPrm", held),
        ("CapEff", held),
        ("CapAmb", NONE),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        assert!(has(status, name, &[set]), "{name}: {status}");
    }
    if let Some(bounding) = bounding {
        assert!(has(status, "CapBnd", &[bounding]), "{status}");
    }
}
